"""What is packed is what is there: what a list forgets would be missing on every installed host."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import xman
from tests.lab.process import ROOT

ROOTS = {name: ROOT / name for name in ("rxm", "rxmweb", "xmand")} | {"xman": ROOT / "common" / "xman"}


def listed() -> configparser.ConfigParser:
    """Return setup.cfg."""
    parsed = configparser.ConfigParser()
    parsed.read(ROOT / "setup.cfg")
    return parsed


def folders() -> dict[str, Path]:
    """Return every folder of ours that is a Python package, by its dotted name."""
    return {
        ".".join([name, *init.parent.relative_to(top).parts]): init.parent
        for name, top in ROOTS.items()
        for init in top.rglob("__init__.py")
    }


def test_every_folder_with_code_is_a_package() -> None:
    """Those are what setup.py finds, below the roots that it names."""
    code = {path.parent for top in ROOTS.values() for path in top.rglob("*.py")}
    found = '*find_packages("common"), *find_packages(include=["rxm*", "xmand*"])'

    assert code == set(folders().values())
    assert found in (ROOT / "setup.py").read_text()


def test_every_file_beside_the_code_is_listed() -> None:
    data = listed()["options.package_data"]

    for name, folder in folders().items():
        beside = {path.name for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc")}
        patterns = {word.strip(",") for word in data.get(name, "").split()}
        assert beside == {pattern for pattern in patterns if "/" not in pattern}, name


def test_every_folder_of_the_portals_files_is_listed() -> None:
    patterns = {word.strip(",") for word in listed()["options.package_data"]["rxmweb"].split()}
    listed_files = {path for pattern in patterns for path in (ROOT / "rxmweb").glob(pattern)}
    others = {path for path in (ROOT / "rxmweb").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}

    assert listed_files == others


def test_the_commands_are_installed() -> None:
    scripts = listed()["options.entry_points"]["console_scripts"].split("\n")

    assert {line.split(" = ")[0] for line in scripts if line} == {"rxm", "rxmweb", "xman-slurm", "xmand"}


def test_the_makefile_makes_a_launcher_for_each_command() -> None:
    scripts = listed()["options.entry_points"]["console_scripts"].split("\n")
    modules = {line.split(" = ")[1].removesuffix(":main") for line in scripts if line}
    called = re.findall(r"\$\(call LAUNCHER,-\w+,([\w.]+)\)", (ROOT / "Makefile").read_text())

    # rxm begins with what is quicker, where it is installed.
    assert {"rxm.cli" if module == "rxm.launcher" else module for module in called} == modules


def debs() -> dict[str, list[str]]:
    """Return what debian/*.install puts into each package, as absolute paths."""
    return {
        path.stem: [f"/{line.replace('${env:UNITS}', 'UNITS')}" for line in path.read_text().split()]
        for path in (ROOT / "debian").glob("*.install")
    }


def test_no_package_has_a_configuration_of_the_sites() -> None:
    """A file below /etc would be a conffile, about which an upgrade asks."""
    assert not [entry for entries in debs().values() for entry in entries if "/etc/" in entry]
    assert "rm -rf debian/tmp/etc" in (ROOT / "debian" / "rules").read_text()


def test_every_page_and_unit_is_in_one_package() -> None:
    entries = [entry for found in debs().values() for entry in found]
    pages = [path.name for path in (ROOT / "man").iterdir()]
    units = [path.name for path in (ROOT / "etc" / "systemd" / "system").iterdir()]

    packed = [entry.rpartition("/")[2] for entry in entries]
    assert all(packed.count(name) == 1 for name in [*pages, *units])


def test_what_a_page_names_is_in_the_pages_package() -> None:
    for entries in debs().values():
        pages = [entry.rpartition("/")[2] for entry in entries if entry.startswith("/usr/share/man/")]
        text = "".join((ROOT / "man" / page).read_text().replace("\\-", "-") for page in pages)
        for path in re.findall(r"/usr/share/(?:doc|xman)[\w./-]*", text):
            assert any(path == entry or path.startswith(f"{entry}/") for entry in entries), path


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "man").iterdir()))
def test_a_page_names_no_file_of_the_sources(page: str) -> None:
    """Who reads it has the package, not the tree."""
    assert not re.search(r"[ (]etc/", (ROOT / "man" / page).read_text())


def test_a_build_can_be_told_from_another(tmp_path: Path) -> None:
    """The later one is the higher."""
    for name in ("packaging/version", "common/xman/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    def git(*words: str, at: str) -> None:
        env = {"PATH": "/usr/bin:/bin", "GIT_COMMITTER_DATE": at, "GIT_AUTHOR_DATE": at, "HOME": str(tmp_path)}
        who = ("-c", "user.name=x", "-c", "user.email=x@localhost")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], env=env, check=True, stdout=subprocess.DEVNULL)

    def version() -> str:
        done = subprocess.run([tmp_path / "packaging/version"], check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    without = version()
    git("init", "-q", at="")
    git("add", ".", at="")
    git("commit", "-qm", "one", at="2026-11-28T10:00:00+0100")
    first = version()
    git("commit", "-q", "--allow-empty", "-m", "two", at="2026-11-28T10:00:01+0100")
    second = version()
    (tmp_path / "new").touch()
    uncommitted = version()

    assert without == xman.__version__
    assert re.fullmatch(re.escape(xman.__version__) + r"\+20261128090000\.g[0-9a-f]{10}", first)
    assert second.startswith(f"{xman.__version__}+20261128090001.g")
    assert uncommitted.endswith(".dirty")
    for older, newer in ((without, first), (first, second), (second, uncommitted)):
        if shutil.which("dpkg"):
            assert subprocess.run(["dpkg", "--compare-versions", older, "lt", newer], check=False).returncode == 0


def required(where: str, package: str) -> set[str]:
    """Return what a package of Debian's or EL's needs, without versions and our own packages."""
    if where == "debian":
        command = [str(ROOT / "packaging" / "depends"), package]
        return set(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split())
    spec = (ROOT / "packaging" / "rpm" / "xman.spec").read_text()
    section = spec.split(f"%package -n {package}\n")[1].split("%description")[0]
    names = set(re.findall(r"^Requires: ([\w-]+)", section, re.MULTILINE))
    return {name.replace("prometheus_client", "prometheus-client") for name in names} - {"python3-xman", "rxm"}


@pytest.mark.parametrize("where", ["debian", "el"])
def test_a_package_needs_what_pip_installs_with_it(where: str) -> None:
    pips = listed()["options"]["install_requires"] + listed()["options.extras_require"]["portal"]
    names = {re.split("[>=]", line)[0].lower() for line in pips.split("\n") if line}

    packaged = {name for package in ("rxm", "xmand", "rxmweb") for name in required(where, package)}

    assert packaged - {"passwd"} == {f"python3-{name.removesuffix('-python')}" for name in names}


def test_debians_changelog_is_of_this_release() -> None:
    assert (ROOT / "debian" / "changelog").read_text().startswith(f"xman ({xman.__version__}) ")


def test_debhelper_ends_what_runs_when_it_is_removed() -> None:
    """It does not where it is told to start nothing; what is not enabled is not started anyhow."""
    assert "--no-start" not in re.sub("#.*", "", (ROOT / "debian" / "rules").read_text())
