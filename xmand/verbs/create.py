"""create and new: a domain from its description, a new one or one that is off."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from xman import verbs
from xman.errors import NoSuchDomainError, RefusedError, UsageError, XmanError
from xman.result import Result
from xmand import formats
from xmand.consoles import kept
from xmand.formats.context import ThisHost
from xmand.formats.dialect import DIALECTS
from xmand.journal import verdicts
from xmand.settings import NO_LISTENER
from xmand.verbs.call import Call
from xmand.verbs.permitted import permitted
from xmand.verbs.row import Row, told
from xmand.verbs.starting import guarded, remember_who
from xmand.virt import definition, description, disk_users, host, kvm, schema, sources
from xmand.virt.binding import RawConnection
from xmand.virt.definition import Former
from xmand.virt.description import Description
from xmand.virt.domain import Domain, create_transient, find
from xmand.virt.driver import LXC, QEMU, XEN
from xmand.virt.errors import reading
from xmand.virt.qemu_log import LOGS

_NO_LISTENER = 'Its screen listens on no network ([screen] listen = "none" on this host); rxm vnc shows it.'
# Another description in a domain's place loses the former one.
_LOSE_DATA = frozenset(verb.name for verb in verbs.VERBS if verb.loses_data)


@dataclass(frozen=True)
class _Wanted:
    """What is to be defined, what a person is to be told of it, and what it replaces."""

    description: Description
    notes: tuple[str, ...]
    autostart: bool
    before: Former | None

    @property
    def name(self) -> str:
        return self.description.name


def create(call: Call) -> Result:
    """Define and start; where the start fails, everything is as it was before."""
    paused = call.parsed.flag("paused")
    if _as_new(call) and not call.parsed.flag("dry-run"):
        raise UsageError("'create --as-new' only shows what a description means: it needs --dry-run.")
    with _wanted(call) as wanted:
        if call.parsed.flag("dry-run"):
            against = schema.why_not(wanted.description.xml)
            if against:
                raise UsageError(f"libvirt's schema does not allow the description: {against}.")
            shown, left_out = description.left_out(wanted.description.xml)
            with_host = ("It will be started with its host.",) if wanted.autostart else ()
            notes = (*wanted.notes, *with_host, *left_out, *_not_here(call, wanted))
            return Result({"name": wanted.name, "xml": shown}, domain=wanted.name, notes=notes)
        call.host.batch.maintenance.refuse()
        if call.parsed.flag("transient"):
            if wanted.before is not None:
                raise RefusedError(f"Domain '{wanted.name}' already exists (off), and would not be transient.")
            if wanted.autostart:
                raise UsageError("A transient domain cannot be started with its host (on_xend_start).")
            call.record.intends(wanted.name, wanted.description.uuid)
            domain = create_transient(call.writer, wanted.name, wanted.description.xml, paused=paused)
        else:
            domain = _defined(call, wanted)
            try:
                with guarded(call).around(domain, restores=False) as found:
                    domain.start(paused=paused, anew=found.origin is not None and found.origin.discard)
            except XmanError as error:
                raise definition.undone(domain, wanted.before, error) from error
        data = _data(domain, wanted) | {"id": domain.identifier()}
        beside = call.host.batch.park_at_once(domain)
        notes = (
            *wanted.notes,
            f"Started domain {domain.name}",
            *beside,
            *(remember_who(call, domain) if paused else ()),
        )
        return Result(data, changed=True, domain=domain.name, notes=notes)


def _not_here(call: Call, wanted: _Wanted) -> tuple[str, ...]:
    """What a start on this host would fail by, all of it at once: libvirt names the first only."""
    with reading():
        real = call.writer.getType() in (QEMU, XEN, LXC)
    found = sources.missing(wanted.description.xml) if real else ()
    return (f"Not found on this host: {', '.join(found)}.",) if found else ()


def new(call: Call) -> Result:
    """Define only."""
    with _wanted(call) as wanted:
        domain = _defined(call, wanted)
        return Result(_data(domain, wanted), changed=True, domain=domain.name, notes=wanted.notes)


def _defined(call: Call, wanted: _Wanted) -> Domain:
    call.record.intends(wanted.name, wanted.description.uuid, replaces=wanted.before is not None)
    return definition.defined(call.writer, wanted.description, wanted.before, autostart=wanted.autostart)


def _data(domain: Domain, wanted: _Wanted) -> dict[str, object]:
    data: dict[str, object] = {"name": domain.name, "uuid": domain.uuid}
    return data if wanted.before is None else data | {"redefined": True}


@contextlib.contextmanager
def _wanted(call: Call) -> Iterator[_Wanted]:
    """Give what is to be defined, its name locked.

    A domain of that name that is off is redefined, if FILE does not say that it means another one. Raises RefusedError
    where it runs, or where its UUID is not FILE's. As new, none is looked for.
    """
    converted = _converted(call)
    asked = permitted(call, description.parse(converted.xml))
    if _as_new(call):
        new, said = kept_private(call, asked)
        yield _Wanted(new, (*converted.warnings, *said), converted.autostart, None)
        return
    with reading():
        shares = call.writer.getType() == QEMU
    with contextlib.ExitStack() as locks:
        locks.enter_context(call.host.locks.hold(asked.name, call.verb.name, call.deadline))
        existing = _find(call.writer, asked.name)
        if existing is not None and asked.uuid in ("", existing.uuid) and _may_replace(call):
            # The other verbs know it by its UUID.
            locks.enter_context(call.host.locks.hold(existing.uuid, call.verb.name, call.deadline))
            call.require_settled(existing)
            before = definition.former(call.writer, existing)
            if shares:
                disk_users.require_no_base(call.writer, disk_users.written(call.writer, asked.xml), existing.uuid)
            note = f"The description of '{existing.name}', which was off, is replaced."
            replacing, said = kept_private(call, description.with_uuid(asked, existing.uuid))
            yield _Wanted(replacing, (*converted.warnings, *said, note), converted.autostart, before)
            return
        other = existing or (_find(call.writer, asked.uuid) if asked.uuid else None)
        if other is not None:
            raise RefusedError(f"Domain '{other.name}' already exists, with the UUID {other.uuid}.")
        if shares:
            disk_users.require_no_base(call.writer, disk_users.written(call.writer, asked.xml), "")
        # A UUID of our own, so that after a crash it can be told whether this domain is the one meant.
        new = asked if asked.uuid or call.parsed.flag("dry-run") else description.with_uuid(asked, str(uuid4()))
        if new.uuid:
            locks.enter_context(call.host.locks.hold(new.uuid, call.verb.name, call.deadline))
        new, said = kept_private(call, new)
        if not call.parsed.flag("dry-run"):
            _printed_nothing_yet(call, new)
        yield _Wanted(new, (*converted.warnings, *said), converted.autostart, None)


def _as_new(call: Call) -> bool:
    return call.parsed.flag("as-new")


def kept_private(call: Call, wanted: Description) -> tuple[Description, tuple[str, ...]]:
    """Return the description as this host keeps its guests' consoles and screens, and what is to be said of that."""
    wanted = _logged(call, wanted)
    if call.host.settings.screen.listen != NO_LISTENER:
        return wanted, ()
    with reading():
        if call.writer.getType() != QEMU:  # no other driver reaches a screen that listens nowhere
            return wanted, ()
    private = description.without_listeners(wanted)
    return private, () if private is wanted else (_NO_LISTENER,)


