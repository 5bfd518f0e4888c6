"""Each verb once, on a domain that is in the state which the verb is for. DRIVERS.md has what comes of it."""

import hashlib
from collections.abc import Callable
from typing import Protocol

from tests.lab.hosts.daemon import Answer
from xman import grammar, outcome, verbs
from xman.grammar import Verb

# The states, as far as a verb needs one.
ANY, ABSENT, OFF, RUNNING, PAUSED, SUSPENDED = "any", "absent", "off", "running", "paused", "suspended"
# Running with a job; that, preempted; that, frozen.
BUSY, PREEMPTED, FROZEN = "busy", "preempted", "frozen"

Step = tuple[str, tuple[str, ...]]
# Verb: the state it is tried in, and its words; {name} is the domain, {host} where it may be moved, {image} a file,
# {disk} its disk and {more} a second one, {pool} a storage pool, {was} by what its description is known, {launches} an
# image that machines are launched from, - that. In an order in which little has to be done between two. One that only
# looks has a step here where the one that `looking` makes of its row is not enough.
_STEPS: dict[str, Step] = {
    "list": (ANY, ()),
    "stats": (ANY, ()),
    "macs": (ANY, ()),
    "events": (ANY, ()),
    "new": (ABSENT, ("-",)),
    "autostart": (OFF, ("{name}", "on")),
    "clone": (OFF, ("{name}", "cloned")),
    "profile": (OFF, ("{name}", "on")),
    "profile-client": (OFF, ("{name}", "client")),
    "edit": (OFF, ("--was", "{was}", "{name}", "-")),
    "block-attach": (OFF, ("{name}", "file:{image}", "{more}", "w")),
    "block-detach": (OFF, ("{name}", "{more}")),
    "network-attach": (OFF, ("{name}", "bridge=br0", "mac=52:54:00:00:00:02")),
    "network-detach": (OFF, ("{name}", "52:54:00:00:00:02")),
    "start": (OFF, ("{name}",)),
    "wait": (RUNNING, ("{name}", "--for", "running")),
    "console": (RUNNING, ("--send", r"\n", "{name}")),
    "vnc": (RUNNING, ("--stdio", "{name}")),
    "send-key": (RUNNING, ("{name}", "shift")),
    "label": (RUNNING, ("{name}", "course=os1")),
    "assign": (RUNNING, ("--this-run", "{name}", "term1")),
    "cd-insert": (RUNNING, ("{name}", "hdc", "{image}")),
    "cd-eject": (RUNNING, ("{name}",)),
    "block-resize": (RUNNING, ("{name}", "{disk}", "8")),
    "snapshot": (RUNNING, ("{name}", "then")),
    "snapshot-revert": (RUNNING, ("{name}", "then")),
    "snapshot-delete": (RUNNING, ("{name}", "then")),
    "vcpu-pin": (RUNNING, ("{name}", "0", "0")),
    "mem-max": (RUNNING, ("{name}", "256")),
    "dump-core": (RUNNING, ("{name}", "each.core")),
    "pause": (RUNNING, ("{name}",)),
    "unpause": (PAUSED, ("{name}",)),
    "mem-set": (RUNNING, ("{name}", "96")),
    "vcpu-set": (RUNNING, ("{name}", "2")),
    "state": (ANY, ()),
    "job-start": (RUNNING, ("{name}", "--id", "1", "--owner", "alice", "--preemptible")),
    "job-renew": (BUSY, ("{name}", "--id", "1", "--lease", "600")),
    "job-list": (ANY, ()),
    "preempt": (BUSY, ("{name}",)),
    "unpreempt": (PREEMPTED, ("{name}",)),
    "freeze": (BUSY, ("{name}",)),
    "defrost": (FROZEN, ("{name}",)),
    "job-stop": (BUSY, ("{name}", "--id", "1")),
    "job-claim": (RUNNING, ("{name}", "--id", "2", "--seconds", "1")),
    "suspend": (RUNNING, ("{name}",)),
    "resume": (SUSPENDED, ("{name}",)),
    "shutdown": (RUNNING, ("--wait", "{name}")),
    "reboot": (RUNNING, ("{name}",)),
    "save": (RUNNING, ("{name}", "each.save")),
    "restore": (OFF, ("each.save",)),
    "destroy": (RUNNING, ("{name}",)),
    "rename": (OFF, ("{name}", "renamed")),
    "delete": (OFF, ("{name}",)),
    "launch": (ABSENT, ("{launches}", "{name}", "--memory", "64")),
    "terminate": (ANY, ("{name}",)),
    "create": (ABSENT, ("-",)),
    "migrate": (RUNNING, ("--live", "{name}", "{host}")),
    "maintenance": (ANY, ("on", "trying")),
    "volume-create": (ANY, ("--format", "raw", "{pool}", "each.img", "8")),
    "volume-download": (ANY, ("{pool}", "each.img", "-")),
    "volume-delete": (ANY, ("{pool}", "each.img")),
    "volume-upload": (ANY, ("{pool}", "each.img", __file__)),
}


