"""The shape of the tree: no import runs in a ring, no program has more rooms and floors than one can keep in mind.

A room is a package, or a module that stands in a program's root; floors are the longest chain of imports between rooms.
"""

import ast
import functools
from pathlib import Path

import pytest

from tests.lab.process import ROOT

PACKAGES = {"xman": ROOT / "common" / "xman", "rxm": ROOT / "rxm", "xmand": ROOT / "xmand", "rxmweb": ROOT / "rxmweb"}
MOST_ROOMS, MOST_FLOORS, MOST_SKIPS = 26, 12, 20
# Written in two parts, so that this file is not one of those that have it.
SKIP = "# fmt: " + "skip"


@functools.cache
def modules() -> dict[str, Path]:
    """Return the file of each module, by its name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def imports(module: str) -> frozenset[str]:
    """Return which of our modules one imports, anywhere in it, also for types alone."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(modules()[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name for name in inner if name in modules()}
            if not inner <= modules().keys():
                names.add(node.module)
    return frozenset(name for name in names if name in modules() and name != module)


def reached(module: str) -> set[str]:
    """Return all that a module imports, and what that imports, and so on."""
    found: set[str] = set()
    left = list(imports(module))
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += imports(one)
    return found


def room(module: str) -> str:
    """Return the room that a module is in; a program's own `__init__` is none."""
    return module.split(".")[1] if "." in module else ""


def test_no_import_runs_in_a_ring() -> None:
    assert [module for module in sorted(modules()) if module in reached(module)] == []


@pytest.mark.parametrize("program", ["rxm", "xmand", "rxmweb"])
def test_a_program_has_few_rooms_and_floors(program: str) -> None:
    doors: dict[str, set[str]] = {}
    for module in modules():
        if module.split(".")[0] == program:
            others = {room(each) for each in imports(module) if each.startswith(f"{program}.")}
            doors.setdefault(room(module), set()).update(others - {room(module)})

    def floors(one: str, above: tuple[str, ...] = ()) -> int:
        return 1 + max((floors(each, (*above, one)) for each in doors[one] if each not in above), default=0)

    assert len(doors) <= MOST_ROOMS, sorted(doors)
    assert max(floors(one) for one in doors) <= MOST_FLOORS


def test_the_formatter_decides() -> None:
    folders = (*PACKAGES.values(), ROOT / "tests", ROOT / "bench")
    found = [str(path) for folder in folders for path in folder.rglob("*.py") if SKIP in path.read_text()]

    assert sum(Path(path).read_text().count(SKIP) for path in found) <= MOST_SKIPS, found