def _logged(call: Call, wanted: Description) -> Description:
    """Return the description with a file for what its console prints, where libvirt keeps such files."""
    if not (call.host.settings.console.log and Path(LOGS).is_dir()):  # libvirt makes none, and starts nothing then
        return wanted
    with reading():
        keeps = call.writer.getType() == QEMU and str(call.writer.getURI()).endswith("/system")
    return description.with_console_log(wanted, LOGS) if keeps else wanted


def _printed_nothing_yet(call: Call, wanted: Description) -> None:
    """Let nothing be shown as the new domain's that another one of its UUID, or of its name, has printed."""
    kept.forget(wanted.uuid, LOGS)
    with reading():
        if call.writer.getType() == XEN:
            call.host.kept_by_name.begins(wanted.uuid, wanted.name)


def _may_replace(call: Call) -> bool:
    """Whether the caller may have another description in a domain's place: who may delete it does no more by that."""
    access = call.access
    return access.listed_caller or (not access.restricted and access.verbs >= _LOSE_DATA)


def _converted(call: Call) -> formats.Converted:
    """Return FILE, with the KEY=VALUE words behind it, as libvirt's XML. Raises UsageError and UnsupportedError."""
    text, parsed = call.parsed.text("FILE"), call.parsed
    overrides: dict[str, str] = {}
    for word in parsed.words("KEY=VALUE"):
        key, equals, value = word.partition("=")
        if not equals or not key.replace(".", "_").isidentifier():
            raise UsageError("Only KEY=VALUE words may follow FILE.")
        if key in overrides:
            raise UsageError(f"{key}= is given twice; a list is written {key}=['...', '...'].")
        overrides[key] = value
    if formats.is_xml(text, overrides):
        return formats.to_xml(text, "", overrides, convert=False, strict=False)
    with reading():
        driver = str(call.writer.getType())
    emulated = kvm.why_not(call.writer) if driver == "QEMU" else ""
    convert, strict = parsed.flag("convert"), parsed.flag("strict")
    theirs = str(parsed.options.get("format", ""))
    if theirs not in ("", *DIALECTS):
        raise UsageError(f"'{theirs[:32]}' is neither xm nor xl.")
    found = formats.to_xml(
        text,
        driver,
        overrides,
        convert=convert,
        strict=strict,
        kvm=not emulated,
        theirs=theirs,
        host=_this_host(call),
    )
    return replace(found, warnings=(*found.warnings, emulated)) if emulated else found


def _this_host(call: Call) -> ThisHost:
    """Return what a conversion may ask of the host. Raises UsageError."""
    directory = str(call.parsed.options.get("directory", ""))
    if directory and not directory.startswith("/"):
        raise UsageError(f"--directory is a whole path on the host, such as /srv/guests, not '{directory[:64]}'.")
    with reading():
        cpus = int(call.writer.getInfo()[2])
    return ThisHost(cpus, lambda: host.node_cpus(call.writer), os.path.exists, directory)


def _find(connection: RawConnection, word: str) -> Domain | None:
    with contextlib.suppress(NoSuchDomainError):
        return find(connection, word)
    return None


ROWS = {
    "create": Row(create, verdicts.created, told("defined", "started", "suspended", "stopped", "undefined")),
    "new": Row(new, verdicts.defined, told("defined")),
}
