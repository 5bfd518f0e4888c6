"""DRIVERS.md's columns for QEMU and LXC, checked by a run of each verb."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_devices import described
from tests.hypervisor.test_lxc import NO_FREEZER, URI, Containers, can_be_asked, description, why_no_containers
from tests.hypervisor.test_snapshots import image
from tests.lab.hosts import drivers
from tests.lab.hosts.each_verb import BATCH, NAME, STEPS, Trial
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import wait_for
from xman import outcome, verbs
from xmand.system import mounts

PATIENCE = 60.0
_TABLES = f'{BATCH}[migrate]\nallow = ["hv2.xman.test"]\n'


# Those that change machines, their devices, disks or volumes, and have a dry run.
_WATCHED = frozenset(
    verb.name
    for verb in verbs.VERBS
    if verb.changes
    and verb.family in ("life", "launch", "storage", "tune", "console")
    and any("--dry-run" in option.names for option in verb.options)
)

# A mark of the present run, the size of an image, keys, and what was in memory are not among what is looked at.
_UNSEEN = frozenset(("assign", "block-resize", "send-key", "snapshot-revert"))


class Watched(Trial):
    """The same, where each of these is tried without a change first, and asked for once more with the same id."""

    def __init__(self, lab: Lab, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._lab = lab
        # What was not as it has to be.
        self.faults: list[tuple[str, str, object, object]] = []
        self.watched: set[str] = set()

    def _call(self, verb: str, *words: str) -> tuple[int, str]:
        if verb not in _WATCHED or verb in self.watched:
            return super()._call(verb, *words)
        self.watched.add(verb)
        before = self._look()
        dry = self._asked(verb, "--dry-run", *words)
        self._hold(verb, "a dry run changes something", before, self._look())
        self._hold(verb, "a dry run says that it changed something", False, bool(dry.get("changed")))
        rid = f"--rid={len(self.watched):032x}"
        first = self._asked(verb, rid, *words)
        after = self._look()
        again = self._asked(verb, rid, *words)
        for key in ("ok", "code", "changed", "result", "message"):
            self._hold(verb, f"{key} is another one the second time", first.get(key), again.get(key))
        self._hold(verb, "it happens twice", after, self._look())
        self._hold(verb, "a dry run says whether it can be done", first["ok"], dry["ok"])
        if first["ok"] and first.get("changed") and verb not in _UNSEEN:
            self._hold(verb, "it changes nothing", False, after == before)
        return (outcome.OK, "") if first["ok"] else (first["code"], first["message"])

    def _asked(self, verb: str, *words: str) -> dict[str, Any]:
        told: dict[str, Any] = self._rxm("-j", verb, *words, stdin=self._described(verb)).objects()[-1]
        return told

    def _hold(self, verb: str, what: str, wanted: object, found: object) -> None:
        if wanted != found:
            self.faults.append((verb, what, wanted, found))

    def _look(self) -> str:
        """Return all of the host that these verbs change."""
        asked = [
            *(f"dumpxml --inactive {NAME}", f"domblklist {NAME}", f"domiflist {NAME}", f"snapshot-list --name {NAME}"),
            *("list --all --name", "list --name"),
        ]
        volumes = sorted(path.name for path in (self._lab.first.directory / f"{NAME}.volumes").iterdir())
        return "\n".join([self._lab.first.virsh(stdin="\n".join(asked)).stdout, *volumes])


@pytest.fixture(scope="module")
def watched(lab: Lab) -> Iterator[tuple[Watched, dict[str, tuple[int, str]]]]:
    """What each verb came to, with an xmand of its own: only one domain takes part in batch work."""
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=_TABLES, port=4377)
    guest = Guest(NAME, lab.first.directory, screen="<graphics type='vnc'><listen type='none'/></graphics>")
    boots = 0

    def ready() -> None:
        nonlocal boots
        wait_for(lambda: guest.boots() > boots, PATIENCE, "its boot")
        boots = guest.boots()

    pool = lab.first.pool(NAME)
    own = image(lab, NAME)
    # A clone's disks are volumes, and the former try's are none of this one's.
    folder = lab.first.directory / f"{NAME}.volumes"
    for path in folder.iterdir():
        path.unlink()
    with_image = described(guest, own.rename(folder / own.name), boots=True)
    image(lab, f"{NAME}.volumes/launches")
    rxm = partial(daemon.rxm, lab.alice)
    trial = Watched(
        lab,
        rxm,
        with_image,
        "hv2.xman.test",
        ready,
        moves=guest.description(),
        image=str(image(lab, f"{NAME}-more", "raw")),
        pool=pool,
    )
    yield trial, trial.run()
    for verb in ("destroy", "delete"):
        assert lab.rxm_second(verb, NAME).status == 0
    assert daemon.stop() == 0


@pytest.fixture(scope="module")
def tried_on_qemu(watched: tuple[Watched, dict[str, tuple[int, str]]]) -> dict[str, tuple[int, str]]:
    return watched[1]


@pytest.fixture(scope="module")
def tried_on_lxc(lab: Lab) -> Iterator[dict[str, tuple[int, str]]]:
    """What each verb came to, likewise."""
    if reason := why_no_containers():
        pytest.skip(reason)
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=URI, tables=_TABLES, port=4378)
    containers = Containers(lab, daemon)

    def ready() -> None:
        for _try in range(5):
            if can_be_asked(containers, NAME):
                return
            assert containers.rxm("destroy", NAME).status == 0
            assert containers.rxm("start", NAME).status == 0
        raise TimeoutError("libvirt knows the first process of none of five containers")

    # A container's disks are devices of the host's.
    pool = lab.first.pool(f"{NAME}-lxc")
    yield Trial(containers.rxm, description(NAME), "hv2.xman.test", ready, image="/dev/vg0/more", pool=pool).run()
    assert daemon.stop() == 0


@pytest.mark.parametrize("verb", STEPS)
def test_the_page_says_what_qemu_does(tried_on_qemu: dict[str, tuple[int, str]], verb: str) -> None:
    entry = drivers.entries("QEMU")[verb]

    assert drivers.agrees(entry, tried_on_qemu[verb]), (entry, tried_on_qemu[verb])


def test_a_dry_run_changes_nothing_and_the_same_request_happens_once(
    watched: tuple[Watched, dict[str, tuple[int, str]]],
) -> None:
    trial, _found = watched

    assert trial.faults == []
    assert trial.watched == _WATCHED


@pytest.mark.parametrize("verb", STEPS)
def test_the_page_says_what_lxc_does(tried_on_lxc: dict[str, tuple[int, str]], verb: str) -> None:
    entry = drivers.entries("LXC")[verb]
    if verb == "pause" and not mounts.freezer():
        entry = (drivers.REFUSED, NO_FREEZER)

    assert drivers.agrees(entry, tried_on_lxc[verb]), (entry, tried_on_lxc[verb])
