"""A booted Debian with our packages, called from outside."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deb.conftest import WITHOUT_PORTAL, debs, release
from tests.hypervisor.conftest import lab
from tests.lab.hosts.booted import Booted, image
from tests.lab.hosts.daemon import Answer, run_rxm
from tests.lab.hosts.hypervisor import GUEST
from tests.lab.kerberos.realm import FQDN, PORTAL, Realm
from tests.lab.kerberos.realm_pkinit import REALM

__all__ = ("debs", "lab", "release")

# For what an emulated machine needs, which others load as well.
_SETTINGS = """\
libvirt_uri = "{uri}"
[limits]
read_seconds = 200
change_seconds = 500
"""
_RXM_SECONDS = 800


class Machine:
    """The machine, and rxm as somebody who may."""

    def __init__(self, booted: Booted, realm: Realm, alice: dict[str, str]) -> None:
        self.booted = booted
        self.realm = realm
        self._alice = alice

    def rxm(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm, as alice, against the machine."""
        options = ("-H", FQDN, "-p", str(self.booted.port), "-t", str(_RXM_SECONDS))
        return run_rxm(self._alice, *options, *words, stdin=stdin, seconds=_RXM_SECONDS + 60)

    def does(self, *words: str, stdin: str = "") -> dict[str, Any]:
        """Run rxm; it has to succeed. Return the result's data."""
        answer = self.rxm("-j", *words, stdin=stdin)
        assert answer.status == 0, (words, answer, self.booted.journal()[-2000:])
        data: dict[str, Any] = answer.json()["result"]
        return data

    def drive(self, uri: str) -> None:
        """Let xmand, under its unit, drive another hypervisor."""
        self.booted.put("/etc/xman/xmand.toml", _SETTINGS.format(uri=uri))
        self.booted.must("systemctl", "restart", "xmand")


@pytest.fixture(scope="module")
def machine(
    release: str, debs: list[Path], realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """It has our packages, a keytab and a list; nothing is started yet."""
    if not (image(release) / "disk.img").exists():
        pytest.skip(f"there is no image of Debian's {release}; make test-boot makes it")
    booted = Booted(tmp_path_factory.mktemp("boot") / "machine", release)
    made = Machine(booted, realm, alice)
    try:
        booted.wait_until_up()
        booted.put_files(debs, "/root/debs")
        booted.must("apt-get install -y --no-install-recommends /root/debs/*.deb </dev/null")
        booted.put_octets("cat >/etc/krb5.keytab && chmod 600 /etc/krb5.keytab", Path(realm.keytab).read_bytes())
        booted.put("/etc/krb5.conf", f"[libdefaults]\ndefault_realm = {REALM}\n")
        booted.put("/root/.k5login", "alice@XMAN.TEST\n", 0o600)
        booted.put_files([GUEST / "vmlinux", GUEST / "initramfs"], "/srv/guest")
        if release not in WITHOUT_PORTAL:
            keytab = realm.directory / "http.keytab"
            realm.add_service(f"HTTP/{PORTAL}", str(keytab))
            booted.put_octets("cat >/etc/rxmweb.keytab", keytab.read_bytes())
        yield made
    finally:
        booted.stop()
