"""A host by all its names. The keytab has no key for localhost, as real ones have none."""

import subprocess
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon, run_rxm
from tests.lab.kerberos.realm import ALIAS, FQDN, IPV6_NAME, SECOND_NAME, SHORT_NAME, Realm


@pytest.mark.parametrize("name", [FQDN, SHORT_NAME, ALIAS, SECOND_NAME, IPV6_NAME])
def test_a_name_with_a_key_works(daemon: Daemon, alice: dict[str, str], name: str) -> None:
    answer = daemon.rxm(alice, "-j", "ping", host=name)

    assert answer.status == 0, answer
    assert answer.json()["host"] == name


def test_the_ipv6_name_was_reached_over_ipv6(daemon: Daemon, alice: dict[str, str]) -> None:
    daemon.rxm(alice, "ping", host=IPV6_NAME)

    assert any(line["peer"].startswith("[::1]:") for line in daemon.syslog.audit(ev="auth"))


def test_the_keytab_has_no_key_for_localhost(realm: Realm) -> None:
    keys = subprocess.run(["klist", "-k", realm.keytab], env=realm.env, capture_output=True, text=True, check=True)

    assert "localhost" not in keys.stdout
    assert FQDN in keys.stdout


def test_localhost_is_explained(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "list", host="localhost")

    assert answer.status == 4
    assert "Check the name, or create host/FQDN" in answer.stderr


def test_the_default_host_comes_from_the_environment(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = run_rxm(alice | {"RXM_HOSTS": FQDN}, "-p", str(daemon.port), "-j", "ping")

    assert answer.json()["host"] == FQDN


def test_the_default_host_comes_from_the_configuration(daemon: Daemon, alice: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / ".config" / "xman" / "rxm.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'hosts = ["{FQDN}"]\nport = {daemon.port}\n')

    answer = run_rxm(alice | {"HOME": str(tmp_path)}, "-j", "ping")

    assert answer.json()["host"] == FQDN
