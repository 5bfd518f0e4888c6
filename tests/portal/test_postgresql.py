"""Two portals on one PostgreSQL, to which they log in with Kerberos, every octet sealed."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rxmweb.check import database
from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.portal.portal import Portal
from tests.lab.portal.postgres import Postgres
from tests.lab.process import free_ports, wait_for
from xman.finding import BAD, OK

# Only the tests' own user comes in without a ticket; the portal must seal.
_HBA = "host all xman 127.0.0.1/32 trust\nhostgssenc all portal 127.0.0.1/32 gss include_realm=0\n"


@pytest.fixture
def server(realm: Realm, tmp_path: Path) -> Iterator[Postgres]:
    """A server with a key of its own, and a role for the portal."""
    keytab, configuration = tmp_path / "postgres.keytab", Path(realm.env["KRB5_CONFIG"])
    realm.add_service("postgres/localhost", str(keytab))
    started = Postgres(
        hba=_HBA,
        settings="krb_server_keyfile = 'FILE:{home}/postgres.keytab'",
        files=(keytab, configuration),
        env={"KRB5_CONFIG": f"{{home}}/{configuration.name}", "KRB5RCACHENAME": "none:"},
    )
    yield started
    started.stop()


def query(server: Postgres, statement: str) -> list[tuple[object, ...]]:
    """Run a statement as the tests' own user."""
    address = f"host=127.0.0.1 port={server.port} user=xman dbname=postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_the_check_finds_what_a_start_would(server: Postgres) -> None:
    query(server, "CREATE ROLE outsider")
    address = f"postgresql://xman@127.0.0.1:{server.port}/postgres"

    good = database.check(address)
    standby = database.check(f"{address}?options=-c%20default_transaction_read_only%3Don")
    outsider = database.check(f"{address}?options=-c%20role%3Doutsider")
    unknown = database.check(f"postgresql://xman@127.0.0.1:{server.port}/nosuch")
    away = database.check(f"postgresql://xman@127.0.0.1:{free_ports(1)}/postgres")

    assert good == (OK, f"database: 127.0.0.1:{server.port}/postgres")
    for found, said in (
        (standby, "it can only be read"),
        (outsider, "its user may not create tables"),
        (unknown, "is its address right"),
        (away, "does it run"),
    ):
        assert found[0] == BAD
        assert said in found[1]


def test_two_portals_share_what_is_known_and_done(realm: Realm, server: Postgres, tmp_path: Path) -> None:
    query(server, "CREATE ROLE portal LOGIN")
    query(server, "CREATE DATABASE shared OWNER portal")
    keytab, collector = tmp_path / "portal.keytab", tmp_path / "collector.keytab"
    realm.add_service("portal", str(keytab))
    realm.add_service("gatherer", str(collector))
    daemon = Daemon(realm, tmp_path / "xmand", admins=("alice@XMAN.TEST", "gatherer@XMAN.TEST"))
    portals = [
        Portal(
            realm,
            tmp_path / name,
            hosts=(FQDN,),
            port=daemon.port,
            collector_keytab=str(collector),
            database=f"postgresql://portal@localhost:{server.port}/shared?gssencmode=require",
            env={"KRB5_CLIENT_KTNAME": f"FILE:{keytab}", "KRB5CCNAME": f"FILE:{tmp_path / f'cc-{name}'}"},
        )
        for name in ("one", "two")
    ]
    try:
        alice = realm.kinit("alice", PASSWORD, "shared", "-f")
        first, second = (Visitor(portal, alice) for portal in portals)
        wait_for(lambda: second.json("/")["counts"] != {"stale": 1}, 30, "the first report")

        (row,) = first.json("/")["domains"]
        fields = {"verb": "pause", "target": f"{row['host']}/{row['uuid']}", "reason": "for the next shift"}
        where = first.post("/actions", fields).headers["Location"]

        wait_for(lambda: second.json(where)["action"]["state"] == "done", 30, "the action's end, seen elsewhere")
        assert second.json("/actions")["actions"][0]["reason"] == "for the next shift"
        sealed = query(
            server,
            "SELECT bool_and(gss_authenticated AND encrypted), min(principal) FROM pg_stat_gssapi"
            " JOIN pg_stat_activity USING (pid) WHERE usename = 'portal'",
        )
        assert sealed == [(True, "portal@XMAN.TEST")]
    finally:
        for portal in portals:
            portal.stop()
        daemon.stop()
    assert "Traceback" not in "".join(portal.said() for portal in portals)
