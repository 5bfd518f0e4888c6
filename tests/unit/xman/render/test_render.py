"""Results as text, against golden files, and through the one-liners with which scripts read xm's output.

`XMAN_UPDATE_GOLDEN=1 pytest tests/unit/xman/render/test_render.py` writes the golden files
again; the difference is for review.
"""

import os
import subprocess
import time
from typing import Any

import pytest

from tests.lab.process import ROOT
from xman import fields, render
from xman.render import domains

GOLDEN = ROOT / "tests" / "data" / "golden"
MIB = 2**20
UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"

INFO = {
    "host": "skirit80",
    "release": "6.1.0-9-amd64",
    "version": "#1 SMP Debian",
    "machine": "x86_64",
    "nr_cpus": 16,
    "nr_nodes": 2,
    "cores_per_socket": 4,
    "threads_per_core": 2,
    "cpu_mhz": 2596,
    "virt_caps": "hvm kvm",
    "total_memory": 24105 * MIB + 5,
    "free_memory": 20600 * MIB,
    "node_to_cpu": "node0:0-7 node1:8-15",
    "xend_config_format": 4,
    "hypervisor": "QEMU",
    "hypervisor_version": "7.2.22",
    "libvirt_version": "9.0.0",
    "uri": "qemu:///system",
    "xmand_version": "0.1.0",
}
# What a host of Xen's has besides.
XEN_INFO = {
    "hw_caps": "178bf3fd:80002001:20100800:00000007:00000000:00000000:00000000:00000000",
    "xen_major": 4,
    "xen_minor": 17,
    "xen_extra": ".7",
    "xen_caps": "xen-3.0-x86_64 hvm-3.0-x86_32",
    "xen_scheduler": "credit2",
    "xen_pagesize": 4096,
    "platform_params": "virt_start=0xffff800000000000",
    "xen_changeset": "",
    "xen_commandline": "console=com1 loglvl=info",
    "cc_compiler": "x86_64-linux-gnu-gcc 12.2.0",
    "cc_compile_by": "pkg-xen-devel",
    "cc_compile_domain": "example.org",
    "cc_compile_date": "Wed Nov  4 16:52:28 UTC 2026",
    "hypervisor": "Xen",
    "hypervisor_version": "4.17.0",
    "uri": "xen:///system",
}


def domain(name: str, **changes: Any) -> dict[str, Any]:
    """Return one of `result.domains[]`: a running domain, with `changes`."""
    running = {
        "name": name,
        "uuid": UUID,
        "id": 1,
        "state": "running",
        "memory": 128 * MIB,
        "vcpus": 1,
        "cpu_seconds": 0.0,
    }
    return running | changes


def off(name: str, **changes: Any) -> dict[str, Any]:
    """Return a domain that is off."""
    return domain(name, id=None, state="shutoff", **changes)


