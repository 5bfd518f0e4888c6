"""`make install`: both commands work from where it puts them, and a configuration that is there stays as it is."""

import marshal
import re
import subprocess
import sys
from pathlib import Path

import pytest

import xman
from rxm import launcher
from rxm.launcher import read
from tests.lab.hosts.daemon import Daemon, answer
from tests.lab.process import ROOT
from tests.realm.test_hot_path import OURS, TABLE


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
    for code in bundled.values():
        Path((marshal.loads(code) if isinstance(code, bytes) else code).co_filename).unlink()

    found = answer(words, alice)

    # What only some commands need is octets, of which no code is made before.
    some = {name for name, code in bundled.items() if isinstance(code, bytes)}
    assert set(bundled) - some == OURS - {"rxm", "xman"}
    assert (TABLE - OURS) | {"rxm.remote.messages", "rxm.strategies.one_loop", "xman.render"} <= some
    assert (found.status, found.stderr) == (0, ""), found


def test_in_a_package_it_names_the_modules_as_they_will_be_found(tmp_path: Path) -> None:
    where = ["PREFIX=/usr", "SYSCONFDIR=/etc", f"DESTDIR={tmp_path}", f"INTERPRETER={sys.executable}"]
    subprocess.run(["make", "-s", "-C", str(ROOT), "install", *where], check=True)

    bundled = read(str(tmp_path / "usr" / "lib" / "xman" / "rxm"))

    code = bundled["rxm.cli"]
    assert not isinstance(code, bytes)
    assert code.co_filename == "/usr/lib/xman/rxm/cli.py"


@pytest.mark.parametrize("destination", [True, False], ids=["package", "host"])
def test_compiled_modules_name_their_sources_where_those_will_be(tmp_path: Path, destination: bool) -> None:
    prefix = "/usr" if destination else f"{tmp_path}/usr"
    where = [f"PREFIX={prefix}", f"DESTDIR={tmp_path if destination else ''}", f"INTERPRETER={sys.executable}"]

    done = subprocess.run(["make", "-s", "-C", str(ROOT), "install", *where], capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"", b"")
    (compiled,) = (tmp_path / "usr/lib/xman/xmand/__pycache__").glob("cli.*.pyc")
    assert marshal.loads(compiled.read_bytes()[16:]).co_filename == f"{prefix}/lib/xman/xmand/cli.py"


def test_without_that_file_or_with_another_pythons_rxm_works_as_well(
    daemon: Daemon, alice: dict[str, str], tmp_path: Path
) -> None:
    install(tmp_path, f"INTERPRETER={sys.executable}")
    words = [str(tmp_path / "usr" / "bin" / "rxm"), "-H", daemon.host, "-p", str(daemon.port), "list"]
    bundle = tmp_path / "usr" / "lib" / "xman" / "rxm" / launcher.FILE

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

    assert re.fullmatch(
        re.escape(f"xmand {xman.__version__}") + r"(\+\d{14}\.g[0-9a-f]{10}(\.dirty)?)?\n", found.stdout
    )


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


@pytest.mark.parametrize("umask", [0o077, 0o002, 0])
def test_everybody_may_read_it_and_nobody_else_may_write_it_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    where = [f"DESTDIR={tmp_path}/root"]
    subprocess.run(["make", "-s", "-C", str(ROOT), "install", *where], check=True, umask=umask)
    found = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "root" / "usr").rglob("*")}

    for path, mode in found.items():
        assert mode in ((0o755,) if path.is_dir() else (0o644, 0o755)), path
    assert {path.name for path, mode in found.items() if path.parent.name == "bin" and mode == 0o755} == {
        "rxm", "rxmweb", "xman-slurm", "xmand",
    }  # fmt: skip


def test_what_the_pages_name_is_installed(installed: Path) -> None:
    named = {
        word.replace("\\-", "-")
        for page in (installed / "usr" / "share" / "man").rglob("*.[1-9]")
        for word in re.findall(rf"{installed}/usr/share/[^ ,)\n]*", page.read_text())
    }

    assert named
    assert not [name for name in named if not Path(name).exists()]


def test_uninstall_leaves_what_is_the_sites(tmp_path: Path) -> None:
    install(tmp_path)
    (tmp_path / "etc" / "xman" / "rxm.toml").write_text("port = 1\n")
    own = tmp_path / "usr" / "bin" / "own"
    own.touch()

    where = [f"PREFIX={tmp_path}/usr", f"SYSCONFDIR={tmp_path}/etc"]
    subprocess.run(["make", "-s", "-C", str(ROOT), "uninstall", *where], check=True)

    assert [path for path in (tmp_path / "usr").rglob("*") if not path.is_dir()] == [own]
    assert not list((tmp_path / "usr").rglob("xman*"))
    assert (tmp_path / "etc" / "xman" / "rxm.toml").read_text() == "port = 1\n"


def test_an_interpreter_that_is_only_named_is_found_by_the_path() -> None:
    shown = ["make", "-s", "--eval", 'show:;@printf "%s\\n" "$$XMAND"', "show", "INTERPRETER=sh"]

    found = subprocess.run(shown, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()[0]

    assert re.fullmatch(r"#!/\S+/sh -I", found), found
