"""A real Xen host with xmand in its Domain-0, called from outside; a second one where a test migrates."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.clients.terminal import Terminal
from tests.lab.hosts.daemon import Answer, run_rxm
from tests.lab.hosts.each_verb import BATCH
from tests.lab.hosts.xen import SAVED, XenHost, why_not
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import free_ports, wait_for

# Domain-0 spends seconds on what takes it milliseconds elsewhere: building a guest blocks libvirt's domain for fifteen,
# a migration takes a minute; and ten times as long on a machine that others load as well.
_BATCH = BATCH.replace("[batch]\n", "[batch]\npark_seconds = 400\n")
_SETTINGS = f"""\
save_dir = "{SAVED}"
{_BATCH}[limits]
read_seconds = 200
change_seconds = 500
[migrate]
allow = ["xen[1-2]"]
uri = "xen+ssh://{{host}}/system"
"""
# What rxm waits for, and what a test waits for rxm and for a guest.
_RXM_SECONDS = 1500
PATIENCE = 600.0
# Whoever looks costs Domain-0 a process.
_INTERVAL = 0.5


def patiently(condition: Callable[[], bool], what: str) -> None:
    """Wait until `condition` holds. Raises TimeoutError naming `what`."""
    wait_for(condition, PATIENCE, what, _INTERVAL)


class Xen:
    """A host, and rxm as somebody who may."""

    def __init__(self, host: XenHost, alice: dict[str, str]) -> None:
        self.host = host
        self._alice = alice

    def rxm(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm, as alice, against this host."""
        options = (*self._options(), "-t", str(_RXM_SECONDS))
        return run_rxm(self._alice, *options, *words, stdin=stdin, seconds=_RXM_SECONDS + PATIENCE)

    def terminal(self, *words: str) -> Terminal:
        """Run rxm, as alice, at a terminal."""
        return Terminal(["rxm", *self._options(), *words], self._alice)

    def _options(self) -> tuple[str, ...]:
        return ("-H", FQDN, "-p", str(self.host.port))

    def does(self, *words: str, stdin: str = "") -> dict[str, Any]:
        """Run rxm; it has to succeed. Return the result's data."""
        answer = self.rxm("-j", *words, stdin=stdin)
        assert answer.status == 0, (words, answer, self.host.journal()[-2000:])
        data: dict[str, Any] = answer.json()["result"]
        return data

    def state(self, name: str) -> str:
        """Return the state that `list` shows; empty where there is no such domain."""
        rows = {row["name"]: row["state"] for row in self.rxm("-j", "list").json()["result"]["domains"]}
        return str(rows.get(name, ""))


class Lab:
    """Both hosts; the second boots when it is asked for."""

    def __init__(self, realm: Realm, alice: dict[str, str], directory: Path) -> None:
        self._realm = realm
        self._alice = alice
        self._directory = directory
        self._link = free_ports(2)
        self._hosts: dict[int, Xen] = {}

    def host(self, number: int) -> Xen:
        """Return xen1 or xen2."""
        if number not in self._hosts:
            booted = XenHost(self._directory / f"xen{number}", number, self._link)
            self._hosts[number] = Xen(booted, self._alice)
            booted.wait_until_up()
            booted.start_xmand(self._realm, "alice@XMAN.TEST", settings=_SETTINGS)
        return self._hosts[number]

    def stop(self) -> None:
        """End both."""
        for xen in self._hosts.values():
            xen.host.stop()


@pytest.fixture(scope="session")
def lab(realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The hosts of the whole run."""
    if reason := why_not():
        pytest.skip(reason)
    made = Lab(realm, alice, tmp_path_factory.mktemp("lab"))
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def xen(lab: Lab) -> Iterator[Xen]:
    """The first host."""
    first = lab.host(1)
    yield first
    assert "Traceback" not in first.host.journal()
