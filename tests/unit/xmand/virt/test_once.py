"""A start from the CD, once (`xmand.virt.once`): what the firmware tries first, and what else stays as it was."""

from lxml import etree

from xmand.virt import once

MEDIUM = (
    "<disk type='file' device='cdrom'><source file='/iso'/><target dev='hdc' bus='ide'/><readonly/>"
    "<boot order='9'/></disk>"
)


def machine(system: str, first: str = "", drive: str = "") -> str:
    return (
        f"<domain><name>d</name><os><type>hvm</type>{system}</os><devices>"
        f"<disk type='file'><source file='/a'/><target dev='vda'/>{first}</disk>"
        f"<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/>{drive}<readonly/></disk></devices></domain>"
    )


def orders(xml: str) -> list[tuple[str | None, str | None]]:
    """Return the target of each disk, and its place in the order."""
    found = []
    for disk in etree.fromstring(xml).iterfind("devices/disk"):
        target, boot = disk.find("target"), disk.find("boot")
        assert target is not None
        found.append((target.get("dev"), None if boot is None else boot.get("order")))
    return found


def tried(xml: str) -> list[str | None]:
    return [boot.get("dev") for boot in etree.fromstring(xml).iterfind("os/boot")]


def test_the_cd_is_tried_before_what_was_first() -> None:
    made = once.from_cd(machine("<boot dev='hd'/><boot dev='cdrom'/>"), MEDIUM)

    assert tried(made) == ["cdrom", "hd"]
    assert orders(made) == [("vda", None), ("hdc", None)]
    assert 'file="/iso"' in made


def test_it_is_tried_where_nothing_was_said() -> None:
    assert tried(once.from_cd(machine(""), MEDIUM)) == ["cdrom"]


def test_where_devices_have_an_order_it_is_the_first_of_that() -> None:
    made = once.from_cd(machine("", "<boot order='1'/>", "<boot order='2'/>"), MEDIUM)

    assert dict(orders(made)) == {"vda": "2", "hdc": "1"}
    assert tried(made) == []


def test_a_kernel_of_the_hosts_is_not_booted_instead() -> None:
    made = once.from_cd(machine("<kernel>/k</kernel><initrd>/i</initrd><cmdline>c</cmdline>"), MEDIUM)

    assert [str(each.tag) for each in etree.fromstring(made).iterfind("os/*")] == ["type", "boot"]
