"""A setting is one declaration: the example files are made of it, the manual pages and the reader's bounds held to it.

`XMAN_UPDATE_GOLDEN=1` writes the example files anew.
"""

import json
import os
import re
import textwrap
from collections.abc import Iterator

import pytest

import rxm.settings
import rxm.slurm.settings
import rxmweb.settings
import xmand.settings
from tests.lab.process import ROOT
from xman import config, declared
from xman.config import Setting, Table
from xman.errors import ConfigurationError

ETC = ROOT / "etc"
# The manual page of each file that has one, and the section that it is told of in; slurm.toml's tells of itself.
PAGES = {
    "xmand.toml": ("xmand.toml.5", "KEYS"),
    "rxm.toml": ("rxm.toml.5", "KEYS"),
    "rxmweb.toml": ("rxmweb.8", "CONFIGURATION"),
}
HEADS = {
    "xmand.toml": "# /etc/xman/xmand.toml - what xmand(8) does otherwise than by default; see xmand.toml(5). Each line"
    " shows its default.\n# Uncomment a key together with the [table] that it stands in.\n"
    "# Files in xmand.toml.d/ are read after this one. `systemctl reload xmand` (SIGHUP) reads all"
    " of them again.\n",
    "rxm.toml": "# /etc/xman/rxm.toml, or ~/.config/xman/rxm.toml - what rxm(1) does otherwise than by default; see"
    " rxm.toml(5).\n# Uncomment a key together with the [table] that it stands in.\n",
    "rxmweb.toml": "# /etc/xman/rxmweb.toml - what the portal does otherwise than by default; see rxmweb(8). Each line"
    " shows its default.\n# Uncomment a key together with the [table] that it stands in.\n",
    "slurm.toml": "# /etc/xman/slurm.toml - what Slurm's programs do otherwise than by default (etc/slurm/README.md)."
    " Each line shows its\n# default.\n",
}
# Tables of free keys, with values of their own.
OF_FREE_KEYS = {"principals", "roles"}
PRINCIPALS = (
    "# Full principals, with the verbs and families of each:"
    ' { "slurm/ctl.example.org@EXAMPLE.ORG" = ["batch", "show"] }.\n#principals = {}\n'
)
TERMINALS = (
    "\n# The terminals of laboratories, as node sets, and which machines they get: sticky ones the same for good. The"
    " portal\n# knows them by their keytabs (host/NAME@REALM) or their addresses.\n#[terminals]\n"
    '#"term[01-30]" = { lab = "@economy", profile = "win", sticky = true, address = "10.7.0.[1-30]" }\n'
)
CLASSES = {
    "xmand.toml": xmand.settings.Settings,
    "rxmweb.toml": rxmweb.settings.Settings,
    "slurm.toml": rxm.slurm.settings.Settings,
}


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


def of_kind(kind: str) -> set[str]:
    """Return the ids of the settings of one kind."""
    return {".".join((name, *within, row.name)) for name in HEADS for within, row in of(name) if row.kind == kind}


NUMBERS = of_kind(config.NUMBER)
TIMES = of_kind(config.SECONDS)


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
    made += TERMINALS if name == "rxmweb.toml" else ""
    return made


@pytest.mark.parametrize("name", HEADS)
def test_the_example_is_made_of_the_declarations(name: str) -> None:
    path = ETC / ("slurm" if name == "slurm.toml" else "xman") / name
    if os.environ.get("XMAN_UPDATE_GOLDEN"):
        path.write_text(example(name))

    assert path.read_text() == example(name)


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


@pytest.mark.parametrize(("name", "within", "row"), [each for each in EVERY if each.id in TIMES])
def test_a_time_says_its_unit(name: str, within: tuple[str, ...], row: Setting) -> None:
    """In its name, or where it is told of."""
    rows = [other for place, other in of(name) if place == within]
    told = next(other.meaning for other in reversed(rows[: rows.index(row) + 1]) if other.meaning or other is rows[0])

    assert row.name.endswith(("_seconds", "_hours", "_days")) or re.search(r"\b[Ss]econds\b", told)


def told_of(name: str, within: tuple[str, ...]) -> str:
    """Return the part of a manual page that tells of a table of settings, or of what stands above the tables."""
    page, heading = PAGES[name]
    text = (ROOT / "man" / page).read_text().replace("\\(dq", '"').replace("\\-", "-")
    section = text.split(f"\n.SH {heading}\n")[1].split("\n.SH ")[0]
    return section.split(f"\n.SS [{within[0]}]\n")[1].split("\n.SS ")[0] if within else section.split("\n.SS [")[0]


def headings(text: str) -> list[str]:
    """Return what such a part tells of, each with its default in parentheses."""
    return re.findall(r"^\.BR ([a-z].*)$", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "within", "row"), [each for each in EVERY if each.values[0] in PAGES])
def test_the_page_has_the_default_where_the_key_stands(name: str, within: tuple[str, ...], row: Setting) -> None:
    shown = value(row)
    short = shown.removesuffix(".0") if row.kind == config.SECONDS else shown
    if row.kind == config.NAMED:
        assert told_of(name, (*within, row.name))
        return
    # No host is meant by an empty list of them.
    pattern = r"\(this machine\)" if row.kind == config.JOINED else re.escape(f"({short})")

    assert any(re.search(rf'\b{row.name} " {pattern}', heading) for heading in headings(told_of(name, within))), shown


@pytest.mark.parametrize("name", PAGES)
def test_the_page_has_no_other_keys(name: str) -> None:
    places = {within for within, _row in of(name)}

    for within in places:
        named = {word for each in headings(told_of(name, within)) for word in re.findall(r'\b([a-z0-9_]+) " \(', each)}
        here = {row.name for place, row in of(name) if place == within}
        assert named - here == (OF_FREE_KEYS if within == ("authorize",) else set()), within
