"""A field is one row of the schema: the text, the portal's columns and the manual are made of it, or held to it.

`XMAN_UPDATE_GOLDEN=1` writes the section FIELDS of rxm(1) anew.
"""

import os

import pytest
from sqlalchemy import BigInteger, Double, Integer, String

from rxmweb.db import report, schema
from rxmweb.web import openapi
from tests.lab.process import ROOT
from xman import fields
from xman.fields import Field

PAGE = ROOT / "man" / "rxm.1"
KINDS = {
    "domain": "Of a domain (list \\-\\-long, stats)",
    "usage": "Of a domain (stats)",
    "host": "Of a host (stats \\-\\-host)",
}
COLUMNS = {"number": (Integer, BigInteger), "time": (Double,), "word": (String,)}
READS_AS = {"MiB": "in MiB", "span": "in days and hours", "averages": "", "errors": "", "pairs": ""}


def described() -> list[tuple[str, Field]]:
    """Return the fields that the manual describes, with whose they are."""
    return [(kind, field) for kind in KINDS for field in fields.labelled(kind)]


def section() -> str:
    """Return the section FIELDS of rxm(1)."""
    text = ".SH FIELDS\n"
    text += "What stands in the text under a name, and in JSON under the key behind it, where that is another one.\n"
    for kind, heading in KINDS.items():
        text += f".SS {heading}\n"
        for field in fields.labelled(kind):
            key = f' " ({field.key})"' if field.key != field.label else ""
            unit = READS_AS.get(field.reads_as, "")
            meaning = f"{field.meaning[:1].upper()}{field.meaning[1:]}{f'; in the text {unit}' if unit else ''}."
            text += f".TP\n.B{'R' if key else ''} {field.label}{key}\n{meaning}\n"
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


def test_places_in_stats_are_one_after_the_other() -> None:
    assert [field.place for field in fields.of_stats()] == list(range(1, len(fields.of_stats()) + 1))


@pytest.mark.parametrize("field", report.kept(), ids=lambda field: field.key)
def test_what_the_portal_keeps_has_a_column_of_its_kind_and_is_shown_and_described(field: Field) -> None:
    template = (ROOT / "rxmweb" / "templates" / "machine-part.html").read_text()

    assert isinstance(schema.domains.c[field.key].type, COLUMNS[field.portal])
    assert f"domain.{field.key}" in template
    assert field.key in openapi._DOMAIN["properties"]
