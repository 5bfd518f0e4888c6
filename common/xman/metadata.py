"""What xman keeps in a domain's own metadata (DESIGN, "Batch states"): pure values, and how attributes hold them.

    <xman:domain xmlns:xman="urn:xman:1" started="2026-11-21T10:00:00Z" paused_by="alice@R" transient="no"
                 priority="normal" terminal="term17" given="term17">
      <xman:job id="4711" owner="alice@R" cpus="4" preemptible="yes" start="2026-11-21T10:00:00Z" preempted="0"
                lease="300" renewed="2026-11-21T10:05:00Z"/>
      <xman:claim id="4712" by="slurm/ctl@R" seconds="60" since="2026-11-21T10:06:00Z" start="2026-11-21T10:00:00Z"/>
      <xman:label key="course" value="os1"/>
      <xman:instance id="i-0123456789abcdef0" owner="alice@R" image="debian-12.qcow2" pool="machines"
                     memory="1073741824" vcpus="1" disk="2147483648" launched="2026-11-21T10:00:00Z"
                     until="2026-11-22T10:00:00Z"/>
    </xman:domain>

A profile has `profile="yes" labs="economy stats"`, a client of one `from="UUID of the profile" discard="yes"
overlays="POOL"`.

Anybody with access to libvirt may have written the element, and a later release may have added to it: what is not known
here is kept as it was; what is known and cannot be read makes the whole element unreadable, since a job that is
overlooked would give its memory to another. A label decides nothing: one that is none of ours is kept, and not shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from xman import times
from xman.errors import MetadataError

NAMESPACE = "urn:xman:1"
PREFIX = "xman"

NORMAL = "normal"
PRIORITY = "priority"

Others = tuple[tuple[str, str], ...]
# By key, each key once.
Labels = tuple[tuple[str, str], ...]
MOST_LABELS = 32
_T = TypeVar("_T")

_DOMAIN_ATTRIBUTES = (
    "started",
    "paused_by",
    "transient",
    "priority",
    "preempted_since",
    "held",
    "put_away",
    "terminal",
    "given",
)
_PROFILE_ATTRIBUTES = ("profile", "labs", "administrator", "from", "discard", "overlays")
_JOB_ATTRIBUTES = ("id", "owner", "cpus", "preemptible", "start", "began", "preempted", "lease", "renewed")
_CLAIM_ATTRIBUTES = ("id", "by", "seconds", "since", "start")
_INSTANCE_ATTRIBUTES = ("id", "owner", "image", "pool", "memory", "vcpus", "disk", "launched", "until")
# Far more than a host has, or a job lives; `int` would take any length, and other scripts' digits.
_MOST_DIGITS = 10
# Of octets.
_MOST_OCTETS_DIGITS = 16
# Longer than any name of a principal, a job or a priority.
_MOST_WORD = 1024


@dataclass(frozen=True)
class Job:
    """A batch job inside a domain.

    `start` is the domain's own start (seconds since 1970) when the job began, None where that was not known: a job of
    an earlier start is over. `began` is when it began itself. `preempted` counts the seconds that it was preempted,
    without those since the domain's `preempted_since`. With a `lease` (seconds, 0 for none) it ends by itself so long
    after it was last `renewed`.
    """

    id: str
    owner: str = ""
    cpus: int = 0
    preemptible: bool = False
    start: int | None = None
    began: int | None = None
    preempted: int = 0
    lease: int = 0
    renewed: int | None = None
    # Attributes and children (their XML) of a later release.
    other_attributes: Others = ()
    other_children: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """That the host is kept for the job `id`, which is to start in this domain: for `seconds` from `since` on.

    `by` is the principal that claimed it; `start` the domain's own start, as a job has it: a claim of an earlier start
    is over.
    """

    id: str
    by: str = ""
    seconds: int = 0
    since: int | None = None
    start: int | None = None
    other_attributes: Others = ()


@dataclass(frozen=True)
class Instance:
    """That `launch` made this domain from `image`, for the principal `owner`, whose it is until `terminate`.

    Its disks are volumes of the pool `pool`. `memory` and `disk` (octets) and `vcpus` are what it was given, which its
    owner's share of the host is counted by. `until` is when xmand ends it by itself, None for never.
    """

    id: str
    owner: str = ""
    image: str = ""
    pool: str = ""
    memory: int = 0
    vcpus: int = 0
    disk: int = 0
    launched: int | None = None
    until: int | None = None
    other_attributes: Others = ()


@dataclass(frozen=True)
class Origin:
    """That a domain is a client of the profile with the UUID `profile`: its disks are overlays of that one's.

    They are volumes of the pool `pool`. Where they are to `discard` they are made anew before each start.
    """

    profile: str
    discard: bool = True
    pool: str = ""


@dataclass(frozen=True)
class Metadata:
    """The element of one domain; an absent one equals `Metadata()`.

    `started` is when the domain was started (seconds since 1970), None where nobody saw it; `paused_by` the principal
    that paused it through xman, empty where it is not paused or was paused otherwise. Both are about the present run:
    what libvirt keeps for the next one has neither. `preempted_since` is when its resources went to another domain,
    None while they did not; `held` says that this was done by hand, and is undone by hand only; `put_away` that the
    switch saved it to disk, since it did not give its memory back otherwise. `terminal` is the one whose machine it is,
    run after run; `given` the one that has had the present run, which is nobody else's any more. `profile` says that it
    is one, for the laboratories `labs` (none: for all); `origin` that it is a client of one; `administrator`, of the
    present run as well, is who started the profile itself.
    """

    started: int | None = None
    paused_by: str = ""
    transient: bool = False
    priority: str = NORMAL
    preempted_since: int | None = None
    held: bool = False
    put_away: bool = False
    terminal: str = ""
    given: str = ""
    jobs: tuple[Job, ...] = ()
    claim: Claim | None = None
    other_attributes: Others = ()
    other_children: tuple[str, ...] = ()
    labels: Labels = ()
    instance: Instance | None = None
    profile: bool = False
    labs: tuple[str, ...] = ()
    origin: Origin | None = None
    administrator: str = ""

    def for_next_run(self) -> "Metadata":
        """Return what of it outlives the present run."""
        return replace(self, started=None, paused_by="", given="", claim=None, administrator="")


def domain_of(
    attributes: Mapping[str, str],
    jobs: tuple[Job, ...] = (),
    other_children: tuple[str, ...] = (),
    claim: Claim | None = None,
    labels: Labels = (),
    instance: Instance | None = None,
) -> Metadata:
    """Return the element with these attributes. Raises MetadataError."""
    return Metadata(
        started=_value(attributes, "started", times.seconds, None),
        paused_by=_value(attributes, "paused_by", _word, ""),
        transient=_value(attributes, "transient", _yes, False),
        priority=_value(attributes, "priority", _word, NORMAL),
        preempted_since=_value(attributes, "preempted_since", times.seconds, None),
        held=_value(attributes, "held", _yes, False),
        put_away=_value(attributes, "put_away", _yes, False),
        terminal=_value(attributes, "terminal", _word, ""),
        given=_value(attributes, "given", _word, ""),
        jobs=jobs,
        claim=claim,
        other_attributes=_others(attributes, (*_DOMAIN_ATTRIBUTES, *_PROFILE_ATTRIBUTES)),
        other_children=other_children,
        labels=labels,
        instance=instance,
        profile=_value(attributes, "profile", _yes, False),
        labs=_value(attributes, "labs", _words, ()),
        origin=_origin(attributes),
        administrator=_value(attributes, "administrator", _word, ""),
    )


def _origin(attributes: Mapping[str, str]) -> Origin | None:
    profile = _value(attributes, "from", _word, "")
    if not profile:
        return None
    return Origin(profile, _value(attributes, "discard", _yes, False), _value(attributes, "overlays", _word, ""))


def job_of(attributes: Mapping[str, str], other_children: tuple[str, ...] = ()) -> Job:
    """Return the job with these attributes. Raises MetadataError."""
    if not attributes.get("id"):
        raise MetadataError("a job has no id")
    return Job(
        id=_value(attributes, "id", _word, ""),
        owner=_value(attributes, "owner", _word, ""),
        cpus=_value(attributes, "cpus", _number, 0),
        preemptible=_value(attributes, "preemptible", _yes, False),
        start=_value(attributes, "start", times.seconds, None),
        began=_value(attributes, "began", times.seconds, None),
        preempted=_value(attributes, "preempted", _number, 0),
        lease=_value(attributes, "lease", _number, 0),
        renewed=_value(attributes, "renewed", times.seconds, None),
        other_attributes=_others(attributes, _JOB_ATTRIBUTES),
        other_children=other_children,
    )


def claim_of(attributes: Mapping[str, str]) -> Claim:
    """Return the claim with these attributes. Raises MetadataError."""
    if not attributes.get("id"):
        raise MetadataError("a claim has no id")
    return Claim(
        id=_value(attributes, "id", _word, ""),
        by=_value(attributes, "by", _word, ""),
        seconds=_value(attributes, "seconds", _number, 0),
        since=_value(attributes, "since", times.seconds, None),
        start=_value(attributes, "start", times.seconds, None),
        other_attributes=_others(attributes, _CLAIM_ATTRIBUTES),
    )


def instance_of(attributes: Mapping[str, str]) -> Instance:
    """Return the instance with these attributes. Raises MetadataError."""
    if not attributes.get("id"):
        raise MetadataError("an instance has no id")
    return Instance(
        id=_value(attributes, "id", _word, ""),
        owner=_value(attributes, "owner", _word, ""),
        image=_value(attributes, "image", _word, ""),
        pool=_value(attributes, "pool", _word, ""),
        memory=_value(attributes, "memory", _octets, 0),
        vcpus=_value(attributes, "vcpus", _number, 0),
        disk=_value(attributes, "disk", _octets, 0),
        launched=_value(attributes, "launched", times.seconds, None),
        until=_value(attributes, "until", times.seconds, None),
        other_attributes=_others(attributes, _INSTANCE_ATTRIBUTES),
    )


def domain_attributes(metadata: Metadata) -> dict[str, str]:
    """Return the attributes of the element, in the order they are written in. Raises MetadataError."""
    known = {
        "started": _time(metadata.started),
        "paused_by": metadata.paused_by,
        "transient": _word_of(metadata.transient),
        "priority": metadata.priority,
        "preempted_since": _time(metadata.preempted_since),
        "held": _word_of(True) if metadata.held else "",
        "put_away": _word_of(True) if metadata.put_away else "",
        "terminal": metadata.terminal,
        "given": metadata.given,
        "profile": _word_of(True) if metadata.profile else "",
        "labs": " ".join(metadata.labs),
        "administrator": metadata.administrator,
    }
    if metadata.origin is not None:
        known["from"] = metadata.origin.profile
        known["discard"] = _word_of(metadata.origin.discard)
        known["overlays"] = metadata.origin.pool
    return _written(known, metadata.other_attributes)


def job_attributes(job: Job) -> dict[str, str]:
    """Return the attributes of a job's element, in the order they are written in. Raises MetadataError."""
    known = {
        "id": job.id,
        "owner": job.owner,
        "cpus": str(job.cpus) if job.cpus else "",
        "preemptible": _word_of(job.preemptible),
        "start": _time(job.start),
        "began": _time(job.began),
        "preempted": str(job.preempted),
        "lease": str(job.lease) if job.lease else "",
        "renewed": _time(job.renewed),
    }
    return _written(known, job.other_attributes)


