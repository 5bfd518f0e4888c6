"""Configuration files: the typed getters, and how a file is read."""

from pathlib import Path

import pytest

from xman import config
from xman.config import Table
from xman.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "x.toml"


def table(**values: object) -> Table:
    """Return a table as if it had been read from a file called `f`."""
    return Table("f", values)


# --- typed getters ----------------------------------------------------------------------------------------------------


def test_values_of_the_right_type() -> None:
    read = table(text="a", flag=True, number=3, seconds=2, fraction=0.5, texts=["a", "b"], map={"x": "y"})

    assert read.text("text", "") == "a"
    assert read.flag("flag", False) is True
    assert read.number("number", 0) == 3
    assert read.seconds("seconds", 1.0) == 2.0
    assert read.seconds("fraction", 1.0) == 0.5
    assert read.texts("texts", []) == ["a", "b"]
    assert read.mapping("map") == {"x": "y"}


def test_what_is_absent_has_its_default() -> None:
    read = table()

    assert read.text("text", "a") == "a"
    assert read.flag("flag", True) is True
    assert read.number("number", 3) == 3
    assert read.seconds("seconds", 1.5) == 1.5
    assert read.texts("texts", ["a"]) == ["a"]
    assert read.mapping("map") == {}
    assert read.table("table").text("text", "b") == "b"


@pytest.mark.parametrize("value", [1, True, ["a"], {}, 1.5])
def test_a_string_is_nothing_else(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^f: key: expected a string, found "):
        table(key=value).text("key", "")


@pytest.mark.parametrize("value", [1, 0, "true", []])
def test_a_flag_is_nothing_else(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^f: key: expected true or false, found "):
        table(key=value).flag("key", False)


@pytest.mark.parametrize("value", [True, False, "1", 1.0, [1], 0, 11, -1])
def test_a_number_is_a_whole_one_within_its_limits(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^f: key: expected a whole number"):
        table(key=value).number("key", 5, least=1, most=10)


@pytest.mark.parametrize("value", [True, "1", 0, -1, 0.0, float("nan"), float("inf"), [1]])
def test_seconds_are_a_positive_number(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^f: key: expected a positive number of seconds, found "):
        table(key=value).seconds("key", 1.0)


def test_seconds_are_no_more_than_a_program_can_wait() -> None:
    with pytest.raises(ConfigurationError, match=r"^f: key: expected at most 31622400 seconds \(366 days\), found "):
        table(key=1e12).seconds("key", 1.0)


@pytest.mark.parametrize("value", ["a", ["a", 1], {"a": "b"}, [["a"]]])
def test_texts_are_a_list_of_strings(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^f: key: expected a list of strings, found "):
        table(key=value).texts("key", [])


def test_a_table_is_nothing_else() -> None:
    with pytest.raises(ConfigurationError, match=r"^f: key: expected a table, found 'x'$"):
        table(key="x").table("key")


def test_a_key_within_a_table_is_named_in_full() -> None:
    with pytest.raises(ConfigurationError, match=r"^f: limits\.workers: expected a whole number"):
        table(limits={"workers": "many"}).table("limits").number("workers", 1)


def test_a_mapping_holds_strings_only() -> None:
    with pytest.raises(ConfigurationError, match=r"^f: groups\.all: expected a string, found 1$"):
        table(groups={"all": 1}).mapping("groups")


def test_a_list_that_is_handed_out_is_a_copy() -> None:
    default = ["a"]

    table().texts("key", default).append("b")

    assert default == ["a"]


def test_keys_that_nobody_asked_for_are_listed_with_their_file() -> None:
    read = table(known=1, stray=2, limits={"known": 1, "typo": 2}, free={"any": "x"}, other={"x": 1})

    read.number("known", 0)
    read.table("limits").number("known", 0)
    read.mapping("free")

    assert read.unknown() == ["f: stray", "f: other", "f: limits.typo"]


# --- reading a file ---------------------------------------------------------------------------------------------------


def test_an_absent_file_is_empty_unless_it_was_named(file: Path) -> None:
    assert config.load(str(file), required=False).unknown() == []

    with pytest.raises(ConfigurationError, match=r"x\.toml: no such file$"):
        config.load(str(file), required=True)


def test_an_empty_file_is_fine(file: Path) -> None:
    file.touch()

    assert config.load(str(file), required=True).unknown() == []


@pytest.mark.parametrize("content", [b"key", b'key = "a', b"key = 1\nkey = 2\n", b"[a\n", b"key = \x00"])
def test_malformed_toml_names_the_file_and_the_place(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        config.load(str(file), required=False)

    assert str(caught.value).startswith(f"{file}: ")
    assert "line" in str(caught.value) or "end of document" in str(caught.value)


@pytest.mark.parametrize("content", [b'key = "\xff"', 'key = "ä"'.encode("latin-1"), 'key = "a"'.encode("utf-16")])
def test_what_is_not_utf_8_names_the_file(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"x\.toml: is not UTF-8 \(octet \d\)"):
        config.load(str(file), required=False)


def test_a_directory_in_its_place_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r": Is a directory$"):
        config.load(str(tmp_path), required=False)
