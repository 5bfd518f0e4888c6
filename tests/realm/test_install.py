"""`make install`: both commands work from where it puts them, and a configuration that is there stays as it is."""

import subprocess
import sys
from pathlib import Path

import pytest

import xman
from rxm import start
from rxm.start import read
from tests.lab.daemon import Daemon, answer
from tests.lab.process import ROOT
from tests.realm.test_hot_path import OURS


def install(directory: Path, *variables: str) -> None:
    """Run `make install` into a directory."""
    where = [f"PREFIX={directory}/usr", f"SYSCONFDIR={directory}/etc", *variables]
    subprocess.run(["make", "-s", "-C", str(ROOT), "install", *where], check=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is installed; for the interpreter of the tests, which has the daemon's bindings."""
    directory = tmp_path_factory.mktemp("installed")
    install(directory, f"INTERPRETER={sys.executable}")
    return directory


def test_rxm_works(installed: Path, daemon: Daemon, alice: dict[str, str]) -> None:
    words = ["-H", daemon.host, "-p", str(daemon.port), "list"]

    found = answer([str(installed / "usr" / "bin" / "rxm"), *words], alice)

    assert found.status == 0, found
    assert found.stdout.splitlines()[1].startswith("test ")


def test_what_every_command_needs_comes_out_of_one_file(daemon: Daemon, alice: dict[str, str], tmp_path: Path) -> None:
    install(tmp_path, f"INTERPRETER={sys.executable}")
    modules = tmp_path / "usr" / "lib" / "xman"
    words = [str(tmp_path / "usr" / "bin" / "rxm"), "-H", daemon.host, "-p", str(daemon.port), "list"]
    bundled = read(str(modules / "rxm"))
    for name in bundled:
        Path(bundled[name].co_filename).unlink()

    found = answer(words, alice)

    assert set(bundled) == OURS - {"rxm", "xman"}
    assert (found.status, found.stderr) == (0, ""), found


def test_in_a_package_it_names_the_modules_as_they_will_be_found(tmp_path: Path) -> None:
    where = ["PREFIX=/usr", "SYSCONFDIR=/etc", f"DESTDIR={tmp_path}", f"INTERPRETER={sys.executable}"]
    subprocess.run(["make", "-s", "-C", str(ROOT), "install", *where], check=True)

    bundled = read(str(tmp_path / "usr" / "lib" / "xman" / "rxm"))

    assert bundled["rxm.cli"].co_filename == "/usr/lib/xman/rxm/cli.py"


def test_without_that_file_or_with_another_pythons_rxm_works_as_well(
    daemon: Daemon, alice: dict[str, str], tmp_path: Path
) -> None:
    install(tmp_path, f"INTERPRETER={sys.executable}")
    words = [str(tmp_path / "usr" / "bin" / "rxm"), "-H", daemon.host, "-p", str(daemon.port), "list"]
    bundle = tmp_path / "usr" / "lib" / "xman" / "rxm" / start.FILE

    bundle.write_bytes(b"old!" + bundle.read_bytes())
    assert answer(words, alice).status == 0
    bundle.unlink()
    assert answer(words, alice).status == 0


def test_rxm_finds_what_the_launcher_leaves_out_of_python(
    installed: Path, daemon: Daemon, alice: dict[str, str]
) -> None:
    words = ["-H", "skirit[80-80].xman.test", "-p", str(daemon.port), "list"]

    found = answer([str(installed / "usr" / "bin" / "rxm"), *words], alice | {"RXM_GSS": "python-gssapi"})

    assert found.status == 0, found


def test_slurms_programs_find_rxm(daemon: Daemon, alice: dict[str, str], tmp_path: Path) -> None:
    """With Debian's interpreter, which has rxm nowhere else: the one of the tests knows the working tree."""
    install(tmp_path)
    rxm_toml, slurm_toml = tmp_path / "rxm.toml", tmp_path / "slurm.toml"
    rxm_toml.write_text(f'hosts = ["{daemon.host}"]\nport = {daemon.port}\n')
    slurm_toml.write_text(f'rxm_config = "{rxm_toml}"\n')
    env = alice | {"XMAN_SLURM_CONFIG": str(slurm_toml)}

    found = answer([str(tmp_path / "usr" / "bin" / "xman-slurm"), "resume", "test"], env)

    assert (found.status, found.stderr) == (0, ""), found


def test_xmand_works(installed: Path) -> None:
    found = answer([str(installed / "usr" / "bin" / "xmand"), "--version"], {})

    assert found.stdout == f"xmand {xman.__version__}\n", found


def test_the_modules_are_compiled_once_for_all(installed: Path) -> None:
    compiled = {path.name.split(".")[0] for path in (installed / "usr" / "lib" / "xman").rglob("*.pyc")}

    assert {path.stem for path in (ROOT / "rxm").glob("*.py")} <= compiled


def test_the_units_start_what_was_installed(installed: Path) -> None:
    unit = (installed / "usr" / "lib" / "systemd" / "system" / "xmand.service").read_text()

    assert f"\nExecStart={installed}/usr/bin/xmand\n" in unit


def test_a_configuration_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    install(tmp_path)
    own = tmp_path / "etc" / "xman" / "rxm.toml"
    own.write_text("port = 1\n")

    install(tmp_path)

    assert own.read_text() == "port = 1\n"
    assert (tmp_path / "etc" / "xman" / "xmand.toml").exists()
    assert (tmp_path / "usr" / "share" / "man" / "man1" / "rxm.1").exists()
