"""events: what is remembered, and what is followed, by rxm, by Debian's remctl and by Python programs."""

import contextlib
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.lab.clients.following import Following, following
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_NAME, Realm
from tests.lab.process import slowness, start, wait_for
from tests.lab.published import RESULTS


@pytest.fixture(scope="module")
def vm(daemon: Daemon, alice: dict[str, str]) -> str:
    """A running domain."""
    assert daemon.rxm(alice, "create", "-", stdin=for_test_driver("watched")).status == 0
    return "watched"


def command(daemon: Daemon, *words: str) -> list[str]:
    """Return the words that follow with rxm."""
    return ["rxm", "-H", FQDN, "-p", str(daemon.port), *words]


@pytest.fixture
def follower(daemon: Daemon, alice: dict[str, str], vm: str) -> Iterator[Following]:
    """An rxm that follows `vm`, and has begun to."""
    with following(command(daemon, "events", "--follow", vm), alice) as made:
        until_it_follows(daemon, alice, made, vm)
        yield made


def until_it_follows(daemon: Daemon, alice: dict[str, str], made: Following, vm: str) -> None:
    """Let things happen until they are told; then forget them."""

    def told() -> bool:
        nudge(daemon, alice, vm)
        with contextlib.suppress(TimeoutError):
            made.wait("resumed", seconds=1.0)
        return bool(made.having("resumed"))

    wait_for(told, 20.0, "the first event")
    made.lines.clear()


