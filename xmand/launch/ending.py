"""The end of a machine that was launched: nothing of it is left, whenever xmand is torn out of it."""

from xman.errors import RefusedError
from xman.metadata import Instance, Metadata
from xmand.batch.observe import current
from xmand.consoles import kept
from xmand.launch import begun
from xmand.launch.begun import Begun
from xmand.launch.machines import Machines
from xmand.virt import lifecycle, snapshots, volume_users
from xmand.virt.binding import RawConnection
from xmand.virt.domain import Domain
from xmand.virt.qemu_log import LOGS


def require_idle(domain: Domain, found: Metadata) -> None:
    """Raise RefusedError where jobs are in it, which would be lost."""
    jobs, _over = current(found, active=domain.active(), saved=False)
    if jobs:
        raise RefusedError(f"Domain '{domain.name}' has jobs ({', '.join(job.id for job in jobs)}); end them first.")


def end(machines: Machines, connection: RawConnection, domain: Domain, instance: Instance) -> None:
    """Stop and forget a launched machine, with all that is its own; under its lock. Raises XmanError."""
    external = [each.name for each in snapshots.each(domain) if each.kind == snapshots.EXTERNAL]
    if external:
        raise RefusedError(
            f"Domain '{domain.name}' has external snapshots ({', '.join(external)}), whose files are not xmand's to"
            " delete; whoever made them has to."
        )
    what = Begun(domain.uuid, domain.name, instance.pool)
    for name, path in begun.places(connection, what):
        volume_users.require_unused(connection, what.pool, name, path, but=domain.name)
    if domain.active():
        domain.destroy()
    # Before it is forgotten: from then on its disks are nobody's.
    machines.notes.note(what)
    lifecycle.delete(domain)
    kept.forget(domain.uuid, LOGS)
    begun.settle(connection, what)
    machines.notes.forget(domain.uuid)
