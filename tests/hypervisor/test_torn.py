"""xmand killed in the middle of each change of machines, devices, disks and volumes on real QEMU, and started again.

One xmand after the other, with one state: each is killed at a step of a change, and the next one has found out what
became of that by the time it is asked once more with the same id. What it tells is true, and asked again it is done.
"""

import hashlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_devices import described
from tests.hypervisor.test_snapshots import image
from tests.lab.hosts.daemon import Answer
from tests.lab.process import wait_for
from tests.tools.soak import PARTS, SOAKING, rounds
from xman import outcome

PORT = 4394
FAILPOINT = (sys.executable, "-m", "tests.lab.faults.failpoint")
MAC = "52:54:00:07:31:01"
REFUSED, UNKNOWN = outcome.REFUSED, outcome.UNKNOWN
# Where xmand is killed: nothing but the journal knows; libvirt is to be told; it has done it; all is done but told.
OF_DOMAIN = ("begun", "enter1", "exit1", "end")
OF_VOLUME = ("begun", "make1", "made1", "end")
# And a moment after libvirt was told, of what takes longer than that: by chance alone, so in a soak.
AMID = "amid1"


class Site:
    """A pool, a domain in it that is off, one that runs, and an image that machines are launched from."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.d, self.r, self.pool = lab, name, f"{name}-r", lab.first.pool(name)
        self.folder = lab.first.directory / f"{name}.volumes"
        for path in self.folder.iterdir():
            path.unlink()
        for domain in (self.d, self.r):
            own = image(lab, f"{name}.volumes/{domain}")
            xml = self.folder.parent / f"{domain}.xml"
            xml.write_text(described(lab.guest(domain), own))
            assert lab.first.virsh("define", str(xml)).status == 0
        assert lab.first.virsh("start", self.r).status == 0
        image(lab, f"{name}.volumes/tiny")
        self.words = {
            "d": self.d,
            "r": self.r,
            "pool": self.pool,
            "mac": MAC,
            "more": str(image(lab, f"{name}-more")),
            "less": str(image(lab, f"{name}-less")),
            "disc": str(image(lab, f"{name}-disc", "raw")),
        }
        # What is another one each time round.
        self.turn(0)
        self._numbers = itertools.count(1)
        self._tables = f'[launch]\npools = ["{self.pool}"]\nkvm = false\n'

    def turn(self, number: int) -> None:
        """Let sizes and words be others than the last time."""
        more = {"size": str(8 + 4 * number), "memory": str(256 + 32 * number), "number": str(number)}
        more["kib"] = str(int(more["memory"]) << 10)
        self.words |= more

    def starts(self, step: str) -> None:
        """Start xmand, to be killed at a step of the change that is asked for with the id of `torn`."""
        self.next = self.rid()
        under = (*FAILPOINT, f"{step}@{self.next}") if step else ()
        admins, name = ("alice@XMAN.TEST",), f"torn-{self.d}"
        self.daemon = self.lab.first.xmand(
            self.lab.realm, admins=admins, tables=self._tables, port=PORT, name=name, under=under
        )

    def virsh(self, *words: str) -> str:
        """Return what virsh says; empty where it fails."""
        said = self.lab.first.virsh(*words)
        return said.stdout if said.status == 0 else ""

    def domains(self) -> set[str]:
        """Return all domains that libvirt knows."""
        return set(self.virsh("list", "--all", "--name").split())

    def ask(self, rid: str, *words: str) -> Answer:
        """Ask for a change, by Debian's client, which asks once, with an id."""
        verb, *rest = words
        return self.daemon.remctl(self.lab.alice, verb, "--json", f"--rid={rid}", *rest)

    def rid(self) -> str:
        """Return an id that nobody has used."""
        return f"{next(self._numbers):032x}"

    def torn(self, step: str, words: list[str], following: str) -> tuple[str, dict[str, str]]:
        """Let xmand be killed at a step of a change; return its id, and what the next one has found out about it.

        That one is to be killed at the `following` step.
        """
        rid, killed = self.next, self.daemon
        asked = self.ask(rid, *words)
        wait_for(lambda: killed.process.poll() is not None, 20, f"the kill at {step} of {words}")
        assert (killed.process.returncode, asked.status != 0 or step == AMID) == (-9, True), (step, words, asked)
        killed.syslog.close()
        self.starts(following)
        if asked.status == outcome.OK:  # it was faster than the kill
            return rid, {"res": "ok"}
        return rid, self.daemon.syslog.wait(ev="end", rid=rid, recovered="1")

    def end(self) -> None:
        """Leave nothing."""
        assert self.daemon.stop() == 0
        for name in self.domains():
            if name.startswith(self.d):
                self.virsh("destroy", name)
                self.virsh("undefine", "--snapshots-metadata", "--managed-save", name)
        for path in self.folder.iterdir():
            path.unlink()
        self.virsh("pool-destroy", self.pool)


