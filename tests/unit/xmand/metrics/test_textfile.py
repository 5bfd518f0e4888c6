"""The file for node_exporter: what is in it, how it is replaced, and that nothing waits for it."""

import stat
import threading
from collections.abc import Iterator
from dataclasses import replace as changed
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.lab.process import wait_for
from xman.errors import HypervisorError
from xmand.metrics import families, textfile
from xmand.metrics.textfile import TextFile
from xmand.model import health
from xmand.report.look import Seen
from xmand.settings import Metrics, Settings

CONDITION: dict[str, Any] = {
    "state": "up",
    "domains": 3,
    "running": 2,
    "total_memory": 8 << 30,
    "free_memory": 1 << 30,
    "list": {"sha256": "ab" * 32, "entries": 4, "age_seconds": 60},
    "keys": [
        {"principal": "host/h@R", "kvno": 2, "enctype": "a"},
        {"principal": "host/h@R", "kvno": 3, "enctype": "a"},
    ],
    "pools": [{"name": 'a"b\\c\nd', "active": True, "capacity": 9, "available": 5}, {"name": "off", "active": False}],
    "memory_errors": {"corrected": 1},
}
DOMAINS = [
    {"name": "alices-secret", "state": "free", "jobs": []},
    {"name": "x", "state": "running", "jobs": [{"owner": "alice@R"}]},
]


def lines(seen: Seen) -> set[str]:
    """Return the file's lines."""
    return set(families.text(seen, 1000.5, "0.2", 7).splitlines())


def test_it_says_how_the_host_is_and_names_no_domain_and_no_person() -> None:
    found = lines(Seen({"domains": DOMAINS}, "", CONDITION))

    assert {
        'xmand_info{version="0.2"} 1',
        "xmand_written_seconds 1000.5",
        "xmand_libvirt_up 1",
        "xmand_maintenance 0",
        "xmand_audit_lost_lines 7",
        f'xmand_list_info{{hash="{"ab" * 32}"}} 1',
        'xmand_key_version{principal="host/h@R"} 3',
        'xmand_domains{state="free"} 1',
        'xmand_domains{state="frozen"} 0',
        "xmand_jobs 1",
        "xmand_domains_running 2",
        f"xmand_memory_free_bytes {1 << 30}",
        r'xmand_pool_available_bytes{pool="a\"b\\c\nd"} 5',
        'xmand_memory_errors{kind="corrected"} 1',
    } <= found
    assert not [line for line in found if "alice" in line]


@pytest.mark.parametrize(
    "seen",
    [
        Seen(None, "away", CONDITION),
        Seen({"domains": DOMAINS}, "", CONDITION | {"state": health.NO_LIBVIRT}),
        Seen(None, "away", {}),
    ],
)
def test_where_libvirt_is_away_it_says_so_and_nothing_of_the_domains(seen: Seen) -> None:
    found = lines(seen)

    assert "xmand_libvirt_up 0" in found
    assert not [line for line in found if line.startswith(("xmand_domains", "xmand_memory_free", "xmand_pool"))]


class Host:
    """A host whose libvirt may hang."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.guests = self

    def shown(self, _most: float) -> None:
        raise HypervisorError("away")

    def condition(self) -> dict[str, Any]:
        """How it is."""
        self.free.wait()
        return CONDITION


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.free.set()


def settings(path: Path | None) -> Settings:
    """Return settings with this file."""
    return changed(Settings(), metrics=Metrics(textfile=str(path or ""), interval_seconds=0.01))


def writer(host: Host, path: Path | None) -> TextFile:
    """Return what writes it."""
    return TextFile(settings(path), SimpleNamespace(guests=host), host.condition, lambda: 0)  # type: ignore[arg-type]


def test_it_is_there_until_the_end_and_moves_with_the_configuration(host: Host, tmp_path: Path) -> None:
    first, second = tmp_path / "first.prom", tmp_path / "second.prom"
    made = writer(host, first)
    made.start()
    wait_for(first.exists, 10, "the file")

    made.configure(settings(second))
    wait_for(lambda: second.exists() and not first.exists(), 10, "the other file in its place")
    assert stat.S_IMODE(second.stat().st_mode) == 0o644
    made.stop(10)

    assert list(tmp_path.iterdir()) == []


def test_without_a_name_there_is_none_and_no_thread(host: Host) -> None:
    before = threading.active_count()

    writer(host, None).start()

    assert threading.active_count() == before


def test_a_libvirt_that_hangs_holds_up_neither_the_configuration_nor_the_end(host: Host, tmp_path: Path) -> None:
    host.free.clear()
    made = writer(host, tmp_path / "x.prom")
    made.start()

    made.configure(settings(None))
    made.stop(0.01)

    assert list(tmp_path.iterdir()) == []


def test_a_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    victim, path = tmp_path / "shadow", tmp_path / "x.prom"
    victim.write_text("root")
    path.symlink_to(victim)
    (tmp_path / ".x.prom.new").symlink_to(victim)

    textfile.replace(path, b"new")

    assert (victim.read_text(), path.read_text(), path.is_symlink()) == ("root", "new", False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["shadow", "x.prom"]


def test_what_cannot_be_written_leaves_the_one_before_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    path.mkdir()

    with pytest.raises(OSError, match="directory"):
        textfile.replace(path, b"new")

    assert [each.name for each in tmp_path.iterdir()] == ["x.prom"]
