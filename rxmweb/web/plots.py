"""Small plots over time, as the points of SVG polylines. Pure."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rxmweb.web.languages import _, number, octets

WIDTH, HEIGHT = 288, 48
# A gap between two samples of more than so many usual ones is a gap in the line.
_GAP = 2.5


@dataclass(frozen=True)
class Plot:
    """One plot: a title, the lines as points in a box of WIDTH x HEIGHT, and what its top and its last value are."""

    title: str
    lines: list[str]
    top: str
    last: str


def of_domain(samples: list[dict[str, Any]], since: float, now: float) -> list[Plot]:
    """Return the plots of a domain's samples; those of which nothing is known are left out."""
    percent = [(at, 100 * value) for at, value in _rates(samples, "cpu_seconds")]
    kept = [(row["at"], float(row["memory"])) for row in samples if row["memory"] is not None]
    made = [
        _plot(_("CPU"), percent, since, now, lambda value: f"{number(value)}\N{NO-BREAK SPACE}%"),
        _plot(_("Memory"), kept, since, now, octets),
        *(
            _plot(title, _rates(samples, key), since, now, lambda value: f"{octets(value)}/s")
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


def _plot(title: str, points: list[tuple[float, float]], since: float, now: float, shown: Any) -> Plot | None:
    if len(points) < 2:
        return None
    top = max(value for _at, value in points) or 1.0
    steps = sorted(after[0] - before[0] for before, after in pairwise(points))
    gap = _GAP * steps[len(steps) // 2]
    lines: list[list[str]] = [[]]
    last_at = points[0][0]
    for at, value in points:
        if at - last_at > gap:
            lines.append([])
        last_at = at
        x = WIDTH * (at - since) / max(now - since, 1.0)
        lines[-1].append(f"{x:.1f},{HEIGHT - 1 - (HEIGHT - 2) * value / top:.1f}")
    return Plot(title, [" ".join(line) for line in lines], shown(top), shown(points[-1][1]))
