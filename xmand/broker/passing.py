"""Which of libvirt's packets pass in a tunnelled migration: eight procedures, in the one order that makes one. Pure.

Whoever holds the key of another host can say anything here, so what is not named is refused, and what is named is read
to its last octet. A guest's memory is the one thing that passes unread.
"""

from dataclasses import dataclass

from xmand.broker import rpc
from xmand.broker.rpc import Packet, RpcError
from xmand.broker.xdr import Reader, XdrError
from xmand.virt import cookies

# Of virDomainMigrateFlags. Without PAUSED the copy would run as soon as libvirt has it, whatever the source does.
PAUSED = 32
_LIVE, _P2P, _TUNNELLED, _PERSIST, _UNDEFINE, _PROTECT, _ABORT_ON_ERROR, _CONVERGE = 1, 2, 4, 8, 16, 256, 4096, 8192
_FLAGS = _LIVE | _P2P | _TUNNELLED | _PERSIST | _UNDEFINE | PAUSED | _PROTECT | _ABORT_ON_ERROR | _CONVERGE
_XML, _NAME = "destination_xml", "destination_name"
_PARAMETERS = frozenset((_XML, _NAME, "bandwidth"))
_PLAIN = frozenset((rpc.AUTH_LIST, rpc.REGISTER, rpc.UNREGISTER, rpc.CLOSE))
# libvirt asks about some features, and no more often than that; who asks more wants something else.
_MOST_CALLS = 64


@dataclass(frozen=True)
class Judge:
    """A packet that may pass only where the host permits what it describes."""

    descriptions: tuple[str, ...]
    raw: bytes


class Commit:
    """The source says that its libvirt has heard of the end."""


