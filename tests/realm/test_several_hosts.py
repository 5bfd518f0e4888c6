"""Several hosts with one command: merged lists, domains located, and what a missing host means."""

from pathlib import Path

from tests.lab.kerberos.realm import DEAD_HOST, FQDN, SECOND_HOST
from tests.realm.conftest import BOTH, Pair


def test_lists_are_merged_with_the_host_last(pair: Pair) -> None:
    answer = pair.rxm("list")

    lines = answer.stdout.splitlines()
    assert lines[0].split()[-1] == "Host"
    found = [(line.split()[0], line.split()[-1]) for line in lines[1:]]
    assert ("left", FQDN) in found
    assert ("right", SECOND_HOST) in found
    assert found == sorted(found)


def test_json_gives_a_line_for_each_host(pair: Pair) -> None:
    hosts = {line["host"] for line in pair.rxm("-j", "list").objects()}

    assert hosts == {FQDN, SECOND_HOST}


def test_a_bare_domain_is_located(pair: Pair) -> None:
    answer = pair.rxm("-j", "pause", "right")

    assert answer.json()["host"] == SECOND_HOST
    assert answer.json()["changed"] is True


def test_a_domain_on_both_hosts_is_ambiguous(pair: Pair) -> None:
    answer = pair.rxm("pause", "both")

    assert answer.status == 2
    assert f"{FQDN}:both, {SECOND_HOST}:both" in answer.stderr


def test_a_domain_with_its_host(pair: Pair) -> None:
    answer = pair.rxm("-j", "pause", f"{SECOND_HOST}:both")

    assert answer.json()["host"] == SECOND_HOST


def test_a_domain_on_neither_host(pair: Pair) -> None:
    assert pair.rxm("pause", "nowhere").status == 7


def test_a_changing_verb_changes_nothing_where_a_host_does_not_answer(pair: Pair) -> None:
    answer = pair.rxm("destroy", "left", hosts=f"{BOTH},{DEAD_HOST}")

    assert answer.status == 6
    assert DEAD_HOST in answer.stderr
    assert pair.rxm("-j", "list", "left").json()["result"]["domains"][0]["state"] == "running"


def test_a_missing_host_costs_its_own_line_only(pair: Pair) -> None:
    answer = pair.rxm("list", hosts=f"{BOTH},{DEAD_HOST}")

    assert answer.status == 6
    assert answer.stderr.startswith(f"Error: {DEAD_HOST}: ")
    assert "right" in answer.stdout


def test_different_failures_are_mixed(pair: Pair) -> None:
    answer = pair.rxm("describe", f"{FQDN}:nope", f"{DEAD_HOST}:vm", hosts=FQDN)

    assert answer.status == 9


def test_the_map_of_the_configuration_locates(pair: Pair, tmp_path: Path) -> None:
    config = tmp_path / "rxm.toml"
    config.write_text(f'[domains]\n"bo[0-9]" = "elsewhere"\n"both" = "{SECOND_HOST}"\n')

    answer = pair.rxm("-c", str(config), "-j", "describe", "both")

    assert answer.json()["host"] == SECOND_HOST


def test_a_group_of_the_configuration(pair: Pair, tmp_path: Path) -> None:
    config = tmp_path / "rxm.toml"
    config.write_text(f'[groups]\nlab = "{BOTH}"\n')

    answer = pair.rxm("-c", str(config), "-j", "ping", hosts="@lab")

    assert {line["host"] for line in answer.objects()} == {FQDN, SECOND_HOST}


def test_a_range_of_hosts(pair: Pair) -> None:
    answer = pair.rxm("-j", "ping", hosts="skirit[80-81].xman.test")

    assert {line["host"] for line in answer.objects()} == {FQDN, SECOND_HOST}


def test_texts_of_several_hosts_are_labelled(pair: Pair) -> None:
    lines = pair.rxm("version").stdout.splitlines()

    assert all(line.startswith((f"{FQDN}: ", f"{SECOND_HOST}: ")) for line in lines)


def test_fail_fast_begins_nothing_after_a_failure(pair: Pair) -> None:
    answer = pair.rxm("--fail-fast", "-j", "describe", "nope", "left", hosts=FQDN)

    assert [line["domain"] for line in answer.objects()] == ["nope"]
