"""What Prometheus gets to know, read from the tables at each scrape."""

import json
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select

from rxmweb.db import fleet
from rxmweb.db.actions import ENDED, QUEUED, RUNNING
from rxmweb.db.reported import NO_LIBVIRT
from rxmweb.db.reporters import WAITING
from rxmweb.db.schema import actions, domains, hosts, reporters
from xman import states

_WAITING = select(func.count()).select_from(reporters).where(reporters.c.state == WAITING)


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
        up = GaugeMetricFamily("xman_host_up", "1 while a host's report is fresh", labels=["host"])
        age = GaugeMetricFamily("xman_host_report_age_seconds", "since a host's last good report", labels=["host"])
        down = GaugeMetricFamily("xman_host_maintenance", "1 while a host is in maintenance", labels=["host"])
        lists = GaugeMetricFamily("xman_host_list_info", "the hash of a host's .k5login", labels=["host", "hash"])
        lost = GaugeMetricFamily("xman_host_audit_lost_lines", "audit lines that syslog did not take", labels=["host"])
        away = GaugeMetricFamily(
            "xman_host_libvirt_up", "1 while a host's libvirt answers, as it reports", labels=["host"]
        )
        clock = GaugeMetricFamily("xman_host_clock_seconds", "a host's clock, less the portal's", labels=["host"])
        broken = GaugeMetricFamily(
            "xman_host_memory_errors", "errors of memory since a host's start (EDAC)", labels=["host", "kind"]
        )
        room = GaugeMetricFamily("xman_host_pool_available_bytes", "room in a storage pool", labels=["host", "pool"])
        for row in rows:
            condition = json.loads(row.condition) if row.condition else {}
            if condition:
                away.add_metric([row.name], float(condition["state"] != NO_LIBVIRT))
            if row.clock is not None:
                clock.add_metric([row.name], row.clock)
            for kind, number in condition.get("memory_errors", {}).items():
                broken.add_metric([row.name, kind], number)
            for pool in condition.get("pools", ()):
                if "available" in pool:
                    room.add_metric([row.name, pool["name"]], pool["available"])
            if row.received is not None or row.code is not None:  # one that is expected is not down
                fresh = fleet.freshness(row.received, self._interval, self._now) == fleet.FRESH
                up.add_metric([row.name], float(fresh))
            if row.received is not None:
                age.add_metric([row.name], self._now - row.received)
            down.add_metric([row.name], float(row.maintenance_reason is not None))
            if row.list_hash:
                lists.add_metric([row.name, row.list_hash], 1.0)
            if row.audit_lost is not None:
                lost.add_metric([row.name], float(row.audit_lost))
        yield from (up, age, down, lists, lost, away, clock, broken, room)
        new = GaugeMetricFamily("xman_hosts_waiting", "hosts that report and wait to be accepted")
        new.add_metric([], waiting)
        yield new
        count = GaugeMetricFamily("xman_domains", "domains by state", labels=["state"])
        found = dict.fromkeys(states.STATES, 0) | {row[0]: row[1] for row in counted}
        for state, number in found.items():
            count.add_metric([state], number)
        yield count
        done = GaugeMetricFamily("xman_portal_actions", "actions kept, by how they stand", labels=["state"])
        # Each from the start: what appears with its first value has not grown, for Prometheus.
        kept = dict.fromkeys((QUEUED, RUNNING, *ENDED), 0) | {row[0]: row[1] for row in asked}
        for state, number in kept.items():
            done.add_metric([state], number)
        yield done
