"""Files of domains: below one directory, and nowhere else."""

from pathlib import Path

import pytest

from xman.errors import RefusedError, UsageError
from xmand.settings import Settings
from xmand.system import saved

WRONG = ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", ".x", "-x", "a\nb", "a b"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=str(tmp_path))


def test_a_name_is_below_the_directory_and_its_folder_is_made(settings: Settings, tmp_path: Path) -> None:
    path = saved.new_file(settings, "nightly/vm1.save")

    assert path == str(tmp_path / "saved" / "nightly" / "vm1.save")
    assert (tmp_path / "saved" / "nightly").stat().st_mode & 0o777 == 0o700


def test_the_whole_path_means_the_same(settings: Settings, tmp_path: Path) -> None:
    assert saved.new_file(settings, str(tmp_path / "saved" / "vm1")) == saved.new_file(settings, "vm1")


@pytest.mark.parametrize(
    "word", ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", ".x", "-x", "a\nb", "a b"]
)
def test_what_is_elsewhere_or_no_name_is_refused(settings: Settings, word: str) -> None:
    for found in (saved.new_file, saved.old_file):
        with pytest.raises(UsageError):
            found(settings, word)


def test_a_link_leads_nowhere(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "link").symlink_to("/etc")
    (tmp_path / "saved" / "file").symlink_to("/etc/passwd")

    with pytest.raises(UsageError):
        saved.old_file(settings, "link/passwd")
    with pytest.raises(RefusedError):
        saved.old_file(settings, "file")
    with pytest.raises(RefusedError):
        saved.new_file(settings, "file")


def test_the_directory_can_be_another(tmp_path: Path) -> None:
    assert saved.new_file(Settings(save_dir=str(tmp_path / "x/")), "a") == str(tmp_path / "x" / "a")
