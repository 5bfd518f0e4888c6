"""Unit tests of which hosts may bring guests: by their own keys, of this host's realm, where they are accepted."""

from types import SimpleNamespace

import pytest

from xman import keytab
from xman.between import BETWEEN
from xmand.authorize import peers as module
from xmand.authorize.peers import Peers


@pytest.fixture(autouse=True)
def own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host's keytab has one key."""
    monkeypatch.setattr(keytab, "read", lambda _name: [SimpleNamespace(principal="host/hv1.xman.test@XMAN.TEST")])


def test_one_that_is_accepted_may_what_hosts_ask_of_each_other() -> None:
    grant = Peers(("hv[2-3].xman.test",), "host", "keytab").grant("host/hv3.xman.test@XMAN.TEST")

    assert grant is not None
    assert grant.verbs == frozenset(BETWEEN)


@pytest.mark.parametrize(
    "principal",
    [
        "host/hv4.xman.test@XMAN.TEST",
        "host/hv2.xman.test@OTHER.TEST",
        "HTTP/hv2.xman.test@XMAN.TEST",
        "hv2.xman.test@XMAN.TEST",
        "host/hv[2-3].xman.test@XMAN.TEST",
        "host/hv2.xman.test,hv9.xman.test@XMAN.TEST",
        "host/hv2.xman.test/admin@XMAN.TEST",
        "host/HV2.xman.test@XMAN.TEST",
        "host/hv2.xman.test",
        "host/@XMAN.TEST",
        "@XMAN.TEST",
    ],
)
def test_nobody_else_may(principal: str) -> None:
    assert Peers(("hv[2-3].xman.test",), "host", "keytab").grant(principal) is None


def test_what_is_no_node_set_accepts_nobody() -> None:
    assert Peers(("hv[2-",), "host", "keytab").grant("host/hv2.xman.test@XMAN.TEST") is None


def test_what_is_accepted_is_not_taken_apart_for_each_command(monkeypatch: pytest.MonkeyPatch) -> None:
    # 10,000 hosts take 2.4 ms, several times a command, on the event loop: whoever has any host's key could ask.
    peers = Peers(("hv[1-10000].xman.test",), "host", "keytab")
    monkeypatch.setattr(module, "NodeSet", lambda *_words, **_how: pytest.fail("it was taken apart again"))

    assert peers.grant("host/stranger.xman.test@XMAN.TEST") is None
    assert peers.grant("host/hv9999.xman.test@XMAN.TEST") is not None


def test_where_nobody_is_accepted_no_keytab_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keytab, "read", lambda _name: pytest.fail("it was read"))

    assert Peers((), "host", "keytab").grant("host/hv2.xman.test@XMAN.TEST") is None
