"""Guests, their jobs and their host as results have them."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any

from xman import times
from xman.errors import MetadataError, NoSuchDomainError
from xman.metadata import NORMAL, PRIORITY, Claim, Instance, Job, Metadata
from xmand.batch import words
from xmand.batch.engine import Engine, View
from xmand.batch.guests import Guest
from xmand.batch.marks import waited_seconds
from xmand.batch.observe import claim_left, lease_left
from xmand.virt import metadata
from xmand.virt.domain import PAUSED, Domain
from xmand.virt.listing import summary


def whole(engine: Engine, view: View, shown: Callable[[str], bool] = lambda _uuid: True) -> dict[str, Any]:
    """Return what `state` says of the whole host, of the domains that are `shown` by their UUIDs."""
    return named(engine, [of_guest(engine, view, guest) for guest in view.seen.guests if shown(guest.uuid)]) | {
        "others": [facts for other in view.seen.others if shown(other.uuid) and (facts := _of_other(engine, other))]
    }


def named(engine: Engine, domains: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what `state` says of some domains."""
    data: dict[str, Any] = {"host_id": socket.gethostname(), "domains": domains}
    notice = engine.maintenance.notice()
    return data if notice is None else data | {"maintenance": vars(notice)}


def notes_of_all(view: View) -> tuple[str, ...]:
    """Return what is to be said of the whole host, also to whoever asks about one of two owners."""
    return view.seen.problems + words.rivals(view.seen.guests)


def of_guest(engine: Engine, view: View, guest: Guest) -> dict[str, Any]:
    """Return what `state` says of it."""
    found: dict[str, Any] = {
        "name": guest.name,
        "uuid": guest.uuid,
        "state": view.states[guest.name],
        "jobs": [of_job(job, guest) for job in guest.jobs],
        "memory": guest.memory,
        "max_memory": guest.max_memory,
        "priority": PRIORITY if guest.priority else NORMAL,
    }
    if guest.claim is not None:
        found["claim"] = of_claim(guest.claim, guest)
    if guest.suspended:
        found["saved"] = guest.saved
    if guest.max_vcpus:
        found |= {"vcpus": guest.vcpus, "max_vcpus": guest.max_vcpus}
    if guest.name in view.since:
        found["since"] = times.utc(view.since[guest.name])
    if guest.started is not None:
        found["started"] = times.utc(guest.started)
    if guest.active and guest.suspended:
        found |= _unconfirmed(engine, guest.uuid, view.seen.domains[guest.name].identifier(), PAUSED)
    return found | kept(guest.metadata)


def _of_other(engine: Engine, domain: Domain) -> dict[str, Any]:
    """Return what is told of a domain that takes no part: what is kept in it too, where that can be read."""
    facts = summary(domain.raw)
    if facts:
        facts |= _unconfirmed(engine, domain.uuid, facts["id"], facts["state"])
        with contextlib.suppress(MetadataError, NoSuchDomainError):
            return facts | kept(metadata.read(domain))
    return facts


def kept(found: Metadata) -> dict[str, Any]:
    """Return what its users keep of it, as far as there is any: labels, terminal, profiles, launch."""
    told: dict[str, Any] = {"labels": dict(found.labels), "terminal": found.terminal, "given": found.given}
    told |= {"profile": found.profile, "labs": list(found.labs), "administrator": found.administrator}
    told = {key: value for key, value in told.items() if value}
    if found.origin is not None:
        told |= {"from": found.origin.profile, "discard": found.origin.discard}
    return told | ({} if found.instance is None else _launch(found.instance))


def _unconfirmed(engine: Engine, uuid: str, number: int | None, state: str) -> dict[str, str]:
    source = engine.unconfirmed(uuid, number, state)
    return {"unconfirmed": source} if source else {}


def _launch(instance: Instance) -> dict[str, Any]:
    """Return what is told of a machine that was launched from an image."""
    launched: dict[str, Any] = {"instance": instance.id, "image": instance.image, "owner": instance.owner}
    for key, at in (("launched", instance.launched), ("until", instance.until)):
        if at is not None:
            launched[key] = times.utc(at)
    return {key: value for key, value in launched.items() if value}


def of_job(job: Job, guest: Guest) -> dict[str, Any]:
    """Return what `state` and `job-list` say of one of its jobs."""
    waiting = waited_seconds(guest.uuid, guest.preempted_since)
    found: dict[str, Any] = {
        "id": job.id,
        "owner": job.owner,
        "preemptible": job.preemptible,
        "preempted": job.preempted + waiting,
    }
    if job.cpus:
        found["cpus"] = job.cpus
    if job.began is not None:
        found["start"] = times.utc(job.began)
    left = lease_left(guest.uuid, job)
    if left is not None:
        found |= {"lease": job.lease, "lease_left": max(0, int(left))}
    return found


def of_claim(claim: Claim, guest: Guest) -> dict[str, Any]:
    """Return what `state` says of a claim to it."""
    left = claim_left(guest.uuid, claim)
    return {"id": claim.id, "by": claim.by, "seconds": claim.seconds, "left": max(0, int(left))}
