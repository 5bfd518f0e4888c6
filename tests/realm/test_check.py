"""`xmand --check` tells what a start, and a first client, would find, and changes nothing."""

import contextlib
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Answer, Daemon, xmand
from tests.lab.kerberos.realm import SECOND_NAME, Realm
from tests.lab.process import free_ports


@pytest.fixture
def directory(realm: Realm, tmp_path: Path) -> Iterator[Path]:
    """What a host needs, but for its configuration."""
    (tmp_path / "k5login").write_text("alice@XMAN.TEST\n")
    (tmp_path / "k5login").chmod(0o600)
    shutil.copy(realm.keytab.removeprefix("FILE:"), tmp_path / "keytab")
    (tmp_path / "keytab").chmod(0o600)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        yield tmp_path


def check(
    realm: Realm, directory: Path, changes: str = "", tables: str = "", env: dict[str, str] | None = None
) -> Answer:
    """Check a configuration that is in order but for `changes`: lines that stand for those of the same keys."""
    lines = {
        "listen": '["127.0.0.1:0"]',
        "keytab": f'"{directory}/keytab"',
        "k5login": f'"{directory}/k5login"',
        "libvirt_uri": '"test:///default"',
        "state_dir": f'"{directory}/state"',
        "run_dir": f'"{directory}/run"',
        "syslog": f'"{directory}/log"',
    }
    lines |= dict(line.split(" = ", 1) for line in changes.splitlines())
    path = directory / "xmand.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()) + tables)
    return xmand(realm.env | (env or {}), "--check", "-c", str(path))


def bad(answer: Answer) -> list[str]:
    """Return the lines of what is bad."""
    assert answer.stderr == "", answer
    assert answer.status == (2 if "BAD " in answer.stdout else 0)
    return [line.removeprefix("BAD  ") for line in answer.stdout.splitlines() if line.startswith("BAD ")]


def test_all_is_well_and_nothing_is_changed(realm: Realm, directory: Path) -> None:
    before = {path.name for path in directory.iterdir()}

    assert bad(check(realm, directory)) == []
    assert {path.name for path in directory.iterdir()} == before | {"xmand.toml"}


@pytest.mark.parametrize(
    ("changes", "tables", "said"),
    [
        ('listen = ["192.0.2.1:4373"]', "", "is it an address of this host?"),
        ('state_dir = "state"', "", "is relative"),
        ('run_dir = "run"', "", "is relative"),
        ('run_dir = "/dev/null/run"', "", "/dev/null is not a directory"),
        ("", '[migrate]\nallow = ["a[1-"]\n', "migrate.allow: 'a[1-'"),
        ("", '[batch]\ndomains = ["vm[1-"]\n', "batch.domains: 'vm[1-'"),
        ("", '[authorize.principals]\n"a@R" = ["show"]\n', 'without "principals" in methods'),
        ("", '[authorize]\nexternal = ["/bin/true"]\n', 'without "external" in methods'),
        ("", '[authorize]\nmethods = ["k5login", "principals"]\n', "names nobody"),
        ('keytab = "/nonexistent"', "", "/nonexistent"),
        ('libvirt_uri = "nosuch:///"', "", "libvirt: "),
        ("listen = []", "", "listen: names no address"),
        ('listen = ["127.0.0.1:70000"]', "", "'70000' is not a port"),
        ('listen = ["nosuch.invalid:4373"]', "", "listen: 'nosuch.invalid:4373'"),
        ('state_dir = "/proc/self/fd"', "", "state_dir"),
        ('state_dir = "/dev/null"', "", "state_dir: /dev/null is not a directory"),
        ('syslog = "/nonexistent/log"', "", "syslog: nobody takes datagrams at /nonexistent/log"),
        ('k5login = "/dev/null"', "", "list: "),
        ("", '[migrate]\nuri = "qemu+tcp://other/system"\n', "every domain would go to the same host"),
        ("", '[batch]\nhooks = "hooks"\n', "batch.hooks: 'hooks' is relative"),
        ("", '[batch]\nhooks = "/nonexistent"\n', "batch.hooks: /nonexistent is not a directory"),
        (
            "",
            '[authorize]\nmethods = ["k5login", "external"]\nexternal = ["/nonexistent"]\n',
            "everyone it would allow",
        ),
        (
            "",
            (
                '[authorize]\nmethods = ["k5login", "roles"]\n'
                '[authorize.roles.r]\ngroup = "/nonexistent"\nverbs = ["show"]\n'
            ),
            "authorize: roles: r: ",
        ),
    ],
)
def test_what_is_wrong_is_told(realm: Realm, directory: Path, changes: str, tables: str, said: str) -> None:
    (line, *_more) = bad(check(realm, directory, changes, tables))

    assert said in line


