"""Pictures of screens, from PPM to PNG and back, and what is none."""

import random
import struct
import zlib

import pytest

from xman import pictures
from xman.pictures import PictureError

WIDTH, HEIGHT = 5, 4
POINTS = random.Random(1).randbytes(3 * WIDTH * HEIGHT)
PPM = b"P6\n%d %d\n255\n" % (WIDTH, HEIGHT) + POINTS


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    lines: bytes, *, kind: int = 2, bits: int = 8, size: tuple[int, int] = (WIDTH, HEIGHT), more: bytes = b""
) -> bytes:
    """Return a PNG of filtered lines."""
    header = struct.pack(">IIBBBBB", *size, bits, kind, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def filtered(kind: int) -> bytes:
    """Return the lines of POINTS as the filter `kind` of PNG's specification (RFC 2083, 6) has them."""
    row, lines, before = 3 * WIDTH, b"", bytes(3 * WIDTH)
    for at in range(0, len(POINTS), row):
        line = POINTS[at : at + row]
        lines += bytes([kind])
        for place, value in enumerate(line):
            left = line[place - 3] if place >= 3 else 0
            above, corner = before[place], before[place - 3] if place >= 3 else 0
            nearest = min((left, above, corner), key=lambda each: abs(left + above - corner - each))
            lines += bytes([(value - (0, left, above, (left + above) // 2, nearest)[kind]) % 256])
        before = line
    return lines


def test_ppm_becomes_png_and_comes_back() -> None:
    made = pictures.png(PPM)

    assert made.startswith(b"\x89PNG")
    assert (pictures.size(made), pictures.size(PPM)) == ((WIDTH, HEIGHT), (WIDTH, HEIGHT))
    assert pictures.ppm(made) == PPM


@pytest.mark.parametrize("kind", range(5))
def test_every_filter_is_undone(kind: int) -> None:
    assert pictures.ppm(png(filtered(kind))) == PPM


def test_what_is_so_already_stays() -> None:
    made = pictures.png(PPM)

    assert pictures.png(made) is made
    assert pictures.ppm(PPM) is PPM


@pytest.mark.parametrize(
    ("kind", "line", "more"),
    [(0, b"\x07\x09", b""), (4, b"\x07\xff\x09\xff", b""), (6, b"\x07\x07\x07\xff\x09\x09\x09\xff", b"")],
)
def test_grey_and_transparent_pictures_have_colours(kind: int, line: bytes, more: bytes) -> None:
    picture = png(b"\0" + line, kind=kind, size=(2, 1), more=more)

    assert pictures.ppm(picture) == b"P6\n2 1\n255\n" + b"\x07" * 3 + b"\x09" * 3


def test_a_palette_is_looked_up() -> None:
    palette = chunk(b"PLTE", bytes(3) + b"\x01\x02\x03")

    assert pictures.ppm(png(b"\0\x01\x00", kind=3, size=(2, 1), more=palette)).endswith(b"\x01\x02\x03\0\0\0")


def test_comments_of_a_ppm_are_passed_over() -> None:
    assert pictures.size(b"P6 # made by hand\n5 # wide\n4\n255\n" + POINTS) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "picture",
    [
        b"",
        b"P6",
        b"GIF89a",
        b"P5\n5 4\n255\n" + POINTS,
        b"P6\n5 4\n65535\n" + POINTS,
        b"P6\n0 4\n255\n",
        b"P6\n5 4\n255\n" + POINTS[:-1],
        b"P6\n99999 99999\n255\n" + POINTS,
        b"P6\n" + b"9" * 1000 + b" 1\n255\n",
        b"\x89PNG\r\n\x1a\n",
        png(filtered(0), bits=16),
        png(filtered(0), kind=5),
        png(filtered(0), size=(1 << 20, 1 << 20)),
    ],
)
def test_what_is_no_picture_is_told(picture: bytes) -> None:
    with pytest.raises(PictureError):
        pictures.size(picture)
    with pytest.raises(PictureError):
        pictures.png(picture)


@pytest.mark.parametrize(
    "picture",
    [
        png(filtered(0)[:-1]),
        png(b"\x05" + filtered(0)[1:]),
        png(filtered(0), size=(WIDTH, HEIGHT + 1)),
        png(b"\0\x01", kind=3, size=(1, 1)),
        png(filtered(0)).replace(b"IDAT", b"IDAU"),
        png(filtered(0))[:-20],
    ],
)
def test_a_damaged_picture_is_told(picture: bytes) -> None:
    with pytest.raises(PictureError):
        pictures.ppm(picture)


def test_what_unpacks_to_more_than_it_says_costs_no_more() -> None:
    bomb = png(bytes(1 << 24), size=(1, 1))

    assert pictures.ppm(bomb) == b"P6\n1 1\n255\n\0\0\0"
