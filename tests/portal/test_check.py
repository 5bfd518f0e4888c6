"""`rxmweb check` tells what a start, a browser and the collector would find, and changes nothing."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rxmweb import check
from rxmweb.check import files
from rxmweb.settings import Collector, Settings
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import FQDN, PORTAL, Realm
from tests.lab.portal.portal import keytab_of, make_certificate
from tests.lab.process import free_ports
from xman.finding import NOTE, OK

COLLECTOR = f"rxmweb/{PORTAL}@XMAN.TEST"


@pytest.fixture(scope="module")
def host(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A host that lets the collector look, and nobody else."""
    daemon = Daemon(
        realm,
        tmp_path_factory.mktemp("host"),
        admins=("alice@XMAN.TEST",),
        tables='[authorize]\nmethods = ["k5login", "principals"]\n[authorize.principals]\n'
        f'"{COLLECTOR}" = ["show", "host", "state"]\n',
    )
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture(scope="module")
def keytabs(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of the portal's machine, as HTTP and as collector."""
    directory = tmp_path_factory.mktemp("keytabs")
    (directory / "http").symlink_to(keytab_of(realm))
    realm.add_service(COLLECTOR.partition("@")[0], str(directory / "collector"))
    return directory


class Portal:
    """What a portal needs, but for its configuration."""

    def __init__(self, realm: Realm, host: Daemon, keytabs: Path, directory: Path) -> None:
        self.directory = directory
        self._env = realm.env
        self._lines = {
            "listen": f'"127.0.0.1:{free_ports(1)}"',
            "keytab": f'"{keytabs}/http"',
            "database": f'"sqlite:///{directory}/portal.db"',
            "run_dir": f'"{directory}/run"',
            "hosts": f'["{FQDN}"]',
            "port": str(host.port),
            "readers": '["alice@XMAN.TEST"]',
        }
        self._collector = f'[collector]\nclient_keytab = "{keytabs}/collector"\n'

    def check(self, changes: str = "", tables: str = "") -> list[str]:
        """Check it with `changes`: lines that stand for those of the same keys; return what is not as it should be."""
        lines = self._lines | dict(line.split(" = ", 1) for line in changes.splitlines())
        path = self.directory / "rxmweb.toml"
        text = "".join(f"{key} = {value}\n" for key, value in lines.items())
        path.write_text(text + (tables if "[collector]" in tables else self._collector + tables))
        command = [sys.executable, "-m", "rxmweb", "--config", str(path), "check"]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        assert done.returncode == (2 if "BAD " in done.stdout else 0)
        return [line for line in done.stdout.splitlines() if not line.startswith("ok ")]


@pytest.fixture
def portal(realm: Realm, host: Daemon, keytabs: Path, tmp_path: Path) -> Portal:
    """A portal that is in order."""
    return Portal(realm, host, keytabs, tmp_path)


def test_all_is_well_and_nothing_is_changed(portal: Portal) -> None:
    assert portal.check() == []
    assert [path.name for path in portal.directory.iterdir()] == ["rxmweb.toml"]


# What can be wrong at the same time: none of it hides the rest.
WRONG = [
    {
        "hosts = []": "hosts: none",
        "readers = []": "readers: nobody sees more",
        'run_dir = "/dev/null/run"': "run_dir: /dev/null is not a directory",
        'database = "mysql://x/y"': "mysql is not served",
        'keytab = "/nonexistent"': "keytab: /nonexistent has no usable key",
        "intervall_seconds = 5": "does not know this key",
        "workers = 0": "workers: ",
    },
    {
        'readers = ["alice", "@XMAN.TEST"]': "'alice' is not a full principal",
        'metrics_from = ["localhost"]': "metrics_from: 'localhost' is not an address",
        'run_dir = "run"': "run_dir: 'run' is relative",
        'database = "sqlite:////dev/null/portal.db"': "database: /dev/null is not a directory",
        'service = "host"': "has no usable key of host/FQDN",
        'hosts = ["nosuch.invalid"]': "note collector: nosuch.invalid: ",
        "port = 9": "BAD  collector: no host answers of those asked (nosuch.invalid), port 9",
        '[groups]\nlab = "elsewhere"\n': "note groups: lab: elsewhere is not among hosts",
    },
    {
        'listen = "127.0.0.1"': "expected ADDRESS:PORT",
        'database = "postgresql://nobody@/none?host=/nonexistent"': "is its address right",
        '[collector]\nclient_keytab = "/nonexistent"\n': "BAD  collector: ",
        '[proxy]\nsecret_file = "/nonexistent"\n': "cannot be read",
    },
    {'listen = "192.0.2.1:443"': "only HTTPS is served", '[proxy]\nuser_header = "X"\n': "set proxy.secret_file"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: "-".join(line.split()[0] for line in wrong))
def test_everything_that_is_wrong_is_told(portal: Portal, wrong: dict[str, str]) -> None:
    changes = "\n".join(line for line in wrong if not line.startswith("["))

    lines = portal.check(changes, "".join(line for line in wrong if line.startswith("[")))

    assert [said for said in wrong.values() if not any(said in line for line in lines)] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('keytab = "{}"\n', "BAD  keytab: {} is not a file"),
        ('[collector]\nclient_keytab = "{}"\n', "BAD  collector.client_keytab: {} is not a file"),
        ('[proxy]\nuser_header = "X"\nsecret_file = "{}"\n', "{} is not a file"),
        ('certificate = "{0}"\nkey = "{0}"\n', "BAD  certificate: {0}, {0} is not a file"),
    ],
)
def test_nothing_is_waited_for_where_a_file_should_be(portal: Portal, tmp_path: Path, line: str, said: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    line = line.format(fifo)

    lines = portal.check("" if line.startswith("[") else line, line if line.startswith("[") else "")

    assert [one for one in lines if said.format(fifo) in one], lines


def test_a_port_that_another_program_has(portal: Portal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (line,) = portal.check(f'listen = "127.0.0.1:{taken.getsockname()[1]}"')

    assert line.startswith("BAD  listen: ")
    assert "the port is taken by " in line


def reports(keytabs: Path, *listen: str, readers: str = "alice@XMAN.TEST", **changes: Any) -> list[str]:
    """Return what the check finds of where hosts report."""
    collector = Collector(listen=listen, **changes)
    found = check._reports(Settings(keytab=f"{keytabs}/http", readers=(readers,), collector=collector))
    return [line if kind == OK else f"{kind} {line}" for kind, line in found]


def test_where_hosts_report(keytabs: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)}"
    good = reports(keytabs, address)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        held, _key = reports(keytabs, f"127.0.0.1:{taken.getsockname()[1]}")
    elsewhere, _key = reports(keytabs, "192.0.2.1:4374")
    pages, _key = reports(keytabs, "[::]:8080")

    assert good == [f"collector.listen: {address}", f"collector.listen: hosts (host) report to HTTP/{PORTAL}"]
    assert held.startswith("BAD collector.listen: ")
    assert "the port is taken by " in held
    assert "is it an address of this machine?" in elsewhere
    assert "the portal's pages have this port" in pages


def test_one_socket_by_two_names(keytabs: Path) -> None:
    port = free_ports(1)
    one, other = f"127.0.0.1:{port}", f"localhost:{port}"

    pages, _key = reports(keytabs, "localhost:8080")
    _good, twice, _key = reports(keytabs, one, other)
    families = reports(keytabs, f"0.0.0.0:{port}", f"[::1]:{port}")

    assert "the portal's pages have this port" in pages
    assert twice == f"BAD collector.listen: {other}: it is where {one} listens already; remove one"
    assert not [line for line in families if "already" in line]


def test_who_may_report_and_who_may_accept(keytabs: Path, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)}"
    wrong = reports(keytabs, address, host_services=(), accepters=("bob", "carol@XMAN.TEST"))

    for said in (
        "BAD collector.host_services: names no service",
        "BAD collector.accepters: 'bob' is not a full principal",
        "BAD collector.accepters: carol@XMAN.TEST sees no hosts; name them in readers as well",
        "note collector.accepters: nobody may accept",
    ):
        assert [line for line in wrong if line.startswith(said)], wrong
    assert "note collector.accepters: nobody may accept" in reports(keytabs, address, readers="*")[-1]
    assert "has no usable key of HTTP/FQDN to report to" in reports(tmp_path, address)[1]