def kept(part: str) -> Callable[[Site], bool]:
    """Whether the domain's kept description has this in it."""
    return lambda site: part.format(**site.words) in site.virsh("dumpxml", "--inactive", site.d)


def snapshots(name: str, domain: str = "d") -> Callable[[Site], bool]:
    """Whether it has a snapshot of that name."""
    return lambda site: name in site.virsh("snapshot-list", "--name", site.words[domain]).split()


def defined(name: str) -> Callable[[Site], bool]:
    return lambda site: name.format(**site.words) in site.domains()


def volume(name: str) -> Callable[[Site], bool]:
    return lambda site: (site.folder / name).exists()


def missing(looks: Callable[[Site], bool]) -> Callable[[Site], bool]:
    return lambda site: not looks(site)


def as_large(site: Site) -> bool:
    """Whether its disk is as large as it was to be."""
    command = ["qemu-img", "info", "-U", "--output=json", str(site.folder / f"{site.d}.qcow2")]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return bool(told["virtual-size"] == int(site.words["size"]) << 20)


def always(_site: Site) -> bool:
    """Nobody can see whether it was done."""
    return True


def edited(site: Site) -> list[str]:
    """Return the words that give the domain another title."""
    xml = json.loads(site.ask(site.rid(), "describe", "--inactive", site.d).stdout)["result"]["xml"]
    before, _name, behind = xml.partition("</name>")
    old = behind[behind.index("</title>") + 8 :] if "</title>" in behind else behind
    title = f"</name><title>turn {site.words['number']}</title>"
    return ["edit", "--was", hashlib.sha256(xml.encode()).hexdigest(), site.d, f"{before}{title}{old}"]


@dataclass(frozen=True)
class Change:
    """A change, how it is seen that it was made, and where xmand is torn out of it.

    `answers` is what the same request comes to, where that is not ok; `mends` are the words that a person says then
    before he asks anew, `ends` those that leave things as they were for the next one. A `long` one is torn in its midst
    as well, in a soak; one that is not `usual` is torn there alone.
    """

    words: str | Callable[[Site], list[str]]
    done: Callable[[Site], bool]
    steps: tuple[str, ...] = OF_DOMAIN
    answers: tuple[tuple[str, int], ...] = ()
    mends: str = ""
    ends: tuple[str, ...] = ()
    long: bool = False
    usual: bool = True

    def step(self, number: int) -> str:
        """Return one of its steps."""
        steps = (*self.steps, AMID) if self.long and SOAKING else self.steps
        return steps[number % len(steps)]

    def said(self, site: Site) -> list[str]:
        """Return its words."""
        return self.words(site) if callable(self.words) else self.words.format(**site.words).split()


def unknown(*steps: str) -> tuple[tuple[str, int], ...]:
    """Return the answers of one of which nobody can tell, from these steps on."""
    return tuple((step, UNKNOWN) for step in steps)


