"""Streams of consoles and screens, of a host that says nothing: who gets one, and what pages notice of all of them."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from rxmweb import db
from rxmweb.db import fleet, report
from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor
from tests.lab.clients.websocket import WebSocket
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for
from tests.portal.reports import UUID, domain, line

MACHINE = f"{UUID[:24]}{1:012d}"
OURS = f"/streams/console/{FQDN}/{MACHINE}"


@pytest.fixture(scope="module")
def portal(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal with one thread for pages, and two viewers; its one host takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = Portal(
            realm,
            tmp_path_factory.mktemp("viewers"),
            hosts=(FQDN,),
            port=silent.getsockname()[1],
            settings="threads = 1\nviewers = 2",
            interval=600.0,
        )
        try:
            engine = db.open_store(made.database)

            def known() -> bool:
                fleet.take(engine, [report.read(line(FQDN, domain("vm1", 1)))])
                with engine.connect() as connection:
                    return fleet.domain(connection, FQDN, MACHINE) is not None

            wait_for(known, 30, "its host in the table")
            engine.dispose()
            yield made
        finally:
            made.stop()
        assert "Traceback" not in made.said()


class Reader:
    """Somebody with a session."""

    def __init__(self, portal: Portal, realm: Realm, name: str) -> None:
        self.portal = portal
        self.visitor = Visitor(portal, realm.kinit(name, PASSWORD, f"viewers-{name}", "-f"))
        self.token: str = self.visitor.json("/session")["csrf_token"]
        self.cookie = "; ".join(f"{name}={value}" for name, value in self.visitor.cookies.items())

    def opens(self, path: str = OURS, **facts: str) -> WebSocket:
        """Ask for a stream, as our page does, but for `facts`."""
        host = f"{self.portal.name}:{self.portal.port}"
        token = facts.pop("token", self.token)
        asked = {"origin": f"http://{host}", "cookie": self.cookie} | facts
        protocols = ("xman.1", f"csrf.{token}") if token else ("xman.1",)
        return WebSocket(("127.0.0.1", self.portal.port), host, path, protocols=protocols, **asked)


@pytest.fixture(scope="module")
def alice(portal: Portal, realm: Realm) -> Reader:
    """A reader."""
    return Reader(portal, realm, "alice")


@pytest.fixture(scope="module")
def bob(portal: Portal, realm: Realm) -> Reader:
    """Another one."""
    with contextlib.suppress(Exception):  # another file may have made him
        realm.add_principal("bob", PASSWORD)
    return Reader(portal, realm, "bob")


@pytest.mark.parametrize(
    "facts",
    [
        {"origin": "http://elsewhere.xman.test"},
        {"origin": ""},
        {"origin": "null"},
        {"cookie": ""},
        {"cookie": "rxmweb=guessed"},
        {"token": ""},
        {"token": "guessed"},
        {"path": OURS.replace("console", "other")},
        {"path": f"{OURS[:-1]}2"},
        {"path": "/elsewhere"},
    ],
    ids=lambda facts: "-".join(f"{key}={value}" for key, value in facts.items())[:40],
)
def test_a_stream_is_for_a_page_of_ours_alone(alice: Reader, facts: dict[str, str]) -> None:
    with contextlib.closing(alice.opens(**facts)) as refused:
        assert refused.status == 403


def test_an_origin_of_another_scheme_or_port_is_another_page(alice: Reader, portal: Portal) -> None:
    for origin in (f"https://{portal.name}:{portal.port}", f"http://{portal.name}", f"http://{portal.name}:1"):
        with contextlib.closing(alice.opens(origin=origin)) as refused:
            assert refused.status == 403


def test_another_ones_token_is_none(alice: Reader, bob: Reader) -> None:
    with contextlib.closing(alice.opens(token=bob.token)) as refused:
        assert refused.status == 403


def test_with_as_many_viewers_as_may_be_pages_answer(alice: Reader, bob: Reader) -> None:
    with contextlib.ExitStack() as ends:
        opened = [ends.enter_context(contextlib.closing(alice.opens())) for _ in range(2)]
        assert [one.status for one in opened] == [101, 101]
        with contextlib.closing(bob.opens()) as late:
            assert late.said() == {"end": "full"}

        pages = [bob.visitor.get(path).status for path in ("/", "/hosts", f"/hosts/{FQDN}/machines/{MACHINE}/console")]

        assert pages == [200, 200, 200]
        with contextlib.closing(bob.opens()) as late:
            assert late.said() == {"end": "full"}


def test_a_place_that_was_left_is_given_to_another(alice: Reader, bob: Reader) -> None:
    for _ in range(2):
        alice.opens().close()

    def served() -> bool:
        with contextlib.closing(bob.opens()) as opened:
            opened.hurry()
            return opened.said() != {"end": "full"}

    wait_for(served, 30, "a place")
