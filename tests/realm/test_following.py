"""list --follow and state --follow: the whole first, then each change; by rxm and by Python programs."""

import json
import math
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.clients.following import Following, following
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN
from tests.lab.process import slowness
from tests.lab.published import RESULTS


@pytest.fixture(scope="module")
def vm(daemon: Daemon, alice: dict[str, str]) -> str:
    """A running domain."""
    assert daemon.rxm(alice, "create", "-", stdin=for_test_driver("followed")).status == 0
    return "followed"


def command(daemon: Daemon, *words: str) -> list[str]:
    """Return the words that follow with rxm."""
    return ["rxm", "-H", FQDN, "-p", str(daemon.port), *words]


@pytest.fixture(params=["list", "state"])
def told(request: pytest.FixtureRequest, daemon: Daemon, alice: dict[str, str], vm: str) -> Iterator[Following]:
    """A program that gets objects of either verb, and has got the whole."""
    with following(command(daemon, "--json", request.param, "--follow"), alice) as made:
        made.wait('"whole":true')
        yield made


def objects(told: Following) -> list[dict[str, Any]]:
    """Return what it has got, each as the schema has it."""
    found = [json.loads(line) for line in told.lines]
    for envelope in found:
        RESULTS.validate(envelope)
    return found


def test_the_whole_is_what_the_verb_says(daemon: Daemon, alice: dict[str, str], told: Following) -> None:
    first = objects(told)[0]
    anew = daemon.rxm(alice, "--json", first["verb"]).json()

    assert [each["name"] for each in first["result"]["domains"]] == [each["name"] for each in anew["result"]["domains"]]


def test_each_change_is_an_object(daemon: Daemon, alice: dict[str, str], told: Following, vm: str) -> None:
    daemon.rxm(alice, "pause", vm)
    told.wait(f'"domain":"{vm}"', '"whole":false')
    daemon.rxm(alice, "unpause", vm)
    told.wait(f'"domain":"{vm}"', '"running"' if objects(told)[0]["verb"] == "list" else '"booting"')

    changes = [each for each in objects(told)[1:] if each["domain"] == vm]
    assert all(len(each["result"]["domains"]) == 1 for each in changes)
    assert changes[0]["result"]["domains"][0]["state"] in ("paused", "frozen")


def test_one_that_comes_and_goes(daemon: Daemon, alice: dict[str, str], told: Following) -> None:
    assert daemon.rxm(alice, "create", "--transient", "-", stdin=for_test_driver("brief")).status == 0
    told.wait('"domain":"brief"')
    assert daemon.rxm(alice, "destroy", "brief").status == 0

    told.wait('"gone":[{"name":"brief"')
    objects(told)


def test_maintenance_is_a_change_of_the_hosts_state(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    with following(command(daemon, "--json", "state", "--follow"), alice) as made:
        made.wait('"whole":true')
        daemon.rxm(alice, "maintenance", "on", "a test")
        made.wait('"maintenance"', '"whole":false')
        daemon.rxm(alice, "maintenance", "off")


def test_text_is_a_line_for_each_change(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    with following(command(daemon, "list", "--follow", vm), alice) as made:
        made.wait(vm)
        daemon.rxm(alice, "pause", "test")
        daemon.rxm(alice, "unpause", "test")
        daemon.rxm(alice, "pause", vm)
        made.wait(vm, "--p---")
        daemon.rxm(alice, "unpause", vm)
        made.process.send_signal(signal.SIGINT)

        assert made.end() == (130, "Interrupted.\n")
    assert made.lines[0].split() == ["Name", "ID", "Mem", "VCPUs", "State", "Time(s)"]
    assert all(line.split()[0] == vm for line in made.lines[1:])


def test_a_deadline_ends_it_in_order(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "-t", str(math.ceil(slowness())), "list", "--follow", vm)

    assert (answer.status, len(answer.stdout.splitlines()), answer.stderr) == (0, 2, "")


@pytest.mark.parametrize("verb", ["list", "state"])
def test_a_domain_that_is_not_there(daemon: Daemon, alice: dict[str, str], verb: str) -> None:
    assert daemon.rxm(alice, verb, "--follow", "never").status == 7


def test_a_python_program_follows(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    program = (
        "import rxm\n"
        f"with rxm.connect('{FQDN}', {daemon.port}, max_age=2) as host:\n"
        "    each = lambda part: print(part['whole'], len(part['domains']))\n"
        f"    host.follow('list', '--follow', each=each, timeout={math.ceil(slowness())})\n"
        "    print('as_of' in host.call('list'), 'as_of' in host.call('ping', max_age=0))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=alice, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["True 2", "True False"]
