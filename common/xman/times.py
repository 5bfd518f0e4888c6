"""Points in time: whole seconds since 1970 (UTC), and the text of RFC 3339 that stands for them."""

import time

_UTC = "%Y-%m-%dT%H:%M:%SZ"
# Seconds of the units in which one says how long ago something was.
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_DIGITS = 9
# The last second that `utc` can write.
_LAST = 253_402_300_799
_UTC_LENGTH = len("2026-11-21T10:00:00Z")


def utc(seconds: float) -> str:
    """Return `2026-11-21T10:00:00Z`."""
    return time.strftime(_UTC, time.gmtime(seconds))


def seconds(text: str) -> int:
    """Return the seconds that `utc` made `text` of. Raises ValueError for any other form."""
    if len(text) != _UTC_LENGTH or not text.isascii():
        raise ValueError(f"'{text[:_UTC_LENGTH]}' is not a time like 2026-11-21T10:00:00Z")
    # By hand: strptime(3) in Python takes ten times as long, and tables have many of them.
    parts = text[:4], text[5:7], text[8:10], text[11:13], text[14:16], text[17:19]
    found = _seconds(*map(int, parts)) if all(map(str.isdigit, parts)) else None
    if found is None or utc(found) != text:  # a 61st second, a blank for a nought
        raise ValueError(f"'{text}' is not a time")
    return found


def _seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Return the seconds since 1970 by the Gregorian calendar, its years counted from March."""
    years, months = (year, month - 3) if month > 2 else (year - 1, month + 9)
    leap_days = years // 4 - years // 100 + years // 400
    # Months of 31 and 30 days take turns, five of them having 153; day 719468 is the first of 1970.
    days = 365 * years + leap_days + (153 * months + 2) // 5 + day - 1 - 719_468
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def span(seconds: int) -> str:
    """Return `3:04:05`, or `2 days, 3:04:05`, as xm's uptime has it."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    clock = f"{hours}:{minutes:02}:{rest:02}"
    return f"{days} day{'s' * (days > 1)}, {clock}" if days else clock


def local(text: str) -> str:
    """Return the time `text` (as `utc` makes it) as a person reads it here: `2026-11-21 11:00:00+0100`."""
    return time.strftime("%Y-%m-%d %H:%M:%S%z", time.localtime(seconds(text)))


def since(word: str, now: float) -> float:
    """Return the point in time that `word` names: so long ago (`90m`, `7d`), or a date, with a time where wanted.

    A time without an offset is one of here. Raises ValueError.
    """
    ago = _long(word)
    return now - ago if ago is not None else _date(word)


def until(word: str, now: float) -> float:
    """Return the point in time that `word` names: so far ahead (`90m`, `7d`), or a date, as `since` has it.

    Raises ValueError, also for one that is past.
    """
    ahead = _long(word)
    found = now + ahead if ahead is not None else _date(word)
    if found <= now:
        raise ValueError(f"'{word[:64]}' is in the past")
    if found > _LAST:
        raise ValueError(f"'{word[:64]}' is later than the year 9999")
    return found


def _long(word: str) -> int | None:
    """Return the seconds of a word like `90m`, None for any other."""
    number, unit = word[:-1], word[-1:]
    if unit in _UNITS and number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS:
        return int(number) * _UNITS[unit]
    return None


def _date(word: str) -> float:
    # Dear to import, and only for this.
    from datetime import datetime

    try:
        return datetime.fromisoformat(word).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"'{word[:64]}' is not a time; write 90m, 12h, 7d, 2026-11-21 or 2026-11-21T10:00") from None
