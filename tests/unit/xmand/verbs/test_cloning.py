"""What is cloned (`xmand.verbs.cloning`): not what writes, or has memory that belongs to its disks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError
from xmand.verbs import cloning
from xmand.virt.cloned import Disk
from xmand.virt.domain import Domain
from xmand.virt.volume_copies import Place

TEST = "http://libvirt.org/schemas/domain/test/1.0"
DISK = Disk("vda", "file", "qcow2", "/p/a.qcow2")
PLACE = Place("p", "b.qcow2")


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[Domain]:
    """A domain that is off, with saved memory."""
    node = tmp_path / "node.xml"
    node.write_text(
        f"<node xmlns:test='{TEST}'><domain type='test' xmlns:test='{TEST}'><name>d</name><memory>65536</memory>"
        "<os><type>hvm</type></os><test:runstate>5</test:runstate><test:hasmanagedsave/></domain></node>"
    )
    connection = libvirt.open(f"test://{node}")
    yield Domain(connection.lookupByName("d"))
    connection.close()


def test_saved_memory_belongs_to_the_disks(saved: Domain) -> None:
    with pytest.raises(RefusedError, match="is suspended"):
        cloning._require_quiet(saved, [DISK])

    cloning._require_quiet(saved, [])


class Copied:
    """A volume that was made, and that libvirt deletes, or does not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.deleted = False

    def delete(self) -> None:
        if self.error is not None:
            raise self.error
        self.deleted = True


def undone(copied: Copied, error: Any) -> Any:
    made: Any = {PLACE: copied}
    return cloning._undone(made, error)


def test_copies_of_a_clone_that_failed_are_removed() -> None:
    copied, error = Copied(), RefusedError("No.")

    assert undone(copied, error) is error
    assert copied.deleted


def test_what_cannot_be_removed_is_told() -> None:
    said = undone(Copied(HypervisorError("It is busy.")), RefusedError("No."))

    assert isinstance(said, RefusedError)
    assert str(said) == "No. These copies could not be removed: 'b.qcow2' in the pool 'p' (It is busy)."


def test_of_what_nobody_knows_how_it_ended_nothing_is_removed() -> None:
    copied = Copied()

    said = undone(copied, UnknownOutcomeError("libvirt was lost."))

    assert isinstance(said, UnknownOutcomeError)
    assert (copied.deleted, "'b.qcow2' in the pool 'p'" in str(said)) == (False, True)
