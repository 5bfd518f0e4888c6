"""`xmand --check` tells what a start, and a first client, would find, and changes nothing."""

import os
import shutil
import socket
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
        ("", '[migrate]\nuri = "qemu+tcp://other/system"\n', "every domain would go to the same place"),
        ("", '[batch]\nhooks = "hooks"\n', "batch.hooks: 'hooks' is relative"),
        ("", '[batch]\nhooks = "/nonexistent"\n', "batch.hooks: /nonexistent is not a directory"),
        ("", '[authorize]\nmethods = ["k5login", "external"]\nexternal = ["/nonexistent"]\n', "whom it would allow"),
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
        ('verbs = ["life"]', "note", "create: what a@R, b@R creates is held to [create]"),
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


def test_a_pool_that_some_write_to_and_others_launch_from(realm: Realm, directory: Path) -> None:
    tables = '[create]\npools = ["vms", "images"]\n[launch]\npools = ["images", "golden"]\n'

    lines = check(realm, directory, "", tables).stdout.splitlines()

    assert [line for line in lines if line.startswith("note launch: the pool 'images' is in [create]")], lines
    assert not [line for line in lines if "'vms'" in line or "'golden'" in line]


def test_one_bad_value_hides_no_other(realm: Realm, directory: Path) -> None:
    changes = 'listen = "x"\nstate_dir = "state"\nservice = 1'

    lines = bad(check(realm, directory, changes, '[limits]\nworkers = 0\nnosuch = 1\n[batch]\nstuck = "x"\n'))

    for key in ("listen", "service", "limits.workers", "limits.nosuch", "batch.stuck", "state_dir"):
        assert any(key in line for line in lines), (key, lines)


def test_a_port_that_another_program_has(realm: Realm, directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (line,) = bad(check(realm, directory, f'listen = ["127.0.0.1:{taken.getsockname()[1]}"]'))

    assert "the port is taken by " in line


def test_a_port_that_xmand_itself_has_is_as_it_should_be(realm: Realm, directory: Path, daemon: Daemon) -> None:
    answer = check(realm, directory, f'listen = ["[::]:{daemon.port}"]')

    assert bad(answer) == []
    assert "xmand (process " in answer.stdout


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
