"""clone: a domain that is off once more, with disks of its own. Its definition comes last, and is what makes it one."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from uuid import uuid4

from xman import values
from xman.errors import NoSuchDomainError, RefusedError, UnknownOutcomeError, UnsupportedError, XmanError, of_outcome
from xman.progress import Progress
from xman.result import Result
from xman.values import MIB
from xmand.journal import verdicts
from xmand.verbs import permitted
from xmand.verbs.call import Call
from xmand.verbs.create import kept_private
from xmand.verbs.row import Row, told
from xmand.virt import cards, cloned, disk_users, lifecycle, pools, snapshots, volume_copies
from xmand.virt.binding import RawConnection
from xmand.virt.cloned import Disk
from xmand.virt.definition import kept
from xmand.virt.description import Description
from xmand.virt.domain import Domain, define, find
from xmand.virt.driver import LONG
from xmand.virt.errors import reading
from xmand.virt.uploads import key
from xmand.virt.volume_copies import Original, Place
from xmand.virt.volumes import Volume

_SUFFIXES = {"qcow2": ".qcow2", "raw": ".img"}


class _Copy:
    """One disk that is to be copied: what of, where to, and how many octets that is."""

    def __init__(self, disk: Disk, original: Original, place: Place, octets: int) -> None:
        self.disk = disk
        self.original = original
        self.place = place
        self.octets = octets

    def made(self, volume: Volume) -> Disk:
        """Return the disk that the clone has. Raises HypervisorError."""
        facts = volume.facts()
        return Disk(self.disk.target, facts.kind, facts.format, facts.path, self.place.pool, self.place.name)


def clone(call: Call) -> Result:
    """Copy the disks, then define it; where a step fails, nothing of it stays."""
    name = call.parsed.text("NEWNAME")
    values.check_new_name(name)
    permitted.name(call, name)
    with call.changing(LONG) as domain, contextlib.ExitStack() as locks:
        connection = call.host.driver.connection(LONG)
        xml = kept(domain)
        if why := cloned.cannot(xml, container=domain.container()):
            raise UnsupportedError(f"'{domain.name}' cannot be cloned: {why}.")
        disks = cloned.own_disks(xml)
        _require_quiet(domain, disks)
        locks.enter_context(call.host.locks.hold(name, call.verb.name, call.deadline))
        _require_new(connection, name)
        copies = _plan(call, connection, name, disks)
        for copy in copies:
            path = copy.original.facts.path
            locks.enter_context(call.host.locks.hold(disk_users.key(path), call.verb.name, call.deadline, "disk"))
            _require_unwritten(connection, path)
            for place in (copy.original.place, copy.place):
                locks.enter_context(
                    call.host.locks.hold(key(place.pool, place.name), call.verb.name, call.deadline, "volume")
                )
        uuid = str(uuid4())
        locks.enter_context(call.host.locks.hold(uuid, call.verb.name, call.deadline))
        wanted, notes = cloned.describe(xml, name, uuid, lambda: cards.new_mac(_driver(connection)))
        notes += _notes(domain, wanted.xml)
        # The originals' places stand for those of the copies, which are not there yet.
        permitted.permitted(call, wanted, kept=True)
        if call.parsed.flag("dry-run"):
            said = f"'{domain.name}' would be cloned as '{name}', {_octets(copies) // MIB} MiB of disks copied."
            return Result(_data(domain, name, "", copies, dry=True), domain=domain.name, notes=(said, *notes))
        call.record.intends(name, uuid, makes=[copy.place for copy in copies])
        made: dict[Place, Volume] = {}
        try:
            for copy in copies:
                _make(call, connection, name, copy, copies, made)
            _require_the_same(domain, connection, copies)
            new_disks = [copy.made(made[copy.place]) for copy in copies]
            final, said_of_it = kept_private(
                call, permitted.permitted(call, cloned.with_disks(wanted, new_disks), kept=True)
            )
            new = _defined(connection, final)
        except XmanError as error:
            raise _undone(made, error) from error
        return Result(
            _data(domain, name, new.uuid, copies, dry=False),
            changed=True,
            domain=domain.name,
            notes=(*notes, *said_of_it),
        )


def _require_quiet(domain: Domain, disks: list[Disk]) -> None:
    """Raise RefusedError where what is on its disks is not all there is of it, unless it has none of its own."""
    if not disks:
        return
    names = ", ".join(disk.target for disk in disks)
    if domain.active():
        raise RefusedError(
            f"Domain '{domain.name}' is not off, and its guest has disks in use ({names}): a copy would be"
            f" inconsistent. Shut it down first (rxm shutdown --wait {domain.name})."
        )
    if lifecycle.suspended(domain):
        raise RefusedError(
            f"Domain '{domain.name}' is suspended, and a part of what belongs on its disks is in its saved memory;"
            f" resume it and shut it down, or drop that memory (rxm start --discard-saved {domain.name})."
        )


def _require_new(connection: RawConnection, name: str) -> None:
    with contextlib.suppress(NoSuchDomainError):
        found = find(connection, name)
        raise RefusedError(f"Domain '{found.name}' already exists.")


def _require_unwritten(connection: RawConnection, path: str) -> None:
    for use in disk_users.writers(connection, path):
        raise RefusedError(f"Domain '{use.name}' has '{path}' in use, as {use.target}; a copy of it would be torn.")


def _plan(call: Call, connection: RawConnection, name: str, disks: list[Disk]) -> list[_Copy]:
    """Return what is to be copied where. Raises RefusedError where a place is taken, or too small."""
    pool = str(call.parsed.options.get("pool", ""))
    copies: list[_Copy] = []
    for disk in disks:
        if disk.kind == "volume":
            original = volume_copies.of_name(connection, disk.pool, disk.volume)
        else:
            original = volume_copies.of_path(connection, disk.path)
        form = original.facts.format
        if original.facts.kind == "file" and form != disk.format:
            raise RefusedError(
                f"The guest sees the disk {disk.target} as {disk.format}, but the volume {original.place} is {form};"
                " it is not clear what a copy of it should be."
            )
        suffix = _SUFFIXES.get(form, "") if original.facts.kind == "file" else ""
        place = Place(pool or original.place.pool, f"{name}-{disk.target}{suffix}")
        copies.append(_Copy(disk, original, place, volume_copies.check(connection, original, place)))
    for where in {copy.place.pool for copy in copies}:
        needed = sum(copy.octets for copy in copies if copy.place.pool == where)
        available = int(pools.named(connection, where).facts()["available"])
        if needed > available:
            raise RefusedError(
                f"The pool '{where}' has {available // MIB} MiB left, and {-(-needed // MIB)} MiB are to be copied into"
                " it."
            )
    return copies


def _make(
    call: Call, connection: RawConnection, name: str, copy: _Copy, copies: list[_Copy], made: dict[Place, Volume]
) -> None:
    began, before = time.monotonic(), sum(each.octets for each in copies[: copies.index(copy)])
    total = _octets(copies)

    def tell(octets: int) -> None:
        done = min(before + octets, total)
        rate = int(octets / max(time.monotonic() - began, 0.1))
        call.progress(str(Progress(name, done, total - done, rate)))

    patience = call.host.settings.limits.patience
    made[copy.place] = volume_copies.copy(connection, copy.original, copy.place, patience, tell)


def _require_the_same(domain: Domain, connection: RawConnection, copies: list[_Copy]) -> None:
    """Raise RefusedError where somebody has started the original meanwhile, past us."""
    if copies and domain.active():
        raise RefusedError(f"Domain '{domain.name}' was started while it was copied; the copy was discarded.")
    for copy in copies:
        now = volume_copies.of_name(connection, copy.original.place.pool, copy.original.place.name)
        if now.written != copy.original.written:
            raise RefusedError(f"'{now.facts.path}' was written while it was copied; the copy was discarded.")


def _defined(connection: RawConnection, wanted: Description) -> Domain:
    """Define it, unless somebody else has taken its name meanwhile: that one would be another domain."""
    _require_new(connection, wanted.name)
    return define(connection, wanted.name, wanted.xml)


def _undone(made: dict[Place, Volume], error: XmanError) -> XmanError:
    """Remove the copies that are of no use now; return the error, saying which could not be."""
    names = ", ".join(str(place) for place in made)
    if isinstance(error, UnknownOutcomeError):
        # It may be defined, or libvirt may still be writing.
        return UnknownOutcomeError(f"{error} Copies that were made stay: {names}.") if made else error
    left = []
    for place, volume in made.items():
        try:
            volume.delete()
        except XmanError as second:
            left.append(f"{place} ({str(second).rstrip('.')})")
    if not left:
        return error
    return of_outcome(error.outcome, f"{error} These copies could not be removed: {', '.join(left)}.")


def _notes(domain: Domain, xml: str) -> tuple[str, ...]:
    return tuple(_said(domain, xml))


def _said(domain: Domain, xml: str) -> Iterator[str]:
    if places := cloned.shared(xml):
        yield f"Both use {', '.join(places)}, which is read-only, or shared on purpose."
    if has := snapshots.in_the_way(domain):
        yield f"'{domain.name}' keeps its {has}; the clone has none."
    with reading(domain.name):
        persistent = bool(domain.raw.isPersistent())
    if persistent and lifecycle.autostart(domain):
        yield f"'{domain.name}' is started with its host, the clone is not (autostart)."


def _octets(copies: Sequence[_Copy]) -> int:
    return sum(copy.octets for copy in copies)


def _driver(connection: RawConnection) -> str:
    with reading():
        return str(connection.getType())


def _data(domain: Domain, name: str, uuid: str, copies: list[_Copy], *, dry: bool) -> dict[str, object]:
    disks = [
        {
            "target": copy.disk.target,
            "pool": copy.place.pool,
            "volume": copy.place.name,
            "copied": copy.octets,
        }
        for copy in copies
    ]
    data: dict[str, object] = {"name": name, "from": domain.name, "disks": disks, "dry_run": dry}
    return data | ({"uuid": uuid} if uuid else {})


ROWS = {
    "clone": Row(clone, verdicts.cloned, told("defined")),
}