def claim_attributes(claim: Claim) -> dict[str, str]:
    """Return the attributes of a claim's element, in the order they are written in. Raises MetadataError."""
    known = {
        "id": claim.id,
        "by": claim.by,
        "seconds": str(claim.seconds) if claim.seconds else "",
        "since": _time(claim.since),
        "start": _time(claim.start),
    }
    return _written(known, claim.other_attributes)


def instance_attributes(instance: Instance) -> dict[str, str]:
    """Return the attributes of an instance's element, in the order they are written in. Raises MetadataError."""
    known = {
        "id": instance.id,
        "owner": instance.owner,
        "image": instance.image,
        "pool": instance.pool,
        "memory": str(instance.memory),
        "vcpus": str(instance.vcpus),
        "disk": str(instance.disk),
        "launched": _time(instance.launched),
        "until": _time(instance.until),
    }
    return _written(known, instance.other_attributes)


def _value(attributes: Mapping[str, str], name: str, read: Callable[[str], _T], absent: _T) -> _T:
    if name not in attributes:
        return absent
    text = attributes[name]
    try:
        return read(text)
    except ValueError:
        raise MetadataError(f"{name}={text[:64]!r} cannot be read") from None


def _word(text: str) -> str:
    if len(text) > _MOST_WORD or not text.isprintable():
        raise ValueError
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(_word(text).split())


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise ValueError
    return int(text)


def _octets(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_OCTETS_DIGITS):
        raise ValueError
    return int(text)


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError
    return text == "yes"


def _word_of(yes: bool) -> str:
    return "yes" if yes else "no"


def _time(seconds: int | None) -> str:
    return "" if seconds is None else times.utc(seconds)


def _others(attributes: Mapping[str, str], known: tuple[str, ...]) -> Others:
    return tuple((name, value) for name, value in attributes.items() if name not in known)


def _written(known: dict[str, str], others: Others) -> dict[str, str]:
    for name, value in known.items():
        if len(value) > _MOST_WORD or not value.isprintable():
            raise MetadataError(f"{name}={value[:64]!r} cannot be written")
    return {name: value for name, value in known.items() if value} | dict(others)
