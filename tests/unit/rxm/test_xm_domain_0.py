"""Domain-0 on a host that has none: where its line stands, what it says, and that nothing is done to it."""

import os
import subprocess
from typing import Any

import pytest

from rxm.xm import cli, commands, domain_0
from rxm.xm.commands import Program
from xman.errors import DeniedError, NoSuchDomainError, RefusedError

MIB = 1 << 20
KERNEL = {
    "/proc/meminfo": "MemTotal:        2097152 kB\nMemFree:           1024 kB\n",
    # user nice system idle iowait irq softirq steal guest guest_nice
    "/proc/stat": (
        "cpu  1000 10 200 9 9 30 40 9 500 5\ncpu0 600 10 100 9 9 30 0 9 500 5\ncpu1 400 0 100 9 9 0 40 9 0 0\nintr 1\n"
    ),
    "/proc/uptime": "93784.5 12.0\n",
}


def guest(name: str, number: int | None) -> dict[str, Any]:
    """Return a domain as `list` has it."""
    return {
        "name": name,
        "uuid": f"uuid-of-{name}",
        "id": number,
        "state": "running" if number is not None else "shutoff",
        "memory": 64 * MIB,
        "vcpus": 1,
        "cpu_seconds": 1.0,
        "vcpu": [{"number": 0, "cpu": 1, "state": "running", "cpu_seconds": 1.0, "affinity": [0, 1]}],
        "uptime_seconds": 60,
    }


class StandIn:
    """A stand-in for a host with some domains; it keeps what changes them."""

    def __init__(self, *domains: dict[str, Any]) -> None:
        self.known = list(domains)
        self.calls: list[tuple[str, ...]] = []
        self.denies = False

    def call(self, verb: str, *words: str) -> dict[str, Any]:
        if verb == "info":
            return {"nr_cpus": 2}
        if verb == "list":
            return {"domains": self.known}
        if verb in ("uptime", "vcpu-list"):
            by_uuid = {one["uuid"]: one for one in self.known}
            rows = [by_uuid[word] for word in words] if words else self.known
            return {"domains": sorted(rows, key=lambda one: one["name"]) if not words else rows}
        self.calls.append((verb, *words))
        return {}

    def domains(self, *names: str) -> list[dict[str, Any]]:
        if not names:
            return self.known
        found = [one for one in self.known if names[0] in (one["name"], str(one["id"]), one["uuid"])]
        if not found:
            raise DeniedError("no") if self.denies else NoSuchDomainError(names[0])
        return found

    def until_told(self, ask: Any) -> Any:
        return ask()


class Told(Program):
    """A program that keeps what it prints."""

    said = ""

    def say(self, text: str) -> None:
        self.said += text


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain_0, "_read", lambda path: KERNEL[path])
    monkeypatch.setattr(os, "sysconf", lambda _name: 100)


def run(program: str, host: StandIn, *words: str) -> str:
    """Return what a program prints."""
    standing_in: Any = host
    told = Told(program, standing_in)
    cli.COMMANDS[words[0]](told, list(words[1:]))
    return told.said


def names(text: str) -> list[str]:
    """Return the names in the first column, without the heading."""
    return [line.split()[0] for line in text.splitlines()[1:]]


def test_its_line_says_what_the_kernel_does() -> None:
    xl = run("xl", StandIn(), "list").splitlines()
    xm = run("xm", StandIn(), "list").splitlines()

    # (1000 + 10 + 200 + 30 + 40 - 500 - 5) / 100 seconds
    assert xl[1].split() == ["Domain-0", "0", "2048", "2", "r-----", "7.8"]
    assert xm[1].split() == ["Domain-0", "0", "2048", "2", "r-----", "7.8"]


def test_xl_has_it_first_and_xm_by_its_name() -> None:
    host = StandIn(guest("Alpha", 7), guest("zeta", 2), guest("off", None))

    assert names(run("xl", host, "list")) == ["Domain-0", "zeta", "Alpha"]
    assert names(run("xm", host, "list")) == ["Alpha", "Domain-0", "off", "zeta"]


@pytest.mark.parametrize(
    ("program", "script", "found"),
    [
        ("xl", "awk 'NR>2 {print $1}'", "vm1 vm2"),
        ("xl", "tail -n +3 | tr -s ' ' | cut -d' ' -f2", "1 2"),
        ("xl", "awk '!/^Domain-0 |^Name / {print $2}'", "1 2"),
        ("xl", "wc -l", "4"),
        ("xl", "awk '{print $2}' | tail -1", "2"),
        ("xm", "tail -n +3 | cut -d' ' -f1", "vm1 vm2"),
        ("xm", "awk '{print $1}' | grep -Ev 'Name|Domain-0'", "vm1 vm2"),
    ],
)
def test_peoples_scripts_find_the_guests(program: str, script: str, found: str) -> None:
    listed = run(program, StandIn(guest("vm2", 2), guest("vm1", 1)), "list")

    done = subprocess.run(["sh", "-c", script], input=listed, capture_output=True, text=True, check=True)

    assert done.stdout.split() == found.split()


