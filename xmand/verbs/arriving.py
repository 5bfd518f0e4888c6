"""What another host asks for as `host/FQDN`: that a guest of its own may come, and what it has decided about it."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from xman import values
from xman.between import MIGRATE_IN, MIGRATE_MAY, MIGRATE_SETTLE
from xman.errors import DeniedError, HypervisorError, NoSuchDomainError, RefusedError, UsageError, XmanError
from xman.result import Result
from xmand.authorize.peers import host_of
from xmand.broker.arrivals import GIVEN, KEPT, Arrival
from xmand.broker.passing import Coming
from xmand.broker.receiving import Guest, Receiving
from xmand.journal import verdicts
from xmand.verbs.call import Call
from xmand.verbs.row import Row, told
from xmand.virt import description, migration_trial, policy
from xmand.virt.added import without_added
from xmand.virt.binding import RawConnection, api
from xmand.virt.description import Description
from xmand.virt.domain import Domain, find
from xmand.virt.driver import CHANGE
from xmand.virt.errors import reading

# libvirt's own places, in the order in which its client tries them.
_SOCKETS = {
    "QEMU": ("/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock"),
    "Xen": ("/run/libvirt/virtxend-sock", "/run/libvirt/libvirt-sock"),
}
_CONNECT_SECONDS = 10.0
# How long QEMU may take to let its copy go on, and libvirt to clear away one that did not come whole.
_RESUME_SECONDS = 8.0
_CLEAR_SECONDS = 8.0
_POLL_SECONDS = 0.1


def migrate_may(call: Call) -> Result:
    """Whether a guest may come; nothing is changed. Raises RefusedError, and DeniedError by `[create]`."""
    _id, name, uuid = _about(call)
    call.host.batch.maintenance.refuse()
    _require_free(call, name, uuid)
    # Before anything is looked for that they name.
    wanted = _judge(call, name, uuid, tuple(call.parsed.words("FILE")))
    cpu = str(call.parsed.options.get("cpu", ""))
    notes = migration_trial.here(call.writer, wanted[0], cpu, socket.gethostname()) if wanted else ()
    return Result(domain=name, notes=notes)


def migrate_in(call: Call) -> Receiving:
    """Take a guest that comes. Raises RefusedError before an octet of it has moved, where it may not."""
    if not call.parsed.flag("input"):
        raise UsageError("A migration is a conversation between two hosts.")
    identifier, name, uuid = _about(call)
    call.host.batch.maintenance.refuse()
    source = host_of(call.principal, call.host.settings.service)
    with contextlib.ExitStack() as stack:
        # As `create` has them, and in that order.
        for key in (name, uuid):
            stack.enter_context(call.host.locks.hold(key, MIGRATE_IN.name, call.deadline))
        existing = _require_free(call, name, uuid)
        sock = stack.enter_context(_connected(call.writer))
        arrival = Arrival(
            identifier, name, uuid, source, stays_paused=call.parsed.flag("paused"), existed=existing is not None
        )
        call.record.found(uuid)
        with reading():
            coming = Coming(name, uuid, _plain(str(call.writer.getURI())))
        call.host.arrivals.begin(arrival)
        held = stack.pop_all()
        guest = Guest(
            judge=lambda descriptions: _judge(call, name, uuid, descriptions),
            arrived=lambda: _arrived(call, arrival),
            commit=lambda: _commit(call, arrival),
            ended=lambda: _ended(call, arrival),
            release=held.close,
        )
        return Receiving(sock, name, coming, guest, call.host.settings.limits.stall_seconds)


def migrate_settle(call: Call) -> Result:
    """Do what the source has decided. Raises DeniedError for another one; HypervisorError: it may be tried again."""
    identifier, name, uuid = _about(call)
    decision = call.parsed.text("given|kept")
    if decision not in (GIVEN, KEPT):
        raise UsageError(f"'{decision[:32]}' is neither {GIVEN} nor {KEPT}.")
    call.record.found(uuid)
    # Also behind the migration that it settles, whose last words may still be on their way.
    with call.host.locks.hold(uuid, MIGRATE_SETTLE.name, call.deadline, patient=True):
        arrival = call.host.arrivals.get(uuid)
        if arrival is None or arrival.id != identifier:
            return Result({"copy": "absent"}, domain=name, notes=("Nothing is to be settled.",))
        if arrival.source != host_of(call.principal, call.host.settings.service):
            raise DeniedError("It came from another host.")
        copy = call.host.arrivals.settle(call.writer, arrival, decision)
        call.host.model.touch()
        return Result({"copy": copy}, changed=copy != "absent", domain=name, notes=(f"{decision}: {copy}",))


def _about(call: Call) -> tuple[str, str, str]:
    identifier, name, uuid = (call.parsed.text(word) for word in ("ID", "DOMAIN", "UUID"))
    values.check_moving_name(name)
    for word in (identifier, uuid):
        if not values.is_uuid(word) or word != word.lower():
            raise UsageError(f"'{word[:64]}' is not a UUID.")
    return identifier, name, uuid


def _require_free(call: Call, name: str, uuid: str) -> Domain | None:
    """Return what is left here of the domain that comes home. Raises RefusedError where it would replace anything.

    What is defined here is not the other host's to change, whatever it calls its own.
    """
    connection = call.writer
    by_uuid, by_name = _find(connection, uuid), _find(connection, name)
    for found in (by_uuid, by_name):
        if found is not None and (found.uuid != uuid or found.name != name):
            raise RefusedError(f"Domain '{found.name}' already exists there, with the UUID {found.uuid}.")
    if by_uuid is not None and by_uuid.active():
        raise RefusedError(f"Domain '{name}' already exists there, {by_uuid.state()[0]}.")
    if by_uuid is not None and not _has_left(call, by_uuid):
        raise RefusedError(
            f"Domain '{name}' is defined there already, and off; it is not replaced by one that arrives."
            f" If that is its old definition, delete it there first (rxm delete {name})."
        )
    return by_uuid


def _has_left(call: Call, domain: Domain) -> bool:
    """Whether the guest of a domain that is off went to another host, and its definition has not followed yet."""
    if domain.state()[1] == api.VIR_DOMAIN_SHUTOFF_MIGRATED:
        return True
    return call.host.departures is not None and call.host.departures.gave(domain.uuid)


def _find(connection: RawConnection, word: str) -> Domain | None:
    with contextlib.suppress(NoSuchDomainError):
        return find(connection, word, allow_id=True)
    return None


def _plain(uri: str) -> str:
    """Return the URI without what is for the client's side alone: as the source's libvirt has to name it."""
    parts = urlsplit(uri)
    return f"{parts.scheme.partition('+')[0]}://{parts.path}"


@contextlib.contextmanager
def _connected(connection: RawConnection) -> Iterator[socket.socket]:
    """Give a connection to this host's libvirt, closed where what follows fails. Raises HypervisorError."""
    with reading():
        uri, driver = str(connection.getURI()), str(connection.getType())
    given = parse_qs(urlsplit(uri).query).get("socket", [])
    places = given or [path for path in _SOCKETS.get(driver, ()) if Path(path).exists()]
    if not places:
        raise HypervisorError("This host's libvirt has no socket that a migration could come through.")
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(_CONNECT_SECONDS)
        sock.connect(places[0])
    except OSError as error:
        sock.close()
        raise HypervisorError(f"{places[0]}: {error.strerror or error}") from error
    try:
        yield sock
    except BaseException:
        sock.close()
        raise


