"""xmand as a program: its start, its checks, its end, and connections that stay open."""

import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import xman
from tests.lab.hosts.daemon import Daemon, xmand
from tests.lab.kerberos.realm import FQDN, IPV6_NAME, Realm
from tests.lab.process import wait_for

ADMINS = ("alice@XMAN.TEST",)


def config(daemon: Daemon, **changes: str) -> str:
    """Write a copy of the daemon's configuration with `changes`; return its path."""
    lines = [line for line in daemon.config.read_text().splitlines() if line.split(" = ")[0] not in changes]
    path = daemon.directory / "changed.toml"
    path.write_text("\n".join([f"{key} = {value}" for key, value in changes.items()] + lines) + "\n")
    return str(path)


def test_version(realm: Realm) -> None:
    assert xmand(realm.env, "--version").stdout == f"xmand {xman.__version__}\n"


def test_check_says_that_all_is_well(daemon: Daemon, realm: Realm) -> None:
    answer = xmand(realm.env, "--check", "--config", str(daemon.config))

    assert answer.status == 0
    said = [line.split(":")[0] for line in answer.stdout.splitlines() if not line.startswith("note state_dir")]
    # A first client is tried by each name that the keytab has for this host.
    assert list(dict.fromkeys(said)) == [
        "ok   listen",
        "ok   keytab",
        "ok   realm",
        "ok   run_dir",
        "ok   first client",
        "ok   list",
        "ok   libvirt",
        "ok   screens",
        "ok   syslog",
        *(["ok   state_dir"] if "ok   state_dir" in answer.stdout else []),
        "ok   journal",
        "ok   limits",
    ]


def weak_entry() -> bytes:
    """Return a keytab's entry: host/old@XMAN.TEST, version 1, type 23 (RC4)."""
    counted = [len(text).to_bytes(2, "big") + text for text in (b"XMAN.TEST", b"host", b"old")]
    entry = (2).to_bytes(2, "big") + b"".join(counted) + struct.pack(">IIBHH16s", 1, 0, 1, 23, 16, bytes(16))
    return len(entry).to_bytes(4, "big") + entry


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keytab": '"/nonexistent/keytab"'}, "kadmin"),
        ({"k5login": '"/nonexistent/list"'}, "one principal per line"),
        ({"libvirt_uri": '"qemu+unix:///system?socket=/nonexistent/socket"'}, "Is libvirtd running"),
        ({"syslog": '"/nonexistent/log"'}, "is a syslog daemon running"),
        ({"lissten": "[]"}, "lissten"),
        ({"listen": '["127.0.0.1:http"]'}, "'http' is not a port"),
        ({"run_dir": '"/dev/null/x"'}, "run_dir: /dev/null is not a directory"),
        ({"keytab": '"%(weak)s"'}, "type arcfour-hmac, which is weak"),
        ({"keytab": '"%(open)s"'}, "chmod 600"),
    ],
    ids=["keytab", "list", "libvirt", "syslog", "key", "listen", "run_dir", "weak", "open"],
)
def test_check_names_what_is_wrong_and_the_remedy(
    daemon: Daemon, realm: Realm, tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    keys = Path(realm.keytab).read_bytes()
    files = {"weak": tmp_path / "weak", "open": tmp_path / "open"}
    files["weak"].write_bytes(keys + weak_entry())
    files["open"].write_bytes(keys)
    files["weak"].chmod(0o600)
    files["open"].chmod(0o640)
    changes = {key: value % files if "%(" in value else value for key, value in changes.items()}

    answer = xmand(realm.env, "--check", "--config", config(daemon, **changes))

    assert answer.status == 2
    (bad,) = [line for line in answer.stdout.splitlines() if line.startswith("BAD ")]
    assert words in bad


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keytab": '"/nonexistent/keytab"'}, "/nonexistent/keytab"),
        ({"listen": "4373"}, "listen: expected a list of strings"),
        ({"listen": '["192.0.2.1:1"]'}, "192.0.2.1:1"),
        ({"libvirt_uri": "1"}, "libvirt_uri: expected a string"),
    ],
    ids=["keytab", "type", "address", "number"],
)
def test_it_does_not_start_with_what_cannot_work(
    daemon: Daemon, realm: Realm, changes: dict[str, str], words: str
) -> None:
    answer = xmand(realm.env, "--config", config(daemon, **changes))

    assert answer.status == 2
    assert answer.stderr.startswith("xmand: ")
    assert words in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_it_does_not_start_without_a_replay_cache(daemon: Daemon, realm: Realm) -> None:
    answer = xmand(realm.env | {"KRB5RCACHENAME": "none:"}, "--config", str(daemon.config))

    assert answer.status == 2
    assert "replay cache" in answer.stderr


def test_the_replay_cache_is_in_the_run_directory(daemon: Daemon, alice: dict[str, str]) -> None:
    daemon.rxm(alice, "ping")

    assert list((daemon.directory / "run").iterdir())


def test_sigterm_closes_idle_connections(realm: Realm, tmp_path: Path) -> None:
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS)
    with socket.create_connection(("127.0.0.1", daemon.port)) as idle:
        assert daemon.stop() == 0
        assert idle.recv(1) == b""


def test_sighup_does_not_end_it(daemon: Daemon, alice: dict[str, str]) -> None:
    daemon.process.send_signal(signal.SIGHUP)

    assert daemon.rxm(alice, "ping").status == 0


