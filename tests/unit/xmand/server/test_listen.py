"""Where xmand listens: addresses, inherited sockets, and hosts without IPv6."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from xman.errors import ConfigurationError
from xmand.server import listen

_PATIENCE = 5.0


def has_ipv6() -> bool:
    """Whether this machine's kernel has a loopback address of IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    """Sockets that are closed in the end."""
    sockets: list[socket.socket] = []
    yield sockets
    for sock in sockets:
        sock.close()


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[::]:4373", ("::", 4373)),
        ("[2001:db8::1]:4374", ("2001:db8::1", 4374)),
        ("[2001:db8::1]", ("2001:db8::1", 4373)),
        ("192.0.2.1:4374", ("192.0.2.1", 4374)),
        ("192.0.2.1", ("192.0.2.1", 4373)),
        ("skirit80.example.org:1", ("skirit80.example.org", 1)),
        ("localhost", ("localhost", 4373)),
        ("*:4374", ("::", 4374)),
        ("*", ("::", 4373)),
        (":4374", ("::", 4374)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("127.0.0.1:65535", ("127.0.0.1", 65535)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert listen.parse_address(text) == address


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_text_is_no_address(text: str) -> None:
    with pytest.raises(ConfigurationError, match="names no address"):
        listen.parse_address(text)


@pytest.mark.parametrize("text", ["::1", "2001:db8::1:4373", "::"])
def test_an_ipv6_address_needs_its_brackets(text: str) -> None:
    with pytest.raises(ConfigurationError, match="write an IPv6 address in brackets"):
        listen.parse_address(text)


@pytest.mark.parametrize("port", ["65536", "x", "-1", "", " 1", "²", "1.5"])
def test_a_port_is_a_port(port: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{port}' is not a port"):
        listen.parse_address(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (("192.0.2.1", 40000), "192.0.2.1:40000"),
        (("2001:db8::1", 40000, 0, 0), "[2001:db8::1]:40000"),
        (("::ffff:192.0.2.1", 40000, 0, 0), "192.0.2.1:40000"),
        (("::1", 1, 0, 0), "[::1]:1"),
        ("", "unknown"),
        (None, "unknown"),
        ("/run/socket", "unknown"),
        ((), "unknown"),
    ],
)
def test_names_of_peers(address: object, name: str) -> None:
    assert listen.name(address) == name


# --- inherited sockets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "owner"),
    [
        (None, None),
        ("1", None),
        (None, "self"),
        ("1", "1"),
        ("1", "self "),
        ("1", ""),
        ("", "self"),
        ("x", "self"),
        ("-1", "self"),
        ("²", "self"),
        ("0", "self"),
    ],
)
def test_sockets_that_are_not_ours_are_not_taken(
    monkeypatch: pytest.MonkeyPatch, count: str | None, owner: str | None
) -> None:
    for name, value in (("LISTEN_FDS", count), ("LISTEN_PID", owner)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value.replace("self", str(os.getpid())))
    monkeypatch.setenv("LISTEN_FDNAMES", "xmand.socket")

    assert listen.inherited() == []
    assert not {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} & set(os.environ)


def test_the_sockets_of_systemd_are_taken_and_forgotten(
    monkeypatch: pytest.MonkeyPatch, opened: list[socket.socket]
) -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        port = made.getsockname()[1]
        descriptor = made.detach()
    os.set_inheritable(descriptor, True)
    monkeypatch.setattr(listen, "_FIRST_INHERITED", descriptor)
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))

    opened += listen.inherited()

    assert [sock.getsockname() for sock in opened] == [("127.0.0.1", port)]
    assert not opened[0].getblocking()
    assert not os.get_inheritable(descriptor)
    assert listen.inherited() == []


# --- listening --------------------------------------------------------------------------------------------------------


def connects(family: int, host: str, sock: socket.socket) -> bool:
    """Whether a client gets through to `sock`."""
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(_PATIENCE)
        try:
            client.connect((host, sock.getsockname()[1]))
        except OSError:
            return False
    return True


@needs_ipv6
@pytest.mark.parametrize("text", ["[::]:0", "*:0"])
def test_everywhere_is_ipv4_and_ipv6(text: str, opened: list[socket.socket]) -> None:
    opened += listen.listen((text,))

    assert len(opened) == 1
    assert connects(socket.AF_INET, "127.0.0.1", opened[0])
    assert connects(socket.AF_INET6, "::1", opened[0])


@needs_ipv6
def test_an_ipv6_address_is_ipv6_only(opened: list[socket.socket]) -> None:
    opened += listen.listen(("[::1]:0",))

    assert connects(socket.AF_INET6, "::1", opened[0])
    assert opened[0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_several_addresses(opened: list[socket.socket]) -> None:
    opened += listen.listen(("127.0.0.1:0", "127.0.0.2:0"))

    assert [sock.getsockname()[0] for sock in opened] == ["127.0.0.1", "127.0.0.2"]
    assert not any(sock.getblocking() for sock in opened)


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_where_ipv6_is_off_everywhere_is_ipv4(
    monkeypatch: pytest.MonkeyPatch, opened: list[socket.socket], number: int
) -> None:
    plain_bind = listen._bind

    def bind_without_ipv6(family: int, address: tuple[object, ...]) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(number, os.strerror(number))
        return plain_bind(family, address)

    monkeypatch.setattr(listen, "_bind", bind_without_ipv6)

    opened += listen.listen(("[::]:0",))

    assert [sock.getsockname()[0] for sock in opened] == ["0.0.0.0"]
    assert connects(socket.AF_INET, "127.0.0.1", opened[0])


def test_another_failure_is_not_taken_for_missing_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind_in_vain(family: int, address: tuple[object, ...]) -> socket.socket:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(listen, "_bind", bind_in_vain)

    with pytest.raises(ConfigurationError, match=r"^listen: '\[::\]:1': Permission denied$"):
        listen.listen(("[::]:1",))


def test_an_address_in_use_is_named_and_the_others_are_let_go(opened: list[socket.socket]) -> None:
    opened += listen.listen(("127.0.0.1:0",))
    port = opened[0].getsockname()[1]

    with pytest.raises(ConfigurationError, match=f"^listen: '127.0.0.1:{port}': Address already in use$"):
        listen.listen((f"127.0.0.2:{port}", f"127.0.0.1:{port}"))

    opened += listen.listen((f"127.0.0.2:{port}",))
    assert len(opened) == 2


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^listen: '192\.0\.2\.1:1': "):
        listen.listen(("192.0.2.1:1",))
