"""libvirt's jobs (`xmand.virt.domain_jobs`): what counts as moving, when one is given up, what an abort does."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import libvirt
import pytest

from xman.errors import UnknownOutcomeError, UnsupportedError, XmanError
from xmand.settings import Patience
from xmand.virt import domain_jobs
from xmand.virt.driver import changing

AT_WORK = libvirt.VIR_DOMAIN_JOB_UNBOUNDED
_PATIENCE = Patience(stalled=0.2, silent=1.2)
# A job that nobody ends by then is a failure of the test.
_LONG = 10.0


def error(code: int) -> libvirt.libvirtError:
    """Return libvirt's error of a code."""
    made = libvirt.libvirtError("")
    made.err = (code, 0, "not to be had", 0, "", None, None, 0, 0)
    return made


class StandIn:
    """A domain whose job tells `stats`; `abort` is how an abort fails, None where it does not."""

    name = "vm1"
    # Whether an abort ends the job.
    abortable = True

    def __init__(self, stats: dict[str, Any], abort: int | None = None) -> None:
        self.raw = self
        self.ended = threading.Event()
        self.aborts = 0
        self._stats = stats
        self._abort = abort

    def jobStats(self) -> dict[str, Any]:  # noqa: N802
        return self._stats

    def abortJob(self) -> None:  # noqa: N802
        self.aborts += 1
        if self.abortable:
            self.ended.set()
        if self._abort is not None:
            raise error(self._abort)

    def isAlive(self) -> bool:  # noqa: N802
        return True

    def beside(self) -> "StandIn":
        return self

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        with changing(self, self.name):
            yield


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look, and tell, more often."""
    monkeypatch.setattr(domain_jobs, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(domain_jobs, "_TELL_SECONDS", 0.1)


def run(domain: Any, seconds: float = _LONG) -> list[str]:
    """Run a job that ends after `seconds` or when it is aborted; return what its caller was told."""
    said: list[str] = []
    domain_jobs.run_job(domain, "migrate", lambda: domain.ended.wait(seconds), _PATIENCE, said.append)
    return said


def test_how_far_it_is_is_asked_over_another_connection() -> None:
    """Where two threads wait in one that keepalive closes, libvirt 9.0 ends the process."""
    domain, other = StandIn({"type": AT_WORK}), StandIn({"type": AT_WORK})
    other.ended = domain.ended
    asked = threading.Event()

    def told() -> dict[str, Any]:
        asked.set()
        return {"type": AT_WORK}

    def must_not() -> dict[str, Any]:
        raise AssertionError("a call blocks there")

    domain.beside, domain.jobStats, domain.abortJob = lambda: other, must_not, must_not  # type: ignore[method-assign,assignment]
    other.jobStats = told  # type: ignore[method-assign]

    run(domain)

    assert asked.is_set()
    assert other.aborts == 1


def test_a_call_that_fails_in_any_way_is_no_success() -> None:
    def fail() -> None:
        raise ValueError("not libvirt's")

    domain: Any = StandIn({})

    with pytest.raises(ValueError, match="not libvirt's"):
        domain_jobs.run_job(domain, "save", fail, _PATIENCE, lambda _text: None)


def test_a_job_whose_octets_stand_still_is_aborted() -> None:
    domain = StandIn({"type": AT_WORK, "data_processed": 1, "data_remaining": 1})

    run(domain)

    assert domain.aborts == 1


def test_a_job_that_tells_no_octets_is_believed_as_long_as_it_is_at_work() -> None:
    """libxl's; under load a migration or a suspend takes it longer than our patience."""
    domain = StandIn({"type": AT_WORK, "time_elapsed": 1000})

    said = run(domain, seconds=4 * _PATIENCE.stalled)

    assert domain.aborts == 0
    assert said
    assert said[0] == "vm1: at it for 0 s"


def test_a_job_that_tells_no_octets_is_not_believed_for_ever() -> None:
    domain = StandIn({"type": AT_WORK}, abort=libvirt.VIR_ERR_NO_SUPPORT)
    domain.abortable = False

    with pytest.raises(UnknownOutcomeError, match="'vm1' stands still and cannot be aborted: not to be had"):
        run(domain)

    assert domain.aborts == 1


@pytest.mark.parametrize("stats", [{"type": AT_WORK, "data_processed": 1}, {"type": AT_WORK}], ids=["octets", "none"])
def test_a_job_that_goes_on_when_it_was_aborted_is_left_to_libvirt(stats: dict[str, Any]) -> None:
    domain = StandIn(stats)
    domain.abortable = False

    with pytest.raises(UnknownOutcomeError, match="'vm1' stands still and does not end when aborted"):
        run(domain)

    assert domain.aborts == 1


def test_a_job_that_tells_nothing_at_all_is_aborted() -> None:
    domain = StandIn({"type": libvirt.VIR_DOMAIN_JOB_NONE})

    run(domain)

    assert domain.aborts == 1


def test_a_job_that_cannot_be_aborted_may_still_end() -> None:
    started = time.monotonic()

    with pytest.raises(UnknownOutcomeError, match="stands still and cannot be aborted: not to be had"):
        run(StandIn({}, abort=libvirt.VIR_ERR_NO_SUPPORT))

    assert time.monotonic() - started < _LONG / 2


@pytest.mark.parametrize(
    ("code", "stats", "aborted"),
    [
        (None, {"type": AT_WORK}, True),
        (libvirt.VIR_ERR_OPERATION_INVALID, {}, False),
        (libvirt.VIR_ERR_NO_SUPPORT, {}, False),
    ],
    ids=["done", "no job", "a driver without jobs"],
)
def test_whether_there_was_a_job_to_abort(code: int | None, stats: dict[str, Any], aborted: bool) -> None:
    domain: Any = StandIn(stats, abort=code)

    assert domain_jobs.abort_job(domain) is aborted


def test_a_job_that_the_driver_cannot_abort_is_not_called_none() -> None:
    domain: Any = StandIn({"type": AT_WORK}, abort=libvirt.VIR_ERR_NO_SUPPORT)

    with pytest.raises(UnsupportedError, match="cannot do that: not to be had"):
        domain_jobs.abort_job(domain)


@pytest.mark.parametrize(
    ("code", "rest"),
    [
        (libvirt.VIR_ERR_OPERATION_INVALID, True),
        (libvirt.VIR_ERR_NO_SUPPORT, True),
        (libvirt.VIR_ERR_OPERATION_UNSUPPORTED, False),
    ],
    ids=["off", "without jobs", "arriving"],
)
def test_what_says_that_nothing_is_at_work(code: int, rest: bool) -> None:
    domain: Any = StandIn({})

    def told() -> dict[str, Any]:
        raise error(code)

    domain.jobStats = told

    assert domain_jobs.at_rest(domain) is rest


@pytest.mark.parametrize(("kind", "rest"), [(libvirt.VIR_DOMAIN_JOB_NONE, True), (AT_WORK, False)])
def test_a_job_is_no_rest(kind: int, rest: bool) -> None:
    domain: Any = StandIn({"type": kind})

    assert domain_jobs.at_rest(domain) is rest


def test_who_does_not_answer_is_not_at_rest() -> None:
    domain: Any = StandIn({})

    def told() -> dict[str, Any]:
        raise error(libvirt.VIR_ERR_OPERATION_TIMEOUT)

    domain.jobStats = told

    with pytest.raises(XmanError, match="not to be had"):
        domain_jobs.at_rest(domain)
