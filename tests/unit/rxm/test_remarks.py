"""Configurations of people who wrote their remarks in ISO 8859."""

from pathlib import Path

import pytest

from rxm import cli, remarks
from xman.arguments import Parsed


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"# pam\xec\xbb\nmemory = 1\n", "# pam??\nmemory = 1\n"),
        (b"memory = 1 # pam\xec\xbb\n", "memory = 1 # pam??\n"),
        (b"name = '\xc5\xbe' # \xbe\n", "name = '\u017e' # ?\n"),
    ],
)
def test_remarks_are_passed_over(octets: bytes, text: str) -> None:
    assert remarks.passed_over(octets) == text


@pytest.mark.parametrize(
    "octets",
    [
        b"name = '\xbe'\n",
        b"disk = ['phy:/dev/vg/#\xbe,xvda,w']\n",
        b"name = '\xbe' # x\n",
        b"<domain><description># \xbe</description></domain>",
        b"\xff\xfe#\x00",
    ],
)
def test_nothing_else_is(octets: bytes) -> None:
    assert remarks.passed_over(octets) is None


def test_a_file_with_such_remarks_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "vm.cfg"
    file.write_bytes(b"# \xbelut\xfd\nname = 'a'\n")
    sent: list[Parsed] = []

    def carry_out(_options: object, _settings: object, parsed: Parsed) -> int:
        sent.append(parsed)
        return 0

    monkeypatch.setattr("rxm.run.run", carry_out)

    assert cli.run(["-H", "h", "create", str(file)]) == 0
    assert sent[0].given["FILE"] == ["# ?lut?\nname = 'a'\n"]
    assert cli.run(["-H", "h", "launch", "x", "y", "--user-data", str(file)]) == 2