# xm's own example (xen 3.2), in which Domain-0 runs and `halted` does not.
XM = [domain("Domain-0", id=0, memory=98 * MIB, cpu_seconds=5068.6), off("halted")]
MANY = [
    domain("Domain-0", id=0, memory=98 * MIB, vcpus=2, cpu_seconds=5068.64),
    domain("a b", id=12, state="paused", memory=4096 * MIB, vcpus=16, cpu_seconds=1.25),
    off("halted"),
    domain("n" * 45, id=32000, memory=1048576 * MIB, vcpus=255, cpu_seconds=12345678.9),
    domain("odd", memory=MIB * 3 // 2),
    domain("Domäne", id=2),
]
STATES = [
    domain("running"),
    domain("blocked", state="blocked"),
    domain("paused", state="paused"),
    domain("pmsuspended", state="pmsuspended"),
    domain("shutdown", state="shutdown"),
    domain("crashed", state="crashed"),
    domain("nostate", state="nostate"),
    domain("later", state="a state of a later release"),
    off("shutoff"),
    domain("crashed-and-off", id=None, state="crashed"),
]
LONG = [
    domain(
        "vm1",
        id=3,
        reason="booted",
        max_memory=256 * MIB,
        max_vcpus=4,
        persistent=True,
        autostart=False,
        cpu_seconds=12.5,
    ),
    off("vm2", max_memory=128 * MIB, persistent=True),
]
RUNS = [
    domain(
        "vm1",
        id=3,
        state="paused",
        reason="user",
        paused_by="alice@EXAMPLE.ORG",
        since="2026-11-21T10:00:00Z",
        started="2026-11-20T06:55:55Z",
        uptime_seconds=97445,
    ),
    domain(
        "vm2",
        id=4,
        state="paused",
        reason="ioerror",
        started="2026-11-21T09:00:00Z",
        uptime_seconds=3600,
        disk_errors=[{"disk": "vda", "error": "no space"}, {"disk": "vdb", "error": "unspec"}],
    ),
]


STATS = [
    domain(
        "vm1",
        id=3,
        started="2026-11-21T09:00:00Z",
        uptime_seconds=3600,
        cpu_seconds=12.5,
        cpu_percent=99.4,
        vcpus=2,
        max_memory=256 * MIB,
        memory_rss=90 * MIB,
        memory_unused=40 * MIB + 5,
        interfaces=[
            {"name": "vnet0", "rx_octets": 1234, "rx_packets": 12, "tx_octets": 0, "tx_packets": 0},
            {"name": "vnet1"},
        ],
        disks=[
            {
                "name": "vda",
                "path": "/vm/a b.img",
                "capacity": 2**33,
                "allocation": 2**20,
                "read_octets": 512,
                "read_requests": 1,
                "write_octets": 0,
                "write_requests": 0,
            }
        ],
        addresses=[
            {"address": "192.0.2.7", "prefix": 24, "mac": "52:54:00:00:00:01", "source": "lease"},
            {"address": "2001:db8::7", "source": "arp"},
        ],
    ),
    off("vm2", max_memory=128 * MIB, interfaces=[], disks=[{"name": "hdc"}], addresses=[]),
]
LOG = [
    {
        "at": "2026-11-21T10:00:00Z",
        "principal": "alice@EXAMPLE.ORG",
        "verb": "pause",
        "domain": "vm1",
        "class": "ok",
        "ms": 12,
        "reason": 'ticket 4711: "too loud"',
    },
    {
        "at": "2026-11-21T10:00:05Z",
        "principal": "slurm/ctl.example.org@EXAMPLE.ORG",
        "verb": "maintenance",
        "domain": "",
        "class": "refused",
        "ms": 3,
    },
    {
        "at": "2026-11-21T10:00:07Z",
        "principal": "alice@EXAMPLE.ORG",
        "verb": "reboot",
        "domain": "vm1",
        "class": "unknown",
        "recovered": True,
    },
    {
        "at": "2026-11-21T10:01:00Z",
        "principal": "bob@EXAMPLE.ORG",
        "verb": "migrate",
        "domain": "vm2",
        "class": "running",
    },
]
HOST_STATS = {
    "name": "skirit80",
    "nr_cpus": 16,
    "cpu_percent": 3.1,
    "load": [0.5, 1.25, 10.0],
    "total_memory": 24105 * MIB + 5,
    "free_memory": 20600 * MIB,
    "pools": [
        {"name": "default", "active": True, "capacity": 2**40, "allocation": 2**30, "available": 2**39},
        {"name": "old", "active": False},
    ],
}


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


JOB = {
    "id": "4711",
    "owner": "alice@EXAMPLE.ORG",
    "cpus": 4,
    "preemptible": True,
    "start": "2026-11-21T10:00:00Z",
    "preempted": 75,
}
JOBS = [
    JOB | {"domain": "vm1", "state": "preempted", "lease": 300, "lease_left": 299},
    {"id": "4712", "owner": "", "preemptible": False, "preempted": 0, "domain": "vm2", "state": "running"},
]
STATE = {
    "host_id": "skirit80",
    "domains": [
        {
            "name": "vm1",
            "uuid": UUID,
            "state": "preempted",
            "since": "2026-11-21T10:00:00Z",
            "jobs": [JOB, JOB | {"id": "4713"}],
            "memory": 160 * MIB,
            "max_memory": 8192 * MIB,
            "vcpus": 1,
            "max_vcpus": 4,
            "priority": "normal",
        },
        {
            "name": "vm2",
            "uuid": UUID,
            "state": "occupied-would-preempt",
            "jobs": [],
            "claim": {"id": "4714", "by": "slurm/ctl@EXAMPLE.ORG", "seconds": 60, "left": 59},
            "memory": 8192 * MIB,
            "max_memory": 8192 * MIB,
            "priority": "priority",
        },
    ],
    "maintenance": {"reason": "new disks", "by": "alice@EXAMPLE.ORG", "since": "2026-11-21T10:00:00Z"},
}
PLAN = {
    "state": "occupied-would-preempt",
    "dry_run": True,
    "plan": [
        {"step": "park", "domain": "vm3", "memory": 160 * MIB, "vcpus": 0},
        {"step": "preempt", "domain": "vm1", "jobs": ["4711", "4713"], "memory": 160 * MIB, "vcpus": 1},
        {"step": "add-job", "domain": "vm2", "jobs": ["4712"]},
        {"step": "grant", "domain": "vm2", "memory": 8192 * MIB, "vcpus": 4},
        {"step": "return", "domain": "vm1", "jobs": ["4711"], "memory": 8192 * MIB, "vcpus": 4},
        {"step": "remove-job", "domain": "vm2", "jobs": ["4712"]},
        {"step": "drop-jobs", "domain": "vm2", "jobs": ["4712"]},
        {"step": "renew", "domain": "vm1", "jobs": ["4711"]},
        {"step": "claim", "domain": "vm2", "jobs": ["4712"]},
        {"step": "release", "domain": "vm2", "jobs": ["4712"]},
        {"step": "hold", "domain": "vm1"},
        {"step": "save", "domain": "vm1"},
        {"step": "pause", "domain": "vm1"},
        {"step": "restore", "domain": "vm1"},
    ],
}


def check(name: str, text: str) -> None:
    """Compare `text` with a golden file, octet for octet, or write it where that is asked for."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("XMAN_UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    assert text.encode() == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "verb", "data"),
    [
        ("state", "state", STATE),
        ("state-others", "state", STATE | {"others": [domain("desktop")]}),
        ("job-list", "job-list", {"jobs": JOBS}),
        ("job-start-dry", "job-start", PLAN),
        ("maintenance-dry", "maintenance", {"on": True, "dry_run": True, "maintenance": STATE["maintenance"]}),
        ("list-xm", "list", {"domains": XM}),
        ("list", "list", {"domains": MANY}),
        ("list-empty", "list", {"domains": []}),
        ("list-states", "list", {"domains": STATES}),
        ("list-long", "list", {"domains": LONG, "long": True}),
        ("list-long-runs", "list", {"domains": RUNS, "long": True}),
        ("info", "info", INFO | {"host_id": "skirit80", "later": "field"}),
        ("info-little-known", "info", {"host": "skirit80", "nr_cpus": 1, "node_to_cpu": "", "xmand_version": "0.1.0"}),
        ("info-xen", "info", INFO | XEN_INFO),
        ("dmesg-xen", "dmesg", {"source": "Xen message buffer of skirit80", "lines": ["(XEN) a", "(XEN) b"]}),
        ("dmesg", "dmesg", {"source": "xmand message ring on skirit80 (driver QEMU)", "lines": ["[    0.1] a", "b"]}),
        ("dmesg-empty", "dmesg", {"source": "xmand message ring on skirit80 (driver QEMU)", "lines": []}),
        (
            "help",
            "help",
            {
                "verbs": [
                    {"name": "list", "help": "every domain", "family": "show"},
                    {"name": "pause", "help": "stop a domain's CPUs", "family": "life"},
                ]
            },
        ),
        (
            "help-verb",
            "help",
            {
                "verb": "list",
                "usage": "list [-l|--long] [DOMAIN...]",
                "help": "every domain, shut off ones too",
                "since": "0.1",
                "options": [{"names": ["-l", "--long"], "metavar": "", "help": "more of each"}],
            },
        ),
        (
            "ping",
            "ping",
            {
                "host_id": "skirit80",
                "xmand_version": "0.1.0",
                "principal": "alice/admin@EXAMPLE.ORG",
                "verbs": ["help", "list"],
                "list": {"entries": 2},
            },
        ),
        (
            "ping-nothing",
            "ping",
            {"host_id": "skirit80", "xmand_version": "0.1.0", "principal": "bob@EXAMPLE.ORG", "verbs": []},
        ),
        (
            "version",
            "version",
            {
                "xmand_version": "0.1.0",
                "protocol": "3",
                "list_hash": "0" * 64,
                "audit_lost": 0,
                "hypervisor": "QEMU",
                "hypervisor_version": "7.2.22",
            },
        ),
        ("stats", "stats", {"domains": STATS}),
        ("stats-none", "stats", {"domains": []}),
        ("stats-host", "stats", {"host": HOST_STATS}),
        ("stats-host-little-known", "stats", {"host": {"name": "skirit80", "load": [0.0, 0.0, 0.0]}}),
        ("log", "log", {"entries": LOG}),
        ("log-empty", "log", {"entries": []}),
        ("wait", "wait", {"name": "vm1", "state": "shutoff", "seconds": 12.34}),
    ],
)
def test_golden(name: str, verb: str, data: dict[str, Any]) -> None:
    check(name, render.text(verb, data))


def test_the_merged_table_has_the_host_last() -> None:
    rows = [row | {"host": host} for row, host in zip(MANY, ["skirit80", "skirit81"] * 3, strict=True)]

    check("list-merged", domains.table(rows, hosts=True))


def test_xm_list_byte_for_byte() -> None:
    """Written out here as well, so that no rewriting of golden files can lose it (xen 3.2, xm/main.py)."""
    assert render.text("list", {"domains": XM}) == (
        "Name                                        ID   Mem VCPUs      State   Time(s)\n"
        "Domain-0                                     0    98     1     r-----   5068.6\n"
        "halted                                           128     1                 0.0\n"
    )


def test_xm_info_byte_for_byte() -> None:
    assert render.text("info", {"host": "h", "total_memory": 512 * MIB, "virt_caps": ""}) == (
        "host                   : h\nvirt_caps              : (none)\ntotal_memory           : 512\n"
    )


def test_every_field_of_info_that_is_known_is_shown_in_order() -> None:
    data: dict[str, Any] = dict.fromkeys([field.key for field in reversed(fields.labelled("info"))], 0)

    shown = [line.split(":")[0].strip() for line in render.text("info", data).splitlines()]

    assert shown == [field.label for field in fields.labelled("info")]


def test_every_state_of_a_running_domain_has_its_six_letters() -> None:
    table = render.text("list", {"domains": STATES}).splitlines()[1:]

    assert {line.split()[0]: line.split()[4] for line in table if len(line.split()) == 6} == {
        "running": "r-----",
        "blocked": "-b----",
        "paused": "--p---",
        "pmsuspended": "--p---",
        "shutdown": "---s--",
        "crashed": "----c-",
        "nostate": "------",
        "later": "------",
    }


def test_describe_is_the_description_itself() -> None:
    xml = "<domain>\n  <name>vm1</name>\n</domain>\n"

    assert render.text("describe", {"xml": xml}) == xml


@pytest.mark.parametrize("verb", ["pause", "create", "nosuch"])
def test_verbs_that_only_act_print_nothing(verb: str) -> None:
    assert render.text(verb, {"name": "vm1"}) == ""


# --- scripts written for xm -------------------------------------------------------------------------------------------


def piped(text: str, command: str) -> str:
    """Return what `command` makes of `text`."""
    done = subprocess.run(["sh", "-c", command], input=text.encode(), stdout=subprocess.PIPE, check=True, timeout=10)
    return done.stdout.decode()


LISTING = render.text("list", {"domains": [*XM, domain("vm1", id=7, state="paused", memory=512 * MIB, vcpus=2)]})


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("awk 'NR>1 {print $1}'", "Domain-0\nhalted\nvm1\n"),
        ("grep -v Name | awk '{print $1}'", "Domain-0\nhalted\nvm1\n"),
        ("grep -v Name | grep -v Domain-0 | wc -l | tr -d ' '", "2\n"),
        ("awk '$1 == \"vm1\" {print $2}'", "7\n"),
        ("awk '$1 == \"vm1\" {print $3}'", "512\n"),
        ("awk '$5 ~ /p/ {print $1}'", "vm1\n"),
        ("awk 'NR>1 && NF==6 {sum += $3} END {print sum}'", "610\n"),
        ("tail -n +2 | cut -c1-40 | sed 's/ *$//'", "Domain-0\nhalted\nvm1\n"),
        ("tail -n +2 | cut -c59-69 | tr -d ' '", "r-----\n\n--p---\n"),
    ],
)
def test_scripts_read_the_list_as_xms(command: str, expected: str) -> None:
    assert piped(LISTING, command) == expected


def test_python_scripts_split_a_running_domain_in_six() -> None:
    line = LISTING.splitlines()[3]

    name, number, mem, vcpus, state, time = line.split()

    assert (name, int(number), int(mem), int(vcpus), state, float(time)) == ("vm1", 7, 512, 2, "--p---", 0.0)


def test_a_domain_that_is_off_splits_in_four_as_with_xm() -> None:
    assert LISTING.splitlines()[2].split() == ["halted", "128", "1", "0.0"]


def test_scripts_read_the_merged_table_as_well() -> None:
    merged = domains.table([row | {"host": "skirit80"} for row in XM], hosts=True)

    assert piped(merged, "awk 'NR>1 {print $1, $NF}'") == "Domain-0 skirit80\nhalted skirit80\n"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("grep total_memory | cut -d: -f2", " 24105\n"),
        ("grep free_memory | cut -d: -f2 | tr -d ' '", "20600\n"),
        ("awk '/^nr_cpus/ {print $3}'", "16\n"),
        ("grep xen_minor | wc -l | tr -d ' '", "0\n"),
    ],
)
def test_scripts_read_info_as_xms(command: str, expected: str) -> None:
    assert piped(render.text("info", INFO), command) == expected


def test_a_verb_without_a_renderer_is_read_by_the_labels_of_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (fields.Field("memory", {"label": "maxmem", "as": "MiB"}), fields.Field("kept", {"label": "kept"}))
    monkeypatch.setattr(fields, "of_result", lambda verb: rows if verb == "weigh" else ())

    assert render.text("weigh", {"memory": 3 << 20, "kept": True, "other": 1}) == (
        "maxmem                 : 3\nkept                   : yes\n"
    )
    assert render.text("pause", {"memory": 3 << 20}) == ""
