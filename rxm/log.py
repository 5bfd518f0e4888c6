"""The outcome in syslog (`--syslog`), for a caller that throws rxm's output away, as schedulers do."""

import syslog

from xman import outcome


def outcome_of(what: str, code: int, message: str) -> None:
    """Log how `what` ended, on one line of ASCII."""
    severity = syslog.LOG_INFO if code == outcome.OK else syslog.LOG_ERR
    line = " ".join(f"{what}: {outcome.class_name(code)} {message}".split())
    syslog.openlog("rxm", syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(severity, line.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\x00"))
