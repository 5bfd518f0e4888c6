"""Asking every host what it has: which domains, as a rule."""

from typing import Any

from rxm import folding, slips, targets
from rxm.invocation import Invocation
from rxm.output import envelope
from rxm.remote.command import Reply, wire_words
from rxm.remote.deadline import Deadline
from rxm.targets import Target
from xman import arguments, errors, escape, verbs
from xman.errors import UnreachableError, XmanError
from xman.grammar import Verb


def known(invocation: Invocation) -> dict[str, list[dict[str, Any]]]:
    """Return which domains each host has, to locate those named without a host.

    Raises UnreachableError where one does not answer and the verb would change something: the domain meant might be
    there as well.
    """
    found, problems = ask_all(invocation)
    if problems and invocation.parsed.verb.changes:
        failures = folding.Failures()
        for host, error in problems.items():
            failures.add(host, str(error))
        words = " ".join(failures.lines())
        raise UnreachableError(f"not every host could be asked where the domain is, so nothing was changed: {words}")
    return found


def ask_all(
    invocation: Invocation, hosts: list[str] | None = None
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, XmanError]]:
    """Return what each of `hosts` (all, where they are not given) said that it has, and why the others did not."""
    found, problems = ask_each(invocation, invocation.hosts if hosts is None else hosts, verbs.BY_NAME["list"])
    return {host: result["domains"] for host, result in found.items()}, problems


def ask_each(
    invocation: Invocation, hosts: list[str], verb: Verb
) -> tuple[dict[str, dict[str, Any]], dict[str, XmanError]]:
    """Return what each host answers to a verb that looks, without words, and why the others do not; in their order."""
    parsed = arguments.parse(verb, [])
    # Reading has a deadline of its own, even for a verb that has none.
    deadline = Deadline(invocation.deadline.remaining(verb.default_seconds))
    found: dict[str, dict[str, Any]] = {}
    problems: dict[str, XmanError] = {}

    def ask(host: str) -> None:
        try:
            with invocation.connect(host, deadline) as connection:
                reply = connection.run(wire_words(parsed, json=True), deadline, changes=False)
                told = envelope.of_reply(reply, verb.name, Target(host), connection.principal)
            if not told["ok"]:
                raise errors.of_outcome(told["code"], told["message"])
            found[host] = told["result"]
        except XmanError as error:
            problems[host] = error
        output.ended(host)

    output = invocation.output(several=True)
    output.expect(hosts)
    try:
        invocation.side_by_side(hosts, ask)
    finally:
        output.close()
    in_order = {host: found[host] for host in hosts if host in found}
    return in_order, {host: problems[host] for host in hosts if host in problems}


def hint(invocation: Invocation, target: Target, message: str) -> str:
    """Return which domain was probably meant, where a host's message says that it has no such one; empty otherwise."""
    words = [target.domain] if target.domain else targets.domain_words(invocation.parsed)
    told = message.removesuffix("\n")
    word = next((each for each in words if told.endswith(f"Domain '{each}' does not exist.")), "")
    if not word or "\n" in told:
        return ""
    found, _problems = ask_all(invocation, [target.host])
    names = [str(each["name"]) for domains in found.values() for each in domains]
    # It may have come meanwhile.
    near = slips.meant(word, names) if word not in names else ""
    return f" Did you mean '{escape.line(near)}'?" if near else ""


def explain(invocation: Invocation, target: Target, reply: Reply) -> None:
    """Let a host's answer that there is no such domain end with the one that was probably meant."""
    # A stream's has been shown as it came.
    said = reply.stderr.decode("utf-8", "replace") or f"Domain '{target.domain}' does not exist."
    more = hint(invocation, target, said)
    if more:
        reply.stderr = reply.stderr.removesuffix(b"\n") + f"{more if reply.stderr else more.lstrip()}\n".encode()
