"""Where the domain is after a migration that libvirt calls failed: said where it can be told, unknown where not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt
import pytest

from tests.unit.xmand.dispatch.test_dispatcher import Bench, Replies
from tests.unit.xmand.verbs.test_migrate_hanging import MOVER, a_host_of_its_own
from xman import outcome
from xmand.settings import Migration
from xmand.virt.driver import Driver

HERE = "'mover' is still here, paused."
LOOK = "rxm -H h2 list -l mover\n"
Migrate = Callable[..., Replies]


@pytest.fixture
def migrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Migrate]:
    """Migrate a domain of libvirt's test driver; `before` happens to it, then libvirt says a code of its own."""
    driver = Driver(a_host_of_its_own(tmp_path), lambda _line: None)

    def run(before: Callable[[libvirt.virDomain], object], code: int, words: str = "it came to nothing") -> Replies:
        def fail(domain: libvirt.virDomain, *_words: object) -> None:
            before(domain)
            error = libvirt.libvirtError("")
            error.err = (code, 0, words, 0, "", None, None, 0, 0)
            raise error

        monkeypatch.setattr(libvirt.virDomain, "migrateToURI3", fail)
        bench = Bench(tmp_path, driver, Migration(allow=("h2",)))
        return bench.run(b"migrate", MOVER.encode(), b"h2")

    yield run
    driver.close()


def gone(domain: libvirt.virDomain) -> None:
    """End it, and forget it."""
    domain.destroy()
    domain.undefine()


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        (libvirt.VIR_ERR_INTERNAL_ERROR, outcome.HYPERVISOR, f"it came to nothing; {HERE}\n"),
        (libvirt.VIR_ERR_OPERATION_ABORTED, outcome.REFUSED, f"The migration was aborted; {HERE}\n"),
        (libvirt.VIR_ERR_NO_DOMAIN, outcome.HYPERVISOR, f"it came to nothing; {HERE}\n"),
        (
            libvirt.VIR_ERR_OPERATION_FAILED,
            outcome.HYPERVISOR,
            f"it came to nothing; {HERE} If something of that name is there: {LOOK}",
        ),
    ],
    ids=["failed", "aborted", "the other libvirt's own words", "taken"],
)
def test_it_is_still_here(migrate: Migrate, code: int, status: int, said: str) -> None:
    reply = migrate(libvirt.virDomain.suspend, code)

    assert (reply.status, reply.outputs[2].decode()) == (status, f"Error: {said}")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (libvirt.virDomain.destroy, "'mover' is off here, and libvirt reported: it came to nothing."),
        (gone, "'mover' is gone from here, and libvirt reported: it came to nothing."),
    ],
    ids=["off", "gone"],
)
def test_it_is_not_here_any_more(migrate: Migrate, before: Callable[[libvirt.virDomain], object], said: str) -> None:
    reply = migrate(before, libvirt.VIR_ERR_INTERNAL_ERROR)

    assert (reply.status, reply.outputs[2].decode()) == (outcome.UNKNOWN, f"Error: {said} Look there: {LOOK}")


@pytest.mark.parametrize(
    ("code", "words", "where"),
    [
        (
            libvirt.VIR_ERR_OPERATION_FAILED,
            "domain 'mover' already exists with uuid 1",
            f"{HERE} If something of that name is there: {LOOK}",
        ),
        (
            libvirt.VIR_ERR_OPERATION_INVALID,
            "domain is already active as 'mover'",
            f"{HERE} If something of that name is there: {LOOK}",
        ),
        (libvirt.VIR_ERR_INTERNAL_ERROR, "Attempt to migrate guest to the same host 1", f"{HERE}\n"),
    ],
    ids=["defined", "running", "itself"],
)
def test_where_it_exists_already_that_is_a_refusal(migrate: Migrate, code: int, words: str, where: str) -> None:
    reply = migrate(libvirt.virDomain.suspend, code, words)

    assert (reply.status, reply.outputs[2].decode()) == (outcome.REFUSED, f"Error: {words}; {where}")


def test_one_whose_hypervisor_xmand_cannot_carry_is_not_moved(tmp_path: Path) -> None:
    """Of Xen's as of any other's but QEMU's: whether it still is on its way nobody can be asked there."""
    driver = Driver(a_host_of_its_own(tmp_path), lambda _line: None)
    try:
        bench = Bench(tmp_path, driver, Migration(allow=("h2",), transport="xman"))
        replies = [bench.run(b"migrate", *words, MOVER.encode(), b"h2") for words in ((), (b"--dry-run",))]
    finally:
        driver.close()

    said = "This host's hypervisor cannot do that: xmand carries the migrations of QEMU's guests alone"
    assert [reply.status for reply in replies] == [outcome.UNSUPPORTED, outcome.UNSUPPORTED]
    assert all(reply.outputs[2].decode().startswith(f"Error: {said}") for reply in replies)
