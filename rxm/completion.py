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
from xman.grammar import DOMAIN, HOSTS, PAST, TEXT, Option, Verb
from xman.verbs.words import POWER_STATES, WAIT_STATES

# A person who has pressed the key waits: a host that does not tell its domains in this time is not waited for.
ASK_SECONDS = 0.1
# What no shell takes for anything but itself.
_PLAIN = "_./:=@%+,-"
# What stands for the words of an argument or an option's value, by its name in a usage line.
_WORDS = {
    "--for": WAIT_STATES,
    "--state": POWER_STATES,
    "on|off": ("on", "off"),
    "VERB": (*verbs.BY_NAME, *verbs.OWN),
    "bash|zsh|fish": ("bash", "zsh", "fish"),
}


def main(words: list[str]) -> int:
    """Print the candidates for the last of `words`; return the exit status, which is always 0."""
    lowlevel.out("".join(f"{word}\n" for word in candidates(words or [""], _hosts, _domains)))
    return 0


def for_bash(breaks: str, line: str) -> int:
    """Print the candidates for the end of a line of bash's, quoted as bash would; return the exit status, always 0."""
    lowlevel.out("".join(f"{word}\n" for word in quoted(breaks, line, _hosts, _domains)))
    return 0


def quoted(
    breaks: str, line: str, hosts: Callable[[], list[str]], domains: Callable[[list[str]], list[str]]
) -> list[str]:
    """Return what may stand at the end of `line`: only what bash replaces, which is behind the last of its `breaks`."""
    words, raw, inside = split(line)
    found = candidates(words[1:] or [""], hosts, domains)
    if inside:
        # Between quotes a backslash would be a part of the name.
        return [word for word in found if _escaped(word) == word]
    kept = max(
        (at + 1 for at, character in enumerate(raw) if character in breaks and raw[at - 1 : at] != "\\"), default=0
    )
    start = _escaped(words[-1])[: len(_escaped(split("x " + raw[:kept])[0][-1]))] if kept else ""
    return [_escaped(word).removeprefix(start) for word in found]


def split(line: str) -> tuple[list[str], str, bool]:
    """Return the words of a line as a shell has them, the last one as it is typed, and whether a quote is open."""
    words: list[str] = []
    word, raw, quote, begun = "", "", "", False
    letters = iter(line)
    for letter in letters:
        raw += letter
        if quote:
            if letter == quote:
                quote = ""
            elif letter == "\\" and quote == '"':
                following = next(letters, "")
                raw += following
                word += following if following in '"\\$`' else letter + following
            else:
                word += letter
        elif letter in "'\"":
            quote, begun = letter, True
        elif letter == "\\":
            following = next(letters, "")
            raw, word, begun = raw + following, word + following, True
        elif letter in " \t\n":
            if begun:
                words.append(word)
            word, raw, begun = "", "", False
        else:
            word, begun = word + letter, True
    return [*words, word], raw, bool(quote)


def _escaped(word: str) -> str:
    """Return a word as bash's printf %q quotes it."""
    return "".join(letter if letter.isalnum() or letter in _PLAIN else f"\\{letter}" for letter in word)


def _offered(names: list[str]) -> list[str]:
    """Return those of others' names that a terminal and a command line take for names."""
    return [name for name in names if name.isprintable() and not name.startswith("-")]


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
        return _matching(_names(own_options.OPTIONS) if word.startswith("-") else [*verbs.BY_NAME, *verbs.OWN], word)
    try:
        name = verbs.resolve(before[position])[0]
        verb = verbs.BY_NAME.get(name) or verbs.OWN[name]
    except LookupError:
        return []
    return _matching(_behind(verb, before[position + 1 :], word, hosts, lambda: domains(before[:position])), word)


def _behind(
    verb: Verb, given: list[str], word: str, hosts: Callable[[], list[str]], domains: Callable[[], list[str]]
) -> list[str]:
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
    if place.kind == HOSTS:
        return hosts()
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
    return sorted(set(_offered(found)))


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
