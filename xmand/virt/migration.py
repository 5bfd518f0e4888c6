"""Moving a domain to another host, peer to peer: this host's libvirtd speaks to the other one's."""

import contextlib
import re
import time
from collections.abc import Callable
from typing import Any

from xman import outcome
from xman.errors import HypervisorError, NoSuchDomainError, RefusedError, UnknownOutcomeError, XmanError
from xmand.settings import Patience
from xmand.virt import errors
from xmand.virt.binding import RawConnection, api
from xmand.virt.domain import STATES, Domain
from xmand.virt.domain_jobs import run_job

# How libvirt on the other host is reached, by this host's driver; the connection is authenticated by libvirt itself
# (auth_tcp = "sasl" with Kerberos) and sealed.
_URIS = {"QEMU": "qemu+tcp://{host}/system", "Xen": "xen+tcp://{host}/system"}
# How memory, and disks, travel: inside libvirt's own connection, which is sealed; by QEMU's own, as it is; by QEMU's
# own, inside the TLS for which libvirt gives it certificates.
TUNNELLED, CLEAR, TLS = int(api.VIR_MIGRATE_TUNNELLED), 0, int(api.VIR_MIGRATE_TLS)
# With which the other host's libvirt says, among other things, that it has a domain of that name or UUID already; an
# earlier migration may have left it there.
_TAKEN = (api.VIR_ERR_OPERATION_FAILED, api.VIR_ERR_OPERATION_INVALID, api.VIR_ERR_DOM_EXIST)
# libvirt's words where the other host has the name or the UUID (libvirt 9.0, virdomainobjlist.c), and where it is
# this one (qemu_migration_cookie.c).
_EXISTS = re.compile(r"already (exists|defined|active|being started)|to the same host")


def default_uri(connection: RawConnection) -> str:
    """Return the URI template for the host's driver; drivers that cannot migrate get QEMU's, and then say so."""
    with errors.reading():
        return _URIS.get(str(connection.getType()), _URIS["QEMU"])


def migrate(
    domain: Domain,
    host: str,
    uri: str,
    *,
    live: bool,
    way: int,
    suspend_after: float | None,
    patience: Patience,
    progress: Callable[[str], None],
    disks: tuple[str, ...] = (),
    stays_paused: bool = False,
) -> dict[str, Any]:
    """Move `domain` to `host`, whose libvirt is at `uri`; return the seconds and octets it took, and any pause.

    A persistent domain stays persistent there and vanishes here; nothing else would leave it in one place. `way` is
    TUNNELLED, CLEAR or TLS: how the memory travels. The contents of `disks`, by the guest's names, go along, into
    images that stand there already. There it `stays_paused` until somebody lets it go on. After `suspend_after` seconds
    a running domain is paused, so that its memory stands still and the migration ends; it goes on there, or here where
    that fails. Blocks as long as something moves, and gives up with `patience`. Raises RefusedError and
    HypervisorError, both saying where the domain runs, UnknownOutcomeError where that could not be found out.
    """
    flags = api.VIR_MIGRATE_PEER2PEER
    flags |= api.VIR_MIGRATE_LIVE if live else 0
    flags |= way | (api.VIR_MIGRATE_NON_SHARED_DISK if disks else 0)
    flags |= api.VIR_MIGRATE_PAUSED if stays_paused else 0
    parameters = {api.VIR_MIGRATE_PARAM_MIGRATE_DISKS: list(disks)} if disks else {}
    if domain.persistent():
        flags |= api.VIR_MIGRATE_PERSIST_DEST | api.VIR_MIGRATE_UNDEFINE_SOURCE
    pausing = _Pausing(domain.beside(), suspend_after)
    started = time.monotonic()
    try:
        octets = run_job(
            domain, "migrate", lambda: domain.raw.migrateToURI3(uri, parameters, flags), patience, progress, pausing
        )
    except api.libvirtError as error:
        pausing.undo()
        raise _explain(domain, host, error) from error
    except UnknownOutcomeError as error:
        raise UnknownOutcomeError(f"{error} {_seen_from_here(domain, host)}") from error
    data = {"seconds": round(time.monotonic() - started, 1), "transferred": octets}
    return data if pausing.after is None else data | {"suspended_after": pausing.after}


