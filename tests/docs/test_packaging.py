"""setup.cfg packs what is there: a package that it forgets would be missing on every installed host."""

import configparser
from pathlib import Path

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


def test_every_package_is_listed() -> None:
    assert set(listed()["options"]["packages"].split()) == set(folders())


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
