"""A host whose domains take part in batch work, as who asks it sees it."""

from typing import Any

from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.published import RESULTS


class BatchSite:
    """One xmand, asked by one person."""

    def __init__(self, daemon: Daemon, env: dict[str, str]) -> None:
        self.daemon = daemon
        self.env = env

    def rxm(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm."""
        return self.daemon.rxm(self.env, *words, stdin=stdin)

    def json(self, *words: str) -> dict[str, Any]:
        """Run rxm, check its object against the schema, and return that."""
        found = self.rxm("-j", *words).json()
        RESULTS.validate(found)
        return found

    def start(self, domain: str, number: str, *words: str) -> Answer:
        """Start a job of alice's."""
        return self.rxm("job-start", domain, "--id", number, "--owner", "alice", *words)

    def states(self) -> dict[str, str]:
        """Return the state of each domain."""
        return {guest["name"]: guest["state"] for guest in self.json("state")["result"]["domains"]}
