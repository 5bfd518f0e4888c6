"""Plots over time as SVG: axes with units, the highest value as a line, for hours up to a month. Pure.

The server draws, so that they print, and work without script. Many samples become one column of pixels: its mean, and
its highest value.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from rxmweb.web.languages import _, number, octets

WIDTH, HEIGHT = 420, 140
LEFT, RIGHT, TOP, BOTTOM = 68, 8, 8, 22
# A gap between two samples of more than so many usual ones is a gap in the line.
_GAP = 2.5
_COLUMNS = WIDTH - LEFT - RIGHT
# A plot has so many parts that can be looked at closer.
_PARTS = 12
# Of a time in an address.
_MOST_FIGURES = 12
_HOUR, _DAY = 3600.0, 86400.0
_STEPS = (300.0, 900.0, 1800.0, _HOUR, 3 * _HOUR, 6 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY)


@dataclass(frozen=True)
class Span:
    """How much of the past is shown."""

    name: str
    seconds: float
    word: str


@dataclass(frozen=True)
class Window:
    """What is shown of the past: `span` up to `until`. `live`: up to now.

    `closer` is the next shorter span, None where there is none; `earlier` and `later` are where the windows beside it
    end, None where nothing is kept, or has been yet.
    """

    span: Span
    until: float
    live: bool
    closer: Span | None
    earlier: float | None
    later: float | None

    @property
    def since(self) -> float:
        """Where it begins."""
        return self.until - self.span.seconds


@dataclass(frozen=True)
class Zoom:
    """One part of a plot that can be looked at closer: where it is, and where the closer window ends."""

    x: float
    width: float
    until: float


@dataclass(frozen=True)
class Tick:
    """One mark of an axis: where it is, and what stands there."""

    at: float
    text: str


@dataclass(frozen=True)
class Plot:
    """One plot. `lines` are the means as points of polylines; `highs` the highest values of each column."""

    title: str
    lines: list[str]
    highs: list[str]
    top: str
    top_y: float
    last: str
    values: list[Tick]
    times: list[Tick]
    zooms: list[Zoom]


def spans(kept_hours: float) -> list[Span]:
    """Return what can be chosen, as far as anything is kept."""
    known = [
        Span("hour", _HOUR, _("hour")),
        Span("day", _DAY, _("day")),
        Span("week", 7 * _DAY, _("week")),
        Span("month", 30 * _DAY, _("month")),
    ]
    # The first one that reaches as far back as anything is kept is the last one of use.
    reach = next((place for place, one in enumerate(known) if one.seconds >= kept_hours * _HOUR), len(known) - 1)
    return known[: reach + 1]


def span(name: str, kept_hours: float) -> Span:
    """Return the chosen one; without a choice a day."""
    offered = spans(kept_hours)
    by_name = {one.name: one for one in offered}
    return by_name.get(name) or by_name.get("day") or offered[-1]


def window(given: Mapping[str, str], kept_hours: float, now: float) -> Window:
    """Return what an address asks for by `range` and `until` (seconds since 1970); what makes no sense is now."""
    chosen = span(given.get("range", ""), kept_hours)
    offered = spans(kept_hours)
    word = given.get("until", "")
    oldest = now - kept_hours * _HOUR
    until = float(word) if word.isascii() and word.isdigit() and len(word) <= _MOST_FIGURES else now
    until = min(max(until, oldest + chosen.seconds), now)
    place = offered.index(chosen)
    return Window(
        chosen,
        until,
        live=until >= now,
        closer=offered[place - 1] if place else None,
        earlier=until - chosen.seconds / 2 if until - chosen.seconds > oldest else None,
        later=min(until + chosen.seconds / 2, now) if until < now else None,
    )


def of_host(samples: list[dict[str, Any]], seen: Window) -> list[Plot]:
    """Return the plots of a host's samples; those of which nothing is known are left out."""
    made = []
    for title, key, shown, base in (
        (_("Load"), "load", lambda value: number(value, 1), 10),
        (_("Free memory"), "memory_free", octets, 2),
    ):
        points = [(row["at"], float(row[key])) for row in samples if row[key] is not None]
        made.append(_plot(title, points, seen, shown, base))
    return [plot for plot in made if plot is not None]


