"""The portal with 2,000 hosts and 20,000 domains: how long a page takes, and how much memory a worker has."""

import resource
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import Engine

from rxmweb import db
from rxmweb.db import fleet, report, sessions
from rxmweb.settings import Settings
from rxmweb.web.app import create_app
from xman import outcome, result, states
from xman.result import Result

HOSTS = 2000
DOMAINS = 10
# One host in so many does not answer.
_DEAD = 20
_BATCH = 200
_PATHS = ("/", "/?page=50", "/?sort=-memory", "/?q=owner:u7", "/?state=running", "/?q=vm19", "/hosts/h1", "/metrics")


def lines(hosts: int) -> list[str]:
    """Return what rxm would print in one round of the collector."""
    return [_line(number) for number in range(hosts)]


def take(engine: Engine, said: list[str]) -> float:
    """Write a round as the collector does; return the seconds that took."""
    began = time.perf_counter()
    for start in range(0, len(said), _BATCH):
        fleet.take(engine, [report.read(line) for line in said[start : start + _BATCH]])
    return time.perf_counter() - began


def measure(quick: bool) -> list[list[str]]:
    """Return the rows of the table: what, and how much."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="xman-bench-portal") as name:
        for hosts in (HOSTS // 4, HOSTS):
            engine = db.open_store(f"sqlite:///{Path(name) / f'{hosts}.db'}", kept_open=True)
            fleet.configure(engine, [f"h{number}" for number in range(hosts)], {})
            said = lines(hosts)
            take(engine, said)  # the first round finds nothing to replace
            seconds = take(engine, said)
            rows.append([f"a round of the collector written, {hosts} hosts", f"{seconds:.2f} s"])
        settings = Settings(run_dir=f"{name}/run", readers=("*",), hosts=(f"h[0-{HOSTS - 1}]",))
        token, _session = sessions.begin(engine, "alice@R", "bench", "", "", 3600)
        client = create_app(settings, engine).test_client()
        client.set_cookie("rxmweb", token)
        for path in _PATHS:
            rows.append([f"GET {path}", f"{1000 * statistics.median(_times(client, path, 3 if quick else 9)):.0f} ms"])
        rows += _rendered(engine, client, 5 if quick else 20)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for page in range(50 if quick else 500):
            client.get(f"/?page={page % 100}")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        rows.append(["memory, and what pages added to it", f"{before // 1024} MiB + {grown // 1024} MiB"])
        engine.dispose()
    return rows


def _rendered(engine: Engine, client: object, rounds: int) -> list[list[str]]:
    """Return what 100 rows cost of the processor that are brought up to date: all of them others, and none."""
    found: dict[str, list[float]] = {"all others": [], "none another": []}
    for number in range(rounds):
        for what, memory in (("all others", (number + 3) << 30), ("none another", (number + 3) << 30)):
            said = [line.replace('"memory":1073741824', f'"memory":{memory}') for line in lines(14)]
            fleet.take(engine, [report.read(line) for line in said])
            began = time.process_time()
            client.get("/", headers={"HX-Request": "true"})  # type: ignore[attr-defined]
            found[what].append(time.process_time() - began)
    return [
        [f"100 rows after a report, {what}: processor", f"{1000 * statistics.median(times):.1f} ms"]
        for what, times in found.items()
    ]


def _times(client: object, path: str, rounds: int) -> list[float]:
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = client.get(path)  # type: ignore[attr-defined]
        found.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")
    return found


def _line(number: int) -> str:
    host = f"h{number}"
    if number % _DEAD == 0:
        return result.dumps(result.failed(host, "state", None, outcome.UNREACHABLE, "no answer in time."))
    domains = [_domain(number, place) for place in range(DOMAINS)]
    return result.dumps(result.succeeded(host, "state", Result({"host_id": host, "domains": domains}), 3))


def _domain(host: int, place: int) -> dict[str, object]:
    jobs = (
        [{"id": str(host * DOMAINS + place), "owner": f"u{host % 300}@R", "preemptible": True, "preempted": 0}]
        if place % 2
        else []
    )
    return {
        "name": f"vm{host}-{place}",
        "uuid": f"{host:08x}-0000-4000-8000-{place:012x}",
        "jobs": jobs,
        "state": states.STATES[(host + place) % len(states.STATES)],
        "since": result.now(),
        "memory": 1 << 30,
        "max_memory": 2 << 30,
        "vcpus": 1,
        "max_vcpus": 2,
        "priority": "normal",
    }
