"""How often xmand's libkrb5 reads krb5.conf, of which it may have thousands of lines."""

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import wait_for
from xman.gss import backends, tickets
from xman.gss.python_gssapi_backend import Acceptor

# inotify(7).
_OPENED = 0x20
_EVENT = struct.Struct("iIII")


class Watched:
    """How often a file has been opened, by whomever."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None)
        self._number = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self._number, bytes(path), _OPENED) >= 0

    def opened(self) -> int:
        """Return how often since it was asked before."""
        with contextlib.suppress(BlockingIOError):
            return len(os.read(self._number, 1 << 16)) // _EVENT.size
        return 0

    def close(self) -> None:
        """Look no more."""
        os.close(self._number)


@pytest.fixture
def configuration(realm: Realm, alice: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A krb5.conf that nobody but this test has read."""
    own = tmp_path / "krb5.conf"
    own.write_bytes(Path(realm.env["KRB5_CONFIG"]).read_bytes())
    monkeypatch.setenv("KRB5_CONFIG", str(own))
    monkeypatch.setenv("KRB5CCNAME", alice["KRB5CCNAME"])
    return own


@pytest.fixture
def watched(configuration: Path) -> Iterator[Watched]:
    """The same, watched."""
    made = Watched(configuration)
    yield made
    made.close()


def meet(acceptor: Acceptor) -> None:
    """Authenticate a client, of which nothing is left then."""
    initiator, accepting = backends.initiator().context("host", FQDN), acceptor.context()
    initiator.step(accepting.step(initiator.step(None)))
    assert accepting.complete


def test_for_a_client_that_comes_alone_the_configuration_is_not_read_again(realm: Realm, watched: Watched) -> None:
    acceptor = Acceptor("host", realm.keytab)
    meet(acceptor)
    watched.opened()

    for _ in range(3):
        meet(acceptor)

    assert watched.opened() == 0


def test_what_changes_in_the_configuration_is_felt_all_the_same(realm: Realm, configuration: Path) -> None:
    Acceptor("host", realm.keytab)
    assert tickets.default_realm() == "XMAN.TEST"

    new = configuration.with_suffix(".new")
    new.write_text(configuration.read_text().replace("default_realm = XMAN.TEST", "default_realm = OTHER.TEST"))
    new.rename(configuration)

    wait_for(lambda: tickets.default_realm() == "OTHER.TEST", 20, "the other realm")
