"""libvirt's jobs: calls that take minutes, and tell how far they are while they block."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from xman.errors import RefusedError, UnknownOutcomeError
from xman.progress import Progress
from xmand.settings import Patience
from xmand.virt import connection_pool, errors
from xmand.virt.binding import api
from xmand.virt.domain import Domain

_POLL_SECONDS = 0.5
# How often a caller hears of a job that tells no octets: before it takes silence for the end.
_TELL_SECONDS = 20.0


class LongCall(threading.Thread):
    """A call of libvirt's, in a thread of its own; `error` is what it raised."""

    def __init__(self, name: str, call: Callable[[], object]) -> None:
        super().__init__(name=name, daemon=True)
        self._call = call
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._call()
        except Exception as error:  # for whoever waits: nothing else tells him that it did not happen
            self.error = error


def run_job(
    domain: Domain,
    what: str,
    call: Callable[[], object],
    patience: Patience,
    progress: Callable[[str], None],
    meanwhile: Callable[[float], None] = lambda _seconds: None,
) -> int:
    """Make a call that libvirt does as a job of `domain`; return the octets it has processed, as far as is known.

    `progress` is told of every step; `meanwhile` is called again and again with the seconds it has taken so far. Where
    nothing has moved for `patience.stalled` seconds the job is aborted. Xen's jobs tell only that they are at work:
    they are believed for `patience.silent` seconds. Raises libvirt's error where the call failed or was aborted,
    UnknownOutcomeError where it can't be aborted, or goes on nevertheless; it is left to libvirt then.
    """
    signs = _Signs(domain.name, time.monotonic())
    aborted = False
    aside = domain.beside()
    job = LongCall(f"{what}-{domain.name}", call)
    while job.is_alive():
        job.join(_POLL_SECONDS)
        if job.is_alive():
            meanwhile(time.monotonic() - signs.began)
        try:
            stats = aside.raw.jobStats()
        except api.libvirtError:  # the last moments, or a driver that has none
            stats = {}
        now = time.monotonic()
        if told := signs.note(stats, now):
            progress(told)
        if not job.is_alive() or signs.alive(now, patience.stalled, patience.stalled if aborted else patience.silent):
            continue
        if aborted:
            connection_pool.leave_behind(job)
            raise UnknownOutcomeError(f"The {what} of '{domain.name}' stands still and does not end when aborted.")
        try:
            _abort(aside, what)
        except UnknownOutcomeError:
            connection_pool.leave_behind(job)
            raise
        aborted = True
        signs.begin_anew(now)
    if job.error is not None:
        raise job.error
    return max(signs.octets, 0)


class _Signs:
    """The signs of life of one job, by what libvirt tells of it. Pure; times are of time.monotonic()."""

    def __init__(self, name: str, now: float) -> None:
        self.began = now
        # As far as is known.
        self.octets = -1
        self._name = name
        # When there last was a sign of life, when there last were figures, and when the caller last heard without any.
        self._seen_at = self._moved_at = self._told_at = now

    def begin_anew(self, now: float) -> None:
        """Take what it has been told to do now for a sign of life."""
        self._seen_at = self._moved_at = now

    def note(self, stats: dict[str, Any], now: float) -> str | None:
        """Take note of the job's statistics; return what the caller is to be told of them."""
        octets = int(stats.get("data_processed", self.octets))
        if "data_processed" not in stats and _at_work(stats):
            self._seen_at = now
            if now - self._told_at < _TELL_SECONDS:
                return None
            self._told_at = now
            return f"{self._name}: at it for {now - self.began:.0f} s"
        if octets == self.octets:
            return None
        self._seen_at = self._moved_at = now
        self.octets = octets
        remaining = int(stats.get("data_remaining", 0))
        if not octets and not remaining:
            return None
        # Not every job tells its own rate.
        rate = int(stats.get("memory_bps", 0)) or int(octets / (now - self.began))
        return str(Progress(self._name, octets, remaining, rate))

    def alive(self, now: float, seen_seconds: float, moved_seconds: float) -> bool:
        """Whether it was at work in the last `seen_seconds`, and told more octets in the last `moved_seconds`."""
        return now - self._seen_at <= seen_seconds and now - self._moved_at <= moved_seconds


def abort_job(domain: Domain) -> bool:
    """Abort the job of `domain`; return whether there was one. Raises HypervisorError; UnsupportedError (Xen)."""
    with domain.change():
        try:
            domain.raw.abortJob()
        except api.libvirtError as error:
            code = errors.code_of(error)
            if code == api.VIR_ERR_OPERATION_INVALID or (code == api.VIR_ERR_NO_SUPPORT and not busy(domain)):
                return False
            raise
    return True


def busy(domain: Domain) -> bool:
    """Whether libvirt is at work on `domain`, for somebody who may have gone away; a driver that cannot tell is not."""
    with contextlib.suppress(api.libvirtError):
        return _at_work(domain.raw.jobStats())
    return False


def at_rest(domain: Domain) -> bool:
    """Whether libvirt is at nothing with `domain`. Raises XmanError where it does not say, which is no sign of rest."""
    with errors.reading(domain.name):
        try:
            return not _at_work(domain.raw.jobStats())
        except api.libvirtError as error:
            code = errors.code_of(error)
            if code == api.VIR_ERR_OPERATION_UNSUPPORTED:  # it is arriving just now
                return False
            if code in (api.VIR_ERR_OPERATION_INVALID, api.VIR_ERR_NO_SUPPORT):  # it is off; nothing has jobs here
                return True
            raise


def leaving(domain: Domain) -> bool:
    """Whether libvirt is moving `domain` to another host, whoever asked for that; a driver that cannot tell is not."""
    if not domain.active():  # libvirt would report an error
        return False
    with contextlib.suppress(api.libvirtError):
        stats = domain.raw.jobStats()
        return _at_work(stats) and stats.get("operation") == api.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
    return False


def require_here(domain: Domain) -> None:
    """Raise RefusedError for a domain that is on its way from or to another host, whoever asked for that."""
    if domain.arriving():
        raise RefusedError(
            f"Domain '{domain.name}' is arriving by a migration from another host; its guest is not here yet."
            " Where that migration is over and the guest runs on its source, destroy this one."
        )
    # Somebody else's, or one that outlived the xmand that began it, and its lock.
    if leaving(domain):
        raise RefusedError("The domain is busy: migrating.")


def _at_work(stats: dict[str, Any]) -> bool:
    return bool(stats.get("type", api.VIR_DOMAIN_JOB_NONE) != api.VIR_DOMAIN_JOB_NONE)


def _abort(domain: Domain, what: str) -> None:
    try:
        domain.raw.abortJob()
    except api.libvirtError as error:
        raise UnknownOutcomeError(
            f"The {what} of '{domain.name}' stands still and cannot be aborted: {errors.words(error)}."
        ) from error
