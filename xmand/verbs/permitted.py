"""What somebody may describe: all of it who is as good as root; others what `[create]` of xmand.toml permits."""

from xman.errors import DeniedError, RefusedError, UsageError
from xmand.verbs.call import Call
from xmand.virt import added, attaching, description, disk_users, policy
from xmand.virt.description import Description


def permitted(call: Call, asked: Description, *, kept: bool = False) -> Description:
    """Return the description to define: as it is for who is as good as root, held to `[create]` for everybody else.

    One that libvirt has `kept` is judged without what that has added. Raises DeniedError and HypervisorError.
    """
    allowed = call.host.settings.create
    if call.access.listed_caller or call.principal in allowed.unrestricted:
        return asked
    held = policy.held_to(added.without_added(asked, call.writer) if kept else asked, allowed, call.reader)
    if not call.access.describes(policy.facts(held)):
        raise DeniedError("You may not create what this description asks for.")
    return held


def name(call: Call, wanted: str) -> None:
    """Raise DeniedError for a name that the caller, who may do so with some domains only, may not give to one."""
    if not call.access.names(wanted):
        raise DeniedError(f"You may not call a domain '{wanted}'.")


def device(call: Call, xml: str) -> str:
    """Return libvirt's XML of one device, likewise, as if it stood in a description of a machine."""
    return description.device_of(permitted(call, description.of_device(xml)))


def whole_path(path: str) -> None:
    """Raise UsageError for what is no whole path on the host."""
    if not path.startswith("/") or not path.isprintable():
        raise UsageError(f"'{path[:64]}' does not begin with '/'; write the absolute path on the host.")


def medium(call: Call, drive: attaching.Element, path: str) -> str:
    """Return a drive's description with the medium at `path` in it, held to what the caller may have.

    It names then what was looked at, not what a link may lead to later. Raises UsageError, DeniedError and others.
    """
    block = path.startswith("/dev/")
    disk_users.check_place(path, block=block)
    return device(call, attaching.with_medium(drive, path, block=block))


def require_unwritten(call: Call, path: str) -> None:
    """Raise RefusedError for a medium that a domain writes to."""
    for use in disk_users.writers(call.writer, path):
        raise RefusedError(f"Domain '{use.name}' writes to '{path}' ({use.target}); it is no medium to read from.")
