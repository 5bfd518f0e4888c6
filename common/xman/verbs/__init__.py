"""The table of verbs, written once.

Dispatch in xmand, `help`, rxm's prefixes and the manual page are made from this table or tested against it. Names and
grammar follow xm(1); `families` are what an authorizer can grant.
"""

from xman.grammar import AGE, DOMAIN, HOSTS, SECONDS, WORD, Argument, Option, Verb
from xman.verbs.batch import BATCH
from xman.verbs.console import CONSOLE
from xman.verbs.devices import DEVICES
from xman.verbs.host import HOST
from xman.verbs.launch import LAUNCH
from xman.verbs.life import LIFE
from xman.verbs.show import SHOW
from xman.verbs.storage import STORAGE
from xman.verbs.tune import TUNE

VERBS = (*SHOW, *CONSOLE, *HOST, *LIFE, *DEVICES, *LAUNCH, *TUNE, *STORAGE, *BATCH)

BY_NAME = {verb.name: verb for verb in VERBS}
# What programs of ours ask hosts by themselves.
INFO, LIST, STATE = BY_NAME["info"], BY_NAME["list"], BY_NAME["state"]
DESCRIBE, SNAPSHOT_LIST = BY_NAME["describe"], BY_NAME["snapshot-list"]

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
            "show what domains use on one screen, busiest first; q ends it",
            "",
            (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
            (Option(("--every",), "show it anew every S seconds (2)", SECONDS, "S"),),
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
    Option(("--alive",), "while it follows, send an OUTPUT without octets twice a minute: a sign of life"),
    Option(("--timeout",), "how long the caller will wait", SECONDS, "S"),
    Option(
        ("--max-age",),
        "of verbs that look: an answer that is at most so old will do (0)",
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
    if word in BY_NAME or word in OWN:
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
