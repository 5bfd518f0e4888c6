"""Which verbs a domain's state allows, what they need besides, and what they do to jobs. Pure."""

from dataclasses import dataclass
from typing import Any

from rxmweb.db.report import OUTSIDE, PAUSED, SAVED
from xman import states, verbs

# What a field of the confirmation asks for: its name, the label's key, and the HTML type.
MEMORY, VCPUS, HOST, ON_OFF, SECONDS, FLAG = "memory", "vcpus", "host", "on-off", "seconds", "flag"
LABELS = "labels"
# Which of a machine's disks, drives, cards or snapshots is meant; what a new snapshot is called; a word; words of a
# person's own; a file of the host's; a disk as xm's configurations have it; and whether it may be written.
WHICH, NEW, WORD, TEXT, PATH, PLACE, MODE = "which", "new", "word", "text", "path", "place", "mode"
# Of which the host has a choice: media that can be put into a drive, and volumes that can be a disk.
MEDIA, VOLUMES = "media", "volumes"
# What is asked for on the page of the profiles alone.
PROFILE = "profile"
# The parts of a machine that its page shows by themselves, each with what can be done to it, or to one of them.
DISKS, DRIVES, CARDS, SNAPSHOTS = "disks", "drives", "cards", "snapshots"
PARTS = (DISKS, DRIVES, CARDS, SNAPSHOTS)

# How a file of the host's begins, and a disk as xm's configurations have it.
_BEGINS: dict[str, tuple[str, ...]] = {PATH: ("/",), PLACE: ("file:/", "qcow2:/", "phy:/")}
_MODES = ("w", "r")
# Of what a person says that a snapshot is for (xmand.verbs.snapshots).
_MOST_TEXT = 1024

# Of what a form may have for labels: all that one machine may have, and more.
_MOST_LABELS = 8192


@dataclass(frozen=True)
class Field:
    """One word or option that a person adds to a verb: `option` is empty for an argument.

    `usual` is of a flag: whether it is set before anybody has chosen. An argument with a `key` is one word KEY=VALUE,
    and may be left out. `choices` says of what the host has a choice. `profiles`: it is asked where a profile is meant.
    """

    name: str
    kind: str
    option: str = ""
    usual: bool = False
    key: str = ""
    choices: str = ""
    profiles: bool = False

    @property
    def needed(self) -> bool:
        """Whether nothing is asked for without it."""
        return not self.option and not self.key


@dataclass(frozen=True)
class Offer:
    """A verb as a button. `hurts`: what runs in the domain is stopped, or lost.

    `apart`: on the machine's page it has a form of its own instead. `part`: it stands with that part of the machine,
    with `each` beside every one of them, which its first field names. `idle`: no job may be in it. `launched`: it is
    for machines that were launched from images.
    """

    verb: str
    hurts: bool = False
    fields: tuple[Field, ...] = ()
    apart: bool = False
    part: str = ""
    each: bool = False
    idle: bool = False
    launched: bool = False

    @property
    def loses_data(self) -> bool:
        """Whether what it does cannot be undone."""
        return verbs.BY_NAME[self.verb].loses_data


