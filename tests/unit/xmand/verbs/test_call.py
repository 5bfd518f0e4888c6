"""What a verb gets to work with (`xmand.verbs.call`): what is not to be had for changes."""

import threading
import time
from dataclasses import replace

import libvirt
import pytest

from tests.fakes.host_standin import host_of
from tests.fakes.verb_words import WORDS
from tests.unit.xmand.virt.test_listing import libvirt_error
from xman import arguments, grammar, verbs
from xman.errors import RefusedError
from xmand.authorize import Access
from xmand.verbs import call as call_module
from xmand.verbs.call import Call
from xmand.virt.monitor import Monitors

CHANGING = [verb for verb in verbs.VERBS if verb.changes and verb.takes_domain]


class StandIn:
    """A libvirt connection that knows one domain, which is that domain as well."""

    def __init__(self, hypervisor: str, name: str, identifier: int, *, arriving: bool = False) -> None:
        self._hypervisor = hypervisor
        self._arriving = arriving
        self._name = name
        self._identifier = identifier

    def connection(self, _purpose: str) -> "StandIn":
        return self

    def getType(self) -> str:  # noqa: N802
        return self._hypervisor

    def lookupByName(self, _name: str) -> "StandIn":  # noqa: N802
        return self

    def connect(self) -> "StandIn":
        return self

    def name(self) -> str:
        return self._name

    def UUIDString(self) -> str:  # noqa: N802
        return "00000000-0000-0000-0000-000000000000"

    def ID(self) -> int:  # noqa: N802
        return self._identifier

    def isAlive(self) -> bool:  # noqa: N802
        return True

    def isActive(self) -> bool:  # noqa: N802
        return self._identifier >= 0

    def state(self) -> tuple[int, int]:
        if self._arriving:
            return libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION
        return libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED

    def controlInfo(self) -> list[int]:  # noqa: N802
        return [libvirt.VIR_DOMAIN_CONTROL_OK, 0, 0]

    def memoryStats(self) -> dict[str, int]:  # noqa: N802
        return {}

    def lookupByUUIDString(self, _uuid: str) -> "StandIn":  # noqa: N802
        return self

    def jobStats(self) -> dict[str, int]:  # noqa: N802
        raise libvirt_error(libvirt.VIR_ERR_OPERATION_UNSUPPORTED)


def call_of(verb: grammar.Verb, standin: StandIn) -> Call:
    """Return a call of `verb` on the domain of `standin`."""
    host = host_of(standin)
    parsed = arguments.parse(verb, [standin.name(), *WORDS.get(verb.name, [])])
    access = Access(frozenset())
    return Call(host, "alice@R", access, parsed, time.monotonic() + 10.0, lambda _text: None)


@pytest.mark.parametrize("verb", [verb for verb in CHANGING if verb.family != "tune"], ids=lambda verb: verb.name)
def test_domain_0_is_refused_in_xms_words(verb: grammar.Verb) -> None:
    call = call_of(verb, StandIn("Xen", "Domain-0", 0))

    with pytest.raises(RefusedError, match=f"^Cannot {verb.name} privileged domain 0$"), call.changing():
        pytest.fail("it was given")


@pytest.mark.parametrize("verb", [verb for verb in CHANGING if verb.family == "tune"], ids=lambda verb: verb.name)
def test_the_size_of_domain_0_can_be_changed(verb: grammar.Verb) -> None:
    with call_of(verb, StandIn("Xen", "Domain-0", 0)).changing() as domain:
        assert domain.name == "Domain-0"


@pytest.mark.parametrize(
    "standin",
    [StandIn("Xen", "vm1", 1), StandIn("Xen", "vm1", -1), StandIn("QEMU", "Domain-0", 0)],
    ids=["runs", "off", "not-xen"],
)
def test_other_domains_are_not_privileged(standin: StandIn) -> None:
    with call_of(verbs.BY_NAME["destroy"], standin).changing() as domain:
        assert not domain.privileged()


