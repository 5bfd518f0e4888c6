"""Screens of QEMU's guests: pictures, VNC through the wire, and who may look at or type to what."""

import contextlib
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.clients import rfb
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import end, start, wait_for
from xman import pictures

# No listener anywhere.
SCREEN = "<graphics type='vnc'><listen type='none'/></graphics>"
MODULE = "screened"


@pytest.fixture(scope="module")
def guest(lab: Lab) -> Iterator[Guest]:
    """One guest with a screen for all that only look."""
    made = Guest(MODULE, lab.first.directory, screen=SCREEN)
    answer = lab.rxm("create", "-", stdin=made.description())
    assert answer.status == 0, answer
    made.wait_until_up()
    yield made
    lab.rxm("-q", "destroy", MODULE)
    lab.rxm("-q", "delete", MODULE)


def command(lab: Lab, *words: str) -> list[str]:
    """Return rxm's words, for one that goes on."""
    daemon = lab.xmand
    return [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port), *words]


@contextlib.contextmanager
def stdio(lab: Lab, *words: str) -> Iterator[tuple["subprocess.Popen[bytes]", rfb.Viewer]]:
    """Run `rxm vnc --stdio`, and give it with a viewer at it."""
    program = start(
        command(lab, "vnc", "--stdio", *words),
        env=lab.alice,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    reads, writes = program.stdout.fileno(), program.stdin.fileno()
    with contextlib.ExitStack() as ends:
        ends.callback(end, program)
        yield program, rfb.Viewer(lambda count: os.read(reads, count), lambda data: os.write(writes, data))


def test_a_picture_has_the_screens_size(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    file = tmp_path / "screen.png"

    answer = lab.rxm("screenshot", "--output", str(file), guest.name)

    assert (answer.status, answer.stdout, answer.stderr) == (0, "", "")
    with stdio(lab, guest.name) as (_program, viewer):
        viewer.handshake()
        assert pictures.size(file.read_bytes()) == viewer.size


def test_a_viewer_on_standard_input_and_output_sees_the_screen(lab: Lab, guest: Guest) -> None:
    with stdio(lab, guest.name) as (program, viewer):
        viewer.handshake()
        points = viewer.picture()
        assert program.stdin is not None
        program.stdin.close()

        assert program.wait(20) == 0
    width, height = viewer.size
    assert len(points) == 4 * width * height
    # The firmware has written something.
    assert len(set(struct.iter_unpack("<I", points))) > 1
    assert viewer.types == (1,)


def test_a_viewer_at_a_socket_sees_it(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    path = tmp_path / "s"
    program = start(command(lab, "vnc", "--socket", str(path), guest.name), env=lab.alice, stderr=subprocess.PIPE)
    try:
        wait_for(path.exists, 30, "the socket")
        assert path.stat().st_mode & 0o177 == 0
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(30)
                sock.connect(str(path))
                viewer = rfb.at(sock)
                viewer.handshake()
                assert viewer.picture()
    finally:
        end(program)
