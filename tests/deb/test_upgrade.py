"""An upgrade asks nothing, and leaves what the site edited as it is, octet for octet."""

from collections.abc import Callable
from pathlib import Path

from tests.deb.conftest import WITHOUT_PORTAL, Debian

EDITED = b'# The site\'s own: no newline at the end, and a tab\t\nsyslog = "none"'


def edit(debian: Debian) -> dict[Path, bytes]:
    """Edit each configuration but one, which stays as it was installed; return what they say."""
    for path in sorted(debian.path("/etc/xman").glob("*.toml")):
        if path.name != "rxm.toml":
            path.write_bytes(EDITED + path.name.encode())
    (debian.path("/etc/xman/xmand.toml.d")).mkdir(exist_ok=True)
    debian.path("/etc/xman/xmand.toml.d/site.toml").write_bytes(EDITED)
    return {path: path.read_bytes() for path in debian.path("/etc/xman").rglob("*") if path.is_file()}


def found(debian: Debian) -> dict[Path, bytes]:
    """Return what is there now."""
    return {path: path.read_bytes() for path in debian.path("/etc/xman").rglob("*") if path.is_file()}


def test_from_the_release_before(
    fresh: Callable[[], Path], debs_before: list[Path], debs: list[Path], release: str
) -> None:
    debian = Debian(fresh())
    debian.install(debs_before)
    edited = edit(debian)

    said = debian.install(debs)

    assert found(debian) == edited
    assert {path.name for path in edited} >= {"rxm.toml", "xmand.toml", "site.toml"}
    assert "onfiguration file" not in said
    assert debian.must("rxm", "--version").startswith("rxm 0.2.")
    assert ("rxmweb.toml" in {path.name for path in edited}) == (release not in WITHOUT_PORTAL)


def test_from_one_build_to_another(fresh: Callable[[], Path], debs: list[Path], later_debs: list[Path]) -> None:
    debian = Debian(fresh())
    debian.install(debs)
    edited = edit(debian)

    debian.install(later_debs)

    assert found(debian) == edited


def test_what_the_site_took_away_does_not_come_back(
    fresh: Callable[[], Path], debs: list[Path], later_debs: list[Path]
) -> None:
    debian = Debian(fresh())
    debian.install(debs)
    debian.path("/etc/xman/xmand.toml").unlink()

    debian.install(later_debs)

    assert not debian.path("/etc/xman/xmand.toml").exists()


def test_purge_after_it_takes_what_was_a_conffile_once(
    fresh: Callable[[], Path], debs_before: list[Path], debs: list[Path]
) -> None:
    debian = Debian(fresh())
    debian.install(debs_before)
    debian.install(debs)

    debian.purge(debs)

    assert not debian.path("/etc/xman").exists()
