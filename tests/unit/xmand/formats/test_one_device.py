"""One disk or interface by xm's and xl's words (`xmand.formats.one_device`)."""

from xml.etree import ElementTree

import pytest

from xman.errors import UnsupportedError, UsageError
from xmand.formats import one_device


def facts(xml: str) -> list[str]:
    """Return a device as one line for each element: its name, and what it says."""
    return [" ".join([each.tag, *each.attrib.values()]) for each in ElementTree.fromstring(xml).iter()]


@pytest.mark.parametrize(
    ("driver", "words", "said"),
    [
        ("QEMU", ["file:/a", "xvdb", "w"], ["disk file disk", "driver raw", "source /a", "target vdb virtio"]),
        ("QEMU", ["qcow2:/a", "sdb"], ["disk file disk", "driver qcow2", "source /a", "target sdb scsi"]),
        (
            "Xen",
            ["phy:vg/a", "xvdb", "r"],
            ["disk block disk", "driver raw", "source /dev/vg/a", "target xvdb xen", "readonly"],
        ),
        (
            "Xen",
            ["/dev/vg/a", "raw", "xvdb,rw"],
            ["disk block disk", "driver raw", "source /dev/vg/a", "target xvdb xen"],
        ),
        (
            "QEMU",
            ["file:/a", "vdb", "w!"],
            ["disk file disk", "driver raw", "source /a", "target vdb virtio", "shareable"],
        ),
    ],
)
def test_a_disk(driver: str, words: list[str], said: list[str]) -> None:
    assert facts(one_device.disk(driver, words, hvm=True).xml) == said


@pytest.mark.parametrize("words", [["file:/srv/a", "nodev", "w"], ["file:srv/a", "vdb"], ["file:/srv/a", "vdb", "x"]])
def test_what_is_no_disk(words: list[str]) -> None:
    with pytest.raises(UsageError):
        one_device.disk("QEMU", words, hvm=True)


def test_a_script_of_xens_is_not_run_elsewhere() -> None:
    with pytest.raises(UnsupportedError):
        one_device.interface("QEMU", ["bridge=br0", "script=/x"], hvm=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bridge=br0"], ["interface bridge", "source br0", "model virtio"]),
        (["network=lab"], ["interface network", "source lab", "model virtio"]),
        (
            ["network=a&b", "mac=0:16:3e:1:2:3", "model=e1000"],
            ["interface network", "mac 00:16:3e:01:02:03", "source a&b", "model e1000"],
        ),
    ],
)
def test_an_interface(words: list[str], said: list[str]) -> None:
    assert facts(one_device.interface("QEMU", words, hvm=True).xml) == said


@pytest.mark.parametrize(
    "words", [[], ["network=a", "bridge=b"], ["network=a", "network=b"], ["network="], ["bridge=a", "bridge=b"]]
)
def test_where_it_leads_is_said_once(words: list[str]) -> None:
    with pytest.raises(UsageError):
        one_device.interface("QEMU", words, hvm=True)
