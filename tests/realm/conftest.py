"""Two hosts with libvirt's test driver, for commands that are about several."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.clients.terminal import Terminal
from tests.lab.hosts.daemon import Answer, Daemon, run_rxm
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, Realm, without_wrapper
from tests.lab.process import free_ports

BOTH = f"{FQDN},{SECOND_HOST}"


class Pair:
    """Two hosts with the same port, and somebody who may use both."""

    def __init__(self, realm: Realm, port: int, env: dict[str, str], daemons: list[Daemon]) -> None:
        self.port = port
        self.daemons = daemons
        self._env = without_wrapper(env)
        self._prefix = realm.own_hosts_file()

    def rxm(self, *words: str, hosts: str = BOTH, stdin: str = "", env: dict[str, str] | None = None) -> Answer:
        """Run rxm with both hosts; `env` is of somebody else, without the wrapper."""
        return run_rxm(env or self._env, "-H", hosts, "-p", str(self.port), *words, stdin=stdin, prefix=self._prefix)

    def on_a_terminal(self, *words: str, hosts: str = BOTH, columns: int = 80, shell: str = "") -> Terminal:
        """Run rxm with both hosts on a terminal; `shell` is what a shell makes of its streams (`>&-`)."""
        command = ["rxm", "-H", hosts, "-p", str(self.port), *words]
        if shell:
            command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
        return Terminal([*self._prefix, *command], self._env, columns=columns)


def need_own_names(realm: Realm) -> None:
    """Skip a test of hosts with names of its own on a machine that does not let it have them."""
    if subprocess.run([*realm.own_hosts_file(), "true"], check=False).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")


@pytest.fixture(scope="module")
def pair(realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Hosts with a domain each (`left`, `right`), and `both` on both."""
    need_own_names(realm)
    port = free_ports(1)
    daemons = []
    for number, own in ((1, "left"), (2, "right")):
        directory = tmp_path_factory.mktemp(f"host{number}")
        daemon = Daemon(
            realm,
            directory,
            admins=("alice@XMAN.TEST",),
            listen=f"127.0.0.{number}:{port}",
            tables=f'[migrate]\nallow = ["{FQDN}", "{SECOND_HOST}"]\n[batch]\nboot_seconds = 0.001\n'
            '[authorize]\nmethods = ["k5login", "principals"]\n'
            '[authorize.principals]\n"mallory@XMAN.TEST" = ["show", "job-start"]\n',
        )
        daemons.append(daemon)
        host = FQDN if number == 1 else SECOND_HOST
        for name in (own, "both"):
            assert daemon.rxm(alice, "create", "-", host=host, stdin=for_test_driver(name)).status == 0
    yield Pair(realm, port, alice, daemons)
    for daemon in daemons:
        assert daemon.stop() == 0
