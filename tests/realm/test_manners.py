"""The manners of the command line: help, tables in every form, failures told once, what is asked of whom."""

import csv
import io
import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line, run_rxm
from tests.lab.kerberos.realm import FQDN, SECOND_HOST
from tests.realm.conftest import Pair
from xman import verbs


def test_help_needs_neither_host_nor_ticket(alice: dict[str, str]) -> None:
    answer = run_rxm(alice | {"KRB5CCNAME": "FILE:/nonexistent/cache"}, "-H", "a[1-23]", "help")

    assert answer.status == 0
    # A line for each verb, and a page and a half of all else.
    assert answer.stdout.count("\n") < 70 + len(verbs.BY_NAME)
    for heading in ("Options:", "Looking at domains:", "Batch jobs:", "Examples:", "Exit status:"):
        assert f"\n{heading}\n" in answer.stdout


def test_help_of_one_verb_is_as_json_as_well(alice: dict[str, str]) -> None:
    assert run_rxm(alice, "-j", "help", "pause").json()["result"]["verb"] == "pause"


def test_what_i_may_is_asked_of_the_host(daemon: Daemon, alice: dict[str, str]) -> None:
    assert " pause " in daemon.rxm(alice, "help", "--mine").stdout


# --- tables -----------------------------------------------------------------------------------------------------------


def test_names_alone(daemon: Daemon, alice: dict[str, str], pair: Pair) -> None:
    assert daemon.rxm(alice, "list", "-o", "name", "test").stdout == "test\n"
    assert f"{FQDN}:left\n" in pair.rxm("-o", "name", "list").stdout
    assert f"{SECOND_HOST}:right\n" in pair.rxm("list", "--output=name").stdout


def test_csv(daemon: Daemon, alice: dict[str, str]) -> None:
    rows = list(csv.DictReader(io.StringIO(daemon.rxm(alice, "-o", "csv", "list", "test").stdout)))

    assert [(row["name"], row["state"]) for row in rows] == [("test", "running")]


def test_wide_shows_more(daemon: Daemon, alice: dict[str, str]) -> None:
    headings = daemon.rxm(alice, "-o", "wide", "list").stdout.splitlines()[0].split()

    assert {"name", "uuid", "max_memory", "host"} <= set(headings)


@pytest.mark.parametrize("verb", ["list", "state", "job-list", "log", "ping", "stats", "events", "info", "version"])
@pytest.mark.parametrize("shape", [["-o", "csv"], ["-o", "wide"], ["-o", "name"], ["--no-headers"]], ids=" ".join)
def test_every_verb_that_looks_takes_every_form(pair: Pair, verb: str, shape: list[str]) -> None:
    answer = pair.rxm(verb, *shape)

    assert (answer.status, answer.stderr) == (0, ""), answer


def test_columns_in_order_and_without_headings(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "list", "--columns", "state,name", "--no-headers", "test")

    assert answer.stdout.split() == ["running", "test"]


def test_xms_table_without_its_headings(daemon: Daemon, alice: dict[str, str]) -> None:
    whole = daemon.rxm(alice, "list", "test").stdout.splitlines()

    assert [line[:40] for line in daemon.rxm(alice, "list", "--no-headers", "test").stdout.splitlines()] == [
        line[:40] for line in whole[1:]
    ]


def test_sorted(pair: Pair) -> None:
    names = pair.rxm("list", "-o", "name", "--sort", "-name").stdout.split()

    assert [name.partition(":")[2] for name in names] == ["test", "test", "right", "left", "both", "both"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--sort", "nmae"], "Did you mean name?"),
        (["list", "--columns", "x"], "there are "),
        (["list", "-o", "cvs"], "Did you mean csv?"),
        (["pause", "-o", "csv", "test"], "does not print a table"),
        (["list", "-o", ""], "empty"),
    ],
)
def test_what_cannot_be_shown(daemon: Daemon, alice: dict[str, str], words: list[str], said: str) -> None:
    assert_one_line(daemon.rxm(alice, *words), 2, said)


