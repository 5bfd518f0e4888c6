"""Whether a domain could move (`xmand.virt.migration_trial`); the other host is libvirt's test driver."""

import json
from collections.abc import Sequence
from typing import Any

import libvirt
import pytest

from tests.unit.xmand.virt.test_listing import libvirt_error
from xman.errors import HypervisorError, RefusedError
from xmand.system import children
from xmand.virt import elsewhere, migration_trial
from xmand.virt.domain import Domain
from xmand.virt.migration_trial import Needs

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b12"
XML = """\
<domain><memory unit='KiB'>4096</memory><currentMemory unit='KiB'>2048</currentMemory>
  <os><kernel>/boot/k</kernel><initrd>/boot/i</initrd></os>
  <devices>
    <disk type='file'><source file='/d/a'/></disk><disk type='file' device='cdrom'/>
    <disk type='block'><source dev='/dev/x'/></disk><disk type='file'><source file='/d/b'/></disk>
    <interface type='network'><source network='default'/></interface>
    <interface type='bridge'><source bridge='br0'/></interface>
  </devices></domain>"""


class Raw:
    """A domain as libvirt has it."""

    def connect(self) -> None:
        """Nothing is asked of it."""

    def name(self) -> str:
        return "vm1"

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return UUID

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802  # libvirt's name
        return XML


def test_what_it_needs_there() -> None:
    needed = migration_trial.needs(Domain(Raw()), copied=("/d/b",))

    assert needed == Needs(("/d/a", "/boot/k", "/boot/i"), ("default",), 2 << 20)


ROOM = {"taken": [], "missing": [], "unseen": [], "networks": [], "free": 1 << 30}


def answered(**answer: Any) -> children.Finished:
    """Return what the program of a host that answers so leaves."""
    return children.Finished(0, json.dumps(ROOM | answer).encode(), b"")


def asked(monkeypatch: pytest.MonkeyPatch, **answer: Any) -> tuple[str, ...]:
    """Ask a host that answers so."""

    def run(_argv: Sequence[str], *, stdin: bytes, seconds: float, most_octets: int) -> children.Finished:
        assert json.loads(stdin)["what"] == elsewhere.FIT
        assert 0 < seconds < most_octets
        return answered(**answer)

    monkeypatch.setattr(children, "run", run)
    return migration_trial.ask(Domain(Raw()), "h2", "x://h2", "", Needs(("/d/a",), ("default",), 4 << 20))


def test_nothing_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch) == ()


def test_all_that_is_in_the_way_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError) as refused:
        asked(monkeypatch, taken=["name", "uuid"], missing=["/d/a"], networks=["default"])

    assert str(refused.value) == (
        "'vm1' cannot move: h2 has a domain of that name and uuid already, and it has no /d/a, and it has no active"
        " network default."
    )


def test_what_is_no_hindrance_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, unseen=["/d/a"], free=1 << 20) == (
        "/d/a could not be looked for there.",
        "h2 has 1 MiB of memory left, and 4 are needed.",
    )


GUESTS = "<cpu mode='custom' match='exact' check='full'><model fallback='forbid'>qemu64</model></cpu>"
OWN = "<cpu mode='host-passthrough' check='none'/>"
HOST = "<capabilities><host><cpu><arch>x86_64</arch><model>EPYC</model></cpu></host></capabilities>"


class Described(Raw):
    """A domain with a processor."""

    def __init__(self, cpu: str) -> None:
        self._cpu = cpu

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802  # libvirt's name
        return f"<domain type='kvm'><memory>4096</memory><os><type arch='x86_64'>hvm</type></os>{self._cpu}</domain>"

    def connect(self) -> Any:
        return self

    def getCapabilities(self) -> str:  # noqa: N802  # libvirt's name
        return HOST


@pytest.mark.parametrize(
    ("cpu", "model", "same"), [(GUESTS, "qemu64", False), (OWN, "EPYC", True), ("", "", False), ("<cpu/>", "", False)]
)
def test_which_processor_its_next_host_must_have(cpu: str, model: str, same: bool) -> None:
    needed = migration_trial.needs(Domain(Described(cpu)))

    assert (model in needed.cpu.get("xml", ""), bool(needed.cpu), needed.same) == (True, bool(model), same)
    assert (needed.cpu or {"arch": "x86_64", "type": "kvm"}).items() >= {"arch": "x86_64", "type": "kvm"}.items()


