"""Programs that the daemon starts (`xmand.system.children`): what they are given, what they may say, how they end."""

import errno
import os
import time
from pathlib import Path

import pytest

from tests.lab.process import wait_for
from xmand.system import children
from xmand.system.children import ChildError, Finished, LateError, MissingError, TooMuchError

# Longer than any of these programs needs; a test that waits for it fails.
PATIENCE = 20.0


def sh(script: str, *, stdin: bytes = b"", seconds: float = PATIENCE, most_octets: int = 1 << 20) -> Finished:
    """Run a script as a child."""
    return children.run(["sh", "-c", script], stdin=stdin, seconds=seconds, most_octets=most_octets)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has reaped yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].startswith("Z")
    except FileNotFoundError:
        return True


def test_what_it_said_and_how_it_ended() -> None:
    assert sh("echo out; echo err >&2; exit 3") == Finished(3, b"out\n", b"err\n")


def test_a_signal_that_ended_it() -> None:
    assert sh("kill -TERM $$").status == -15


def test_it_reads_what_it_is_told() -> None:
    assert sh("cat", stdin=b"{}").stdout == b"{}"


def test_more_than_a_pipe_holds_goes_in_and_out() -> None:
    text = bytes(range(256)) * 4096

    assert sh("cat", stdin=text).stdout == text


def test_a_child_that_does_not_read_is_no_error() -> None:
    assert sh("exec <&-; echo done", stdin=b"x" * (1 << 20)).stdout == b"done\n"


def test_no_shell_reads_its_words() -> None:
    done = children.run(["echo", "$HOME;", "`id`", "*"], seconds=PATIENCE, most_octets=100)

    assert done.stdout == b"$HOME; `id` *\n"


def test_it_gets_no_environment_and_no_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRB5CCNAME", "FILE:/secret")

    done = children.run(["env"], seconds=PATIENCE, most_octets=1000)

    assert done.stdout == b""
    assert sh("pwd").stdout == b"/\n"


def test_it_gets_no_descriptor_of_ours() -> None:
    ours = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(ours, True)
    try:
        # The highest is the directory that ls itself reads.
        assert sh("ls /proc/self/fd").stdout.split() == [b"0", b"1", b"2", b"3"]
    finally:
        os.close(ours)


def test_our_own_path_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "xl").write_text("#!/bin/sh\necho trap\n")
    (tmp_path / "xl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MissingError, match="there is no program nosuch-xl in /usr/sbin"):
        children.run(["nosuch-xl"], seconds=PATIENCE, most_octets=1)
    assert children.run([str(tmp_path / "xl")], seconds=PATIENCE, most_octets=10).stdout == b"trap\n"


@pytest.mark.parametrize("name", ["/nonexistent/program", "./children.py", "/etc/passwd", "/etc"])
def test_what_is_no_program(name: str) -> None:
    with pytest.raises(MissingError, match=f"there is no program {name}"):
        children.run([name], seconds=PATIENCE, most_octets=1)


def test_what_cannot_be_started(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/nonexistent/interpreter\n")
    program.chmod(0o755)

    with pytest.raises(ChildError, match="cannot be started"):
        children.run([str(program)], seconds=PATIENCE, most_octets=1)


def test_a_child_that_we_cannot_watch_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"

    def no_descriptor_left(_pid: int) -> int:
        wait_for(pid.exists, PATIENCE, "its start")
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", no_descriptor_left)

    with pytest.raises(ChildError, match="/sh cannot be spoken to: Too many open files"):
        sh(f"echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 1000")
    assert gone(int(pid.read_text()))


def test_who_is_late_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    with pytest.raises(LateError, match="/sh was not done in time"):
        sh(f"sleep 1000 & echo $$ $! >{pids}; wait", seconds=0.5)

    for pid in pids.read_text().split():
        wait_for(lambda pid=pid: gone(int(pid)), PATIENCE, "its end")  # type: ignore[misc]


def test_what_it_leaves_behind_is_killed_and_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()

    done = sh(f"sleep 1000 & echo $! >{pid}; echo said")

    assert done == Finished(0, b"said\n", b"")
    assert time.monotonic() - started < PATIENCE / 2
    wait_for(lambda: gone(int(pid.read_text())), PATIENCE, "its end")


def test_who_says_too_much_is_killed() -> None:
    with pytest.raises(TooMuchError, match="said more than 1000 octets"):
        sh("yes", most_octets=1000)


def test_as_much_as_is_allowed_is_not_too_much() -> None:
    assert len(sh("head -c 1000 /dev/zero", most_octets=1000).stdout) == 1000


def test_of_its_errors_the_first_are_kept() -> None:
    done = sh("echo first >&2; head -c 1000000 /dev/zero >&2; echo out")

    assert len(done.stderr) == children.MOST_ERROR_OCTETS
    assert (done.complaint(), done.stdout) == ("first", b"out\n")


@pytest.mark.parametrize(
    ("stderr", "complaint"),
    [(b"", ""), (b"\n  \n no such thing \nmore", "no such thing"), (b"\x1b[31mred\xff\n", "?[31mred\ufffd")],
)
def test_a_complaint_is_one_printable_line(stderr: bytes, complaint: str) -> None:
    assert Finished(1, b"", stderr).complaint() == complaint


def descriptors() -> int:
    """Return how many descriptors we have open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_and_no_process_is_left() -> None:
    before = descriptors()

    pid = int(sh("echo $$").stdout)
    with pytest.raises(LateError):
        sh("sleep 1000", seconds=0.1)

    assert descriptors() == before
    assert not Path(f"/proc/{pid}").exists()