@pytest.mark.parametrize("own", [guest("Domain-0", 0), guest("Domain-0", 5)])
def test_the_hosts_own_is_the_one_that_is_shown(own: dict[str, Any]) -> None:
    host = StandIn(own)

    assert [line.split()[:2] for line in run("xl", host, "list").splitlines()[1:]] == [["Domain-0", str(own["id"])]]
    run("xl", host, "pause", "Domain-0")
    assert host.calls == [("pause", own["uuid"])]


@pytest.mark.parametrize("word", ["Domain-0", "0", "00000000-0000-0000-0000-000000000000"])
def test_it_is_found_by_each_of_its_names(word: str) -> None:
    host = StandIn(guest("vm1", 1))

    assert run("xl", host, "domid", word) == "0\n"
    assert run("xl", host, "domname", word) == "Domain-0\n"
    assert names(run("xl", host, "list", word)) == ["Domain-0"]


def test_it_is_found_where_others_are_denied() -> None:
    host = StandIn()
    host.denies = True

    assert run("xl", host, "domid", "Domain-0") == "0\n"
    with pytest.raises(DeniedError):
        run("xl", host, "domid", "vm1")


def test_its_processors_are_listed_with_those_of_guests() -> None:
    host = StandIn(guest("vm1", 1))

    every, own = run("xl", host, "vcpu-list"), run("xl", host, "vcpu-list", "vm1", "Domain-0")

    assert [line.split()[:6] for line in every.splitlines()[1:3]] == [
        ["Domain-0", "0", "0", "0", "r--", "2.4"],
        ["Domain-0", "0", "1", "1", "r--", "5.4"],
    ]
    assert names(every) == ["Domain-0", "Domain-0", "vm1"]
    assert names(own) == ["vm1", "Domain-0", "Domain-0"]
    assert all(line.endswith("  all / all") for line in every.splitlines()[1:])


def test_what_ended_meanwhile_is_last() -> None:
    host = StandIn(guest("gone", None), guest("vm1", 1))

    assert names(run("xl", host, "uptime")) == ["Domain-0", "vm1", "gone"]
    assert names(run("xm", host, "vcpu-list")) == ["Domain-0", "Domain-0", "gone", "vm1"]


def test_it_is_among_those_of_its_state() -> None:
    host = StandIn(guest("off", None), guest("vm1", 1))

    assert names(run("xm", host, "list", "--state=all")) == ["Domain-0", "off", "vm1"]
    assert names(run("xl", host, "list", "--state=all")) == ["Domain-0", "vm1"]
    assert names(run("xm", host, "list", "--state=halted")) == ["off", "vm1"]


def test_since_when_it_runs() -> None:
    host = StandIn(guest("vm1", 1))

    assert names(run("xm", host, "uptime")) == ["Domain-0", "vm1"]
    only = run("xm", host, "uptime", "Domain-0").splitlines()
    assert only[1].split() == ["Domain-0", "0", "1", "day,", "2:03:04"]


def test_long_describes_it() -> None:
    json, sxp = run("xl", StandIn(), "list", "-l"), run("xm", StandIn(), "list", "--long")

    assert '"domid": 0' in json
    assert '"name": "Domain-0"' in json
    assert '"max_memkb": 2097152' in json
    assert "    (domid 0)\n" in sxp
    assert "    (name Domain-0)\n" in sxp


@pytest.mark.parametrize(
    "words",
    [
        ("pause", "0"),
        ("unpause", "Domain-0"),
        ("destroy", "Domain-0"),
        ("shutdown", "Domain-0"),
        ("reboot", "0"),
        ("trigger", "0", "power"),
        ("migrate", "Domain-0", "elsewhere"),
        ("save", "Domain-0", "/srv/a"),
        ("dump-core", "Domain-0"),
        ("rename", "Domain-0", "other"),
        ("mem-set", "Domain-0", "512"),
        ("vcpu-set", "0", "1"),
        ("vcpu-pin", "0", "0", "1"),
        ("block-attach", "0", "/dev/a,raw,xvdb,w"),
        ("block-detach", "0", "xvdb"),
        ("network-attach", "0", "bridge=br0"),
        ("cd-eject", "0", "hdc"),
    ],
)
def test_nothing_is_done_to_it(words: tuple[str, ...]) -> None:
    host = StandIn(guest("vm1", 1))

    with pytest.raises(RefusedError, match="privileged domain 0"):
        run("xl", host, *words)

    assert host.calls == []


def test_all_that_are_shut_down_are_guests() -> None:
    host = StandIn(guest("vm1", 1), guest("vm2", 2))

    run("xl", host, "shutdown", "--all")

    assert host.calls == [("shutdown", "uuid-of-vm1"), ("shutdown", "uuid-of-vm2")]


def test_it_has_no_disks_and_no_cards() -> None:
    assert run("xl", StandIn(), "block-list", "0") == ""
    assert run("xl", StandIn(), "network-list", "Domain-0") == ""


def test_a_file_begins_where_the_caller_is(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    host = StandIn(guest("vm1", 1))

    run("xl", host, "save", "vm1", "a.chk")
    run("xm", host, "restore", "./a.chk")
    run("xl", host, "dump-core", "vm1", "/srv/core")
    run("xl", host, "cd-insert", "vm1", "hdc", "a.iso")

    assert [call[-1] for call in host.calls] == [
        f"{tmp_path}/a.chk",
        f"{tmp_path}/a.chk",
        "/srv/core",
        f"{tmp_path}/a.iso",
    ]
    assert commands.from_here("") == ""
