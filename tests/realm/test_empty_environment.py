"""As schedulers start programs: with an empty environment, and output that nobody reads."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon, answer
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import ROOT, need

# The realm's names and configuration in the places of the machine's own, as they would be on a host of the realm.
SCRIPT = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/krb5.conf && shift 2 && exec env -i "$@"'


@pytest.fixture
def bare(realm: Realm, tmp_path: Path) -> tuple[str, ...]:
    """The prefix that runs a program with an empty environment on a machine of the realm."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + (realm.directory / "hosts").read_text())
    prefix = ("unshare", "--mount", "--", "sh", "-c", SCRIPT, "sh", str(hosts), realm.env["KRB5_CONFIG"])
    need(Path("/etc/krb5.conf"))
    if subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("this machine lets nobody put another /etc/krb5.conf in place of its own")
    return prefix


@pytest.mark.parametrize("launcher", [False, True], ids=["pip", "make-install"])
def test_a_configuration_and_a_keytab_are_enough(
    daemon: Daemon, realm: Realm, bare: tuple[str, ...], tmp_path: Path, launcher: bool
) -> None:
    rxm = Path(sys.executable).parent / "rxm"
    if launcher:
        where = [f"PREFIX={tmp_path}/usr", f"SYSCONFDIR={tmp_path}/etc"]
        subprocess.run(["make", "-s", "-C", str(ROOT), "install", *where], check=True)
        rxm = tmp_path / "usr" / "bin" / "rxm"
    realm.add_service(f"slurm{launcher}", str(tmp_path / "slurm.keytab"))
    daemon.allow("alice@XMAN.TEST", f"slurm{launcher}@XMAN.TEST")
    config = tmp_path / "rxm.toml"
    config.write_text(
        f'hosts = ["{FQDN}"]\nport = {daemon.port}\n'
        f'client_keytab = "{tmp_path / "slurm.keytab"}"\nprincipal = "slurm{launcher}@XMAN.TEST"\n'
    )

    found = answer([*bare, str(rxm), "-c", str(config), "-q", "--syslog", "autostart", "test", "off"], realm.env)

    assert found.status == 0, found.stderr
    assert found.stdout + found.stderr == ""
    daemon.syslog.wait(ev="end", verb="autostart", princ=f"slurm{launcher}@XMAN.TEST")
