"""Listening sockets: our own, or those that systemd made."""

import errno
import os
import socket

from xman.errors import ConfigurationError
from xman.wire.constants import PORT

# The first descriptor that sd_listen_fds(3) passes.
_FIRST_INHERITED = 3
# Small, so that a flood waits in the kernel's queue of half-open connections and not in ours.
_BACKLOG = 128


def parse_address(text: str) -> tuple[str, int]:
    """Return (host, port) of `192.0.2.1:4373`, `[2001:db8::1]:4373`, `*:4373` or a host without a port.

    `*` stands for every address and becomes `::`. Raises ConfigurationError.
    """
    if not text.strip():
        raise ConfigurationError("listen: an empty text names no address; '*' is every one")
    host, colon, port = text.rpartition(":")
    if text.startswith("[") and text.endswith("]"):
        host, colon, port = text, ":", str(PORT)
    elif not colon:
        host, port = text, str(PORT)
    elif ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ConfigurationError(f"listen: '{text}': write an IPv6 address in brackets, [{text}]:{PORT}")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f"listen: '{text}': '{port}' is not a port")
    host = host.strip("[]")
    return ("::" if host in ("", "*") else host), int(port)


def inherited() -> list[socket.socket]:
    """Return the sockets of sd_listen_fds(3), and forget them, so that no child mistakes them for its own."""
    count, owner = os.environ.pop("LISTEN_FDS", ""), os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not (count.isascii() and count.isdigit()) or owner != str(os.getpid()):
        return []
    sockets = [socket.socket(fileno=_FIRST_INHERITED + n) for n in range(int(count))]
    for sock in sockets:
        os.set_inheritable(sock.fileno(), False)
        sock.setblocking(False)
    return sockets


def listen(addresses: tuple[str, ...]) -> list[socket.socket]:
    """Listen on all `addresses`. Raises ConfigurationError, naming the address."""
    sockets: list[socket.socket] = []
    try:
        for text in addresses:
            host, port = parse_address(text)
            try:
                sockets += _listen(host, port)
            except OSError as error:
                raise ConfigurationError(f"listen: '{text}': {error.strerror or error}") from error
    except ConfigurationError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _listen(host: str, port: int) -> list[socket.socket]:
    if host == "::":
        try:
            return [_bind(socket.AF_INET6, ("::", port))]
        except OSError as error:
            # No IPv6 in this kernel, or switched off: IPv4 alone is what "everywhere" means then.
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            return [_bind(socket.AF_INET, ("0.0.0.0", port))]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # Some resolvers name an address twice.
    wanted = dict.fromkeys((family, address) for family, _type, _protocol, _name, address in found)
    return [_bind(family, address) for family, address in wanted]


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `::` serves IPv4 as well, whatever net.ipv6.bindv6only says.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address[0] == "::" else 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def name(address: object) -> str:
    """Return a socket address as text, `192.0.2.1:40000` or `[2001:db8::1]:40000`, an IPv4 peer always as IPv4."""
    if not isinstance(address, tuple) or len(address) < 2:
        return "unknown"
    host = str(address[0]).removeprefix("::ffff:") if "." in str(address[0]) else str(address[0])
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
