"""Where the domains of a host may go that is to be emptied: spread over a set of hosts, by room and batch rules.

`spread` is pure; what the hosts know is asked by `plan`. Each xmand knows its own host only, rxm's ticket is good for
all.
"""

import threading
from typing import Any

from rxm.invocation import Invocation
from rxm.output import envelope
from rxm.remote.command import wire_words
from rxm.remote.deadline import Deadline
from rxm.strategies import migrate
from rxm.targets import Target, Task, expand
from xman import arguments, escape, outcome, verbs
from xman.errors import UsageError, XmanError

_Facts = dict[str, Any]
# What a guest costs its host beside its memory, as a share of that: page tables, and the process around it.
_MORE = 1 / 32
_MIB = 1 << 20
# How many snapshots are named where all of them are in the way.
_MOST_NAMED = 5


class Room:
    """A host that may take domains: the octets it has left, the names it has, and what `state` says of it."""

    def __init__(self, name: str, free: int, names: set[str], state: _Facts, addressed: str = "") -> None:
        self.name = name
        self.free = free
        self._names = names
        self._state = state
        # As its caller named it: hosts that are to be emptied take nothing.
        self.addressed = addressed or name

    def refuses(self, domain: _Facts, jobs: _Facts | None) -> str:
        """Return why it cannot take a domain, of a `list`; `jobs` is what `state` has of it where jobs are in it."""
        if domain["name"] in self._names:
            return "it already has a domain of that name"
        if jobs is not None and (why := migrate.in_the_way(jobs, self._state)):
            return why
        if "maintenance" in self._state["result"]:
            return "it is in maintenance"
        if needs(domain) > self.free:
            return f"it has {self.free // _MIB} MiB free, and {needs(domain) // _MIB} are needed"
        return ""

    def takes(self, domain: _Facts, jobs: _Facts | None) -> None:
        """Reckon with a domain that is to come."""
        self._names.add(domain["name"])
        self.free -= needs(domain)
        if jobs is not None:
            found = self._state["result"]
            self._state = self._state | {"result": found | {"domains": [*found["domains"], jobs]}}

    def gives_back(self, domain: _Facts) -> None:
        """Reckon with a domain that does not come after all; its name and jobs are what may be in the way here."""
        self.free += needs(domain)


def needs(domain: _Facts) -> int:
    """Return the octets that a domain needs on its new host: nothing where it is off."""
    return 0 if domain["id"] is None else int(domain["memory"] * (1 + _MORE))


