"""Terminals at a portal that runs, with a host of theirs: who sits where, and gets nothing else."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Page, Visitor
from tests.lab.clients.websocket import WebSocket
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for

SECRET = "s" * 32
# The rights of the principal that stands for terminals.
_RIGHTS = """\
[authorize]
methods = ["k5login", "principals"]
[authorize.principals]
"terminals@XMAN.TEST" = ["show", "host", "state", "start", "destroy", "assign", "vnc"]
"""


class Site:
    """A host, and a portal whose proxy is whoever knows the secret."""

    def __init__(self, realm: Realm, directory: Path) -> None:
        keytab, secret = directory / "terminals.keytab", directory / "secret"
        secret.write_text(SECRET)
        realm.add_service("terminals", str(keytab))
        self.host = Daemon(
            realm,
            directory / "host",
            admins=("alice@XMAN.TEST",),
            listen="127.0.0.1:0",
            tables="[batch]\nboot_seconds = 0.01\n" + _RIGHTS,
        )
        self.portal = Portal(
            realm,
            directory / "portal",
            hosts=(FQDN,),
            port=self.host.port,
            collector_keytab=str(keytab),
            tables=f'[proxy]\nsecret_file = "{secret}"\n[terminals]\n'
            '"desk[1-2].lab" = { lab = "economy", profile = "win", address = "10.7.0.[1-2]" }\n',
        )

    def stop(self) -> None:
        """End both."""
        self.portal.stop()
        self.host.stop()


@pytest.fixture(scope="module")
def site(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for this module, whose only machine is the first desk's, and keeps what is written in it."""
    for name in ("desk1", "desk3"):
        realm.add_principal(f"host/{name}.lab", PASSWORD)
    made = Site(realm, tmp_path_factory.mktemp("terminals"))
    try:
        alice = realm.kinit("alice", PASSWORD, "terminals-alice", "-f")
        assert made.host.rxm(alice, "create", "-", stdin=for_test_driver("kept")).status == 0
        assert made.host.rxm(alice, "assign", "kept", "desk1.lab").status == 0
        reader = Visitor(made.portal, alice)

        def known() -> bool:
            return any(row["terminal"] == "desk1.lab" for row in reader.json("/")["domains"])

        wait_for(known, 30, "the report of the machine")
        yield made
    finally:
        made.stop()
    assert "Traceback" not in made.portal.said()


def desk(site: Site, realm: Realm, name: str = "desk1") -> Visitor:
    """Return a browser at a terminal that has its keytab, opened just now."""
    return Visitor(site.portal, realm.kinit(f"host/{name}.lab", PASSWORD, f"terminals-{name}"), delegate=False)


def fetched(visitor: Visitor, path: str = "/terminal?as=json", headers: dict[str, str] | None = None) -> Page:
    """Ask for a machine until there is one, or it is said that there is none."""
    found: list[Page] = []

    def told() -> bool:
        found[:] = [visitor.get(path, headers=headers)]
        return found[0].headers["Retry-After"] != "2"

    wait_for(told, 60, "a machine")
    return found[0]


def test_a_terminal_with_its_keytab_gets_its_machine_and_nothing_else(site: Site, realm: Realm) -> None:
    visitor = desk(site, realm)

    told = fetched(visitor).json()

    assert (told["terminal"], told["lab"], told["machine"]) == ("desk1.lab", "economy", "kept")
    assert visitor.get("/terminal").headers["Location"] == "/terminal/screen"
    shown = visitor.get("/terminal/screen")
    assert shown.status == 200
    assert "<nav" not in shown.text
    assert "form" not in shown.text
    for path in ("/", "/hosts", "/session", f"/hosts/{FQDN}/machines/{told['uuid']}", "/create"):
        assert visitor.get(path).status == 403
    assert Visitor(site.portal).get("/", headers={"Cookie": ""}).status == 401


def test_a_seats_cookie_is_no_session(site: Site, realm: Realm) -> None:
    visitor = desk(site, realm)
    fetched(visitor)
    bare = Visitor(site.portal)
    bare.cookies = dict(visitor.cookies)

    assert bare.get("/").status == 401
    assert bare.get("/terminal?as=json").status == 200
    bare.cookies = {"rxmweb": next(iter(visitor.cookies.values()))}
    assert bare.get("/").status == 401


