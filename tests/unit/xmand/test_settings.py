"""xmand.toml: its defaults, every key, what is wrong in it, and drop-ins (`xmand.settings`)."""

import dataclasses
from pathlib import Path

import pytest

import xmand.settings
from xman.errors import ConfigurationError

# DESIGN, "Configuration": xmand.toml, and the caps and deadlines of its [limits].
XMAND_DEFAULTS = {
    "listen": ("[::]:4373",),
    "service": "host",
    "keytab": "/etc/krb5.keytab",
    "k5login": "/root/.k5login",
    "libvirt_uri": "",
    "state_dir": "/var/lib/xmand",
    "save_dir": "",
    "run_dir": "/run/xmand",
    "syslog": "/dev/log",
    "limits": {
        "connections": 256,
        "connections_per_principal": 32,
        "unauthenticated": 1024,
        "unauthenticated_per_source": 32,
        "first_seconds": 5.0,
        "handshake_seconds": 10.0,
        "idle_seconds": 300.0,
        "write_seconds": 30.0,
        "lost_seconds": 60.0,
        "age_seconds": 28800.0,
        "read_seconds": 15.0,
        "change_seconds": 110.0,
        "wait_seconds": 290.0,
        "stall_seconds": 60.0,
        "silent_seconds": 14400.0,
        "workers": 16,
        "long_workers": 64,
        "streams": 64,
        "reserved": 25,
        "share": 25,
        "waiting": 1024,
        "force_seconds": 86_400.0,
        "strangers_kib": 16_384,
        "list_seconds": 5.0,
    },
    "authorize": {
        "methods": ("k5login",),
        "principals": {},
        "roles": {},
        "owner_verbs": (
            "list",
            "describe",
            "stats",
            "wait",
            "shutdown",
            "reboot",
            "pause",
            "unpause",
            "state",
        ),
        "launched_verbs": (
            "list",
            "describe",
            "stats",
            "wait",
            "console",
            "screenshot",
            "vnc",
            "send-key",
            "start",
            "destroy",
            "shutdown",
            "reboot",
            "pause",
            "unpause",
            "terminate",
            "state",
        ),
        "owner_realm": "",
        "external": (),
        "external_seconds": 5.0,
    },
    "journal": {"keep_days": 365, "size_mib": 64},
    "console": {"log": True},
    "screen": {"listen": "as-given"},
    "storage": {"wipe": ()},
    "agent": {"users": False},
    "host": {"labs": ()},
    "migrate": {
        "allow": (),
        "accept": (),
        "transport": "libvirt",
        "port": 4373,
        "policy": "list",
        "uri": "",
        "clear": False,
        "tls": False,
    },
    "report": {"collectors": (), "collector_service": "HTTP", "principal": ""},
    "metrics": {"textfile": "", "interval_seconds": 15.0},
    "create": {"pools": (), "networks": (), "bridges": (), "paths": (), "unrestricted": ()},
    "launch": {
        "pools": (),
        "images": ("*",),
        "pool": "",
        "networks": (),
        "kvm": True,
        "names": ("{name}-*",),
        "per_principal": 8,
        "memory": "64G",
        "vcpus": 32,
        "disk": "500G",
    },
    "batch": {
        "domains": (),
        "priority": (),
        "parked_memory": 160,
        "parked_vcpus": 1,
        "boot_seconds": 60.0,
        "park_seconds": 30.0,
        "stuck": "refuse",
        "hooks": "/etc/xman/hooks",
        "hook_seconds": 30.0,
    },
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "x.toml"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the machine's own file out, and return where xmand looks for it."""
    path = tmp_path / "absent" / "xmand.toml"
    monkeypatch.setattr(xmand.settings, "DEFAULT_PATH", str(path))
    return path


def test_xmand_has_the_published_defaults(nowhere: Path) -> None:
    found = dataclasses.asdict(xmand.settings.load(None))

    assert found.pop("unknown") == ()
    assert found == XMAND_DEFAULTS


def test_every_key_of_xmand_toml_is_read(file: Path) -> None:
    file.write_text(
        """
        listen = ["127.0.0.1:1", "[::1]:2"]
        service = "xman"
        keytab = "/k"
        k5login = "/l"
        libvirt_uri = "test:///default"
        state_dir = "/s"
        save_dir = "/saved"
        run_dir = "/r"
        syslog = "none"
        [limits]
        connections = 1
        handshake_seconds = 2
        idle_seconds = 3.5
        read_seconds = 4
        change_seconds = 5
        wait_seconds = 6
        stall_seconds = 7
        silent_seconds = 17
        connections_per_principal = 10
        unauthenticated = 11
        unauthenticated_per_source = 12
        first_seconds = 13
        write_seconds = 14
        lost_seconds = 33
        age_seconds = 15
        workers = 8
        long_workers = 9
        streams = 10
        reserved = 20
        share = 21
        waiting = 24
        force_seconds = 25
        strangers_kib = 512
        list_seconds = 22
        [authorize]
        methods = ["principals", "external"]
        owner_verbs = ["pause"]
        launched_verbs = ["start"]
        owner_realm = "R"
        external = ["/bin/ask", "-x"]
        external_seconds = 13
        [authorize.principals]
        "a@R" = ["show"]
        [launch]
        pools = ["images"]
        images = ["debian*"]
        pool = "machines"
        networks = ["lab"]
        kvm = false
        names = ["*"]
        per_principal = 21
        memory = "8G"
        vcpus = 22
        disk = "80G"
        [journal]
        keep_days = 11
        size_mib = 12
        [console]
        log = false
        [screen]
        listen = "none"
        [storage]
        wipe = ["secret-*"]
        [agent]
        users = true
        [host]
        labs = ["economy", "stats"]
        [migrate]
        allow = ["skirit[80-84]"]
        accept = ["skirit[80-89]"]
        transport = "xman"
        port = 4375
        policy = "create"
        uri = "qemu+tls://{host}/system"
        clear = true
        tls = true
        [report]
        collectors = ["portal:4375"]
        collector_service = "xman"
        principal = "host/h@R"
        [metrics]
        textfile = "/x/xman.prom"
        interval_seconds = 16
        [create]
        pools = ["images"]
        networks = ["lab"]
        bridges = ["br0"]
        paths = ["/srv/iso"]
        unrestricted = ["ctl@R"]
        [batch]
        domains = ["vm*"]
        priority = ["vm[2-9]"]
        parked_memory = 32
        parked_vcpus = 0
        boot_seconds = 13
        park_seconds = 14
        stuck = "save"
        hooks = "/h"
        hook_seconds = 15
        """
    )

    found = dataclasses.asdict(xmand.settings.load(str(file)))

    assert found == {
        "listen": ("127.0.0.1:1", "[::1]:2"),
        "service": "xman",
        "keytab": "/k",
        "k5login": "/l",
        "libvirt_uri": "test:///default",
        "state_dir": "/s",
        "save_dir": "/saved",
        "run_dir": "/r",
        "syslog": "none",
        "limits": {
            "connections": 1,
            "connections_per_principal": 10,
            "unauthenticated": 11,
            "unauthenticated_per_source": 12,
            "first_seconds": 13.0,
            "handshake_seconds": 2.0,
            "idle_seconds": 3.5,
            "write_seconds": 14.0,
            "lost_seconds": 33.0,
            "age_seconds": 15.0,
            "read_seconds": 4.0,
            "change_seconds": 5.0,
            "wait_seconds": 6.0,
            "stall_seconds": 7.0,
            "silent_seconds": 17.0,
            "workers": 8,
            "long_workers": 9,
            "streams": 10,
            "reserved": 20,
            "share": 21,
            "waiting": 24,
            "force_seconds": 25.0,
            "strangers_kib": 512,
            "list_seconds": 22.0,
        },
        "authorize": {
            "methods": ("principals", "external"),
            "principals": {"a@R": ("show",)},
            "roles": {},
            "owner_verbs": ("pause",),
            "launched_verbs": ("start",),
            "owner_realm": "R",
            "external": ("/bin/ask", "-x"),
            "external_seconds": 13.0,
        },
        "journal": {"keep_days": 11, "size_mib": 12},
        "console": {"log": False},
        "screen": {"listen": "none"},
        "storage": {"wipe": ("secret-*",)},
        "agent": {"users": True},
        "host": {"labs": ("economy", "stats")},
        "migrate": {
            "allow": ("skirit[80-84]",),
            "accept": ("skirit[80-89]",),
            "transport": "xman",
            "port": 4375,
            "policy": "create",
            "uri": "qemu+tls://{host}/system",
            "clear": True,
            "tls": True,
        },
        "report": {"collectors": ("portal:4375",), "collector_service": "xman", "principal": "host/h@R"},
        "metrics": {"textfile": "/x/xman.prom", "interval_seconds": 16.0},
        "launch": {
            "pools": ("images",),
            "images": ("debian*",),
            "pool": "machines",
            "networks": ("lab",),
            "kvm": False,
            "names": ("*",),
            "per_principal": 21,
            "memory": "8G",
            "vcpus": 22,
            "disk": "80G",
        },
        "create": {
            "pools": ("images",),
            "networks": ("lab",),
            "bridges": ("br0",),
            "paths": ("/srv/iso",),
            "unrestricted": ("ctl@R",),
        },
        "batch": {
            "domains": ("vm*",),
            "priority": ("vm[2-9]",),
            "parked_memory": 32,
            "parked_vcpus": 0,
            "boot_seconds": 13.0,
            "park_seconds": 14.0,
            "stuck": "save",
            "hooks": "/h",
            "hook_seconds": 15.0,
        },
        "unknown": (),
    }


def test_xmand_goes_on_with_keys_of_a_later_release_and_names_them(file: Path) -> None:
    file.write_text('colour = "red"\n[limits]\nworker = 3\n[later]\nx = 1\n')

    assert xmand.settings.load(str(file)).unknown == (f"{file}: colour", f"{file}: later", f"{file}: limits.worker")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('listen = "[::]:4373"', "listen"),
        ("keytab = 1", "keytab"),
        ("limits = 1", "limits"),
        ('[batch]\nstuck = "pray"', "batch.stuck"),
        ('[create]\npaths = ["srv"]', "create.paths"),
        ('[create]\npaths = ["/"]', "create.paths"),
        ('[create]\nunrestricted = ["ctl"]', "create.unrestricted"),
        ("[batch]\nparked_memory = 31", "batch.parked_memory"),
        ("[limits]\nconnections = 0", "limits.connections"),
        ("[limits]\nworkers = 1025", "limits.workers"),
        ("[limits]\nworkers = true", "limits.workers"),
        ('[limits]\nread_seconds = "15"', "limits.read_seconds"),
        ('[migrate]\nallow = "skirit80"', "migrate.allow"),
        ("[migrate]\nclear = 1", "migrate.clear"),
        ("[migrate]\ntls = 'yes'", "migrate.tls"),
        ("[report]\ncollectors = ['portal:http']", "report.collectors"),
        ("[metrics]\ntextfile = 'xman.prom'", "metrics.textfile"),
        ("[metrics]\ntextfile = '/x/xman.txt'", "metrics.textfile"),
    ],
)
def test_a_wrong_type_in_xmand_toml_names_file_and_key(file: Path, line: str, key: str) -> None:
    file.write_text(line)

    with pytest.raises(ConfigurationError) as caught:
        xmand.settings.load(str(file))

    assert str(caught.value).startswith(f"{file}: {key}: expected ")