def of_domain(samples: list[dict[str, Any]], seen: Window) -> list[Plot]:
    """Return the plots of a domain's samples; those of which nothing is known are left out."""
    percent = [(at, 100 * value) for at, value in _rates(samples, "cpu_seconds")]
    kept = [(row["at"], float(row["memory"])) for row in samples if row["memory"] is not None]
    made = [
        _plot(_("CPU"), percent, seen, lambda value: f"{number(value)}\N{NO-BREAK SPACE}%", 10),
        _plot(_("Memory"), kept, seen, octets, 2),
        *(
            _plot(title, _rates(samples, key), seen, lambda value: f"{octets(value)}/s", 2)
            for title, key in (
                (_("Received"), "received"),
                (_("Sent"), "sent"),
                (_("Read from disk"), "read"),
                (_("Written to disk"), "written"),
            )
        ),
    ]
    return [plot for plot in made if plot is not None]


def _rates(samples: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """Return a counter's change in a second; where it went back, the guest was restarted, and nothing is known."""
    found = []
    for before, after in pairwise(samples):
        if before[key] is None or after[key] is None or after["at"] <= before["at"] or after[key] < before[key]:
            continue
        found.append((after["at"], (after[key] - before[key]) / (after["at"] - before["at"])))
    return found


def _plot(
    title: str,
    points: list[tuple[float, float]],
    seen: Window,
    shown: Callable[[float], str],
    base: int,
) -> Plot | None:
    since, now = seen.since, seen.until
    points = [point for point in points if since <= point[0] <= now]
    if len(points) < 2:
        return None
    highest = max(value for _at, value in points)
    step = _round(highest / 4, base)
    top = max(step * math.ceil(highest / step), step)
    long = max(now - since, 1.0)

    def x(at: float) -> float:
        return LEFT + _COLUMNS * (at - since) / long

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)

    means, highs = [], []
    for piece in _pieces(points):
        columns = _columns(piece, since, long)
        means.append(" ".join(f"{x(at):.1f},{y(mean):.1f}" for at, mean, _high in columns))
        if len(columns) < len(piece):
            highs.append(" ".join(f"{x(at):.1f},{y(high):.1f}" for at, _mean, high in columns))
    values = [Tick(y(step * count), shown(step * count)) for count in range(round(top / step) + 1)]
    return Plot(
        title,
        means,
        highs,
        shown(highest),
        y(highest),
        shown(points[-1][1]),
        values,
        _times(since, now, x),
        _zooms(seen),
    )


def _zooms(seen: Window) -> list[Zoom]:
    """Return the parts of a plot, each of which leads to a closer look at it."""
    if seen.closer is None:
        return []
    each = seen.span.seconds / _PARTS
    return [
        Zoom(
            LEFT + place * _COLUMNS / _PARTS,
            _COLUMNS / _PARTS,
            seen.since + (place + 0.5) * each + seen.closer.seconds / 2,
        )
        for place in range(_PARTS)
    ]


def _pieces(points: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Split where samples are missing."""
    steps = sorted(after[0] - before[0] for before, after in pairwise(points))
    gap = _GAP * steps[len(steps) // 2]
    pieces: list[list[tuple[float, float]]] = [[points[0]]]
    for before, after in pairwise(points):
        if after[0] - before[0] > gap:
            pieces.append([])
        pieces[-1].append(after)
    return pieces


def _columns(piece: Sequence[tuple[float, float]], since: float, long: float) -> list[tuple[float, float, float]]:
    """Return (when, mean, highest) for each column of pixels that has samples."""
    found: dict[int, list[tuple[float, float]]] = {}
    for at, value in piece:
        found.setdefault(int(_COLUMNS * (at - since) / long), []).append((at, value))
    return [
        (
            sum(at for at, _value in inside) / len(inside),
            sum(value for _at, value in inside) / len(inside),
            max(value for _at, value in inside),
        )
        for inside in found.values()
    ]


def _round(value: float, base: int) -> float:
    """Return the next round number: 1, 2 or 5 times a power of ten, or a power of two."""
    if value <= 0:
        return 1.0
    if base == 2:
        return float(2 ** math.ceil(math.log2(value)))
    power = 10 ** math.floor(math.log10(value))
    return float(next((times * power for times in (1, 2, 5) if times * power >= value), 10 * power))


def _times(since: float, now: float, x: Callable[[float], float]) -> list[Tick]:
    """Return marks at round times of the clock that the portal has."""
    step = next((step for step in _STEPS if (now - since) / step <= 6), _STEPS[-1])
    offset = datetime.fromtimestamp(since).astimezone().utcoffset()
    shift = offset.total_seconds() if offset is not None else 0.0
    at = (math.floor((since + shift) / step) + 1) * step - shift
    found = []
    while at <= now:
        moment = datetime.fromtimestamp(at)
        text = f"{moment.day}. {moment.month}." if step >= _DAY else f"{moment.hour}:{moment.minute:02d}"
        # What would reach over the edge is left out.
        if LEFT + 10 < x(at) < WIDTH - 12:
            found.append(Tick(x(at), text))
        at += step
    return found