@pytest.mark.parametrize("verb", [verb for verb in CHANGING if verb.name != "destroy"], ids=lambda verb: verb.name)
def test_what_is_still_arriving_is_left_alone(verb: grammar.Verb) -> None:
    call = call_of(verb, StandIn("QEMU", "vm1", 4, arriving=True))

    with pytest.raises(RefusedError, match="arriving by a migration") as caught, call.changing():
        pass
    assert "destroy this one" in str(caught.value)


def test_what_is_still_arriving_may_be_destroyed() -> None:
    with call_of(verbs.BY_NAME["destroy"], StandIn("QEMU", "vm1", 4, arriving=True)).changing() as domain:
        assert domain.name == "vm1"


def test_a_migration_on_its_source_is_not_an_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    standin = StandIn("QEMU", "vm1", 4, arriving=True)
    monkeypatch.setattr(standin, "jobStats", lambda: {"type": 2})

    with call_of(verbs.BY_NAME["unpause"], standin).changing() as domain:
        assert domain.name == "vm1"


MOVING = {"type": libvirt.VIR_DOMAIN_JOB_UNBOUNDED, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT}
BACKUP = {"type": libvirt.VIR_DOMAIN_JOB_UNBOUNDED, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP}


@pytest.mark.parametrize("verb", [verb for verb in CHANGING if verb.name != "destroy"], ids=lambda verb: verb.name)
def test_what_is_leaving_is_left_alone_though_nobody_holds_its_lock(
    verb: grammar.Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun by virsh, or by an xmand that was killed."""
    standin = StandIn("QEMU", "vm1", 4)
    monkeypatch.setattr(standin, "jobStats", lambda: MOVING)

    with pytest.raises(RefusedError, match=r"^The domain is busy: migrating\.$"), call_of(verb, standin).changing():
        pytest.fail("it was given")


@pytest.mark.parametrize(("verb", "job"), [("destroy", MOVING), ("pause", BACKUP), ("pause", {"type": 0})])
def test_what_is_leaving_may_be_destroyed_and_other_jobs_are_in_nobodys_way(
    verb: str, job: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    standin = StandIn("QEMU", "vm1", 4)
    monkeypatch.setattr(standin, "jobStats", lambda: job)

    with call_of(verbs.BY_NAME[verb], standin).changing() as domain:
        assert domain.name == "vm1"


HELD = [libvirt.VIR_DOMAIN_CONTROL_OCCUPIED, 0, 5000]
PAST_IT = ("destroy", "shutdown")


@pytest.mark.parametrize("verb", [verb for verb in CHANGING if verb.name not in PAST_IT], ids=lambda verb: verb.name)
def test_a_guest_whose_monitor_somebody_waits_for_is_busy(verb: grammar.Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    standin = StandIn("QEMU", "vm1", 4)
    monkeypatch.setattr(standin, "controlInfo", lambda: HELD)

    with pytest.raises(RefusedError, match="does not answer its monitor"), call_of(verb, standin).changing():
        pytest.fail("it was given")


@pytest.mark.parametrize(
    ("verb", "info"),
    [(name, HELD) for name in PAST_IT]
    + [
        ("pause", [libvirt.VIR_DOMAIN_CONTROL_JOB, 0, 4999]),
        ("pause", [libvirt.VIR_DOMAIN_CONTROL_OK, 0, 9000]),
    ],
)
def test_it_can_be_destroyed_and_who_works_with_a_guest_is_in_nobodys_way(
    verb: str, info: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    standin = StandIn("QEMU", "vm1", 4)
    monkeypatch.setattr(standin, "controlInfo", lambda: info)

    with call_of(verbs.BY_NAME[verb], standin).changing() as domain:
        assert domain.name == "vm1"


def test_a_guest_that_answers_nothing_is_found_out_before_it_is_asked_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    standin, released = StandIn("QEMU", "vm1", 4), threading.Event()
    monkeypatch.setattr(call_module, "_STILL_MILLISECONDS", 50)
    call = call_of(verbs.BY_NAME["block-attach"], standin)
    call = replace(call, host=replace(call.host, monitors=Monitors(standin.connection)))

    with call.changing() as domain:
        call.require_answering(domain)
        monkeypatch.setattr(standin, "memoryStats", released.wait)
        with pytest.raises(RefusedError, match="does not answer its monitor"):
            call.require_answering(domain)
    released.set()
