"""Authorizers besides the list, in a running xmand: a scheduler's principal, owners of jobs, a site's own program."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import Realm

MALLORY = "mallory@XMAN.TEST"
PROGRAM = """\
#!/usr/bin/python3
import json, sys
asked = json.load(sys.stdin)
allowed = asked["principal"].startswith("operator") and (asked["domain"] == "test" or asked["verb"] in ("list", "help"))
sys.exit(0 if allowed else "not for you")
"""


@pytest.fixture(scope="module")
def site(realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A host with a scheduler (slurm), a job of mallory's in `hers`, and a program that lets operators at `test`."""
    directory = tmp_path_factory.mktemp("site")
    program = directory / "may"
    program.write_text(PROGRAM)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    daemon = Daemon(
        realm,
        directory / "xmand",
        admins=("alice@XMAN.TEST",),
        tables=f'[authorize]\nmethods = ["k5login", "principals", "owner", "external"]\nexternal = ["{program}"]\n'
        '[batch]\nboot_seconds = 0.01\ndomains = ["hers"]\n'
        '[authorize.principals]\n"slurm/ctl@XMAN.TEST" = ["batch", "show"]\n'
        '"teacher@XMAN.TEST" = ["create"]\n',
    )
    assert daemon.rxm(alice, "create", "-", stdin=for_test_driver("hers")).status == 0
    answer = daemon.rxm(alice, "job-start", "--id", "1", "--owner", MALLORY, "hers")
    assert answer.status == 0, answer
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


@pytest.fixture(scope="module")
def slurm(realm: Realm) -> dict[str, str]:
    """A scheduler's ticket."""
    realm.add_principal("slurm/ctl", PASSWORD)
    return realm.kinit("slurm/ctl", PASSWORD, "slurm")


@pytest.fixture(scope="module")
def operator(realm: Realm) -> dict[str, str]:
    """The ticket of somebody whom the site's program knows."""
    realm.add_principal("operator1", PASSWORD)
    return realm.kinit("operator1", PASSWORD, "operator")


def names(answer: Answer) -> list[str]:
    """Return the names of the domains in an answer."""
    return [domain["name"] for domain in answer.json()["result"]["domains"]]


def test_a_scheduler_has_its_verbs_on_every_domain(site: Daemon, slurm: dict[str, str]) -> None:
    assert names(site.rxm(slurm, "-j", "list")) == ["hers", "test"]
    assert site.rxm(slurm, "job-list").status == 0
    for words in (("destroy", "test"), ("info",), ("create", "-")):
        assert site.rxm(slurm, *words, stdin=for_test_driver("new")).status == 5
    assert site.syslog.wait(ev="deny", verb="destroy")["princ"] == "slurm/ctl@XMAN.TEST"


@pytest.fixture(scope="module")
def teacher(realm: Realm) -> dict[str, str]:
    """The ticket of somebody who is on no list and may create domains."""
    realm.add_principal("teacher", PASSWORD)
    return realm.kinit("teacher", PASSWORD, "teacher")


def test_what_others_than_administrators_create_is_held_to_the_policy(
    site: Daemon, teacher: dict[str, str], alice: dict[str, str]
) -> None:
    plain = for_test_driver("theirs")
    evil = plain.replace("</domain>", "<devices><emulator>/tmp/evil.sh</emulator></devices></domain>")

    refused = site.rxm(teacher, "create", "-", stdin=evil)
    dry = site.rxm(teacher, "create", "--dry-run", "-", stdin=evil)
    taken = site.rxm(teacher, "create", "-", stdin=plain)

    assert (refused.status, dry.status, taken.status) == (5, 5, 0), (refused, dry, taken)
    assert "domain/devices/emulator" in refused.stderr
    assert site.rxm(alice, "create", "--dry-run", "-", stdin=evil.replace("theirs", "hers2")).status == 0


def test_who_may_create_but_not_delete_takes_nobodys_name(
    site: Daemon, teacher: dict[str, str], alice: dict[str, str]
) -> None:
    assert site.rxm(alice, "new", "-", stdin=for_test_driver("alices")).status == 0
    before = site.rxm(alice, "describe", "alices").stdout

    answer = site.rxm(teacher, "create", "-", stdin=for_test_driver("alices"))

    assert answer.status == 3, answer
    assert site.rxm(alice, "describe", "alices").stdout == before
    assert site.rxm(alice, "delete", "alices").status == 0


def test_help_shows_what_one_may(site: Daemon, slurm: dict[str, str], mallory: dict[str, str]) -> None:
    verbs = {verb["name"] for verb in site.rxm(slurm, "-j", "help", "--mine").json()["result"]["verbs"]}
    own = site.rxm(mallory, "-j", "ping").json()["result"]["verbs"]

    assert {"help", "ping", "list", "job-start"} <= verbs
    assert not {"destroy", "info", "create", "log"} & verbs
    assert {"pause", "reboot", "list"} <= set(own)
    assert not {"destroy", "delete", "mem-set"} & set(own)


