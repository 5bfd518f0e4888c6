"""create and new: a domain that was not there before, from its description."""

import contextlib
from collections.abc import Iterator

from xman.errors import NoSuchDomainError, RefusedError, XmanError
from xman.result import Result
from xmand.call import Call
from xmand.virt import description
from xmand.virt.description import Description
from xmand.virt.domain import Domain, create_transient, define, find
from xmand.virt.driver import Connection


def create(call: Call) -> Result:
    """Define and start; where the start fails, nothing of it stays behind."""
    paused = call.parsed.flag("paused")
    with _description(call) as wanted:
        if call.parsed.flag("dry-run"):
            return Result({"name": wanted.name, "xml": wanted.xml}, domain=wanted.name)
        if call.parsed.flag("transient"):
            domain = create_transient(call.writer, wanted.name, wanted.xml, paused=paused)
        else:
            domain = define(call.writer, wanted.name, wanted.xml)
            try:
                domain.start(paused=paused)
            except XmanError as error:
                raise _undone(domain, error) from error
        data = {"name": domain.name, "uuid": domain.uuid, "id": domain.identifier()}
        return Result(data, changed=True, domain=domain.name, notes=(f"Started domain {domain.name}",))


def new(call: Call) -> Result:
    """Define only."""
    with _description(call) as wanted:
        domain = define(call.writer, wanted.name, wanted.xml)
        return Result({"name": domain.name, "uuid": domain.uuid}, changed=True, domain=domain.name)


@contextlib.contextmanager
def _description(call: Call) -> Iterator[Description]:
    """Give the description, its name locked, after making sure that no such domain is there."""
    wanted = description.parse(call.parsed.text("FILE"))
    with call.host.locks.hold(wanted.name, call.verb.name, call.deadline):
        for word in filter(None, (wanted.name, wanted.uuid)):
            existing = _find(call.writer, word)
            if existing is not None:
                state = "running" if existing.active() else "off"
                raise RefusedError(f"Domain '{existing.name}' already exists ({state}).")
        yield wanted


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