def test_json_is_a_form_as_well(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.rxm(alice, "-o", "json", "list").json()["ok"]


# --- what was meant ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lisst"], "Did you mean list?"),
        (["dumpxml", "test"], "'rxm describe'"),
        (["undefine", "test"], "'rxm delete'"),
        (["pause", "--qiet", "test"], "Did you mean --quiet?"),
        (["migrate", "--lvie", "test", "x"], "Did you mean --live?"),
        (["help", "lisst"], "Did you mean list?"),
    ],
)
def test_slips_are_understood(daemon: Daemon, alice: dict[str, str], words: list[str], said: str) -> None:
    assert_one_line(daemon.rxm(alice, *words), 2, said)


def test_a_misspelt_domain(daemon: Daemon, alice: dict[str, str], pair: Pair) -> None:
    assert daemon.rxm(alice, "pause", "tset").stderr == "Error: Domain 'tset' does not exist. Did you mean 'test'?\n"
    assert_one_line(pair.rxm("pause", "lfet"), 7, "Did you mean 'left'?")


def test_a_misspelt_host(alice: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "rxm.toml"
    config.write_text('[groups]\nlab = "skirit80.invalid"\n')

    answer = run_rxm(alice, "-c", str(config), "-H", "skirt80.invalid", "list")

    assert_one_line(answer, 6, "Did you mean skirit80.invalid?")


# --- failures ---------------------------------------------------------------------------------------------------------


def test_the_same_failure_is_told_once(alice: dict[str, str]) -> None:
    answer = run_rxm(alice, "-H", "node[01-20].invalid", "ping")

    first, second = answer.stderr.splitlines()
    assert first.startswith("Error: node[01-20].invalid: ")
    assert second == "Of 20: 20 unreachable."


def test_hosts_that_cannot_be_asked_where_a_domain_is_are_told_once(alice: dict[str, str]) -> None:
    answer = run_rxm(alice, "-H", "node[01-20].invalid", "pause", "test")

    assert_one_line(answer, 6, "nothing was changed: node[01-20].invalid: ")


def test_what_hosts_refuse_is_told_once(pair: Pair) -> None:
    answer = pair.rxm("list", "--state", "nosuch")

    assert answer.status == 2
    assert len(answer.stderr.splitlines()) == 2, answer


def test_with_json_each_has_its_object(alice: dict[str, str]) -> None:
    assert len(run_rxm(alice, "-j", "-H", "node[01-20].invalid", "ping").objects()) == 20


# --- what is asked ----------------------------------------------------------------------------------------------------


def test_what_is_asked_of_whom(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "list", "-v")

    connected, asked = answer.stderr.splitlines()
    assert f"connected as alice@XMAN.TEST to host@{daemon.host}" in connected
    assert f"{daemon.host}: list --: ok, " in asked


def test_no_password_is_told(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "-v", "create", "-n", "-", "vncpasswd=secret", stdin='name="x"\nmemory=64\n')

    assert "secret" not in answer.stderr


# --- completion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_is_printed(shell: str) -> None:
    done = subprocess.run(["rxm", "completion", shell], capture_output=True, text=True, check=True)

    assert "__complete" in done.stdout


# --- check ------------------------------------------------------------------------------------------------------------


def test_all_is_well(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = run_rxm(alice, "-p", str(daemon.port), "check", daemon.host)

    assert (answer.status, answer.stderr) == (0, "")
    for step in ("realm", "ticket", "name", "port", "service key", "clock", "list", "rights"):
        assert f"{step}: " in answer.stdout, step
    assert "BAD" not in answer.stdout


def bad(answer_stdout: str) -> list[str]:
    """Return the lines of what is bad."""
    return [line for line in answer_stdout.splitlines() if line.startswith("BAD")]


def test_without_a_ticket(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = run_rxm(alice | {"KRB5CCNAME": "FILE:/nonexistent"}, "-p", str(daemon.port), "check", daemon.host)

    assert answer.status == 4
    assert bad(answer.stdout)[0].startswith("BAD  ticket: you have no Kerberos ticket")
    assert f"ok   {daemon.host}: port: " in answer.stdout
    assert len(bad(answer.stdout)) == 1, "said once, and not for each host"
    assert f"note {daemon.host}: service key: not tried" in answer.stdout


def test_a_cache_of_no_known_type(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = run_rxm(alice | {"KRB5CCNAME": "NOSUCHTYPE:x"}, "-p", str(daemon.port), "check", daemon.host)

    assert answer.status == 4
    assert bad(answer.stdout)[0].startswith("BAD  ticket: the ticket cache NOSUCHTYPE:x cannot be used (")
    assert "correct KRB5CCNAME" in bad(answer.stdout)[0]


def test_a_ticket_of_another_realm_than_the_configurations(
    daemon: Daemon, alice: dict[str, str], tmp_path: Path
) -> None:
    text = Path(alice["KRB5_CONFIG"]).read_text()
    changed, count = re.subn(r"(?m)^(\s*default_realm\s*=).*$", r"\1 OTHER.TEST", text)
    (tmp_path / "krb5.conf").write_text(changed)

    answer = run_rxm(alice | {"KRB5_CONFIG": str(tmp_path / "krb5.conf")}, "-p", str(daemon.port), "check", daemon.host)

    assert count == 1
    assert "note realm: default_realm is OTHER.TEST, the ticket is of XMAN.TEST" in answer.stdout


def test_an_address_instead_of_a_name(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = run_rxm(alice, "-p", str(daemon.port), "check", "127.0.0.1")

    assert "name back: 127.0.0.1 " in answer.stdout


def test_nothing_listens(alice: dict[str, str]) -> None:
    answer = run_rxm(alice, "-p", "1", "check", FQDN)

    assert answer.status == 6
    assert "Start xmand" in bad(answer.stdout)[0]


def test_no_such_name(alice: dict[str, str]) -> None:
    assert "it has no address" in bad(run_rxm(alice, "check", "nosuch.invalid").stdout)[0]


def test_no_key_for_that_name(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = run_rxm(alice, "-p", str(daemon.port), "check", "localhost")

    assert answer.status == 4
    assert "service key" in bad(answer.stdout)[0]


def test_not_on_the_list(daemon: Daemon, mallory: dict[str, str]) -> None:
    answer = run_rxm(mallory, "-p", str(daemon.port), "check", daemon.host)

    assert answer.status == 5
    assert ".k5login" in bad(answer.stdout)[0]
    assert "xmand --check on that host says why" in bad(answer.stdout)[0]


def test_a_configuration_that_is_wrong_hides_nothing(daemon: Daemon, alice: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "rxm.toml"
    config.write_text("fanout = 0\n")

    answer = run_rxm(alice, "-c", str(config), "-p", str(daemon.port), "check", daemon.host)

    assert answer.status == 2
    assert "fanout" in bad(answer.stdout)[0]
    assert "rights: " in answer.stdout


def test_a_key_that_is_none_is_named(daemon: Daemon, alice: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "rxm.toml"
    config.write_text("fanuot = 1\n")

    assert "note configuration" in run_rxm(alice, "-c", str(config), "-p", str(daemon.port), "check", FQDN).stdout


@pytest.mark.parametrize(
    "words",
    [["list"], ["stats"], ["-o", "csv", "list"], ["events"], ["console"], ["screenshot"], ["edit"], ["snapshot-list"]],
    ids=" ".join,
)
def test_a_misspelt_domain_is_told_by_every_way_of_asking(
    daemon: Daemon, alice: dict[str, str], words: list[str]
) -> None:
    answer = daemon.rxm(alice, *words, "tets")

    assert answer.status == 7
    assert answer.stderr.endswith("Did you mean 'test'?\n")
