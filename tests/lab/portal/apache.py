"""Debian's Apache, only unpacked, with the shipped configuration in front of a portal: only paths and names differ."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.lab.kerberos.realm import Realm
from tests.lab.portal.portal import Portal, make_certificate
from tests.lab.process import ROOT, end, free_ports, wait_for

SHIPPED = ROOT / "etc" / "apache" / "rxmweb.conf"
_UNPACKED = ROOT / ".build" / "apache" / "usr"
_PROGRAM = _UNPACKED / "sbin" / "apache2"
_MODULES = _UNPACKED / "lib" / "apache2" / "modules"
_START_SECONDS = 20.0
# The user of Debian's Apache. The portal's group is nobody else's: Apache may give files to it by their folder alone.
_ROOT = os.geteuid() == 0
_WWW_DATA = (33, 33) if _ROOT else (os.getuid(), os.getgid())
_RXMWEB = 64_001 if _ROOT else os.getgid()
# A portal that reads other users' files by their group alone, though it is root's: the tree may be nobody else's.
UNPRIVILEGED = (
    ("setpriv", f"--groups={_RXMWEB}", "--inh-caps=-all", "--bounding-set=-all", "env", "--") if _ROOT else ()
)
# What a2enmod enables with the modules that the shipped file names, and what Debian enables from the start.
_WITH_THEM = {"proxy", "socache_shmcb", "mpm_event", "authn_core", "authz_core", "authz_user"}


def proxy_table(secret: Path) -> str:
    """Return the lines that the shipped file wants in rxmweb.toml, and write the secret's file as it says."""
    text = SHIPPED.read_text()
    (define,) = re.findall(r"^# +(Define RXMWEB_SECRET) ", text, re.MULTILINE)
    secret.write_text(f"{define} {os.urandom(32).hex()}\n")
    secret.chmod(0o600)
    (table,) = re.findall(r"^#   (\[proxy\]\n(?:#   \w+ = .*\n)+)", text, re.MULTILINE)
    return str(table).replace("#   ", "").replace("/etc/xman/rxmweb-proxy.conf", str(secret))


class Apache:
    """One Apache. `portal` is who it asks; visitors find here what they find there."""

    def __init__(self, realm: Realm, portal: Portal, secret: Path) -> None:
        # Not under pytest's own directory, which is closed to others.
        self._home = Path(tempfile.mkdtemp(prefix="xman-apache-"))
        self._home.chmod(0o755)
        self.name = portal.name
        self.port = free_ports(1)
        self.certificate = make_certificate(self._home, portal.name)
        self.caches = self._home / "caches"
        keytab = self._home / "http.keytab"
        shutil.copyfile(realm.directory / f"http-{portal.name}.keytab", keytab)
        keytab.chmod(0o400)
        self._own(keytab, *_WWW_DATA)
        self._make_caches()
        shutil.copyfile(realm.env["KRB5_CONFIG"], self._home / "krb5.conf")
        replay = self._home / "replay"
        replay.mkdir()
        self._own(replay, *_WWW_DATA)
        (self._home / "passwd").write_text("root:x:0:0::/:/bin/sh\nwww-data:x:{}:{}::/:/bin/sh\n".format(*_WWW_DATA))
        (self._home / "group").write_text(f"root:x:0:\nwww-data:x:{_WWW_DATA[1]}:\nrxmweb:x:{_RXMWEB}:\n")
        (self._home / "rxmweb.conf").write_text(
            self._shipped(
                {
                    "*:443": f"127.0.0.1:{self.port}",
                    "portal.example.org": portal.name,
                    "/etc/ssl/certs/portal.pem": self.certificate,
                    "/etc/ssl/private/portal.key": str(self._home / "key.pem"),
                    "/etc/apache2/http.keytab": str(keytab),
                    "/run/rxmweb-apache": str(self.caches),
                    "/etc/xman/rxmweb-proxy.conf": str(secret),
                    "127.0.0.1:8080": f"127.0.0.1:{portal.port}",
                }
            )
        )
        (self._home / "apache2.conf").write_text(self._main())
        self._env = {
            "PATH": os.environ["PATH"],
            "KRB5_CONFIG": str(self._home / "krb5.conf"),
            "KRB5RCACHEDIR": str(replay),
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": str(self._home / "passwd"),
            "NSS_WRAPPER_GROUP": str(self._home / "group"),
        }
        self._log = (self._home / "stderr").open("wb")
        self._process = subprocess.Popen(
            [str(_PROGRAM), "-DFOREGROUND", "-d", str(self._home), "-f", str(self._home / "apache2.conf")],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd="/",
        )
        try:
            wait_for(self._ready, _START_SECONDS, "Apache's start")
        except (RuntimeError, TimeoutError):
            self.stop()
            raise

    def said(self) -> str:
        """Return its log."""
        return (self._home / "stderr").read_text() + (self._home / "error.log").read_text()

    def stop(self) -> None:
        """End it."""
        end(self._process)
        self._log.close()
        shutil.rmtree(self._home)

    def _make_caches(self) -> None:
        """Make the folder of the tickets as the shipped file says that systemd is to make it."""
        found = re.search(r"^# +d /run/rxmweb-apache (\d+) www-data rxmweb ", SHIPPED.read_text(), re.MULTILINE)
        assert found is not None
        self.caches.mkdir()
        self._own(self.caches, _WWW_DATA[0], _RXMWEB)
        self.caches.chmod(int(found[1], 8))

    def _shipped(self, names: dict[str, str]) -> str:
        text = SHIPPED.read_text()
        for name, ours in names.items():
            assert name in text, name
            text = text.replace(name, ours)
        return text

    def _main(self) -> str:
        (modules,) = re.findall(r"Modules: ([\w,\s#]+)\.", SHIPPED.read_text())
        load = "".join(
            f"LoadModule {name}_module {_MODULES}/mod_{name}.so\n"
            for name in sorted(_WITH_THEM | set(re.findall(r"\w+", modules)))
        )
        return (
            f"{load}PidFile {self._home}/pid\nMutex file:{self._home} default\nErrorLog {self._home}/error.log\n"
            f"ServerName localhost\nUser www-data\nGroup www-data\nStartServers 1\nListen 127.0.0.1:{self.port}\n"
            f"Include {self._home}/rxmweb.conf\n"
        )

    def _own(self, path: Path, user: int, group: int) -> None:
        if _ROOT:
            os.chown(path, user, group)

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"Apache ended with {self._process.returncode}: {self.said()}")
        return (self._home / "pid").exists()
