"""The table of verbs, written once.

Dispatch in xmand, `help`, rxm's prefixes and the manual page are made from this table or tested against it. Names and
grammar follow xm(1); `families` are what an authorizer can grant.
"""

from xman.grammar import AGE, DOMAIN, HOSTS, SECONDS, WORD, Argument, Option, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    VERBS: tuple[Verb, ...]
    BY_NAME: dict[str, Verb]


def _families() -> "Iterator[tuple[Verb, ...]]":
    """Yield the rows of each family's file, in the order of `help`; a file is loaded when it is come to."""
    from xman.verbs.show import SHOW

    yield SHOW
    from xman.verbs.console import CONSOLE

    yield CONSOLE
    from xman.verbs.host import HOST

    yield HOST
    from xman.verbs.life import LIFE

    yield LIFE
    from xman.verbs.devices import DEVICES

    yield DEVICES
    from xman.verbs.launch import LAUNCH

    yield LAUNCH
    from xman.verbs.tune import TUNE

    yield TUNE
    from xman.verbs.storage import STORAGE

    yield STORAGE
    from xman.verbs.batch import BATCH

    yield BATCH


def row(name: str) -> Verb | None:
    """Return a verb's row, None where hosts have no such verb.

    Every rxm asks for one verb, and to make the rows of all takes as long as a twentieth of its start: so no more files
    are loaded than are needed to find it.
    """
    for rows in _families():
        for verb in rows:
            if verb.name == name:
                return verb
    return None


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Make the whole table once it is asked for (PEP 562): `VERBS`, and `BY_NAME`."""
        if name not in ("VERBS", "BY_NAME"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        every = tuple(verb for rows in _families() for verb in rows)
        globals().update(VERBS=every, BY_NAME={verb.name: verb for verb in every})
        return globals()[name]


# What rxm answers by itself, or by asking hosts for the verbs above.
OWN = {
    verb.name: verb
    for verb in (
        Verb(
            "check",
            "find out what prevents a command from working",
            "",
            (Argument("HOST", HOSTS, optional=True, many=True),),
            since="0.2",
        ),
        Verb("completion", "print the completion of a shell", "", (Argument("bash|zsh|fish", WORD),), since="0.2"),
        Verb(
            "top",
            "show what domains use on one screen, busiest first; q quits",
            "",
            (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
            (Option(("--every",), "refresh it every S seconds (2)", SECONDS, "S"),),
            since="0.2",
        ),
    )
}

# Options that every command may carry on the wire, behind the verb (DESIGN, "The wire").
COMMON_OPTIONS = (
    Option(("--json",), "answer with one JSON object"),
    Option(("--rid",), "the request's id: 32 hexadecimal digits, the same in a retry", WORD, "HEX"),
    Option(("--reason",), "why, for the audit", WORD, "TEXT"),
    Option(("--input",), "while it follows, take what the client types, by an extension of the wire", since="0.2"),
    Option(("--alive",), "while it follows, send an empty OUTPUT twice a minute as a sign of life"),
    Option(("--timeout",), "how long the caller will wait", SECONDS, "S"),
    Option(
        ("--max-age",),
        "for verbs that read: accept an answer that is at most S seconds old (0)",
        AGE,
        "S",
        since="0.2",
        droppable=True,
    ),
)

# What may be shortened: the verbs of 2006 and 2007 only, so that a later verb never changes what a script means.
CLASSIC = (
    "help",
    "list",
    "create",
    "new",
    "start",
    "delete",
    "destroy",
    "shutdown",
    "reboot",
    "suspend",
    "resume",
    "pause",
    "unpause",
    "mem-set",
    "vcpu-set",
    "describe",
    "migrate",
    "dmesg",
    "info",
)
SHORTEST_PREFIX = 2
# Losing data takes more typing: at least `dest`, and `delete` in full.
_LONGER_PREFIX = {"destroy": 4, "delete": len("delete")}

# xm's old names for verbs that it renamed.
ALIASES = {"balloon": "mem-set", "set-vcpus": "vcpu-set"}


def resolve(word: str) -> tuple[str, str]:
    """Return (verb name, warning) for what a user typed: a name, an alias of xm's or a unique prefix.

    `warning` is empty, or a sentence about a deprecated alias. Raises LookupError with the message for the user.
    """
    if word in OWN or row(word) is not None:
        return word, ""
    if word in ALIASES:
        name = ALIASES[word]
        return name, f"Command {word} is deprecated.  Please use rxm {name} instead."
    matches = [name for name in CLASSIC if name.startswith(word)] if len(word) >= SHORTEST_PREFIX else []
    if len(matches) == 1:
        (name,) = matches
        if len(word) < _LONGER_PREFIX.get(name, SHORTEST_PREFIX):
            raise LookupError(f"'{word}' is too short for {name}, which loses data; type more of it.")
        return name, ""
    if len(matches) > 1:
        raise LookupError(f"'{word}' may mean {', '.join(matches)}; type more of it.")
    raise LookupError(f"'{word}' is not a verb; 'rxm help' lists them.")
