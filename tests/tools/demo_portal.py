"""The portal's part of `make demo`: its table, and a machine paused from a page with a delegated ticket."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.lab.clients.visitor import Visitor
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for
from tests.tools.demo_stage import Stage, say

# The name that every browser on this machine can resolve.
_NAME = "localhost"
_SECONDS = 30.0


@contextlib.contextmanager
def starting(stage: Stage) -> Iterator[Callable[[], Portal]]:
    """Start a portal, which collects with alice's tickets, while other things are shown; yield how to wait for it."""
    stage.ticket("alice", "alice", "-f")
    with ThreadPoolExecutor(1) as aside:
        started = aside.submit(
            Portal,
            stage.realm,
            stage.realm.directory / "portal",
            hosts=tuple(stage.hosts),
            port=stage.port,
            name=_NAME,
            prefix=stage.prefix,
            env={"KRB5CCNAME": stage.env["KRB5CCNAME"]} | ({"LD_PRELOAD": ""} if stage.prefix else {}),
        )
        try:
            yield started.result
        finally:
            started.result().stop()


def show(started: Portal, stage: Stage, domain: str) -> None:
    """Show the table, and pause `domain` by the form that its page has."""
    visitor = Visitor(started, stage.realm.env | {"KRB5CCNAME": stage.env["KRB5CCNAME"]})
    wait_for(lambda: domain in _rows(visitor), _SECONDS, "the portal's report")
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