def spread(domains: list[_Facts], jobs: dict[str, _Facts], rooms: list[Room]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the new host of each domain, and why the others have none, both by name.

    The largest first, each to the host that has most room left; `jobs` has what `state` says of those with jobs.
    """
    to: dict[str, str] = {}
    left: dict[str, str] = {}
    for domain in sorted(domains, key=lambda found: (-needs(found), str(found["name"]))):
        name, with_jobs = domain["name"], jobs.get(domain["name"])
        refusals = {room.addressed: room.refuses(domain, with_jobs) for room in rooms}
        able = [room for room in rooms if not refusals[room.addressed]]
        if not able:
            left[name] = "; ".join(f"{host}: {why}" for host, why in refusals.items()) or "no host answers"
            continue
        room = max(able, key=lambda found: found.free)
        room.takes(domain, with_jobs)
        to[name] = room.addressed
    return to, left


def hosts(invocation: Invocation) -> list[str]:
    """Return the hosts that HOST stands for.

    Raises UsageError where it stands for none, and UnreachableError where the DNS is away.
    """
    text = invocation.parsed.text("HOST")
    found = expand(text, invocation.groups(text))
    if not found:
        raise UsageError(f"'{text}' names no host.")
    return found


class Evacuation:
    """What is to be moved where, and what cannot be (`left`, with why); where a host refuses, the next one is tried.

    Hosts are emptied side by side, each in a thread.
    """

    def __init__(self, rooms: list[Room], silent: list[str]) -> None:
        self.tasks: list[Task] = []
        self.left: list[tuple[Target, str]] = []
        self._rooms = rooms
        # Hosts that could not be asked, and why.
        self._silent = silent
        # What is known of each domain, by its host and name; and which hosts have refused it, with why.
        self._facts: dict[tuple[str, str], tuple[_Facts, _Facts | None]] = {}
        self._refused: dict[tuple[str, str], dict[str, str]] = {}
        self._lock = threading.Lock()

    def place(self, host: str, domains: list[_Facts], jobs: dict[str, _Facts]) -> None:
        """Find a new host for each of the domains of `host`."""
        chosen, not_placed = spread(domains, jobs, self._rooms)
        for domain in domains:
            self._facts[host, domain["name"]] = (domain, jobs.get(domain["name"]))
        self.tasks += [Task(Target(host, name), [name], there) for name, there in chosen.items()]
        self.left += [(Target(host, name), "; ".join([why, *self._silent])) for name, why in not_placed.items()]

    def names(self) -> dict[str, list[str]]:
        """Return by host the names of those that are to be moved."""
        found: dict[str, list[str]] = {}
        for task in self.tasks:
            found.setdefault(task.target.host, []).append(task.target.domain)
        return found

    def instead(self, task: Task, why: str) -> Task | None:
        """Return the same task with another host, for one whose host has refused it; None where there is none."""
        key = (task.target.host, task.target.domain)
        with self._lock:
            refused = self._refused.setdefault(key, {})
            refused[task.to] = why
            if key not in self._facts:
                return None
            domain, jobs = self._facts[key]
            for room in self._rooms:
                if room.addressed == task.to:
                    room.gives_back(domain)
            left = [room for room in self._rooms if room.addressed not in refused]
            able = [room for room in left if not room.refuses(domain, jobs)]
            if not able:
                return None
            room = max(able, key=lambda found: found.free)
            room.takes(domain, jobs)
        return Task(task.target, task.domains, room.addressed)

    def refusals(self, task: Task) -> str:
        """Return why no host took it, each with its reason where several have refused."""
        found = self._refused.get((task.target.host, task.target.domain), {})
        if len(found) <= 1:
            return next(iter(found.values()), "")
        return "; ".join(f"{host}: {why.rstrip('.')}" for host, why in found.items()) + "."


def goes_on(code: int, message: str) -> bool:
    """Whether a migration that failed so may be tried to another host: the domain is where it was.

    Somebody who aborted it wants it to stay there.
    """
    return code in (outcome.REFUSED, outcome.HYPERVISOR, outcome.UNSUPPORTED) and outcome.ABORTED not in message


def plan(invocation: Invocation, found: dict[str, list[_Facts]], to: list[str]) -> Evacuation:
    """Return what is to be moved where, `found` having the domains of each host."""
    stay: list[tuple[Target, str]] = []
    for host, domains in found.items():
        held = _held(invocation, host, domains)
        stay += [(Target(host, name), why) for name, why in held.items()]
        found = found | {host: [domain for domain in domains if domain["name"] not in held]}
    planned = _spread_out(invocation, found, to)
    planned.left = stay + planned.left
    return planned


def _spread_out(invocation: Invocation, found: dict[str, list[_Facts]], to: list[str]) -> Evacuation:
    """Return what goes where, of domains that can move as far as their own hosts know."""
    if len(to) == 1:
        planned = Evacuation([], [])
        planned.tasks = [
            Task(Target(host, d["name"]), [d["name"]], to[0]) for host, them in found.items() for d in them
        ]
        return planned
    rooms, silent = [], []
    for host in to:
        if host in invocation.hosts:  # it is to be emptied itself
            continue
        try:
            facts, listed = _ask(invocation, host, "info"), _ask(invocation, host, "list")
            state = _ask(invocation, host, "state")
            names = {domain["name"] for domain in listed["result"]["domains"]}
            rooms.append(Room(host, int(facts["result"].get("free_memory", 0)), names, state))
        except XmanError as error:
            silent.append(f"{host}: {str(error).rstrip('.')}")
    planned = Evacuation(rooms, silent)
    for host, domains in found.items():
        try:
            jobs = {d["name"]: d for d in _ask(invocation, host, "state")["result"]["domains"] if d["jobs"]}
        except XmanError as error:
            planned.left += [(Target(host, d["name"]), f"its jobs are not known: {error}") for d in domains]
            continue
        planned.place(host, domains, jobs)
    return planned


def _held(invocation: Invocation, host: str, domains: list[_Facts]) -> dict[str, str]:
    """Return the domains of a host that their snapshots keep there, and why, by name; none where it cannot tell."""
    held: dict[str, str] = {}
    asked = verbs.BY_NAME["snapshot-list"]
    deadline = Deadline(invocation.deadline.remaining(asked.default_seconds))
    try:
        with invocation.connect(host, deadline) as connection:
            for domain in domains:
                parsed = arguments.parse(asked, ["--", domain["name"]])
                reply = connection.run(wire_words(parsed, json=True), deadline, changes=False)
                told = envelope.of_reply(reply, parsed.verb.name, Target(host), connection.principal)
                if told.get("code") == outcome.UNSUPPORTED:  # none has any there
                    break
                if told["ok"] and (why := stays(told["result"]["snapshots"])):
                    held[domain["name"]] = why
    except XmanError:  # it says so itself when it is asked to move them
        pass
    return held


def stays(snapshots: list[_Facts]) -> str:
    """Return why a domain with these snapshots stays where it is; empty where it has none."""
    if not (names := [str(each["snapshot"]) for each in snapshots]):
        return ""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    what = f"{len(names)} snapshot{'s' * (len(names) != 1)} ({', '.join(names[:_MOST_NAMED])}{more})"
    return f"it has {what}, and libvirt moves no domain that has any; delete them first (rxm snapshot-delete)"


def no_place(domain: str, why: str) -> str:
    """Return what is said of a domain that has nowhere to go."""
    return f"'{domain}' cannot move: {escape.line(why).rstrip('.')}."


def _ask(invocation: Invocation, host: str, verb: str) -> _Facts:
    parsed = arguments.parse(verbs.BY_NAME[verb], [])
    deadline = Deadline(invocation.deadline.remaining(parsed.verb.default_seconds))
    with invocation.connect(host, deadline) as connection:
        reply = connection.run(wire_words(parsed, json=True), deadline, changes=False)
        told = envelope.of_reply(reply, verb, Target(host), connection.principal)
    if not told["ok"]:
        raise UsageError(str(told["message"]))
    return told