def test_a_table_without_its_method_is_a_warning_at_start_and_allows_nothing(
    realm: Realm, alice: dict[str, str], tmp_path: Path
) -> None:
    daemon = Daemon(realm, tmp_path, tables='[authorize.principals]\n"alice@XMAN.TEST" = ["show"]\n')

    answer = daemon.rxm(alice, "list")

    assert answer.status == 5, answer
    assert 'it has no effect without "principals" in methods' in daemon.stderr()
    assert daemon.stop() == 0


_ROLES = '[authorize]\nmethods = ["k5login", "principals", "roles"]\n[authorize.principals]\n"c@R" = ["host"]\n'


@pytest.mark.parametrize(
    ("role", "kind", "said"),
    [
        ('verbs = ["reboot"]\ndomains = ["nosuch-*"]', "note", "'nosuch-*' matches no domain that is here now"),
        ('verbs = ["reboot"]\ndomains = ["{name}-vm"]', "note", "'{name}-vm (a-vm, b-vm)'"),
        ('verbs = ["reboot"]\ndomains = ["vm[1-"]', "BAD", "roles: lab: domains: 'vm[1-'"),
        ('verbs = ["reboot", "info"]\ndomains = ["test"]', "BAD", "info is about the host"),
        ('verbs = ["reboot", "audit"]\ndomains = ["test"]', "BAD", "audit is about the host"),
        ('verbs = ["rebot"]', "BAD", "'rebot' is neither a verb nor one of"),
        ('verbs = ["reboot"]\nmembers = ["alice"]', "BAD", "expected a full principal"),
        ('verbs = ["reboot"]\nmembers = ["x,y@R"]\ndomains = ["{name}"]', "BAD", "x,y@R has no name that {name}"),
        ('verbs = ["life"]', "note", "create: what a@R, b@R creates is held to [create], and to 64 KiB in xm's"),
        ('verbs = ["life"]', "ok", "limits: c@R, the role lab: each who is not on the list has at most 25 percent of"),
        ('verbs = ["log"]', "note", "the role lab has log without audit"),
        ('verbs = ["show"]', "note", "c@R has host without audit"),
        ('verbs = ["show"]\nmembers = ["alice@XMAN.TEST"]', "note", "alice@XMAN.TEST is on the list, which allows"),
    ],
)
def test_what_a_rule_never_matches_and_whom_a_tightening_touches(
    realm: Realm, directory: Path, role: str, kind: str, said: str
) -> None:
    members = "" if "members" in role else 'members = ["a@R", "b@R"]\n'

    lines = check(realm, directory, "", f"{_ROLES}[authorize.roles.lab]\n{members}{role}\n").stdout.splitlines()

    assert any(line.startswith(f"{kind:4} ") and said in line for line in lines), lines


def test_of_rules_that_match_nothing_is_said(realm: Realm, directory: Path) -> None:
    role = '[authorize.roles.lab]\nmembers = ["a@R"]\nverbs = ["reboot", "ping"]\ndomains = ["test", "te*"]\n'

    answer = check(realm, directory, "", f'[authorize]\nmethods = ["k5login", "roles"]\n{role}')

    assert bad(answer) == []
    assert "note" not in answer.stdout
    assert "ok   authorize: roles: lab\n" in answer.stdout


def test_a_pool_that_some_write_to_and_others_launch_from(realm: Realm, directory: Path) -> None:
    tables = '[create]\npools = ["vms", "images"]\n[launch]\npools = ["images", "golden"]\n'

    lines = check(realm, directory, "", tables).stdout.splitlines()

    assert [line for line in lines if line.startswith("note launch: the pool 'images' is in [create]")], lines
    assert not [line for line in lines if "the pool 'vms'" in line or "the pool 'golden'" in line]


