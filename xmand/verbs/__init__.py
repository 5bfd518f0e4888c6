"""The verbs as xmand carries them out. The list is explicit, so that it can be read and tested.

A row is all that xmand knows of a verb beside the table that both ends share (`xman.verbs`): its handler; how a change
that xmand was torn out of is judged afterwards; what libvirt's events tell because of it.
"""

from dataclasses import dataclass

from xmand.audit.outside import TOLD
from xmand.journal import verdicts
from xmand.journal.verdicts import Judge
from xmand.verbs import access, batch, console, create, files, host, kept, labels, life, looks, migrate, show, tune
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


def _events(*names: str) -> frozenset[str]:
    return frozenset(names)


ROWS: dict[str, Row] = {
    "help": Row(host.help_),
    "ping": Row(host.ping),
    "version": Row(host.version),
    "access": Row(access.access),
    "list": Row(show.list_, kept=kept.LISTED),
    "describe": Row(show.describe),
    "stats": Row(show.stats),
    "wait": Row(show.wait),
    "console": Row(console.console, verdicts.ended_with_us),
    "events": Row(show.events),
    "info": Row(show.info),
    "uptime": Row(looks.uptime),
    "vcpu-list": Row(looks.vcpu_list),
    "block-list": Row(looks.block_list),
    "network-list": Row(looks.network_list),
    "log": Row(host.log),
    "dmesg": Row(show.dmesg),
    "create": Row(create.create, verdicts.created, _events("defined", "started", "suspended", "stopped", "undefined")),
    "new": Row(create.new, verdicts.defined, _events("defined")),
    "start": Row(life.start, verdicts.started, _events("started", "suspended", "resumed")),
    "delete": Row(life.delete, verdicts.deleted, _events("undefined")),
    "suspend": Row(life.suspend, verdicts.suspended),
    "resume": Row(life.resume, verdicts.started, _events("started", "suspended", "resumed")),
    "autostart": Row(life.autostart, verdicts.autostart, _events("defined")),
    "destroy": Row(life.destroy, verdicts.stopped, _events("stopped")),
    "shutdown": Row(life.shutdown, verdicts.shut_down, asks=_events("suspended", "stopped")),
    # A guest that was asked to restart looks like one that was not.
    "reboot": Row(life.reboot, verdicts.cannot_tell, asks=TOLD - {"defined", "undefined"}),
    "save": Row(files.save, verdicts.saved),
    "restore": Row(files.restore, verdicts.cannot_tell),
    "dump-core": Row(files.dump_core, verdicts.cannot_tell),
    "rename": Row(files.rename, verdicts.cannot_tell),
    "label": Row(labels.label, verdicts.labelled, _events("defined")),
    "pause": Row(life.pause, verdicts.paused, _events("suspended")),
    "unpause": Row(life.unpause, verdicts.unpaused, _events("resumed")),
    "mem-set": Row(tune.mem_set, verdicts.memory, _events("defined")),
    "vcpu-set": Row(tune.vcpu_set, verdicts.vcpus, _events("defined")),
    "mem-max": Row(tune.mem_max, verdicts.harmless_again),
    "vcpu-pin": Row(tune.vcpu_pin, verdicts.harmless_again),
    "migrate": Row(migrate.migrate, verdicts.migrated),
    "state": Row(batch.state, kept=kept.STATES),
    "job-list": Row(batch.job_list),
    "job-start": Row(batch.job_start, verdicts.job_started),
    "job-renew": Row(batch.job_renew, verdicts.harmless_again),
    "job-claim": Row(batch.job_claim, verdicts.harmless_again),
    "job-stop": Row(batch.job_stop, verdicts.job_stopped),
    "preempt": Row(batch.preempt, verdicts.harmless_again),
    "unpreempt": Row(batch.unpreempt, verdicts.harmless_again),
    "freeze": Row(batch.freeze, verdicts.harmless_again),
    "defrost": Row(batch.defrost, verdicts.harmless_again),
    "maintenance": Row(batch.maintenance, verdicts.harmless_again),
}

HANDLERS: dict[str, Handler] = {name: row.handler for name, row in ROWS.items()}
KEPT: dict[str, Way] = {name: row.kept for name, row in ROWS.items() if row.kept is not None}
JUDGES: dict[str, Judge] = {name: row.judge for name, row in ROWS.items() if row.judge is not None}


def may_cause(verb: str, event: str) -> bool:
    """Whether an event of libvirt's may come of a verb that is at work, or was a moment ago."""
    return verb not in ROWS or event in ROWS[verb].causes


def may_have_asked(verb: str, event: str) -> bool:
    """Whether a guest may do, or have done to it, long after a verb, what an event tells."""
    return verb in ROWS and event in ROWS[verb].asks
