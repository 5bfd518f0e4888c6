"""What the screens of `top` and `list --watch` show: rates, widths, and which domains."""

from typing import Any

import pytest

from rxm.live import chosen, table, top, watch
from rxm.live.table import Column
from xman.errors import UsageError

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"


def domain(name: str, **facts: Any) -> dict[str, Any]:
    """Return a running domain as hosts tell of it."""
    usual = {"name": name, "uuid": UUID, "id": 7, "state": "running", "memory": 64 << 20, "vcpus": 2}
    return usual | {"cpu_seconds": 10.0} | facts


def row(name: str, **facts: Any) -> dict[str, Any]:
    """Return a row of `top`."""
    return domain(name, **facts) | {"host": "a", "share": 1.0, "net": None, "disk": 2048.0}


@pytest.mark.parametrize("width", [200, 80, 60, 40, 20, 5, 1])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = [row("x" * 64), row("\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 40), row("short")]

    lines = top.lines(rows, ["a: " + "y" * 300], True, width, 24)

    assert all(table.cells(line) <= width for line in lines), lines


def test_what_matters_least_is_left_out_first() -> None:
    wide, narrow = (top.lines([row("vm1")], [], True, width, 24)[1].split() for width in (100, 32))

    assert wide[-3:] == ["KiB/s", "Time(s)", "Host"]
    assert narrow == ["Name", "State", "CPU%", "Host"]


def test_the_last_line_says_what_is_left_out() -> None:
    lines = watch.lines([row(f"vm{number}") for number in range(30)], [], False, 80, 10)

    assert len(lines) == 10
    assert lines[-1] == "... 23 more"


def test_names_of_others_cannot_move_the_cursor() -> None:
    assert "\x1b" not in "".join(watch.lines([row("\x1b[2J")], [], False, 80, 10))


def test_one_that_is_off_has_neither_id_nor_state() -> None:
    off = watch.lines([row("vm1", id=None, state="shutoff")], [], False, 80, 10)[-1]

    assert off.split() == ["vm1", "64", "2", "10.0"]


def test_figures_are_of_the_time_between_two_answers() -> None:
    figures = top.Figures()
    disks = [{"name": "vda", "read_octets": 1000, "write_octets": 0}]
    figures.rows({"a": (100.0, [domain("vm1", cpu_percent=3.0, disks=disks)])})
    disks = [{"name": "vda", "read_octets": 3000, "write_octets": 2000}]
    later = {"a": (102.0, [domain("vm1", cpu_seconds=11.0, disks=disks)])}

    first, again = figures.rows(later), figures.rows(later)

    assert (first[0]["share"], first[0]["disk"], first[0]["net"]) == (50.0, 2000.0, None)
    assert first == again


def test_the_first_answer_has_the_hosts_own_figure() -> None:
    assert top.Figures().rows({"a": (1.0, [domain("vm1", cpu_percent=3.0)])})[0]["share"] == 3.0


def test_what_was_started_anew_counts_from_nothing() -> None:
    figures = top.Figures()
    figures.rows({"a": (1.0, [domain("vm1", id=7, cpu_seconds=900.0)])})

    assert figures.rows({"a": (2.0, [domain("vm1", id=8, cpu_seconds=0.5, cpu_percent=4.0)])})[0]["share"] == 4.0


def test_busiest_first() -> None:
    told = {"a": (1.0, [domain("idle", cpu_percent=0.0), domain("off", id=None), domain("busy", cpu_percent=90.0)])}

    assert [each["name"] for each in top.Figures().rows(told)] == ["busy", "idle", "off"]


@pytest.mark.parametrize(
    ("word", "host", "has"),
    [
        ("vm1", "a", True),
        ("vm[1-3]", "b", True),
        ("vm*", "a", True),
        ("v?1", "a", True),
        ("A:vm1", "a", True),
        ("b:vm1", "a", False),
        (UUID.upper(), "a", True),
        ("7", "a", True),
        ("VM1", "a", False),
        ("[x", "a", False),
    ],
)
def test_which_are_meant(word: str, host: str, has: bool) -> None:
    assert chosen.Chosen([word], ["a", "b"]).has(host, domain("vm1")) is has


def test_a_name_with_brackets_is_a_name() -> None:
    assert chosen.Chosen(["vm[1-3]"], ["a"]).has("a", domain("vm[1-3]"))


def test_only_hosts_that_were_named_are_asked() -> None:
    assert chosen.hosts(["c:vm1", "d:vm*"], ["a", "b"]) == ["c", "d"]
    assert chosen.hosts(["c:vm1", "vm2"], ["a", "b"]) == ["c", "a", "b"]


@pytest.mark.parametrize("word", [":vm1", "a:"])
def test_half_a_word_is_none(word: str) -> None:
    with pytest.raises(UsageError, match="neither DOMAIN nor HOST:DOMAIN"):
        chosen.Chosen([word], ["a"])


def test_columns_stand_below_each_other() -> None:
    heading, first, second = table.fitted([Column("Name"), Column("N", True)], [["a", "1"], ["bbbb", "10"]], 80)

    assert (heading, first, second) == ("Name   N", "a      1", "bbbb  10")
