"""As long as it is not settled at which of the two hosts a guest runs, nothing starts it at either."""

from tests.hypervisor.test_brokered import Pair, both, killed, machine, pair, settled, slowly
from tests.lab.process import wait_for

__all__ = ("both", "machine", "pair")


def starts(pair: Pair, number: int, name: str) -> bool:
    """Whether a host starts a domain when it starts itself."""
    told = pair.hosts[number].virsh("dominfo", name).stdout
    return "enable" in next(line for line in told.splitlines() if line.startswith("Autostart"))


def test_a_copy_that_has_ended_is_not_started_while_its_source_may_run_it(pair: Pair, machine: str) -> None:
    """As where its host goes down: the definition is there, and the guest runs at its source."""
    at = settled(pair, machine)
    there = 1 - at
    with killed(pair, machine, at, "answer", becomes="running") as moving:
        ended = pair.rxm(there, "destroy", machine)

        started = pair.rxm(there, "start", machine)
        found = pair.rxm(there, "-j", "list", "-l", machine).json()["result"]["domains"][0]
        now = pair.state(there, machine)
        pair.again(at)
        # rxm asks again for what was not done.
        done = moving.result()

    assert (ended.status, started.status, now) == (0, 3, ""), (ended, started)
    assert "not confirmed: it stays off" in started.stderr
    assert (found["state"], found["reason"]) == ("shutoff", "arrived, not confirmed")
    # Once the source has said that it has kept it, nothing of it is here, and it may come.
    assert settled(pair, machine) == (there if done.status == 0 else at)


def test_one_whose_source_is_gone_for_good_is_taken_over(pair: Pair, machine: str) -> None:
    at = settled(pair, machine)
    there = 1 - at
    with killed(pair, machine, at, "decided", becomes="") as moving:
        assert pair.rxm(there, "destroy", machine).status == 0

        taken = pair.rxm(there, "unpause", "--take-over", machine)
        started = pair.rxm(there, "start", machine)
        pair.again(at)
        moving.result()

    assert (taken.status, started.status) == (0, 0), (taken, started)
    assert settled(pair, machine) == there


def test_no_host_starts_it_with_itself_while_it_is_on_its_way(pair: Pair, machine: str) -> None:
    """Or one that went down in the wrong moment would start a second one."""
    at = settled(pair, machine)
    there, host = 1 - at, pair.hosts[at]
    assert pair.rxm(at, "autostart", machine, "on").status == 0
    with slowly(pair, machine, at) as moving:
        meanwhile = starts(pair, at, machine)
        pair.rxm(at, "migrate", "--abort", machine)
        moving.result()
    host.virsh("migrate-setspeed", machine, "1000")
    assert settled(pair, machine) == at
    assert not meanwhile
    wait_for(lambda: starts(pair, at, machine), 60, "it to be started with its host again")

    done = pair.rxm(at, "migrate", "--live", machine, pair.hosts[there].name)

    assert done.status == 0, done
    assert "there it is not (autostart)" in done.stderr
    assert settled(pair, machine) == there
