"""Asking every host which domains it has."""

from typing import Any

from rxm import envelope
from rxm.asking import Asking
from rxm.command import wire_words
from rxm.deadline import Deadline
from rxm.targets import Target
from xman import arguments, errors, verbs
from xman.errors import UnreachableError, XmanError


def known(asking: Asking) -> dict[str, list[dict[str, Any]]]:
    """Return which domains each host has, to locate those named without a host.

    Raises UnreachableError where one does not answer and the verb would change something: the domain meant might be
    there as well.
    """
    found, problems = ask_all(asking)
    if problems and asking.parsed.verb.changes:
        words = " ".join([f"{host}: {error}" for host, error in problems.items()])
        raise UnreachableError(f"not every host could be asked where the domain is, so nothing was changed: {words}")
    return found


def ask_all(asking: Asking) -> tuple[dict[str, list[dict[str, Any]]], dict[str, XmanError]]:
    """Return what each host said that it has, and why the others did not."""
    parsed = arguments.parse(verbs.BY_NAME["list"], [])
    # Reading has a deadline of its own, even for a verb that has none.
    deadline = Deadline(asking.deadline.remaining(parsed.verb.default_seconds))
    found: dict[str, list[dict[str, Any]]] = {}
    problems: dict[str, XmanError] = {}

    def ask(host: str) -> None:
        try:
            with asking.connect(host, deadline) as link:
                reply = link.run(wire_words(parsed, json=True), deadline, changes=False)
                told = envelope.of_reply(reply, "list", Target(host), link.principal)
            if not told["ok"]:
                raise errors.of_outcome(told["code"], told["message"])
            found[host] = told["result"]["domains"]
        except XmanError as error:
            problems[host] = error
        output.ended(host)

    output = asking.output(several=True)
    output.expect(asking.hosts)
    try:
        asking.side_by_side(asking.hosts, ask)
    finally:
        output.close()
    in_order = {host: found[host] for host in asking.hosts if host in found}
    return in_order, {host: problems[host] for host in asking.hosts if host in problems}
