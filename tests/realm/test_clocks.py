"""A clock that is set while xmand runs: neither a boot that lasts, nor time that was not preempted, nor an id anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.clock import Clock
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_NAME, Realm
from tests.lab.process import wait_for

BOOT_SECONDS = 2.0
# Kerberos takes five minutes.
JUMP = 240
DAY = 86_400


@pytest.fixture
def clock(realm: Realm, tmp_path: Path) -> Clock:
    """The daemon's."""
    return Clock(realm, tmp_path)


class Scheduled:
    """A scheduler with a keytab and a clock of its own; its hosts, which are one xmand, go by the machine's."""

    def __init__(self, realm: Realm, directory: Path) -> None:
        self.clock = Clock(realm, directory)
        keytab = directory / "scheduler.keytab"
        realm.add_service("scheduler", str(keytab))
        self.daemon = Daemon(realm, directory / "host", admins=("scheduler@XMAN.TEST",))
        self._config = directory / "rxm.toml"
        self._config.write_text(f'client_keytab = "{keytab}"\nprincipal = "scheduler@XMAN.TEST"\n')
        self._env = realm.cache("none") | self.clock.env

    def ping(self, hosts: tuple[str, ...], runtime: Path) -> Answer:
        """Ask; `runtime` is where tickets are kept."""
        env = self._env | {"XDG_RUNTIME_DIR": str(runtime)}
        return self.daemon.rxm(env, "-c", str(self._config), "-H", ",".join(hosts), "ping")


@pytest.fixture(scope="module")
def scheduled(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduled]:
    made = Scheduled(realm, tmp_path_factory.mktemp("scheduled"))
    yield made
    assert made.daemon.stop() == 0


@pytest.fixture
def subject(realm: Realm, clock: Clock, tmp_path: Path) -> Daemon:
    """An xmand whose clock the test sets."""
    tables = f"[batch]\nboot_seconds = {BOOT_SECONDS}\n"
    return Daemon(realm, tmp_path / "host", admins=("alice@XMAN.TEST",), tables=tables, env=clock.env)


def state(subject: Daemon, alice: dict[str, str], name: str) -> str:
    """Return what `state` says of a domain."""
    (found,) = subject.rxm(alice, "-j", "state", name).json()["result"]["domains"]
    return str(found["state"])


@pytest.mark.parametrize("jump", [JUMP, -JUMP], ids=["ahead", "behind"])
def test_a_clock_that_was_wrong_when_a_domain_was_started_makes_no_boot_that_lasts(
    subject: Daemon, alice: dict[str, str], clock: Clock, jump: int, own_name: str
) -> None:
    clock.set(jump)
    assert subject.rxm(alice, "create", "-", stdin=for_test_driver(own_name)).status == 0
    clock.set(0)

    wait_for(lambda: state(subject, alice, own_name) == "free", BOOT_SECONDS + 20, "the end of the boot")

    assert subject.rxm(alice, "job-start", own_name, "--id", "1", "--owner", "alice").status == 0
    long = subject.rxm(alice, "-j", "list", "-l", own_name).json()["result"]["domains"][0]
    assert 0 <= long.get("uptime_seconds", 0) < JUMP
    assert subject.stop() == 0


def test_a_restart_after_it_was_set_right_takes_nothing_from_the_future_for_a_boot(
    realm: Realm, alice: dict[str, str], tmp_path: Path, own_name: str
) -> None:
    """What libvirt's test driver keeps goes with its process, so that the mark of the start is put there by hand."""
    description = for_test_driver(own_name).replace(
        "<memory",
        '<metadata><xman:domain xmlns:xman="urn:xman:1" started="2199-01-01T00:00:00Z"/></metadata><memory',
    )
    test = "http://libvirt.org/schemas/domain/test/1.0"
    running = description.replace("</domain>", "<test:runstate>1</test:runstate></domain>").replace(
        "<domain type='test'>", f"<domain type='test' xmlns:test='{test}'>"
    )
    (tmp_path / "node.xml").write_text(f"<node xmlns:test='{test}'>{running}</node>")
    subject = Daemon(realm, tmp_path / "host", uri=f"test://{tmp_path}/node.xml", admins=("alice@XMAN.TEST",))

    found = state(subject, alice, own_name)
    long = subject.rxm(alice, "-j", "list", "-l", own_name).json()["result"]["domains"][0]

    assert (found, "uptime_seconds" in long) == ("free", False)
    assert subject.stop() == 0


@pytest.mark.parametrize("jump", [2 * DAY, -2 * JUMP], ids=["ahead", "behind"])
@pytest.mark.parametrize("hosts", [(FQDN,), (FQDN, SECOND_NAME)], ids=["one host", "two hosts"])
def test_tickets_that_a_keytab_gave_while_the_clock_was_wrong_spoil_one_call(
    scheduled: Scheduled, tmp_path: Path, jump: int, hosts: tuple[str, ...]
) -> None:
    """libkrb5 keeps beside them by how much the clock was wrong, and would go by that for a day."""
    tmp_path.chmod(0o700)
    scheduled.clock.set(jump)
    meanwhile = scheduled.ping(hosts, tmp_path)
    scheduled.clock.set(0)

    spoilt = scheduled.ping(hosts, tmp_path)
    answers = [scheduled.ping(hosts, tmp_path) for _ in range(2)]

    assert (meanwhile.status, spoilt.status) == (0, 4), (meanwhile, spoilt)
    assert [answer.status for answer in answers] == [0, 0], answers
