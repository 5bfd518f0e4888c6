"""Files of domains: below one directory, and nowhere else."""

from pathlib import Path

import pytest

from xman.errors import RefusedError, UsageError
from xmand.settings import Settings
from xmand.system import saved

WRONG = ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", ".x", "-x", "a\nb", "a b"]


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return Settings(state_dir=str(tmp_path)).saved


def test_a_name_is_below_the_directory_and_its_folder_is_made(directory: str, tmp_path: Path) -> None:
    path = saved.new_file(directory, "nightly/vm1.save")

    assert path == str(tmp_path / "saved" / "nightly" / "vm1.save")
    assert (tmp_path / "saved" / "nightly").stat().st_mode & 0o777 == 0o700


def test_the_whole_path_means_the_same(directory: str, tmp_path: Path) -> None:
    assert saved.new_file(directory, str(tmp_path / "saved" / "vm1")) == saved.new_file(directory, "vm1")


@pytest.mark.parametrize("word", WRONG)
def test_what_is_elsewhere_or_no_name_is_refused(directory: str, word: str) -> None:
    for found in (saved.new_file, saved.old_file):
        with pytest.raises(UsageError):
            found(directory, word)


def test_a_link_leads_nowhere(directory: str, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "link").symlink_to("/etc")
    (tmp_path / "saved" / "file").symlink_to("/etc/passwd")

    with pytest.raises(UsageError):
        saved.old_file(directory, "link/passwd")
    with pytest.raises(RefusedError):
        saved.old_file(directory, "file")
    with pytest.raises(RefusedError):
        saved.new_file(directory, "file")


def test_the_directory_can_be_another(tmp_path: Path) -> None:
    assert saved.new_file(Settings(save_dir=f"{tmp_path}/x/").saved, "a") == str(tmp_path / "x" / "a")
