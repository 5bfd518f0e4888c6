"""What ends by itself: leases of jobs, and claims. They are judged by no wall clock, and a restart takes none away."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.hosts.batch_site import BatchSite
from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import Realm
from tests.lab.process import wait_for

TABLES = """\
[batch]
domains = ["vm*"]
priority = ["vm2"]
boot_seconds = 0.001
park_seconds = 0.5
hooks = "/nowhere"
[authorize]
methods = ["k5login", "roles"]
owner_realm = "OWNERS.TEST"
[authorize.roles.guests]
members = ["host/vm1.xman.test@XMAN.TEST"]
verbs = ["state", "job-start", "job-renew", "job-stop"]
domains = ["{name}"]
"""
# Long enough for a loaded machine, short enough to wait for.
SOON = 2


@pytest.fixture(scope="module")
def daemon(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One xmand for most of this."""
    made = Daemon(realm, tmp_path_factory.mktemp("terms") / "xmand", admins=("alice@XMAN.TEST",), tables=TABLES)
    yield made
    assert made.stop() == 0
    assert "Traceback" not in made.stderr()


class Site(BatchSite):
    """A host with an ordinary domain, vm1, and one that may preempt it, vm2."""

    def jobs(self) -> list[dict[str, Any]]:
        """Return what `job-list` says."""
        return list(self.json("job-list")["result"]["jobs"])

    def claim(self, name: str) -> dict[str, Any] | None:
        """Return the claim that `state` shows in a domain."""
        (found,) = self.json("state", name)["result"]["domains"]
        claim: dict[str, Any] | None = found.get("claim")
        return claim


@pytest.fixture
def site(daemon: Daemon, alice: dict[str, str]) -> Iterator[Site]:
    made = Site(daemon, alice)
    for name in ("vm1", "vm2"):
        assert made.rxm("create", "-", stdin=for_test_driver(name)).status == 0
    yield made
    made.rxm("destroy", "vm[1-2]")
    assert made.rxm("delete", "vm[1-2]").status == 0


def _is(states: Callable[[], object], wanted: object) -> Callable[[], bool]:
    return lambda: states() == wanted


# --- leases -----------------------------------------------------------------------------------------------------------


def test_a_lease_that_nobody_renews_ends_its_job_and_who_waits_goes_on(site: Site) -> None:
    assert site.start("vm1", "1", "--preemptible").status == 0
    assert site.start("vm2", "2", "--lease", str(SOON)).status == 0

    wait_for(_is(lambda: [job["id"] for job in site.jobs()], ["1"]), 20, "the end of the lease")

    wait_for(_is(lambda: site.states()["vm1"], "running-preemptible"), 20, "the return of vm1")
    ended = f"remove-job: 2 of alice@OWNERS.TEST, whose lease of {SOON} s has ended"
    assert site.daemon.syslog.wait(ev="settle", detail=ended)["dom"] == "vm2"


def test_a_lease_is_told_and_renewed(site: Site) -> None:
    site.start("vm1", "1", "--lease", "100")
    (before,) = site.jobs()

    renewed = site.json("job-renew", "vm1", "--id", "1", "--lease", "1000")

    (after,) = site.jobs()
    assert (before["lease"], 0 <= before["lease_left"] <= 100) == (100, True)
    assert (renewed["changed"], renewed["result"]["state"]) == (True, "running")
    assert (after["lease"], 900 < after["lease_left"] <= 1000) == (1000, True)
    assert site.rxm("job-list").stdout.splitlines()[1].split()[-1].startswith("9")
    assert site.json("job-renew", "vm1", "--id", "1")["ok"]
    assert 'lease="1000"' in site.rxm("describe", "vm1").stdout


def test_a_lease_that_has_ended_cannot_be_renewed(site: Site) -> None:
    site.start("vm1", "1", "--lease", "1")
    wait_for(_is(site.jobs, []), 20, "the end of the lease")

    answer = site.rxm("job-renew", "vm1", "--id", "1")

    assert_one_line(answer, 3, "Job 1 in 'vm1' cannot be renewed: there is no such job", "its lease has ended (ended)")
    assert site.start("vm1", "1").status == 0, "and may start anew"


