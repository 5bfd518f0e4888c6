"""Fresh roots of Debian's releases: one in which our packages are built, and others in which they are installed.

Their bases are kept in .build. XMAN_RELEASES names the releases; both where it is empty.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Answer, answer
from tests.lab.process import ROOT, start

RELEASES = os.environ.get("XMAN_RELEASES", "").split() or ["bookworm", "trixie"]
BUILD = "build-essential,debhelper,dh-python,python3"
# Debian 12 is too old for the portal.
WITHOUT_PORTAL = ("bookworm",)
# What was released on 2026-11-21.
BEFORE = "dc6c395"
ENTER = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


class Debian:
    """A root of Debian."""

    def __init__(self, root: Path, env: dict[str, str] | None = None) -> None:
        self.root = root
        self.env = ENV | (env or {})
        self._prefix = ("unshare", "--mount", "--", "sh", "-c", ENTER, str(root))

    def run(self, *words: str) -> Answer:
        """Run a program in it, without a terminal and with nothing to read."""
        return answer([*self._prefix, *words], self.env)

    def must(self, *words: str) -> str:
        """Run a program in it that has to succeed; return what it printed."""
        done = self.run(*words)
        assert done.status == 0, done
        return done.stdout + done.stderr

    def start(self, *words: str, stderr: Path) -> "subprocess.Popen[bytes]":
        """Start a program in it."""
        with stderr.open("wb") as file:
            return start([*self._prefix, *words], env=self.env, stderr=file)

    def install(self, debs: list[Path]) -> str:
        """Install packages as an administrator does who is asked nothing; return what was said."""
        folder = self.root / "tmp" / "debs"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for deb in debs:
            shutil.copy(deb, folder)
        said = self.must("sh", "-c", "apt-get install -y --no-install-recommends /tmp/debs/*.deb")
        shutil.rmtree(folder)
        return said

    def purge(self, debs: list[Path]) -> None:
        """Purge packages."""
        self.must("apt-get", "purge", "-y", *(deb.name.split("_")[0] for deb in debs))

    def path(self, name: str) -> Path:
        """Return a file of it, as it is called outside."""
        return self.root / name.lstrip("/")


def base(release: str, packages: str) -> Path:
    """Return a root of a release with `packages`, which nobody writes to; it is made once."""
    recipe = hashlib.sha256(packages.encode()).hexdigest()[:8]
    made = ROOT / ".build" / "roots" / f"{release}-{recipe}"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        script = ROOT / "tests" / "tools" / "fresh" / "debian.sh"
        subprocess.run([script, release, made, "--variant=apt", f"--include={packages}"], check=True)
    return made


def needed(release: str) -> str:
    """Return what our packages for a release depend on, and what a person needs to try them."""
    ours = ["rxm", "xmand", *([] if release in WITHOUT_PORTAL else ["rxmweb"])]
    command = [str(ROOT / "packaging" / "depends"), *ours]
    names = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return ",".join(["krb5-user", *names])


def built(release: str, sources: Path, where: Path) -> list[Path]:
    """Return the packages that a release makes of sources."""
    root = where / "root"
    subprocess.run(["cp", "-a", base(release, BUILD), root], check=True)
    shutil.copytree(sources, root / "build" / "xman", symlinks=True)
    Debian(root).must("sh", "-c", "cd /build/xman && dpkg-buildpackage -b -us -uc")
    for deb in (root / "build").glob("*.deb"):
        shutil.copy(deb, where)
    shutil.rmtree(root)
    return sorted(where.glob("*.deb"))


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """One of Debian's releases."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def debs(release: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """This tree's packages for the release."""
    sources = tmp_path_factory.mktemp("sources") / "xman"
    subprocess.run([ROOT / "packaging" / "copy", sources], check=True)
    return built(release, sources, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def later_debs(release: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same of a later version, with examples that say something else."""
    sources = tmp_path_factory.mktemp("sources") / "xman"
    subprocess.run([ROOT / "packaging" / "copy", sources], check=True)
    subprocess.run([sources / "packaging" / "stamp", "9.9", sources], check=True)
    for path in (sources / "etc" / "xman").iterdir():
        path.write_text("# later\n")
    return built(release, sources, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def debs_before(release: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The packages of the release before."""
    sources = tmp_path_factory.mktemp("sources")
    packed = subprocess.run(["git", "-C", ROOT, "archive", BEFORE], check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", sources], input=packed, check=True)
    found = built(release, sources, tmp_path_factory.mktemp("built"))
    return [deb for deb in found if release not in WITHOUT_PORTAL or not deb.name.startswith("rxmweb_")]


@pytest.fixture(scope="session")
def fresh(release: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """Make fresh roots of the release, with what our packages depend on and nothing of ours."""
    roots: list[Path] = []

    def make() -> Path:
        root = tmp_path_factory.mktemp("debian") / "root"
        subprocess.run(["cp", "-a", base(release, needed(release)), root], check=True)
        roots.append(root)
        return root

    yield make
    for root in roots:
        shutil.rmtree(root)
