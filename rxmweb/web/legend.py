"""The states as the pages show them: a word, a symbol, a colour, and what they mean."""

from dataclasses import dataclass

from rxmweb.db.report import OUTSIDE
from rxmweb.web.languages import _, current
from xman import states

# Symbols that every font has, so that no state is told by its colour alone.
_SYMBOLS = {
    states.FREE: "○",
    states.OCCUPIED_WOULD_PREEMPT: "◐",
    states.OCCUPIED: "●",
    states.RUNNING_PREEMPTIBLE: "▷",
    states.RUNNING: "▶",
    states.PREEMPTED: "◁",
    states.FROZEN: "✱",
    states.OCCUPIED_BOOTING: "◌",
    states.BOOTING: "△",
    states.DOWN: "■",
    states.DOWN_BOOTABLE: "□",
}


@dataclass(frozen=True)
class Sign:
    """One state as it is shown; `name` is its constant, which is also its CSS class."""

    name: str
    word: str
    symbol: str
    meaning: str


def sign(state: str | None) -> Sign:
    """Return how a state is shown; one that this release does not know is shown as it came."""
    if not state:
        return Sign("none", "", "", "")
    if state not in states.LEGEND and state != OUTSIDE:
        return Sign("other", state, "◇", "")
    key = current(), state
    if key not in _made:
        _made[key] = _make(state)
    return _made[key]


# By language and state: a page shows hundreds.
_made: dict[tuple[str, str], Sign] = {}


def _make(state: str) -> Sign:
    if state == OUTSIDE:
        meaning = _("no job goes in; behind it libvirt's word for how it is")
        return Sign(state, _("not in batch work"), "·", meaning)
    known = states.LEGEND[state]
    return Sign(state, _words()[state], _SYMBOLS[state], known.cs if current() == "cs" else known.en)


def legend() -> list[Sign]:
    """Return all states, in the order that the portal has had since 2007, and that of machines without any."""
    return [sign(state) for state in (*states.STATES, OUTSIDE)]


def _words() -> dict[str, str]:
    return {
        states.FREE: _("free"),
        states.OCCUPIED_WOULD_PREEMPT: _("occupied, would preempt"),
        states.OCCUPIED: _("occupied"),
        states.RUNNING_PREEMPTIBLE: _("running, preemptible"),
        states.RUNNING: _("running"),
        states.PREEMPTED: _("preempted"),
        states.FROZEN: _("frozen"),
        states.OCCUPIED_BOOTING: _("occupied, other boots"),
        states.BOOTING: _("booting"),
        states.DOWN: _("down"),
        states.DOWN_BOOTABLE: _("down, bootable"),
    }
