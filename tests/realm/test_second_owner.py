"""A domain with jobs is sent only to a host where it would be the only owner.

libvirt's test driver moves none: what is sent ends as class 12.
"""

from collections.abc import Iterator

import pytest

from tests.lab.kerberos.realm import FQDN, SECOND_HOST
from tests.realm.conftest import Pair

NOBODY = "127.0.0.9"


@pytest.fixture
def hosts(pair: Pair) -> Iterator[Pair]:
    """Both hosts, and a job in `left` on the first."""
    assert pair.rxm("job-start", "left", "--id", "1", "--owner", "alice").status == 0
    yield pair
    for line in pair.rxm("-j", "job-list").objects():
        for job in line["result"]["jobs"]:
            assert pair.rxm("job-stop", f"{line['host']}:{job['domain']}", "--id", job["id"]).status == 0


def test_to_a_host_without_an_owner_it_goes(hosts: Pair) -> None:
    done = hosts.rxm("migrate", "--live", "left", SECOND_HOST, hosts=FQDN)

    assert (done.status, "p2p migration is not supported" in done.stderr) == (12, True)


def test_to_one_with_an_owner_it_does_not(hosts: Pair) -> None:
    assert hosts.rxm("job-start", "right", "--id", "2", "--owner", "bob@XMAN.TEST").status == 0

    done = hosts.rxm("migrate", "--live", "left", SECOND_HOST, hosts=FQDN)

    assert done.status == 3
    assert f"would not be the only owner on {SECOND_HOST}: 'right' is running there, with job 2 of bob@" in done.stderr
    assert "--force moves it" in done.stderr


def test_nor_to_one_that_cannot_be_asked(hosts: Pair) -> None:
    done = hosts.rxm("-j", "migrate", "left", NOBODY, hosts=FQDN).json()

    assert done["class"] == "refused"
    assert f"{NOBODY} could not be asked" in done["message"]


def test_each_of_all_domains_has_its_own_answer(hosts: Pair) -> None:
    assert hosts.rxm("job-start", "right", "--id", "2", "--owner", "bob@XMAN.TEST").status == 0

    done = hosts.rxm("-j", "migrate", "--all", "--yes", SECOND_HOST, hosts=FQDN)

    classes = {line["domain"]: line["class"] for line in done.objects()}
    assert classes == {"left": "refused", "both": "unsupported", "test": "unsupported"}
