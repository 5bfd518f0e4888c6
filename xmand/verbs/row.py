"""What xmand knows of a verb, beside the table that both ends share (`xman.verbs`)."""

from dataclasses import dataclass

from xmand.audit.outside import TOLD
from xmand.journal.verdicts import Judge
from xmand.verbs.call import Handler
from xmand.verbs.kept import Way


@dataclass(frozen=True)
class Row:
    """One verb; one that only looks has its handler alone.

    `judge` is for one that changes something. `causes` are the events that come of it, where that is less than any;
    `asks`, what a guest may still do long after it was asked to. `kept` is how the model answers one that only looks.
    """

    handler: Handler
    judge: Judge | None = None
    causes: frozenset[str] = TOLD
    asks: frozenset[str] = frozenset()
    kept: Way | None = None


def told(*names: str) -> frozenset[str]:
    return frozenset(names)
