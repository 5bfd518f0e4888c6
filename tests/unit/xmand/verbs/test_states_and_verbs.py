"""Every condition of a domain, and every verb that changes one: class, words and effect, in one table.

The table is tests/data/conditions.txt; rxm(1), "Domains that are not well", has its rule. libvirt's test driver takes a
domain in any state from its file; what it cannot make (why a domain is in its state, and migrations) is told to the
verbs by the test. What the driver has not at all (devices, machines from images) is tried on QEMU as well
(tests/hypervisor/test_conditions.py).
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.fakes import verb_words
from tests.fakes.host_standin import host_of, waited_for
from tests.lab.process import ROOT
from xman import arguments, outcome, states, verbs
from xman.errors import XmanError
from xmand.authorize import Access
from xmand.batch.engine import Engine
from xmand.broker.arrivals import GIVEN, Arrival, Arrivals
from xmand.broker.departures import Departure, Departures, require_settled
from xmand.settings import Batch, Migration, Settings
from xmand.system.notes import this_boot
from xmand.verbs import HANDLERS
from xmand.verbs.call import Call
from xmand.virt import domain_jobs
from xmand.virt.domain import STATES, Domain

# condition -> (libvirt's state in the driver's file, whether it has saved memory)
CONDITIONS = {
    "running": ("running", False),
    "blocked": ("blocked", False),
    "paused": ("paused", False),
    "io-error": ("paused", False),
    "shutting-down": ("shutdown", False),
    "off": ("shutoff", False),
    "saved": ("shutoff", True),
    "crashed": ("crashed", False),
    "panicked": ("crashed", False),
    "asleep": ("pmsuspended", False),
    "arriving": ("paused", False),
    "leaving": ("running", False),
    # By a migration of xmand's: its source has not said yet that it runs there no more; and what is left at a source.
    "unsettled": ("paused", False),
    "unsettled-off": ("shutoff", False),
    "given": ("paused", False),
    "given-off": ("shutoff", False),
}
# condition -> libvirt's numbers of its state and reason, where the driver has another one.
REASONS = {
    "io-error": (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR),
    "panicked": (libvirt.VIR_DOMAIN_CRASHED, libvirt.VIR_DOMAIN_CRASHED_PANICKED),
    "arriving": (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION),
}
# A verb and the words behind its domain.
WORDS = verb_words.WORDS | {
    "mem-set": ["256"],
    "vcpu-set": ["1"],
    "mem-max": ["1024"],
    "job-start": ["--id", "9", "--owner", "bob@R"],
    "job-stop": ["--id", "4711"],
    "job-renew": ["--id", "4711", "--lease", "600"],
    "job-claim": ["--id", "9"],
}
# Before this verb the domain has a job, and the host.
WITH_SNAPSHOT = ("snapshot-revert", "snapshot-delete")
WITH_JOB = ("job-stop", "job-renew", "preempt", "unpreempt", "freeze", "defrost")

_ORDER = tuple(CONDITIONS)
# What each verb makes of each condition.
_TABLE = ROOT / "tests" / "data" / "conditions.txt"


@dataclass(frozen=True)
class Cell:
    """One line of the table."""

    verb: str
    found: str
    outcome: str
    after: str
    words: str


def _cell(line: str) -> Cell:
    verb, found, expected, after, *words = line.split(maxsplit=4)
    return Cell(verb, found, expected, after, "".join(words))


CELLS = [_cell(line) for line in _TABLE.read_text().splitlines() if line and not line.startswith("#")]
# What `state` says of it, and of an idle neighbour.
BATCH = {
    "running": (states.FREE, states.FREE),
    "blocked": (states.FREE, states.FREE),
    "paused": (states.FROZEN, states.OCCUPIED),
    "io-error": (states.FROZEN, states.OCCUPIED),
    "shutting-down": (states.DOWN, states.OCCUPIED),
    "off": (states.DOWN_BOOTABLE, states.FREE),
    "saved": (states.FROZEN, states.FREE),
    "crashed": (states.DOWN, states.OCCUPIED),
    "panicked": (states.DOWN, states.OCCUPIED),
    "asleep": (states.FROZEN, states.OCCUPIED),
    "arriving": (states.FROZEN, states.OCCUPIED),
    "leaving": (states.FREE, states.FREE),
    "unsettled": (states.FROZEN, states.OCCUPIED),
    "unsettled-off": (states.DOWN_BOOTABLE, states.FREE),
    "given": (states.FROZEN, states.OCCUPIED),
    "given-off": (states.DOWN_BOOTABLE, states.FREE),
}
_TEST = "http://libvirt.org/schemas/domain/test/1.0"
_JOB = '<xman:job id="4711" owner="alice@R" preemptible="yes"/>'


def _description(name: str, state: str, *, saved: bool = False, job: bool = False) -> str:
    saving = "<test:hasmanagedsave/>" if saved else ""
    metadata = f'<metadata><xman:domain xmlns:xman="urn:xman:1">{_JOB}</xman:domain></metadata>' if job else ""
    return (
        f"<domain type='test' xmlns:test='{_TEST}'><name>{name}</name>{metadata}<memory unit='MiB'>512</memory>"
        f"<vcpu>2</vcpu><os><type>hvm</type></os><test:runstate>{STATES.index(state)}</test:runstate>{saving}</domain>"
    )


class Bench:
    """A host with the domain `d`, and maybe a neighbour."""

    def __init__(self, path: Path, found: str, *, job: bool = False, neighbour: bool = False) -> None:
        state, saved = CONDITIONS[found]
        domains = _description("d", state, saved=saved, job=job) + (_description("n", "running") if neighbour else "")
        path.write_text(f"<node xmlns:test='{_TEST}'>{domains}</node>")
        self._connection = libvirt.open(f"test://{path}")
        settings = Settings(
            state_dir=str(path.parent), batch=Batch(park_seconds=1.0), migrate=Migration(allow=("xen2",))
        )
        host = host_of(self, settings)
        arrivals = Arrivals(settings.state_dir)
        driver: Any = self
        departures = Departures(settings, driver, host.locks, print)
        engine = Engine(settings, driver, host.locks, settled=partial(require_settled, arrivals, departures))
        self._host = replace(host, batch=engine, arrivals=arrivals, departures=departures)

    def connection(self, _purpose: str) -> Any:
        """Return the one connection: each of its own would have domains of its own."""
        return self._connection

    def migrates(self, found: str) -> None:
        """Write down what the two hosts of a migration of `d` know of it."""
        raw = self._connection.lookupByName("d")
        arrivals, departures = self._host.arrivals, self._host.departures
        assert departures is not None
        if found.startswith("unsettled"):
            arrival = Arrival("1", "d", raw.UUIDString(), "xen2", stays_paused=False, existed=False)
            arrivals.arrived(arrival, raw.ID())
        if found.startswith("given"):
            departure = Departure("1", "d", raw.UUIDString(), "xen2", False, True, raw.ID(), this_boot(), GIVEN)
            departures.begin(departure)
            departures.leave(departure)

    def run(self, name: str, *words: str) -> tuple[int, str, dict[str, Any]]:
        """Carry a verb out; return its class, what is said, and its result."""
        parsed = arguments.parse(verbs.BY_NAME[name], list(words))
        call = Call(self._host, "alice@R", Access(frozenset()), parsed, time.monotonic() + 10.0, lambda _text: None)
        try:
            done = waited_for(HANDLERS[name](call))
        except XmanError as error:
            return error.outcome, str(error), {}
        return outcome.OK, " ".join(done.notes), done.data

    def state(self) -> str:
        """Return libvirt's state of `d`, a dash where it is gone."""
        try:
            return STATES[self._connection.lookupByName("d").state()[0]]
        except libvirt.libvirtError:
            return "-"

    def snapshot(self, name: str) -> None:
        """Make a snapshot, past every verb."""
        self._connection.lookupByName("d").snapshotCreateXML(f"<domainsnapshot><name>{name}</name></domainsnapshot>", 0)

    def close(self) -> None:
        self._connection.close()