def test_sockets_that_systemd_made(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        # What systemd does: descriptor 3, and the environment of sd_listen_fds(3) with the program's own process id.
        launcher = tmp_path / "launch"
        launcher.write_text(
            "import os, sys\n"
            f"os.dup2({listening.fileno()}, 3)\nos.set_inheritable(3, True)\n"
            "os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}\n"
            "os.execvp(sys.argv[1], sys.argv[1:])\n"
        )
        subject = Daemon(
            realm,
            tmp_path / "x",
            admins=ADMINS,
            prefix=(sys.executable, str(launcher)),
            pass_fds=(listening.fileno(),),
        )

        assert subject.port == port
        subject.prefix = ()
        assert subject.rxm(alice, "ping").status == 0
        assert subject.stop() == 0


def test_several_addresses(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, listen='127.0.0.1:0", "[::1]:0')
    (line,) = [line for line in daemon.stderr().splitlines() if "listens on" in line]
    addresses = line.split("listens on ")[1].split()

    for address, host in zip(addresses, (FQDN, IPV6_NAME), strict=True):
        daemon.port = int(address.rpartition(":")[2])
        assert daemon.rxm(alice, "ping", host=host).status == 0
    assert daemon.stop() == 0


def test_it_serves_where_ipv6_is_off(realm: Realm, tmp_path: Path, alice: dict[str, str]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a network namespace in which IPv6 is off")
    off = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1"
    script = f'{off}; ip link set lo up; exec "$@"'
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, prefix=("unshare", "--net", "--", "sh", "-c", script, "sh"))

    inside = ("nsenter", "-t", str(daemon.process.pid), "--net", "--")
    done = subprocess.run(
        [*inside, "python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {daemon.port})).close()"],
        check=False,
    )

    assert done.returncode == 0
    assert daemon.stop() == 0


def test_the_service_manager_is_notified(realm: Realm, tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        daemon = Daemon(realm, tmp_path / "x", env={"NOTIFY_SOCKET": str(path)})
        assert manager.recv(100) == b"READY=1"
        daemon.stop()
        assert manager.recv(100) == b"STOPPING=1"


def test_a_client_that_never_authenticates_is_dropped(realm: Realm, tmp_path: Path) -> None:
    daemon = Daemon(realm, tmp_path / "x", tables="[limits]\nhandshake_seconds = 0.3\n")
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        client.settimeout(10)
        assert client.recv(1) == b""
    assert daemon.syslog.wait(ev="conn")["detail"] == "nothing came in time"
    assert daemon.stop() == 0


def test_garbage_is_dropped_with_one_line(daemon: Daemon) -> None:
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        client.settimeout(10)
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(100) == b""
    wait_for(lambda: bool(daemon.syslog.audit(ev="conn")), 20, "a line about the connection")


def test_the_python_api(daemon: Daemon, alice: dict[str, str]) -> None:
    program = (
        "import rxm, xman.errors\n"
        f"with rxm.connect('{FQDN}', {daemon.port}) as host:\n"
        "    print([d['name'] for d in host.call('list')['domains']])\n"
        "    try: host.call('pause', 'nope')\n"
        "    except xman.errors.NoSuchDomainError as error: print(error)\n"
        "    print(host.principal)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=alice, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["['test']", "Domain 'nope' does not exist.", "alice@XMAN.TEST"]


FORGOTTEN = """
import sys, threading, time, rxm, xman.errors

def fails(part):
    raise LookupError

def events():
    with rxm.connect(sys.argv[1], int(sys.argv[2])) as other:
        while not over.wait(0.05):
            other.call("pause", "test")
            other.call("unpause", "test")

over = threading.Event()
with rxm.connect(sys.argv[1], int(sys.argv[2])) as host:
    while not host._transport.lost():
        time.sleep(0.05)
    print(host.call("ping")["principal"])
    thread = threading.Thread(target=events)
    thread.start()
    try: host.follow("events", "--follow", each=fails, timeout=30)
    except LookupError: print("fails")
    over.set()
    thread.join()
    print(host.call("ping")["principal"])
try: host.call("ping")
except xman.errors.UnreachableError: print("closed")
"""


def test_the_python_api_connects_anew_where_the_connection_was_lost(
    realm: Realm, alice: dict[str, str], tmp_path: Path
) -> None:
    own = Daemon(realm, tmp_path, admins=ADMINS, tables="[limits]\nidle_seconds = 0.2\n")

    words = [sys.executable, "-c", FORGOTTEN, FQDN, str(own.port)]
    done = subprocess.run(words, env=alice, capture_output=True, text=True, check=False, timeout=60)

    assert (done.stderr, done.stdout.split()) == ("", ["alice@XMAN.TEST", "fails", "alice@XMAN.TEST", "closed"])
    assert own.stop() == 0


def test_a_verb_that_the_python_api_does_not_know(daemon: Daemon, alice: dict[str, str]) -> None:
    program = (
        "import rxm, xman.errors\n"
        f"with rxm.connect('{FQDN}', {daemon.port}) as host:\n"
        "    for call in (host.call, lambda verb: host.follow(verb, each=print)):\n"
        "        try: call('frobnicate')\n"
        "        except xman.errors.UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=alice, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["'frobnicate' is not a verb."] * 2