def test_a_job_without_a_lease_stays_and_says_so(site: Site) -> None:
    site.start("vm1", "1")

    assert_one_line(site.rxm("job-renew", "vm1", "--id", "1"), 3, "it has no lease", "--lease gives it one")
    assert "lease" not in site.jobs()[0]


@pytest.mark.parametrize("jump", ["+240", "-240"], ids=["ahead", "behind"])
def test_a_clock_that_is_set_neither_ends_a_lease_nor_prolongs_it(
    realm: Realm, alice: dict[str, str], tmp_path: Path, jump: str
) -> None:
    clock = tmp_path / "ahead"
    clock.write_text("+0\n")
    (library,) = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    env = {
        "LD_PRELOAD": f"{realm.env['LD_PRELOAD']} {library}",
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    daemon = Daemon(realm, tmp_path / "host", admins=("alice@XMAN.TEST",), tables=TABLES, env=env)
    site = Site(daemon, alice)
    assert site.rxm("create", "-", stdin=for_test_driver("vm1")).status == 0
    site.start("vm1", "1", "--lease", "100")
    site.start("vm1", "2", "--lease", str(SOON))
    clock.write_text(f"{jump}\n")

    wait_for(_is(lambda: [job["id"] for job in site.jobs()], ["1"]), 20, "the end of the short lease")
    assert 0 < site.jobs()[0]["lease_left"] <= 100
    assert site.rxm("job-renew", "vm1", "--id", "1").status == 0
    assert site.rxm("job-renew", "vm1", "--id", "1", "--lease", "1").status == 0

    wait_for(_is(site.jobs, []), 20, "the end of the renewed lease")
    assert daemon.stop() == 0


def test_after_a_restart_a_lease_goes_on_and_ends(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    """What libvirt's test driver keeps goes with its process, so that the metadata is put there by hand."""
    test = "http://libvirt.org/schemas/domain/test/1.0"

    def running(name: str, inner: str) -> str:
        metadata = (
            f'<metadata><xman:domain xmlns:xman="urn:xman:1" started="2020-01-01T00:00:00Z">{inner}'
            "</xman:domain></metadata><memory"
        )
        return (
            for_test_driver(name)
            .replace("<memory", metadata)
            .replace("</domain>", "<test:runstate>1</test:runstate></domain>")
            .replace("<domain type='test'>", f"<domain type='test' xmlns:test='{test}'>")
        )

    start = 'start="2020-01-01T00:00:00Z"'
    lost = f'<xman:job id="1" owner="a@R" {start} lease="{SOON}" renewed="2020-01-01T00:00:00Z"/>'
    kept = f'<xman:job id="2" owner="a@R" {start} lease="3600" renewed="2020-01-01T00:00:00Z"/>'
    claim = f'<xman:claim id="3" by="s@R" seconds="{SOON}" since="2020-01-01T00:00:00Z" {start}/>'
    (tmp_path / "node.xml").write_text(f"<node xmlns:test='{test}'>{running('vm1', lost + kept + claim)}</node>")
    daemon = Daemon(realm, tmp_path / "host", uri=f"test://{tmp_path}/node.xml", admins=("alice@XMAN.TEST",))
    site = Site(daemon, alice)

    wait_for(_is(lambda: ([job["id"] for job in site.jobs()], site.claim("vm1")), (["2"], None)), 20, "both ends")

    assert 0 < site.jobs()[0]["lease_left"] <= 60, "a minute of grace, for who renews it"
    assert daemon.syslog.wait(ev="settle", detail="release: the claim has ended")["dom"] == "vm1"
    assert daemon.stop() == 0


# --- claims -----------------------------------------------------------------------------------------------------------


def test_a_claim_keeps_the_host_until_its_job_comes(site: Site) -> None:
    claimed = site.json("job-claim", "vm1", "--id", "7", "--seconds", "100")

    assert (claimed["changed"], claimed["result"]["state"]) == (True, "occupied")
    found = site.claim("vm1")
    assert found is not None
    assert (found["id"], found["by"], found["seconds"]) == ("7", "alice@XMAN.TEST", 100)
    assert 0 < found["left"] <= 100
    assert site.rxm("state", "vm1").stdout.splitlines()[1].split()[-1] == "7(claimed)"
    for name in ("vm1", "vm2"):
        assert_one_line(site.start(name, "8"), 3, "the host is kept for job 7, which is to start in 'vm1' (claimed)")
    assert site.states() == {"vm1": "occupied", "vm2": "occupied"}

    assert site.start("vm1", "7").status == 0

    assert (site.states()["vm1"], site.claim("vm1")) == ("running", None)


def test_a_claim_ends_by_itself(site: Site) -> None:
    site.rxm("job-claim", "vm1", "--id", "7", "--seconds", "1")

    wait_for(_is(site.states, {"vm1": "free", "vm2": "free"}), 20, "the end of the claim")

    wait_for(lambda: "claim" not in site.rxm("describe", "vm1").stdout, 20, "its removal")
    assert site.start("vm2", "8").status == 0


@pytest.mark.parametrize("words", [("job-claim", "--release"), ("job-stop",)], ids=lambda words: words[0])
def test_a_claim_is_released(site: Site, words: tuple[str, ...]) -> None:
    site.rxm("job-claim", "vm1", "--id", "7")

    answer = site.json(words[0], "vm1", "--id", "7", *words[1:])

    assert (answer["changed"], answer["result"]["state"]) == (True, "free")
    assert site.json(words[0], "vm1", "--id", "7", *words[1:])["changed"] is False


def test_several_domains_are_claimed_together_or_not_at_all(site: Site) -> None:
    site.start("vm2", "1")

    answer = site.rxm("-j", "job-claim", "vm[1-2]", "--id", "7")

    assert answer.status == 3
    assert site.claim("vm1") is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("job-claim", "vm1", "--id", "1", "--seconds", "0.5"), "--seconds takes whole seconds, from 1 to 86400"),
        (("job-claim", "vm1", "--id", "1", "--seconds", "100000"), "--seconds takes"),
        (("job-start", "vm1", "--id", "1", "--owner", "a", "--lease", "3000000"), "--lease takes whole seconds"),
        (("job-renew", "vm1", "--lease", "60"), "--id is missing"),
    ],
)
def test_wrong_words(site: Site, words: tuple[str, ...], said: str) -> None:
    assert_one_line(site.rxm(*words), 2, said)


