"""Debian's packages in a fresh Debian root: they install with what Debian has, xmand starts, rxm works.

Run by `make test-deb`, as root. The root, with the packages that ours depend on, is kept in .build.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import xman
from rxm import launcher
from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import START_SECONDS, Answer, answer
from tests.lab.kerberos.realm import FQDN, Realm, without_wrapper
from tests.lab.process import ROOT, end, wait_for

DEBS = ROOT / ".build" / "deb"
CACHE = ROOT / ".build" / "deb-root"
PACKAGES = ("python3-xman", "rxm", "xmand")
NEEDED = "krb5-user,python3-clustershell,python3-gssapi,python3-libvirt,python3-lxml"
ENTER = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'


def deb(package: str) -> Path:
    """Return the file of one of our packages."""
    (found,) = DEBS.glob(f"{package}_*.deb")
    return found


class Debian:
    """A fresh root with our packages."""

    def __init__(self, root: Path, realm: Realm, env: dict[str, str]) -> None:
        self.root = root
        self._prefix = ("unshare", "--mount", "--", "sh", "-c", ENTER, str(root))
        # What the realm needs, under the same names.
        for path in (env["KRB5_CONFIG"], env["KRB5CCNAME"].removeprefix("FILE:"), realm.keytab):
            inside = root / path.lstrip("/")
            inside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, inside)
        (root / "etc" / "hosts").write_text(f"127.0.0.1 localhost\n127.0.0.2 {FQDN} skirit80\n")
        self._env = without_wrapper(env) | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def run(self, *words: str) -> Answer:
        """Run a program in it."""
        return answer([*self._prefix, *words], self._env)

    def start(self, *words: str, stderr: Path) -> "subprocess.Popen[bytes]":
        """Start a program in it."""
        with stderr.open("wb") as file:
            return subprocess.Popen([*self._prefix, *words], env=self._env, stderr=file)


@pytest.fixture(scope="module")
def debian(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """The root, with our packages installed and nothing else beside what they need."""
    if not CACHE.exists():
        suite = re.search(r"VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text())
        assert suite is not None
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=apt", f"--include={NEEDED}", suite[1], f"{CACHE}.new"], check=True
        )
        Path(f"{CACHE}.new").rename(CACHE)
    root = tmp_path_factory.mktemp("debian") / "root"
    subprocess.run(["cp", "-a", str(CACHE), str(root)], check=True)
    for package in PACKAGES:
        shutil.copy(deb(package), root / "tmp")
    made = Debian(root, realm, realm.kinit("alice", PASSWORD, "deb"))
    installed = made.run("sh", "-c", "dpkg -i /tmp/*.deb")
    assert installed.status == 0, installed
    yield made
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def port(debian: Debian, realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """xmand in it, with libvirt's test driver and alice on its list."""
    k5login = debian.root / "root" / ".k5login"
    k5login.write_text("alice@XMAN.TEST\n")
    k5login.chmod(0o600)
    (debian.root / "etc" / "xman" / "xmand.toml").write_text(
        f'listen = ["127.0.0.2:0"]\nkeytab = "{realm.keytab}"\nlibvirt_uri = "test:///default"\nsyslog = "none"\n'
    )
    stderr = tmp_path_factory.mktemp("xmand") / "stderr"
    started = debian.start("xmand", "--foreground", stderr=stderr)
    wait_for(lambda: "listens on" in stderr.read_text() or started.poll() is not None, START_SECONDS, "xmand's start")
    found = re.search(r"listens on \S*:(\d+)", stderr.read_text())
    assert found is not None, stderr.read_text()
    yield int(found[1])
    assert end(started) == 0


def test_rxm_needs_python3_gssapi_only() -> None:
    fields = subprocess.run(["dpkg-deb", "-f", str(deb("rxm")), "Depends"], capture_output=True, text=True, check=True)

    assert {word.split()[0] for word in fields.stdout.split(",")} == {"python3-xman", "python3-gssapi", "python3:any"}


def test_rxm_works(debian: Debian, port: int) -> None:
    found = debian.run("rxm", "-H", FQDN, "-p", str(port), "list")

    assert found.status == 0, found
    assert found.stdout.splitlines()[1].startswith("test ")


@pytest.mark.parametrize("backend", ["direct", "python-gssapi"])
def test_either_backend_works_with_debians_libraries(debian: Debian, port: int, backend: str) -> None:
    found = debian.run("env", f"RXM_GSS={backend}", "rxm", "-H", FQDN, "-p", str(port), "ping")

    assert found.status == 0, found
    assert "alice@XMAN.TEST" in found.stdout


def test_ranges_work(debian: Debian, port: int) -> None:
    assert debian.run("rxm", "-H", "skirit[80-80].xman.test", "-p", str(port), "list").status == 0


def test_a_change_works(debian: Debian, port: int) -> None:
    found = debian.run("rxm", "-H", FQDN, "-p", str(port), "-j", "pause", "test")

    assert found.json()["changed"] is True


def test_the_modules_are_compiled_at_installation(debian: Debian) -> None:
    modules = debian.root / "usr/lib/python3/dist-packages/rxm"

    assert list((modules / "__pycache__").glob("cli.*.pyc"))
    assert (modules / launcher.FILE).is_file()


def test_it_is_this_release(debian: Debian) -> None:
    assert debian.run("rxm", "--version").stdout == f"rxm {xman.__version__}\n"
    assert debian.run("dpkg-query", "-W", "-f", "${Version}", "rxm").stdout == xman.__version__


def test_nothing_is_left_when_they_are_purged(debian: Debian) -> None:
    purged = debian.run("dpkg", "--purge", *reversed(PACKAGES))

    assert purged.status == 0, purged
    assert not (debian.root / "usr/lib/python3/dist-packages/rxm").exists()