def looking(verb: Verb) -> Step:
    """Return how a verb is tried that only looks: at a domain that runs, where its first word is one."""
    of_domain = bool(verb.arguments) and verb.arguments[0].kind == grammar.DOMAIN
    return (RUNNING, ("{name}",)) if of_domain else (ANY, ())


def _steps() -> dict[str, Step]:
    looks = {verb.name: looking(verb) for verb in verbs.VERBS if not verb.changes and verb.name not in _STEPS}
    steps = {name: step for name, step in looks.items() if step[0] == ANY}
    for name, step in _STEPS.items():
        steps[name] = step
        # It runs now.
        if name == "start":
            steps |= looks
    return steps


STEPS = _steps()
# What xmand has to be told for them: only the one domain takes part in batch work, and little of it will do.
BATCH = """\
[batch]
domains = ["each"]
parked_memory = 96
parked_vcpus = 0
boot_seconds = 0.001
[launch]
pools = ["each"]
kvm = false
"""
NAME = "each"
# In the pool `each`, where that is.
IMAGE = "launches.qcow2"


class Rxm(Protocol):
    """rxm, as somebody who may, against the host in question."""

    def __call__(self, *words: str, stdin: str = "") -> Answer:
        """Run it."""


class Trial:
    """One host, and the domain `NAME` on which the verbs are tried. `ready` waits until its guest is up.

    What is created at last, and moves, may be described otherwise (`moves`): without what only this host has.
    `image` is a file that may be a disk, `pool` a storage pool, `disks` what the guest calls its first two.
    """

    def __init__(
        self,
        rxm: Rxm,
        description: str,
        host: str,
        ready: Callable[[], None],
        moves: str = "",
        image: str = "/none",
        pool: str = "default-pool",
        disks: tuple[str, str] = ("vda", "vdb"),
    ) -> None:
        self._rxm = rxm
        self._name = NAME
        self._description = description
        self._moves = moves or description
        self._words = {
            "launches": IMAGE,
            "name": NAME,
            "host": host,
            "image": image,
            "pool": pool,
            "disk": disks[0],
            "more": disks[1],
        }
        self._ready = ready

    def run(self) -> dict[str, tuple[int, str]]:
        """Try every verb; return the outcome's code of each, and its message where that was not ok."""
        found = {}
        for verb, (state, words) in STEPS.items():
            self._reach(state)
            words_of = self._words | ({"was": self._digest()} if "{was}" in words else {})
            found[verb] = self._call(verb, *(word.format(**words_of) for word in words))
            if verb == "clone" and found[verb] == (outcome.OK, ""):
                self._do("delete", "cloned")
            if verb == "profile-client" and found[verb] == (outcome.OK, ""):
                self._do("delete", "client")
                self._do("profile", self._name, "off")
            if verb == "rename" and found[verb] == (outcome.OK, ""):
                self._do("rename", "renamed", self._name)
            if verb == "volume-upload" and found[verb] == (outcome.OK, ""):
                self._do("volume-delete", self._words["pool"], "each.img")
            if verb == "create" and found[verb] == (outcome.OK, ""):
                # Xen's guests that move while they boot have been seen to arrive nowhere, and to hold libvirt up.
                self._ready()
        self._do("maintenance", "off")
        self._reach(ABSENT)
        return found

    def _call(self, verb: str, *words: str) -> tuple[int, str]:
        if verbs.BY_NAME[verb].streams:  # which leaves as soon as nothing more is to be said
            said = self._rxm(verb, *words)
            return said.status, said.stderr.removeprefix("Error: ").strip() if said.status else ""
        answer = self._rxm("-j", verb, *words, stdin=self._described(verb))
        envelope = answer.objects()[-1]
        return (outcome.OK, "") if envelope["ok"] else (envelope["code"], envelope["message"])

    def _described(self, verb: str) -> str:
        """Return what a verb may read."""
        return self._moves if verb == "create" else self._description

    def _digest(self) -> str:
        """Return by what edit knows the description that it is to replace."""
        kept = self._rxm("-j", "describe", "--inactive", self._name).json()["result"]["xml"]
        return hashlib.sha256(kept.encode()).hexdigest()

    def _do(self, verb: str, *words: str) -> None:
        found = self._call(verb, *words)
        assert found == (outcome.OK, ""), (verb, *words, found)

    def _state(self) -> str:
        answer = self._rxm("-j", "list", self._name).json()
        if not answer["ok"]:
            return ABSENT
        state = answer["result"]["domains"][0]["state"]
        return {"shutoff": OFF, "paused": PAUSED}.get(state, RUNNING)

    def _suspended(self) -> bool:
        domains = self._rxm("-j", "list", "--state", "suspended").json()["result"]["domains"]
        return self._name in [domain["name"] for domain in domains]

    def _reach(self, wanted: str) -> None:
        state = self._state()
        if wanted in (ANY, state):
            return
        if wanted in (BUSY, PREEMPTED, FROZEN):
            self._reach_in_batch(wanted)
            return
        if wanted == ABSENT:
            self._reach(OFF)
            self._do("delete", self._name)
        elif wanted == OFF:
            self._do(*(("new", "-") if state == ABSENT else ("destroy", self._name)))
        elif wanted == RUNNING and state == PAUSED:
            self._do("unpause", self._name)
        elif wanted == RUNNING:
            self._reach(OFF)
            self._do("start", self._name)
            self._ready()
        elif wanted == PAUSED:
            self._reach(RUNNING)
            # As for SUSPENDED: not every host can.
            self._call("pause", self._name)
        elif wanted == SUSPENDED and not self._suspended():
            self._reach(RUNNING)
            # Where it cannot be, the verb is tried on one that is off.
            if self._call("suspend", self._name)[0] != outcome.OK:
                self._reach(OFF)

    def _reach_in_batch(self, wanted: str) -> None:
        (guest,) = self._rxm("-j", "state", self._name).json()["result"]["domains"]
        state = {"running-preemptible": BUSY, "preempted": PREEMPTED, "frozen": FROZEN}.get(
            guest["state"], guest["state"]
        )
        if state == wanted:
            return
        if wanted != BUSY:
            self._reach_in_batch(BUSY)
            verb = {PREEMPTED: "preempt", FROZEN: "freeze"}[wanted]
            if self._call(verb, self._name)[0] != outcome.OK:
                self._call("freeze", "--pause", self._name)
        elif state in (PREEMPTED, FROZEN):
            self._do({PREEMPTED: "unpreempt", FROZEN: "defrost"}[state], self._name)
        else:
            self._reach(RUNNING)
            self._do(*("job-start", self._name, *STEPS["job-start"][1][1:]))