def _judge(call: Call, name: str, uuid: str, descriptions: tuple[str, ...]) -> list[Description]:
    """Return what the descriptions say. Raises UsageError, RefusedError or DeniedError for what may not come."""
    held = call.host.settings.migrate.policy == "create"
    found = []
    for xml in descriptions:
        # What nobody could create here who is held to that has no name either that nobody could give.
        wanted = description.parse(xml, known=not held)
        if (wanted.name, wanted.uuid) != (name, uuid):
            raise DeniedError("What arrives is not the domain that was asked for.")
        if held:
            policy.held_to(without_added(wanted, call.writer), call.host.settings.create, call.writer)
        found.append(wanted)
    return found


def _arrived(call: Call, arrival: Arrival) -> None:
    number = find(call.host.driver.connection(CHANGE), arrival.uuid).identifier()
    if number is None:
        raise HypervisorError(f"'{arrival.name}' has ended on its way.")
    call.host.arrivals.arrived(arrival, number)


def _commit(call: Call, arrival: Arrival) -> None:
    """Let the copy go on: from now on it is the guest."""
    domain = find(call.host.driver.connection(CHANGE), arrival.uuid)
    until = time.monotonic() + _RESUME_SECONDS
    while not arrival.stays_paused:
        try:
            domain.unpause()
            break
        except XmanError:
            # QEMU may still wait for a lock of its source's.
            if time.monotonic() >= until:
                raise
            time.sleep(_POLL_SECONDS)
    call.host.arrivals.forget(arrival.uuid)
    call.host.model.touch()
    with contextlib.suppress(XmanError):
        if call.host.departures is not None:
            call.host.departures.came_back(arrival.uuid)
        call.host.batch.park_at_once(domain)


def _ended(call: Call, arrival: Arrival) -> bool:
    """Look what is left where it was not confirmed; return whether that is a copy that waits for its source's word."""
    now = call.host.arrivals.get(arrival.uuid)
    if now is None or now.id != arrival.id:
        return False
    until = time.monotonic() + (_CLEAR_SECONDS if now.number < 0 else 0.0)
    while True:
        # libvirt clears away by itself what has not come whole.
        found = _find(call.host.driver.connection(CHANGE), arrival.uuid)
        if found is None or not found.active():
            # What it has left here, its source's word takes away; until then it is not started.
            if found is None or (arrival.existed and now.number < 0):
                call.host.arrivals.forget(arrival.uuid)
            return False
        if time.monotonic() >= until:
            call.host.model.touch()
            return True
        time.sleep(_POLL_SECONDS)


_CAUSES = told("defined", "started", "suspended", "resumed", "stopped", "undefined")
ROWS = {
    MIGRATE_IN.name: Row(migrate_in, verdicts.ended_with_us, _CAUSES),
    MIGRATE_MAY.name: Row(migrate_may),
    MIGRATE_SETTLE.name: Row(migrate_settle, verdicts.harmless_again, _CAUSES),
}
