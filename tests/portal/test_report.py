"""What a host's line says, as rows."""

import json

import pytest

from rxmweb.db import report
from rxmweb.db.report import NotAReportError
from tests.portal.reports import UUID, domain, failure, job, line
from xman import outcome


def test_a_good_line_gives_its_domains() -> None:
    found = report.read(
        line("h1", domain("vm1", 1, "running", jobs=[job(4711, "alice@R")], since="2026-11-21T07:30:00Z"))
    )

    assert (found.host, found.code, found.reported) == ("h1", outcome.OK, 1795248000.0)
    (row,) = found.domains
    assert (row["uuid"], row["name"], row["state"], row["memory"]) == (f"{UUID}01", "vm1", "running", 1 << 30)
    assert row["since"] == 1795246200.0
    assert json.loads(row["jobs"])[0]["id"] == "4711"
    assert report.owners(row) == ["alice@R"]


def test_what_is_not_known_is_absent() -> None:
    least = {"name": "vm1", "uuid": f"{UUID}01", "state": "free", "jobs": [], "priority": "normal"}
    found = report.read(line("h1", least | {"memory": 1, "max_memory": 2}))

    (row,) = found.domains
    assert (row["vcpus"], row["max_vcpus"], row["since"], row["jobs"]) == (None, None, None, "[]")


def test_what_takes_no_part_in_batch_work_is_a_machine_too() -> None:
    other = domain("desktop", 2, "paused", max_vcpus=4, id=3, cpu_seconds=1.5)
    del other["jobs"]

    found = report.read(line("h1", domain("vm1", 1), others=[other]))

    assert [row["name"] for row in found.domains] == ["vm1", "desktop"]
    assert (found.domains[1]["state"], found.domains[1]["reason"]) == (report.OUTSIDE, "paused")
    assert (found.domains[1]["max_vcpus"], found.domains[1]["jobs"]) == (4, "[]")


def test_maintenance_says_why_and_by_whom() -> None:
    said = {"reason": "new disks", "by": "alice@R", "since": "2026-11-21T07:30:00Z"}

    found = report.read(line("h1", maintenance=said))

    assert found.facts["maintenance_reason"] == "new disks"
    assert found.facts["maintenance_by"] == "alice@R"


@pytest.mark.parametrize(
    ("as_of", "age"),
    [("2026-11-21T07:59:30Z", 30), ("2026-11-21T08:00:05Z", 0), ("1970-01-01T00:00:00Z", 86_400)],
)
def test_a_report_says_how_old_it_is_and_no_age_that_cannot_be(as_of: str, age: float) -> None:
    found = json.loads(line("h1", domain("vm1", 1))) | {"at": "2026-11-21T08:00:00Z", "as_of": as_of}

    assert report.read(json.dumps(found)).age == age


def test_ids_and_owners_of_jobs_are_no_longer_than_xmand_takes_them() -> None:
    (found,) = report.read(line("h1", domain("vm1", 1, jobs=[job(7, "x" * 5000)]))).domains

    assert [len(each["owner"]) for each in json.loads(found["jobs"])] == [256]


def test_a_failure_has_its_words() -> None:
    found = report.read(failure("h1", outcome.UNREACHABLE, "no answer in time."))

    assert (found.code, found.problem, found.domains) == (outcome.UNREACHABLE, "no answer in time.", [])


@pytest.mark.parametrize("broken", [{"domains": 3}, {"domains": [{"name": "x"}]}, {"domains": [[]]}, {}])
def test_a_report_of_another_shape_is_a_failure_of_that_host(broken: object) -> None:
    text = json.dumps({"host": "h1", "ok": True, "result": broken})

    assert report.read(text).code == outcome.INTERNAL


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"host": 3, "ok": true}', "Error: x", "[" * 100_000])
def test_another_line_is_no_report(text: str) -> None:
    with pytest.raises(NotAReportError):
        report.read(text)


def test_control_characters_of_a_guest_are_replaced() -> None:
    (row,) = report.read(line("h1", domain("vm\u001b[31m\u0000\u202e", 1))).domains

    assert row["name"] == "vm\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "facts", [{"memory": 10**30}, {"vcpus": True}, {"name": "\ud800"}, {"uuid": "u1"}, {"state": 3}, {"jobs": "none"}]
)
def test_what_does_not_follow_the_schema_is_that_hosts_error(facts: dict[str, object]) -> None:
    found = report.read(line("h1", domain("vm1", 1) | facts))

    assert (found.host, found.code, found.domains) == ("h1", outcome.INTERNAL, [])
    assert found.problem.startswith("its report cannot be read")


@pytest.mark.parametrize(
    ("found", "expected"),
    [({"list_hash": "a" * 64, "audit_lost": 2}, ("a" * 64, 2)), ({}, (None, None))],
)
def test_a_version_is_what_is_watched(found: dict[str, object], expected: tuple[object, object]) -> None:
    read = report.read_version(line("h1", verb="version", xmand_version="1", protocol="3", **found))

    assert read is not None
    assert (read.host, read.list_hash, read.audit_lost) == ("h1", *expected)


def test_a_version_that_cannot_be_is_none() -> None:
    assert report.read_version(line("h1", verb="version", xmand_version="1", protocol="3", audit_lost="many")) is None


def test_who_did_not_answer_has_neither_samples_nor_a_version() -> None:
    text = failure("h1", outcome.UNREACHABLE, "no answer in time.")

    assert report.read_samples(text) == []
    assert report.read_version(text) is None


def test_a_sample_adds_up_the_devices() -> None:
    found = report.sample(
        {"uuid": "u", "cpu_seconds": 3.5, "memory": 7, "interfaces": [{"rx_octets": 1}, {"rx_octets": 2}], "disks": []}
    )

    assert (found["received"], found["sent"], found["read"], found["memory"]) == (3, None, None, 7)


@pytest.mark.parametrize("since", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1969-12-31T00:00:00Z"])
def test_a_time_that_no_page_can_show_is_none_and_that_hosts_error(since: str) -> None:
    assert report.when(since) is None
    assert report.read(line("h1", domain("vm1", 1, since=since))).code == outcome.INTERNAL


def test_a_report_of_more_domains_than_there_can_be_is_that_hosts_error() -> None:
    crowd = [domain("vm", 1)] * 100_001

    found = report.read(line("h1", *crowd))

    assert (found.code, found.domains) == (outcome.INTERNAL, [])
    assert "domains" in found.problem
