"""The same tree and the same packages make the same image, to the last octet of what is booted.

Run by `make test-host-image`, as root; ten minutes.
"""

import subprocess
from pathlib import Path

import pytest

from tests.lab.hosts.stateless import IMAGE, why_not
from tests.lab.process import ROOT

_BUILD = ROOT / "packaging" / "host-image" / "build"


def test_a_second_build_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if why_not():
        pytest.skip(why_not())
    again = tmp_path / "image"
    # Which is in no root that packages are made in.
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    subprocess.run([_BUILD, again], check=True)

    assert (again / "packages").read_text() == (IMAGE / "packages").read_text()
    assert (again / "digests").read_text() == (IMAGE / "digests").read_text()
