"""What Prometheus gets to know, read from the tables at each scrape."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, Row, func, select

from rxmweb.db import fleet
from rxmweb.db.actions import ENDED, QUEUED, RUNNING
from rxmweb.db.reported import NO_LIBVIRT
from rxmweb.db.reporters import WAITING
from rxmweb.db.schema import actions, domains, hosts, reporters
from xman import states

# The values of a sample's further labels, and its own.
Sample = tuple[tuple[str, ...], float]

_WAITING = select(func.count()).select_from(reporters).where(reporters.c.state == WAITING)


@dataclass(frozen=True)
class _Host:
    """A host's row, and what it has reported of its health."""

    row: Row[Any]
    interval: float
    now: float

    @cached_property
    def condition(self) -> dict[str, Any]:
        """What it has last reported of its health; nothing where it never has."""
        return json.loads(self.row.condition) if self.row.condition else {}

    def up(self) -> Iterator[Sample]:
        if self.row.received is not None or self.row.code is not None:  # one that is expected is not down
            yield (), float(fleet.freshness(self.row.received, self.interval, self.now) == fleet.FRESH)

    def age(self) -> Iterator[Sample]:
        if self.row.received is not None:
            yield (), self.now - self.row.received

    def maintenance(self) -> Iterator[Sample]:
        yield (), float(self.row.maintenance_reason is not None)

    def lists(self) -> Iterator[Sample]:
        if self.row.list_hash:
            yield (self.row.list_hash,), 1.0

    def lost_lines(self) -> Iterator[Sample]:
        if self.row.audit_lost is not None:
            yield (), float(self.row.audit_lost)

    def libvirt(self) -> Iterator[Sample]:
        if self.condition:
            yield (), float(self.condition["state"] != NO_LIBVIRT)

    def clock(self) -> Iterator[Sample]:
        if self.row.clock is not None:
            yield (), self.row.clock

    def memory_errors(self) -> Iterator[Sample]:
        for kind, number in self.condition.get("memory_errors", {}).items():
            yield (kind,), number

    def pools(self) -> Iterator[Sample]:
        for pool in self.condition.get("pools", ()):
            if "available" in pool:
                yield (pool["name"],), pool["available"]


# The labels beside the host's name are those of each sample.
_OF_HOSTS: tuple[tuple[str, str, tuple[str, ...], Callable[[_Host], Iterator[Sample]]], ...] = (
    ("xman_host_up", "1 while a host's report is fresh", (), _Host.up),
    ("xman_host_report_age_seconds", "since a host's last good report", (), _Host.age),
    ("xman_host_maintenance", "1 while a host is in maintenance", (), _Host.maintenance),
    ("xman_host_list_info", "the hash of a host's .k5login", ("hash",), _Host.lists),
    ("xman_host_audit_lost_lines", "audit lines that syslog did not take", (), _Host.lost_lines),
    ("xman_host_libvirt_up", "1 while a host's libvirt answers, as it reports", (), _Host.libvirt),
    ("xman_host_clock_seconds", "a host's clock, less the portal's", (), _Host.clock),
    ("xman_host_memory_errors", "errors of memory since a host's start (EDAC)", ("kind",), _Host.memory_errors),
    ("xman_host_pool_available_bytes", "room in a storage pool", ("pool",), _Host.pools),
)


class Fleet(Collector):
    """The state of the fleet at `now`."""

    def __init__(self, engine: Engine, interval: float, now: float) -> None:
        self._engine = engine
        self._interval = interval
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(hosts).order_by(hosts.c.position)).all()
            counted = connection.execute(select(domains.c.state, func.count()).group_by(domains.c.state)).all()
            waiting = connection.execute(_WAITING).scalar_one()
            asked = connection.execute(select(actions.c.state, func.count()).group_by(actions.c.state)).all()
        found = [_Host(row, self._interval, self._now) for row in rows]
        for name, text, labels, samples in _OF_HOSTS:
            family = GaugeMetricFamily(name, text, labels=["host", *labels])
            for host in found:
                for values, value in samples(host):
                    family.add_metric([host.row.name, *values], value)
            yield family
        yield GaugeMetricFamily("xman_hosts_waiting", "hosts that report and wait to be accepted", value=waiting)
        yield _by_state("xman_domains", "domains by state", states.STATES, counted)
        # Each from the start: what appears with its first value has not grown, for Prometheus.
        yield _by_state("xman_portal_actions", "actions kept, by how they stand", (QUEUED, RUNNING, *ENDED), asked)


def _by_state(name: str, text: str, every: Iterable[str], counted: Iterable[tuple[Any, ...]]) -> Metric:
    """Return a family with each of `every` state, also where there is none of it."""
    family = GaugeMetricFamily(name, text, labels=["state"])
    for state, number in (dict.fromkeys(every, 0) | {row[0]: row[1] for row in counted}).items():
        family.add_metric([state], number)
    return family
