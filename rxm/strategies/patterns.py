"""DOMAIN words that may mean several domains: ranges (`vm[1-3]`) and patterns (`vm*`), or a name that has such signs.

What is listed can be named: the hosts are asked first whether they have a domain of that very name.
"""

import fnmatch

from rxm import folding, targets
from rxm.invocation import Invocation
from rxm.strategies import confirm, locate
from rxm.targets import Target
from xman.errors import NoSuchDomainError, UnreachableError, UsageError, XmanError

_WILD = frozenset("*?")
_Known = dict[str, list[str]]


def addressed(invocation: Invocation, words: list[str], domains: dict[str, str]) -> list[Target]:
    """Return a target for each domain meant, as `targets.address` does.

    Raises UsageError, NoSuchDomainError, and UnreachableError where a host does not tell what a change would be about.
    """
    hosts = list(dict.fromkeys(host for word in words for host in _hosts(word, invocation.hosts)))
    known, problems = locate.ask_all(invocation, hosts)
    names = {host: [str(domain["name"]) for domain in found] for host, found in known.items()}
    meant: list[Target] = []
    wild: list[Target] = []
    for word in words:
        literal, found = _literal(word, invocation.hosts, names), _matching(word, invocation.hosts, names)
        if literal:
            meant += literal
        elif _WILD.isdisjoint(word.partition(":")[2] or word):
            meant += targets.address([word], invocation.hosts, domains)
        elif found:
            wild += found
        else:
            raise _nowhere(word, problems)
    if wild and invocation.parsed.verb.changes:
        _require_meant(invocation, wild, problems)
    return list(dict.fromkeys([*meant, *wild]))


def _hosts(word: str, hosts: list[str]) -> list[str]:
    host, colon, _name = word.partition(":")
    if not colon:
        return hosts
    return targets.expand(host) if "[" in host else [targets.checked(host)]


def _name(word: str) -> str:
    return word.partition(":")[2] if ":" in word else word


def _literal(word: str, hosts: list[str], names: _Known) -> list[Target]:
    """Return the domains of exactly this name. Raises UsageError where the word could as well be a range of others."""
    name, asked = _name(word), _hosts(word, hosts)
    there = [host for host in asked if name in names.get(host, ())]
    if not there:
        return []
    try:
        others = targets.expand(name) if "[" in name else []
    except UsageError:
        others = []
    if any(other in names[host] for host in there for other in others if other != name):
        raise UsageError(f"'{name}' is a domain as well as a range of domains; give its UUID, or name the others.")
    if ":" not in word and len(there) > 1:
        raise UsageError(f"'{name}' is on several hosts; say which (HOST:{name}): {folding.fold(there)}.")
    return [Target(host, name) for host in there]


def _matching(word: str, hosts: list[str], names: _Known) -> list[Target]:
    pattern = _name(word)
    if _WILD.isdisjoint(pattern):
        return []
    return [
        Target(host, name)
        for host in _hosts(word, hosts)
        for name in names.get(host, ())
        if fnmatch.fnmatchcase(name, pattern)
    ]


def _nowhere(word: str, problems: dict[str, XmanError]) -> XmanError:
    for host, error in problems.items():
        return UnreachableError(f"{host}: {error}") if len(problems) > 1 else error
    return NoSuchDomainError(message=f"No domain's name matches '{word}'.")


def _require_meant(invocation: Invocation, wild: list[Target], problems: dict[str, XmanError]) -> None:
    verb = invocation.parsed.verb
    if verb.loses_data:
        raise UsageError(f"'{verb.name}' loses data and takes no patterns; name each domain.")
    if problems:
        failures = folding.Failures()
        for host, error in problems.items():
            failures.add(host, str(error))
        words = " ".join(failures.lines())
        raise UnreachableError(
            f"not every host could be asked what the pattern matches, so nothing was changed: {words}"
        )
    if len({target.host for target in wild}) > 1 and not invocation.options.host:
        raise UsageError(f"The pattern of '{verb.name}' matches domains on several hosts; say which with -H.")
    confirm.require(invocation.options, invocation.parsed, f"'{verb.name}' with a pattern")
    shown: dict[str, list[str]] = {}
    for target in wild:
        shown.setdefault(target.host, []).append(target.domain)
    lines = "".join(f"  {host}: {confirm.names(found)}\n" for host, found in shown.items())
    count = f"{len(wild)} domain{'s' * (len(wild) != 1)} on {len(shown)} host{'s' * (len(shown) != 1)}"
    confirm.ask(invocation.options, invocation.parsed, f"{lines}rxm {verb.name} for {count}? [y/N] ")
