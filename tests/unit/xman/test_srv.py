"""Hosts that the DNS names, by a name server of our own."""

import socket
import threading
from collections.abc import Iterator

import pytest

from rxm import targets
from rxm.options import Options
from rxm.settings import Settings
from xman import srv
from xman.errors import UnreachableError, UsageError
from xman.srv import Place

dns_message = pytest.importorskip("dns.message")
dns_resolver = pytest.importorskip("dns.resolver")
dns_rrset = pytest.importorskip("dns.rrset")

_ZONE = {
    "_xmand._tcp.example.org.": ["1 10 4373 b.example.org.", "0 10 4373 a.example.org."],
    "_even._tcp.example.org.": ["0 50 4374 a.example.org.", "0 50 4374 b.example.org."],
    "_other._tcp.example.org.": ["0 0 9 a.example.org."],
    "_none._tcp.example.org.": ["0 0 0 ."],
}


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A name server on this machine; its port."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                octets, who = listening.recvfrom(4096)
            except OSError:
                return
            if not octets:
                return
            asked = dns_message.from_wire(octets)
            answer = dns_message.make_response(asked)
            name = str(asked.question[0].name)
            if name in _ZONE:
                answer.answer.append(dns_rrset.from_text(name, 60, "IN", "SRV", *_ZONE[name]))
            else:
                answer.set_rcode(3)
            listening.sendto(answer.to_wire(), who)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = listening.getsockname()[1]
    yield port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", ("127.0.0.1", port))
    thread.join(5)
    listening.close()


@pytest.fixture(autouse=True)
def resolver(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask our server alone."""
    made = dns_resolver.Resolver(configure=False)
    made.nameservers, made.port, made.cache = ["127.0.0.1"], server, None
    monkeypatch.setattr(dns_resolver, "default_resolver", made)


def test_the_order_is_that_of_priorities() -> None:
    assert srv.lookup("srv:_xmand._tcp.example.org") == [Place("a.example.org", 4373), Place("b.example.org", 4373)]


def test_of_one_priority_it_is_drawn_by_lot() -> None:
    first = {srv.lookup("srv:_even._tcp.example.org")[0].host for _ in range(64)}

    assert first == {"a.example.org", "b.example.org"}


@pytest.mark.parametrize(
    "word", ["srv:_none._tcp.example.org", "srv:_absent._tcp.example.org", "srv:example.org", "srv:"]
)
def test_where_there_is_none(word: str) -> None:
    with pytest.raises(UsageError, match="srv:"):
        srv.lookup(word)


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        made = dns_resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], silent.getsockname()[1]
        monkeypatch.setattr(dns_resolver, "default_resolver", made)
        monkeypatch.setattr(srv, "_SECONDS", 0.2)

        with pytest.raises(UnreachableError, match="does not answer"):
            srv.lookup("srv:_xmand._tcp.example.org")


def test_rxms_hosts_may_be_those() -> None:
    settings = Settings(hosts="srv:_xmand._tcp.example.org,c.example.org")

    assert targets.hosts(Options({}), settings) == ["a.example.org", "b.example.org", "c.example.org"]


def test_another_port_is_said() -> None:
    with pytest.raises(UsageError, match=r"port 9 of a\.example\.org, and hosts are asked on 4373: set port"):
        targets.hosts(Options({}), Settings(hosts="srv:_other._tcp.example.org"))
