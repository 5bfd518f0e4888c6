"""`xmand --check` tells what a start, and a first client, would find, and changes nothing."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Answer, Daemon, xmand
from tests.lab.kerberos.realm import Realm


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
    ],
)
def test_what_is_wrong_is_told(realm: Realm, directory: Path, changes: str, tables: str, said: str) -> None:
    (line, *_more) = bad(check(realm, directory, changes, tables))

    assert said in line


def test_a_table_without_its_method_keeps_xmand_from_starting(realm: Realm, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match='it has no effect without "principals" in methods'):
        Daemon(realm, tmp_path, tables='[authorize.principals]\n"a@R" = ["show"]\n')


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
