"""What is told of a run (`xmand.virt.runs`) and marked of it (`xmand.events.run_stamps`), on libvirt's test driver."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import for_test_driver
from xman.metadata import NAMESPACE, Job, Metadata
from xmand.events import Events
from xmand.events.run_stamps import Stamper
from xmand.system.locks import DomainLocks
from xmand.virt import driver, metadata, runs
from xmand.virt.domain import Domain
from xmand.virt.events import Event

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
START = 1795255200


class Bench:
    """A running domain, and the stamper of its host."""

    def __init__(self) -> None:
        self.driver = driver.Driver("test:///default", lambda _line: None)
        connection = self.driver.connection(driver.CHANGE)
        self.domain = Domain(connection.createXML(for_test_driver("stamped"), 0))
        self.stamper = Stamper(self.driver, DomainLocks(), Events(self.driver))

    def happens(self, name: str, detail: str = "") -> None:
        """Let the stamper see an event."""
        self.stamper.handle(Event(name, detail, "stamped", self.domain.uuid, START + 0.9))

    def mark(self, **fields: Any) -> None:
        """Write the metadata."""
        metadata.update(self.domain, lambda found: replace(found, **fields))

    @property
    def found(self) -> Metadata:
        """The metadata."""
        return metadata.read(self.domain)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    with contextlib.suppress(libvirt.libvirtError):
        made.domain.raw.destroy()
    made.driver.close()


# --- stamps -----------------------------------------------------------------------------------------------------------


def test_a_boot_is_the_beginning_of_a_run(bench: Bench) -> None:
    bench.mark(priority="high")

    bench.happens("started", "booted")

    assert (bench.found.started, bench.found.priority) == (START, "high")


def test_a_mark_from_elsewhere_does_not_outlive_a_boot(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.mark(started=1)
    monkeypatch.setattr(libvirt.virConnect, "getType", lambda _connection: "QEMU")

    bench.happens("started", "booted")

    assert bench.found.started == START


def test_a_run_that_begins_in_the_second_of_the_last_one_has_none_of_its_jobs(bench: Bench) -> None:
    bench.mark(jobs=(Job("1", start=START), Job("2", start=START + 1)))

    bench.happens("started", "booted")

    assert bench.found.started == START + 2


def test_a_boot_that_is_stamped_already_keeps_its_jobs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.mark(started=START, jobs=(Job("1", start=START),))
    monkeypatch.setattr(libvirt.virConnect, "getType", lambda _connection: "QEMU")

    bench.happens("started", "booted")

    assert bench.found.started == START


def test_the_test_driver_calls_a_restored_one_booted(bench: Bench) -> None:
    bench.mark(started=1)

    bench.happens("started", "booted")

    assert bench.found.started == 1


@pytest.mark.parametrize("detail", ["restored", "migrated", "wakeup", "from snapshot"])
def test_what_goes_on_keeps_its_beginning(bench: Bench, monkeypatch: pytest.MonkeyPatch, detail: str) -> None:
    bench.mark(started=1)
    monkeypatch.setattr(libvirt.virConnect, "getType", lambda _connection: "QEMU")

    bench.happens("started", detail)

    assert bench.found.started == 1


def test_who_paused_it_is_forgotten_when_it_goes_on(bench: Bench) -> None:
    bench.mark(paused_by="alice@R")

    bench.happens("resumed")

    assert bench.found.paused_by == ""


def test_a_newer_pause_is_not_forgotten(bench: Bench) -> None:
    bench.domain.raw.suspend()
    bench.mark(paused_by="alice@R")

    bench.happens("resumed")

    assert bench.found.paused_by == "alice@R"


def test_a_damaged_element_costs_only_its_stamp(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    element = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    bench.domain.raw.setMetadata(element, "<domain started='x'/>", "xman", NAMESPACE, 0)

    bench.happens("started", "booted")

    assert "was not stamped" in caplog.text


def test_a_domain_that_is_gone_needs_no_stamp(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.domain.raw.destroy()

    bench.happens("started", "booted")

    assert caplog.text == ""


# --- what is told -----------------------------------------------------------------------------------------------------


def test_a_damaged_element_tells_nothing(bench: Bench) -> None:
    element = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    bench.domain.raw.setMetadata(element, "<domain started='x'/>", "xman", NAMESPACE, 0)

    assert runs.facts(bench.domain.raw) == {}


def test_a_mark_that_was_left_standing_is_not_shown_of_one_that_runs(bench: Bench) -> None:
    bench.mark(paused_by="alice@R")

    assert runs.facts(bench.domain.raw) == {}


class FailedDisk:
    """A stand-in for a guest of QEMU's that an I/O error has paused."""

    def name(self) -> str:
        return "vm1"

    def isActive(self) -> int:  # noqa: N802  # libvirt's name
        return 1

    def state(self) -> list[int]:
        return [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR]

    def metadata(self, _kind: int, _namespace: str, _scope: int) -> str:
        return '<domain paused_by="alice@R"/>'

    def diskErrors(self) -> dict[str, int]:  # noqa: N802  # libvirt's name
        return {"vdb": libvirt.VIR_DOMAIN_DISK_ERROR_UNSPEC, "vda": libvirt.VIR_DOMAIN_DISK_ERROR_NO_SPACE}


