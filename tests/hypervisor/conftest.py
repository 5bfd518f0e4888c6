"""Two hypervisor hosts with a realm of their own, and xmand on each."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.hypervisor import Guest, Host, Network, why_not
from tests.lab.kerberos.realm import Realm

_HOSTS = """\
127.0.0.1 localhost
127.0.0.11 hv1.xman.test hv1
127.0.0.12 hv2.xman.test hv2
127.0.0.13 hv3.xman.test hv3
127.0.0.21 inner.xman.test inner
10.0.2.15 deep.xman.test deep
"""
# hv3 is allowed and has no libvirtd.
# A CPU that is taken from a guest under emulation is lost to it for good, so CPUs are left alone here.
_SETTINGS = """\
[migrate]
allow = ["hv[1-3].xman.test"]
[batch]
domains = ["batch*"]
priority = ["batch2"]
parked_memory = 128
parked_vcpus = 0
boot_seconds = 0.001
park_seconds = 5
"""


class Lab:
    """The hosts, their daemons, and an administrator."""

    def __init__(self, realm: Realm, hosts: list[Host], daemons: list[Daemon], alice: dict[str, str]) -> None:
        self.realm = realm
        self.first, self.second = hosts
        self.xmand, self.second_xmand = daemons
        self.alice = alice

    def rxm(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm, as alice, against the first host."""
        return self.xmand.rxm(self.alice, *words, stdin=stdin)

    def rxm_second(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm, as alice, against the second host."""
        return self.second_xmand.rxm(self.alice, *words, stdin=stdin)

    def remctl(self, *words: str) -> Answer:
        """Run Debian's remctl, as alice, against the first host."""
        return self.xmand.remctl(self.alice, *words)

    def guest(self, name: str, *, balloon: str = "virtio") -> Guest:
        """Return a guest that can be created on either host."""
        return Guest(name, self.first.directory, balloon=balloon)

    def boot(self, name: str) -> Guest:
        """Create a guest on the first host and wait until it is up."""
        guest = self.guest(name)
        made = self.rxm("create", "-", stdin=guest.description())
        assert made.status == 0, made
        guest.wait_until_up()
        return guest


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One pair of hosts for the whole run."""
    if reason := why_not():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("lab")
    with contextlib.ExitStack() as ends:
        network = Network()
        ends.callback(network.close)
        realm = Realm(directory, network.prefix, _HOSTS)
        ends.callback(realm.stop)
        realm.add_principal("alice", PASSWORD)
        alice = realm.kinit("alice", PASSWORD, "alice")
        hosts = [Host(realm, directory / f"hv{n}", f"hv{n}.xman.test", f"127.0.0.1{n}") for n in (1, 2)]
        for host in hosts:
            ends.callback(host.stop)
        for host in hosts:
            host.start()
        daemons = [host.xmand(realm, admins=("alice@XMAN.TEST",), tables=_SETTINGS) for host in hosts]
        for daemon in daemons:
            ends.callback(_end, daemon)
        yield Lab(realm, hosts, daemons, alice)


def _end(daemon: Daemon) -> None:
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()
