"""Fuzz tests of the metadata element, which anybody with access to libvirt may have written."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import BOUNDED
from xman.errors import MetadataError
from xmand.virt.metadata import parse, serialise

PIECES = st.sampled_from(
    [
        "<domain",
        "<xman:domain",
        ' xmlns:xman="urn:xman:1"',
        ' xmlns="urn:xman:1"',
        ">",
        "/>",
        "</domain>",
        "</xman:domain>",
        "<job",
        ' id="1"',
        ' id=""',
        ' id="ä&#10;"',
        ' cpus="4"',
        ' cpus="٤"',
        ' start="',
        '"',
        "2026-11-21T10:00:00Z",
        ' started="2026-11-21T10:00:00Z"',
        ' preempted="1"',
        ' transient="yes"',
        ' priority="p"',
        "<later><deep a='1'/>x</later>",
        "<z:a xmlns:z='urn:z' z:b='1'/>",
        "<!-- c -->",
        "<?pi x?>",
        "<![CDATA[x]]>",
        "&amp;",
        "&#0;",
        "&e;",
        '<!DOCTYPE domain [<!ENTITY e "x">]>',
        "\0",
        "\ud800",
        " ",
        "\n",
        "x",
        " a='1'",
    ],
)


@BOUNDED
@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=60))
def test_an_element_is_read_or_refused(text: str) -> None:
    """Whatever stands there, either MetadataError is raised, or what was read can be written and read again."""
    with contextlib.suppress(MetadataError):
        found = parse(text)
        assert parse(serialise(found)) == found


@BOUNDED
@given(st.lists(PIECES, max_size=20).map("".join))
def test_an_element_around_anything_is_read_or_refused(text: str) -> None:
    """The same with a whole element around it."""
    with contextlib.suppress(MetadataError):
        found = parse(f"<domain>{text}</domain>")
        assert parse(serialise(found)) == found
