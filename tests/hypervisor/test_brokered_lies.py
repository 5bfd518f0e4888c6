"""A host whose key was stolen: whatever it says in a migration, no guest comes of it, and nothing is left."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.hypervisor.test_brokered import _PORT, Pair, both, pair
from tests.lab.clients.lying_source import LIES
from tests.lab.process import ROOT, wait_for
from tests.unit.xmand.broker import said
from xman import outcome

__all__ = ("both", "pair")

# Whose lie it is that libvirt itself finds out; whoever only leaves is no liar.
_FOUND_BY_LIBVIRT = ("memory that is none",)
_LEAVES = ("nothing after the begin",)


def told(pair: Pair, lie: str) -> dict[str, Any]:
    """Let the first host tell the second one a lie; return how that ended."""
    source, there = pair.hosts
    command = [sys.executable, "-m", "tests.lab.clients.lying_source", there.name, str(_PORT)]
    done = subprocess.run(
        [*source.prefix, "env", "-C", str(ROOT), *command, str(source.directory / "host.keytab"), lie],
        env=pair.lab.realm.env | {"KRB5CCNAME": "MEMORY:"},
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("lie", LIES)
def test_no_guest_comes_of_it(pair: Pair, lie: str) -> None:
    ended = told(pair, lie)

    if lie not in (*_LEAVES, *_FOUND_BY_LIBVIRT):
        assert (ended["status"], "not permitted here" in ended["said"] or "not the domain" in ended["said"]) == (
            outcome.DENIED,
            True,
        ), ended
    there, arrivals = pair.hosts[1], pair.daemons[1].directory / "state" / "arrivals"
    assert said.NAME not in there.virsh("list", "--all", "--name").stdout.split()
    wait_for(lambda: not list(arrivals.glob("*.json")), 60, "the end of what is written of it")
    # Nor is its place held.
    made = pair.rxm(
        1, "new", "-", stdin=said.XML.replace("</uuid>", "</uuid><memory>4096</memory><os><type>hvm</type></os>")
    )
    assert made.status == 0, made
    assert pair.rxm(1, "delete", said.NAME).status == 0
