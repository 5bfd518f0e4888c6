"""What libvirt manages of a domain beyond its running: its saved memory, its definition, its start with the host."""

import contextlib
import stat
from collections.abc import Callable
from pathlib import Path

from xman.errors import NoSuchDomainError, RefusedError, UnknownOutcomeError, UnsupportedError, XmanError, of_outcome
from xmand.settings import Patience
from xmand.virt.binding import api
from xmand.virt.domain import Domain, find
from xmand.virt.domain_jobs import run_job
from xmand.virt.errors import code_of, reading

# What belongs to a definition and goes with it. Not every driver knows every one: the next set is tried then.
_ALL = (
    api.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | api.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | api.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | api.VIR_DOMAIN_UNDEFINE_NVRAM
)
_SOME = api.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | api.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
_DELETE_FLAGS = (_ALL, _SOME, api.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE, 0)
_UNKNOWN_FLAGS = (api.VIR_ERR_INVALID_ARG, api.VIR_ERR_NO_SUPPORT, api.VIR_ERR_ARGUMENT_UNSUPPORTED)

# Where libvirt's QEMU driver keeps what it saves by itself.
_IMAGES = Path("/var/lib/libvirt/qemu/save")
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO"}


def suspended(domain: Domain) -> bool:
    """Whether its memory was saved, so that its next start goes on where it was."""
    with reading(domain.name):
        try:
            return bool(domain.raw.hasManagedSaveImage(0))
        except api.libvirtError as error:
            if code_of(error) == api.VIR_ERR_NO_SUPPORT:  # LXC
                return False
            raise


def not_yet(domain: Domain) -> tuple[str, ...]:
    """Return what is to be said where a suspended domain is changed: libvirt restores it as it was saved."""
    if domain.active() or not suspended(domain):
        return ()
    return (f"Domain '{domain.name}' is suspended and will continue as it was; this takes effect at its next start.",)


def require_image(domain: Domain) -> None:
    """Raise RefusedError where something else than a file stands for its saved memory.

    libvirt would open it, and wait there for good (a FIFO), with the whole host's list behind it.
    """
    path = _IMAGES / f"{domain.name}.save"
    try:
        mode = path.stat().st_mode if domain.on_qemu() else stat.S_IFREG
    except OSError:  # none; or another libvirt's, whose folder is not to be seen
        return
    if not stat.S_ISREG(mode):
        what = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise RefusedError(f"What stands for the saved memory of '{domain.name}', {path}, is {what}; move it away.")


def require_suspended(domain: Domain) -> None:
    """Raise RefusedError where its memory was not saved, UnsupportedError where it never could be."""
    if suspended(domain):
        return
    if domain.container():
        raise UnsupportedError("This host's hypervisor cannot do that: a container cannot be suspended.")
    raise RefusedError("Cannot resume domain that is not suspended.")


def suspend(domain: Domain, patience: Patience, progress: Callable[[str], None]) -> None:
    """Save its memory to disk and stop it; gives up when nothing has moved for `patience`."""
    require_image(domain)
    with domain.change():
        run_job(domain, "suspend", lambda: domain.raw.managedSave(0), patience, progress)
    if domain.active() or not suspended(domain):
        raise domain.not_so("was not saved")


def start_saved(domain: Domain, *, paused: bool) -> bool:
    """Start a domain whose memory was saved; return whether it goes on where it was, as far as its state tells.

    libvirt's QEMU driver drops an image that is cut short, and boots without it, as if nothing were amiss; the others
    fail then. Raises what a start does, saying the way out where it is the image that cannot be read.
    """
    require_image(domain)
    try:
        domain.start(paused=paused)
    except UnknownOutcomeError:
        raise
    except XmanError as error:
        if not suspended(domain):
            raise
        text = str(error).rstrip(".")
        raise of_outcome(
            error.outcome,
            f"{text}. Its saved memory is still there; where that is broken,"
            f" rxm start --discard-saved {domain.name} drops it, and boots without it.",
        ) from error
    booted = (api.VIR_DOMAIN_RUNNING, api.VIR_DOMAIN_RUNNING_BOOTED)
    return not drops_broken_images(domain) or domain.numbers() != booted


def drops_broken_images(domain: Domain) -> bool:
    """Whether its driver boots what it cannot restore. Only QEMU's does, and only it tells the two apart."""
    return domain.on_qemu()


def discard_saved(domain: Domain) -> None:
    """Drop its saved memory."""
    require_image(domain)
    with domain.change():
        domain.raw.managedSaveRemove(0)
    if suspended(domain):
        raise domain.not_so("still has its saved memory")


def delete(domain: Domain) -> None:
    """Forget it, with its saved memory, NVRAM, and libvirt's notes of snapshots and checkpoints; never its disks."""
    require_image(domain)
    with domain.change():
        for flags in _DELETE_FLAGS:
            try:
                domain.raw.undefineFlags(flags)
            except api.libvirtError as error:
                if not flags or code_of(error) not in _UNKNOWN_FLAGS:
                    raise
            else:
                break
    with contextlib.suppress(NoSuchDomainError):
        find(domain.raw.connect(), domain.uuid)
        raise domain.not_so("is still defined")


def autostart(domain: Domain) -> bool:
    """Whether it is started with its host."""
    with reading(domain.name):
        return bool(domain.raw.autostart())


def set_autostart(domain: Domain, wanted: bool) -> None:
    """Let it be started with its host, or not."""
    with domain.change():
        domain.raw.setAutostart(int(wanted))
    if autostart(domain) != wanted:
        raise domain.not_so("is not started with its host" if wanted else "is still started with its host")
