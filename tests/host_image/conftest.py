"""A realm and a portal on this machine, and what a host of theirs has on its partition."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor
from tests.lab.hosts.daemon import Answer, run_rxm
from tests.lab.hosts.stateless import OUTSIDE, SECONDS, Stateless, why_not
from tests.lab.kerberos.realm import FQDN, PORTAL, Realm
from tests.lab.kerberos.realm_pkinit import REALM
from tests.lab.portal.portal import Portal
from tests.lab.process import free_ports

# An emulated host takes its time for all that it does.
_INTERVAL = 10.0
_RXM_SECONDS = 600
_XMAND = """\
[limits]
read_seconds = 200
change_seconds = 500
handshake_seconds = 60
[launch]
pools = ["machines"]
kvm = false
[report]
collectors = ["{portal}:{port}"]
"""
# What is read early, by those who keep the clock and look up names, and by the kernel; and a pool of libvirt's.
_POOL = """\
<pool type="dir">
  <name>machines</name>
  <uuid>4a7f4ac5-8a1b-4f3e-9b57-0c1f6f1d2c11</uuid>
  <target><path>/var/lib/libvirt/images</path></target>
</pool>
"""
_MORE = {
    "libvirt/storage/machines.xml": _POOL,
    "systemd/timesyncd.conf": f"[Time]\nNTP={OUTSIDE}\n",
    "systemd/resolved.conf": "[Resolve]\nDomains=xman.test\n",
    "sysctl.d/90-site.conf": "net.ipv4.ip_forward = 1\n",
}
_KRB5 = """\
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
udp_preference_limit = 1
dns_canonicalize_hostname = false
rdns = false
[realms]
{realm} = {{
  kdc = {kdc}
}}
[domain_realm]
.xman.test = {realm}
"""


class Site:
    """A portal that expects a host, and what that host is given."""

    def __init__(self, realm: Realm, directory: Path) -> None:
        self.realm, self.directory = realm, directory
        reports = free_ports(2)
        # Where the portal looks for a host that is silent, and rxm for it.
        self.portal = Portal(
            realm,
            directory / "portal",
            hosts=(),
            port=reports + 1,
            interval=_INTERVAL,
            https=True,
            readers=("alice@XMAN.TEST",),
            tables=f'[collector]\nlisten = ["127.0.0.1:{reports}"]\n',
        )
        self.files = directory / "own"
        (self.files / "etc" / "xman").mkdir(parents=True)
        (self.files / "root").mkdir()
        realm.add_services([f"host/{FQDN}"], str(self.files / "etc" / "krb5.keytab"))
        krb5 = _KRB5.format(realm=REALM, kdc=f"{OUTSIDE}:{realm.kdc_port}")
        (self.files / "etc" / "krb5.conf").write_text(krb5)
        (self.files / "etc" / "hosts").write_text(f"127.0.0.1 localhost\n{OUTSIDE} {PORTAL}\n")
        (self.files / "etc" / "xman" / "xmand.toml").write_text(_XMAND.format(portal=PORTAL, port=reports))
        for name, text in _MORE.items():
            (self.files / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
            (self.files / "etc" / name).write_text(text)
        begun = self.files / "etc" / "libvirt" / "storage" / "autostart" / "machines.xml"
        begun.parent.mkdir()
        begun.symlink_to("/etc/libvirt/storage/machines.xml")
        (self.files / "root" / ".k5login").write_text("alice@XMAN.TEST\n")
        for file in self.files.rglob("*"):
            if not file.is_symlink():
                file.chmod(0o755 if file.is_dir() else 0o644)
        self.visitor = Visitor(self.portal, realm.kinit("alice", PASSWORD, "portal-alice", "-f"))

    def rxm(self, host: Stateless, alice: dict[str, str], *words: str) -> Answer:
        """Run rxm, as alice, against a host."""
        options = ("-H", FQDN, "-p", str(host.port), "-t", str(_RXM_SECONDS))
        return run_rxm(alice, *options, *words, seconds=_RXM_SECONDS + SECONDS)

    def shown(self) -> dict[str, dict[str, object]]:
        """Return the hosts that the portal shows, by name."""
        return {row["name"]: row for row in self.visitor.json("/hosts")["hosts"]}

    def waiting(self) -> list[str]:
        """Return those that wait to be accepted."""
        return [row["name"] for row in self.visitor.json("/hosts")["waiting"]]


@pytest.fixture(scope="module")
def site(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site."""
    if why_not():
        pytest.skip(why_not())
    made = Site(realm, tmp_path_factory.mktemp("site"))
    yield made
    made.portal.stop()
    assert "Traceback" not in made.portal.said()
