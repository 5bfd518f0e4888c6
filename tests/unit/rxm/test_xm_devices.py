"""What rxm, called xm or xl, asks for by these programs' words about devices."""

from pathlib import Path
from typing import Any

import pytest

from rxm.xm import devices
from rxm.xm.commands import Program
from xman.errors import RefusedError, UsageError


class Asked:
    """A stand-in for the host, which knows every domain."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def call(self, verb: str, *words: str) -> dict[str, object]:
        self.calls.append((verb, *words))
        return {}

    def domains(self, *names: str) -> list[dict[str, object]]:
        return [{"name": name, "uuid": f"uuid-of-{name}", "id": 1} for name in names]


def asked(program: str, command: Any, *words: str) -> list[tuple[str, ...]]:
    """Return what is asked of the host for these words."""
    host: Any = Asked()
    command(Program(program, host), list(words))
    calls: list[tuple[str, ...]] = host.calls
    return calls


@pytest.mark.parametrize(
    ("program", "words", "sent"),
    [
        ("xm", ("phy:/dev/vg/a", "xvdb", "w"), ("phy:/dev/vg/a", "xvdb", "w")),
        ("xm", ("phy:/dev/vg/a", "xvdb", "w", "0"), ("phy:/dev/vg/a", "xvdb", "w,0")),
        ("xl", ("/dev/vg/a,raw,xvdb,rw",), ("/dev/vg/a", "raw", "xvdb,rw")),
        ("xl", ("phy:/dev/vg/a", "xvdb", "w"), ("phy:/dev/vg/a", "xvdb", "w")),
        ("xl", ("format=raw", "vdev=xvdb", "target=/a"), ("format=raw", "vdev=xvdb", "target=/a")),
    ],
)
def test_a_disk_is_sent_as_it_was_described(program: str, words: tuple[str, ...], sent: tuple[str, ...]) -> None:
    assert asked(program, devices.block_attach, "vm1", *words) == [("block-attach", "uuid-of-vm1", *sent)]


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (("vm.img,raw,xvdb,w",), ("{here}/vm.img", "raw", "xvdb,w")),
        (("file:vm.img", "xvdb", "w"), ("file:{here}/vm.img", "xvdb", "w")),
        (("vdev=xvdb", "format=raw", "target=a/b.img"), ("vdev=xvdb", "format=raw", "target={here}/a/b.img")),
        (("phy:vg/a", "xvdb", "w"), ("phy:vg/a", "xvdb", "w")),
        ((",,hdc,cdrom",), ("", "", "hdc,cdrom")),
    ],
)
def test_xls_disk_begins_where_its_caller_is(
    words: tuple[str, ...], sent: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    found = asked("xl", devices.block_attach, "vm1", *words)

    assert found == [("block-attach", "uuid-of-vm1", *(word.format(here=tmp_path) for word in sent))]


def test_one_field_is_no_disk() -> None:
    with pytest.raises(UsageError):
        asked("xl", devices.block_attach, "vm1", "/dev/vg/a")


def test_detaching_takes_what_forces_it() -> None:
    assert asked("xm", devices.detach("block-detach"), "vm1", "xvdb", "-f") == [
        ("block-detach", "--force", "uuid-of-vm1", "xvdb")
    ]
    assert asked("xm", devices.detach("network-detach"), "vm1", "0", "-f") == [("network-detach", "uuid-of-vm1", "0")]


def test_a_card_is_sent_without_the_backend_that_is_this_host() -> None:
    assert asked("xm", devices.network_attach, "vm1", "bridge=br0", "backend=0") == [
        ("network-attach", "uuid-of-vm1", "bridge=br0")
    ]


def test_media() -> None:
    assert asked("xl", devices.cd_insert, "vm1", "hdc", "/a.iso") == [("cd-insert", "uuid-of-vm1", "hdc", "/a.iso")]
    assert asked("xl", devices.cd_eject, "vm1", "hdc") == [("cd-eject", "uuid-of-vm1", "hdc")]


def test_another_backend_is_refused() -> None:
    with pytest.raises(RefusedError, match="backend"):
        asked("xm", devices.block_attach, "vm1", "phy:/dev/vg/a", "xvdb", "w", "driverdomain")
