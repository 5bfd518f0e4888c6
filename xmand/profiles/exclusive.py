"""Whether a profile's disks may change: only while no client has anything that belongs to them as they are.

A client runs on them, or has memory saved, or snapshots made, while it did; one that keeps what it writes has that for
good. QEMU's locks see only those that run.
"""

from collections.abc import Sequence

from xman.errors import RefusedError
from xmand.profiles import clients
from xmand.profiles.clients import Client
from xmand.virt import disk_users
from xmand.virt.binding import RawConnection
from xmand.virt.domain import Domain


def key(profile: str) -> str:
    """Return under what a profile is locked while it is found out who runs, and one of them is started."""
    return f"profile {profile}"


def require(name: str, found: Sequence[Client], *, evict: bool = False) -> None:
    """Raise RefusedError where a client has something that belongs to the disks of the profile `name` as they are.

    With `evict` only for what is not ended by shutting it down. Pure.
    """
    keeping = [each for each in found if not each.discard]
    if keeping:
        raise RefusedError(
            f"The profile '{name}' has clients that keep what they write ({clients.named(keeping)}); its first"
            f" change would destroy that. Clone it first (rxm clone {name} NEW), and change the clone."
        )
    marked = [each for each in found if each.snapshots]
    if marked:
        raise RefusedError(
            f"The profile '{name}' has clients with snapshots of what its disks are now ({clients.named(marked)});"
            " delete those first (snapshot-delete)."
        )
    at_work = [each for each in found if each.keeps]
    if at_work and not evict:
        raise RefusedError(
            f"The profile '{name}' is in use by its clients ({clients.named(at_work)}), and cannot be changed"
            " meanwhile; --evict shuts them down."
        )


def require_base(connection: RawConnection, profile: Domain, own: Sequence[str]) -> None:
    """Raise RefusedError where others than its clients have the profile's disks: `own` are the clients' volumes.

    Raises HypervisorError.
    """
    for path in disk_users.written_by(profile):
        if others := disk_users.built_upon(connection, path, own):
            raise RefusedError(
                f"The disk '{path}' of the profile '{profile.name}' is the base of {', '.join(others)}, which its"
                " first change would destroy."
            )
