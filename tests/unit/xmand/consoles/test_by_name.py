"""What Xen keeps of consoles, by name (`xmand.consoles.by_name`): each domain sees its own, and nothing older."""

from pathlib import Path

import pytest

from xmand.consoles.by_name import ByName

FIRST, SECOND = "1-1", "2-2"


class Site:
    """A host with Xen's folder of logs."""

    def __init__(self, directory: Path) -> None:
        self.logs = directory / "console"
        self.logs.mkdir()
        self.directory = directory
        self.kept = self.restarted()

    def restarted(self) -> ByName:
        """Return what another run of xmand knows."""
        return ByName(str(self.directory / "state"), str(self.logs))

    def prints(self, text: bytes, name: str = "vm1") -> None:
        """Let a guest print something."""
        with (self.logs / f"guest-{name}.log").open("ab") as log:
            log.write(text)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_domain_sees_what_it_has_printed_since_it_was_made(site: Site) -> None:
    site.kept.begins(FIRST, "vm1")

    site.prints(b"booting\n")

    assert site.kept.read(FIRST, "vm1") == b"booting\n"
    assert site.restarted().read(FIRST, "vm1") == b"booting\n"


def test_the_next_of_its_name_sees_nothing_of_it(site: Site) -> None:
    site.kept.begins(FIRST, "vm1")
    site.prints(b"secret\n")
    site.kept.forget(FIRST)

    site.kept.begins(SECOND, "vm1")
    site.prints(b"booting\n")

    assert site.kept.read(SECOND, "vm1") == b"booting\n"


def test_one_that_was_made_past_us_begins_when_it_is_first_asked_for(site: Site) -> None:
    site.prints(b"whose?\n")
    assert site.kept.read(FIRST, "vm1") == b""

    site.prints(b"tick\n")

    assert site.kept.read(FIRST, "vm1") == b"tick\n"


def test_another_name_is_another_file(site: Site) -> None:
    site.kept.begins(FIRST, "vm1")
    site.prints(b"mine\n")
    site.prints(b"another one's\n", "vm2")

    assert site.kept.read(FIRST, "vm2") == b""


@pytest.mark.parametrize("anew", ["renamed", "emptied"])
def test_of_a_file_that_was_begun_anew_all_is_shown(site: Site, anew: str) -> None:
    site.prints(b"older, and longer\n")
    site.kept.begins(FIRST, "vm1")
    log = site.logs / "guest-vm1.log"
    if anew == "renamed":
        log.rename(site.logs / "guest-vm1.log.1")
    else:
        log.write_bytes(b"")

    site.prints(b"newer\n")

    assert site.kept.read(FIRST, "vm1") == b"newer\n"


def test_a_name_leads_nowhere_else(site: Site) -> None:
    (site.directory / "x.log").write_bytes(b"")
    site.kept.begins(FIRST, "../../x")
    (site.directory / "x.log").write_bytes(b"secret")

    assert site.kept.read(FIRST, "../../x") == b""


def test_where_nothing_can_be_noted_nothing_is_shown(tmp_path: Path) -> None:
    made = Site(tmp_path)
    (tmp_path / "state").write_text("")
    made.prints(b"whose?\n")

    assert made.kept.read(FIRST, "vm1") == b""
