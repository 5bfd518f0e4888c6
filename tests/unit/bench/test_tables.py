"""The tables of `make bench`, on figures that are made up."""

import json
from typing import Any

import pytest

from bench import measure, tables

# Milliseconds, those of processor, and those of the servers', of each round.
TIMES = {
    "virsh, SASL": [[21.0, 18.0, 1.0], [19.0, 17.0, 1.5], [400.0, 17.0, 1.2]],
    "rxm": [[10.0, 9.0, 0.5], [9.0, 8.0, 0.6], [11.0, 9.5, 0.7]],
    "ssh, GSSAPI, with virsh": [[300.0, 60.0, 2.0], [280.0, 63.0, 2.0], [290.0, 62.0, 2.0]],
}


class Lab:
    """Stands for the laboratory: each program of the bench writes what the test says."""

    rxm = release_rxm = "/usr/bin/rxm"
    asks_names = ("unshare", "--mount", "--")

    def __init__(self, *said: Any) -> None:
        self._said = list(said)
        self.given: list[tuple[str, list[str], Any]] = []
        self.domains: list[int] = []

    def run(self, module: str, words: list[str], given: object, _cache: str, _within: tuple[str, ...] = ()) -> Any:
        """Return what a program writes."""
        self.given.append((module, words, given))
        return json.loads(json.dumps(self._said.pop(0)))

    def ssh(self, *words: str) -> list[str]:
        """Return the words that run a program on the host."""
        return ["ssh", *words]

    def define(self, count: int) -> None:
        """Have so many domains."""
        self.domains.append(count)

    def start_many(self) -> None:
        """Start the many hosts."""

    def start_simulated(self) -> None:
        """Start what stands for many more."""

    def many_pid(self) -> int:
        """Return their process."""
        return 2


