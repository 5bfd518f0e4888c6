"""What is said of a start that failed by a disk's file (`xmand.virt.sources`)."""

from pathlib import Path

import pytest

from xman.errors import HypervisorError, RefusedError
from xmand.virt import qemu_log, sources

BLOCKDEV = '-blockdev {"node-name":"libvirt-1-format","cache":{"direct":true},"driver":"qcow2"}: '
CLOCK = "2026-11-29T01:49:16.430803Z"


def xml(path: object, kind: str = "qcow2") -> str:
    """Return a domain with one disk."""
    return (
        f"<domain><devices><disk type='file'><driver type='{kind}'/><source file='{path}'/><target dev='vda'/></disk>"
        "</devices></domain>"
    )


@pytest.mark.parametrize(
    "around",
    [
        f"internal error: qemu unexpectedly closed the monitor: {CLOCK} qemu-system-x86_64: {BLOCKDEV}",
        f"internal error: QEMU unexpectedly closed the monitor (vm='b'): {CLOCK} qemu-system-x86_64: {BLOCKDEV}",
        "internal error: process exited while connecting to monitor: qemu-kvm: -drive file=/x: ",
        "internal error: process exited while connecting to monitor: ",
    ],
)
def test_qemus_own_words_are_what_is_said(around: str, tmp_path: Path) -> None:
    (tmp_path / "image").touch()

    said = sources.explained(xml(tmp_path / "image"), HypervisorError(f"{around}Image is not in qcow2 format."))

    assert str(said) == (
        f"QEMU ended at its start: Image is not in qcow2 format: disk vda, {tmp_path}/image, is empty."
    )
    assert isinstance(said, HypervisorError)


@pytest.mark.parametrize("octets", [b"QFI\xfb\x00\x00\x00\x03".ljust(65536, b"\0"), None])
def test_of_an_image_that_looks_well_or_cannot_be_seen_nothing_is_said(octets: bytes | None, tmp_path: Path) -> None:
    if octets is not None:
        (tmp_path / "image").write_bytes(octets)
    failed = HypervisorError("internal error: process exited while connecting to monitor: it broke")

    assert str(sources.explained(xml(tmp_path / "image"), failed)) == "QEMU ended at its start: it broke."


def test_other_failures_stay_as_they_are(tmp_path: Path) -> None:
    failed = HypervisorError("Cannot access storage file")

    assert sources.explained(xml(tmp_path / "image"), failed) is failed


def test_raw_octets_are_no_fault_of_a_raw_disk(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"x")

    said = sources.explained(xml(tmp_path / "image", "raw"), HypervisorError("qemu unexpectedly closed the monitor: y"))

    assert str(said) == "QEMU ended at its start: y."


NOBODY_LISTENS = "failed to connect to monitor socket: Connection refused"
# What libvirt and QEMU write into a domain's log: an earlier run, and one that ended at its start.
LOG = f"""2026-11-29 01:40:00.000+0000: starting up libvirt version: 9.0.0, kernel: 6.1.0
{CLOCK} qemu-system-x86_64: terminating on signal 15 from pid 1
2026-11-29 01:49:16.000+0000: starting up libvirt version: 9.0.0, kernel: 6.1.0
LC_ALL=C \\
/usr/bin/qemu-system-x86_64 \\
{CLOCK} qemu-system-x86_64: {BLOCKDEV}Image is not in qcow2 format
2026-11-29 01:49:16.500+0000: shutting down, reason=failed
"""


def test_where_libvirt_only_finds_that_nobody_listens_qemu_s_words_come_out_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu_log, "LOGS", str(tmp_path))
    (tmp_path / "image").touch()
    (tmp_path / "vm1.log").write_text(LOG)
    wanted = xml(tmp_path / "image").replace("<domain>", "<domain><name>vm1</name>")

    said = sources.explained(wanted, HypervisorError(NOBODY_LISTENS))

    assert str(said) == (
        f"QEMU ended at its start: Image is not in qcow2 format: disk vda, {tmp_path}/image, is empty."
    )


@pytest.mark.parametrize("name", ["vm1", "../vm1", "a\0"], ids=["no log", "elsewhere", "no name"])
def test_where_there_are_no_words_of_qemu_s_libvirt_s_are_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu_log, "LOGS", str(tmp_path / "logs"))
    (tmp_path / "vm1.log").write_text(LOG)
    (tmp_path / "logs").mkdir()

    assert qemu_log.last_words(name) == ""
    said = sources.explained(xml(tmp_path / "image"), HypervisorError(NOBODY_LISTENS))
    assert str(said) == f"QEMU ended at its start: {NOBODY_LISTENS}."


def test_a_device_that_is_no_disk_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"^Disk vda: /dev/null is a device, and no image\.$"):
        sources.require_files(xml("/dev/null"))


LACKING = """<domain><os><kernel>{0}/vmlinuz</kernel><initrd>{0}/there</initrd></os><devices>
<disk type='file'><source file='{0}/disk'/><target dev='vda'/></disk>
<disk type='file'><source file='{0}/there'/><target dev='vdb'/></disk>
<disk type='file'><source file='{0}/maybe' startupPolicy='optional'/><target dev='hdc'/></disk>
<disk type='block'><source dev='/dev/nosuch'/><target dev='vdc'/></disk>
<disk type='file' device='cdrom'><target dev='hdd'/></disk>
<interface type='bridge'><source bridge='nosuchbridge'/></interface>
<interface type='bridge'><source bridge='lo'/></interface>
<interface type='network'><source network='nosuch'/></interface>
</devices></domain>"""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is in sight, though it is below /tmp."""
    monkeypatch.setattr(sources, "_OUT_OF_SIGHT", ("/dev/",))
    (tmp_path / "there").touch()
    return tmp_path


def test_all_that_is_missing_is_named_and_nothing_else(seen: Path) -> None:
    assert sources.missing(LACKING.format(seen)) == (f"{seen}/vmlinuz", f"{seen}/disk", "bridge nosuchbridge")


def test_of_what_is_out_of_sight_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_OUT_OF_SIGHT", (f"{tmp_path}/",))

    assert sources.missing(xml(tmp_path / "image")) == ()


def test_what_libvirt_names_is_followed_by_what_else_is_missing(seen: Path) -> None:
    failed = HypervisorError(f"Cannot access storage file '{seen}/disk': No such file or directory")

    said = sources.explained(LACKING.format(seen), failed)

    assert str(said) == f"{failed}. Also missing: {seen}/vmlinuz, bridge nosuchbridge."
    assert said.outcome == failed.outcome


def test_where_libvirt_names_all_that_is_missing_nothing_is_added(seen: Path) -> None:
    failed = HypervisorError(f"Cannot access storage file '{seen}/image': No such file or directory")

    assert sources.explained(xml(seen / "image"), failed) is failed
