"""The portal's server under clients that are slow, silent or many: they cost nobody else anything."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rxmweb.web import bridge, serve
from rxmweb.web.bridge import environ
from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor
from tests.lab.hosts.hypervisor import why_not
from tests.lab.kerberos.realm import Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import children_of, end, wait_for

_HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: "
_HALF_BODY = b"POST /actions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc"
# The server as it is, but with deadlines for which a test can wait.
_HURRY = """\
import sys
from rxmweb import cli
from rxmweb.web import bounded, bridge, serve
bounded.HEAD_SECONDS = bounded.HANDSHAKE_SECONDS = serve.KEEP_ALIVE_SECONDS = 1.0
bridge.BODY_SECONDS = 2.0
del sys.argv[0]
cli.main()
"""
_HASTY = (sys.executable, "-c", _HURRY, "rxmweb")
# What its unit takes from it: memory that becomes a program (MemoryDenyWriteExecute=, prctl(2)), capabilities,
# privileges, and every place to write but its own.
_MDWE, _REFUSE_EXEC_GAIN = 65, 1
_NO_PROGRAMS = f"""\
import ctypes, sys
from rxmweb import cli
if ctypes.CDLL(None, use_errno=True).prctl({_MDWE}, {_REFUSE_EXEC_GAIN}, 0, 0, 0):
    sys.exit("prctl: this kernel cannot refuse it")
del sys.argv[0]
cli.main()
"""
_READ_ONLY = """\
mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro / &&
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""
_PATIENCE_SECONDS = 20.0


