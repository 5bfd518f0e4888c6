"""create: define and start."""

import contextlib

from xman.errors import NoSuchDomainError, RefusedError, XmanError
from xman.result import Result
from xmand.call import Call
from xmand.virt import description
from xmand.virt.domain import Domain, define, find
from xmand.virt.driver import Connection


def create(call: Call) -> Result:
    """Define and start a domain that is not there yet; where the start fails, nothing of it stays behind."""
    wanted = description.parse(call.parsed.text("FILE"))
    with call.host.locks.hold(wanted.name, call.verb.name, call.deadline):
        connection = call.writer
        for word in filter(None, (wanted.name, wanted.uuid)):
            existing = _find(connection, word)
            if existing is not None:
                state = "running" if existing.active() else "off"
                raise RefusedError(f"Domain '{existing.name}' already exists ({state}).")
        domain = define(connection, wanted.name, wanted.xml)
        try:
            domain.start()
        except XmanError as error:
            raise _undone(domain, error) from error
        data = {"name": domain.name, "uuid": domain.uuid, "id": int(domain.raw.ID())}
        return Result(data, changed=True, domain=domain.name, notes=(f"Started domain {domain.name}",))


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
