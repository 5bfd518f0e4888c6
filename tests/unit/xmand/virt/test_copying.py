"""A domain's images at another host (`xmand.virt.copying`, `elsewhere`, `leftovers`).

Both hosts' libvirt is the test driver, in a process of its own, where the program that asks it would be another's.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import libvirt
import pytest

from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError
from xmand.system import children
from xmand.system.locks import DomainLocks
from xmand.virt import copying, elsewhere
from xmand.virt.copying import Copies, Copy, Image
from xmand.virt.domain import Domain
from xmand.virt.leftovers import Leftovers

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
# The test driver's own pool.
FOLDER = "/default-pool"
COPY = Copy(
    UUID,
    "vm1",
    "h2",
    "test:///default",
    (Image("vda", f"{FOLDER}/a", "qcow2", 512), Image("vdb", f"{FOLDER}/b", "raw", 5)),
)


class Other:
    """The other host: what it is asked, and its files; `domain` is whether the domain is there."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.domain = False
        self.away = False
        self.keeps: set[str] = set()

    def run(self, _argv: Sequence[str], *, stdin: bytes, seconds: float, most_octets: int) -> children.Finished:
        """Stand for the program."""
        assert 0 < seconds < most_octets
        return children.Finished(0, json.dumps(self._answer(json.loads(stdin))).encode(), b"")

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        paths = {image["path"] for image in asked["images"]}
        if self.away:
            return {"error": "its libvirt cannot be reached", "code": 8}
        if asked["what"] == elsewhere.LOOK:
            return {"there": sorted(paths & self.files)}
        if asked["what"] == elsewhere.MAKE:
            self.files |= paths
            return {"made": sorted(paths)}
        if self.domain:
            return {"domain": True, "left": []}
        self.files -= paths - self.keeps
        return {"domain": False, "left": sorted(paths & self.keeps)}


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Other:
    made = Other()
    monkeypatch.setattr(children, "run", made.run)
    return made


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(str(tmp_path), "/etc/krb5.keytab")


def test_what_has_moved_is_forgotten(copies: Copies, other: Other) -> None:
    with copies.there(COPY):
        assert other.files == {f"{FOLDER}/a", f"{FOLDER}/b"}
        assert list(copies.pending()) == [COPY]

    assert list(copies.pending()) == []
    assert other.files == {f"{FOLDER}/a", f"{FOLDER}/b"}


def test_a_failure_undoes_it_and_says_so(copies: Copies, other: Other) -> None:
    with (
        pytest.raises(RefusedError, match=r"^It was aborted\. The images made there are removed\.$"),
        copies.there(COPY),
    ):
        raise RefusedError("It was aborted.")

    assert (other.files, list(copies.pending())) == (set(), [])


def test_where_nobody_knows_they_stay(copies: Copies, other: Other) -> None:
    with pytest.raises(UnknownOutcomeError, match="stay until that is known"), copies.there(COPY):
        raise UnknownOutcomeError("libvirt was lost.")

    assert (len(other.files), list(copies.pending())) == (2, [COPY])


def test_what_cannot_be_removed_is_named_and_not_forgotten(copies: Copies, other: Other) -> None:
    other.keeps = {f"{FOLDER}/b"}

    said = f"broke.*{FOLDER}/b could not be removed there.*tries that"
    with pytest.raises(HypervisorError, match=said), copies.there(COPY):
        raise HypervisorError("It broke.")

    assert list(copies.pending()) == [COPY]


def test_another_try_first_removes_what_an_earlier_one_left(copies: Copies, other: Other) -> None:
    with pytest.raises(UnknownOutcomeError), copies.there(COPY):
        raise UnknownOutcomeError("libvirt was lost.")

    with copies.there(COPY):
        pass

    assert list(copies.pending()) == []


def test_what_is_there_already_is_nobodys_to_remove(copies: Copies, other: Other) -> None:
    other.files = {f"{FOLDER}/a"}

    with pytest.raises(RefusedError, match=f"h2 has {FOLDER}/a already"), copies.there(COPY):
        pytest.fail("it was begun")

    assert (other.files, list(copies.pending())) == ({f"{FOLDER}/a"}, [])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"uuid": 1}', b"\xff" * 100])
def test_a_broken_note_is_no_note(copies: Copies, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "copying").mkdir()
    (tmp_path / "copying" / f"{UUID}.json").write_bytes(content)

    assert list(copies.pending()) == []


def test_a_note_that_cannot_be_written_begins_nothing(copies: Copies, other: Other, tmp_path: Path) -> None:
    (tmp_path / "copying").write_text("a file")

    with pytest.raises(RefusedError, match="nothing was changed"), copies.there(COPY):
        pytest.fail("it was begun")

    assert other.files == set()


# --- after a crash --------------------------------------------------------------------------------------------------


class Here:
    """This host, with a domain of the test driver."""

    def __init__(self) -> None:
        self._connection = libvirt.open("test:///default")

    def connection(self, _purpose: str) -> Any:
        return self._connection

    def define(self) -> None:
        """Let the domain be here, off."""
        self._connection.defineXML(
            f"<domain type='test'><name>vm1</name><uuid>{UUID}</uuid><memory>1024</memory>"
            "<os><type>hvm</type></os></domain>"
        )


@pytest.fixture
def here() -> Here:
    return Here()


def left(copies: Copies, other: Other) -> None:
    """Let a migration have begun to copy, and end with xmand."""
    copies.make(COPY)
    assert len(other.files) == 2


def look(copies: Copies, here: Here, told: list[dict[str, Any]]) -> None:
    Leftovers(copies, here, DomainLocks(), lambda **facts: told.append(facts)).look()  # type: ignore[arg-type]