OFFERS = tuple(
    offer
    for offer in (
        Offer("start", fields=(Field("evict", FLAG, "--evict", profiles=True),)),
        Offer("pause", hurts=True),
        Offer("unpause"),
        Offer("shutdown", hurts=True, fields=(Field("force_after", SECONDS, "--force-after"),)),
        Offer("reboot", hurts=True),
        Offer("suspend", hurts=True),
        Offer("resume"),
        Offer("freeze", hurts=True),
        Offer("defrost"),
        Offer("preempt", hurts=True),
        Offer("unpreempt"),
        Offer("mem-set", fields=(Field("memory", MEMORY),)),
        Offer("vcpu-set", fields=(Field("vcpus", VCPUS),)),
        Offer(
            "migrate",
            fields=(
                Field("destination", HOST),
                Field("live", FLAG, "--live", usual=True),
                Field("force", FLAG, "--force"),
            ),
        ),
        Offer("label", fields=(Field("labels", LABELS),), apart=True),
        Offer("autostart", fields=(Field("autostart", ON_OFF),)),
        Offer("destroy", hurts=True),
        Offer("delete", hurts=True, fields=(Field("snapshots", FLAG, "--snapshots"),)),
        Offer("terminate", hurts=True, idle=True, launched=True),
        Offer(
            "block-attach",
            fields=(Field("place", PLACE, choices=VOLUMES), Field("as", WORD), Field("mode", MODE)),
            part=DISKS,
        ),
        Offer("block-resize", fields=(Field("disk", WHICH), Field("size", MEMORY)), part=DISKS, each=True),
        Offer(
            "block-detach",
            hurts=True,
            fields=(Field("disk", WHICH), Field("mounted", FLAG, "--force")),
            part=DISKS,
            each=True,
        ),
        Offer(
            "cd-insert",
            fields=(Field("drive", WHICH), Field("medium", PATH, choices=MEDIA), Field("tray", FLAG, "--force")),
            part=DRIVES,
            each=True,
        ),
        Offer("cd-eject", fields=(Field("drive", WHICH), Field("tray", FLAG, "--force")), part=DRIVES, each=True),
        Offer(
            "network-attach",
            fields=(
                Field("network", WORD, key="network"),
                Field("bridge", WORD, key="bridge"),
                Field("mac", WORD, key="mac"),
            ),
            part=CARDS,
        ),
        Offer("network-detach", hurts=True, fields=(Field("card", WHICH),), part=CARDS, each=True),
        Offer(
            "snapshot",
            fields=(Field("snapshot", NEW), Field("description", TEXT, "--description")),
            part=SNAPSHOTS,
        ),
        Offer(
            "snapshot-revert",
            hurts=True,
            fields=(Field("snapshot", WHICH),),
            part=SNAPSHOTS,
            each=True,
            idle=True,
        ),
        Offer("snapshot-delete", fields=(Field("snapshot", WHICH),), part=SNAPSHOTS, each=True),
        Offer("profile-client", fields=(Field("client", NEW), Field("keep", FLAG, "--keep")), part=PROFILE),
        Offer("clone", fields=(Field("copy", NEW),), part=PROFILE),
    )
    # What this release's table of verbs does not have is not offered.
    if offer.verb in verbs.BY_NAME
)
BY_VERB = {offer.verb: offer for offer in OFFERS}
# What is asked of all of a laboratory's machines together: of those that are on, and of those that are off.
TOGETHER_ON, TOGETHER_OFF = ("reboot", "shutdown"), ("start",)
# What is asked for on pages of its own.
ELSEWHERE = ("create", "launch", "maintenance")

_OFF = frozenset({states.DOWN, states.DOWN_BOOTABLE})
_WHEN_OFF = ("start", "autostart", "label", "delete")
_WHEN_FROZEN = ("unpause", "resume", "defrost", "autostart", "label", "destroy")
# Where its host says how it is frozen: each of the three lets go on what the others do not.
_FROZEN = {
    PAUSED: ("unpause", "autostart", "label", "destroy"),
    SAVED: ("resume", "defrost", "autostart", "label", "delete"),
}
_WHEN_ON = ("pause", "shutdown", "reboot", "suspend", "mem-set", "vcpu-set", "migrate", "autostart", "label", "destroy")


# Of one that takes no part in batch work, by libvirt's word.
_OUTSIDE = {
    "shutoff": (*_WHEN_OFF, "resume"),
    "paused": _FROZEN[PAUSED],
    # What wakes it is its guest's own; one that crashed is kept to be looked at.
    "pmsuspended": ("autostart", "label", "destroy"),
    "crashed": ("autostart", "label", "destroy"),
    "shutdown": ("autostart", "label", "destroy"),
}


# What is kept as it was, and goes on only as it was: what is saved to disk, and what has ended without being off.
_SAVED = frozenset({"snapshot", "snapshot-revert", "block-resize"})
_ENDED = frozenset({"pmsuspended", "crashed", "shutdown"})
_OF_ENDED = frozenset({"snapshot-delete"})


def for_state(state: str, reason: str | None = None) -> list[Offer]:
    """Return what can sensibly be asked of a domain in `state`; of one in a state not known here, everything.

    `reason` is libvirt's word where it takes no part in batch work, and of a frozen one how it is so.
    """
    offered = [offer for offer in OFFERS if not offer.part]
    if state == OUTSIDE:
        allowed: tuple[str, ...] = _OUTSIDE.get(reason or "", _WHEN_ON)
    elif state in _OFF:
        allowed = _WHEN_OFF
    elif state == states.FROZEN:
        allowed = _FROZEN.get(reason or "", _WHEN_FROZEN)
    elif state not in states.STATES:
        return offered
    else:
        allowed = _WHEN_ON + {
            states.RUNNING: ("freeze",),
            states.RUNNING_PREEMPTIBLE: ("freeze", "preempt"),
            states.PREEMPTED: ("unpreempt",),
        }.get(state, ())
    return [offer for offer in offered if offer.verb in allowed or offer.launched]


