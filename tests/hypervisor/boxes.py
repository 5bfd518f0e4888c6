"""A container with a login, and those who are at its console."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_lxc import Containers
from tests.lab.clients.terminal import Terminal
from tests.lab.hosts.containers import with_a_login
from tests.lab.hosts.daemon import Answer
from tests.lab.process import ROOT, end

LEAVE = "\x1d"
# What much that is typed may take on a machine that others use as well.
SECONDS = 120


class Box:
    """A container, and how to be at its console."""

    def __init__(self, lab: Lab, containers: Containers, name: str) -> None:
        self.name = name
        self.lab = lab
        self.containers = containers
        self.daemon = containers.daemon
        self._open: list[Terminal] = []

    def command(self, *words: str) -> list[str]:
        """Return rxm's words for its console."""
        daemon = self.daemon
        return [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port), "console", *words, self.name]

    def terminal(self, *words: str, env: dict[str, str] | None = None) -> Terminal:
        """Be at its console with a keyboard."""
        return self.at_terminal(self.command(*words), env)

    def at_terminal(self, command: list[str], env: dict[str, str] | None = None) -> Terminal:
        """Run a program at a terminal."""
        terminal = Terminal(command, env or self.lab.alice)
        self._open.append(terminal)
        return terminal

    def typed(self, text: str) -> Terminal:
        """Be there, and say one's name."""
        terminal = self.terminal()
        terminal.wait_for("escape character")
        terminal.type(f"{text}\r")
        return terminal

    def type(self, text: Path, *words: str) -> dict[str, Any]:
        """Type a file at its console, without regard to what comes; return how that was (`clients/typist.py`)."""
        command = [sys.executable, "-m", "tests.lab.clients.typist", self.daemon.host, str(self.daemon.port)]
        done = subprocess.run(
            [*self.daemon.prefix, "env", "-C", str(ROOT), *command, self.name, str(text), *words],
            env=self.lab.alice,
            stdout=subprocess.PIPE,
            timeout=SECONDS,
            check=True,
        )
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def rxm(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm, as alice."""
        return self.containers.rxm(*words, stdin=stdin)

    def close(self) -> None:
        """End those who are still there, and the container."""
        for terminal in self._open:
            end(terminal.program)
        self.rxm("-q", "destroy", self.name)
        self.rxm("-q", "delete", self.name)


@pytest.fixture
def box(lab: Lab, containers: Containers, own_name: str) -> Iterator[Box]:
    """A running container with a login."""
    made = Box(lab, containers, own_name)
    answer = made.rxm("create", "-", stdin=with_a_login(own_name))
    assert answer.status == 0, answer
    yield made
    made.close()
