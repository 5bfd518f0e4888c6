"""EL's packages, by `make rpm`: they have what Debian's have, and run where they are unpacked."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deb.conftest import WITHOUT_PORTAL, Debian
from tests.lab.process import ROOT

FOLDER = ROOT / ".build" / "rpm"
# What is called otherwise there, and what only one of the two has.
_PLACES = (
    (r"^/usr/lib/python3(?:\.\d+)?/(?:dist|site)-packages", "/MODULES"), (r"^/lib/", "/usr/lib/"),
    ("/zsh/site-functions/", "/zsh/vendor-completions/"), (r"\.gz$", ""),
)  # fmt: skip
_OWN = re.compile(r"/share/(licenses|lintian)/|/share/doc/[^/]+/(copyright|changelog|NEWS\.md)|/start\.bundle$")


def rpm(package: str) -> Path:
    """Return the file of one of EL's packages."""
    (found,) = [path for path in FOLDER.glob("*.noarch.rpm") if re.match(rf"{package}-\d", path.name)]
    return found


def files(listed: str) -> set[str]:
    """Return the files of a listing, one a line, as both kinds would call them."""
    names = set()
    for line in listed.splitlines():
        name = line
        for pattern, place in _PLACES:
            name = re.sub(pattern, place, name)
        if not _OWN.search(name):
            names.add(name)
    return names


def in_rpm(path: Path) -> set[str]:
    """Return the files of one of EL's packages."""
    form = "[%{FILENAMES} %{FILEMODES:perms}\\n]"
    listed = subprocess.run(["rpm", "-qp", "--qf", form, path], check=True, capture_output=True, text=True).stdout
    lines = [line.rsplit(" ", 1) for line in listed.splitlines()]
    return files("\n".join(name for name, mode in lines if not mode.startswith("d")))


def in_deb(path: Path) -> set[str]:
    """Return the files of one of Debian's packages."""
    listed = subprocess.run(["dpkg-deb", "-c", path], check=True, capture_output=True, text=True).stdout
    lines = [line.split(maxsplit=5) for line in listed.splitlines()]
    names = (fields[5].removeprefix(".").partition(" -> ")[0] for fields in lines if not fields[0].startswith("d"))
    return files("\n".join(names))


def test_they_have_the_files_of_debians(debs: list[Path]) -> None:
    for deb in debs:
        package = deb.name.split("_")[0]
        assert in_rpm(rpm(package)) == in_deb(deb), package


def test_the_version_is_that_of_the_build() -> None:
    for package in ("python3-xman", "rxm", "xman-xm", "xmand", "rxmweb"):
        command = ["rpm", "-qp", "--qf", "%{VERSION}", str(rpm(package))]
        version = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert re.fullmatch(r"\d+\.\d+\.\d+\+\d{14}\.g[0-9a-f]{10}(\.dirty)?", version)


@pytest.fixture(scope="module")
def unpacked(fresh: Callable[[], Path], release: str) -> Debian:
    """A root into which they are unpacked, with what they need from Debian."""
    debian = Debian(fresh())
    names = ["python3-xman", "rxm", "xmand", *([] if release in WITHOUT_PORTAL else ["rxmweb"])]
    for name in names:
        payload = subprocess.run(["rpm2cpio", rpm(name)], check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["cpio", "-id", "--quiet"], input=payload, cwd=debian.root, check=True)
    return debian


@pytest.mark.parametrize("command", ["rxm", "xmand", "rxmweb"])
def test_a_command_runs(unpacked: Debian, command: str, release: str) -> None:
    if command == "rxmweb" and release in WITHOUT_PORTAL:
        assert not shutil.which("rxmweb", path=str(unpacked.path("/usr/bin")))
        return

    version = unpacked.must(command, "--version").split()

    assert version[0] == command
    assert rpm("rxm").name.startswith(f"rxm-{version[1]}-")


def test_the_daemon_finds_what_it_imports(unpacked: Debian) -> None:
    """It lacks a keytab only."""
    found = unpacked.run("xmand", "--check")

    assert "keytab" in found.stdout + found.stderr
    assert "Traceback" not in found.stderr


def test_what_an_installation_runs_works_there(unpacked: Debian) -> None:
    (modules,) = unpacked.path("/usr/lib").glob("python3.*/site-packages")
    inside = f"/{modules.relative_to(unpacked.root)}"

    unpacked.must("sh", "-c", f"python3 -m compileall -q {inside}/rxm && PYTHONPATH={inside} python3 -SP -m rxm.bundle")

    assert (modules / "rxm" / "start.bundle").is_file()
    assert unpacked.must("rxm", "--help").startswith("Usage: rxm")
