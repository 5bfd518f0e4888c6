"""A guest moves between a Debian 12 and a Debian 13, through the xmands of their packages, and back.

Run by `make test-deb`, as root. Each host is a root of its release with its libvirt, its QEMU and our packages;
neither libvirt has a key, so that no other way is open.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.deb.conftest import RELEASES, Debian, base, built, needed
from tests.lab.hosts.daemon import Answer, Daemon, run_rxm
from tests.lab.hosts.hypervisor import Guest, Host, Network, why_not
from tests.lab.kerberos.realm import Realm
from tests.lab.process import ROOT, start, wait_for

_RELEASES = ("bookworm", "trixie")
_HYPERVISOR = (
    "hostname",
    "libsasl2-modules-gssapi-mit",
    "libvirt-clients",
    "libvirt-daemon-driver-qemu",
    "libvirt-daemon-system",
    "mount",
    "qemu-system-x86",
)
# The machine type of Debian 12's QEMU, which that of Debian 13 has as well.
_MACHINE = "pc-i440fx-7.2"
_FILLED_MIB = 16
_SECONDS = 300.0
_PORT = 4373
# What a root of another release is entered with: this machine's devices, the files of the laboratory and of its
# realm, and this tree's.
_ENTER = """\
set -e
root=$1 lab=$2 realm=$3 tree=$4
shift 4
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
for each in "$lab" "$realm" "$tree"; do
  mkdir -p "$root$each"
  mount --rbind "$each" "$root$each"
done
exec chroot "$root" "$@"
"""


class Rooted(Host):
    """A host whose programs are those of a root."""

    namespaces = ("-m", "-n", "-u", "-r")

    def __init__(self, realm: Realm, directory: Path, name: str, address: str, root: Path) -> None:
        # The realm's own files are beside its configuration.
        self._root, self._of_realm = root, Path(realm.env["KRB5_CONFIG"]).parent
        super().__init__(realm, directory, name, address)
        # Nothing of this machine's own environment for Python is any use there.
        self._env["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"

    def start_libvirtd(self) -> None:
        """Start libvirtd, whose QEMU has the root's devices as they are: its own few would be this machine's."""
        with (self.directory / "etc" / "qemu.conf").open("a") as settings:
            settings.write("namespaces = [ ]\n")
        super().start_libvirtd()

    def _hold_namespaces(self) -> int:
        host = ("bash", str(ROOT / "tests" / "lab" / "hosts" / "host.sh"), str(self.directory), self.name, self.address)
        shown = (str(self._root), str(self.directory.parent), str(self._of_realm), str(ROOT))
        enter = ("sh", "-c", _ENTER, "sh", *shown)
        with (self.directory / "stderr").open("wb") as stderr:
            self._holder = start(
                [*self._prefix, "unshare", "--mount", "--uts", "--", *enter, *host],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        return self._holder.pid


class Site:
    """Both hosts, and alice at a desk of their network."""

    def __init__(self, hosts: list[Rooted], desk: Host, alice: dict[str, str], directory: Path) -> None:
        self.hosts, self.directory = hosts, directory
        self._desk, self._alice = desk, alice
        self.daemons: list[Daemon] = []

    def rxm(self, number: int, *words: str, stdin: str = "") -> Answer:
        """Run this tree's rxm against a host."""
        options = ("-H", self.hosts[number].name, "-p", str(_PORT))
        return run_rxm(self._alice, *options, *words, stdin=stdin, prefix=self._desk.prefix)

    def states(self, name: str) -> list[str]:
        """Return the state of a guest at each host, empty where it is not there or off."""
        found = [host.virsh("domstate", name).stdout.strip() for host in self.hosts]
        return ["" if state == "shut off" else state for state in found]


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """A root of each release, with this tree's packages installed."""
    if reason := why_not():
        pytest.skip(reason)
    if set(_RELEASES) - set(RELEASES):
        pytest.skip("it takes both releases: make test-deb RELEASE='bookworm trixie'")
    sources = tmp_path_factory.mktemp("sources") / "xman"
    subprocess.run([ROOT / "packaging" / "copy", sources], check=True)
    made = []
    for release in _RELEASES:
        root = tmp_path_factory.mktemp("debian") / "root"
        subprocess.run(["cp", "-a", base(release, ",".join((needed(release), *_HYPERVISOR))), root], check=True)
        debs = built(release, sources, tmp_path_factory.mktemp("built"))
        Debian(root).install([deb for deb in debs if deb.name.startswith(("python3-xman_", "xmand_"))])
        made.append(root)
    yield made
    for root in made:
        shutil.rmtree(root)


