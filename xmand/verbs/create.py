"""create and new: a domain that was not there before, from its description."""

import contextlib
from collections.abc import Iterator

from xman.errors import NoSuchDomainError, RefusedError, UsageError, XmanError
from xman.result import Result
from xmand import formats
from xmand.call import Call
from xmand.virt import description
from xmand.virt.description import Description
from xmand.virt.domain import Domain, create_transient, define, find
from xmand.virt.driver import Connection, reading


def create(call: Call) -> Result:
    """Define and start; where the start fails, nothing of it stays behind."""
    paused = call.parsed.flag("paused")
    with _description(call) as (wanted, notes):
        if call.parsed.flag("dry-run"):
            return Result({"name": wanted.name, "xml": wanted.xml}, domain=wanted.name, notes=notes)
        if call.parsed.flag("transient"):
            domain = create_transient(call.writer, wanted.name, wanted.xml, paused=paused)
        else:
            domain = define(call.writer, wanted.name, wanted.xml)
            try:
                domain.start(paused=paused)
            except XmanError as error:
                raise _undone(domain, error) from error
        data = {"name": domain.name, "uuid": domain.uuid, "id": domain.identifier()}
        return Result(data, changed=True, domain=domain.name, notes=(*notes, f"Started domain {domain.name}"))


def new(call: Call) -> Result:
    """Define only."""
    with _description(call) as (wanted, notes):
        domain = define(call.writer, wanted.name, wanted.xml)
        data = {"name": domain.name, "uuid": domain.uuid}
        return Result(data, changed=True, domain=domain.name, notes=notes)


@contextlib.contextmanager
def _description(call: Call) -> Iterator[tuple[Description, tuple[str, ...]]]:
    """Give the description and what is to be said of it, its name locked, and no such domain there."""
    converted = _converted(call)
    wanted = description.parse(converted.xml)
    with call.host.locks.hold(wanted.name, call.verb.name, call.deadline):
        for word in filter(None, (wanted.name, wanted.uuid)):
            existing = _find(call.writer, word)
            if existing is not None:
                state = "running" if existing.active() else "off"
                raise RefusedError(f"Domain '{existing.name}' already exists ({state}).")
        yield wanted, converted.warnings


def _converted(call: Call) -> formats.Converted:
    """Return FILE, with the KEY=VALUE words behind it, as libvirt's XML. Raises UsageError and UnsupportedError."""
    text, parsed = call.parsed.text("FILE"), call.parsed
    overrides: dict[str, str] = {}
    for word in parsed.words("KEY=VALUE"):
        key, equals, value = word.partition("=")
        if not equals or not key.replace(".", "_").isidentifier():
            raise UsageError("Behind FILE stand KEY=VALUE words only.")
        if key in overrides:
            raise UsageError(f"{key}= is given twice; a list is written {key}=['...', '...'].")
        overrides[key] = value
    driver = ""
    if not formats.is_xml(text):
        with reading():
            driver = str(call.writer.getType())
    return formats.to_xml(text, driver, overrides, convert=parsed.flag("convert"), strict=parsed.flag("strict"))


def _find(connection: Connection, word: str) -> Domain | None:
    with contextlib.suppress(NoSuchDomainError):
        return find(connection, word)
    return None


def _undone(domain: Domain, error: XmanError) -> XmanError:
    """Forget the domain that could not be started; return the error, saying where that failed as well."""
    try:
        domain.undefine()
    except XmanError as second:
        return type(error)(f"{error}; '{domain.name}' stays defined: {second}")
    return error
