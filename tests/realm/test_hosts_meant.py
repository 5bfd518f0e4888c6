"""No host by accident: what changes something and names no domain needs one host, or a set that is really meant."""

import subprocess
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Answer, Daemon, answer, assert_one_line, run_rxm
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_HOST
from tests.realm.conftest import Pair

EVERYWHERE = [
    ["create", "-"],
    ["new", "-"],
    ["maintenance", "on", "power"],
    ["maintenance", "off"],
    ["dmesg", "-c"],
    ["shutdown", "--all", "--yes"],
    ["reboot", "--all", "--yes"],
    ["migrate", "--all", "--yes", FQDN],
]


@pytest.fixture
def configured(pair: Pair, tmp_path: Path) -> list[str]:
    """How both hosts are configured, not named."""
    config = tmp_path / "rxm.toml"
    config.write_text(f'hosts = ["{FQDN}", "{SECOND_HOST}"]\nport = {pair.port}\n[groups]\nempty = ""\n')
    return ["-c", str(config)]


def rxm(pair: Pair, *words: str, env: dict[str, str] | None = None) -> Answer:
    """Run rxm without naming hosts."""
    return answer([*pair._prefix, "rxm", *words], pair._env | (env or {}), for_test_driver("accident"))


def changes(pair: Pair) -> list[str]:
    """Return what was changed on either host."""
    return [
        line["verb"] for daemon in pair.daemons for line in daemon.syslog.audit(ev="begin") if line["verb"] != "list"
    ]


@pytest.fixture(autouse=True)
def _nothing_changes(pair: Pair) -> None:
    for daemon in pair.daemons:
        daemon.syslog.forget()


@pytest.mark.parametrize("words", EVERYWHERE, ids=" ".join)
def test_hosts_of_the_configuration_are_not_enough(pair: Pair, configured: list[str], words: list[str]) -> None:
    assert_one_line(rxm(pair, *configured, *words, "--yes"), 2, words[0], "on 2 hosts", "say which with -H")
    assert changes(pair) == []


@pytest.mark.parametrize("words", EVERYWHERE, ids=" ".join)
def test_nor_are_those_of_the_environment(pair: Pair, words: list[str]) -> None:
    both = {"RXM_HOSTS": f"{FQDN},{SECOND_HOST}"}

    assert_one_line(rxm(pair, "-p", str(pair.port), *words, "--yes", env=both), 2, "say which with -H")
    assert changes(pair) == []


@pytest.mark.parametrize("words", [["create", "-"], ["maintenance", "on", "power"], ["dmesg", "-c"]], ids=" ".join)
def test_a_set_that_is_named_is_confirmed(pair: Pair, words: list[str]) -> None:
    assert_one_line(pair.rxm(*words, stdin=for_test_driver("accident")), 2, "requires --yes")
    assert changes(pair) == []


def test_a_set_that_is_meant(pair: Pair) -> None:
    assert pair.rxm("maintenance", "on", "power", "--yes").status == 0
    assert pair.rxm("-y", "maintenance", "off").status == 0
    assert changes(pair) == ["maintenance"] * 4


def test_on_a_terminal_it_asks(pair: Pair) -> None:
    terminal = pair.on_a_terminal("maintenance", "off")

    terminal.wait_for("rxm maintenance on 2 hosts? [y/N] ")
    terminal.type("n\n")

    assert terminal.end() == 3
    assert changes(pair) == []


def test_one_host_needs_no_word(pair: Pair) -> None:
    assert pair.rxm("maintenance", "off", hosts=FQDN).status == 0


@pytest.mark.parametrize("words", [["-H", ""], ["-H", "@empty"], ["-H", "@empty,@empty"], ["-H", ","], ["-H", " "]])
def test_no_host_is_not_every_host(pair: Pair, configured: list[str], words: list[str]) -> None:
    assert rxm(pair, *configured, *words, "shutdown", "--all", "--yes").status == 2
    assert rxm(pair, *configured, "shutdown", "--all", "--yes", *words).status == 2
    assert changes(pair) == []


def test_an_empty_variable_is_not_every_host(pair: Pair, configured: list[str]) -> None:
    assert_one_line(rxm(pair, *configured, "shutdown", "--all", "--yes", env={"RXM_HOSTS": ""}), 2, "RXM_HOSTS")
    assert_one_line(rxm(pair, *configured, "list", env={"RXM_HOSTS": ""}), 2, "RXM_HOSTS")


@pytest.mark.parametrize("words", [["pause", ":test"], ["pause", ""], ["log", ""], ["log", "--principal", ""]])
def test_an_empty_word_is_not_everything(pair: Pair, configured: list[str], words: list[str]) -> None:
    assert_one_line(rxm(pair, *configured, *words), 2)


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_host_in_two_spellings_is_asked_once(pair: Pair) -> None:
    answered = pair.rxm("-j", "ping", hosts=f"{FQDN.upper()},{FQDN}.,{FQDN}")

    assert [line["host"] for line in answered.objects()] == [FQDN.upper()]


@pytest.mark.parametrize("name", [FQDN.upper(), f"{FQDN}.", f"{FQDN.title()}."])
def test_a_host_is_known_however_it_is_written(daemon: Daemon, alice: dict[str, str], name: str) -> None:
    assert daemon.rxm(alice, "ping", host=name).status == 0


@pytest.mark.parametrize("there", [SECOND_HOST.upper(), f"{SECOND_HOST}."])
def test_a_destination_too(pair: Pair, there: str) -> None:
    """The test driver cannot migrate, which is found out behind the list of destinations."""
    assert "does not allow" not in pair.rxm("migrate", "both", there, hosts=FQDN).stderr


def test_a_host_that_is_down_is_named(alice: dict[str, str]) -> None:
    message = run_rxm(alice, "-H", FQDN, "-p", "1", "ping").stderr

    assert message.startswith(f"Error: {FQDN}: ")


def test_patterns_look_and_are_confirmed_where_they_change(pair: Pair) -> None:
    assert pair.rxm("list", "bo*").stdout.count("both ") == 2
    assert_one_line(pair.rxm("list", "nosuch*"), 7, "nosuch*")
    assert_one_line(pair.rxm("pause", "bo*"), 2, "--yes")
    assert_one_line(pair.rxm("destroy", "bo*", "--yes"), 2, "takes no patterns")
    assert pair.rxm("pause", "bo*", "--yes").status == 0
    assert pair.rxm("-j", "unpause", "bot?", "--yes").status == 0


def test_a_pattern_of_a_change_goes_to_hosts_that_were_named(pair: Pair, configured: list[str]) -> None:
    assert_one_line(rxm(pair, *configured, "pause", "bo*", "--yes"), 2, "say which with -H")


def test_options_behind_the_verb(daemon: Daemon, alice: dict[str, str]) -> None:
    done = subprocess.run(
        ["rxm", "list", "-j", "test", "-H", daemon.host, f"-p{daemon.port}"],
        env=alice,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0
    assert done.stdout.startswith(b'{"xman":1')
