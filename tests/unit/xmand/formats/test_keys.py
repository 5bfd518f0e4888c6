"""The table of keys: none of the documentation is missing, and each becomes what the table says."""

import pytest

from tests.lab.process import ROOT
from tests.unit.xmand.formats import device_keys
from tests.unit.xmand.formats.keys import TABLE
from tests.unit.xmand.formats.outcomes import LEFT_OUT, REFUSED, changed, outcome
from xman.errors import UnsupportedError, UsageError
from xmand import formats

DATA = ROOT / "tests" / "data" / "formats"


@pytest.mark.parametrize("file", ["xl-keys.txt", "xm-keys.txt"])
def test_no_key_of_the_documentation_is_missing(file: str) -> None:
    documented = set((DATA / file).read_text().split())

    # xm's `vncpasswd` and so on are in both; what is in neither is ours by mistake.
    assert documented - {row[0] for row in TABLE} == set()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_what_becomes_of_a_key(row: tuple[str, str, str, str, str]) -> None:
    _key, base, line, on_xen, on_qemu = row

    assert (outcome(base, line, "Xen"), outcome(base, line, "QEMU")) == (on_xen, on_qemu)


@pytest.mark.parametrize("row", [row for row in TABLE if LEFT_OUT in row], ids=lambda row: row[0])
def test_strict_refuses_what_is_left_out(row: tuple[str, str, str, str, str]) -> None:
    key, _base, line, on_xen, _on_qemu = row
    driver = "Xen" if on_xen == LEFT_OUT else "QEMU"
    base = "name = 'x'\nbuilder = 'hvm'\n" if "pci" not in key else "name = 'x'\nbuilder = 'hvm'\npci = ['0:3:0.0']\n"
    if key in ("spice_image_compression", "spice_streaming_video", "spiceusbredirection"):
        base += "spice = 1\n"

    with pytest.raises(UsageError, match=key):
        formats.to_xml(base + line, driver, {}, convert=True, strict=True)


@pytest.mark.parametrize("row", [row for row in TABLE if row[3] == REFUSED], ids=lambda row: row[0])
def test_a_refusal_says_what_to_write_instead(row: tuple[str, str, str, str, str]) -> None:
    with pytest.raises(UsageError, match="instead: "):
        formats.to_xml("name = 'x'\nbuilder = 'hvm'\n" + row[2], "Xen", {}, convert=True, strict=False)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_no_key_makes_a_container(row: tuple[str, str, str, str, str]) -> None:
    with pytest.raises(UnsupportedError, match="describe machines"):
        formats.to_xml("name = 'x'\nbuilder = 'hvm'\n" + row[2], "LXC", {}, convert=True, strict=False)


@pytest.mark.parametrize("kind", device_keys.LINES)
def test_no_word_of_a_device_is_missing(kind: str) -> None:
    documented = (DATA / f"{kind}-words.txt").read_text().split()

    assert documented == [row[1] for row in device_keys.TABLE if row[0] == kind]


@pytest.mark.parametrize("row", device_keys.TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_what_becomes_of_a_word_of_a_device(row: tuple[str, str, str, str, str]) -> None:
    _kind, _word, _said, on_xen, on_qemu = row
    plain, with_it = device_keys.lines(row)

    assert (changed(plain, with_it, "Xen"), changed(plain, with_it, "QEMU")) == (on_xen, on_qemu)


@pytest.mark.parametrize(
    "row", [row for row in device_keys.TABLE if LEFT_OUT in row], ids=lambda row: f"{row[0]}-{row[1]}"
)
def test_strict_refuses_what_of_a_device_is_left_out(row: tuple[str, str, str, str, str]) -> None:
    kind, word, _said, on_xen, _on_qemu = row
    _plain, line = device_keys.lines(row)
    driver = "Xen" if on_xen == LEFT_OUT else "QEMU"

    # What is left out whole is named by its key.
    with pytest.raises(UsageError, match=f"{word}|{kind}"):
        formats.to_xml(f"name = 'x'\nbuilder = 'hvm'\n{line}", driver, {}, convert=True, strict=True)


@pytest.mark.parametrize("row", device_keys.TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_no_word_of_a_device_makes_a_container(row: tuple[str, str, str, str, str]) -> None:
    _plain, line = device_keys.lines(row)

    with pytest.raises(UnsupportedError, match="describe machines"):
        formats.to_xml(f"name = 'x'\nbuilder = 'hvm'\n{line}", "LXC", {}, convert=True, strict=False)
