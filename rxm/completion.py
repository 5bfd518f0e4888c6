"""What may come next on the command line, for the completions of bash, zsh and fish (etc/completion).

They call `rxm __complete WORD...` with the words so far, the last one unfinished, and get a candidate a line; none
means that the shell may offer files. All of it comes from the tables that the command itself is read by.
"""

import threading
from collections.abc import Callable

from rxm import options as own_options
from rxm import settings, targets
from xman import lowlevel, verbs
from xman.errors import XmanError
from xman.verbs import DOMAIN, PAST, TEXT, Option, Verb

# A person who has pressed the key waits: a host that does not tell its domains in this time is not waited for.
ASK_SECONDS = 0.1
# What stands for the words of an argument or an option's value, by its name in a usage line.
_WORDS = {
    "--for": verbs.WAIT_STATES,
    "--state": verbs.POWER_STATES,
    "on|off": ("on", "off"),
    "VERB": tuple(verbs.BY_NAME),
}


def main(words: list[str]) -> int:
    """Print the candidates for the last of `words`; return the exit status, which is always 0."""
    lowlevel.out("".join(f"{word}\n" for word in candidates(words or [""], _hosts, _domains)))
    return 0


def candidates(
    words: list[str], hosts: Callable[[], list[str]], domains: Callable[[list[str]], list[str]]
) -> list[str]:
    """Return what the last of `words` may become.

    `hosts` gives groups and hosts, `domains` the domains of the hosts that the words before the verb name.
    """
    *before, word = words
    position = 0
    while position < len(before) and before[position].startswith("-"):
        option = _option(own_options.OPTIONS, before[position])
        if option is not None and option.kind is not None and "=" not in before[position]:
            position += 1
            if position == len(before):
                return _matching(hosts(), word) if option.key == "host" else []
        position += 1
    if position >= len(before):
        return _matching(_names(own_options.OPTIONS) if word.startswith("-") else list(verbs.BY_NAME), word)
    try:
        verb = verbs.BY_NAME[verbs.resolve(before[position])[0]]
    except LookupError:
        return []
    return _matching(_behind(verb, before[position + 1 :], word, lambda: domains(before[:position])), word)


def _behind(verb: Verb, given: list[str], word: str, domains: Callable[[], list[str]]) -> list[str]:
    if given and (option := _option(verb.options, given[-1])) is not None and option.kind is not None:
        return list(_WORDS.get(option.names[-1], ()))
    if word.startswith("-"):
        return [*_names(verb.options), "--help"]
    count, skip = 0, False
    for one in given:
        option = _option(verb.options, one)
        if skip or one.startswith("-"):
            skip = not skip and option is not None and option.kind is not None
        else:
            count += 1
    places = list(verb.arguments)
    if not places or (count >= len(places) and not (places[-1].many or places[0].kind == DOMAIN)):
        return []
    place = places[min(count, len(places) - 1)]
    if place.kind in (DOMAIN, PAST):
        return domains()
    return [] if place.kind == TEXT else list(_WORDS.get(place.name, ()))


def _option(options: tuple[Option, ...], word: str) -> Option | None:
    return next((option for option in options if word.partition("=")[0] in option.names), None)


def _names(options: tuple[Option, ...]) -> list[str]:
    return [name for option in options for name in option.names if name.startswith("--")]


def _matching(found: list[str], word: str) -> list[str]:
    return [one for one in found if one.startswith(word)]


def _hosts() -> list[str]:
    from rxm import nodesets

    configured = settings.load("")
    plain = [host for host in configured.hosts.split(",") if host and "[" not in host and "@" not in host]
    return [f"@{group}" for group in nodesets.known(configured.groups)] + plain


def _domains(words: list[str]) -> list[str]:
    """Return the domains of the hosts that rxm's own `words` name, as far as these tell them in time."""
    found: list[str] = []
    invocation = threading.Thread(target=_ask, args=(words, found), daemon=True)
    invocation.start()
    invocation.join(ASK_SECONDS)
    return sorted(set(found))


def _ask(words: list[str], found: list[str]) -> None:
    from rxm.client import Client
    from rxm.remote.connection import initiator
    from rxm.remote.deadline import Deadline

    try:
        options, _ = own_options.parse(words)
        configured = settings.load(options.config)
        identity = initiator(configured.client_keytab, configured.principal)
        for host in targets.hosts(options, configured):
            port, service = options.port or configured.port, options.service or configured.service
            with Client(host, port, service, identity, Deadline(ASK_SECONDS)) as connection:
                found += [str(domain["name"]) for domain in connection.call("list", timeout=ASK_SECONDS)["domains"]]
    except XmanError:
        pass  # then there are no names to offer
