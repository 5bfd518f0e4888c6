"""What has become of many targets, on one line; and the outcome in syslog (`--syslog`), for who throws output away."""

import syslog

from xman import outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def status(codes: list[int], targets: int, say: "Callable[[str], None]") -> int:
    """Return the exit status; of many targets, not all of them well, say how many are how."""
    combined = outcome.combine(codes)
    if targets > 1 and combined != outcome.OK:
        say(text(codes, targets))
    return combined


def text(codes: list[int], targets: int) -> str:
    """Return how many of `targets` ended in which class, `codes` being those that were begun: `998 ok, 2 denied`."""
    parts = [f"{codes.count(code)} {outcome.class_name(code)}" for code in sorted(set(codes))]
    if targets > len(codes):
        parts.append(f"{targets - len(codes)} not begun")
    return f"Of {targets}: {', '.join(parts)}."


def outcome_of(what: str, code: int, message: str) -> None:
    """Log how `what` ended, on one line of ASCII."""
    severity = syslog.LOG_INFO if code == outcome.OK else syslog.LOG_ERR
    line = " ".join(f"{what}: {outcome.class_name(code)} {message}".split())
    syslog.openlog("rxm", syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(severity, line.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\x00"))