# --- ids and owners ---------------------------------------------------------------------------------------------------


def test_ids_of_other_schedulers(site: Site) -> None:
    longest = f"1234567[42].{'server.' * 34}test"
    longest += "x" * (256 - len(longest))

    assert site.start("vm1", longest).status == 0
    assert [job["id"] for job in site.jobs()] == [longest]
    assert_one_line(site.start("vm1", longest + "x"), 2, "--id takes")
    assert site.rxm("job-stop", "vm1", "--id", longest).status == 0


@pytest.mark.parametrize(
    ("given", "owner"),
    [
        ("bob", "bob@OWNERS.TEST"),
        ("bob@node1.example.org", "bob@OWNERS.TEST"),
        ("bob@node1", "bob@OWNERS.TEST"),
        ("bob@XMAN.TEST", "bob@XMAN.TEST"),
        ("bob/admin@PARTNER.EXAMPLE.ORG", "bob/admin@PARTNER.EXAMPLE.ORG"),
    ],
)
def test_who_submitted_a_job_on_a_host_is_no_principal_of_a_realm_of_that_name(
    site: Site, given: str, owner: str
) -> None:
    assert site.rxm("job-start", "vm1", "--id", "1", "--owner", given).status == 0

    assert site.jobs()[0]["owner"] == owner


def test_a_guest_acts_for_itself_alone(site: Site, realm: Realm, tmp_path: Path) -> None:
    """As Magrathea's slaves did: the prologue in a virtual machine speaks for that machine."""
    keytab = str(tmp_path / "keytab")
    realm.add_service("host/vm1.xman.test", keytab)
    guest = Site(site.daemon, realm.kinit("host/vm1.xman.test", "", "vm1", "-k", "-t", keytab))

    assert guest.start("vm1", "9", "--lease", "600").status == 0
    assert guest.rxm("job-renew", "vm1", "--id", "9").status == 0
    assert [found["name"] for found in guest.json("state")["result"]["domains"]] == ["vm1"]
    for words in (("job-stop", "vm2", "--id", "1"), ("preempt", "vm1"), ("job-claim", "vm1", "--id", "9")):
        assert guest.rxm(*words).status == 5, words
    assert guest.rxm("job-stop", "vm1", "--id", "9").status == 0
    assert json.loads(guest.rxm("-j", "ping").stdout)["ok"]