def test_what_stayed_here_is_removed_there(copies: Copies, other: Other, here: Here) -> None:
    here.define()
    left(copies, other)
    told: list[dict[str, Any]] = []

    look(copies, here, told)

    assert (other.files, list(copies.pending())) == (set(), [])
    assert told == [{"ev": "settle", "dom": "vm1", "detail": "the images made at h2 are removed"}]


def test_what_has_left_keeps_its_images(copies: Copies, other: Other, here: Here) -> None:
    left(copies, other)

    look(copies, here, [])

    assert (len(other.files), list(copies.pending())) == (2, [])


def test_where_the_domain_is_there_they_are_its_own(copies: Copies, other: Other, here: Here) -> None:
    here.define()
    left(copies, other)
    other.domain = True

    look(copies, here, [])

    assert (len(other.files), list(copies.pending())) == (2, [])


def test_a_host_that_is_away_is_asked_again(copies: Copies, other: Other, here: Here) -> None:
    here.define()
    left(copies, other)
    other.away = True
    look(copies, here, [])
    assert list(copies.pending()) == [COPY]

    other.away = False
    look(copies, here, [])

    assert (other.files, list(copies.pending())) == (set(), [])


# --- the program at the other host's libvirt -------------------------------------------------------------------------


def ask(connection: Any, what: str) -> dict[str, Any]:
    """Ask the other host's libvirt, which is the test driver's own."""
    asked = [{"target": i.target, "path": i.path, "format": i.format, "capacity": i.capacity} for i in COPY.images]
    if what == elsewhere.LOOK:
        return {"there": elsewhere._there(connection, asked)}
    if what == elsewhere.MAKE:
        return elsewhere._make(connection, asked)
    return elsewhere._remove(connection, UUID, asked)


class WithPool:
    """libvirt's test driver, which has one pool and does not find it by its folder, as other drivers do."""

    def __init__(self) -> None:
        self._connection = libvirt.open("test:///default")

    def storagePoolLookupByTargetPath(self, folder: str) -> Any:  # noqa: N802  # libvirt's name
        assert folder == FOLDER
        return self._connection.storagePoolLookupByName("default-pool")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
def pool() -> Iterator[Any]:
    connection = WithPool()
    yield connection
    connection.close()


def test_images_are_made_and_removed(pool: Any) -> None:
    assert ask(pool, elsewhere.LOOK) == {"there": []}
    assert ask(pool, elsewhere.MAKE) == {"made": [f"{FOLDER}/a", f"{FOLDER}/b"]}
    assert ask(pool, elsewhere.LOOK) == {"there": [f"{FOLDER}/a", f"{FOLDER}/b"]}
    assert ask(pool, elsewhere.REMOVE) == {"domain": False, "left": []}
    assert ask(pool, elsewhere.LOOK) == {"there": []}


def test_all_of_them_or_none(pool: Any) -> None:
    volume = "<volume><name>b</name><capacity>5</capacity></volume>"
    pool.storagePoolLookupByTargetPath(FOLDER).createXML(volume, 0)

    with pytest.raises(RefusedError, match=f"{FOLDER}/b cannot be made there"):
        ask(pool, elsewhere.MAKE)

    assert ask(pool, elsewhere.LOOK) == {"there": [f"{FOLDER}/b"]}


def test_the_program_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KRB5_CONFIG", str(tmp_path / "krb5.conf"))

    with pytest.raises(HypervisorError, match=r"^h2: its libvirt cannot be reached: .*"):
        Copies(str(tmp_path), "/dev/null").require_none_there(
            Copy(UUID, "vm1", "h2", f"qemu+unix:///system?socket={tmp_path}/none", COPY.images)
        )


def test_a_program_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch, copies: Copies) -> None:
    def late(*_words: object, **_options: object) -> children.Finished:
        raise children.LateError("it was not done in time")

    monkeypatch.setattr(children, "run", late)

    with pytest.raises(HypervisorError, match="h2: its libvirt does not answer"):
        copies.require_none_there(COPY)


# --- which disks -----------------------------------------------------------------------------------------------------


class Raw:
    """A domain as libvirt has it."""

    def __init__(self, disks: str) -> None:
        self._xml = f"<domain><devices>{disks}</devices></domain>"

    def connect(self) -> None:
        """Nothing is asked of it."""

    def name(self) -> str:
        return "vm1"

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return UUID

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802  # libvirt's name
        return self._xml

    def blockInfo(self, _target: str) -> list[int]:  # noqa: N802  # libvirt's name
        return [4096, 0, 0]


@pytest.mark.parametrize(
    ("disk", "copied", "other_places"),
    [
        ("<disk type='file'><source file='/a'/><target dev='vda'/></disk>", [Image("vda", "/a", "raw", 4096)], []),
        (
            "<disk type='file'><driver type='qcow2'/><source file='/a'/><target dev='vda'/></disk>",
            [Image("vda", "/a", "qcow2", 4096)],
            [],
        ),
        ("<disk type='file'><source file='/a'/><target dev='vda'/><readonly/></disk>", [], ["/a"]),
        ("<disk type='file'><source file='/a'/><target dev='vda'/><shareable/></disk>", [], ["/a"]),
        ("<disk type='block'><source dev='/dev/sdx'/><target dev='vda'/></disk>", [], ["/dev/sdx"]),
        ("<disk type='network'><source protocol='rbd' name='p/i'/><target dev='vda'/></disk>", [], ["p/i"]),
        ("<disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>", [], []),
    ],
)
def test_which_disks_are_copied(disk: str, copied: list[Image], other_places: list[str]) -> None:
    assert copying.images(Domain(Raw(disk))) == (copied, other_places)
