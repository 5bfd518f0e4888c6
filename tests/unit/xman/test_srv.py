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
    "_odd._tcp.example.org.": [f"0 0 4373 {name}.example.org." for name in ("h[1-999999999]", "a,b", "*", "c")],
    "_odder._tcp.example.org.": ["0 0 4373 h[1-999999999].example.org."],
    "_many._tcp.example.org.": [f"0 0 4373 h{number}.example.org." for number in range(1000)],
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


def test_a_name_that_would_be_taken_for_many_hosts_is_none() -> None:
    assert srv.lookup("srv:_odd._tcp.example.org") == [Place("c.example.org", 4373)]
    with pytest.raises(UsageError, match="no name there that can be a host's"):
        srv.lookup("srv:_odder._tcp.example.org")


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


def test_the_dns_may_name_a_thousand() -> None:
    found = targets.hosts(Options({}), Settings(hosts="srv:_many._tcp.example.org"))

    assert sorted(found) == sorted(f"h{number}.example.org" for number in range(1000))


def test_another_port_is_said() -> None:
    with pytest.raises(UsageError, match=r"port 9 of a\.example\.org, but rxm uses port 4373; set port"):
        targets.hosts(Options({}), Settings(hosts="srv:_other._tcp.example.org"))


GROUPS = {
    "all": "srv:_xmand._tcp.example.org,c.example.org",
    "room": "@all!c.example.org",
    "away": "srv:_absent._tcp.example.org",
    "own": "d[1-2]",
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@all", ["a.example.org", "b.example.org", "c.example.org"]),
        ("@room", ["a.example.org", "b.example.org"]),
        ("@all&b.example.org", ["b.example.org"]),
        ("x,@all", ["a.example.org", "b.example.org", "c.example.org", "x"]),
        ("@own", ["d1", "d2"]),
    ],
)
def test_groups_may_be_of_those_and_only_what_is_asked_for_is_looked_up(text: str, names: list[str]) -> None:
    assert sorted(targets.hosts(Options({"host": text}), Settings(groups=GROUPS))) == names


def test_a_group_that_the_dns_does_not_know_is_said() -> None:
    for words in (None, ["@away"]):
        with pytest.raises(UsageError, match=r"'srv:_absent\._tcp\.example\.org': the DNS has no such SRV record"):
            targets.hosts(Options({} if words else {"host": "@away"}), Settings(groups=GROUPS), words)


def test_the_port_of_a_group_is_the_one_given() -> None:
    groups = {"other": "srv:_other._tcp.example.org"}

    assert targets.hosts(Options({"host": "@other", "port": "9"}), Settings(groups=groups)) == ["a.example.org"]


@pytest.mark.parametrize(
    "word",
    [
        "ho[1-2]:4374",
        "ho[1-2]",
        "[::1",
        "[portal]:1",
        "x:y:z",
        "a,b",
        "user@portal:1",
        "@portals",
        "p{1..2}",
        "*",
        "(p)",
    ],
)
def test_a_range_or_a_list_is_no_place(word: str) -> None:
    with pytest.raises(UsageError, match="expected HOST, HOST:PORT"):
        srv.place(word, 4374)


@pytest.mark.parametrize("word", ["[fe80::1%eth0]:4374", "fe80::1%eth0", "[2001:db8::1]", "::ffff:192.0.2.1"])
def test_an_address_of_ipv6_is_one(word: str) -> None:
    assert srv.place(word, 4374).host == word.removesuffix(":4374").strip("[]")
