"""One of 81 hosts lies: its row is an error, the rows of the others are shown, and no order reaches the terminal."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.kerberos.realm import Realm, without_wrapper
from tests.lab.process import ROOT, free_ports
from tests.realm.conftest import need_own_names

HONEST = [f"h{number:02}.xman.test" for number in range(1, 81)]
LIAR = "liar.xman.test"
TRUE, FALSE = "127.0.6.1", "127.0.6.2"
# What lets an xmand say what a file holds in place of what it found; who asks for JSON is always answered in one part.
_LIES = """
import os, pathlib
_file = pathlib.Path(os.environ["XMAN_LIE"])
try:
    from xmand import answer
except ImportError:
    pass
else:
    _part = answer.part
    def part(verb, done, ms, *, as_json):
        told = _part(verb, done, ms, as_json=as_json)
        return _file.read_bytes() if _file.exists() else told
    answer.part = part
"""
# As it says it where it is honest, to be made a lie of.
_ENVELOPE: dict[str, Any] = {
    "xman": 1,
    "host": "liar",
    "at": "2026-11-21T10:00:00Z",
    "verb": "list",
    "domain": None,
    "ok": True,
    "changed": False,
    "ms": 1,
}


def said(**changes: Any) -> bytes:
    """Return a line with `changes` to the envelope."""
    return json.dumps(_ENVELOPE | changes).encode() + b"\n"


LIES = {
    "no result": b'{"ok": true}\n',
    "deep": b"[" * 200_000,
    "a code that is no number": said(ok=False, code="none", message="m", **{"class": "denied"}),
    "a domain without an id": said(result={"domains": [{"name": "vm", "state": "running"}]}),
    "orders to the terminal": b"\x1b]0;owned\x07\x1b[2J\xc2\x9b31m\n",
    "a name with orders": said(
        result={
            "domains": [
                {"name": "\x1b]0;owned\x07\u202e\u009b31m", "uuid": "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11", "id": 1}
                | {"state": "running", "memory": 1 << 27, "vcpus": 1, "cpu_seconds": 1.0}
            ]
        }
    ),
    "nothing": b"",
}


class Fleet:
    """Eighty hosts that are one honest xmand, and one that says what it is told to."""

    def __init__(self, realm: Realm, directory: Path, env: dict[str, str]) -> None:
        keytab = str(directory / "keytab")
        realm.add_services([f"host/{name}" for name in (*HONEST, LIAR)], keytab)
        hosts = directory / "hosts"
        places = "".join(f"{TRUE} {name}\n" for name in HONEST)
        hosts.write_text(f"127.0.0.1 localhost\n{places}{FALSE} {LIAR}\n")
        self._prefix = realm.own_hosts_file(hosts)
        self._env = without_wrapper(env)
        port = free_ports(1)
        self._words = ["rxm", "-p", str(port), "-t", "60"]
        self._lie = directory / "lie"
        (directory / "sitecustomize.py").write_text(_LIES)
        path = f"{directory}:{ROOT / 'common'}:{ROOT}"
        self._daemons = [
            Daemon(
                realm,
                directory / address,
                admins=("alice@XMAN.TEST",),
                listen=f"{address}:{port}",
                keytab=keytab,
                # All of them are one daemon, to whom one address comes eighty times at once.
                tables="[limits]\nconnections_per_principal = 200\nunauthenticated_per_source = 200\n",
                env=more,
            )
            for address, more in ((TRUE, {}), (FALSE, {"PYTHONPATH": path, "XMAN_LIE": str(self._lie)}))
        ]

    def tell(self, lie: bytes | None) -> None:
        """Let the one host say this from now on; None: what is true."""
        self._lie.unlink(missing_ok=True)
        if lie is not None:
            self._lie.write_bytes(lie)

    def rxm(self, hosts: list[str], *words: str) -> Answer:
        """Ask hosts."""
        return answer([*self._prefix, *self._words, "-H", ",".join(hosts), *words], self._env)

    def close(self) -> None:
        """End it."""
        for daemon in self._daemons:
            assert daemon.stop() == 0


@pytest.fixture(scope="module")
def fleet(realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The hosts."""
    need_own_names(realm)
    made = Fleet(realm, tmp_path_factory.mktemp("lying"), alice)
    yield made
    made.close()


@pytest.fixture(params=sorted(LIES))
def lie(request: pytest.FixtureRequest, fleet: Fleet) -> str:
    """What the one host says."""
    fleet.tell(LIES[request.param])
    return str(request.param)


def test_it_is_believed_where_it_says_what_is_true(fleet: Fleet) -> None:
    fleet.tell(None)

    found = fleet.rxm([*HONEST, LIAR], "list")

    assert (found.status, found.stderr) == (0, "")
    assert sorted(line.split()[-1] for line in found.stdout.splitlines()[1:]) == sorted([*HONEST, LIAR])


def test_all_honest_rows_are_shown_whatever_one_host_says(fleet: Fleet, lie: str) -> None:
    require_honest_rows(fleet.rxm([HONEST[0], LIAR, *HONEST[1:]], "list"), HONEST, lie)


@pytest.mark.parametrize("lie", ["deep", "orders to the terminal"])
def test_nor_does_it_matter_where_few_are_asked(fleet: Fleet, lie: str) -> None:
    fleet.tell(LIES[lie])

    require_honest_rows(fleet.rxm([HONEST[0], LIAR, HONEST[1]], "list"), HONEST[:2], lie)


def require_honest_rows(found: Answer, honest: list[str], lie: str) -> None:
    """What is shown has the rows of the honest, and says of the liar that its answer is none."""
    shown = [line.split()[-1] for line in found.stdout.splitlines()[1:]]
    assert [host for host in shown if host != LIAR] == honest
    assert "Traceback" not in found.stderr
    assert (found.stdout + found.stderr).replace("\n", "").isprintable()
    if lie != "a name with orders":
        assert found.status != 0
        assert LIAR in found.stderr
        assert LIAR not in shown


@pytest.mark.parametrize("lie", ["no result", "a domain without an id"])
def test_programs_get_an_object_for_each(fleet: Fleet, lie: str) -> None:
    fleet.tell(LIES[lie])

    found = fleet.rxm([*HONEST[:9], LIAR], "-j", "list")

    lines: dict[str, dict[str, Any]] = {}
    objects: Callable[[str], dict[str, Any]] = json.loads
    for line in found.stdout.splitlines():
        told = objects(line)
        lines[told["host"]] = told
    assert sum(one["ok"] for host, one in lines.items() if host != LIAR and host != "liar") == 9
    assert len(found.stdout.splitlines()) == 10
