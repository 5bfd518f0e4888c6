"""vcpu-set where the guest takes its time: what is reported of a CPU that it has not let go of."""

import libvirt
import pytest

from tests.unit.xmand.verbs.test_call import StandIn, call_of
from tests.unit.xmand.virt.test_listing import libvirt_error
from xman import verbs
from xman.errors import HypervisorError
from xman.result import Result
from xmand.verbs import tune


class Guest(StandIn):
    """A running, transient domain with four CPUs, whose guest answers an unplug with an error of libvirt's."""

    def __init__(self, answer: int, after: int) -> None:
        super().__init__("QEMU", "vm1", 4)
        self._answer = answer
        self._after = after
        self._asked = False

    def isActive(self) -> bool:  # noqa: N802
        return True

    def isPersistent(self) -> bool:  # noqa: N802
        return False

    def vcpusFlags(self, flags: int) -> int:  # noqa: N802
        return self._after if self._asked and not flags & libvirt.VIR_DOMAIN_VCPU_MAXIMUM else 4

    def setVcpusFlags(self, _count: int, _flags: int) -> None:  # noqa: N802
        self._asked = True
        if self._answer:
            raise libvirt_error(self._answer)


def ask(guest: Guest) -> Result:
    """Ask for two CPUs."""
    return tune.vcpu_set(call_of(verbs.BY_NAME["vcpu-set"], guest))


def test_a_guest_that_has_not_answered_yet() -> None:
    result = ask(Guest(libvirt.VIR_ERR_OPERATION_TIMEOUT, after=3))

    assert result.data == {"requested": 2, "before": 4, "reached": 3, "pending": True}
    assert result.notes == (
        "Requested 2 CPUs; the guest is at 3. It has not answered in time, and may still give them back.",
    )


def test_a_guest_that_let_go_at_last() -> None:
    result = ask(Guest(libvirt.VIR_ERR_OPERATION_TIMEOUT, after=2))

    assert (result.data, result.notes) == ({"requested": 2, "before": 4, "reached": 2}, ())


def test_a_guest_that_answered() -> None:
    assert ask(Guest(0, after=2)).data == {"requested": 2, "before": 4, "reached": 2}


def test_any_other_answer_is_a_failure() -> None:
    with pytest.raises(HypervisorError):
        ask(Guest(libvirt.VIR_ERR_INTERNAL_ERROR, after=4))
