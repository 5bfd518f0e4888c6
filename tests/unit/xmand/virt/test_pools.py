"""Pools and volumes, on libvirt's test driver in this process; its pools keep files, as most of a host's do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import HOST_WITH_A_POOL, for_test_driver
from tests.unit.xmand.virt.test_listing import libvirt_error
from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, UsageError
from xmand.virt import pools, volume_users, volumes
from xmand.virt.domain import define
from xmand.virt.pools import Pool
from xmand.virt.volumes import Volume

MIB = 1024 * 1024


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Any]:
    """A hypervisor of the test's own."""
    (tmp_path / "node.xml").write_text(HOST_WITH_A_POOL)
    opened = libvirt.open(f"test://{tmp_path}/node.xml")
    yield opened
    opened.close()


@pytest.fixture
def pool(connection: Any) -> Pool:
    return pools.named(connection, "default-pool")


@pytest.mark.parametrize("name", ["a", "_a", "1", "debian-12.qcow2", "a+b", "a" * 128, "x..y"])
def test_names_that_a_new_volume_may_have(name: str) -> None:
    pools.check_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "-a", "a/b", "/a", "../a", "a b", "a\nb", "a\0", "\u00e4", "a" * 129, "a*", "a:b"]
)
def test_names_that_it_may_not_have(name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid name for a new volume"):
        pools.check_name(name)


def test_what_is_made_is_found_and_what_is_deleted_is_gone(pool: Pool) -> None:
    made = pool.create("a", 8 * MIB)

    assert [(facts.name, facts.capacity) for facts in pool.volumes()] == [("a", 8 * MIB)]
    with pytest.raises(RefusedError, match="already has a volume 'a'"):
        pool.create("a", 8 * MIB)
    made.delete()
    assert not pool.has("a")
    with pytest.raises(RefusedError, match="has no volume 'a'; it has none"):
        pool.volume("a")
    with pytest.raises(RefusedError, match="The volume 'a' is gone"):
        made.facts()


def test_each_volume_costs_one_call(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.create("a", 8 * MIB)
    pool.create("b", 8 * MIB)
    asked: list[str] = []
    description = libvirt.virStorageVol.XMLDesc

    def described(raw: Any, flags: int = 0) -> str:
        asked.append(str(raw.name()))
        return str(description(raw, flags))

    monkeypatch.setattr(libvirt.virStorageVol, "XMLDesc", described)
    monkeypatch.setattr(libvirt.virStorageVol, "info", lambda raw: asked.append(str(raw.name())))

    assert [facts.kind for facts in pool.volumes()] == ["file", "file"]
    assert sorted(asked) == ["a", "b"]


def test_a_pool_that_is_not_there_and_one_that_is_not_active(connection: Any, pool: Pool) -> None:
    with pytest.raises(RefusedError, match="The host has no pool 'nosuch'; it has default-pool"):
        pools.named(connection, "nosuch")
    connection.storagePoolLookupByName(pool.name).destroy()
    with pytest.raises(RefusedError, match="not active"):
        pool.create("a", 8 * MIB)
    assert pool.volumes() == []
    assert pool.facts()["active"] is False


def test_sizes_and_formats_that_cannot_be(pool: Pool) -> None:
    base = pool.create("base", 64 * MIB).facts()

    with pytest.raises(UsageError, match="neither raw nor qcow2"):
        pool.create("a", 8 * MIB, "vmdk")
    with pytest.raises(UsageError, match="at least one octet"):
        pool.create("a", None)
    with pytest.raises(UsageError, match="An overlay is a qcow2 image"):
        pool.create("a", None, "raw", base)
    with pytest.raises(RefusedError, match="an overlay cannot be smaller"):
        pool.create("a", 8 * MIB, "", base)


@pytest.mark.parametrize(
    "device",
    [
        "<disk type='file'><source file='{path}'/><target dev='vda'/></disk>",
        "<disk type='volume'><source pool='default-pool' volume='a'/><target dev='vda'/></disk>",
        "<disk type='file'><source file='/none'/>{base}<target dev='vda'/></disk>",
    ],
)
def test_what_a_domain_names_is_used_running_or_not(connection: Any, pool: Pool, device: str) -> None:
    volume = pool.create("a", 8 * MIB)
    base = f"<backingStore type='file'><format type='raw'/><source file='{volume.path()}'/></backingStore>"
    devices = f"<devices>{device.format(path=volume.path(), base=base)}</devices>"
    define(connection, "theirs", for_test_driver("theirs").replace("</os>", f"</os>{devices}"))

    with pytest.raises(RefusedError, match="belongs to the domain 'theirs'"):
        volume_users.require_unused(connection, pool.name, "a", volume.path())
    connection.lookupByName("theirs").create()
    with pytest.raises(RefusedError, match="belongs to the domain 'theirs'"):
        volume_users.require_unused(connection, pool.name, "a", volume.path())
    (user,) = volume_users.of_domains(connection, pool.name, "a", volume.path())
    assert (user.at_work, user.writes) == (True, "base" not in device)


def test_of_a_domain_that_cannot_be_asked_nothing_is_free(
    connection: Any, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = pool.create("a", 8 * MIB)
    define(connection, "theirs", for_test_driver("theirs"))

    def silent(_raw: Any, _flags: int = 0) -> Any:
        raise libvirt_error(libvirt.VIR_ERR_OPERATION_FAILED)

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", silent)

    with pytest.raises(HypervisorError):
        volume_users.require_unused(connection, pool.name, "a", volume.path())


def test_a_base_belongs_to_its_overlays(connection: Any, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """libvirt's test driver makes none, so one is described."""
    volume = pool.create("base", 8 * MIB)
    pool.create("top", 8 * MIB)
    description = libvirt.virStorageVol.XMLDesc

    def described(raw: Any, flags: int = 0) -> str:
        text = str(description(raw, flags))
        backing = f"<backingStore><path>{volume.path()}</path></backingStore></volume>"
        return text.replace("</volume>", backing) if raw.name() == "top" else text

    monkeypatch.setattr(libvirt.virStorageVol, "XMLDesc", described)

    with pytest.raises(RefusedError, match="is the base of the volume 'default-pool/top'"):
        volume_users.require_unused(connection, pool.name, "base", volume.path())


def test_a_libvirt_that_is_lost_leaves_a_change_unknown(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(pool.connection, None, "a")
    monkeypatch.setattr(volumes, "lost", lambda _connection: True)

    class Raw:
        def delete(self, _flags: int) -> None:
            raise libvirt_error(libvirt.VIR_ERR_RPC)

    volume.raw = Raw()
    with pytest.raises(UnknownOutcomeError, match="look with rxm volumes"):
        volume.delete()
