"""Whether a guest of another host may come (`xmand.verbs.arriving`), asked before anything moves."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.host_standin import host_of
from xman import arguments
from xman.between import MIGRATE_MAY
from xman.errors import DeniedError, RefusedError, UsageError
from xman.result import Result
from xmand.authorize import Access
from xmand.settings import Migration, Settings
from xmand.verbs import arriving
from xmand.verbs.call import Call
from xmand.virt import elsewhere, migration_trial
from xmand.virt.domain import Domain
from xmand.virt.driver import CHANGE, Driver

NUMBER = "6b2c1d4e-0000-4000-8000-00000000aaaa"
NAME, UUID = "vm1", "6b2c1d4e-0000-4000-8000-00000000bbbb"


def described(name: str = NAME, uuid: str = UUID, more: str = "") -> str:
    """Return the description of a machine."""
    return (
        f"<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>4096</memory><os><type>hvm</type></os>"
        f"<devices>{more}</devices></domain>"
    )


class Asked:
    """The host that is asked, on libvirt's test driver; nothing is on it."""

    def __init__(self, directory: Path) -> None:
        (directory / "host.xml").write_text("<node/>")
        self.driver = Driver(f"test://{directory}/host.xml", lambda _line: None)
        self._settings = Settings(state_dir=str(directory))
        self.departed: set[str] = set()

    def may(self, *texts: str, name: str = NAME, uuid: str = UUID, cpu: str = "", policy: str = "list") -> Result:
        """Ask for a guest."""
        settings = replace(self._settings, migrate=Migration(policy=policy))
        departures: Any = SimpleNamespace(gave=lambda uuid: uuid in self.departed)
        host = replace(host_of(self.driver, settings), departures=departures)
        words = [*(("--cpu", cpu) if cpu else ()), "--", NUMBER, name, uuid, *texts]
        parsed = arguments.parse(MIGRATE_MAY, words)
        until = time.monotonic() + 10.0
        call = Call(host, "host/h1.xman.test@R", Access(frozenset()), parsed, until, lambda _text: None)
        return arriving.migrate_may(call)

    def define(self, xml: str) -> Domain:
        """Define a domain on it."""
        return Domain(self.driver.connection(CHANGE).defineXML(xml))


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """A host."""
    made = Asked(tmp_path)
    yield made
    made.driver.close()


def test_one_that_nothing_is_in_the_way_of(asked: Asked) -> None:
    assert asked.may(described(), described()).notes == ()
    # By an xmand that says no more than whose it is.
    assert asked.may().notes == ()


@pytest.mark.parametrize(
    ("name", "uuid", "said"),
    [
        (NAME, "6b2c1d4e-0000-4000-8000-00000000cccc", "Domain 'vm1' already exists there, with the UUID"),
        ("vm2", UUID, "Domain 'vm2' already exists there, with the UUID"),
        # An accepted host says that it has this very one.
        (NAME, UUID, "Domain 'vm1' is defined there already, and off"),
    ],
)
def test_what_is_defined_here_is_not_replaced(asked: Asked, name: str, uuid: str, said: str) -> None:
    asked.define(described(name, uuid))

    with pytest.raises(RefusedError, match=said):
        asked.may(described())


def test_one_that_comes_home_may(asked: Asked) -> None:
    asked.define(described())
    asked.departed.add(UUID)

    assert asked.may(described()).notes == ()


def test_a_dry_run_is_held_to_create_as_the_guest_will_be(asked: Asked) -> None:
    passed_on = "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/><product id='0x2'/></source></hostdev>"

    assert asked.may(described(more=passed_on)).notes == ()
    with pytest.raises(DeniedError, match=r"\[create\] in xmand.toml.*hostdev"):
        asked.may(described(), described(more=passed_on), policy="create")


def test_a_host_that_describes_another_one_is_denied(asked: Asked) -> None:
    with pytest.raises(DeniedError, match="is not the domain that was asked for"):
        asked.may(described(), described("vm2"))


def test_what_the_guest_needs_and_is_not_here(asked: Asked) -> None:
    network = "<interface type='network'><source network='absent'/></interface>"

    with pytest.raises(RefusedError) as refused:
        asked.may(described(more=network))

    assert str(refused.value) == f"'vm1' cannot move: {socket.gethostname()} has no active network absent."


@pytest.mark.parametrize("amount", ["much", "-1", "9" * 5000, "1e3", "\u0663"])
def test_an_amount_of_memory_that_is_none(asked: Asked, amount: str) -> None:
    with pytest.raises(UsageError, match="is no amount of memory"):
        asked.may(described().replace("4096", amount))


def test_too_little_memory_is_told(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "_free", lambda _connection: 1 << 20)

    (note,) = asked.may(described()).notes

    assert note == f"{socket.gethostname()} has 1 MiB of memory left, and 4 are needed."


def test_a_processor_that_is_none(asked: Asked) -> None:
    with pytest.raises(UsageError, match="not the description of a processor"):
        asked.may(described(), cpu="<cpu")


@pytest.mark.parametrize("name", ["a machine", "-f", "Müller's", "x" * 200, "+"])
def test_a_name_that_others_made_may_come(asked: Asked, name: str) -> None:
    escaped = name.replace("'", "&apos;")

    assert asked.may(described(escaped), name=name).domain == name
    # Whose descriptions are held to [create] could not have given it.
    with pytest.raises(UsageError, match="is not a valid name for a new domain"):
        asked.may(described(escaped), name=name, policy="create")


@pytest.mark.parametrize("name", ["12", NUMBER, "a/b", "a\nb", ""])
def test_a_name_that_means_another_domain_may_not(asked: Asked, name: str) -> None:
    with pytest.raises(UsageError):
        asked.may(name=name)


def test_what_is_told_of_a_guest_is_what_would_move() -> None:
    flags: list[int] = []

    class Raw:
        def connect(self) -> "Raw":
            return self

        def name(self) -> str:
            return NAME

        def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
            return UUID

        def isPersistent(self) -> bool:  # noqa: N802  # libvirt's name
            return True

        def XMLDesc(self, wanted: int) -> str:  # noqa: N802  # libvirt's name
            flags.append(wanted)
            return f"<domain><name>{len(flags)}</name><cpu mode='host-passthrough'/></domain>"

        def getCapabilities(self) -> str:  # noqa: N802  # libvirt's name
            return "<capabilities><host><cpu><model>EPYC</model></cpu></host></capabilities>"

    texts, cpu = migration_trial.told(Domain(Raw()))

    assert [f"<name>{number}</name>" in text for number, text in enumerate(texts, 1)] == [True, True]
    # VIR_DOMAIN_XML_SECURE and _MIGRATABLE, then with _INACTIVE.
    assert flags == [1 | 8, 1 | 2 | 8]
    assert cpu == "<cpu><model>EPYC</model></cpu>"
