"""Which hosts, which domain on which of them, and which host gets which command. Pure: what hosts know is handed in."""

from rxm.options import Options
from rxm.settings import Settings
from xman import lowlevel, values
from xman.arguments import Parsed
from xman.errors import NoSuchDomainError, UnreachableError, UsageError
from xman.grammar import DOMAIN, HOSTS, PAST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# More hosts than these are folded.
_MOST_CHOICES = 4
# Of a DOMAIN that names its host, or may stand for several.
_SEVERAL = frozenset(":[*?")
# A word that the DNS has hosts for (`xman.srv`).
_LOOKED_UP = "srv:"
# Of a plain range: what may stand around it, and how long its numbers are.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.")
_DIGITS = frozenset("0123456789")
_MOST_DIGITS = 5
_SET_SIGNS = frozenset("[]@*!&^")
# Of a name, of an address of either family, and of the interface behind one (fe80::1%eth0).
_HOST_SIGNS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%")


class Target:
    """One command's addressee: a host and, for a verb on a domain, the domain as it is to be named there."""

    __slots__ = ("domain", "host")

    def __init__(self, host: str, domain: str = "") -> None:
        self.host = host
        self.domain = domain

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Target) and (self.host, self.domain) == (other.host, other.domain)

    def __hash__(self) -> int:
        return hash((self.host, self.domain))

    def __repr__(self) -> str:
        return f"Target({self.host!r}, {self.domain!r})"


def expand(text: str, groups: dict[str, str] | None = None) -> list[str]:
    """Return the names that a comma list, a range (`skirit[80-84]`) or a group (`@cluster`) stands for, once each.

    Groups are those of the configuration (`groups`) and of ClusterShell's own files. Raises UsageError.
    """
    if _SET_SIGNS.isdisjoint(text):
        return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    plain = _plain_range(text.strip())
    if plain is not None:
        return plain
    lowlevel.installed_packages()
    try:
        from rxm import nodesets
    except ImportError:
        raise UsageError(
            f"'{text}': ranges and groups need ClusterShell, which is not installed (Debian: python3-clustershell)."
        ) from None
    return nodesets.names(text, groups or {})


def _plain_range(text: str) -> list[str] | None:
    """Return the names that one plain range stands for (`n[001-100].example.org`); None for all else.

    As ClusterShell has them, but at once: to import that takes as long as to ask thirty hosts.
    """
    before, _opened, rest = text.partition("[")
    numbers, _closed, behind = rest.partition("]")
    first, _dash, last = numbers.partition("-")
    ends = len(first), len(last)
    plain = _PLAIN.issuperset(before + behind) and _DIGITS.issuperset(first + last)
    if not plain or not before or text != f"{before}[{first}-{last}]{behind}":
        return None
    padded = "0" in (first[:1], last[:1])
    if not 0 < min(ends) <= max(ends) <= _MOST_DIGITS or int(first) > int(last) or (padded and ends[0] != ends[1]):
        return None
    return [f"{before}{number:0{ends[0]}}{behind}" for number in range(int(first), int(last) + 1)]


def split(word: str, hosts: list[str]) -> list[Target]:
    """Return the targets that one DOMAIN word names: `vm1`, `vm[1-3]`, `skirit80:vm1`, `skirit[80-81]:vm1`.

    A bare name gets the only host, or none where there are several: it has to be located. Raises UsageError.
    """
    host, colon, names = word.partition(":")
    if not colon:
        host, names = hosts[0] if len(hosts) == 1 else "", word
    elif not host:
        raise UsageError(f"'{word}' names no host before the colon.")
    hosts = (expand(host) if "[" in host else [checked(host)]) if colon else [host]
    expanded = expand(names) if "[" in names else [names]
    return [Target(host, values.domain(name)) for host in hosts for name in expanded]


def mapped(name: str, domains: dict[str, str]) -> str:
    """Return the host that the configuration's `[domains]` gives for a domain, empty where it has none."""
    for pattern, host in domains.items():
        if name in expand(pattern):
            return host
    return ""


def locate(name: str, known: "dict[str, list[dict[str, Any]]]") -> Target:
    """Return where a bare domain is, among what hosts said they have: by name, else by UUID, else by id.

    `known` holds the `result.domains[]` of `list` by host. Raises NoSuchDomainError, and UsageError naming the hosts
    where several have it.
    """
    sought: tuple[tuple[str, object], ...] = (("name", name), ("uuid", name.lower()))
    if values.is_number(name):
        sought += (("id", values.whole(name)),)
    for key, value in sought:
        hosts = [host for host, domains in known.items() if any(domain[key] == value for domain in domains)]
        if len(hosts) == 1:
            return Target(hosts[0], name)
        if hosts:
            from rxm import folding

            choice = ", ".join(f"{host}:{name}" for host in hosts)
            if len(hosts) > _MOST_CHOICES:
                choice = f"HOST:{name}, where HOST is one of {folding.fold(hosts)}"
            raise UsageError(f"'{name}' is on several hosts; say which: {choice}.")
    from rxm import slips

    near = slips.meant(name, {str(domain["name"]) for domains in known.values() for domain in domains})
    hint = f" Did you mean '{near}'?" if near else ""
    raise NoSuchDomainError(message=f"Domain '{name}' does not exist.{hint}")


