"""Debian's xendomains in Domain-0, with the links in front of Xen's own xl: starts, saves, restores, shuts down."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.hosts.xen import LINKS, SAVED, XenGuest
from tests.lab.kerberos.realm import FQDN
from tests.xen.conftest import Xen, patiently
from tests.xen.test_guests import goes_on

# The machine's name to xendomains alone: xmand's key is for the name by which it is called from outside.
_AS = f"hostname {FQDN} && exec env PATH={LINKS}:$PATH KRB5CCNAME=FILE:/root/cc SYSTEMCTL_SKIP_REDIRECT=true"


class Domain0:
    """Domain-0 with the links, and root with alice's tickets."""

    def __init__(self, xen: Xen, tickets: Path) -> None:
        self.xen = xen
        host = xen.host
        # Its KDC is out of its sight: what alice has for the host is enough.
        host.put_octets("cat >/root/cc && chmod 600 /root/cc", tickets.read_bytes())
        host.must(f"grep -q {FQDN} /etc/hosts || echo 127.0.1.1 {FQDN} >>/etc/hosts")
        # Its script does nothing where systemd would not start it.
        host.must("systemctl unmask xendomains && mkdir -p /etc/xen/auto")

    def run(self, *words: str) -> str:
        """Run a program that has to succeed; return what it printed."""
        return self.xen.host.must("unshare", "--uts", "sh", "-c", shlex.quote(f"{_AS} {shlex.join(words)}"))

    def xendomains(self, word: str) -> str:
        """Run it."""
        return self.run("/etc/init.d/xendomains", word)

    def running(self) -> list[str]:
        """Return the guests that Xen's own xl has."""
        rows = self.xen.host.must("xl", "list").splitlines()[1:]
        return [name for row in rows if (name := row.split()[0]) != "Domain-0"]

    def saved(self) -> list[str]:
        """Return the files of guests that are saved."""
        return self.xen.host.must("ls", SAVED).split()


@pytest.fixture
def domain_0(xen: Xen, alice: dict[str, str]) -> Iterator[Domain0]:
    """Domain-0, as it was found in the end."""
    xen.does("list")  # by now alice has a ticket for the host
    made = Domain0(xen, Path(alice["KRB5CCNAME"].removeprefix("FILE:")))
    yield made
    xen.host.run(f"rm -f /etc/xen/auto/* {SAVED}/*; : >/etc/default/xendomains")
    xen.host.run("xl destroy keeper")


def test_the_links_are_in_front_of_xl(domain_0: Domain0) -> None:
    assert domain_0.run("sh", "-c", "command -v xl").strip() == f"{LINKS}/xl"
    assert domain_0.run("xen", "domid", "Domain-0") == "0\n"


def test_it_starts_saves_and_restores_a_guest(domain_0: Domain0) -> None:
    guest = XenGuest(domain_0.xen.host, "keeper", "pvh")
    domain_0.xen.host.put("/etc/xen/auto/keeper.cfg", guest.configuration())
    domain_0.xen.host.put(
        "/etc/default/xendomains",
        f"XENDOMAINS_AUTO=/etc/xen/auto\nXENDOMAINS_SAVE={SAVED}\nXENDOMAINS_RESTORE=true\nXENDOMAINS_STOP_MAXWAIT=600\n",
    )

    started = domain_0.xendomains("start")
    assert "Starting Xen domain keeper (from /etc/xen/auto/keeper.cfg)" in started
    assert domain_0.running() == ["keeper"]
    patiently(lambda: guest.boots() == 1, "its boot")

    stopped = domain_0.xendomains("stop")
    assert "Saving Xen domain keeper" in stopped
    assert (domain_0.running(), domain_0.saved()) == ([], ["keeper"])

    restored = domain_0.xendomains("start")
    assert f"Restoring Xen domain keeper (from {SAVED}/keeper)" in restored
    assert (domain_0.running(), domain_0.saved()) == (["keeper"], [])
    goes_on(guest)
    assert guest.boots() == 1

    # Where nothing is to be saved, it shuts down, and waits for those that are not off by then.
    domain_0.xen.host.put("/etc/default/xendomains", "XENDOMAINS_STOP_MAXWAIT=600\n")
    assert "Shutting down Xen domain keeper" in domain_0.xendomains("stop")
    assert (domain_0.running(), domain_0.saved()) == ([], [])
