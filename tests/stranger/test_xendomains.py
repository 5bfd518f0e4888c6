"""What Debian's xendomains asks xl, by its own scripts, through the links: its stop would otherwise know no guest."""

import shutil
from pathlib import Path

import pytest

from tests.lab.clients.called_xm import Links
from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.process import ROOT

XEN = ROOT / ".build" / "strangers" / "usr" / "lib" / "xen-common" / "bin"


@pytest.fixture
def links(daemon: Daemon, alice: dict[str, str], tmp_path: Path) -> Links:
    """The links, and Debian's `xen` in front of them."""
    made = Links(tmp_path / "links", daemon, alice)
    shutil.copy(XEN / "xen-toolstack-wrapper", made.directory / "xen")
    return made


def run(links: Links, script: str, *words: str) -> Answer:
    """Run one of its scripts."""
    return answer(["/usr/bin/python3", str(XEN / script), *words], links.env, "", 60)


def test_its_list_has_the_guests_that_run(links: Links) -> None:
    number = links.xl("domid", "test").stdout.strip()

    assert f"{number} test" in run(links, "xen-init-list").stdout.splitlines()


def test_its_dry_run_finds_the_name(links: Links, tmp_path: Path) -> None:
    config = tmp_path / "auto.cfg"
    config.write_text("name = 'auto1'\nbuilder = 'hvm'\nmemory = 64\ndisk = ['phy:/dev/vg/auto1,hda,w']\n")

    assert run(links, "xen-init-name", str(config)).stdout == "auto1\n"