class Task:
    """What one host is to do: one command, on one domain, on several (verbs that take many), or on none.

    `to` is the HOST of a migration where that is not the same for all.
    """

    __slots__ = ("domains", "target", "to")

    def __init__(self, target: Target, domains: list[str] | None, to: str = "") -> None:
        self.target = target
        self.domains = domains
        self.to = to


def hosts(options: Options, settings: Settings, words: "list[str] | None" = None) -> list[str]:
    """Return the hosts meant: by `words`, option, environment, configuration, or this machine. Raises UsageError."""
    if words:
        if options.host:
            raise UsageError("Give the hosts with -H or behind the verb, not both.")
        if not all(expand(word, groups(word, options, settings)) for word in words):
            raise UsageError("An empty word names no host.")
    text = ",".join(words or ()) or options.host or lowlevel.environment("RXM_HOSTS")
    if not text and lowlevel.is_set("RXM_HOSTS"):
        raise UsageError("RXM_HOSTS is set and empty, which names no host; unset it for the configured hosts.")
    text = text or settings.hosts
    if _LOOKED_UP in text:
        from rxm import looked_up

        text = looked_up.words(text, options.port or settings.port)
    return named(text, groups(text, options, settings)) if text else [this_machine()]


def groups(text: str, options: Options, settings: Settings) -> "dict[str, str]":
    """Return the configuration's groups, the hosts in place of the DNS' words in those that `text` names.

    Raises UsageError and UnreachableError.
    """
    if "@" not in text or not any(_LOOKED_UP in group for group in settings.groups.values()):
        return settings.groups
    from rxm import looked_up

    return looked_up.groups(text, settings.groups, options.port or settings.port)


def named(text: str, groups: dict[str, str]) -> list[str]:
    """Return the hosts that a text names, each once. Raises UsageError, also where it names none."""
    found = expand(text, groups)
    if not found:
        raise UsageError(f"'{text}' names no host.")
    different: dict[str, str] = {}
    for host in found:
        different.setdefault(same(host), checked(host))
    return list(different.values())


def same(host: str) -> str:
    """Return a host's name as names are compared: without case, and without the dot at its end."""
    return host.removesuffix(".").lower()


def checked(host: str) -> str:
    """Return what can be the name or address of a host. Raises UsageError, with what to write instead."""
    if _HOST_SIGNS.issuperset(host) and host[:1] != "-" and (host.count(":") != 1):
        return host
    from rxm import slips

    return slips.host(host)


def alters_unnamed(parsed: Parsed) -> bool:
    """Whether the command changes something and names no domain, there or to be, so that each host would do it."""
    if parsed.flag("all"):
        return True
    if parsed.flag("dry-run") or domain_words(parsed) or parsed.verb.makes:
        return False
    return parsed.verb.changes or parsed.flag("clear")


def host_words(parsed: Parsed) -> list[str]:
    """Return the hosts that are named behind the verb, in place of those of -H."""
    return [
        word
        for argument in parsed.verb.arguments
        if argument.kind == HOSTS
        for word in parsed.given.get(argument.name, ())
    ]


def domain_words(parsed: Parsed) -> list[str]:
    """Return the DOMAIN words given whose hosts are not simply all that are asked."""
    for argument in parsed.verb.arguments:
        if argument.kind == DOMAIN:
            return parsed.words(argument.name)
        if argument.kind == PAST:
            return [word for word in parsed.given[argument.name] if not _SEVERAL.isdisjoint(word)]
    return []


def address(words: list[str], hosts: list[str], domains: dict[str, str]) -> list[Target]:
    """Return a target for each domain named; those with an empty host have yet to be located."""
    targets = [target for word in words for target in split(word, hosts)]
    spelled = {same(host): host for host in hosts}
    for target in targets:
        target.host = target.host or mapped(target.domain, domains)
        target.host = spelled.setdefault(same(target.host), target.host)
    return targets


def located(targets: list[Target], known: "dict[str, list[dict[str, Any]]]") -> list[Target]:
    """Return `targets` with a host for each. Raises NoSuchDomainError and UsageError."""
    return [target if target.host else locate(target.domain, known) for target in targets]


def tasks(parsed: Parsed, hosts: list[str], targets: list[Target]) -> list[Task]:
    """Return the commands to send; a verb that takes many domains sends each host its own in one command."""
    if parsed.verb.takes_domain or (targets and not parsed.verb.arguments[0].many):
        return [Task(target, [target.domain]) for target in dict.fromkeys(targets)]
    if targets:
        by_host: dict[str, list[str]] = {}
        for target in targets:
            by_host.setdefault(target.host, []).append(target.domain)
        return [Task(Target(host), names) for host, names in by_host.items()]
    return [Task(Target(host), None) for host in hosts]


def this_machine() -> str:
    """Return this machine's own name."""
    import socket

    return socket.getfqdn()


def unreachable(error: UnreachableError, host: str, settings: Settings) -> UnreachableError:
    """Return what to say of a host that cannot be found; with the one of the configuration that was probably meant."""
    if "cannot be resolved" not in str(error):
        return error
    from rxm import slips

    try:
        texts = [each for each in (settings.hosts, *settings.groups.values()) if _LOOKED_UP not in each]
        known = [name for text in texts if text for name in expand(text, settings.groups)]
    except UsageError:
        return error
    return UnreachableError(f"{error}{slips.did_you_mean(host, [name for name in known if name != host])}")
