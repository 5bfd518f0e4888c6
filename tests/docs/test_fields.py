"""A field is one row of the schema: the text, the portal's columns and the manual are made of it, or held to it.

`XMAN_UPDATE_GOLDEN=1` writes the section FIELDS of rxm(1) anew.
"""

import os

import pytest
from sqlalchemy import BigInteger, Double, Integer, String

from rxmweb.db import report, schema
from rxmweb.web import schemas
from tests.lab.process import ROOT
from xman import fields
from xman.fields import Field
from xman.render import batch, domains, tables
from xman.render.tables import Table

PAGE = ROOT / "man" / "rxm.1"
KINDS = {
    "domain": "Of a domain (list \\-\\-long, stats)",
    "usage": "Of a domain (stats)",
    "host": "Of a host (stats \\-\\-host)",
}
COLUMNS = {"number": (Integer, BigInteger), "time": (Double,), "word": (String,)}
READS_AS = {
    "MiB": "in MiB",
    "span": "in days and hours",
    "averages": "",
    "errors": "",
    "pairs": "",
    "list": "",
    "viewers": "",
}


def described() -> list[tuple[str, Field]]:
    """Return the fields that the manual describes, with whose they are."""
    return [(kind, field) for kind in KINDS for field in fields.labelled(kind)]


def section() -> str:
    """Return the section FIELDS of rxm(1)."""
    text = ".SH FIELDS\n"
    text += "The name of each field in the text and, in parentheses, its key in JSON if that is another one.\n"
    for kind, heading in KINDS.items():
        text += f".SS {heading}\n"
        headings = {column.key: column.heading.strip() for column in fields.columns(kind)}
        for field in fields.labelled(kind):
            named = [field.key] if field.key != field.label else []
            named += [f"{headings[field.key]} in the table"] if field.key in headings else []
            key = f' " ({"; ".join(named)})"' if named else ""
            unit = READS_AS.get(field.reads_as, "")
            meaning = f"{field.meaning[:1].upper()}{field.meaning[1:]}{f'; in the text {unit}' if unit else ''}."
            text += f".TP\n.B{'R' if key else ''} {field.label}{key}\n{meaning}\n"
    text += ".SS Of a domain in batch work (state)\n"
    meanings = {field.key: field.meaning for field in fields.of("guest")}
    for column in (column for column in fields.columns("guest") if column.heading):
        unit = f"; in the text {READS_AS[column.reads_as]}" if READS_AS.get(column.reads_as) else ""
        meaning = meanings[column.key]
        text += f'.TP\n.BR {column.heading} " ({column.key})"\n{meaning[:1].upper()}{meaning[1:]}{unit}.\n'
    return text


def test_rxm_1_has_the_fields() -> None:
    before, _, rest = PAGE.read_text().partition(".SH FIELDS\n")
    after = rest[rest.index("\n.SH ") + 1 :]
    if os.environ.get("XMAN_UPDATE_GOLDEN"):
        PAGE.write_text(f"{before}{section()}{after}")

    assert PAGE.read_text() == f"{before}{section()}{after}"


@pytest.mark.parametrize(("kind", "field"), described(), ids=lambda each: getattr(each, "key", each))
def test_each_says_what_it_means(kind: str, field: Field) -> None:
    assert field.meaning, f"{kind}.{field.key}"


def test_each_reads_as_something_that_is_known() -> None:
    every = [field for kind in ("domain", "usage", "host", "info", "guest") for field in fields.of(kind)]

    assert {field.reads_as for field in every} <= {"", *READS_AS}
    assert {field.portal for field in every} <= {"", *COLUMNS}


@pytest.mark.parametrize("table", [domains.TABLE, batch.STATES, batch.JOBS], ids=lambda table: table.kind)
def test_the_columns_of_a_table_stand_side_by_side_and_are_read_in_some_way(table: Table) -> None:
    columns = fields.columns(table.kind)

    assert [column.place for column in columns] == list(range(1, len(columns) + 1))
    assert all(column.width for column in columns[:-1] if column.heading), "only the last one ends the line"
    known = {*READS_AS, *tables.READS_AS, *table.reads_as}
    assert {column.reads_as for column in columns} <= known
    assert set(table.reads_as) <= {column.reads_as for column in columns}


def test_places_in_stats_are_one_after_the_other() -> None:
    assert [field.place for field in fields.of_stats()] == list(range(1, len(fields.of_stats()) + 1))


@pytest.mark.parametrize("field", report.kept(), ids=lambda field: field.key)
def test_what_the_portal_keeps_has_a_column_of_its_kind_and_is_shown_and_described(field: Field) -> None:
    template = (ROOT / "rxmweb" / "templates" / "machine-part.html").read_text()

    assert isinstance(schema.domains.c[field.key].type, COLUMNS[field.portal])
    assert f"domain.{field.key}" in template
    assert field.key in schemas.DOMAIN["properties"]
