"""What a host tells collectors of itself, over the wire that all commands take: both ends' part of it.

A report is the command `report` with one JSON object, which is a line of `state`: all domains first (`whole`), then
those that have changed (`gone`: that are not there any more), and what the host is like (`condition`, as `hosts` has
it). Reports of one connection are numbered (`seq`); what is too long for one goes in several, all but the last with
`more`. The answer says after how many seconds without a change another one is expected, and whether everything is to be
told again.
"""

from xman import lean_json, srv
from xman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = b"report"
PORT = 4374
# The key that whoever runs a portal has.
SERVICE = "HTTP"
# What it may wish for.
LEAST_SECONDS, MOST_SECONDS = 0.2, 3600.0
# Of one report: a command has room for 1 MiB.
MOST_OCTETS = 900_000
_MOST_ANSWER = 4096


class Wish:
    """What a collector wants next: another report after `seconds` at the latest, with `everything` where it says so."""

    __slots__ = ("everything", "seconds")

    def __init__(self, seconds: float, everything: bool = False) -> None:
        self.seconds = seconds
        self.everything = everything

    def octets(self) -> bytes:
        """Return it as it is sent."""
        return lean_json.dumps({"seconds": self.seconds, "everything": self.everything}).encode()


def wish(octets: bytes) -> Wish:
    """Read what a collector said. Raises ValueError where it is none."""
    try:
        found = lean_json.loads(octets[:_MOST_ANSWER])
        seconds = float(found["seconds"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("what came is not an answer to a report") from error
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise ValueError(f"it asks for a report every {seconds} seconds")
    return Wish(seconds, found.get("everything") is True)


def wrong_place(word: str) -> str:
    """Return what is wrong with a collector's name in a configuration, empty where nothing is; nobody is asked."""
    try:
        if not word.startswith(srv.PREFIX):
            srv.place(word, PORT)
    except UsageError as error:
        return str(error)
    return ""


def parts(envelope: "dict[str, Any]", most: int = MOST_OCTETS) -> "list[bytes]":
    """Return a report as it is sent: in one piece, or in several whose domains together are its own."""
    whole = lean_json.dumps(envelope).encode("utf-8", "replace")
    if len(whole) <= most or not envelope["ok"]:
        return [whole]
    result = envelope["result"]
    rows = [("domains", row) for row in result["domains"]] + [("others", row) for row in result.get("others", ())]
    about = {key: value for key, value in result.items() if key not in ("domains", "others")}
    found: list[bytes] = []
    taken: dict[str, list[Any]] = {"domains": [], "others": []}
    # What is not the rows: by far the smaller part, and bounded by what a host's own facts are.
    size = rest = len(lean_json.dumps(envelope | {"result": about | taken, "more": True}))
    for kind, row in rows:
        length = len(lean_json.dumps(row).encode("utf-8", "replace")) + 2
        if size + length > most and size > rest:
            found.append(lean_json.dumps(envelope | {"result": about | taken, "more": True}).encode("utf-8", "replace"))
            about, taken, size = about | {"whole": False}, {"domains": [], "others": []}, rest
            about.pop("gone", None)
        taken[kind].append(row)
        size += length
    found.append(lean_json.dumps(envelope | {"result": about | taken}).encode("utf-8", "replace"))
    return found
