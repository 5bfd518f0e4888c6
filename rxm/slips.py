"""What was meant, where a word is not what it should be: loaded only to say so."""

from xman import escape, verbs
from xman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xman.grammar import Verb

# From so many letters on two may be wrong.
_LONG = 6


def host(word: str) -> str:
    """Return the name of a host that is not of ASCII; raise UsageError for what is none, with what to write instead."""
    shown = escape.line(word)
    if "@" in word:
        user, _, name = map(escape.line, word.partition("@"))
        raise UsageError(f"'{shown}': write the host alone, {name}; who you are, your ticket says (kinit {user}).")
    if word.startswith("-"):
        raise UsageError(f"'{shown}' is not a host; hosts are left out by '!': @all!{shown.lstrip('-')}.")
    if word.count(":") == 1 and "/" not in word:
        name, _, port = map(escape.line, word.partition(":"))
        raise UsageError(f"'{shown}': the port is an option of its own: -H {name} -p {port or 'N'}.")
    if "://" in word:
        raise UsageError(f"'{shown}': write the host alone ({escape.line(word.partition('://')[2].split('/')[0])}).")
    if word.isascii() or not word.isprintable() or any(character.isspace() or character in "/@:" for character in word):
        raise UsageError(f"'{shown}' cannot be the name of a host.")
    return word


def names(text: str, problem: str) -> UsageError:
    """Return what to say of a list of hosts, or of domains, that cannot be read."""
    inner = text.strip().removeprefix("[").removesuffix("]")
    if text.strip().startswith("[") and ":" in inner and frozenset("0123456789abcdefABCDEF:.").issuperset(inner):
        return UsageError(f"'{text}': write an address of IPv6 without brackets: {inner}.")
    return UsageError(f"'{escape.line(text)}' is not a list of names: {problem}.")


def meant(word: str, known: "Iterable[str]") -> str:
    """Return which of the `known` words was probably meant; empty where none is near."""
    near = sorted((_distance(word.lower(), each.lower()), each) for each in known)
    return near[0][1] if near and near[0][0] <= (1 if len(word) < _LONG else 2) else ""


def _distance(one: str, other: str) -> int:
    """Return how many letters are wrong, missing, too many, or exchanged with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        earlier, before, row = before, row, [at]
        for there, theirs in enumerate(other, 1):
            cost = min(before[there] + 1, row[-1] + 1, before[there - 1] + (letter != theirs))
            exchanged = at > 1 and there > 1 and letter == other[there - 2] and one[at - 2] == theirs
            row.append(min(cost, earlier[there - 2] + 1) if exchanged else cost)
    return row[-1]


def did_you_mean(word: str, known: "Iterable[str]") -> str:
    """Return a question that stands behind an error; empty where nothing is near."""
    near = meant(word, known) if len(word) > len("-x") else ""
    return f" Did you mean {near}?" if near else ""


# Words of others for what ours does: virsh, qm, incus, and xm's and xl's that we have not.
_FOREIGN = {
    "dumpxml": "describe",
    "config": "describe",
    "show": "describe",
    "define": "new",
    "add": "new",
    "undefine": "delete",
    "remove": "delete",
    "rm": "delete",
    "stop": "shutdown, or destroy to stop it at once",
    "kill": "destroy",
    "poweroff": "destroy",
    "reset": "destroy, then start",
    "restart": "reboot",
    "managedsave": "suspend",
    "hibernate": "suspend",
    "save": "suspend, which saves to the host's disk",
    "restore": "resume",
    "setmem": "mem-set",
    "setvcpus": "vcpu-set",
    "mem-max": "describe and new: the maximum is in the description",
    "ls": "list",
    "ps": "list",
    "dominfo": "list --long",
    "domstate": "list",
    "domstats": "stats",
    "domifaddr": "stats",
    "domblkinfo": "stats",
    "dommemstat": "stats",
    "monitor": "events --follow",
    "event": "events --follow",
    "nodeinfo": "info",
    "hostinfo": "info",
    "sysinfo": "info",
    "status": "list, or state for batch jobs",
    "domid": "-o csv --columns name,id list",
    "domname": "-o csv --columns id,name list",
    "uptime": "stats",
    "vcpu-list": "stats",
    "block-list": "stats",
    "network-list": "stats",
    "console": "describe, which says where its console is; a console through rxm comes later",
    "vnc": "describe, which says where its screen is",
    "vncviewer": "describe, which says where its screen is",
    "vncdisplay": "describe, which says where its screen is",
    "dump-core": "virsh dump on the host",
    "dump": "virsh dump on the host",
    "sched-credit": "virsh schedinfo on the host",
    "hosts": "ping",
    "whoami": "ping",
    "access": "help --mine",
    "doctor": "check",
    "history": "log",
    "audit": "log",
    "exec": "ssh to the guest",
    "edit": "describe --inactive, then new",
}


def resolve(word: str) -> tuple[str, str]:
    """Return (verb, warning) as `verbs.resolve` does. Raises UsageError, with what was probably meant."""
    try:
        return verbs.resolve(word)
    except LookupError as error:
        foreign = _FOREIGN.get(word, "")
        if foreign:
            raise UsageError(f"'{escape.line(word)}' is not a verb; here it is 'rxm {foreign}'.") from error
        near = did_you_mean(word, [*verbs.BY_NAME, *verbs.OWN]) if "is not a verb" in str(error) else ""
        raise UsageError(f"{error}{near}") from error


def option(verb: "Verb", words: list[str], own: "Iterable[str]") -> str:
    """Return which option of a verb, or of rxm's `own`, was probably meant by the first of `words` that is none."""
    known = [name for each in (*verb.options, *verbs.COMMON_OPTIONS) for name in each.names]
    for word in words:
        name = word.partition("=")[0]
        if name == "--":
            break
        if name.startswith("--") and name not in known:
            return did_you_mean(name, [*known, *own])
    return ""