Maker = Callable[..., Bench]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Maker]:
    with contextlib.ExitStack() as ends:

        def made(found: str, **more: bool) -> Bench:
            if found in REASONS:
                monkeypatch.setattr(Domain, "numbers", _because(REASONS[found], Domain.numbers))
            if found == "arriving":
                monkeypatch.setattr(Domain, "arriving", lambda domain: domain.name == "d")
            if found == "leaving":
                monkeypatch.setattr(domain_jobs, "leaving", lambda domain: domain.name == "d")
            bench = Bench(tmp_path / "node.xml", found, **more)
            bench.migrates(found)
            ends.callback(bench.close)
            return bench

        yield made


def _because(
    found: tuple[int, int], numbers: Callable[[Domain], tuple[int, int]]
) -> Callable[[Domain], tuple[int, int]]:
    def with_reason(domain: Domain) -> tuple[int, int]:
        told = numbers(domain)
        return found if told[0] == found[0] else told

    return with_reason


@pytest.mark.parametrize("cell", CELLS, ids=[f"{cell.verb}-{cell.found}" for cell in CELLS])
def test_each_verb_in_each_condition(make: Maker, cell: Cell) -> None:
    bench = make(cell.found, job=cell.verb in WITH_JOB)
    if cell.verb in WITH_SNAPSHOT:
        bench.snapshot("s1")

    code, said, _result = bench.run(cell.verb, "d", *WORDS.get(cell.verb, []))

    assert (outcome.class_name(code), cell.words in said) == (cell.outcome, True), said
    assert bench.state() == cell.after


@pytest.mark.parametrize("found", _ORDER)
def test_what_state_says_of_it_and_of_its_neighbour(make: Maker, found: str) -> None:
    _code, _said, result = make(found, neighbour=True).run("state")

    told = {domain["name"]: domain["state"] for domain in result["domains"]}
    assert (told["d"], told["n"]) == BATCH[found]


@pytest.mark.parametrize("found", [name for name, (_own, other) in BATCH.items() if other == states.OCCUPIED])
def test_where_the_neighbour_is_occupied_no_job_can_start_in_it(make: Maker, found: str) -> None:
    code, _said, _result = make(found, neighbour=True).run("job-start", "n", *WORDS["job-start"])

    assert code == outcome.REFUSED


def test_the_table_has_every_verb_that_changes_a_domain_and_every_condition() -> None:
    changing = {verb.name for verb in verbs.VERBS if verb.changes and verb.takes_domain}

    assert [(cell.verb, cell.found) for cell in CELLS] == [
        (verb, found) for verb in dict.fromkeys(cell.verb for cell in CELLS) for found in _ORDER
    ]
    assert {cell.verb for cell in CELLS} == changing


def test_saved_memory_can_be_discarded(make: Maker) -> None:
    code, said, result = make("saved").run("start", "--discard-saved", "d")

    assert (code, said, result["restored"]) == (outcome.OK, "The saved memory of 'd' was dropped.", False)


def test_what_is_not_there_is_not_discarded(make: Maker) -> None:
    code, said, _result = make("off").run("start", "--discard-saved", "d")

    assert (code, said) == (outcome.REFUSED, "Domain 'd' has no saved memory to discard.")