def test_who_comes_anew_ends_the_seat_before(site: Site, realm: Realm) -> None:
    before = desk(site, realm)
    fetched(before)

    fetched(desk(site, realm))

    bare = Visitor(site.portal)
    bare.cookies = before.cookies
    assert bare.get("/terminal/screen").status == 303
    assert bare.get("/terminal?as=json").status == 401


def opened(site: Site, visitor: Visitor, path: str = "/streams/terminal", **facts: str) -> WebSocket:
    """Ask for a stream as the page does, but for `facts`."""
    page = visitor.get("/terminal/screen").text
    token = page.partition('data-token="')[2].partition('"')[0]
    host = f"{site.portal.name}:{site.portal.port}"
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    token = facts.pop("token", token)
    asked = {"origin": f"http://{host}", "cookie": cookie} | facts
    return WebSocket(("127.0.0.1", site.portal.port), host, path, protocols=("xman.1", f"csrf.{token}"), **asked)


def test_its_stream_is_of_its_machine_and_for_our_page_alone(site: Site, realm: Realm) -> None:
    visitor = desk(site, realm)
    uuid = fetched(visitor).json()["uuid"]

    with contextlib.closing(opened(site, visitor)) as stream:
        assert stream.status == 101
        said = stream.said()
        while "end" not in said:
            said = stream.said()
        # The test driver has no screen to be opened; the host has let the portal ask.
        assert (said["end"], said["code"]) == ("host", 12)
    for facts in (
        {"origin": "http://elsewhere.xman.test"},
        {"cookie": "rxmweb-terminal=guessed"},
        {"token": "guessed"},
        {"path": f"/streams/screen/{FQDN}/{uuid}"},
        {"path": f"/streams/console/{FQDN}/{uuid}"},
    ):
        with contextlib.closing(opened(site, visitor, **facts)) as refused:
            assert refused.status == 403, facts


def behind(address: str, secret: str = SECRET) -> dict[str, str]:
    """Return what a proxy on this machine adds."""
    return {"X-Forwarded-For": address, "X-Rxmweb-Secret": secret}


def test_an_address_alone_gets_nothing_that_keeps_what_is_written(site: Site, realm: Realm) -> None:
    with_keytab = desk(site, realm)
    fetched(with_keytab)

    by_address = fetched(Visitor(site.portal), headers=behind("10.7.0.1"))

    assert by_address.status == 401
    assert by_address.headers["WWW-Authenticate"] == "Negotiate"
    # And who has proved it is not disturbed.
    assert with_keytab.get("/terminal?as=json").status == 200


def test_a_laboratory_without_a_free_machine_says_so_in_both_languages(site: Site) -> None:
    visitor = Visitor(site.portal)

    page = fetched(visitor, "/terminal", behind("10.7.0.2"))

    assert page.status == 503
    assert page.headers["Refresh"] == "15"
    assert "No machine is free" in page.text
    czech = visitor.get("/terminal", headers=behind("10.7.0.2") | {"Accept-Language": "cs"})
    assert "Žádný stroj teď není volný" in czech.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Forwarded-For": "10.7.0.2"},
        {"X-Forwarded-For": "10.7.0.2", "X-Rxmweb-Secret": "x" * 32},
        {"X-Forwarded-For": "10.7.0.2, 10.7.0.9", "X-Rxmweb-Secret": SECRET},
    ],
    ids=["nothing", "no secret", "another secret", "not the last"],
)
def test_who_is_no_terminal_gets_nothing(site: Site, headers: dict[str, str]) -> None:
    page = Visitor(site.portal).get("/terminal?as=json", headers=headers)

    assert page.status == 401
    assert page.headers["WWW-Authenticate"] == "Negotiate"


def test_a_keytab_of_another_host_is_none_of_a_terminal(site: Site, realm: Realm) -> None:
    assert desk(site, realm, "desk3").get("/terminal?as=json").status == 401


def test_what_is_not_there_is_said_to_be_so(site: Site, realm: Realm) -> None:
    visitor = desk(site, realm)
    fetched(visitor)

    assert visitor.get("/terminal?as=exe").status == 404
    assert visitor.get("/terminal?as=rdp").status == 503
    assert visitor.get("/terminal", accept="application/x-virt-viewer").status == 503