def test_a_file_that_is_no_database(portal: Portal) -> None:
    (portal.directory / "portal.db").write_text("This is a letter, and no database at all. " * 100)

    (line,) = portal.check()

    assert line.startswith("BAD  database: ")


def test_a_key_that_the_kdc_has_replaced(portal: Portal, realm: Realm, tmp_path: Path) -> None:
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    realm.add_service("HTTP/replaced.xman.test", old)
    realm.extract_keytab("HTTP/replaced.xman.test", new)

    (line,) = portal.check(f'keytab = "{old}"')

    assert line.startswith("BAD  sign-on: HTTP/replaced.xman.test: ")


def test_a_collector_that_the_hosts_do_not_know(portal: Portal, realm: Realm, tmp_path: Path) -> None:
    realm.add_service("unknown/collector", str(tmp_path / "unknown"))

    (line,) = portal.check(tables=f'[collector]\nclient_keytab = "{tmp_path}/unknown"\n')

    assert line.startswith(f"BAD  collector: {FQDN}: unknown/collector@XMAN.TEST ")
    assert '["show", "host", "state"]' in line


def test_a_collector_whose_key_the_kdc_has_replaced(portal: Portal, realm: Realm, tmp_path: Path) -> None:
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    realm.add_service("rxmweb/replaced", old)
    realm.extract_keytab("rxmweb/replaced", new)

    (line,) = portal.check(tables=f'[collector]\nclient_keytab = "{old}"\n')

    assert line.startswith("BAD  collector: ")


