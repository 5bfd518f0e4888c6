"""Tickets for many hosts' services, kept in $XDG_RUNTIME_DIR from one call to the next."""

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.kerberos.realm import Realm, without_wrapper
from tests.lab.process import free_ports
from tests.realm.conftest import need_own_names

COUNT = 12
ADDRESS = "127.0.4.1"
# What a keytab begins with.
VERSION = b"\x05\x02"


def names(first: int = 1, last: int = COUNT) -> list[str]:
    """Return hosts' names."""
    return [f"k{number:02}.xman.test" for number in range(first, last + 1)]


class Fleet:
    """Hosts that are one xmand, and somebody who has a ticket of his own for each test."""

    def __init__(self, realm: Realm, directory: Path) -> None:
        self.realm = realm
        self._directory = directory
        self.keytab = directory / "keytab"
        for name in names():
            realm.add_service(f"host/{name}", str(directory / f"{name}.keytab"))
        self._join()
        self._hosts = directory / "hosts"
        self._hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{ADDRESS} {name}\n" for name in names()))
        self.prefix = realm.own_hosts_file(self._hosts)
        self.port = free_ports(1)
        self.daemon = Daemon(
            realm,
            directory / "x",
            admins=("alice@XMAN.TEST",),
            listen=f"{ADDRESS}:{self.port}",
            keytab=str(self.keytab),
        )

    def renew(self, name: str) -> None:
        """Give a host a new key, and let it forget the old one."""
        own = self._directory / f"{name}.keytab"
        own.unlink()
        self.realm.extract_keytab(f"host/{name}", str(own))
        self._join()

    @contextlib.contextmanager
    def also_called(self, name: str) -> Iterator[None]:
        """Let `name` be the first host's canonical name meanwhile."""
        before = self._hosts.read_text()
        self._hosts.write_text(before.replace(f"{ADDRESS} {names()[0]}", f"{ADDRESS} {name} {names()[0]}"))
        yield
        self._hosts.write_text(before)

    def _join(self) -> None:
        entries = [(self._directory / f"{name}.keytab").read_bytes().removeprefix(VERSION) for name in names()]
        new = self._directory / "new"
        new.write_bytes(VERSION + b"".join(entries))
        new.replace(self.keytab)


@pytest.fixture(scope="module")
def fleet(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The hosts."""
    need_own_names(realm)
    made = Fleet(realm, tmp_path_factory.mktemp("kept"))
    yield made
    assert made.daemon.stop() == 0


class User:
    """Somebody with a ticket cache and a runtime directory of his own."""

    def __init__(self, fleet: Fleet, directory: Path, cache: str = "") -> None:
        self.fleet = fleet
        self.kept = directory / "run" / "rxm"
        self.kept.parent.mkdir(mode=0o700)
        self.cache = cache or f"FILE:{directory}/cc"
        own = {"KRB5CCNAME": self.cache, "XDG_RUNTIME_DIR": str(self.kept.parent)}
        self.wrapped = fleet.realm.env | own
        self._env = without_wrapper(fleet.realm.env) | own
        self.kinit()

    def kinit(self) -> None:
        """Get a ticket for tickets."""
        assert answer(["kinit", "alice"], self.wrapped, f"{PASSWORD}\n").status == 0

    def ping(self, hosts: list[str] | None = None, *more: str) -> Answer:
        """Ask all of them, or some, with `more` of rxm's options."""
        words = ["rxm", "-H", ",".join(hosts or names()), "-p", str(self.fleet.port), *more, "ping"]
        return answer([*self.fleet.prefix, *words], self._env)

    def asked(self, hosts: list[str] | None = None) -> list[str]:
        """Ask; return for which services the KDC was asked."""
        before = len(self.fleet.realm.issued())
        said = self.ping(hosts)
        assert said.status == 0, said
        return sorted(self.fleet.realm.issued()[before:])

    def files(self) -> list[Path]:
        """Return the files that are kept."""
        return sorted(self.kept.iterdir()) if self.kept.exists() else []


@pytest.fixture
def user(fleet: Fleet, tmp_path: Path) -> User:
    """One with a cache in a file."""
    return User(fleet, tmp_path)


ALL = [f"host/{name}" for name in names()]


def test_the_second_call_asks_the_kdc_nothing(user: User) -> None:
    assert user.asked() == ALL
    assert user.asked() == []


def test_it_is_one_file_that_only_its_user_can_read(user: User) -> None:
    user.ping()

    (kept,) = user.files()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(user.kept.stat().st_mode) == 0o700


def test_the_tickets_of_other_hosts_stay(user: User) -> None:
    assert user.asked(names(1, 9)) == ALL[:9]
    assert user.asked(names(3, 12)) == ALL[9:]
    assert user.asked(names(1, 9)) == []


def test_another_ticket_for_tickets_has_none(user: User) -> None:
    user.ping()
    (before,) = user.files()
    user.kinit()

    assert user.asked() == ALL
    assert len(user.files()) == 1
    assert user.files() != [before]


@pytest.mark.parametrize("hosts", [1, COUNT], ids=["one host", "many hosts"])
def test_they_are_gone_when_the_ticket_for_tickets_is(user: User, hosts: int) -> None:
    user.ping()
    assert answer(["kdestroy"], user.wrapped).status == 0

    said = user.ping(names(1, hosts))

    assert said.status == 4
    assert user.files() == []


def test_a_host_with_a_new_key_is_asked_for_again(fleet: Fleet, user: User) -> None:
    user.ping()
    fleet.renew(names()[4])

    assert user.asked() == [ALL[4]]
    assert user.asked() == []


def test_of_a_host_whose_ticket_is_kept_no_other_name_is_looked_for(fleet: Fleet, user: User) -> None:
    user.ping()

    with fleet.also_called("other.xman.test"):
        assert user.asked() == []


def test_a_ticket_for_another_service_of_a_host_is_not_taken_for_that_of_xmand(fleet: Fleet, user: User) -> None:
    user.ping()

    said = user.ping(names(), "--service", "other")

    assert said.status == 4


def test_a_broken_file_is_written_anew(user: User) -> None:
    user.ping()
    (kept,) = user.files()
    kept.write_bytes(b"broken")

    assert user.asked() == ALL
    assert user.asked() == []


def test_a_file_that_others_can_read_is_not_used(user: User) -> None:
    user.ping()
    (kept,) = user.files()
    kept.chmod(0o644)

    assert user.asked() == ALL
    assert stat.S_IMODE(user.files()[0].stat().st_mode) == 0o600


def test_beside_a_cache_that_is_no_file_nothing_is_kept(fleet: Fleet, tmp_path: Path) -> None:
    caches = tmp_path / "caches"
    caches.mkdir(mode=0o700)
    user = User(fleet, tmp_path, f"DIR:{caches}")

    assert user.ping().status == 0
    assert [path for path in user.files() if path.name.startswith("services_")] == []


def test_without_a_runtime_directory_nothing_is_kept(fleet: Fleet, user: User) -> None:
    user._env.pop("XDG_RUNTIME_DIR")

    assert user.asked() == ALL
    assert (user.asked(), user.files()) == (ALL, [])
