"""From the words of the command line to a list of commands: which host gets which."""

from rxm.options import Options
from rxm.settings import Settings
from rxm.targets import Target, expand, locate, mapped, split
from xman import lean
from xman.arguments import Parsed
from xman.errors import UsageError
from xman.verbs import DOMAIN, PAST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Job:
    """What one host is to do: one command, on one domain, on several (verbs that take many), or on none."""

    __slots__ = ("domains", "target")

    def __init__(self, target: Target, domains: list[str] | None) -> None:
        self.target = target
        self.domains = domains


def hosts(options: Options, settings: Settings) -> list[str]:
    """Return the hosts meant: by option, environment, configuration, or this machine. Raises UsageError."""
    text = options.host or lean.environment("RXM_HOSTS") or settings.hosts
    found = expand(text, settings.groups) if text else [_this_machine()]
    if not found:
        raise UsageError(f"'{text}' names no host.")
    return found


def domain_words(parsed: Parsed) -> list[str]:
    """Return the DOMAIN words given whose hosts are not simply all that are asked."""
    for argument in parsed.verb.arguments:
        if argument.kind == DOMAIN:
            return parsed.words(argument.name)
        if argument.kind == PAST:
            return [word for word in parsed.given[argument.name] if ":" in word]
    return []


def address(words: list[str], hosts: list[str], domains: dict[str, str]) -> list[Target]:
    """Return a target for each domain named; those with an empty host have yet to be located."""
    targets = [target for word in words for target in split(word, hosts)]
    for target in targets:
        target.host = target.host or mapped(target.domain, domains)
    return targets


def located(targets: list[Target], known: "dict[str, list[dict[str, Any]]]") -> list[Target]:
    """Return `targets` with a host for each. Raises NoSuchDomainError and UsageError."""
    return [target if target.host else locate(target.domain, known) for target in targets]


def jobs(parsed: Parsed, hosts: list[str], targets: list[Target]) -> list[Job]:
    """Return the commands to send; a verb that takes many domains sends each host its own in one command."""
    if parsed.verb.takes_domain or (targets and not parsed.verb.arguments[0].many):
        return [Job(target, [target.domain]) for target in dict.fromkeys(targets)]
    if targets:
        by_host: dict[str, list[str]] = {}
        for target in targets:
            by_host.setdefault(target.host, []).append(target.domain)
        return [Job(Target(host), names) for host, names in by_host.items()]
    return [Job(Target(host), None) for host in hosts]


def _this_machine() -> str:
    import socket

    return socket.getfqdn()
