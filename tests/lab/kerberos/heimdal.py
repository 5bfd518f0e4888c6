"""Heimdal beside MIT's Kerberos: a KDC, and the environment in which our programs use its libraries."""

import os
import subprocess
from pathlib import Path

from tests.lab.kerberos.realm import FQDN, HOSTS, IPV6_NAME, SECOND_HOST, SECOND_NAME, Realm, environment
from tests.lab.kerberos.realm_pkinit import REALM
from tests.lab.process import ROOT, end, free_ports, need, start, wait_for

# Made by tests/tools/setup.sh: python-gssapi compiled against Heimdal, and its programs.
_GSSAPI = ROOT / ".build" / "heimdal"
_PROGRAMS = ROOT / ".build" / "heimdal-programs" / "usr"
_KDC = _PROGRAMS / "lib" / "heimdal-servers" / "kdc"
_BIN = _PROGRAMS / "bin"

_CONFIGURATION = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  rdns = false
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  .xman.test = {realm}
  xman.test = {realm}
[kdc]
  database = {{
    dbname = {directory}/kdc-db
    realm = {realm}
    mkey_file = {directory}/kdc-mkey
    log_file = {directory}/kdc-log
    acl_file = {directory}/kdc-acl
  }}
[logging]
  kdc = FILE:{directory}/kdc.log
"""


def why_not() -> str:
    """Return why this machine cannot run our programs on Heimdal; empty where it can."""
    who = [] if os.geteuid() == 0 else ["--map-root-user"]
    if subprocess.run(["unshare", "--mount", *who, "true"], check=False, capture_output=True).returncode:
        return "python-gssapi cannot be compiled against Heimdal here: that takes a mount namespace"
    need(_GSSAPI / "version")
    return ""


def programs(env: dict[str, str]) -> dict[str, str]:
    """Return the environment in which xmand and rxm use Heimdal's libraries."""
    return env | {"PYTHONPATH": str(_GSSAPI), "RXM_GSS": "python-gssapi"}


def kinit(realm: Realm, principal: str, password: str, cache: str, *arguments: str) -> dict[str, str]:
    """Get a ticket with Heimdal's kinit into the cache called `cache`; return the environment that uses it."""
    env = programs(realm.cache(cache))
    secret = realm.directory / f"password-{cache}"
    secret.write_text(f"{password}\n")
    subprocess.run(
        [str(_BIN / "kinit.heimdal"), f"--password-file={secret}", *arguments, f"{principal}@{REALM}"],
        env=env,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return env


class HeimdalRealm(Realm):
    """The same realm with Heimdal's KDC."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prefix = ()
        self.keytab = str(directory / "host.keytab")
        port = free_ports(1)
        self._conf = directory / "krb5.conf"
        self._conf.write_text(_CONFIGURATION.format(realm=REALM, port=port, directory=directory))
        (directory / "hosts").write_text(HOSTS)
        self.env = environment({"KRB5_CONFIG": str(self._conf)}, directory)
        limits = ("--realm-max-ticket-life=1d", "--realm-max-renewable-life=7d")
        self._kadmin("init", *limits, REALM)
        command = [str(_KDC), f"--config-file={self._conf}", f"--ports={port}", "--addresses=127.0.0.1"]
        self._kdc = start(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.add_principal("probe", "probe")
        wait_for(self._answers, 20, "the start of Heimdal's KDC")
        for name in (FQDN, SECOND_NAME, IPV6_NAME, SECOND_HOST):
            self.add_service(f"host/{name}")

    def add_principal(self, name: str, password: str | None = None) -> str:
        """Add a principal (with a random key where there is no password); return its full name."""
        self._kadmin("add", "--use-defaults", *(["-p", password] if password else ["-r"]), f"{name}@{REALM}")
        return f"{name}@{REALM}"

    def extract_keytab(self, name: str, keytab: str) -> None:
        """Put a new key of `name` into `keytab`; the KDC's tickets are for that key from now on."""
        self._kadmin("ext", "-k", keytab, f"{name}@{REALM}")

    def stop(self) -> None:
        """End the KDC."""
        if self._kdc is not None:
            end(self._kdc)

    def _answers(self) -> bool:
        return (
            subprocess.run(
                ["kinit", f"probe@{REALM}"], input=b"probe\n", env=self.cache("probe"), check=False, capture_output=True
            ).returncode
            == 0
        )

    def _kadmin(self, *words: str) -> None:
        command = [str(_BIN / "kadmin.heimdal"), "-l", "-c", str(self._conf), *words]
        subprocess.run(command, env=self.env, check=True, capture_output=True)
