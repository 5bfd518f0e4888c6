"""The portal's part of `make demo`: its table, and a machine paused from a page with a delegated ticket."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from tests.lab.clients.visitor import Visitor
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for

# The name that every browser on this machine can resolve.
_NAME = "localhost"
_SECONDS = 30.0


@contextlib.contextmanager
def portal(realm: Realm, daemon: Daemon, env: dict[str, str]) -> Iterator[Portal]:
    """Yield a portal that collects with the tickets of `env`."""
    started = Portal(
        realm,
        realm.directory / "portal",
        hosts=(FQDN,),
        port=daemon.port,
        name=_NAME,
        env={"KRB5CCNAME": env["KRB5CCNAME"]},
    )
    try:
        yield started
    finally:
        started.stop()


def show(started: Portal, env: dict[str, str], domain: str, say: Callable[[str], None]) -> None:
    """Show the table, pause `domain` by the form that its page has, and say how to open it in a browser."""
    visitor = Visitor(started, env)
    wait_for(lambda: domain in _rows(visitor), _SECONDS, "the portal's first report")
    say(f"The portal is at {started.url}/ and shows what the hosts reported:")
    for name, row in _rows(visitor).items():
        print(f"    {name:<12} {row['state']:<22} {row['host']}")
    row = _rows(visitor)[domain]
    fields = {"verb": "pause", "target": f"{row['host']}/{row['uuid']}", "reason": "shown in the demonstration"}
    where = visitor.post("/actions", fields).headers["Location"]
    wait_for(lambda: visitor.json(where)["action"]["ended"] is not None, _SECONDS, "the end of the action")
    (result,) = visitor.json(where)["action"]["results"]
    print(f"\nAlice pauses {domain} from its page, with the ticket that her browser delegated:")
    print(f"    {'done' if result['ok'] else result['message']}")
    if not result["ok"]:
        sys.exit("demo: expected the portal to pause it")


def how_to_open(started: Portal, env: dict[str, str]) -> str:
    """Return what to type to see it in a browser of this machine."""
    tickets = f"KRB5_CONFIG={env['KRB5_CONFIG']} KRB5CCNAME={env['KRB5CCNAME']}"
    return (
        f"The portal goes on at {started.url}/ . From another terminal of this machine:\n"
        f"    {tickets} chromium --auth-server-allowlist={_NAME} {started.url}/\n"
        f"    {tickets} curl --negotiate -u : --delegation always {started.url}/session"
    )


def _rows(visitor: Visitor) -> dict[str, dict[str, str]]:
    return {row["name"]: row for row in visitor.json("/")["domains"] if row["name"]}