class Coming:
    """What comes from the source, for the migration of the domain `name`, `uuid` to the libvirt called `uri`."""

    def __init__(self, name: str, uuid: str, uri: str) -> None:
        self._name = name
        self._uuid = uuid
        self._uri = uri
        self._packets = rpc.Packets()
        self._calls = 0
        self._opened = self._finishing = False
        # What PREPARE said, and its serial, which its stream has as well.
        self._xml = ""
        self._serial: int | None = None
        self._streaming = False
        # Whether the source has said at the end that it keeps its guest.
        self.called_off = False

    def feed(self, data: bytes) -> None:
        """Add octets."""
        self._packets.feed(data)

    def next(self) -> bytes | Judge | Commit | None:
        """Return what passes next, None while nothing is whole. Raises RpcError for what must not pass."""
        packet = self._packets.next()
        if packet is None:
            return None
        if packet.version != 1:
            raise RpcError(f"version {packet.version} of program {packet.program:#x}")
        if packet.program == rpc.OURS:
            if (packet.procedure, packet.type, packet.status, packet.body) != (rpc.COMMIT, rpc.CALL, rpc.OK, b""):
                raise RpcError("a packet that is not xman's")
            return Commit()
        if packet.program == rpc.KEEPALIVE:
            if packet.procedure not in (1, 2) or packet.type != rpc.MESSAGE or packet.status or packet.body:
                raise RpcError("a sign of life that is none")
            return packet.raw
        if packet.program != rpc.REMOTE:
            raise RpcError(f"program {packet.program:#x}")
        try:
            if packet.type == rpc.STREAM:
                return self._memory(packet)
            if packet.type != rpc.CALL or packet.status != rpc.OK:
                raise RpcError(f"procedure {packet.procedure} with type {packet.type}")
            return self._call(packet)
        except XdrError as error:
            raise RpcError(f"procedure {packet.procedure}: {error}") from error

    def _memory(self, packet: Packet) -> bytes:
        if not self._streaming or (packet.procedure, packet.serial) != (rpc.PREPARE, self._serial):
            raise RpcError("a stream that nobody opened")
        if packet.status not in (rpc.OK, rpc.ERROR, rpc.CONTINUE):
            raise RpcError(f"a stream with status {packet.status}")
        self._streaming = packet.status == rpc.CONTINUE
        return packet.raw

    def _call(self, packet: Packet) -> bytes | Judge:
        self._calls += 1
        if self._calls > _MOST_CALLS:
            raise RpcError(f"more than {_MOST_CALLS} calls")
        body, procedure = Reader(packet.body), packet.procedure
        if procedure == rpc.FEATURE:
            body.unsigned()
        elif procedure == rpc.OPEN:
            name = body.text() if body.flag() else ""
            if name != self._uri or body.unsigned() or self._opened:
                raise RpcError("it opens another driver than this host's")
            self._opened = True
        elif procedure == rpc.PREPARE:
            return self._prepare(packet, body)
        elif procedure == rpc.FINISH:
            return self._finish(packet, body)
        elif procedure not in _PLAIN:
            raise RpcError(f"procedure {procedure}")
        body.end()
        return packet.raw

    def _prepare(self, packet: Packet, body: Reader) -> Judge:
        if not self._opened or self._serial is not None:
            raise RpcError("a migration that begins in the wrong place")
        parameters, cookie, flags = self._parameters(body), body.octets(), body.unsigned()
        body.end()
        _require(flags)
        self._xml = parameters.get(_XML, "")
        if not self._xml:
            raise RpcError("a migration without a description")
        self._serial, self._streaming = packet.serial, True
        return Judge((self._xml, *self._of_cookie(cookie)), packet.raw)

    def _finish(self, packet: Packet, body: Reader) -> bytes | Judge:
        if self._serial is None or self._finishing:
            raise RpcError("a migration that ends in the wrong place")
        parameters, cookie, flags = self._parameters(body), body.octets(), body.unsigned()
        self.called_off = bool(body.unsigned())
        body.end()
        _require(flags)
        if parameters.get(_XML, self._xml) != self._xml:
            raise RpcError("another description at the end than at the begin")
        self._finishing = True
        found = self._of_cookie(cookie)
        return Judge(tuple(found), packet.raw) if found else packet.raw

    def _parameters(self, body: Reader) -> dict[str, str]:
        found = body.parameters()
        if unknown := found.keys() - _PARAMETERS:
            raise RpcError(f"the parameter {min(unknown)[:32]!r}")
        if found.get(_NAME, self._name) != self._name:
            raise RpcError("another name than was asked for")
        return found

    def _of_cookie(self, cookie: bytes) -> list[str]:
        """Return the descriptions in what one libvirt tells the other besides: what is to be kept when it is off."""
        try:
            return cookies.descriptions(cookie, self._name, self._uuid)
        except ValueError as error:
            raise RpcError(str(error)) from error


class Going:
    """What goes back to the source: it passes as it is, and is watched for the end."""

    def __init__(self) -> None:
        self._packets = rpc.Packets()

    def feed(self, data: bytes) -> None:
        """Add octets."""
        self._packets.feed(data)

    def next(self) -> Packet | None:
        """Return the next packet, None while it is not whole. Raises RpcError."""
        return self._packets.next()


def finishes(packet: Packet) -> bool:
    """Whether this asks if the guest has arrived whole, so that it can be given up; not where it calls that off."""
    # Its last word says that.
    asked = (packet.program, packet.procedure, packet.type) == (rpc.REMOTE, rpc.FINISH, rpc.CALL)
    return asked and packet.body[-4:] == bytes(4)


def finished(packet: Packet) -> bool:
    """Whether this tells the source that its guest has arrived whole."""
    return (packet.program, packet.procedure, packet.type, packet.status) == (
        rpc.REMOTE,
        rpc.FINISH,
        rpc.REPLY,
        rpc.OK,
    )


def _require(flags: int) -> None:
    if not flags & PAUSED or flags & ~_FLAGS:
        raise RpcError(f"migration flags {flags:#x}")