def test_another_processor_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError, match=r"h2 has another processor \(it lacks avx512f\)\.$"):
        asked(monkeypatch, cpu="it lacks avx512f.")


def test_of_a_guest_with_this_hosts_own_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "run", lambda *_argv, **_more: answered(cpu="it lacks avx512f."))

    (note,) = migration_trial.ask(Domain(Raw()), "h2", "x://h2", "", Needs((), (), 0, {"xml": "<cpu/>"}, same=True))

    assert note.startswith("h2 has another processor (it lacks avx512f); a guest that has this host's own")


class Compares:
    """Another host's libvirt."""

    def __init__(self, code: int | None) -> None:
        self._code = code

    def compareHypervisorCPU(self, *asked: Any) -> int:  # noqa: N802  # libvirt's name
        assert asked[1:5] == ("x86_64", None, "kvm", "<cpu/>")
        if self._code is not None:
            raise libvirt_error(self._code)
        return int(libvirt.VIR_CPU_COMPARE_SUPERSET)


@pytest.mark.parametrize(
    ("code", "lacks"), [(None, False), (libvirt.VIR_ERR_CPU_INCOMPATIBLE, True), (libvirt.VIR_ERR_NO_SUPPORT, False)]
)
def test_what_a_processor_lacks_libvirt_says(code: int | None, lacks: bool) -> None:
    cpu = {"arch": "x86_64", "type": "kvm", "xml": "<cpu/>"}

    assert bool(elsewhere._lacks(Compares(code), cpu)) is lacks


def test_a_host_that_cannot_be_asked_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HypervisorError, match=r"^h2: away\. Whether 'vm1' could move there is not known\.$"):
        asked(monkeypatch, error="away", code=8)


# --- the program at the other host's libvirt -------------------------------------------------------------------------


def fit(connection: Any, name: str, uuid: str, files: Sequence[str] = (), networks: Sequence[str] = ()) -> Any:
    """Return what the other host's libvirt answers."""
    return elsewhere.fit(connection, {"name": name, "uuid": uuid, "files": files, "networks": networks, "cpu": {}})


def test_what_a_host_has() -> None:
    connection = libvirt.open("test:///default")
    uuid = connection.lookupByName("test").UUIDString()

    assert fit(connection, "test", UUID)["taken"] == ["name"]
    assert fit(connection, "other", uuid)["taken"] == ["uuid"]
    assert fit(connection, "other", UUID)["taken"] == []
    assert fit(connection, "other", UUID, networks=["default", "none"])["networks"] == ["none"]
    network = connection.networkLookupByName("default")
    network.destroy()
    try:
        assert fit(connection, "other", UUID, networks=["default"])["networks"] == ["default"]
    finally:
        network.create()


def test_files_that_are_there_are_not_and_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = libvirt.open("test:///default")
    pool = connection.storagePoolLookupByName("default-pool")
    # The test driver's connections of one process share it.
    volume = pool.createXML("<volume><name>a</name><capacity>5</capacity></volume>", 0)

    class Other:
        def storagePoolLookupByTargetPath(self, folder: str) -> Any:  # noqa: N802  # libvirt's name
            if folder == "/default-pool":
                return pool
            raise libvirt.libvirtError("no pool")

        def storagePoolCreateXML(self, xml: str, _flags: int) -> Any:  # noqa: N802  # libvirt's name
            words = "No such file or directory" if "/absent" in xml else "this function is not supported"
            error = libvirt.libvirtError(words)
            error.err = (38, 18, words, 2, words, None, None, -1, -1)
            raise error

        def __getattr__(self, name: str) -> Any:
            return getattr(connection, name)

    try:
        found = fit(Other(), "other", UUID, files=["/default-pool/a", "/default-pool/b", "/absent/c", "/dark/d"])
    finally:
        volume.delete(0)

    assert (found["missing"], found["unseen"]) == (["/default-pool/b", "/absent/c"], ["/dark/d"])
