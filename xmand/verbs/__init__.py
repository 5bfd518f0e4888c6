"""The verbs as xmand carries them out: each module has the rows of its own (`ROWS`), below their handlers.

A row is all that xmand knows of a verb beside the table that both ends share (`xman.verbs`): its handler; how a change
that xmand was torn out of is judged afterwards; what libvirt's events tell because of it.
"""

from xmand.journal.verdicts import Judge
from xmand.verbs import (
    access,
    arriving,
    assigning,
    batch,
    cloning,
    console,
    create,
    devices,
    editing,
    files,
    host,
    labels,
    launch,
    life,
    log,
    looks,
    migrate,
    profiles,
    screen,
    show,
    snapshots,
    transfers,
    tune,
    volumes,
)
from xmand.verbs.call import Handler
from xmand.verbs.kept import Way
from xmand.verbs.row import Row

# The modules are named, so that the list can be read and tested.
_MODULES = (
    access,
    arriving,
    assigning,
    batch,
    cloning,
    console,
    create,
    devices,
    editing,
    files,
    host,
    labels,
    launch,
    life,
    log,
    looks,
    migrate,
    profiles,
    screen,
    show,
    snapshots,
    transfers,
    tune,
    volumes,
)
ROWS: dict[str, Row] = {name: row for module in _MODULES for name, row in module.ROWS.items()}

HANDLERS: dict[str, Handler] = {name: row.handler for name, row in ROWS.items()}
KEPT: dict[str, Way] = {name: row.kept for name, row in ROWS.items() if row.kept is not None}
JUDGES: dict[str, Judge] = {name: row.judge for name, row in ROWS.items() if row.judge is not None}


def may_cause(verb: str, event: str) -> bool:
    """Whether an event of libvirt's may come of a verb that is at work, or was a moment ago."""
    return verb not in ROWS or event in ROWS[verb].causes


def may_have_asked(verb: str, event: str) -> bool:
    """Whether a guest may do, or have done to it, long after a verb, what an event tells."""
    return verb in ROWS and event in ROWS[verb].asks
