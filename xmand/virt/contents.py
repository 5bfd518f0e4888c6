"""What a volume holds, by libvirt's streams: written from its second part to its end, and its head last; and read.

As long as its head is missing no program takes it for an image: a transfer that is cut leaves nothing that looks whole,
whatever ends first.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from xman.errors import HypervisorError, RefusedError
from xman.transfer import MOST_HOLE
from xmand.virt import images, in_place, pools, room, volumes
from xmand.virt.binding import api
from xmand.virt.errors import UNSUPPORTED, code_of, reading
from xmand.virt.volumes import Volume

# What is kept back to the end: the headers of qcow2, of a disk's partitions, and of a CD's file system.
HEAD = 64 * 1024
# What is handed to libvirt, and asked of it, at a time.
_PIECE = 256 * 1024
_HOLE_HERE = -3


class Writing:
    """One volume that is written, `length` octets in all. Methods block; not for several threads at a time."""

    def __init__(self, volume: Volume, length: int) -> None:
        self._volume = volume
        self._length = length
        self._head = bytearray()
        self._stream: Any = None
        self._path = ""
        # Where libvirt has no streams with holes (its pool's kind, or its age), zeros are written.
        self._sparse = True

    def blank(self) -> None:
        """Write zeros where the head is to be: a device has what it had before."""
        stream = self._opened(0, min(HEAD, self._length))
        with volumes.changing(self._volume.connection, self._volume.name):
            _send_all(stream, bytes(min(HEAD, self._length)))
            stream.finish()

    def add(self, data: bytes) -> None:
        """Write the next octets. Raises what libvirt does, RefusedError for an image that needs another one."""
        if len(self._head) < HEAD:
            room = HEAD - len(self._head)
            self._head += data[:room]
            data = data[room:]
            self._look()
        for at in range(0, len(data), _PIECE):
            self._send(data[at : at + _PIECE])

    def skip(self, length: int) -> None:
        """Leave out the next octets, which are zeros."""
        if len(self._head) < HEAD:
            room = min(length, HEAD - len(self._head))
            self._head += bytes(room)
            length -= room
            self._look()
        if length and self._sparse:
            stream = self._open()
            if self._sparse:
                with volumes.changing(self._volume.connection, self._volume.name):
                    stream.sendHole(length, 0)
                return
        while length:
            step = min(length, _PIECE)
            self._send(bytes(step))
            length -= step

    def end(self) -> None:
        """Write the head, which makes it whole. Raises what libvirt does."""
        self._look(whole=True)
        if self._stream is not None:
            with volumes.changing(self._volume.connection, self._volume.name):
                self._stream.finish()
            self._stream = None
        stream = self._opened(0, len(self._head))
        with volumes.changing(self._volume.connection, self._volume.name):
            _send_all(stream, bytes(self._head))
            stream.finish()

    def abort(self) -> None:
        """Give it up."""
        if self._stream is not None:
            let_go(self._stream)
            self._stream = None

    def _look(self, *, whole: bool = False) -> None:
        """Refuse an image that is none without another one, once its head is there."""
        if (whole or len(self._head) == HEAD) and images.needs_another(bytes(self._head)):
            raise RefusedError(
                "The image is an overlay: it leads to another file, which is not here. Make one that stands for"
                " itself (qemu-img convert -O qcow2)."
            )

    def _send(self, data: bytes) -> None:
        stream = self._open()
        room.require(self._path, len(data))
        with volumes.changing(self._volume.connection, self._volume.name):
            _send_all(stream, data)

    def _open(self) -> Any:
        if self._stream is None:
            self._stream = self._opened(HEAD, self._length - HEAD)
        return self._stream

    def _opened(self, offset: int, length: int) -> Any:
        connection = self._volume.connection
        self._path = self._path or self._volume.path()
        room.require(self._path, min(length, HEAD))
        with volumes.changing(connection, self._volume.name):
            return in_place.opened(
                pools.folder_of(self._volume),
                self._path,
                lambda: self._stream_to(offset, length),
                let_go,
                links=False,
            )

    def _stream_to(self, offset: int, length: int) -> Any:
        connection = self._volume.connection
        stream = connection.newStream(0)
        try:
            flags = api.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM if self._sparse else 0
            self._volume.raw.upload(stream, offset, length, flags)
        except api.libvirtError as error:
            if not self._sparse or code_of(error) not in UNSUPPORTED:
                raise
            self._sparse = False
            stream = connection.newStream(0)
            self._volume.raw.upload(stream, offset, length, 0)
        return stream


def _send_all(stream: Any, data: bytes) -> None:
    while data:
        data = data[stream.send(data) :]


def let_go(stream: Any) -> None:
    """Give up one of libvirt's streams, whatever it says to that."""
    with contextlib.suppress(api.libvirtError):
        stream.abort()


class Reading:
    """One volume that is read, `length` octets from its beginning.

    Iterate: data as it is, or the length of a hole, at most `MOST_HOLE`.
    """

    def __init__(self, volume: Volume, length: int) -> None:
        self._volume = volume
        self._left = length
        self._stream: Any = None

    def __iter__(self) -> Iterator[bytes | int]:
        """Blocks in each step.

        Raises what libvirt does, RefusedError where its path leads elsewhere than into its pool (`in_place`), and
        HypervisorError where the volume ends too early.
        """
        with reading():
            folder, path = pools.folder_of(self._volume), self._volume.path()
            self._stream = in_place.opened(folder, path, self._opened, let_go)
        while self._left:
            with reading():
                found = self._stream.recvFlags(min(_PIECE, self._left), api.VIR_STREAM_RECV_STOP_AT_HOLE)
                if found == _HOLE_HERE:
                    found = min(int(self._stream.recvHole(0)), self._left)
            if not found:
                raise HypervisorError(f"The volume '{self._volume.name}' has ended {self._left} octets too early.")
            self._left -= found if isinstance(found, int) else len(found)
            if not isinstance(found, int):
                yield found
                continue
            for at in range(0, found, MOST_HOLE):
                yield min(MOST_HOLE, found - at)
        # Whatever comes behind it, what was asked for is here.
        with contextlib.suppress(api.libvirtError):
            self._stream.finish()
        self._stream = None

    def close(self) -> None:
        """Give it up."""
        if self._stream is not None:
            let_go(self._stream)
            self._stream = None

    def _opened(self) -> Any:
        connection = self._volume.connection
        try:
            stream = connection.newStream(0)
            self._volume.raw.download(stream, 0, self._left, api.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
        except api.libvirtError as error:
            if code_of(error) not in UNSUPPORTED:
                raise
            stream = connection.newStream(0)
            self._volume.raw.download(stream, 0, self._left, 0)
        return stream