def rows(section: Any, lab: Lab, *, quick: bool = False) -> list[list[str]]:
    """Return the cells of the table that a section makes, its head first."""
    page = measure.Page()
    section(lab, page, quick)
    lines = [line for line in page.lines if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


@pytest.fixture(autouse=True)
def _idle_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (tables, measure):
        monkeypatch.setattr(module, "server_of", lambda _lab, _kind: 1)
    monkeypatch.setattr(tables, "_processor", lambda _pid: 0.0)
    monkeypatch.setattr(tables, "_ROUNDS", 3)
    monkeypatch.setattr(tables, "_ROUND_SECONDS", 1.0)


def in_turns(*said: list[int]) -> list[list[int]]:
    """Return [commands, failures] of each server, in three rounds: the last one is of another speed."""
    return [*said, *([good, 0] for good, _failures in said), *([1000, 0] for _ in said)]


def test_one_command_is_held_against_virsh_at_each_number_of_domains() -> None:
    lab = Lab(TIMES, TIMES, TIMES | {"rxm": [[8.2, 8.0, 0.5]] * 3})

    table = rows(tables._one_command, lab)

    assert lab.domains == [1, 100, 1000]
    assert table[:4] == [
        ["domains", "", "ms", "ms of CPU", "of the servers'", "to virsh", "aim"],
        ["1", "virsh, SASL", "21.0", "17.0", "1.2", "1.00", ""],
        ["1", "rxm", "10.0", "9.0", "0.6", "0.48", "at most 0.67: met"],
        ["1", "ssh, GSSAPI, with virsh", "290.0", "62.0", "2.0", "13.81", ""],
    ]
    assert [row[-1] for row in table if row[1] == "rxm"] == [
        "at most 0.67: met",
        "at most 0.59: met",
        "at most 0.4: met",
    ]


def test_ssh_runs_what_virsh_does_over_the_network_on_the_host_itself() -> None:
    lab = Lab(TIMES, TIMES, TIMES)

    rows(tables._one_command, lab)

    commands = lab.given[0][2]["commands"]
    assert commands["ssh, GSSAPI, with virsh"][-1].split()[-2:] == commands["virsh, SASL"][-2:] == ["list", "--all"]
    assert "unix" in commands["ssh, GSSAPI, with virsh"][-1]
    assert commands["ssh, GSSAPI, true"] == ["ssh", "true"]


def test_many_hosts_say_what_each_one_more_costs() -> None:
    hundred = {"xargs -P8 virsh, SASL": [[1000.0, 900.0, 9.0]], "rxm": [[100.0, 100.0, 20.0]]}
    five = {"xargs -P8 virsh, SASL": [[5000.0, 4500.0, 40.0]], "rxm": [[800.0, 510.0, 90.0]]}

    table = rows(tables._many_hosts, Lab(hundred, five))

    assert [row for row in table if row[1] == "rxm"] == [
        ["100", "rxm", "100.0", "100.0", "20.0", "1.00", "0.10", "at most 0.11: met"],
        ["500", "rxm", "800.0", "510.0", "90.0", "1.02", "0.16", "at most 0.08: MISSED"],
    ]


def test_simulated_hosts_are_held_against_the_processor_and_the_memory_that_each_costs() -> None:
    told = [{"rxm": [[2000.0, 100.0 * 10**number, 0.0, 65_537]] * 3} for number in range(3)]

    table = rows(tables._simulated, Lab(*told))

    assert table[1:] == [
        ["100", "rxm", "2000", "100", "1.00", "64", "", ""],
        ["1000", "rxm", "2000", "1000", "1.00", "64", "", ""],
        ["10000", "rxm", "2000", "10000", "1.00", "64", "at most 0.2: MISSED", "at most 64: MISSED"],
    ]


def test_states_are_told_of_thirty_domains_and_the_others_go() -> None:
    lab = Lab(*in_turns([10, 0], [100, 0], [5, 1]))

    table = rows(tables._states, lab)

    assert lab.domains == [30, 1]
    assert [[row[0], row[1], *row[4:]] for row in table[1:]] == [
        ["xmand", "10", "0", "at most 4: met"],
        ["xmand, 2 s old will do", "100", "0", "at most 0.3: met"],
        ["xmand of the release of 2026-11-21", "5", "1", ""],
    ]


def test_connections_are_counted_by_the_second() -> None:
    table = rows(
        tables._connections,
        Lab(
            *in_turns([100, 0], [50, 0], [150, 0], [220, 0], [130, 0]),
            *in_turns([100, 2], [50, 0], [150, 0], [219, 1], [130, 0]),
            *in_turns([0, 9], [0, 9], [10, 0], [10, 0], [0, 9]),
            *in_turns([0, 9], [0, 9], [0, 9], [0, 9], [0, 9]),
        ),
    )

    assert [
        [row[0], row[1], row[2], row[4], *row[5:]]
        for row in table[1:]
        if "as rxm" not in row[1] and "release" not in row[1]
    ] == [
        ["1", "libvirtd, SASL", "100", "0", "1.00", ""],
        ["1", "xmand", "150", "0", "1.50", ""],
        ["1", "xmand, 2 s old will do", "220", "0", "2.20", "at least 2.2: met"],
        ["8", "libvirtd, SASL", "100", "2", "1.00", ""],
        ["8", "xmand", "150", "0", "1.50", ""],
        ["8", "xmand, 2 s old will do", "219", "1", "2.19", "at least 2.2: MISSED"],
        ["32", "libvirtd, SASL", "0", "9", "0.00", ""],
        ["32", "xmand", "10", "0", "inf", ""],
        ["32", "xmand, 2 s old will do", "10", "0", "inf", "at least 2.2: met"],
        ["64", "libvirtd, SASL", "0", "9", "0.00", ""],
        ["64", "xmand", "0", "9", "0.00", ""],
        ["64", "xmand, 2 s old will do", "0", "9", "0.00", "at least 2.2: MISSED"],
    ]


def test_a_kept_open_connection_where_the_rival_answers_nothing() -> None:
    table = rows(tables._kept, Lab(*in_turns([0, 1], [0, 1], [100, 0], [100, 0], [0, 1])))

    assert table[4][-2:] == ["inf", "at least 0.6: met"]


def test_what_asks_libvirt_for_a_whole_list_is_shown_beside() -> None:
    table = rows(tables._kept, Lab(*in_turns([100, 0], [50, 0], [20, 0], [50, 0], [10, 0])))

    assert [[row[0], row[4], row[5]] for row in table[1:]] == [
        ["libvirtd, SASL", "1.00", ""],
        ["libvirtd, SASL, as rxm list", "0.50", ""],
        ["xmand", "0.20", ""],
        ["xmand, 2 s old will do", "0.50", "at least 0.6: MISSED"],
        ["xmand of the release of 2026-11-21", "0.10", ""],
    ]


def test_the_section_that_is_asked_for_and_the_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_kept", lambda _lab, page, quick: page.table("Kept", ["quick"], [[str(quick)]]))

    text = tables.all_of(Lab(), quick=True, only="kept-open")  # type: ignore[arg-type]

    assert "| True |" in text
    assert "## Notes" in text
    assert "## Many hosts" not in text
