"""Which program is in the way (`xman.holders`)."""

import subprocess
import sys
from pathlib import Path

import pytest

from xman import holders

RUNS = "import sys; print(flush=True); sys.stdin.read()"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--check",), "/etc/xman/xmand.toml"),
        (("-c", "other.toml"), "{here}/other.toml"),
        (("--config", "/srv/x.toml", "-f"), "/srv/x.toml"),
        (("--config=../x.toml",), "{above}/x.toml"),
        (("-cx.toml",), "{here}/x.toml"),
        (("-c", "link.toml"), "{here}/real.toml"),
    ],
    ids=" ".join,
)
def test_the_file_that_a_daemon_was_started_with(tmp_path: Path, words: tuple[str, ...], expected: str) -> None:
    here = tmp_path.resolve() / "here"
    here.mkdir()
    (here / "link.toml").symlink_to("real.toml")
    script = here / "xmand"
    script.write_text(RUNS)
    command = [sys.executable, str(script), *words]
    with subprocess.Popen(command, cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # Before that its words may not be there yet.
        assert process.stdout is not None
        process.stdout.readline()
        found = holders.configuration(str(process.pid), "/etc/xman/xmand.toml")
        process.communicate()

    assert found == expected.format(here=here, above=here.parent)


def test_one_that_is_gone() -> None:
    with pytest.raises(OSError, match="No such file"):
        holders.configuration("nobody", "/x")
