"""What the plain reader reads is what tomllib reads; what tomllib refuses it never reads."""

import tomllib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.lab.process import ROOT
from xman import toml_subset

WORDS = st.sampled_from(
    [
        "a",
        "b-1",
        "_",
        '"x y"',
        '"[1-2]"',
        "[a]",
        "[b]",
        "[a.b]",
        "[[c]]",
        "=",
        " = ",
        ".",
        ",",
        "1",
        "0",
        "007",
        "-5",
        "+1",
        "1.5",
        "-0.25",
        "1.",
        ".5",
        "1.5e3",
        "1.5.2",
        "1e3",
        "0x1f",
        "1_000",
        "inf",
        "nan",
        "true",
        "false",
        "'raw'",
        '""',
        '"""',
        "'''",
        '"\\n"',
        '"#"',
        "[",
        "]",
        "{",
        "}",
        "#",
        "# comment",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\x00",
        "\x7f",
        "é",
        "07:32:00",
        "1979-05-27",
        '"a"',
        '["a"]',
        '["a", "b"]',
        '[ "a" , ]',
        "[1]",
        "[]",
        "[,]",
        "[",
    ]
)
LINES = st.tuples(WORDS, st.sampled_from([" = ", "=", " "]), WORDS, st.sampled_from(["", " # why", " x"])).map("".join)
TEXTS = st.one_of(
    st.lists(WORDS, max_size=12).map("".join), st.lists(LINES, max_size=6).map("\n".join), st.text(max_size=30)
)


@given(TEXTS)
@settings(max_examples=3000)
@example('a = "x"\n[b]\n"k" = 1 # c\n')
@example("a = 1\n[a]\n")
def test_it_reads_as_tomllib_does_or_not_at_all(text: str) -> None:
    found = toml_subset.read(text)

    if found is not None:
        assert found == tomllib.loads(text)
        assert [type(value) for value in found.values()] == [type(value) for value in tomllib.loads(text).values()]


@pytest.mark.parametrize("name", ["rxm.toml", "xmand.toml"])
def test_it_reads_what_is_shipped(name: str) -> None:
    text = (ROOT / "etc" / "xman" / name).read_text()

    assert toml_subset.read(text) == tomllib.loads(text)
    assert toml_subset.read(text) is not None
