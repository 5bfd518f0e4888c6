"""A setting is one declaration: the example files are made of it, the manual pages and the reader's bounds held to it.

`XMAN_UPDATE_GOLDEN=1` writes the example files anew.
"""

import json
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import rxm.settings
import rxmweb.settings
import xmand.settings
from tests.lab.process import ROOT
from xman import config, declared
from xman.config import Setting, Table
from xman.errors import ConfigurationError

ETC = ROOT / "etc" / "xman"
HEADS = {
    "xmand.toml": "# /etc/xman/xmand.toml - what xmand(8) does otherwise than by default; see xmand.toml(5). Each line"
    " shows its default.\n# Uncomment a key together with the [table] that it stands in.\n"
    "# Files in xmand.toml.d/ are read after this one. `systemctl reload xmand` (SIGHUP) reads all"
    " of them again.\n",
    "rxm.toml": "# /etc/xman/rxm.toml, or ~/.config/xman/rxm.toml - what rxm(1) does otherwise than by default; see"
    " rxm.toml(5).\n# Uncomment a key together with the [table] that it stands in.\n",
    "rxmweb.toml": "# /etc/xman/rxmweb.toml - what the portal does otherwise than by default; see rxmweb(8). Each line"
    " shows its default.\n# Uncomment a key together with the [table] that it stands in.\n",
}
# A table of free keys, with values of its own.
PRINCIPALS = (
    "# Full principals, with the verbs and families of each:"
    ' { "slurm/ctl.example.org@EXAMPLE.ORG" = ["batch", "show"] }.\n#principals = {}\n'
)
CLASSES = {"xmand.toml": xmand.settings.Settings, "rxmweb.toml": rxmweb.settings.Settings}


def every(kind: type, within: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Setting]]:
    """Yield each setting of a class and of the tables in it, with the tables that it is in."""
    for row in declared.rows(kind):
        yield within, row
    for name, inner, _meaning in declared.tables(kind):
        yield from every(inner, (*within, name))


def of(name: str) -> list[tuple[tuple[str, ...], Setting]]:
    """Return each setting of a file, with the tables that it is in."""
    return list(every(CLASSES[name])) if name in CLASSES else [((), row) for row in rxm.settings.SETTINGS]


EVERY = [
    pytest.param(name, within, row, id=".".join((name, *within, row.name)))
    for name in HEADS
    for within, row in of(name)
]

NUMBERS = {
    ".".join((name, *within, row.name)) for name in HEADS for within, row in of(name) if row.kind == config.NUMBER
}


def value(row: Setting) -> str:
    """Return a setting's default as TOML writes it."""
    return json.dumps(list(row.default) if isinstance(row.default, tuple) else row.default)


def said(text: str) -> str:
    """Return what stands above a key."""
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, 118, break_on_hyphens=False)) if text else ""


def lines(rows: list[Setting], apart: str) -> str:
    """Return keys as the file has them, those that are told of together below one another."""
    made = ""
    for row in rows:
        if row.kind != config.NAMED:
            shown = row.example or f"{row.name} = {value(row)}"
            made += f"{apart if row.meaning else ''}{said(row.meaning)}#{shown}\n"
    return made


def example(name: str) -> str:
    """Return the text of an example file."""
    rows = [row for within, row in of(name) if not within]
    made = HEADS[name] + lines(rows, "\n")
    for row in rows:
        if row.kind == config.NAMED:
            made += f"\n{said(row.meaning)}#[{row.name}]\n#{row.example}\n"
    for table, kind, meaning in declared.tables(CLASSES[name]) if name in CLASSES else ():
        made += f"\n{said(meaning)}#[{table}]\n{lines(declared.rows(kind), '')}"
        made += PRINCIPALS if table == "authorize" else ""
    return made


@pytest.mark.parametrize("name", HEADS)
def test_the_example_is_made_of_the_declarations(name: str) -> None:
    if os.environ.get("XMAN_UPDATE_GOLDEN"):
        (ETC / name).write_text(example(name))

    assert (ETC / name).read_text() == example(name)


@pytest.mark.parametrize(("name", "within", "row"), EVERY)
def test_each_is_told_of_in_the_example(name: str, within: tuple[str, ...], row: Setting) -> None:
    """A key without a sentence stands below one that has it."""
    rows = [other for place, other in of(name) if place == within]
    before = rows[: rows.index(row) + 1]

    above = {inner: meaning for inner, _kind, meaning in declared.tables(CLASSES[name])} if within else {}
    assert any(other.meaning for other in before) or above[within[-1]]


@pytest.mark.parametrize(("name", "within", "row"), [each for each in EVERY if each.id in NUMBERS])
def test_the_reader_holds_the_bounds(name: str, within: tuple[str, ...], row: Setting) -> None:
    table = Table("f", {row.name: row.least})
    assert row.read(table) == row.least

    for wrong in (row.least - 1, row.most + 1):
        with pytest.raises(ConfigurationError, match=rf"{row.name}: expected a whole number from {row.least} to"):
            row.read(Table("f", {row.name: wrong}))


@pytest.mark.parametrize(("name", "within", "row"), EVERY)
def test_the_reader_takes_nothing_of_another_kind(name: str, within: tuple[str, ...], row: Setting) -> None:
    wrong: object = 3 if row.kind in (config.WORD, config.WORDS, config.JOINED, config.NAMED) else "three"

    with pytest.raises(ConfigurationError, match=rf"^f: {row.name}: expected "):
        row.read(Table("f", {row.name: wrong}))


@pytest.mark.parametrize(("name", "within", "row"), [each for each in EVERY if each.values[0] == "xmand.toml"])
def test_xmand_toml_5_has_the_default_where_the_key_stands(name: str, within: tuple[str, ...], row: Setting) -> None:
    page = (ROOT / "man" / "xmand.toml.5").read_text().replace("\\(dq", '"').replace("\\-", "-")
    section = page.split(f"\n.SS [{within[0]}]\n")[1].split("\n.SS ")[0] if within else page.split("\n.SS [")[0]
    headings = re.findall(r"^\.BR? (.*)$", section, re.MULTILINE)
    shown = value(row)
    short = shown.removesuffix(".0") if row.kind == config.SECONDS else shown

    assert any(re.search(rf'\b{row.name} " \({re.escape(short)}\)', heading) for heading in headings), shown


@pytest.mark.parametrize(("name", "within", "row"), [each for each in EVERY if each.values[0] != "xmand.toml"])
def test_the_page_has_the_key(name: str, within: tuple[str, ...], row: Setting) -> None:
    page = Path(ROOT / "man" / ("rxm.toml.5" if name == "rxm.toml" else "rxmweb.8")).read_text()

    assert re.search(rf"\b{row.name}\b", page)
