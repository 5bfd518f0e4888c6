"""No verb is known by name outside its own place: what is decided for one is a field of its row, or in its handler.

Where a name stands alone as a word to be sent (`"ping"` to a host) nothing is decided. What is looked for is a
comparison with a name, and a table whose keys or items are names.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.lab.process import ROOT
from xman import verbs

NAMES = frozenset((*verbs.BY_NAME, *verbs.OWN))
# Each has the rows of one program: the table; how each is rendered; handled; answered by rxm itself; offered by the
# portal, and called there in each language. xm's own verbs are another program's words.
PLACES = (
    "common/xman/verbs/__init__.py",
    "common/xman/render/__init__.py",
    "rxm/own/__init__.py",
    "rxmweb/web/offers.py",
    "rxmweb/web/words.py",
)
OTHER_WORDS = ("rxm/xm/",)
FOLDERS = ("common/xman", "rxm", "xmand", "rxmweb")


def name_of(node: ast.AST | None) -> str:
    """Return the verb that a node names, empty where it names none."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES else ""


def decisions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line of each comparison or table by a verb's name, and how it reads.

    Many names are ordinary words too: a comparison counts where it is with a verb by what it is called, or the name is
    of two words; a table where all of its keys, or items, are names, and there is more than one.
    """
    # The rows of the verbs that a module of xmand/verbs carries out.
    own = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROWS"
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if id(node) in own:
            continue
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            inner = [each for side in sides if isinstance(side, ast.Tuple | ast.List | ast.Set) for each in side.elts]
            found = [name for each in (*sides, *inner) if (name := name_of(each))]
            about = any("verb" in ast.unparse(side).lower() for side in sides if not isinstance(side, ast.Constant))
            names = found if about or any("-" in name for name in found) else []
        elif isinstance(node, ast.Dict):
            names = [name_of(key) for key in node.keys]
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            names = [name_of(each) for each in node.elts]
        if names and all(names) and (isinstance(node, ast.Compare) or len(set(names)) > 1):
            yield getattr(node, "lineno", 0), ast.unparse(node)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_verb_is_known_by_name_outside_its_place(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in PLACES and not str(path.relative_to(ROOT)).startswith(OTHER_WORDS)
        for line, text in decisions(ast.parse(path.read_text()))
    ]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        'verb == "list"',
        'if name != "mem-set": pass',
        'verb.name in ("start", "stop")',
        '_QUESTIONS = {"migrate": 1, "reboot": 2}',
        'VERBS = ("list", "state")',
    ],
)
def test_a_decision_by_name_is_seen(text: str) -> None:
    assert list(decisions(ast.parse(text)))


@pytest.mark.parametrize(
    "text", ['row["state"]', 'ask(host, "ping")', 'state == "shutdown"', '{"state": 1, "name": 2}']
)
def test_other_words_are_left_alone(text: str) -> None:
    assert not list(decisions(ast.parse(text)))


@pytest.mark.parametrize("place", PLACES)
def test_each_place_is_there(place: str) -> None:
    assert (ROOT / place).exists()
