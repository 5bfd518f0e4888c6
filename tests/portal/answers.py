"""What hosts that are made up answer when a page asks them just now, and the program that stands for rxm there."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xman import outcome

_AT = "2026-11-29T05:00:00Z"
_UUID = "00000000-0000-4000-8000-000000000001"
_SHARE = {"machines": 1, "memory": 1 << 30, "vcpus": 1, "disk": 4 << 30}
_MOST = {"machines": 8, "memory": 64 << 30, "vcpus": 32, "disk": 1 << 40}
_OF = {"name": "vm1", "uuid": _UUID, "id": 7}
_LONG = "because-of-a-reason-that-is-one-word-of-more-letters-than-a-telephone-is-wide-or-even-two-of-them"
_WHO = {"principal": "somebody-with-a-name-that-has-forty-letters@SOMEWHERE-ELSE.EXAMPLE.ORG", "peer": "2001:db8::4711"}
_LISTED = {"state": "r-----", "memory": 1 << 30, "vcpus": 2, "cpu_seconds": 4711.0}
# One grey point, as PNG.
_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


def _change(verb: str, kind: str, **facts: Any) -> dict[str, Any]:
    return _WHO | {"at": _AT, "verb": verb, "domain": "vm1", "rid": "0" * 32, "class": kind} | facts


# The result of each verb; one with a second word is of the verb with that option.
ANSWERS: dict[str, dict[str, Any]] = {
    "info": {"host": "full1", "host_id": "full1", "hypervisor": "QEMU", "xmand_version": "0.2.0", "nr_cpus": 16},
    "stats --host": {
        "host": {"name": "full1", "load": [0.5, 0.4, 0.3], "total_memory": 64 << 30, "free_memory": 40 << 30}
    },
    "stats": {"domains": [_OF | _LISTED | {"interfaces": [], "disks": [], "addresses": []}]},
    "dmesg": {"source": "xmand", "lines": ["libvirt: connected", f"a line without a blank: {'x' * 300}"]},
    "version": {"xmand_version": "0.2.0", "protocol": "xman/3", "list_hash": "0" * 64},
    "describe": {"xml": f"<domain type='kvm'>\n  <name>vm1</name>\n  <description>{_LONG}</description>\n</domain>\n"},
    "log": {
        "entries": [
            _change("pause", "ok", reason=_LONG, code=0, ms=12, changed=True),
            _change("migrate", "refused", reason="", code=3, ms=5, message="the host does not take it: no room"),
            _change("reboot", "running"),
        ]
    },
    "events": {
        "events": [
            {"at": _AT, "event": "started", "detail": "booted", "domain": "vm1", "uuid": _UUID},
            {"at": _AT, "event": "crashed", "detail": "panicked", "domain": "vm1", "uuid": _UUID},
        ]
    },
    "list": {
        "domains": [
            _OF
            | _LISTED
            | {
                "graphics": 2,
                "held_consoles": ["serial1"],
                "users": ["novak"],
                "users_told": _AT,
                "viewers": [{"principal": "bob@XMAN.TEST", "kind": "vnc", "since": _AT, "input": True}],
            }
        ]
    },
    "screenshot": {"name": "vm1", "mime": "image/png", "width": 1, "height": 1, "octets": 67, "data": _PICTURE},
    "block-list": _OF
    | {
        "disks": [
            {"target": "vda", "device": "disk", "read_only": False, "source": f"/d/{_LONG}.qcow2", "format": "qcow2"},
            {"target": "sda", "device": "cdrom", "read_only": True, "source": "/iso/debian.iso", "format": "raw"},
            {"target": "sdb", "device": "cdrom", "read_only": True},
        ]
    },
    "network-list": _OF | {"interfaces": [{"type": "network", "mac": "52:54:00:00:00:01", "source": "default"}]},
    "snapshot-list": {"name": "vm1", "uuid": _UUID}
    | {
        "snapshots": [
            {
                "snapshot": "before",
                "created": _AT,
                "state": "running",
                "kind": "internal",
                "current": True,
                "description": _LONG,
            }
        ]
    },
    "volumes": {
        "volumes": [
            {"pool": "iso", "name": "d.iso", "kind": "file", "format": "raw", "capacity": 1 << 20, "allocation": 1}
            | {"path": "/iso/d.iso"},
            {"pool": "disks", "name": "new", "kind": "file", "format": "qcow2", "capacity": 1 << 30, "allocation": 1}
            | {"path": "/d/new"},
        ]
    },
    "images": {
        "images": [
            {
                "image": "debian.qcow2",
                "pool": "images",
                "format": "qcow2",
                "capacity": 4 << 30,
                "allocation": 1 << 30,
                "title": "Debian 13, a small one",
                "least_memory": 1 << 29,
            }
        ],
        "mine": _SHARE,
        "most": _MOST,
        "free_memory": 40 << 30,
    },
    "launch": {
        "name": "web1",
        "instance": "i-1",
        "image": "debian.qcow2",
        "memory": 1 << 30,
        "vcpus": 1,
        "disk": 4 << 30,
        "until": "2026-12-24T18:00:00Z",
        "dry_run": True,
    },
    "create": {"name": "vm9", "uuid": _UUID, "xml": "<domain type='kvm'>\n  <name>vm9</name>\n</domain>\n"},
}

# As rxm --json prints it. It reads what it is sent, so that nobody writes into a pipe that is closed.
_PROGRAM = f"""\
#!{sys.executable} -IS
import json, sys
with open(sys.argv[0] + ".json") as file:
    answers = json.load(file)
words = sys.argv[1:]
if words[-1:] == ["-"]:
    sys.stdin.buffer.read()
hosts = words[words.index("-H") + 1].split(",") if "-H" in words else []
verb = next((word for word in words if word in answers), "")
key = verb + " --host" if verb + " --host" in answers and "--host" in words else verb
about = {{"xman": 1, "at": "{_AT}", "verb": verb, "changed": False, "ms": 3, "ok": True}}
for host in hosts[:1] if verb == "launch" else hosts:
    if host in answers["away"]:
        lost = {{"ok": False, "class": "unreachable", "code": answers["unreachable"], "message": "no answer in time."}}
        print(json.dumps({{"xman": 1, "at": "{_AT}", "verb": verb, "host": host}} | lost))
    elif verb:
        print(json.dumps(about | {{"host": host, "result": answers[key]}}))
"""
# The portal, with that program in place of rxm.
_PORTAL = """\
import sys
from rxmweb import cli, rxm_process
program = sys.argv.pop(1)
rxm_process._program = lambda: program
del sys.argv[0]
cli.main()
"""


def stand_in(directory: Path, away: Sequence[str] = (), answers: Mapping[str, Any] = ANSWERS) -> Path:
    """Write the program that stands for rxm; return its path. The hosts `away` do not answer."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "rxm"
    path.write_text(_PROGRAM)
    path.chmod(0o755)
    said = {**answers, "away": [*away], "unreachable": outcome.UNREACHABLE}
    Path(f"{path}.json").write_text(json.dumps(said))
    return path


def portal_program(directory: Path, away: Sequence[str] = (), answers: Mapping[str, Any] = ANSWERS) -> tuple[str, ...]:
    """Return the words that start a portal with that program in place of rxm."""
    return (sys.executable, "-c", _PORTAL, str(stand_in(directory, away, answers)), "rxmweb")