def of_machine(row: dict[str, Any]) -> list[Offer]:
    """Return what can sensibly be asked of a domain, of which the tables have this row."""
    return [offer for offer in for_state(row["state"], row["reason"]) if _possible(offer, row)]


def _possible(offer: Offer, row: dict[str, Any]) -> bool:
    # Until its source has confirmed it, its host does nothing to it but what is done to one that is on its way.
    if row["unconfirmed"] and not verbs.BY_NAME[offer.verb].while_moving:
        return False
    return not (offer.launched and not row["instance"]) and not (offer.idle and row["jobs"])


def of_parts(row: dict[str, Any]) -> list[Offer]:
    """Return what can sensibly be asked of the parts of a domain, of which the tables have this row."""
    state, reason = row["state"], row["reason"]
    offered = [offer for offer in OFFERS if offer.part in PARTS and _possible(offer, row)]
    if state == OUTSIDE and reason in _ENDED:
        return [offer for offer in offered if offer.verb in _OF_ENDED]
    # One that is frozen, nobody says how, may be saved to disk.
    if state == states.FROZEN and reason != PAUSED:
        return [offer for offer in offered if offer.verb not in _SAVED]
    # It would take again what was taken from it.
    return [offer for offer in offered if not (offer.idle and state == states.PREEMPTED)]


def of_profile(*, off: bool) -> list[Offer]:
    """Return what can sensibly be asked of a profile; while it runs itself, it is changed, and is no pattern."""
    shown = ("start", "profile-client", "clone") if off else ("shutdown",)
    return [BY_VERB[verb] for verb in shown if verb in BY_VERB]


def fields(offer: Offer, *, profile: bool) -> list[Field]:
    """Return what is asked for besides, of the verb as this release has it; `profile`: whether a profile is meant."""
    known = {name for option in verbs.BY_NAME[offer.verb].options for name in option.names}
    return [
        each for each in offer.fields if (profile or not each.profiles) and (not each.option or each.option in known)
    ]


def moves(state: str, reason: str | None) -> bool:
    """Return whether a domain in `state` can be moved to another host."""
    return any(offer.verb == "migrate" for offer in for_state(state, reason))


def bulk() -> list[Offer]:
    """Return what can be asked of many at once: everything that means the same to each of them."""
    every = [offer for offer in OFFERS if offer.verb != "delete" and not offer.each and not offer.launched]
    return [offer for offer in every if offer.part in ("", SNAPSHOTS)]


def words(offer: Offer, given: dict[str, str]) -> tuple[list[str], list[str], str]:
    """Return (options, arguments behind the domains, the name of the field that is wrong or missing)."""
    options: list[str] = []
    arguments: list[str] = []
    for field in offer.fields:
        value = given.get(field.name, "").strip()
        if field.kind == FLAG:
            options += [field.option] if value else []
        elif not value and not field.needed:
            continue
        elif not value or not _readable(field, value):
            return [], [], field.name
        elif field.kind == LABELS:
            arguments += value.split()
        elif field.option:
            options.append(f"{field.option}={value}")
        else:
            arguments.append(f"{field.key}={value}" if field.key else value)
    return options, arguments, ""


def _readable(field: Field, value: str) -> bool:
    from xman import labels, values
    from xman.errors import UsageError

    try:
        if field.kind == MEMORY:
            values.memory(value)
        elif field.kind == VCPUS:
            values.count(value)
        elif field.kind == SECONDS:
            values.seconds(value)
        elif field.kind == NEW:
            values.check_new_name(value)
        elif field.kind == LABELS:
            return len(value) <= _MOST_LABELS and bool(labels.changes(value.split()))
        elif field.kind == TEXT:
            return value.isprintable() and len(value) <= _MOST_TEXT
        elif field.kind == ON_OFF:
            return value in ("on", "off")
        elif field.kind == MODE:
            return value in _MODES
        else:
            begins = _BEGINS.get(field.kind, ("",))
            return value.isprintable() and not value.startswith("-") and " " not in value and value.startswith(begins)
    except UsageError:
        return False
    return True