@pytest.fixture(scope="module")
def site(roots: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Both hosts, each of which lets the other's guests come."""
    directory = tmp_path_factory.mktemp("lab")
    names = [f"{release}.xman.test" for release in _RELEASES]
    lines = [f"127.0.0.{number} {name}\n" for number, name in enumerate((*names, "desk.xman.test"), 31)]
    with contextlib.ExitStack() as ends:
        network = Network()
        ends.callback(network.close)
        realm = Realm(directory, network.prefix, f"127.0.0.1 localhost\n{''.join(lines)}")
        ends.callback(realm.stop)
        realm.add_principal("alice", PASSWORD)
        alice = realm.kinit("alice", PASSWORD, "alice")
        desk = Host(realm, directory / "desk", "desk.xman.test", "127.0.0.33")
        ends.callback(desk.stop)
        hosts = [
            Rooted(realm, directory / release, name, f"127.0.0.{number}", root)
            for number, (release, name, root) in enumerate(zip(_RELEASES, names, roots, strict=True), 31)
        ]
        made = Site(hosts, desk, alice, directory)
        for host, other in zip(hosts, reversed(names), strict=True):
            ends.callback(host.stop)
            (host.directory / "libvirt.keytab").unlink()
            host.start()
            tables = f'[migrate]\nallow = ["{other}"]\naccept = ["{other}"]\ntransport = "xman"\nport = {_PORT}\n'
            daemon = host.xmand(
                realm, admins=("alice@XMAN.TEST",), tables=tables, port=_PORT, env={"PATH": host._env["PATH"]}
            )
            ends.callback(daemon.stop)
            made.daemons.append(daemon)
        yield made
        for daemon in made.daemons:
            assert "Traceback" not in daemon.stderr()


def test_they_are_of_different_releases(site: Site) -> None:
    told = [site.rxm(number, "-j", "version").json()["result"] for number in range(2)]

    versions = [host.virsh("version", "--daemon").stdout for host in site.hosts]
    assert len(set(versions)) == 2, versions
    assert told[0] != told[1]


@pytest.mark.parametrize("first", [0, 1], ids=["12 to 13", "13 to 12"])
def test_a_guest_moves_there_and_back(site: Site, first: int, own_name: str) -> None:
    """Live, with something in its memory; what it is at its next start comes along, and nothing of it stays behind."""
    filled = site.directory / f"{own_name}.memory"
    filled.write_bytes(os.urandom(_FILLED_MIB << 20))
    described = (
        Guest(own_name, site.directory).filled_description(filled).replace("machine='pc'", f"machine='{_MACHINE}'")
    )
    made = site.rxm(first, "create", "-", stdin=described)
    assert made.status == 0, made
    at = first
    for there in (1 - first, first):
        dry = site.rxm(at, "migrate", "--dry-run", "--live", own_name, site.hosts[there].name)
        done = site.rxm(at, "migrate", "--live", own_name, site.hosts[there].name)

        assert (dry.status, done.status) == (0, 0), (dry, done)
        states = ["", ""]
        states[there] = "running"
        wait_for(settled(site, own_name, states), _SECONDS, f"{own_name} to run at {site.hosts[there].name}")
        assert own_name not in site.hosts[at].virsh("list", "--all", "--name").stdout.split()
        assert "Persistent:     yes" in site.hosts[there].virsh("dominfo", own_name).stdout
        at = there
    assert site.rxm(first, "destroy", own_name).status == 0
    assert site.rxm(first, "delete", own_name).status == 0
    filled.unlink()


def settled(site: Site, name: str, wanted: list[str]) -> Callable[[], bool]:
    """Return what tells whether a guest runs where it is to, and never at both."""

    def so() -> bool:
        now = site.states(name)
        assert now != ["running", "running"]
        return now == wanted

    return so