# --- certificates -----------------------------------------------------------------------------------------------------


def with_certificate(portal: Portal, name: str) -> str:
    """Return the lines of a configuration with a certificate for `name`."""
    certificate = make_certificate(portal.directory, name)
    return f'certificate = "{certificate}"\nkey = "{portal.directory}/key.pem"'


def openssl(*words: str, cwd: Path) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *words], cwd=cwd, check=True, capture_output=True)


def test_a_good_certificate(portal: Portal) -> None:
    assert portal.check(with_certificate(portal, PORTAL)) == []


def test_a_certificate_for_another_name(portal: Portal) -> None:
    (line,) = portal.check(with_certificate(portal, "other.example.org"))

    assert line.startswith("BAD  certificate: ")
    assert f"for https://{PORTAL}" in line


def test_a_certificate_that_has_expired(portal: Portal) -> None:
    lines = with_certificate(portal, PORTAL)
    authority = portal.directory / "ca.cnf"
    authority.write_text(
        f"[ca]\ndefault_ca = own\n[own]\ndatabase = {portal.directory}/index\nnew_certs_dir = {portal.directory}\n"
        f"rand_serial = yes\npolicy = any\ndefault_md = sha256\n[any]\ncommonName = supplied\n"
        f"[names]\nsubjectAltName = DNS:{PORTAL}\n"
    )
    (portal.directory / "index").write_text("")
    openssl("req", "-new", "-key", "key.pem", "-subj", f"/CN={PORTAL}", "-out", "request", cwd=portal.directory)
    openssl(
        *("ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", "key.pem", "-in", "request", "-notext"),
        *("-extensions", "names", "-startdate", "20200101000000Z", "-enddate", "20200102000000Z"),
        *("-out", "certificate.pem"),
        cwd=portal.directory,
    )

    (line,) = portal.check(lines)

    assert "expired" in line


def test_a_certificate_and_the_key_of_another(portal: Portal, tmp_path: Path) -> None:
    lines = with_certificate(portal, PORTAL)
    other = tmp_path / "other"
    other.mkdir()
    make_certificate(other, PORTAL)
    shutil.copy(other / "key.pem", portal.directory / "key.pem")

    (line,) = portal.check(lines)

    assert line.startswith("BAD  certificate: ")


def test_a_key_that_everybody_can_read(portal: Portal) -> None:
    lines = with_certificate(portal, PORTAL)
    (portal.directory / "key.pem").chmod(0o644)

    (line,) = portal.check(lines)

    assert "readable by users other" in line


@pytest.mark.parametrize("name", ["/var/lib/rxmweb", "/run/rxmweb"])
def test_what_the_units_make_is_no_fault_before_their_first_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(files, "_OF_THE_UNITS", {Path(f"{name}-none")})

    kind, line = files.writable("run_dir", f"{name}-none/tickets")

    assert (kind, "made by the portal's units at their first start" in line) == (NOTE, True)
