"""Pictures of screens: PNG (RFC 2083) and PPM (netpbm's P6), as far as hypervisors write them. Pure."""

import struct
import zlib

PNG = "image/png"
PPM = "image/x-portable-pixmap"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_P6 = b"P6"
# No screen has more points: whoever says so would have us take that much memory.
_MOST_POINTS = 1 << 26
_RGB, _BITS = 2, 8
# Samples of a point by PNG's colour types: grey, RGB, palette, and the first two with alpha.
_SAMPLES = {0: 1, _RGB: 3, 3: 1, 4: 2, 6: 4}
_PALETTE = 3
_SUB, _UP, _AVERAGE, _PAETH = 1, 2, 3, 4


class PictureError(Exception):
    """What is not a picture, or of a kind that no hypervisor makes."""


def size(picture: bytes) -> tuple[int, int]:
    """Return the width and the height of a picture, in points. Raises PictureError."""
    if picture.startswith(_SIGNATURE):
        return _header(picture)[:2]
    width, height, _points = _ppm_parts(picture)
    return width, height


def png(picture: bytes) -> bytes:
    """Return a picture as PNG. Raises PictureError."""
    if picture.startswith(_SIGNATURE):
        _header(picture)
        return picture
    width, height, points = _ppm_parts(picture)
    row = 3 * width
    # Without filters: what screens show is flat, and zlib finds that.
    lines = b"".join([b"\0" + points[at : at + row] for at in range(0, row * height, row)])
    header = struct.pack(">IIBBBBB", width, height, _BITS, _RGB, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def ppm(picture: bytes) -> bytes:
    """Return a picture as PPM, without its transparency. Raises PictureError."""
    if not picture.startswith(_SIGNATURE):
        _ppm_parts(picture)
        return picture
    width, height, kind = _header(picture)
    palette, packed = b"", bytearray()
    for name, data in _chunks(picture):
        if name == b"PLTE":
            palette = data
        elif name == b"IDAT":
            packed += data
    samples = _SAMPLES[kind]
    row = samples * width
    try:
        lines = zlib.decompressobj().decompress(packed, (row + 1) * height)
    except zlib.error as error:
        raise PictureError(f"its pixels cannot be decompressed ({error})") from error
    if len(lines) != (row + 1) * height:
        raise PictureError("it is truncated")
    points = bytearray()
    before = bytes(row)
    for at in range(0, len(lines), row + 1):
        before = _unfiltered(lines[at], bytearray(lines[at + 1 : at + 1 + row]), before, samples)
        points += _rgb(before, kind, samples, palette)
    return b"P6\n%d %d\n255\n" % (width, height) + points


def _header(picture: bytes) -> tuple[int, int, int]:
    """Return width, height and colour type of a PNG."""
    if len(picture) < 33 or picture[12:16] != b"IHDR":
        raise PictureError("its header is missing")
    width, height, bits, kind, _compression, _filter, interlaced = struct.unpack(">IIBBBBB", picture[16:29])
    if not width or not height or width * height > _MOST_POINTS:
        raise PictureError(f"{width} x {height} pixels is not the size of a screen")
    if bits != _BITS or kind not in _SAMPLES or interlaced:
        raise PictureError("its pixel format is not supported")
    return width, height, kind


def _chunks(picture: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    at = len(_SIGNATURE)
    while at + 12 <= len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        body = picture[at + 4 : at + 8 + length]
        if len(body) != 4 + length or picture[at + 8 + length : at + 12 + length] != struct.pack(
            ">I", zlib.crc32(body)
        ):
            raise PictureError("it is damaged")
        found.append((body[:4], body[4:]))
        at += 12 + length
    return found


def _unfiltered(kind: int, line: bytearray, before: bytes, samples: int) -> bytes:
    """Return a line of points without its filter; `before` is the line above."""
    if kind == _UP:
        return bytes([(one + above) & 255 for one, above in zip(line, before, strict=True)])
    if kind == 0:
        return bytes(line)
    if kind not in (_SUB, _AVERAGE, _PAETH):
        raise PictureError(f"a line has the unknown filter {kind}")
    for at, above in enumerate(before):
        left = line[at - samples] if at >= samples else 0
        if kind == _SUB:
            guess = left
        elif kind == _AVERAGE:
            guess = (left + above) >> 1
        else:
            guess = _paeth(left, above, before[at - samples] if at >= samples else 0)
        line[at] = (line[at] + guess) & 255
    return bytes(line)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    to_left, to_above, to_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner


def _rgb(line: bytes, kind: int, samples: int, palette: bytes) -> bytes:
    if kind == _RGB:
        return line
    if kind == _PALETTE:
        if 3 * max(line, default=0) + 3 > len(palette):
            raise PictureError("a pixel has no colour")
        return b"".join([palette[3 * one : 3 * one + 3] for one in line])
    if samples == 4:
        return b"".join([line[at : at + 3] for at in range(0, len(line), 4)])
    return b"".join([line[at : at + 1] * 3 for at in range(0, len(line), samples)])


def _ppm_parts(picture: bytes) -> tuple[int, int, bytes]:
    """Return width, height and the points of a PPM."""
    words: list[bytes] = []
    at = 0
    while len(words) < 4:
        # Words, and comments to the end of their line, between blanks.
        while at < len(picture) and picture[at : at + 1].isspace():
            at += 1
        end = at
        if picture[at : at + 1] == b"#":
            at = (picture.find(b"\n", at) + 1) or len(picture)
            continue
        while end < len(picture) and not picture[end : end + 1].isspace():
            end += 1
        if end == at or end - at > 10:
            raise PictureError("it is neither PNG nor PPM")
        words.append(picture[at:end])
        at = end
    if words[0] != _P6 or not all(word.isdigit() for word in words[1:]) or words[3] != b"255":
        raise PictureError("it is neither PNG nor PPM")
    width, height = int(words[1]), int(words[2])
    if not width or not height or width * height > _MOST_POINTS:
        raise PictureError(f"{width} x {height} pixels is not the size of a screen")
    points = picture[at + 1 : at + 1 + 3 * width * height]
    if len(points) != 3 * width * height:
        raise PictureError("it is truncated")
    return width, height, points
