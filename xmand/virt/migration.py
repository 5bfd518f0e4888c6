"""Moving a domain to another host, peer to peer: this host's libvirtd speaks to the other one's."""

import threading
import time
from collections.abc import Callable
from typing import Any

from xman.errors import HypervisorError, NoSuchDomainError, RefusedError, UnknownOutcomeError, XmanError
from xmand.virt import driver
from xmand.virt.domain import Domain
from xmand.virt.driver import Connection, api

# How libvirt on the other host is reached, by this host's driver; the connection is authenticated by libvirt itself
# (auth_tcp = "sasl" with Kerberos) and sealed.
_URIS = {"QEMU": "qemu+tcp://{host}/system", "Xen": "xen+tcp://{host}/system"}
_POLL_SECONDS = 0.5


def default_uri(connection: Connection) -> str:
    """Return the URI template for the host's driver; drivers that cannot migrate get QEMU's, and then say so."""
    with driver.reading():
        return _URIS.get(str(connection.getType()), _URIS["QEMU"])


def migrate(
    domain: Domain,
    uri: str,
    *,
    live: bool,
    clear: bool,
    patience: float,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Move `domain` to the libvirt at `uri`; return the seconds and octets it took.

    A persistent domain stays persistent there and vanishes here; nothing else would leave it in one place. Without
    `clear` the memory travels inside libvirt's own, encrypted, connection. Blocks as long as something moves, and gives
    up after `patience` seconds in which nothing did. Raises RefusedError and HypervisorError, both saying where the
    domain runs, UnknownOutcomeError where that could not be found out.
    """
    flags = api.VIR_MIGRATE_PEER2PEER
    flags |= api.VIR_MIGRATE_LIVE if live else 0
    flags |= 0 if clear else api.VIR_MIGRATE_TUNNELLED
    if domain.persistent():
        flags |= api.VIR_MIGRATE_PERSIST_DEST | api.VIR_MIGRATE_UNDEFINE_SOURCE
    started = time.monotonic()
    job = _Job(domain, uri, flags)
    octets = _watch(domain, job, patience, progress)
    if job.error is not None:
        raise _explain(domain, job.error) from job.error
    return {"seconds": round(time.monotonic() - started, 1), "transferred": octets}


class _Job(threading.Thread):
    """libvirt's migration call, which returns when all is over."""

    def __init__(self, domain: Domain, uri: str, flags: int) -> None:
        super().__init__(name=f"migrate-{domain.name}", daemon=True)
        self._domain = domain
        self._uri = uri
        self._flags = flags
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._domain.raw.migrateToURI3(self._uri, {}, self._flags)
        except api.libvirtError as error:
            self.error = error


def _watch(domain: Domain, job: _Job, patience: float, progress: Callable[[str], None]) -> int:
    """Report progress until the job ends; abort it when nothing has moved for `patience` seconds."""
    moved_at, processed = time.monotonic(), -1
    while job.is_alive():
        job.join(_POLL_SECONDS)
        try:
            stats = domain.raw.jobStats()
        except api.libvirtError:  # the last moments, or a driver that has none
            stats = {}
        now = int(stats.get("data_processed", processed))
        if now != processed:
            moved_at, processed = time.monotonic(), now
            if "data_remaining" in stats:
                progress(f"{domain.name}: {now >> 20} MiB sent, {int(stats['data_remaining']) >> 20} MiB left")
        elif time.monotonic() - moved_at > patience:
            _abort(domain)
            moved_at = time.monotonic()
    return max(processed, 0)


def _abort(domain: Domain) -> None:
    try:
        domain.raw.abortJob()
    except api.libvirtError as error:
        raise UnknownOutcomeError(
            f"The migration of '{domain.name}' stands still and cannot be aborted: {driver.words(error)}"
        ) from error


def _explain(domain: Domain, error: Exception) -> XmanError:
    assert isinstance(error, api.libvirtError)  # noqa: S101  # `_Job` keeps no other
    words = driver.words(error)
    try:
        state, _reason = domain.state()
    except NoSuchDomainError:
        return UnknownOutcomeError(f"'{domain.name}' is gone from here, and libvirt reported: {words}")
    except HypervisorError:
        return UnknownOutcomeError(f"libvirt was lost while migrating '{domain.name}': {words}")
    where = f"'{domain.name}' is still here, {state}."
    translated = driver.translate(error, domain.name)
    if driver.code_of(error) == api.VIR_ERR_OPERATION_ABORTED:
        return RefusedError(f"The migration was aborted; {where}")
    if isinstance(translated, NoSuchDomainError):  # the other host's libvirt means its own
        translated = HypervisorError(words)
    return type(translated)(f"{translated}; {where}")