def move_definition(domain: Domain, host: str, uri: str, patience: Patience) -> dict[str, Any]:
    """Move `domain`, which is off, to `host`: its definition, and nothing of its disks. Raises as `migrate` does."""
    flags = api.VIR_MIGRATE_PEER2PEER | api.VIR_MIGRATE_OFFLINE
    flags |= api.VIR_MIGRATE_PERSIST_DEST | api.VIR_MIGRATE_UNDEFINE_SOURCE
    started = time.monotonic()
    try:
        run_job(domain, "migrate", lambda: domain.raw.migrateToURI3(uri, {}, flags), patience, lambda _text: None)
    except api.libvirtError as error:
        raise _explain_off(domain, host, error) from error
    return {"seconds": round(time.monotonic() - started, 1), "transferred": 0, "offline": True}


def _explain_off(domain: Domain, host: str, error: api.libvirtError) -> XmanError:
    words = errors.words(error)
    try:
        domain.state()
    except NoSuchDomainError:
        gone = f"'{domain.name}' is gone from here, and libvirt reported: {words}"
        return UnknownOutcomeError(f"{gone}. Look there: {_look_there(domain, host)}")
    except HypervisorError:
        return UnknownOutcomeError(f"libvirt was lost: {words}. Look there: {_look_there(domain, host)}")
    translated = RefusedError(words) if _EXISTS.search(words) else errors.translate(error)
    return type(translated)(f"{translated}; '{domain.name}' is still defined here.")


class _Pausing:
    """Pauses a domain whose live migration takes longer than `limit` seconds, as `virsh migrate --timeout` does."""

    def __init__(self, domain: Domain, limit: float | None) -> None:
        self._domain = domain
        self._limit = limit
        # When that was done, in seconds since the begin.
        self.after: float | None = None

    def __call__(self, seconds: float) -> None:
        if self._limit is None or self.after is not None or seconds < self._limit:
            return
        raw = self._domain.raw
        # In its last moments there is nothing left to be paused; what its owner paused is left alone.
        with contextlib.suppress(api.libvirtError):
            if raw.state()[0] != api.VIR_DOMAIN_PAUSED:
                raw.suspend()
                self.after = round(seconds, 1)

    def undo(self) -> None:
        """Let the domain go on where it stayed after all; libvirt itself does that for an aborted migration."""
        if self.after is not None:
            with contextlib.suppress(api.libvirtError):
                if self._domain.raw.state()[0] == api.VIR_DOMAIN_PAUSED:
                    self._domain.raw.resume()


def _look_there(domain: Domain, host: str) -> str:
    return f"rxm -H {host} list -l {domain.name}"


def _seen_from_here(domain: Domain, host: str) -> str:
    try:
        here = f"'{domain.name}' is still here, {domain.state()[0]}, and libvirt may yet move it"
    except NoSuchDomainError:
        here = f"'{domain.name}' is gone from here"
    except HypervisorError:
        here = "libvirt does not answer"
    return f"{here}. Look there: {_look_there(domain, host)}"


def _explain(domain: Domain, host: str, error: api.libvirtError) -> XmanError:
    words = errors.words(error)
    try:
        state = domain.state()[0]
    except NoSuchDomainError:
        state = ""
    except HypervisorError:
        lost = f"libvirt was lost while migrating '{domain.name}': {words}"
        return UnknownOutcomeError(f"{lost}. Look there: {_look_there(domain, host)}")
    if state in ("", STATES[api.VIR_DOMAIN_SHUTOFF]):
        # It left, and what libvirt does after that failed; or its guest ended meanwhile.
        gone = f"'{domain.name}' {'is off' if state else 'is gone from'} here, and libvirt reported: {words}"
        return UnknownOutcomeError(f"{gone}. Look there: {_look_there(domain, host)}")
    where = f"'{domain.name}' is still here, {state}."
    translated = errors.translate(error, domain.name)
    if errors.code_of(error) == api.VIR_ERR_OPERATION_ABORTED:
        return RefusedError(f"{outcome.ABORTED}; {where}")
    if isinstance(translated, NoSuchDomainError):  # the other host's libvirt means its own
        translated = HypervisorError(words)
    # The codes are those of much else; only libvirt's words tell.
    if _EXISTS.search(words):
        translated = RefusedError(words)
    if errors.code_of(error) in _TAKEN:
        where += f" If something of that name is there: {_look_there(domain, host)}"
    return type(translated)(f"{translated}; {where}")
