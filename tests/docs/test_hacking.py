"""HACKING names what is there: the files of its recipes, the modules of its drawing; and its words are the code's."""

import re
import tokenize
from pathlib import Path

import pytest

import rxm.remote.command
import rxm.targets
import xman.result
import xmand.answer
from tests.docs.test_house import imports, modules, room
from tests.lab.process import ROOT
from xman import outcome
from xman.result import Result

HACKING = (ROOT / "HACKING.md").read_text()
# Where a job is a batch job.
OF_BATCH = ("slurm", "migrate.py", "all_or_nothing.py", "evacuation.py", "verbose.py")


def names(path: Path) -> set[str]:
    """Return the names that a file's code has."""
    with path.open("rb") as file:
        return {token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NAME}


def test_its_recipes_name_files_that_are_there() -> None:
    recipes = HACKING.split("## To add")[1]
    named = re.findall(r"`((?:common|xmand|rxm|man|etc|tests)/[\w./-]*)`", recipes)

    assert len(named) > 15
    for path in named:
        assert (ROOT / path).exists(), path


def test_its_drawing_names_modules_that_are_there() -> None:
    drawing = HACKING.split("## The way of one command")[1].split("## Words")[0]
    left = re.findall(r"(?m)^    ([a-z_]+(?:/[a-z_]*)?)(?:, ([a-z_]+))?  ", drawing)
    right = re.findall(r"(?m)(?:-->|<--|  ) {1,}((?:server|dispatch|verbs|virt|audit)/[a-z_]*)", drawing)

    assert left
    assert right
    for name in [word for pair in left for word in pair if word]:
        assert (ROOT / "rxm" / f"{name}.py").exists() or (ROOT / "rxm" / name).is_dir(), name
    for name in right:
        assert (ROOT / "xmand" / f"{name}.py").exists() or (ROOT / "xmand" / name).is_dir(), name


def test_a_job_is_a_batch_job_in_rxm() -> None:
    for path in (ROOT / "rxm").rglob("*.py"):
        if any(part in path.parts for part in OF_BATCH):
            continue
        assert not names(path) & {"job", "jobs", "Job", "Jobs", "_jobs"}, path


def rows(program: str) -> list[str]:
    """Return the files of a program's table, in order."""
    name = "common/xman" if program == "xman" else program
    table = HACKING.split(f"\n**{name}** is ")[1].split("| --- | --- |\n")[1].split("\n\n")[0]
    return re.findall(r"(?m)^\| `([^`]+)`", table)


@pytest.mark.parametrize("program", ["xman", "rxm", "xmand", "rxmweb"])
def test_its_rooms_stand_in_the_order_of_the_calls(program: str) -> None:
    """Who reads from above comes to what is called after who calls it."""
    places: dict[str, int] = {}
    shown = ["" if file == "__init__.py" else file.split("/")[0].removesuffix(".py") for file in rows(program)]
    for place, name in enumerate(shown):
        if name not in places:
            places[name] = place
        assert shown[place - 1] == name or places[name] == place, f"{name} stands in two places"

    for module in modules():
        if module.split(".")[0] != program or room(module) in ("", "__main__"):
            continue
        called = {room(each) for each in imports(module) if each.startswith(f"{program}.")} - {room(module), ""}
        for name in called:
            assert places[room(module)] < places[name], f"{module} calls {name}, which stands above it"


@pytest.mark.parametrize("program", ["xman", "rxm", "xmand", "rxmweb"])
def test_it_names_each_file_once(program: str) -> None:
    assert len(rows(program)) == len(set(rows(program)))


@pytest.mark.parametrize("folder", ["server", "dispatch", "system", "audit", "formats", "consoles", "model"])
def test_a_job_is_a_batch_job_in_xmand(folder: str) -> None:
    for path in (ROOT / "xmand" / folder).rglob("*.py"):
        assert not names(path) & {"job", "jobs", "Job", "Jobs", "_Job", "_jobs"}, path


@pytest.mark.parametrize("program", ["xman", "rxm", "xmand"])
def test_a_connection_is_called_nothing_else(program: str) -> None:
    for path in (path for module, path in modules().items() if module.split(".")[0] == program):
        assert not names(path) & {"channel", "_channel", "Channel", "link", "_link", "Link"}, path


def test_a_connection_is_a_clients_in_xmand() -> None:
    of_clients = ROOT / "xmand" / "server"
    for path in (path for module, path in modules().items() if module.startswith("xmand.")):
        # sqlite3.Connection is that module's own name.
        named = re.findall(r"(?<!sqlite3\.)\bConnection\b", path.read_text())
        assert of_clients in path.parents or not named, path


def test_the_words_of_its_glossary_are_the_codes() -> None:
    assert isinstance(Result(), xman.result.Result)
    assert xmand.answer.Answer(outcome.OK).code in outcome.CLASSES
    assert hasattr(rxm.remote.command, "Reply")
    assert hasattr(rxm.targets, "Task")
    assert hasattr(rxm.targets, "Target")


@pytest.mark.parametrize(
    ("word", "homes"),
    [
        ("Answer", {"xmand/answer.py"}),
        # Over the wire, at its two ends.
        ("Reply", {"rxm/remote/command.py", "xmand/dispatch/dispatcher.py"}),
        ("Result", {"common/xman/result.py"}),
    ],
)
def test_a_word_is_that_of_one_thing(word: str, homes: set[str]) -> None:
    named = {
        str(path.relative_to(ROOT))
        for path in modules().values()
        if re.search(rf"(?m)^class _?{word}\b", path.read_text())
    }

    assert named == homes


def test_the_design_has_what_the_code_cites() -> None:
    sections = set(re.findall(r"(?m)^## (.*)$", (ROOT / "docs" / "design.md").read_text()))
    folders = ("common", "rxm", "xmand", "rxmweb", "tests", "bench")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    cited = {name for path in files for name in re.findall(r'DESIGN, "([^"\n]+)"', path.read_text())}

    assert cited - {"([^"} <= sections
    assert "Speed" in cited
