"""Files that are sent, and made of what comes: holes, files that change, and what is left where it fails."""

import os
from pathlib import Path
from typing import Any

import pytest

from rxm.output import Output
from rxm.strategies import transfer
from rxm.targets import Target
from xman.errors import RefusedError, UsageError
from xman.session import SessionError
from xman.transfer import Receiver, Sender

MIB = 1024 * 1024


def sent(path: Path) -> tuple[bytes, "transfer._Upward"]:
    """Return all frames of a file, and what made them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        file = transfer._Upward(descriptor, transfer._length(descriptor, str(path)))
        file.begin()
        frames, end = b"", False
        while not end:
            made, end = file.typed(os.read(file.source, 65_536))
            frames += made
        return frames, file
    finally:
        os.close(descriptor)


def received(frames: bytes) -> tuple[bytes, int]:
    """Return the image that frames make, and how many octets of it were holes."""
    receiver = Receiver()
    parts = list(receiver.feed(frames))
    assert receiver.whole
    holes = sum(part for part in parts if isinstance(part, int))
    return b"".join(bytes(part) if isinstance(part, int) else part for part in parts), holes


@pytest.mark.parametrize("places", [(0,), (5 * MIB,), (0, 5 * MIB), (9 * MIB,), ()])
def test_what_is_sent_is_the_file_wherever_its_holes_are(tmp_path: Path, places: tuple[int, ...]) -> None:
    path = tmp_path / "image"
    with path.open("wb") as file:
        for place in places:
            file.seek(place)
            file.write(os.urandom(100_000))
        file.truncate(10 * MIB)

    frames, _file = sent(path)

    image, holes = received(frames)
    assert image == path.read_bytes()
    # A file system may know of no holes; this one does where it takes less for them.
    assert holes > 8 * MIB or path.stat().st_blocks * 512 > 8 * MIB


def test_a_file_that_gets_shorter_meanwhile_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(200_000))
    descriptor = os.open(path, os.O_RDONLY)
    file = transfer._Upward(descriptor, 200_000)
    file.begin()
    file.typed(os.read(descriptor, 65_536))
    path.write_bytes(b"short")

    made, end = file.typed(os.read(descriptor, 65_536))
    while not end:
        made, end = file.typed(os.read(descriptor, 65_536))

    os.close(descriptor)
    assert "had 200000 before" in file.failed
    assert b"E\0\0\0\0\0\0\0\x20" not in made


def test_a_file_that_grows_is_sent_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"ab")
    descriptor = os.open(path, os.O_RDONLY)
    file = transfer._Upward(descriptor, 2)
    file.begin()
    path.write_bytes(b"abc")

    made, end = file.typed(os.read(descriptor, 65_536))

    os.close(descriptor)
    assert end
    assert received(made)[0] == b"ab"


@pytest.mark.parametrize("made", ["empty", "fifo"])
def test_what_cannot_be_sent(tmp_path: Path, made: str) -> None:
    path = tmp_path / made
    path.touch() if made == "empty" else os.mkfifo(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(UsageError):
        transfer._length(descriptor, str(path))
    os.close(descriptor)


def downward(path: Path) -> Any:
    """Return what makes a file."""
    output = Output(json=False, quiet=True, log=False, several=False)
    return transfer._Downward(str(path), Target("host", ""), output)


def image() -> bytes:
    """Return the frames of an image that ends with a hole."""
    sender = Sender(MIB + 2)
    return b"".join((sender.begin(), sender.data(b"ab"), *sender.hole(MIB), sender.end()))


def test_a_file_stands_in_its_place_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"before")

    with downward(path) as file:
        assert file.take(image())
        during = path.read_bytes()
        file.keep()

    assert during == b"before"
    assert path.read_bytes() == b"ab" + bytes(MIB)
    assert path.stat().st_blocks * 512 < MIB
    assert list(tmp_path.iterdir()) == [path]


def test_a_host_that_does_not_stop_talking_is_not_listened_to_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rxm.remote.connection.MOST_REPLY", 1000)
    upward = transfer._Taken()

    with downward(tmp_path / "image") as file:
        # However large the image is.
        assert file.take(Sender(MIB).begin() + Sender(MIB).data(os.urandom(2000)))
        for say in (upward.take, upward.say, file.say):
            with pytest.raises(SessionError):
                say(bytes(1001))


@pytest.mark.parametrize("frames", [image()[:-1], image()[:-1] + b"x", b"no image at all"])
def test_what_is_not_whole_leaves_what_was_there(tmp_path: Path, frames: bytes) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"before")

    with downward(path) as file:
        file.take(frames)
        assert not file.receiver.whole

    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be written: No such file"), downward(tmp_path / "a" / "b"):
        pass
    with pytest.raises(UsageError, match="is not a file"), downward(tmp_path):
        pass