def test_who_is_given_verbs_is_told_as_well_what_he_owns(
    site: Daemon, teacher: dict[str, str], alice: dict[str, str]
) -> None:
    def told() -> set[str]:
        return set(site.rxm(teacher, "-j", "ping").json()["result"]["verbs"])

    before = told()
    words = ("hers", "--id", "2", "--owner", "teacher@XMAN.TEST")
    assert site.rxm(alice, "job-stop", "--id", "1", "hers").status == 0
    assert site.rxm(alice, "job-start", *words).status == 0
    try:
        assert "pause" not in before
        assert told() == before | {
            "list",
            "describe",
            "stats",
            "wait",
            "shutdown",
            "reboot",
            "pause",
            "unpause",
            "state",
        }
    finally:
        assert site.rxm(alice, "job-stop", *words[:3]).status == 0
        assert site.rxm(alice, "job-start", "--id", "1", "--owner", MALLORY, "hers").status == 0


def test_an_owner_looks_at_and_pauses_the_own_domain(site: Daemon, mallory: dict[str, str]) -> None:
    assert names(site.rxm(mallory, "-j", "list")) == ["hers"]
    assert names(site.rxm(mallory, "-j", "stats")) == ["hers"]
    assert names(site.rxm(mallory, "-j", "state")) == ["hers"]
    assert site.rxm(mallory, "pause", "hers").status == 0
    assert site.rxm(mallory, "unpause", "hers").status == 0


@pytest.mark.parametrize("name", ["test", "missing"])
def test_any_other_domain_is_denied_whether_or_not_there_is_one(
    site: Daemon, mallory: dict[str, str], name: str
) -> None:
    answer = site.rxm(mallory, "pause", name)

    assert answer.status == 5
    assert answer.stderr == site.rxm(mallory, "pause", "nothing").stderr


def test_an_owner_may_not_do_what_is_not_an_owners(site: Daemon, mallory: dict[str, str]) -> None:
    for words in (("destroy", "hers"), ("stats", "--host"), ("log",), ("job-stop", "--id", "1", "hers")):
        assert site.rxm(mallory, *words).status == 5, words


def test_a_site_s_program_decides(site: Daemon, operator: dict[str, str]) -> None:
    assert site.rxm(operator, "pause", "test").status == 0
    assert site.rxm(operator, "unpause", "test").status == 0
    assert site.rxm(operator, "pause", "hers").status == 5
    assert any("external: not for you" in line for line in site.syslog.lines())


def test_whom_nobody_knows_may_nothing(site: Daemon, realm: Realm) -> None:
    realm.add_principal("eve", PASSWORD)
    eve = realm.kinit("eve", PASSWORD, "eve")

    for words in (("list",), ("ping",), ("help", "--mine"), ("pause", "hers")):
        assert site.rxm(eve, *words).status == 5, words


def test_ping_tells_a_fleet_about_list_and_keys(site: Daemon, alice: dict[str, str], realm: Realm) -> None:
    found = site.rxm(alice, "-j", "ping").json()["result"]

    assert (found["principal"], found["list"]["entries"]) == ("alice@XMAN.TEST", 1)
    assert len(found["list"]["sha256"]) == 64
    (own, *_more) = [key for key in found["keys"] if key["principal"] == "host/skirit80.xman.test@XMAN.TEST"]
    assert own["kvno"] >= 1
    assert own["enctype"].startswith("aes")


@pytest.mark.parametrize(
    ("mode", "finding"),
    [(0o755, "is asked"), (0o644, "is not a program"), (0o775, "can be changed by users other than root")],
)
def test_check_looks_at_the_program(realm: Realm, tmp_path: Path, mode: int, finding: str) -> None:
    from tests.lab.hosts.daemon import xmand

    program, path = tmp_path / "may", tmp_path / "xmand.toml"
    program.write_text(PROGRAM)
    program.chmod(mode)
    path.write_text(f'[authorize]\nmethods = ["external"]\nexternal = ["{program}"]\n')

    (line,) = [
        line for line in xmand(realm.env, "--check", "-c", str(path)).stdout.splitlines() if "authorize:" in line
    ]

    assert finding in line
    assert line.startswith("ok  " if mode == 0o755 else "BAD ")


def test_a_misspelt_key_keeps_it_from_starting(site: Daemon, realm: Realm, tmp_path: Path) -> None:
    from tests.lab.hosts.daemon import xmand

    path = tmp_path / "xmand.toml"
    path.write_text('[authorize]\nowner_verb = ["pause"]\n')

    answer = xmand(realm.env, "--config", str(path))

    assert (answer.status, "authorize.owner_verb" in answer.stderr) == (2, True)


def test_with_another_s_job_in_it_a_domain_is_nobodys(
    site: Daemon, alice: dict[str, str], mallory: dict[str, str]
) -> None:
    assert site.rxm(alice, "job-start", "--id", "2", "--owner", "alice@XMAN.TEST", "hers").status == 0

    denied = site.rxm(mallory, "-j", "pause", "hers")

    assert json.loads(denied.stdout)["class"] == "denied"
    assert site.rxm(mallory, "list").status == 5
    assert site.rxm(alice, "job-stop", "--id", "2", "hers").status == 0
    assert site.rxm(mallory, "list").status == 0
