"""A realm whose KDC keeps its principals in LDAP: the one that allows constrained delegation (S4U2Proxy).

MIT's own DB2 back end knows no lists of whom a service may act towards. slapd and the back end are Debian's, only
unpacked; slapd listens on a socket in the realm's directory, and believes whoever this user is.
"""

import gzip
import os
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from k5test import K5Realm

from tests.lab.kerberos.realm import CLIENTS, HOSTS, LISTEN, Realm, environment
from tests.lab.kerberos.realm_pkinit import REALM
from tests.lab.process import PATH, ROOT, end, free_ports, start, wait_for

_UNPACKED = ROOT / ".build" / "ldap-kdc"
_PROGRAMS = _UNPACKED / "usr"
_SCHEMA = _PROGRAMS / "share/doc/krb5-kdc-ldap/kerberos.schema.gz"
_START_SECONDS = 20.0
_TOP = "cn=krb5"
_ADMIN = f"cn=admin,{_TOP}"
# Nothing of it need survive the test.
_SLAPD = """\
include {directory}/kerberos.schema
modulepath {unpacked}/usr/lib/ldap
moduleload back_mdb
authz-regexp "gidNumber=.*uidNumber={uid},cn=peercred,cn=external,cn=auth" "{admin}"
database mdb
suffix "{top}"
rootdn "{admin}"
directory {directory}/ldap
dbnosync
"""


def _libraries() -> Path:
    """Return the folder that has the back end's own library, and those of slapd beside it."""
    return next(_UNPACKED.glob("usr/lib/*/krb5"))


class LdapRealm(Realm):
    """The same realm, whose KDC lets services act for people where it is told so."""

    def __init__(self, directory: Path, hosts: str = HOSTS) -> None:
        self.directory = directory
        self.prefix = ()
        self._kdc = None
        self.keytab = str(directory / "host.keytab")
        os.environ["PATH"] = PATH
        (directory / "hosts").write_text(hosts)
        libraries = _libraries()
        self._ldap_env = {"PATH": PATH, "LD_LIBRARY_PATH": f"{libraries}:{libraries.parent}"}
        self._uri = f"ldapi://{quote(str(directory / 'ldapi'), safe='')}"
        self._slapd = self._start_slapd()
        self._realm = K5Realm(
            realm=REALM,
            portbase=free_ports(10),
            create_kdb=False,
            krb5_conf=CLIENTS,
            kdc_conf={
                "realms": {"$realm": LISTEN | {"database_module": "ldap"}},
                "dbmodules": {
                    "db_module_dir": str(libraries / "plugins" / "kdb"),
                    "ldap": {
                        "db_library": "kldap",
                        "ldap_servers": self._uri,
                        "ldap_kerberos_container_dn": _TOP,
                        "ldap_kdc_sasl_mech": "EXTERNAL",
                        "ldap_kadmind_sasl_mech": "EXTERNAL",
                    },
                },
            },
        )
        self.env = environment(dict(self._realm.env), directory)
        self._realm.env |= self._ldap_env
        try:
            wait_for(self._listening, _START_SECONDS, "slapd's start")
            self._realm.run([str(_PROGRAMS / "sbin/kdb5_ldap_util"), "create", "-s", "-P", "master"])
            self._realm.start_kdc()
        except Exception:
            self.stop()
            raise

    def let_act(self, service: str, *targets: str) -> None:
        """Let `service` act towards `targets`, and no others, for those who authenticated to it (S4U2Proxy)."""
        entry = f"krbPrincipalName={service}@{REALM},cn={REALM},{_TOP}"
        lines = [f"dn: {entry}", "changetype: modify", "replace: krbAllowedToDelegateTo"]
        lines += [f"krbAllowedToDelegateTo: {target}@{REALM}" for target in targets]
        command = [str(_PROGRAMS / "bin/ldapmodify"), "-Q", "-Y", "EXTERNAL", "-H", self._uri]
        text = "".join(f"{line}\n" for line in lines).encode()
        subprocess.run(command, input=text, env=self._ldap_env, check=True, stdout=subprocess.DEVNULL)

    def limit(self, service: str, life: str) -> None:
        """Let tickets of and for `service` hold no longer than `life`, as kadmin reads it."""
        self._realm.run([self._realm.kadmin_local, "-q", f'modprinc -maxlife "{life}" {service}@{REALM}'])

    def stop(self) -> None:
        """End the KDC, and then its directory."""
        self._realm.stop()
        end(self._slapd)

    def _start_slapd(self) -> "subprocess.Popen[bytes]":
        (self.directory / "ldap").mkdir()
        with gzip.open(_SCHEMA) as packed, (self.directory / "kerberos.schema").open("wb") as schema:
            shutil.copyfileobj(packed, schema)
        configuration = self.directory / "slapd.conf"
        configuration.write_text(
            _SLAPD.format(directory=self.directory, unpacked=_UNPACKED, uid=os.geteuid(), top=_TOP, admin=_ADMIN)
        )
        command = [str(_PROGRAMS / "sbin/slapd"), "-h", self._uri, "-f", str(configuration), "-d", "0"]
        return start(command, env=self._ldap_env, stderr=subprocess.DEVNULL)

    def _listening(self) -> bool:
        if self._slapd.poll() is not None:
            raise RuntimeError(f"slapd ended with {self._slapd.returncode}")
        with socket.socket(socket.AF_UNIX) as knock:
            return knock.connect_ex(str(self.directory / "ldapi")) == 0
