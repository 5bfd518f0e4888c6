"""`make demo`: the main job on one machine, in a throw-away realm, with every command shown and judged.

Nothing outside a temporary directory is changed. On a terminal it ends in a shell where rxm works.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.hosts.hypervisor import Guest, Host, Network, why_not
from tests.lab.kerberos.realm import FQDN, Realm
from tests.tools import demo_portal

PASSWORD = "correct-horse"
_HOSTS = f"127.0.0.1 localhost\n127.0.0.11 {FQDN} skirit80\n"


class Stage:
    """The realm, the host and the domain of the demonstration."""

    def __init__(self, realm: Realm, daemon: Daemon, domain: str, description: str, memory: str) -> None:
        self.realm = realm
        self.daemon = daemon
        self.domain = domain
        self.memory = memory
        self.home = realm.directory / "home"
        configuration = self.home / ".config" / "xman" / "rxm.toml"
        configuration.parent.mkdir(parents=True)
        configuration.write_text(f'hosts = ["{FQDN}"]\nport = {daemon.port}\n')
        (self.home / f"{domain}.xml").write_text(description)
        self.env = realm.cache("demo") | {"HOME": str(self.home), "TERM": os.environ.get("TERM", "dumb")}

    def show(self, command: str, *, expect: int = 0, stdin: str = "", shown: str = "") -> None:
        """Run a command as a user would have typed it, show it and its output, and judge its exit status."""
        print(f"\n\033[1m$ {shown or command}\033[0m" if sys.stdout.isatty() else f"\n$ {shown or command}", flush=True)
        done = subprocess.run(
            # Entering a mount namespace leads to its root.
            [*self.daemon.prefix, "bash", "-o", "pipefail", "-c", f'cd "$HOME" && {command}'],
            env=self.env,
            input=stdin.encode(),
            check=False,
        )
        if expect:
            print(f"[exit status {done.returncode}]", flush=True)
        if done.returncode != expect:
            sys.exit(f"demo: expected exit status {expect}, not {done.returncode}")

    def kinit(self, who: str, *options: str) -> None:
        """Show the user getting a ticket."""
        words = " ".join(["kinit", *options, who])
        self.show(f"{words} >/dev/null", stdin=f"{PASSWORD}\n", shown=f"{words}        # password: {PASSWORD}")


def say(text: str) -> None:
    """Tell the audience what comes next."""
    print(f"\n--- {text}", flush=True)


@contextlib.contextmanager
def without_hypervisor(directory: Path) -> Iterator[Stage]:
    """libvirt's test driver inside xmand."""
    with contextlib.ExitStack() as ends:
        realm = Realm(directory)
        ends.callback(realm.stop)
        daemon = Daemon(realm, directory / "xmand", admins=("alice@XMAN.TEST",))
        ends.callback(daemon.stop)
        yield Stage(realm, daemon, "vm1", for_test_driver("vm1"), "256")


@contextlib.contextmanager
def with_qemu(directory: Path) -> Iterator[Stage]:
    """A libvirtd of our own, and a Linux guest under emulation."""
    if reason := why_not():
        sys.exit(f"demo: HYPERVISOR=qemu needs root and namespaces: {reason}")
    with contextlib.ExitStack() as ends:
        network = Network()
        ends.callback(network.close)
        realm = Realm(directory, network.prefix, _HOSTS)
        ends.callback(realm.stop)
        host = Host(realm, directory / "host", FQDN, "127.0.0.11")
        ends.callback(host.stop)
        host.start()
        daemon = host.xmand(realm, admins=("alice@XMAN.TEST",))
        ends.callback(daemon.stop)
        guest = Guest("vm1", directory)
        yield Stage(realm, daemon, guest.name, guest.description(), "128")


def perform(stage: Stage, hypervisor: str) -> None:
    """The main job, step by step."""
    vm = stage.domain
    for name in ("alice", "mallory"):
        stage.realm.add_principal(name, PASSWORD)
    say(f"A realm (XMAN.TEST), a host ({FQDN}, port {stage.daemon.port}) with xmand; alice is on its .k5login.")
    stage.kinit("alice")
    stage.show("rxm list")
    stage.show("rxm info")
    say("A domain is made from libvirt's XML, paused, resized, looked at.")
    guest = Guest(vm, stage.realm.directory)
    stage.show(f"rxm create {vm}.xml")
    if hypervisor == "qemu":
        say("It is a real Linux guest; this is its console.")
        guest.wait_until_up()
        stage.show(f"tail -n 1 {stage.realm.directory / f'{vm}.console'}", shown="tail -n 1 console")
    stage.show(f"rxm pause {vm}")
    stage.show("rxm list")
    stage.show(f"rxm pause {vm}")
    stage.show(f"rxm unpause {vm}")
    stage.show(f"rxm mem-set {vm} {stage.memory}")
    stage.show(f"rxm -j mem-set {vm} {stage.memory}")
    stage.show(f"rxm describe {vm} | head -n 6")
    say("What cannot be done is said in one line, with an exit status for scripts.")
    stage.show("rxm pause vm9", expect=7)
    stage.show(f"rxm mem-set {vm} plenty", expect=2)
    say("mallory has a ticket too, and is on no list.")
    stage.kinit("mallory")
    stage.show(f"rxm destroy {vm}", expect=5)
    say("A ticket that has expired.")
    stage.kinit("alice", "-l", "1s")
    time.sleep(2)
    stage.show("rxm list", expect=4)
    say("And syslog has it all.")
    for line in stage.daemon.syslog.raw()[-16:]:
        print(line)
    stage.kinit("alice")


def shell(stage: Stage) -> None:
    """Leave the user in a shell where rxm works."""
    rcfile = stage.home / "rc"
    rcfile.write_text("PS1='demo$ '\ncd\n")
    say(f"This shell is alice's, where rxm works: try `rxm list`, `rxm help`, `rxm destroy {stage.domain}`.")
    print("    `exit` ends it and removes everything.", flush=True)
    subprocess.run(
        [*stage.daemon.prefix, "bash", "--noprofile", "--rcfile", str(rcfile), "-i"],
        env=stage.env,
        check=False,
    )


def main() -> None:
    """Run the demonstration; exits with 1 where a step does not give what it should."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--hypervisor", choices=("test", "qemu"), default="test")
    hypervisor = parser.parse_args().hypervisor
    stages = {"test": without_hypervisor, "qemu": with_qemu}
    with tempfile.TemporaryDirectory(prefix="xman-demo-") as directory, stages[hypervisor](Path(directory)) as stage:
        perform(stage, hypervisor)
        with contextlib.ExitStack() as ends:
            if hypervisor == "test":  # with a real guest everything is in a network of its own, where no browser is
                stage.kinit("alice", "-f")
                portal = ends.enter_context(demo_portal.portal(stage.realm, stage.daemon, stage.env))
                demo_portal.show(portal, stage.env, stage.domain, say)
            if sys.stdin.isatty() and sys.stdout.isatty():
                if hypervisor == "test":
                    say(demo_portal.how_to_open(portal, stage.env))
                shell(stage)
    say("That was the main job. README.md says how to do it on a real host.")


if __name__ == "__main__":
    main()
