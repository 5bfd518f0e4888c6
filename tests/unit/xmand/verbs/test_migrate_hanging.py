"""A migration whose ends, as Xen's may, wait for each other: it is given up, and everybody is told what is known."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import for_test_driver
from tests.unit.xmand.dispatch.test_dispatcher import Bench
from xman import outcome
from xmand.settings import Migration
from xmand.virt.driver import Driver

MOVER = "mover"


def a_host_of_its_own(directory: Path) -> str:
    """Return libvirt's URI of a host on which `MOVER` runs, which no other test, and no other connection, sees."""
    described = directory / "host.xml"
    uuid = "<uuid>6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11</uuid>"  # by which all connections lock it
    described.write_text(f"<node>{for_test_driver(MOVER).replace('<memory', uuid + '<memory', 1)}</node>")
    return f"test://{described}"


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Lets the migration that hangs end."""
    event = threading.Event()
    unsupported = libvirt.libvirtError("")
    unsupported.err = (libvirt.VIR_ERR_NO_SUPPORT, 0, "virDomainAbortJob", 0, "", None, None, 0, 0)

    def hang(_domain: object, *_words: object) -> None:
        event.wait()

    def refuse(_domain: object) -> None:
        raise unsupported

    monkeypatch.setattr(libvirt.virDomain, "migrateToURI3", hang)
    monkeypatch.setattr(libvirt.virDomain, "jobStats", lambda _domain: {"type": libvirt.VIR_DOMAIN_JOB_UNBOUNDED})
    monkeypatch.setattr(libvirt.virDomain, "abortJob", refuse)
    yield event
    event.set()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A host that believes in a silent migration for half a second."""
    driver: Any = Driver(a_host_of_its_own(tmp_path), lambda _line: None)
    yield Bench(tmp_path, driver, Migration(allow=("h2",)), silent_seconds=0.5)
    driver.close()


@pytest.mark.usefixtures("ended")
def test_it_is_unknown_and_says_where_to_look(bench: Bench) -> None:
    reply = bench.run(b"migrate", b"--live", MOVER.encode(), b"h2")

    assert reply.status == outcome.UNKNOWN
    assert reply.outputs[2].decode() == (
        "Error: The migrate of 'mover' stands still and cannot be aborted: virDomainAbortJob."
        " 'mover' is still here, running, and libvirt may yet move it. Look there: rxm -H h2 list -l mover\n"
    )
    assert 'res="unknown" code="10"' in bench.audit[-1]


@pytest.mark.usefixtures("ended")
def test_the_domain_can_be_changed_again(bench: Bench) -> None:
    bench.run(b"migrate", b"--live", MOVER.encode(), b"h2")

    assert bench.run(b"pause", MOVER.encode()).status == outcome.OK


def test_one_that_ends_in_time_is_not_given_up(bench: Bench, ended: threading.Event) -> None:
    ended.set()

    assert bench.run(b"migrate", b"--live", MOVER.encode(), b"h2").status == outcome.OK
