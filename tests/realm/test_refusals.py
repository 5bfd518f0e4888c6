"""Who does not get in: each refusal has its exit class, one clear line, a line in syslog where it reached xmand, and
changes nothing."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Daemon, assert_one_line, run_rxm
from tests.lab.kerberos.realm import DEAD_HOST, UNKEYED, Realm
from xman.gss.backends import DIRECT, PYTHON_GSSAPI, VARIABLE


@pytest.fixture(autouse=True)
def _nothing_changes(daemon: Daemon, alice: dict[str, str]) -> Iterator[None]:
    daemon.allow("alice@XMAN.TEST")
    yield
    daemon.allow("alice@XMAN.TEST")
    state = daemon.rxm(alice, "-j", "list", "test").json()["result"]["domains"][0]["state"]
    assert state == "running"


def test_a_principal_that_is_not_on_the_list(daemon: Daemon, mallory: dict[str, str]) -> None:
    answer = daemon.rxm(mallory, "destroy", "test")

    assert_one_line(answer, 5, "mallory@XMAN.TEST", ".k5login")
    assert daemon.syslog.wait(ev="deny", princ="mallory@XMAN.TEST", verb="destroy")["detail"] == "not on the list"


def test_an_instance_of_a_listed_principal(daemon: Daemon, realm: Realm) -> None:
    env = realm.kinit("alice/admin", PASSWORD, "alice-admin")

    assert_one_line(daemon.rxm(env, "destroy", "test"), 5, "alice/admin@XMAN.TEST")


def test_an_anonymous_ticket(daemon: Daemon, realm: Realm) -> None:
    daemon.allow("alice@XMAN.TEST", "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS")

    answer = daemon.rxm(realm.kinit_anonymous(), "destroy", "test")

    assert_one_line(answer, 5)
    assert (
        "anonymous"
        in daemon.syslog.wait(ev="deny", verb="destroy", princ="WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS")["detail"]
    )


def _absent(path: Path) -> None:
    path.unlink()


def _group_writable(path: Path) -> None:
    path.chmod(0o664)


def _malformed(path: Path) -> None:
    path.write_bytes(b"alice@XMAN.TEST\n\0\n")


def _symbolic_link(path: Path) -> None:
    target = path.with_suffix(".target")
    target.write_text("alice@XMAN.TEST\n")
    path.unlink()
    path.symlink_to(target)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [_absent, _group_writable, _malformed, _symbolic_link, _directory])
def test_a_list_that_cannot_be_used_denies_everyone(daemon: Daemon, alice: dict[str, str], spoil: object) -> None:
    assert callable(spoil)
    spoil(daemon.k5login)

    answer = daemon.rxm(alice, "destroy", "test")

    if daemon.k5login.is_dir():
        daemon.k5login.rmdir()
    assert_one_line(answer, 5)
    assert daemon.syslog.wait(ev="deny", princ="alice@XMAN.TEST", verb="destroy")["detail"] == "the list cannot be used"


def test_a_list_that_cannot_be_used_is_named_in_the_log(daemon: Daemon) -> None:
    assert any("nobody is authorized" in line for line in daemon.syslog.lines())


def test_an_expired_ticket(daemon: Daemon, realm: Realm) -> None:
    env = realm.kinit("alice", PASSWORD, "expired", "-l", "1s")
    time.sleep(2)

    answer = daemon.rxm(env, "destroy", "test")

    assert_one_line(answer, 4, "expired", "kinit")
    assert re.search(r"your ticket expired \d s ago; run kinit\.$", answer.stderr), answer


def shifted(realm: Realm, directory: Path, shift: str) -> Daemon:
    """Return an xmand whose clock is off."""
    (library,) = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    env = {"LD_PRELOAD": f"{realm.env['LD_PRELOAD']} {library}", "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return Daemon(realm, directory, admins=("alice@XMAN.TEST",), env=env)


@pytest.mark.parametrize(("shift", "words"), [("+20m", "ahead of"), ("-20m", "behind")])
def test_clocks_that_differ(realm: Realm, alice: dict[str, str], tmp_path: Path, shift: str, words: str) -> None:
    daemon = shifted(realm, tmp_path, shift)

    answer = daemon.rxm(alice, "list")

    assert_one_line(answer, 4, "NTP")
    assert re.search(rf"the host's clock is (19|20|21) min {words} this machine's", answer.stderr), answer
    assert daemon.stop() == 0


def test_a_host_that_takes_a_ticket_for_expired(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    daemon = shifted(realm, tmp_path, "+9d")

    answer = daemon.rxm(alice, "list")

    assert_one_line(answer, 4, "clock")
    assert daemon.stop() == 0


def test_no_ticket(daemon: Daemon, realm: Realm) -> None:
    assert_one_line(daemon.rxm(realm.cache("none"), "destroy", "test"), 4, "no Kerberos ticket", "kinit")


def test_a_client_keytab_stands_in_for_a_ticket(daemon: Daemon, realm: Realm, tmp_path: Path) -> None:
    realm.add_service("portal", str(tmp_path / "portal.keytab"))
    daemon.allow("alice@XMAN.TEST", "portal@XMAN.TEST")
    config = tmp_path / "rxm.toml"
    config.write_text(f'client_keytab = "{tmp_path / "portal.keytab"}"\nprincipal = "portal@XMAN.TEST"\n')

    answer = daemon.rxm(realm.cache("none"), "-c", str(config), "-j", "ping")

    assert answer.json()["result"]["principal"] == "portal@XMAN.TEST"


@pytest.mark.parametrize("backend", [DIRECT, PYTHON_GSSAPI])
def test_a_keytabs_tickets_are_kept_while_the_kdc_is_away(
    daemon: Daemon, realm: Realm, tmp_path: Path, backend: str
) -> None:
    realm.add_service(f"kept-{backend}", str(tmp_path / "own.keytab"))
    daemon.allow("alice@XMAN.TEST", f"kept-{backend}@XMAN.TEST")
    (tmp_path / "rxm.toml").write_text(
        f'client_keytab = "{tmp_path / "own.keytab"}"\nprincipal = "kept-{backend}@XMAN.TEST"\n'
    )
    (tmp_path / "run").mkdir(mode=0o700)
    env = realm.cache("none") | {"XDG_RUNTIME_DIR": str(tmp_path / "run"), VARIABLE: backend}
    away = tmp_path / "krb5.conf"
    away.write_text(re.sub(r"(?m)^(\s*kdc = ).*$", r"\g<1>127.0.0.1:1", Path(realm.env["KRB5_CONFIG"]).read_text()))

    first = daemon.rxm(env, "-c", str(tmp_path / "rxm.toml"), "ping")
    second = daemon.rxm(env | {"KRB5_CONFIG": str(away)}, "-c", str(tmp_path / "rxm.toml"), "ping")

    assert (first.status, second.status) == (0, 0), (first, second)
    (kept,) = (tmp_path / "run" / "rxm").iterdir()
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_tickets_are_not_kept_where_others_may_look(daemon: Daemon, realm: Realm, tmp_path: Path, mode: int) -> None:
    realm.add_service("careful", str(tmp_path / "own.keytab"))
    daemon.allow("alice@XMAN.TEST", "careful@XMAN.TEST")
    (tmp_path / "rxm.toml").write_text(
        f'client_keytab = "{tmp_path / "own.keytab"}"\nprincipal = "careful@XMAN.TEST"\n'
    )
    place = tmp_path / "rxm"
    place.mkdir()
    place.chmod(mode)

    answer = daemon.rxm(
        realm.cache("none") | {"XDG_RUNTIME_DIR": str(tmp_path)}, "-c", str(tmp_path / "rxm.toml"), "ping"
    )

    assert answer.status == 0, answer
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("backend", [DIRECT, PYTHON_GSSAPI])
def test_a_client_keytab_that_is_not_there(daemon: Daemon, alice: dict[str, str], tmp_path: Path, backend: str) -> None:
    config = tmp_path / "rxm.toml"
    config.write_text(f'client_keytab = "{tmp_path / "none"}"\n')

    # A ticket that happens to be there is somebody else's.
    answer = daemon.rxm(alice | {VARIABLE: backend}, "-c", str(config), "list")

    assert_one_line(answer, 4, f"the client keytab {tmp_path / 'none'} gives no ticket")


def test_a_client_keytab_of_a_key_that_was_changed(daemon: Daemon, realm: Realm, tmp_path: Path) -> None:
    realm.add_service("stale", str(tmp_path / "stale.keytab"))
    realm.extract_keytab("stale", str(tmp_path / "new.keytab"))  # makes another key
    config = tmp_path / "rxm.toml"
    config.write_text(f'client_keytab = "{tmp_path / "stale.keytab"}"\nprincipal = "stale@XMAN.TEST"\n')

    answer = daemon.rxm(realm.cache("none"), "-c", str(config), "list")

    assert_one_line(answer, 4, "gives no ticket for stale@XMAN.TEST")


def test_a_principal_without_a_ticket(daemon: Daemon, alice: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "rxm.toml"
    config.write_text('principal = "bob@XMAN.TEST"\n')

    assert_one_line(
        daemon.rxm(alice, "-c", str(config), "list"), 4, "ticket of bob@XMAN.TEST; run kinit bob@XMAN.TEST."
    )


def without_kdc(realm: Realm, path: Path, instead: str) -> dict[str, str]:
    """Return an environment whose krb5.conf, at `path`, has other lines in the place of its KDCs."""
    path.write_text(re.sub(r"\bkdc = \S+", instead, Path(realm.env["KRB5_CONFIG"]).read_text()))
    return realm.kinit("alice", PASSWORD, "no-kdc") | {"KRB5_CONFIG": str(path)}


def test_no_kdc(daemon: Daemon, realm: Realm, tmp_path: Path) -> None:
    answer = daemon.rxm(without_kdc(realm, tmp_path / "krb5.conf", "kdc = 127.0.0.1:1"), "list")

    assert_one_line(answer, 4, "no KDC of the realm answers", "krb5.conf")


def test_no_kdc_that_is_named(daemon: Daemon, realm: Realm, tmp_path: Path) -> None:
    config = tmp_path / "krb5.conf"

    answer = daemon.rxm(without_kdc(realm, config, ""), "list")

    assert_one_line(
        answer, 4, f"neither {config} nor the DNS names a KDC for the realm XMAN.TEST; add it under [realms]"
    )


def test_no_default_realm(daemon: Daemon, realm: Realm, tmp_path: Path) -> None:
    krb5, config = tmp_path / "krb5.conf", tmp_path / "rxm.toml"
    krb5.write_text(re.sub(r"\bdefault_realm = \S+", "", Path(realm.env["KRB5_CONFIG"]).read_text()))
    config.write_text(f'client_keytab = "{realm.keytab.removeprefix("FILE:")}"\nprincipal = "slurm/ctl"\n')

    answer = daemon.rxm(realm.cache("none") | {"KRB5_CONFIG": str(krb5)}, "-c", str(config), "list")

    assert_one_line(answer, 4, f"{krb5} names no default realm; set default_realm under [libdefaults]")


def test_without_a_kdc_who_has_the_tickets_notices_nothing(daemon: Daemon, realm: Realm, tmp_path: Path) -> None:
    env = realm.kinit("alice", PASSWORD, "left-alone")
    assert daemon.rxm(env, "list").status == 0
    config = tmp_path / "krb5.conf"
    config.write_text(re.sub(r"\bkdc = \S+", "kdc = 127.0.0.1:1", Path(realm.env["KRB5_CONFIG"]).read_text()))

    assert daemon.rxm(env | {"KRB5_CONFIG": str(config)}, "list").status == 0


def test_a_wrong_service_key(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    realm.add_service("host/wrong.xman.test", str(tmp_path / "old.keytab"))
    with (realm.directory / "hosts").open("a") as hosts:
        hosts.write("127.0.0.1 wrong.xman.test\n")
    realm.extract_keytab("host/wrong.xman.test", str(tmp_path / "new.keytab"))
    stale = Daemon(realm, tmp_path / "x", admins=("alice@XMAN.TEST",), keytab=str(tmp_path / "old.keytab"))

    answer = stale.rxm(alice, "list", host="wrong.xman.test")

    assert_one_line(answer, 4, "wrong.xman.test", "key")
    assert "keytab" in stale.syslog.wait(ev="conn")["detail"]
    assert stale.stop() == 0


def test_a_host_of_which_the_realm_knows_nothing(daemon: Daemon, alice: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(alice, "list", host=UNKEYED), 4, UNKEYED, "Check the name, or create host/FQDN")


def test_a_ticket_for_another_service_of_the_host(daemon: Daemon, realm: Realm, alice: dict[str, str]) -> None:
    realm.add_service("HTTP/skirit80.xman.test")

    answer = run_rxm(alice, "-H", "skirit80.xman.test", "-p", str(daemon.port), "--service", "HTTP", "list")

    assert_one_line(answer, 4)


def test_a_host_where_nothing_listens(realm: Realm, alice: dict[str, str]) -> None:
    answer = run_rxm(alice, "-H", DEAD_HOST, "-p", "1", "destroy", "test")

    assert_one_line(answer, 6, DEAD_HOST, "is xmand running?")


def test_a_name_that_does_not_resolve(alice: dict[str, str]) -> None:
    assert_one_line(run_rxm(alice, "-H", "nowhere.invalid", "list"), 6, "nowhere.invalid", "cannot be resolved")


def test_a_host_that_says_nothing(alice: dict[str, str], tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = run_rxm(alice, "-t", "1", "-H", "skirit80", "-p", str(silent.getsockname()[1]), "destroy", "test")

    assert_one_line(answer, 6, "no answer in time")


def test_removal_from_the_list_takes_effect_at_the_next_command(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.rxm(alice, "list").status == 0
    daemon.allow("bob@XMAN.TEST")

    assert daemon.rxm(alice, "list").status == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_list_of_another_owner(daemon: Daemon, alice: dict[str, str]) -> None:
    os.chown(daemon.k5login, 1234, -1)

    assert_one_line(daemon.rxm(alice, "destroy", "test"), 5)