def test_an_io_error_is_nobodys_pause() -> None:
    assert runs.facts(FailedDisk()) == {}


def _domain(name: str, state: str, reason: str) -> dict[str, Any]:
    return {"name": name, "uuid": f"uuid of {name}", "state": state, "reason": reason}


LISTED = [
    _domain("vm1", "paused", "ioerror"),
    _domain("vm2", "paused", "user"),
    _domain("vm3", "paused", "ioerror"),
    _domain("vm4", "shutoff", "ioerror"),
]


def test_an_io_error_names_its_disks_and_who_does_not_answer_is_left_without() -> None:
    asked: list[str] = []

    def ask(uuids: list[str], question: Any) -> dict[str, dict[str, Any]]:
        asked.extend(uuids)
        return {"uuid of vm1": question(None, FailedDisk())}

    found, notes = runs.with_disk_errors(LISTED, ask)

    assert asked == ["uuid of vm1", "uuid of vm3"]
    assert found == [
        LISTED[0] | {"disk_errors": [{"disk": "vda", "error": "no space"}, {"disk": "vdb", "error": "unspec"}]},
        *LISTED[1:],
    ]
    assert notes == ("The guest of 'vm3' does not answer; only the guest knows which disk stopped it.",)


def test_where_no_disk_stopped_anything_no_guest_is_asked() -> None:
    assert runs.with_disk_errors(LISTED[1:2], lambda *_words: pytest.fail("asked")) == (LISTED[1:2], ())


# --- the process ------------------------------------------------------------------------------------------------------


class Raw:
    """A stand-in for libvirt's domain."""

    def name(self) -> str:
        return "vm1"

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return UUID


def process(monkeypatch: pytest.MonkeyPatch, directory: Path, *words: str) -> None:
    """Let there be a process of QEMU's that began 50.5 seconds after the host."""
    own = directory / "77"
    own.mkdir()
    (own / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")
    (own / "stat").write_text("77 (qemu (x) y) S " + " ".join(["0"] * 18) + " 5050 0 0\n")
    (directory / "stat").write_text("cpu 1 2 3\nbtime 1795255200\nprocesses 9\n")
    (directory / "vm1.pid").write_text("77\n")
    monkeypatch.setattr(runs, "_PIDS", directory)
    monkeypatch.setattr(runs, "_PROC", directory)


def test_a_run_began_with_its_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    process(monkeypatch, tmp_path, "qemu", "-uuid", UUID)

    assert runs.process_start(Raw()) == START + 50


@pytest.mark.parametrize(
    "words", [["qemu", "-uuid", UUID, "-incoming", "defer"], ["another"], ["qemu", "-uuid", UUID[::-1]]]
)
def test_another_process_tells_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]) -> None:
    process(monkeypatch, tmp_path, *words)

    assert runs.process_start(Raw()) is None


@pytest.mark.parametrize("missing", ["vm1.pid", "77/stat", "77/cmdline", "stat"])
def test_what_cannot_be_seen_is_not_invented(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str) -> None:
    process(monkeypatch, tmp_path, "qemu", "-uuid", UUID)
    (tmp_path / missing).unlink()

    assert runs.process_start(Raw()) is None


def test_the_kernels_ticks_are_those_that_are_counted_with() -> None:
    assert os.sysconf("SC_CLK_TCK") == runs._TICKS_PER_SECOND
