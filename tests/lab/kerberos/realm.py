"""A throw-away Kerberos realm (MIT), and names that resolve to this machine without touching /etc/hosts."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from k5test import K5Realm

from tests.lab.kerberos.realm_pkinit import REALM, make_certificate
from tests.lab.process import PATH, end, free_ports, wait_for

# The host as administrators know it, by its other names, and names for which the keytab has no key.
FQDN = "skirit80.xman.test"
SECOND_NAME = "backup80.xman.test"
ALIAS = "www.xman.test"
SHORT_NAME = "skirit80"
IPV6_NAME = "six80.xman.test"
SECOND_HOST = "skirit81.xman.test"
UNKEYED = "unkeyed.xman.test"
DEAD_HOST = "dead.xman.test"
PORTAL = "portal.xman.test"

HOSTS = f"""\
127.0.0.1 {FQDN} {SHORT_NAME} {ALIAS}
127.0.0.1 {SECOND_NAME}
::1 {IPV6_NAME}
127.0.0.2 {SECOND_HOST} skirit81
127.0.0.1 {UNKEYED}
127.0.0.9 {DEAD_HOST}
127.0.0.1 {PORTAL}
127.0.0.1 localhost
"""
# What every client's krb5.conf says, beside where the KDC is.
CLIENTS: dict[str, Any] = {
    # Heimdal asks for a host's realm there, whatever is said below, and waits long for a name server.
    "libdefaults": {"rdns": "false", "dns_canonicalize_hostname": "true", "dns_lookup_realm": "false"},
    "domain_realm": {".xman.test": REALM, "xman.test": REALM},
}
# Where the KDC listens; k5test's is every address of the machine.
LISTEN: dict[str, Any] = {"kdc_listen": "127.0.0.1:$port0", "kdc_tcp_listen": "127.0.0.1:$port0"}
# k5test would say the machine's own name, which may stand for any address in /etc/hosts, or for none.
K5Realm.hostname = "127.0.0.1"
_NSS_WRAPPER = "libnss_wrapper.so"
_HOSTS_FIRST = Path(__file__).with_name("hosts_first.c")
_KEYTAB_VERSION = b"\x05\x02"
_KEYTAB_PART = 50


def without_wrapper(env: dict[str, str]) -> dict[str, str]:
    """Return an environment that leaves the names of hosts to the system."""
    return {key: value for key, value in env.items() if key not in ("LD_PRELOAD", "NSS_WRAPPER_HOSTS")}


def environment(env: dict[str, str], directory: Path) -> dict[str, str]:
    """Return the environment of programs in a realm whose files, `hosts` among them, are in `directory`."""
    first = directory / _HOSTS_FIRST.with_suffix(".so").name
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", first, _HOSTS_FIRST], check=True)
    # Without a place for tickets: a test that wants one says so.
    return {name: value for name, value in env.items() if name != "XDG_RUNTIME_DIR"} | {
        "PATH": PATH,
        "HOME": str(directory),
        "LD_PRELOAD": f"{_NSS_WRAPPER} {first}",
        "NSS_WRAPPER_HOSTS": str(directory / "hosts"),
        # Of names that are nowhere the machine's own name server is asked: it may lose one of many questions at once.
        "RES_OPTIONS": "timeout:1 attempts:5",
        "LC_ALL": "C.UTF-8",
        # What this process may have set for itself.
        "KRB5_KTNAME": "/nonexistent/keytab",
    }


class Realm:
    """A KDC, principals with passwords, keytabs."""

    def __init__(self, directory: Path, prefix: tuple[str, ...] = (), hosts: str = HOSTS) -> None:
        self.directory = directory
        # What stands before the KDC and all who speak to it: how to get into their network namespace.
        self.prefix = prefix
        self._kdc: subprocess.Popen[bytes] | None = None
        portbase = free_ports(10)
        # Of 127.0.0.1, for those who are told elsewhere where the KDC is.
        self.kdc_port = portbase
        os.environ["PATH"] = PATH
        certificate, key = make_certificate(directory)
        self._realm: Any = K5Realm(
            realm=REALM,
            portbase=portbase,
            get_creds=False,
            create_host=False,
            create_user=False,
            start_kdc=not prefix,
            krb5_conf=CLIENTS | {"realms": {"$realm": {"pkinit_anchors": f"FILE:{certificate}"}}},
            kdc_conf={"realms": {"$realm": LISTEN | {"pkinit_identity": f"FILE:{certificate},{key}"}}},
        )
        (directory / "hosts").write_text(hosts)
        self.env = environment(dict(self._realm.env), directory)
        self.keytab = str(directory / "host.keytab")
        try:
            self._fill(portbase)
        except BaseException:
            self.stop()
            raise

    def _fill(self, port: int) -> None:
        self.add_principal("WELLKNOWN/ANONYMOUS")
        if self.prefix:
            self.env = without_wrapper(self.env)
            self._kdc = subprocess.Popen([*self.prefix, "krb5kdc", "-n"], env=self.env, stderr=subprocess.DEVNULL)
            knock = [*self.prefix, "bash", "-c", f"</dev/tcp/127.0.0.1/{port}"]
            wait_for(
                lambda: subprocess.run(knock, stderr=subprocess.DEVNULL, check=False).returncode == 0,
                20,
                "the KDC's start",
            )
            return
        for name in (FQDN, SECOND_NAME, IPV6_NAME, SECOND_HOST):
            self.add_service(f"host/{name}")

    def add_principal(self, name: str, password: str | None = None) -> str:
        """Add a principal (with a random key where there is no password); return its full name."""
        self._realm.addprinc(f"{name}@{REALM}", password)
        return f"{name}@{REALM}"

    def add_service(self, name: str, keytab: str = "") -> None:
        """Add a principal with a random key, and put that into the host's keytab."""
        self.add_principal(name)
        self.extract_keytab(name, keytab or self.keytab)

    def extract_keytab(self, name: str, keytab: str) -> None:
        """Put a new key of `name` into `keytab`; the KDC's tickets are for that key from now on."""
        self._realm.run([self._realm.kadmin_local, "-q", f"ktadd -k {keytab} {name}@{REALM}"])

    def add_services(self, names: list[str], keytab: str) -> None:
        """Add many principals with random keys at once, and put those into the new file `keytab`."""
        lines = [f"addprinc -randkey {name}@{REALM}\n" for name in names]
        # kadmin reads a keytab from its beginning for each key that it adds, so they are made in parts.
        parts = {
            f"{keytab}.{first}": names[first : first + _KEYTAB_PART] for first in range(0, len(names), _KEYTAB_PART)
        }
        lines += [f"ktadd -norandkey -k {part} {name}@{REALM}\n" for part, own in parts.items() for name in own]
        subprocess.run(
            [self._realm.kadmin_local],
            input="".join(lines).encode(),
            env=self._realm.env,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        entries = [Path(part).read_bytes().removeprefix(_KEYTAB_VERSION) for part in parts]
        Path(keytab).write_bytes(_KEYTAB_VERSION + b"".join(entries))

    def add_services_of_one_key(self, names: list[str], keytab: str) -> None:
        """Add any number of principals, who all have the key that the new file `keytab` holds for the first of them.

        Keys of their own for ten thousand take minutes.
        """
        self.add_service(names[0], keytab)
        dump = self.directory / "dump"
        first = f"{names[0]}@{REALM}"
        subprocess.run([self._realm.kdb5_util, "dump", str(dump), first], env=self._realm.env, check=True)
        version, *lines = dump.read_text().splitlines()
        # Fields between tabulators: the third is the length of the name, the seventh the name itself.
        fields = next(line.split("\t") for line in lines if line.split("\t")[6:7] == [first])
        others = [f"{name}@{REALM}" for name in names[1:]]
        made = ["\t".join([*fields[:2], str(len(name)), *fields[3:6], name, *fields[7:]]) for name in others]
        dump.write_text("".join(f"{line}\n" for line in [version, *made]))
        subprocess.run([self._realm.kdb5_util, "load", "-update", str(dump)], env=self._realm.env, check=True)

    @contextlib.contextmanager
    def kdc_away(self) -> Iterator[None]:
        """Let the KDC answer nobody meanwhile; for realms with a prefix."""
        assert self._kdc is not None
        self._kdc.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._kdc.send_signal(signal.SIGCONT)

    def issued(self) -> list[str]:
        """Return the services for which the KDC has issued tickets so far, one each time."""
        log = (Path(self._realm.tmpdir) / "kdc.log").read_text()
        lines = [line for line in log.splitlines() if "TGS_REQ" in line and " ISSUE: " in line]
        return [line.rpartition(" for ")[2].removesuffix(f"@{REALM}") for line in lines]

    def cache(self, name: str) -> dict[str, str]:
        """Return the environment of a user whose ticket cache is called `name`."""
        return self.env | {"KRB5CCNAME": f"FILE:{self.directory / f'cc-{name}'}"}

    def kinit(self, principal: str, password: str, cache: str, *arguments: str) -> dict[str, str]:
        """Get a ticket into the cache called `cache`; return the environment that uses it."""
        env = self.cache(cache)
        subprocess.run(
            [*self.prefix, "kinit", *arguments, f"{principal}@{REALM}"],
            input=f"{password}\n".encode(),
            env=env,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return env

    def kinit_anonymous(self) -> dict[str, str]:
        """Get an anonymous ticket; return the environment that uses it."""
        env = self.cache("anonymous")
        subprocess.run(["kinit", "-n", f"@{REALM}"], env=env, check=True, stdout=subprocess.DEVNULL)
        return env

    def own_hosts_file(self, hosts: Path | None = None) -> tuple[str, ...]:
        """Return the prefix that runs a program with our names, or those of `hosts`, as its /etc/hosts.

        It has a mount namespace of its own.

        For programs with threads that use what libnss_wrapper has not locked; to be used with `without_wrapper`. Where
        such a namespace cannot be made the prefix fails.
        """
        who = [] if os.geteuid() == 0 else ["--map-root-user"]
        script = f'mount --bind {hosts or self.directory / "hosts"} /etc/hosts && exec "$@"'
        return ("unshare", "--mount", *who, "--", "sh", "-c", script, "sh")

    def stop(self) -> None:
        """End the KDC and remove the realm's files."""
        if self._kdc is not None:
            end(self._kdc)
        self._realm.stop()
