"""What several hosts answered, as one text."""

from typing import Any

from xman import render, verbs

GUEST = {"id": 1, "uuid": "u", "state": "running", "memory": 512 << 20, "vcpus": 2, "cpu_seconds": 1.5}
BATCH = {
    "state": "free",
    "priority": "normal",
    "memory": 512 << 20,
    "max_memory": 1024 << 20,
    "vcpus": 1,
    "max_vcpus": 2,
    "jobs": [],
}


def text(verb: str, answers: dict[str, dict[str, Any]]) -> list[str]:
    """Return the lines of the merged text."""
    return render.together(verb, answers, dict.fromkeys(answers, 7)).splitlines()


def test_a_list_is_sorted_by_name_and_host_with_the_host_last() -> None:
    answers = {
        "b": {"domains": [GUEST | {"name": "vm1"}]},
        "a": {"domains": [GUEST | {"name": n} for n in ("vm2", "vm1")]},
    }

    header, *rows = text("list", answers)

    assert header.split()[0] == "Name"
    assert header.split()[-1] == "Host"
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [("vm1", "a"), ("vm1", "b"), ("vm2", "a")]


def test_a_host_without_domains_adds_no_row() -> None:
    assert len(text("list", {"a": {"domains": []}, "b": {"domains": [GUEST | {"name": "vm1"}]}})) == 2


def test_a_long_list_has_the_host_in_each_block() -> None:
    answers = {host: {"long": True, "domains": [GUEST | {"name": "vm", "max_memory": 1}]} for host in ("b", "a")}

    assert [line.split()[-1] for line in text("list", answers) if line.startswith("host ")] == ["a", "b"]


def test_states_have_the_host_last_and_maintenance_above() -> None:
    answers: dict[str, dict[str, Any]] = {
        "b": {"domains": [BATCH | {"name": "vm1"}]},
        "a": {
            "domains": [BATCH | {"name": "vm2"}],
            "maintenance": {"reason": "disks", "by": "alice@R", "since": "2026-11-21T10:00:00Z"},
        },
    }

    notice, header, *rows = text("state", answers)

    assert notice.startswith("a: ")
    assert "disks" in notice
    assert header.split()[-1] == "Host"
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [("vm1", "b"), ("vm2", "a")]


def test_jobs_have_the_host_last() -> None:
    job = {"domain": "vm1", "id": "4711", "owner": "alice@R", "preemptible": False, "preempted": 0, "state": "running"}

    header, row = text("job-list", {"a": {"jobs": [job]}, "b": {"jobs": []}})

    assert header.split()[-1] == "Host"
    assert (row.split()[0], row.split()[-1]) == ("vm1", "a")


def test_stats_say_whose_they_are() -> None:
    guest = GUEST | {"name": "vm1", "addresses": [], "interfaces": [], "disks": []}

    lines = text("stats", {"b": {"domains": [guest]}, "a": {"domains": [guest]}})

    assert [line.split()[-1] for line in lines if line.startswith("host ")] == ["a", "b"]
    assert lines.count("") == 1


def test_stats_of_hosts_are_named_as_they_were_asked_for() -> None:
    host = {"name": "own-name", "nr_cpus": 2, "load": [0.0, 0.0, 0.0]}

    lines = text("stats", {"b": {"host": host}, "a": {"host": host}})

    assert [line.split(": ")[1] for line in lines if line.startswith("host ")] == ["a", "b"]


def test_ping_is_a_line_for_each_host() -> None:
    answer = {"host_id": "x", "xmand_version": "0.1.0", "principal": "alice@R", "verbs": ["list"]}

    header, *rows = text("ping", {"b": answer, "a": answer})

    assert header.split() == ["Xmand", "ms", "Principal", "Host"]
    assert [row.split() for row in rows] == [["0.1.0", "7", "alice@R", "a"], ["0.1.0", "7", "alice@R", "b"]]


BUILD = "0.2.0+20261129124255.gfb659a9bde"


def test_columns_stand_below_their_headings_between_releases() -> None:
    pinged = {"host_id": "x", "principal": "alice@R", "verbs": ["list"]}
    ping, *pings = text("ping", {"a": pinged | {"xmand_version": "0.1.0"}, "b": pinged | {"xmand_version": BUILD}})
    up = {"state": "up", "load": [0.5]}
    head, *rows = text("hosts", {"a": {"host": up | {"xmand_version": BUILD}}, "b": {"host": {"state": "down"}}})

    assert {line.index("alice@R") for line in pings} == {ping.index("Principal")}
    assert len({line.index(word) + len(word) for line, word in ((head, "Load"), (rows[0], "0.50"))}) == 1
    assert len({line.index(word) for line, word in ((head, "Version"), (rows[0], BUILD), (rows[1], "- "))}) == 1


def test_a_host_that_lies_about_its_version_widens_nobody_elses_line_beyond_measure() -> None:
    _head, honest, _lie = text(
        "hosts", {"a": {"host": {"state": "up"}}, "b": {"host": {"state": "up", "xmand_version": "9" * 5000}}}
    )

    assert len(honest) < 200


def test_what_merges_by_the_table_is_merged_and_nothing_else() -> None:
    assert set(render._MERGERS) == {verb.name for verb in verbs.VERBS if verb.merges}


def test_the_cards_of_several_hosts_are_one_file_for_dnsmasq() -> None:
    answers = {
        "b": {"cards": [{"name": "lab01", "mac": "02:00:00:00:00:01", "ip": "10.0.0.1"}]},
        "a": {"cards": [{"name": "lab02", "mac": "02:00:00:00:00:02"}, {"name": "x+y", "mac": "02:00:00:00:00:03"}]},
    }

    assert text("macs", answers) == ["02:00:00:00:00:01,10.0.0.1,lab01", "02:00:00:00:00:02,lab02", "02:00:00:00:00:03"]