def test_one_bad_value_hides_no_other(realm: Realm, directory: Path) -> None:
    changes = 'listen = "x"\nstate_dir = "state"\nservice = 1'

    lines = bad(check(realm, directory, changes, '[limits]\nworkers = 0\nnosuch = 1\n[batch]\nstuck = "x"\n'))

    for key in ("listen", "service", "limits.workers", "limits.nosuch", "batch.stuck", "state_dir"):
        assert any(key in line for line in lines), (key, lines)


def test_a_port_that_another_program_has(realm: Realm, directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (line,) = bad(check(realm, directory, f'listen = ["127.0.0.1:{taken.getsockname()[1]}"]'))

    assert "the port is taken by " in line


def test_a_port_that_xmand_has(realm: Realm, directory: Path) -> None:
    port = free_ports(1)
    running = Daemon(realm, directory / "running", listen=f"[::]:{port}")

    itself = xmand(realm.env, "--check", "-c", str(running.config))
    other = bad(check(realm, directory, f'listen = ["[::]:{port}"]'))

    process = running.process.pid
    assert running.stop() == 0
    assert f"ok   listen: [::]:{port}: xmand (process {process}) runs, and has it" in itself.stdout.splitlines()
    (line,) = [line for line in other if line.startswith("listen")]
    assert f"[::]:{port}: another xmand (process {process}, {running.config}) has the port; stop it" in line


def test_the_key_of_another_host_alone(realm: Realm, directory: Path) -> None:
    other = directory / "other.keytab"
    realm.add_services(["host/elsewhere.invalid"], str(other))
    other.chmod(0o600)

    assert any("which is not this host" in line for line in bad(check(realm, directory, f'keytab = "{other}"')))


def test_no_krb5_conf(realm: Realm, directory: Path) -> None:
    lines = bad(check(realm, directory, env={"KRB5_CONFIG": "/nonexistent"}))

    assert any(line.startswith("realm: ") for line in lines), lines


def test_a_krb5_conf_of_another_realm(realm: Realm, directory: Path) -> None:
    other = directory / "krb5.conf"
    other.write_text("[libdefaults]\ndefault_realm = OTHER.TEST\n")

    lines = bad(check(realm, directory, env={"KRB5_CONFIG": str(other)}))

    assert any("krb5.conf says OTHER.TEST" in line for line in lines), lines


def test_a_journal_that_cannot_be_used(realm: Realm, directory: Path) -> None:
    (directory / "state").mkdir()
    (directory / "state" / "journal.db").write_text("garbage, and more of it than a header would take")

    assert any("Move it away" in line for line in bad(check(realm, directory)))


def test_a_file_that_is_no_toml(realm: Realm, directory: Path) -> None:
    path = directory / "broken.toml"
    path.write_text("listen = [\n")

    answer = xmand(realm.env, "--check", "-c", str(path))

    assert answer.status == 2
    assert answer.stdout.startswith(f"BAD  {path}: ")


def test_two_addresses_that_are_in_each_others_way(realm: Realm, directory: Path) -> None:
    port = free_ports(1)

    lines = bad(check(realm, directory, f'listen = ["127.0.0.1:{port}", "127.0.0.1:{port}"]'))

    assert lines == [f"listen: 127.0.0.1:{port}: another address of listen covers it already; remove one of the two"]


def test_a_key_that_the_kdc_has_replaced(realm: Realm, directory: Path) -> None:
    name = f"host/{SECOND_NAME}"
    realm.extract_keytab(name, realm.keytab)

    (line,) = bad(check(realm, directory))

    assert line.startswith(f"first client: {name}@XMAN.TEST: ")
    assert "ktadd" in line


def test_a_first_client_is_let_in(realm: Realm, directory: Path) -> None:
    assert "ok   first client: the KDC's ticket for host/" in check(realm, directory).stdout


def test_a_kdc_that_is_away_is_no_fault_of_this_hosts(realm: Realm, directory: Path) -> None:
    away = directory / "krb5.conf"
    away.write_text("[libdefaults]\ndefault_realm = XMAN.TEST\n[realms]\nXMAN.TEST = {\nkdc = 127.0.0.1:1\n}\n")

    answer = check(realm, directory, env={"KRB5_CONFIG": str(away)})

    assert bad(answer) == []
    assert "note first client: not tried, since the KDC did not answer" in answer.stdout


def test_a_replay_cache_that_cannot_be_used(realm: Realm, directory: Path) -> None:
    (directory / "run" / f"krb5_{os.geteuid()}.rcache2").mkdir(parents=True)

    (line,) = bad(check(realm, directory))

    assert "no client would be let in" in line


def test_a_hook_that_would_not_be_run(realm: Realm, directory: Path) -> None:
    hook = directory / "hooks" / "state.d" / "tell"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\n")

    answer = check(realm, directory, tables=f'[batch]\nhooks = "{directory}/hooks"\n')

    assert f"note batch.hooks: {hook} is not a program" in answer.stdout


@pytest.mark.parametrize(
    "text",
    ["alice\n", "alice@XMAN.TEST bob@XMAN.TEST\n", "# nobody\n", "\n\n", "alice@XMAN.TEST\r\n", "*@XMAN.TEST\n"],
)
def test_a_list_that_does_not_say_what_it_seems_to(realm: Realm, directory: Path, text: str) -> None:
    (directory / "k5login").write_text(text)

    assert any(line.startswith("list: ") for line in bad(check(realm, directory)))


def test_a_list_that_others_may_write(realm: Realm, directory: Path) -> None:
    (directory / "k5login").chmod(0o666)

    (line,) = bad(check(realm, directory))

    assert line.startswith("list: ")


def test_as_whom_and_to_whom_it_is_reported(realm: Realm, directory: Path) -> None:
    table = '[report]\ncollectors = ["portal.xman.test"]\nprincipal = "host/{}@XMAN.TEST"\n'
    good = check(realm, directory, tables=table.format("skirit80.xman.test"))
    wrong = check(realm, directory, tables=table.format("other"))

    assert "report: as host/skirit80.xman.test@XMAN.TEST to portal.xman.test:4374" in good.stdout
    assert [line.partition(":")[0] for line in bad(wrong)] == ["report"]


def test_where_the_file_for_prometheus_cannot_be(realm: Realm, directory: Path) -> None:
    table = f'[metrics]\ntextfile = "{directory}/{{}}"\n'
    good = check(realm, directory, tables=table.format("xman.prom"))
    wrong = check(realm, directory, tables=table.format("no/xman.prom"))

    assert f"ok   metrics.textfile: {directory}/xman.prom, each 15 s" in good.stdout
    assert [line.partition(":")[0] for line in bad(wrong)] == ["metrics.textfile"]


def wrong(lines: list[str], *expected: str) -> None:
    """Assert that each of `expected` is the begin of a line and that line holds what stands behind the blank."""
    for each in expected:
        key, _, said = each.partition(" ")
        assert any(line.startswith(key) and said in line for line in lines), (each, lines)


def test_where_others_could_put_something_else(realm: Realm, directory: Path) -> None:
    """Who can rename a file in a directory can name himself."""
    for name in ("list", "state", "run"):
        (directory / name).mkdir()
        (directory / name).chmod(0o777)
    (directory / "k5login").rename(directory / "list" / "k5login")
    changes = "\n".join(
        f'{key} = "{directory}/{name}"'
        for key, name in (("k5login", "list/k5login"), ("state_dir", "state"), ("run_dir", "run"))
    )

    lines = bad(check(realm, directory, changes))

    wrong(lines, *(f"{key}: can be changed by users other than root" for key in ("list", "state_dir", "run_dir")))


def test_a_configuration_that_others_may_write(realm: Realm, directory: Path) -> None:
    check(realm, directory)
    (directory / "xmand.toml").chmod(0o666)

    answer = xmand(realm.env, "--check", "-c", str(directory / "xmand.toml"))

    wrong(bad(answer), "configuration: can be changed by users other than root")


def test_files_that_are_none(realm: Realm, directory: Path) -> None:
    """Opening a FIFO would wait for good; a link to itself leads nowhere."""
    os.mkfifo(directory / "fifo")
    (directory / "loop").symlink_to(directory / "loop")
    keys = {"keytab": "fifo", "k5login": "fifo", "state_dir": "loop"}

    lines = bad(check(realm, directory, "\n".join(f'{key} = "{directory}/{name}"' for key, name in keys.items())))

    wrong(lines, "keytab: is not a file", "list: is not a file", "state_dir: is not a directory")


def test_places_that_depend_on_where_it_is_started(realm: Realm, directory: Path) -> None:
    lines = bad(check(realm, directory, 'keytab = "FILE:/etc/krb5.keytab"\nk5login = "k5login"'))

    wrong(lines, "keytab: write the file alone", "list: is relative")


@pytest.mark.parametrize("service", ["", "host/skirit80.xman.test", "host@skirit80", "a b"])
def test_a_service_that_is_none(realm: Realm, directory: Path, service: str) -> None:
    wrong(
        bad(check(realm, directory, f'service = "{service}"')), f"{directory} service: expected the name of a service"
    )


def test_what_this_host_does_not_have(realm: Realm, directory: Path) -> None:
    tables = (
        '[launch]\npools = ["nosuch"]\nnetworks = ["nonet"]\n[create]\npools = ["no*"]\nnetworks = ["nonet"]\n'
        'bridges = ["nobridge"]\npaths = ["/nonexistent"]\n[storage]\nwipe = ["nosuch"]\n'
        '[report]\ncollectors = ["nosuch.invalid"]\n[migrate]\naccept = ["a b"]\n'
    )

    answer = check(realm, directory, "", tables)

    lines = [line[5:] for line in answer.stdout.splitlines()]
    for key in ("create.pools", "create.networks", "create.bridges", "create.paths", "storage.wipe"):
        assert any(line.startswith(f"note {key}: ") for line in answer.stdout.splitlines()), (key, lines)
    wrong(
        bad(answer),
        "launch.pools: (it has default-pool)",
        "launch.networks: (it has default)",
        "report: nosuch.invalid has no address",
        "migrate.accept: 'a b' is empty or contains a blank",
    )


def test_nobody_is_authorized_by_no_method(realm: Realm, directory: Path) -> None:
    answer = check(realm, directory, "", "[authorize]\nmethods = []\n")

    wrong(bad(answer), "authorize: methods is empty, so nobody is authorized")
    assert "is not asked" in answer.stdout


def test_a_realm_in_small_letters(realm: Realm, directory: Path) -> None:
    (directory / "k5login").write_text("alice@xman.test\n")

    wrong(bad(check(realm, directory)), "list: the realm is XMAN.TEST, in capital letters")


def test_a_journal_that_another_program_keeps_locked(realm: Realm, directory: Path) -> None:
    (directory / "state").mkdir()
    with contextlib.closing(sqlite3.connect(directory / "state" / "journal.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE x (y)")
        other.execute("BEGIN EXCLUSIVE")

        wrong(bad(check(realm, directory)), f"journal: (process {os.getpid()}) keeps it locked")


def test_a_replay_cache_that_is_switched_off_is_no_fault_of_the_keys(realm: Realm, directory: Path) -> None:
    (line,) = bad(check(realm, directory, env={"KRB5RCACHENAME": "none:"}))

    assert "switches the replay cache off" in line


@pytest.mark.parametrize(
    ("octets", "said"), [(b"\xff\xfe", "is not UTF-8 (octet 0)"), (b"listen = [", ""), (None, "no such file")]
)
def test_of_a_file_that_cannot_be_read_nothing_is_guessed(
    realm: Realm, tmp_path: Path, octets: bytes | None, said: str
) -> None:
    path = tmp_path / "broken.toml"
    if octets is not None:
        path.write_bytes(octets)

    first, second = xmand(realm.env, "--check", "-c", str(path)).stdout.splitlines()

    assert first.startswith(f"BAD  {path}: ")
    assert said in first
    assert second.startswith("note Nothing else was looked at")