def drop_in(file: Path, name: str, text: str) -> Path:
    """Write a file that is read after `file`."""
    path = file.with_name(f"{file.name}.d") / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_drop_ins_are_read_in_the_order_of_their_names(file: Path) -> None:
    file.write_text('service = "a"\nkeytab = "/a"\n[limits]\nworkers = 1\nlong_workers = 1\n')
    drop_in(file, "20.toml", '[limits]\nworkers = 3\n[migrate]\nallow = ["c"]\n')
    drop_in(file, "10.toml", 'service = "b"\n[limits]\nworkers = 2\n[migrate]\nallow = ["b"]\nclear = true\n')
    drop_in(file, "30.txt", "not TOML")

    loaded = xmand.settings.load(str(file))

    assert (loaded.service, loaded.keytab) == ("b", "/a")
    assert (loaded.limits.workers, loaded.limits.long_workers) == (3, 1)
    assert (loaded.migrate.allow, loaded.migrate.clear) == (("c",), True)


def test_drop_ins_do_without_the_file_itself(nowhere: Path) -> None:
    file = Path(xmand.settings.DEFAULT_PATH)
    file.parent.mkdir()
    drop_in(file, "10.toml", 'service = "b"\n')

    assert xmand.settings.load(None).service == "b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("keytab = 1", "keytab: expected a string, found 1"),
        ("[limits]\nworkers = 0", "limits.workers: expected a whole number from 1 to 1024, found 0"),
        ("limits = 1", "limits: expected a table, found 1"),
        ("a = ", "Invalid value (at end of document)"),
    ],
)
def test_a_wrong_type_in_a_drop_in_names_that_file(file: Path, text: str, words: str) -> None:
    file.write_text("[limits]\nworkers = 1\n")
    path = drop_in(file, "10.toml", text)

    with pytest.raises(ConfigurationError) as caught:
        xmand.settings.load(str(file))

    assert str(caught.value) == f"{path}: {words}"


def test_an_unknown_key_in_a_drop_in_names_that_file(file: Path) -> None:
    file.write_text("")
    path = drop_in(file, "10.toml", "[limits]\nworker = 1\n[later]\nx = 1\n")

    assert xmand.settings.load(str(file)).unknown == (f"{path}: later", f"{path}: limits.worker")


def test_a_named_xmand_toml_must_be_there(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"x\.toml: no such file$"):
        xmand.settings.load(str(file))
