"""`make demo`: the main job on one machine, in a throw-away realm, with every command shown and judged.

Nothing outside a temporary directory is changed. On a terminal it ends in a shell where rxm works.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.hosts.hypervisor import Guest, Host, Network, why_not
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, Realm
from tests.lab.process import PATH, ROOT, free_ports
from tests.tools import demo_portal, demo_story
from tests.tools.demo_stage import Stage, say

_HOSTS = f"127.0.0.1 localhost\n127.0.0.11 {FQDN} skirit80\n"
_TABLES = """\
[migrate]
allow = ["skirit[80-81].xman.test"]
[batch]
domains = ["work*", "prio*"]
priority = ["prio*"]
boot_seconds = 0.001
park_seconds = 0.5
"""


@contextlib.contextmanager
def without_hypervisor(directory: Path) -> Iterator[Stage]:
    """Two hosts with libvirt's test driver inside xmand, each with machines for ordinary and for urgent jobs."""
    with contextlib.ExitStack() as ends:
        realm = Realm(directory)
        ends.callback(realm.stop)
        program = directory / "bin" / "xmand"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.tools.demo_xmand "$@"\n')
        program.chmod(0o755)
        port = free_ports(1)

        def start(number: int, host: str) -> Daemon:
            daemon = Daemon(
                realm,
                directory / host,
                admins=("alice@XMAN.TEST",),
                tables=_TABLES,
                listen=f"127.0.0.{number}:{port}",
                env={"PATH": f"{program.parent}:{PATH}", "XMAN_DEMO": f"work{79 + number} prio{79 + number}"},
                host=host,
            )
            ends.callback(daemon.stop)
            return daemon

        with ThreadPoolExecutor() as side_by_side:
            daemons = list(side_by_side.map(start, (1, 2), (FQDN, SECOND_HOST)))
        # Where such a namespace cannot be made, libnss_wrapper tells the names, and has to be lucky with threads.
        own = realm.own_hosts_file()
        prefix = () if subprocess.run([*own, "true"], check=False, capture_output=True).returncode else own
        stage = Stage(realm, daemons, prefix, port)
        (stage.home / "vm1.xml").write_text(for_test_driver("vm1"))
        yield stage


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
        stage = Stage(realm, [daemon], daemon.prefix, daemon.port)
        (stage.home / "vm1.xml").write_text(Guest("vm1", directory).description())
        yield stage


def shell(stage: Stage) -> None:
    """Leave the user in a shell where rxm works, completion too."""
    rcfile = stage.home / "rc"
    rcfile.write_text(f"PS1='demo$ '\ncd\n. '{ROOT}/etc/completion/rxm.bash'\n")
    say("This shell is alice's, where rxm works: try `rxm list`, `rxm help`, `rxm pa<Tab> <Tab>`, `rxm destroy vm1`.")
    print("    `exit` ends it and removes everything.", flush=True)
    subprocess.run(
        [*stage.prefix, "bash", "--noprofile", "--rcfile", str(rcfile), "-i"],
        env=stage.env,
        check=False,
    )


def main() -> None:
    """Run the demonstration; exits with 1 where a step does not give what it should."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--hypervisor", choices=("test", "qemu"), default="test")
    hypervisor = parser.parse_args().hypervisor
    demo_story.introduce()
    stages = {"test": without_hypervisor, "qemu": with_qemu}
    with tempfile.TemporaryDirectory(prefix="xman-demo-") as directory, stages[hypervisor](Path(directory)) as stage:
        on_a_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        if hypervisor == "qemu":  # everything is in a network of its own, where no browser is
            demo_story.one_guest(stage)
            if on_a_terminal:
                shell(stage)
        else:
            with demo_portal.starting(stage) as portal:
                demo_story.two_hosts(stage)
                demo_portal.show(portal(), stage, "vm1")
                if on_a_terminal:
                    say(demo_portal.how_to_open(portal(), stage.env))
                    shell(stage)
    say("That was the main job. README.md says how to do it on a real host.")


if __name__ == "__main__":
    main()