def nudge(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    """Let something happen."""
    assert daemon.rxm(alice, "pause", vm).status == 0
    assert daemon.rxm(alice, "unpause", vm).status == 0


def test_what_happened_is_remembered(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    wait_for(lambda: "started" in daemon.rxm(alice, "events", vm).stdout, 20, "the event")

    line = next(line for line in daemon.rxm(alice, "events", vm).stdout.splitlines() if "started" in line)

    date, clock, name, event, detail = line.split()
    time.strptime(f"{date} {clock}", "%Y-%m-%d %H:%M:%S%z")
    assert (name, event, detail) == (vm, "started", "(booted)")


def test_json_has_utc_and_the_uuid(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    envelope = daemon.rxm(alice, "--json", "events", vm).json()

    RESULTS.validate(envelope)
    assert envelope["result"]["events"][0]["domain"] == vm


def test_a_domain_that_never_was_is_no_such_domain(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.rxm(alice, "events", "never").status == 7
    assert daemon.rxm(alice, "events", "--follow", "never").status == 7


def test_a_domain_that_is_gone_is_remembered(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.rxm(alice, "create", "--transient", "-", stdin=for_test_driver("brief")).status == 0
    assert daemon.rxm(alice, "destroy", "brief").status == 0

    wait_for(lambda: "stopped (destroyed)" in daemon.rxm(alice, "events", "brief").stdout, 20, "its last event")


def test_events_come_while_they_happen(daemon: Daemon, alice: dict[str, str], vm: str, follower: Following) -> None:
    daemon.rxm(alice, "pause", vm)
    follower.wait(f"{vm} suspended (paused)")
    daemon.rxm(alice, "unpause", vm)
    follower.wait(f"{vm} resumed (unpaused)")

    follower.process.send_signal(signal.SIGINT)

    assert follower.end() == (130, "Interrupted.\n")


def test_other_domains_are_left_out(daemon: Daemon, alice: dict[str, str], vm: str, follower: Following) -> None:
    daemon.rxm(alice, "pause", "test")
    daemon.rxm(alice, "unpause", "test")
    daemon.rxm(alice, "pause", vm)
    daemon.rxm(alice, "unpause", vm)
    follower.wait("resumed")

    assert not follower.having(" test ")


def test_json_is_an_object_for_each_event(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    with following(command(daemon, "--json", "events", "--follow"), alice) as made:
        until_it_follows(daemon, alice, made, vm)
        daemon.rxm(alice, "pause", vm)
        daemon.rxm(alice, "unpause", vm)
        made.wait('"resumed"')

    found = [json.loads(line) for line in made.lines]
    for envelope in found:
        RESULTS.validate(envelope)
        assert envelope["host"] == FQDN
    assert found[-1]["domain"] == vm
    assert found[-1]["result"]["events"][0]["event"] == "resumed"


def test_a_deadline_ends_it_in_order(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "-t", str(math.ceil(slowness())), "events", "--follow")

    assert (answer.status, answer.stdout, answer.stderr) == (0, "", "")


def test_a_reader_that_leaves_ends_it(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    script = " ".join(command(daemon, "events", "--follow")) + " | head -n 1; echo ${PIPESTATUS[0]}"
    with following(["bash", "-c", script], alice) as made:

        def over() -> bool:
            nudge(daemon, alice, vm)
            return len(made.lines) == 2

        wait_for(over, 20.0, "rxm's end")

    assert made.lines[1] == "0"


def test_a_client_that_is_gone_is_noticed_without_an_event(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    before = len(daemon.syslog.audit(ev="end", verb="events", detail="the client is gone"))

    with following(command(daemon, "events", "--follow"), alice) as made:
        until_it_follows(daemon, alice, made, vm)

    wait_for(
        lambda: len(daemon.syslog.audit(ev="end", verb="events", detail="the client is gone")) > before,
        5.0,
        "the end in the log",
    )


def test_debians_remctl_follows_as_well(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    # It writes into a pipe by the block.
    words = ["stdbuf", "-oL", "remctl", "-p", str(daemon.port), FQDN, "events", "--follow", "--timeout=30"]
    with following(words, alice) as made:
        until_it_follows(daemon, alice, made, vm)
        daemon.rxm(alice, "pause", vm)
        made.wait("suspended (paused)")
        daemon.rxm(alice, "unpause", vm)


def test_a_program_is_called_with_each(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    program = (
        "import rxm\n"
        f"with rxm.connect('{FQDN}', port={daemon.port}) as host:\n"
        "    host.follow('events', '--follow', each=lambda part: print(part['events'][0]['event'], flush=True))\n"
    )
    with following(["python", "-c", program], alice) as made:
        until_it_follows(daemon, alice, made, vm)
        daemon.rxm(alice, "pause", vm)
        made.wait("suspended")
        daemon.rxm(alice, "unpause", vm)


def test_the_daemons_end_ends_it_and_says_so(
    realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = Daemon(realm, tmp_path_factory.mktemp("own"), admins=("alice@XMAN.TEST",))
    with following(command(own, "events", "--follow"), alice) as made:
        until_it_follows(own, alice, made, "test")

        assert own.stop() == 0

        assert made.end() == (6, "Error: xmand is ending; follow again when it is back.\n")


def test_several_hosts_are_followed_at_once(realm: Realm, daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    # One daemon under two names.
    both = f"{FQDN},{SECOND_NAME}"
    words = ["rxm", "-H", both, "-p", str(daemon.port), "--fanout", "1", "events", "--follow"]
    with following(words, alice) as made:
        until_it_follows(daemon, alice, made, vm)
        daemon.rxm(alice, "pause", vm)
        for name in both.split(","):
            made.wait(f"{name}: ", "suspended (paused)")
        daemon.rxm(alice, "unpause", vm)

        made.process.send_signal(signal.SIGINT)

        assert made.end() == (130, "Interrupted.\n")


class Hasty(Daemon):
    """An xmand that judges those who follow, and gives them a sign of life, ten times a second."""

    def _start(self) -> "subprocess.Popen[bytes]":
        program = (
            "import xmand.dispatch.streaming as f; f._LOOK_SECONDS = f._JUDGE_SECONDS = 0.1;"
            " import xmand.cli as c; c.main()"
        )
        command = [sys.executable, "-c", program, "--foreground", "--config", str(self.config)]
        with self._stderr.open("wb") as stderr:
            return start(command, env=self._env, stdin=subprocess.DEVNULL, stderr=stderr)


@pytest.fixture(scope="module")
def hasty(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Such an xmand."""
    started = Hasty(realm, tmp_path_factory.mktemp("hasty"), admins=("alice@XMAN.TEST",))
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.stderr()


@pytest.mark.parametrize("client", ["rxm", "remctl"])
def test_signs_of_life_are_no_output_and_who_is_taken_off_the_list_is_told(
    hasty: Daemon, alice: dict[str, str], client: str
) -> None:
    hasty.allow("alice@XMAN.TEST")
    rxm, remctl = command(hasty, "events", "--follow"), ["stdbuf", "-oL", "remctl", "-p", str(hasty.port), FQDN]
    with following(rxm if client == "rxm" else [*remctl, "events", "--follow"], alice) as made:
        until_it_follows(hasty, alice, made, "test")
        time.sleep(0.5)
        nudge(hasty, alice, "test")
        made.wait("resumed")
        assert len(made.lines) == 2

        hasty.allow("bob@XMAN.TEST")

        assert made.end() == (5, "Error: You are not on the host's list (.k5login) any more.\n")
