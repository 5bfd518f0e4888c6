"""Which domains have a disk (`xmand.virt.disk_users`), on libvirt's test driver in this process."""

import os
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import HOST_WITH_A_POOL, for_test_driver
from tests.unit.xmand.virt.test_listing import libvirt_error
from xman.errors import RefusedError, UsageError
from xmand.virt import disk_users, pools
from xmand.virt.domain import Domain, define


def domain_with(connection: Any, name: str, path: str, more: str = "", *, runs: bool = True) -> Domain:
    """Define a domain with a disk."""
    disk = f"<disk type='file'><source file='{path}'/><target dev='vda'/>{more}</disk>"
    made = define(connection, name, for_test_driver(name).replace("</os>", f"</os><devices>{disk}</devices>"))
    if runs:
        made.start()
    return made


def free(connection: Any, path: str, *, writes: bool = True, shares: bool = False) -> list[str]:
    """Ask for a domain that has none."""
    mine = Domain(connection.lookupByName("test"))
    return disk_users.require_free(connection, mine, path, writes=writes, shares=shares)


def test_another_guests_disk_is_refused(connection: Any, tmp_path: Path) -> None:
    domain_with(connection, "theirs", f"{tmp_path}/a")

    with pytest.raises(RefusedError, match="Domain 'theirs' has"):
        free(connection, f"{tmp_path}/a")


@pytest.mark.parametrize("call", ["XMLDesc", "hasManagedSaveImage"])
def test_of_a_domain_that_cannot_be_asked_it_is_not_known(
    connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """libvirt 11.3 describes nobody while somebody waits for his monitor: his disk is not free for that."""
    domain_with(connection, "theirs", f"{tmp_path}/a", runs=call == "XMLDesc")

    def silent(_raw: Any, _flags: int = 0) -> Any:
        raise libvirt_error(libvirt.VIR_ERR_OPERATION_TIMEOUT)

    monkeypatch.setattr(libvirt.virDomain, call, silent)

    with pytest.raises(RefusedError, match="libvirt's words"):
        free(connection, f"{tmp_path}/a")


def test_one_that_has_gone_meanwhile_has_no_disk(
    connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_raw: Any, _flags: int = 0) -> Any:
        raise libvirt_error(libvirt.VIR_ERR_NO_DOMAIN)

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", gone)

    assert free(connection, f"{tmp_path}/a") == []


def test_by_another_name_it_is_the_same(connection: Any, tmp_path: Path) -> None:
    domain_with(connection, "theirs", f"{tmp_path}/a")
    (tmp_path / "link").symlink_to(tmp_path / "a")

    with pytest.raises(RefusedError, match="Domain 'theirs' has"):
        free(connection, f"{tmp_path}/link")


def test_a_disk_that_is_named_by_its_pool_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "node.xml").write_text(HOST_WITH_A_POOL)
    connection = libvirt.open(f"test://{tmp_path}/node.xml")
    path = pools.named(connection, "default-pool").create("a", 1 << 20).path()
    disk = "<disk type='volume'><source pool='default-pool' volume='a'/><target dev='vda'/></disk>"
    for name, devices in (("mine", ""), ("theirs", disk)):
        define(connection, name, for_test_driver(name).replace("</os>", f"</os><devices>{devices}</devices>"))
    mine, theirs = (Domain(connection.lookupByName(name)) for name in ("mine", "theirs"))

    assert disk_users.require_free(connection, mine, path, writes=True, shares=False) == ["theirs"]
    theirs.start()
    with pytest.raises(RefusedError, match="Domain 'theirs' has"):
        disk_users.require_free(connection, mine, path, writes=True, shares=False)
    assert [use.name for use in disk_users.writers(connection, path)] == ["theirs"]
    connection.close()


def test_what_all_only_read_or_all_share_is_free(connection: Any, tmp_path: Path) -> None:
    domain_with(connection, "reads", f"{tmp_path}/a", "<readonly/>")
    domain_with(connection, "shares", f"{tmp_path}/b", "<shareable/>")

    assert free(connection, f"{tmp_path}/a", writes=False) == []
    assert free(connection, f"{tmp_path}/b", shares=True) == []
    with pytest.raises(RefusedError):
        free(connection, f"{tmp_path}/a")
    with pytest.raises(RefusedError):
        free(connection, f"{tmp_path}/b")


def test_one_that_is_off_is_told_and_one_that_is_suspended_is_at_work(connection: Any, tmp_path: Path) -> None:
    domain_with(connection, "off", f"{tmp_path}/a", runs=False)
    assert free(connection, f"{tmp_path}/a") == ["off"]

    domain_with(connection, "saved", f"{tmp_path}/b").raw.managedSave(0)
    with pytest.raises(RefusedError, match="Domain 'saved' has"):
        free(connection, f"{tmp_path}/b")


def test_what_another_builds_upon_must_not_change(connection: Any, tmp_path: Path) -> None:
    base = f"<backingStore type='file'><format type='raw'/><source file='{tmp_path}/base'/></backingStore>"
    domain_with(connection, "above", f"{tmp_path}/a", base)

    with pytest.raises(RefusedError, match="Domain 'above' has"):
        free(connection, f"{tmp_path}/base")


@pytest.mark.parametrize(
    ("name", "said"), [("none", "There is no"), ("", "neither a file"), ("fifo", "neither a file")]
)
def test_what_is_no_image_is_named(tmp_path: Path, name: str, said: str) -> None:
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(UsageError, match=said):
        disk_users.check_place(f"{tmp_path}/{name}".rstrip("/"), block=False)


def test_what_cannot_be_seen_is_left_to_libvirt() -> None:
    disk_users.check_place("/nonexistent/folder/image", block=False)
    disk_users.check_place("/dev/vg-none/data", block=True)


def test_a_qcow2_image_is_not_taken_for_a_raw_one(tmp_path: Path) -> None:
    image = tmp_path / "a"
    image.write_bytes(b"QFI\xfb\0\0\0\3" + bytes(100))

    with pytest.raises(RefusedError, match=f"write qcow2:{image}"):
        disk_users.check_format(str(image), "raw")
    disk_users.check_format(str(image), "qcow2")


def marked(connection: Any, name: str, path: str, marks: str) -> Domain:
    """Define a domain with a disk and marks of xman's."""
    disk = f"<disk type='file'><source file='{path}'/><target dev='vda'/></disk>"
    kept = f"<metadata><xman:domain xmlns:xman='urn:xman:1' {marks}/></metadata>"
    text = for_test_driver(name).replace("</os>", f"</os><devices>{disk}</devices>{kept}")
    return define(connection, name, text)


def test_what_clients_of_a_profile_begin_with_is_written_by_that_profile_alone(connection: Any, tmp_path: Path) -> None:
    base, other, link = f"{tmp_path}/base", f"{tmp_path}/other", tmp_path / "link"
    Path(base).touch()
    link.symlink_to(base)
    profile = marked(connection, "win", base, "profile='yes'")
    disk_users.require_no_base(connection, [base], "")  # nobody begins with it
    client = marked(connection, "lab01", f"{tmp_path}/overlay", f"from='{profile.uuid}' discard='yes'")

    for place in (base, str(link)):
        for uuid in ("", client.uuid):
            with pytest.raises(RefusedError, match="a disk of the profile 'win', which its clients"):
                disk_users.require_no_base(connection, [other, place], uuid)
        with pytest.raises(RefusedError, match="a disk of the profile 'win'"):
            free(connection, place)
    assert free(connection, base, writes=False) == ["win"]
    disk_users.require_no_base(connection, [base], profile.uuid)
    disk_users.require_no_base(connection, [other], "")
