"""Many hosts that report, simulated by one program: silence, a mass restart, a collector that is killed in the middle.

The same at 10,000: `make bench-fleet`.
"""

import time
from collections.abc import Iterator

import pytest

from tests.lab.kerberos.realm import Realm
from tests.lab.portal.fleet import ReportingFleet
from tests.lab.portal.postgres import Postgres
from tests.lab.process import wait_for

COUNT = 200
SILENT = 5


@pytest.fixture(scope="module")
def fleet(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportingFleet]:
    """Two collectors on one PostgreSQL, and hosts that have reported to one of them each."""
    server = Postgres()
    try:
        made = ReportingFleet(
            realm,
            tmp_path_factory.mktemp("fleet"),
            COUNT,
            each=3,
            interval=1.0,
            database=server.new_database(),
            collectors=2,
        )
        try:
            made.ask("tickets")
            made.ask("connect")
            made.wait_told(COUNT, 120)
            yield made
        finally:
            made.close()
    finally:
        server.stop()
    assert "Traceback" not in made.said()


def all_heard(fleet: ReportingFleet) -> None:
    """Wait until the tables have heard of all hosts from now on."""
    since = time.time()
    wait_for(lambda: fleet.rows(since) == COUNT, 60, "all hosts in the tables")


def test_all_are_heard_of_again_and_again(fleet: ReportingFleet) -> None:
    def over_the_same_connections() -> bool:
        before = fleet.ask("status")["handshakes"]
        all_heard(fleet)
        return bool(fleet.ask("status")["handshakes"] == before)

    # Where the machine stands still for seconds, some are taken for silent, and come anew.
    wait_for(over_the_same_connections, 60, "a round without a handshake")


def test_the_silent_are_asked_and_come_back(fleet: ReportingFleet) -> None:
    fleet.ask("silence", 0, SILENT)
    wait_for(lambda: sum(fleet.codes().values()) - fleet.codes().get(0, 0) >= SILENT, 60, "what became of the silent")

    fleet.ask("speak", 0, SILENT)

    all_heard(fleet)


def test_a_mass_restart_is_over(fleet: ReportingFleet) -> None:
    before = fleet.ask("status")["handshakes"]

    fleet.ask("restart")

    assert fleet.wait_told(COUNT, 60)["handshakes"] >= before + COUNT
    all_heard(fleet)


def test_where_a_collector_is_killed_the_other_has_all_and_then_both_again(fleet: ReportingFleet) -> None:
    fleet.ask("change", 0, SILENT)
    fleet.kill_collector()
    fleet.wait_told(COUNT, 120)
    all_heard(fleet)

    fleet.portals[0].start_worker()
    fleet.ask("restart")

    fleet.wait_told(COUNT, 120)
    all_heard(fleet)
