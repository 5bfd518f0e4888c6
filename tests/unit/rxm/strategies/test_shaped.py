"""Tables in every form: a row is what a person would call one, and the order does not depend on who was first."""

from typing import Any

import pytest

from rxm.options import Options
from rxm.strategies import shaped
from rxm.strategies.shaped import HostResult
from xman import arguments, verbs
from xman.errors import UsageError

CPUS = [{"number": 0, "state": "running", "cpu_seconds": 1.5, "affinity": [0, 1], "cpu": 3}, {"number": 1}]
DISKS = [{"target": "vda", "device": "disk", "bus": "virtio"}, {"target": "hdc", "device": "cdrom"}]


def domain(name: str, memory: int = 64) -> dict[str, Any]:
    """Return a domain as `list` tells of it."""
    facts = {"name": name, "uuid": "u", "id": 1, "state": "running", "memory": memory << 20}
    return facts | {"vcpus": 1, "cpu_seconds": 0.5}


def listed(host: str, *domains: dict[str, Any]) -> HostResult:
    """Return what a host answered to `list`."""
    return HostResult(host, {"domains": list(domains)})


def lines(verb: str, answers: list[HostResult], **given: str) -> list[str]:
    """Return the lines of the table."""
    options = Options({name.replace("_", "-"): value for name, value in given.items()})
    return shaped.text(options, verbs.BY_NAME[verb], answers, len({answer.host for answer in answers}) > 1).splitlines()


def test_a_virtual_cpu_is_a_row() -> None:
    answer = HostResult("a", {"domains": [{"name": "vm1", "uuid": "u", "id": 7, "vcpu": CPUS}]})

    assert lines("vcpu-list", [answer], output="csv") == [
        "name,id,number,cpu,state,cpu_seconds,affinity",
        'vm1,7,0,3,running,1.5,"0,1"',
        "vm1,7,1,,,,",
    ]


def test_a_disk_is_a_row_that_says_whose_it_is() -> None:
    answers = [HostResult("a", {"name": name, "uuid": "u", "id": 1, "disks": DISKS}) for name in ("vm1", "vm2")]

    assert lines("block-list", answers, columns="name,target", no_headers="") == [
        "vm1  vda",
        "vm1  hdc",
        "vm2  vda",
        "vm2  hdc",
    ]


def test_a_host_is_a_row_called_by_its_name() -> None:
    answers = [HostResult(host, {"host": {"name": "own", "nr_cpus": 4, "load": [0.5]}}) for host in ("a", "b")]

    assert lines("stats", answers, output="name") == ["a", "b"]
    assert lines("stats", answers, output="csv", columns="host,nr_cpus") == ["host,nr_cpus", "a,4", "b,4"]


@pytest.mark.parametrize("shape", [{"output": "name"}, {"no_headers": ""}, {"output": "csv"}])
def test_names_and_hosts_make_the_order(shape: dict[str, str]) -> None:
    found = lines("list", [listed("b", domain("x"), domain("a")), listed("a", domain("x"))], **shape)

    wanted = ["a", "x", "x"]
    names = [line.replace(",", " ").replace(":", " ").split() for line in found if not line.startswith("name,")]
    assert [(words[1] if shape == {"output": "name"} else words[0]) for words in names] == wanted
    assert [(words[0] if shape == {"output": "name"} else words[-1]) for words in names] == ["b", "a", "b"]


def test_sorted_the_usual_table_stays_the_usual_one() -> None:
    answers = [listed("a", domain("small", 1), domain("large", 300)), listed("b", domain("middle", 20))]

    usual = lines("list", answers, no_headers="x")
    by_memory = lines("list", answers, sort="-memory")

    assert [line.split()[0] for line in by_memory[1:]] == ["large", "middle", "small"]
    assert sorted(by_memory[1:]) == sorted(usual)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    ("verb", "result", "rows"),
    [
        ("uptime", {"domains": [{"name": "vm1", "id": 1, "uptime_seconds": 60}]}, 1),
        ("vcpu-list", {"domains": [{"name": "vm1", "id": 1, "vcpu": CPUS[:1]}]}, 1),
        ("block-list", {"name": "vm1", "id": 1, "disks": DISKS}, 2),
        ("network-list", {"name": "vm1", "id": 1, "interfaces": [{"mac": "m", "device": "v0"}]}, 1),
        ("list", {"domains": [domain("vm1")]}, 1),
        ("job-list", {"host_id": "h", "jobs": []}, 0),
        ("log", {"entries": []}, 0),
    ],
)
def test_no_table_keeps_its_headings(verb: str, result: dict[str, Any], rows: int, several: bool) -> None:
    answers = [HostResult(host, result) for host in ("a", "b")[: 1 + several]]

    assert len(lines(verb, answers, no_headers="")) == rows * len(answers)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"columns": ","}, "names no column"),
        ({"columns": " , "}, "names no column"),
        ({"sort": "-"}, "after the -"),
        ({"output": "yaml"}, "give one of name, wide, csv, json"),
    ],
)
def test_what_names_nothing_is_no_table(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        shaped.check(Options(given), arguments.parse(verbs.BY_NAME["list"], []))


def test_help_is_a_table_as_well() -> None:
    facts = {"verbs": [{"name": "pause", "help": "stop it", "family": "life"}]}

    assert lines("help", [HostResult("", facts)], output="csv") == ["name,family,help", "pause,life,stop it"]


@pytest.mark.parametrize(
    ("verb", "words"), [("help", ["pause"]), ("check", []), ("completion", ["bash"]), ("pause", ["vm1"])]
)
def test_what_is_no_table_takes_no_form(verb: str, words: list[str]) -> None:
    parsed = arguments.parse(verbs.BY_NAME.get(verb) or verbs.OWN[verb], words, several=True)

    with pytest.raises(UsageError, match="does not print a table"):
        shaped.check(Options({"output": "csv"}), parsed)