_DISK, _CARD, _COPY = kept("<target dev='vdb'"), kept(f"<mac address='{MAC}'"), "{d}-c-vda.qcow2"
# What each leaves is what the next one needs, and the last one what the first.
CHANGES = (
    Change("block-attach {d} qcow2:{more} vdb w", _DISK),
    Change("block-detach {d} vdb", missing(_DISK)),
    Change("network-attach {d} bridge=br0 mac={mac}", _CARD),
    Change("network-detach {d} {mac}", missing(_CARD)),
    Change("cd-insert {d} hdc {disc}", kept("{disc}")),
    Change("cd-eject {d}", missing(kept("{disc}"))),
    Change("block-resize {d} vda {size}", as_large, ("begun", "alter1", "altered1", "end")),
    Change("snapshot {d} then", snapshots("then")),
    Change("snapshot-revert {d} then", always, answers=unknown("enter1", "exit1", "end")),
    Change("snapshot-delete {d} then", missing(snapshots("then"))),
    # With its memory.
    Change("snapshot {r} warm", snapshots("warm", "r"), long=True),
    Change("snapshot-revert {r} warm", always, answers=unknown("enter1", "exit1", "end"), long=True, usual=False),
    Change("snapshot-delete {r} warm", missing(snapshots("warm", "r"))),
    Change("send-key {r} shift", always, answers=unknown(*OF_DOMAIN)),
    Change("mem-max {d} {memory}", kept("<memory unit='KiB'>{kib}<")),
    Change("vcpu-pin {d} 0 0", kept("<vcpupin vcpu='0' cpuset='0'/>")),
    Change("label {d} turn=t{number}", kept('value="t{number}"')),
    Change("assign {d} term1", kept('terminal="term1"')),
    Change("assign {d} off", missing(kept('terminal="term1"'))),
    # What it was made of is not there any more: whose description that is, nobody can tell.
    Change(edited, kept("<title>turn {number}</title>"), answers=unknown("exit1", "end")),
    Change("rename {d} {d}-2", defined("{d}-2")),
    Change("rename {d}-2 {d}", defined("{d}")),
    Change(
        "clone {d} {d}-c",
        defined("{d}-c"),
        ("begun", "enter1", "exit1", "enter2", "exit2", "end"),
        tuple((step, REFUSED) for step in ("exit1", "enter2")),
        f"volume-delete {{pool}} {_COPY}",
        ("delete {d}-c", f"volume-delete {{pool}} {_COPY}"),
        long=True,
    ),
    Change("profile {d} on", kept('profile="yes"')),
    Change("profile-client {d} {d}-k", defined("{d}-k"), (*OF_VOLUME, "enter1", "exit1")),
    Change("delete {d}-k", missing(defined("{d}-k"))),
    Change("profile {d} off", missing(kept('profile="yes"'))),
    Change("volume-create {pool} v 8", volume("v"), OF_VOLUME),
    Change("volume-create --base v {pool} over", volume("over"), OF_VOLUME),
    Change("volume-delete {pool} over", missing(volume("over")), ("begun", "alter1", "altered1", "end")),
    Change(
        "volume-delete --wipe {pool} v",
        missing(volume("v")),
        ("begun", "alter1", "altered1", "alter2", "altered2", "end"),
    ),
    Change(
        "launch --memory 64 tiny.qcow2 {d}-l",
        defined("{d}-l"),
        ("begun", "make1", "made1", "make2", "made3", "enter1", "exit1", "enter2", "exit2", "end"),
    ),
    Change(
        "terminate {d}-l",
        missing(defined("{d}-l")),
        ("begun", "enter1", "exit1", "enter2", "exit2", "alter1", "altered1", "end"),
    ),
)


@pytest.fixture
def site(lab: Lab, own_name: str) -> Iterator[Site]:
    made = Site(lab, own_name)
    yield made
    made.end()


def fails(site: Site, change: Change, step: str, following: str) -> None:
    """Tear xmand out of a change at a step; what the next one tells of it is true, and then it is done."""
    words = change.said(site)

    rid, told = site.torn(step, words, following)

    where = (words[0], step, told)
    there, looks = change.done(site), change.done is not always
    # It is done, it is not, or nobody knows: and never what is not so.
    assert told["res"] in ("ok", "unreachable", "unknown"), where
    if looks and told["res"] != "unknown":
        assert there == (told["res"] == "ok"), where
    again = site.ask(rid, *words)
    may = {dict(change.answers).get(step, outcome.OK)} if step != AMID else {outcome.OK, REFUSED, UNKNOWN}
    assert again.status in may, (where, again)
    # Whoever asks as a program gets an object as any other.
    assert again.json()["ok"] == (again.status == outcome.OK)
    if again.status != outcome.OK:
        if change.mends and again.status == REFUSED:
            assert site.ask(site.rid(), *change.mends.format(**site.words).split()).status == outcome.OK, where
        if not (looks and there):
            anew = site.ask(site.rid(), *change.said(site))
            assert anew.status == outcome.OK, (where, anew)
    assert change.done(site), where
    for more in change.ends:
        ended = site.ask(site.rid(), *more.format(**site.words).split())
        assert ended.status == outcome.OK, (where, ended)


def own(site: Site) -> set[str]:
    """Return the files of the pool that were there at the beginning."""
    return {path.name for path in site.folder.iterdir()}


def plan(changes: list[Change]) -> Iterator[tuple[int, Change, str]]:
    """Give each change and a step of it again and again, at another one each time: once in `make test`."""
    for turn in rounds("K1", 1):
        for number, change in enumerate(changes):
            yield turn, change, change.step(number + turn)


def test_whatever_xmand_is_torn_out_of_is_found_out_and_told(site: Site) -> None:
    """Row K1: in a soak at every step, again and again."""
    before, domains = own(site), site.domains()
    changes = [change for change in CHANGES if SOAKING or change.usual]
    assert len(CHANGES) == PARTS["K1"].each
    site.starts(changes[0].step(0))
    again = itertools.chain(plan(changes), [(0, changes[0], "")])
    for (turn, change, step), (_turn, _change, following) in itertools.pairwise(again):
        site.turn(turn)
        fails(site, change, step, following)
    assert site.domains() == domains
    # What is nobody's any more goes soon.
    wait_for(lambda: own(site) == before, 60, "the pool as it was")
