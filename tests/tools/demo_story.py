"""What the demonstration tells, step by step."""

from tests.lab.hosts.hypervisor import Guest
from tests.lab.kerberos.realm import FQDN, SECOND_HOST
from tests.tools.demo_stage import Stage, console, say
from xman import states

_EXPIRED = "expired"


def introduce() -> None:
    """Say what xman is."""
    print(
        "xman controls the virtual machines of many hosts with one command, rxm, and your Kerberos ticket: on each host"
    )
    print("a daemon, xmand, finds out who you are and what you may, does it, and writes it down.", flush=True)


def two_hosts(stage: Stage) -> None:
    """The main job, on two hosts."""
    stage.ticket("alice", _EXPIRED, "-l", "1s")
    say("A realm (XMAN.TEST) and two hosts, skirit80 and skirit81; alice is on the .k5login of both.")
    stage.kinit("alice", "-f")
    stage.show("rxm list")
    say("A machine is made from libvirt's XML, paused, resized. What already holds is said, and is no failure.")
    stage.show("rxm -H skirit80 create vm1.xml")
    stage.show("rxm pause vm1")
    stage.show("rxm pause vm1")
    stage.show("rxm unpause vm1")
    stage.show("rxm -j mem-set vm1 256")
    _batch(stage)
    say("What cannot be done is said in one line, with an exit status for scripts.")
    stage.show("rxm pause vm9", expect=7)
    _strangers(stage, "vm1")
    say("Who changed what on skirit80, when, why, and how it ended (syslog has it too, and every refusal).")
    stage.show("rxm -H skirit80 log")


def _batch(stage: Stage) -> None:
    """A job preempts another, and a machine with a job stays where it is."""
    say("Schedulers share a host between a machine for ordinary jobs (work80) and one for urgent ones (prio80!):")
    print("    where a job runs, there are the host's memory and CPUs. Watch both hosts while jobs come.", flush=True)
    stage.watch(
        "rxm state",
        [
            ("the scheduler", "rxm job-start work80 --id 4711 --owner alice --preemptible"),
            ("the scheduler", "rxm job-start prio81 --id 4712 --owner bob"),
            ("the scheduler", "rxm --reason 'urgent: the storm' job-start prio80 --id 4713 --owner carol"),
        ],
    )
    say(f"Job 4713 preempted job 4711. What `{states.PREEMPTED}` means: {states.LEGEND[states.PREEMPTED].en}.")
    print("    So another job has no place there, and what would make one can be asked without doing it:", flush=True)
    stage.show("rxm job-start work80 --id 4714 --owner alice", expect=3)
    stage.show("rxm job-stop --dry-run prio80 --id 4713")
    say("A machine with a job moves only where it would have the host to itself; prio81 has skirit81.")
    stage.show(f"rxm migrate --live prio80 {SECOND_HOST}", expect=3)


def one_guest(stage: Stage) -> None:
    """The main job, on one host with a real guest."""
    stage.ticket("alice", _EXPIRED, "-l", "1s")
    say(f"A realm (XMAN.TEST) and a host ({FQDN}, port {stage.port}) with xmand; alice is on its .k5login.")
    stage.kinit("alice")
    stage.show("rxm info")
    say("A machine is made from libvirt's XML. It is a real Linux guest; this is its console.")
    guest = Guest("vm1", stage.realm.directory)
    stage.show("rxm create vm1.xml")
    guest.wait_until_up()
    stage.show(f"tail -n 1 {console(stage.realm.directory, 'vm1')}", shown="tail -n 1 console")
    stage.show("rxm pause vm1")
    stage.show("rxm list")
    stage.show("rxm pause vm1")
    stage.show("rxm unpause vm1")
    stage.show("rxm -j mem-set vm1 128")
    say("What cannot be done is said in one line, with an exit status for scripts.")
    stage.show("rxm pause vm9", expect=7)
    stage.show("rxm mem-set vm1 plenty", expect=2)
    _strangers(stage, "vm1")
    say("Who changed what, when, why, and how it ended (syslog has it too, and every refusal).")
    stage.show("rxm log")


def _strangers(stage: Stage, domain: str) -> None:
    """Those who may not; alice is back in the end."""
    say("mallory has a ticket too, and is on no list. And alice's own ticket may have expired.")
    stage.kinit("mallory")
    stage.show(f"rxm -H skirit80 destroy {domain}", expect=5)
    stage.use(_EXPIRED)
    stage.show("rxm -H skirit80 list", expect=4)
    stage.use("alice")
