"""What a check finds: as it should be; worth knowing; to be mended before what is checked is of use."""

from collections.abc import Iterable, Iterator

from xman import escape, lowlevel, outcome

OK, NOTE, BAD = "ok", "note", "BAD"
# How it is, and a line that says so, with the remedy.
Finding = tuple[str, str]


def tell(kind: str, said: str) -> None:
    """Print a line."""
    lowlevel.out(escape.line(f"{kind:4} {said}") + "\n")


def tell_all(findings: Iterable[Finding]) -> int:
    """Print them as they are found; return the exit status."""
    status = outcome.OK
    for kind, said in findings:
        tell(kind, said)
        status = outcome.USAGE if kind == BAD else status
    return status


def of_daemon(wrong: Iterable[str], found: Iterable[Finding] | None) -> Iterator[Finding]:
    """Yield what is `wrong` with a daemon's configuration, and what else is found; None where it cannot be read."""
    for line in wrong:
        yield BAD, line
    if found is None:
        yield NOTE, "Nothing else was looked at, since the configuration cannot be read."
    else:
        yield from found