@pytest.fixture(scope="module")
def portal(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal without hosts that answer, with two threads for its pages."""
    directory = tmp_path_factory.mktemp("server")
    made = Portal(realm, directory, hosts=("nowhere.xman.test",), port=1, settings="threads = 2", interval=60.0)
    yield made
    made.stop()
    assert "Traceback" not in made.said()


@pytest.fixture(scope="module")
def alice(portal: Portal, realm: Realm) -> Visitor:
    """A reader with a session."""
    visitor = Visitor(portal, realm.kinit("alice", PASSWORD, "server-alice", "-f"))
    visitor.json("/session")
    return visitor


def connect(portal: Portal, octets: bytes = b"") -> socket.socket:
    """Open a socket and send so much."""
    made = socket.create_connection(("127.0.0.1", portal.port), timeout=_PATIENCE_SECONDS)
    made.sendall(octets)
    return made


def closes(opened: socket.socket) -> bool:
    """Wait for the server's end of a connection, whatever it says before; whether it came in time."""
    try:
        while opened.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("octets", [_HALF_HEAD, _HALF_BODY, b""], ids=["half a head", "half a body", "nothing"])
def test_forty_sockets_that_say_no_more_cost_nobody(portal: Portal, alice: Visitor, octets: bytes) -> None:
    silent = [connect(portal, octets) for _ in range(40)]
    try:
        began = time.monotonic()
        for _ in range(10):
            assert alice.get("/hosts").status == 200
        assert time.monotonic() - began < 5.0
    finally:
        for one in silent:
            one.close()


@pytest.fixture(scope="module")
def hasty(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal that gives clients a second for what they otherwise have fifteen for."""
    directory = tmp_path_factory.mktemp("hasty")
    made = Portal(realm, directory, hosts=("nowhere.xman.test",), port=1, interval=60.0, program=_HASTY)
    yield made
    made.stop()
    assert "Traceback" not in made.said()


@pytest.mark.parametrize("octets", [_HALF_HEAD, _HALF_BODY], ids=["half a head", "half a body"])
def test_half_a_request_is_ended(hasty: Portal, octets: bytes) -> None:
    with connect(hasty, octets) as half:
        # An octet now and then is no whole request either.
        ending = threading.Event()

        def trickle() -> None:
            while not ending.wait(0.1):
                try:
                    half.sendall(b"a")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            assert closes(half)
        finally:
            ending.set()
            thread.join()


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["at all", "any more"])
def test_a_connection_on_which_nothing_comes_is_ended(hasty: Portal, before: bytes) -> None:
    with connect(hasty, before) as idle:
        assert closes(idle)


def test_a_head_beyond_all_tickets_is_refused_and_one_with_many_groups_is_not(portal: Portal) -> None:
    assert Visitor(portal).get("/", headers={"Authorization": "Negotiate " + "A" * 65536}).status == 401
    with connect(portal, b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"A" * 200_000) as endless:
        assert b" 400 " in endless.recv(100) or closes(endless)


def test_more_than_two_mebibytes_are_too_much(alice: Visitor) -> None:
    page = alice.post("/confirm", {"verb": "pause", "target": "x" * (3 << 20)})

    assert page.status == 413
    assert "The request is too large" in page.text


def test_what_is_asked_of_a_hung_host_does_not_keep_pages_waiting(realm: Realm, tmp_path: Path) -> None:
    """Nobody accepts there: the backlog takes the connections, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        made = Portal(
            realm,
            tmp_path / "portal",
            hosts=("localhost",),
            port=hung.getsockname()[1],
            settings="threads = 2",
            interval=60.0,
        )
        try:
            visitor = Visitor(made, realm.kinit("alice", PASSWORD, "server-hung", "-f"))
            visitor.json("/session")
            found: list[int] = []
            asking = [
                threading.Thread(target=lambda: found.append(visitor.get("/hosts/localhost/ask/info").status))
                for _ in range(16)
            ]
            for thread in asking:
                thread.start()
            began = time.monotonic()
            for _ in range(5):
                assert visitor.get("/").status == 200
            assert time.monotonic() - began < 5.0
            for thread in asking:
                thread.join()
            # Four of one host's at a time; who comes when those are taken is asked to come again.
            assert set(found) == {200, 503}
            assert found.count(200) <= 8
        finally:
            made.stop()


def test_half_a_handshake_costs_nobody_and_is_ended(realm: Realm, tmp_path: Path) -> None:
    alice_env = realm.kinit("alice", PASSWORD, "server-tls", "-f")
    made = Portal(
        realm,
        tmp_path / "portal",
        hosts=("nowhere.xman.test",),
        port=1,
        https=True,
        interval=60.0,
        program=_HASTY,
    )
    hello, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(hello, out, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    begun = out.read()[:100]
    with contextlib.ExitStack() as opened:
        opened.callback(made.stop)
        half = [opened.enter_context(connect(made, begun)) for _ in range(40)]

        assert Visitor(made, alice_env).json("/session")["principal"] == "alice@XMAN.TEST"
        assert all(closes(one) for one in half)


def test_it_serves_in_what_its_unit_leaves_it(realm: Realm, tmp_path: Path) -> None:
    """Kerberos' and SSL's libraries, uvicorn and SQLite: none makes programs of memory, or writes elsewhere."""
    if reason := why_not() or _refuses_nothing():
        pytest.skip(reason)
    alice_env = realm.kinit("alice", PASSWORD, "server-unit", "-f")
    made = Portal(
        realm,
        tmp_path / "portal",
        hosts=("nowhere.xman.test",),
        port=1,
        https=True,
        interval=60.0,
        # In place of a /var/tmp of its own.
        env={"KRB5RCACHEDIR": str(tmp_path)},
        prefix=("unshare", "--mount", "bash", "-c", _READ_ONLY, str(tmp_path)),
        program=(sys.executable, "-c", _NO_PROGRAMS, "rxmweb"),
    )
    try:
        alice = Visitor(made, alice_env)

        assert alice.json("/session")["principal"] == "alice@XMAN.TEST"
        assert alice.get("/").status == 200
        wait_for(lambda: "nowhere.xman.test" in alice.get("/hosts").text, _PATIENCE_SECONDS, "what the worker writes")
        assert "Traceback" not in made.said()
    finally:
        made.stop()


def _refuses_nothing() -> str:
    program = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).prctl({_MDWE}, {_REFUSE_EXEC_GAIN}, 0, 0, 0))"
    tried = subprocess.run([sys.executable, "-c", program], check=False)
    return "this kernel cannot refuse memory that becomes a program (Linux 6.3)" if tried.returncode else ""


def test_a_websocket_is_refused(portal: Portal) -> None:
    asked = (
        b"GET /live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with connect(portal, asked) as socket_:
        assert b" 403 " in socket_.recv(1000)


def test_an_open_page_hears_of_changes_and_nobody_else_does(portal: Portal, alice: Visitor) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in alice.cookies.items()).encode()
    with connect(portal, b"GET /live HTTP/1.1\r\nHost: x\r\nCookie: " + cookie + b"\r\n\r\n") as page:
        heard = b""
        while b"event: news" not in heard:
            heard += page.recv(65536)
    with connect(portal, b"GET /live HTTP/1.1\r\nHost: x\r\nCookie: rxmweb=guess\r\n\r\n") as stranger:
        refused = stranger.recv(1000)

    assert b"text/event-stream" in heard
    assert b'"fleet"' in heard
    assert b" 401 " in refused.partition(b"\r\n")[0]


def test_one_ticket_is_one_session_however_often_it_is_shown(portal: Portal, realm: Realm) -> None:
    env = realm.kinit("mallory", PASSWORD, "server-mallory", "-f")
    tickets = portal.run_dir / "tickets"
    Visitor(portal, env).json("/session")
    before = len(list(tickets.iterdir()))

    tokens = {Visitor(portal, env).json("/session")["csrf_token"] for _ in range(10)}

    assert len(tokens) == 1
    assert len(list(tickets.iterdir())) == before


@pytest.mark.parametrize("delegate", [True, False])
def test_two_tickets_got_in_one_second_are_two_sessions(portal: Portal, realm: Realm, delegate: bool) -> None:
    envs = [realm.kinit("mallory", PASSWORD, f"server-mallory-{number}", "-f") for number in range(2)]

    tokens = [Visitor(portal, env, delegate=delegate).json("/session")["csrf_token"] for env in envs for _ in range(2)]

    assert tokens[0] == tokens[1]
    assert tokens[2] == tokens[3]
    assert tokens[0] != tokens[2]


def test_pages_are_sent_compressed_to_who_takes_that(portal: Portal, alice: Visitor) -> None:
    with connect(portal, b"GET /static/portal.css HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n") as asked:
        head = asked.recv(65536).partition(b"\r\n\r\n")[0].lower()

    assert b"content-encoding: gzip" in head
    assert b"accept-encoding" in head.partition(b"vary:")[2]
    assert "Content-Encoding" not in alice.get("/hosts").headers


def test_it_ends_in_order_and_promptly(realm: Realm, tmp_path: Path) -> None:
    made = Portal(realm, tmp_path / "portal", hosts=("nowhere.xman.test",), port=1, interval=60.0, processes=2)
    try:
        with connect(made) as idle:
            assert end(made.server, 15.0) == 0
            assert closes(idle)
    finally:
        made.stop()


def test_a_process_that_dies_is_replaced(realm: Realm, tmp_path: Path) -> None:
    made = Portal(realm, tmp_path / "portal", hosts=("nowhere.xman.test",), port=1, interval=60.0, processes=2)
    try:
        wait_for(lambda: len(children_of(made.server.pid)) == 2, 20, "both processes")
        before = children_of(made.server.pid)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_for(
            lambda: len(children_of(made.server.pid)) == 2 and not set(before) & set(children_of(made.server.pid)),
            20,
            "others in their places",
        )
        wait_for(lambda: Visitor(made).get("/healthz").status in (200, 503), 20, "an answer")
    finally:
        made.stop()


def scope(*headers: tuple[bytes, bytes], client: str = "127.0.0.1") -> dict[str, object]:
    """Return what uvicorn says of a request."""
    return {
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": (client, 4711),
        "headers": list(headers),
    }


def test_a_header_with_an_underscore_is_nobodys() -> None:
    env = environ(scope((b"x_rxmweb_user", b"alice@R"), (b"x-rxmweb-user", b"bob@R")), b"")

    assert env["HTTP_X_RXMWEB_USER"] == "bob@R"


@pytest.mark.parametrize(("client", "scheme"), [("127.0.0.1", "https"), ("10.0.0.1", "http")])
def test_only_a_proxy_on_this_machine_says_that_the_browser_has_https(client: str, scheme: str) -> None:
    assert environ(scope((b"x-forwarded-proto", b"https"), client=client), b"")["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/hosts/h1/ask/info", "h1"),
        ("GET", "/hosts/h1/machines/u/description", "h1"),
        ("GET", "/hosts/h1/machines/u", ""),
        ("GET", "/hosts/h1", ""),
        ("POST", "/create", "create"),
        ("GET", "/create", ""),
        ("POST", "/launch", "launch"),
        ("GET", "/launch", ""),
        ("GET", "/images", "images"),
        ("GET", "/hosts/h1/machines/u/devices", "h1"),
        ("POST", "/hosts/h1/machines/u/confirm", "h1"),
        ("POST", "/sign-on", "kdc"),
        ("GET", "/sign-on", ""),
    ],
)
def test_what_asks_a_host_is_told_by_its_path(method: str, path: str, asked: str) -> None:
    assert serve.asked_host(method, path) == asked


def test_a_full_house_says_when_to_come_again() -> None:
    status, headers, text = bridge._busy()

    assert status == 503
    assert dict(headers)[b"retry-after"] == b"5"
    assert b"busy" in text


def test_a_head_whose_body_is_none_ends_the_connection_without_a_traceback(portal: Portal) -> None:
    """Its refusal has a body, which an answer to HEAD cannot have."""
    head = b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with contextlib.closing(connect(portal, head + b"x" * 200_000)) as one:
        assert closes(one)

    assert "Traceback" not in portal.said()
