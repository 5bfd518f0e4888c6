"""What has become of a domain whose console has ended (`xmand.verbs.ending`), on hosts that are slow to say so."""

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from xman.errors import NoSuchDomainError
from xmand.verbs import ending

RUNNING, OFF, MIGRATED, CRASHED = ("running", 1), ("shutoff", 1), ("shutoff", 4), ("crashed", 1)
MOST = 60.0


class Found:
    """A domain in a state; in none, there is no such domain."""

    name, uuid = "vm1", "uuid of vm1"
    reader = None

    def __init__(
        self, state: tuple[str, int] | None, monkeypatch: pytest.MonkeyPatch, container: int | None = None
    ) -> None:
        self._state, self._container = state, container
        monkeypatch.setattr(ending, "find", lambda _connection, _uuid: self)

    def state(self) -> tuple[str, int]:
        if self._state is None:
            raise NoSuchDomainError(self.name)
        return self._state

    def container(self) -> bool:
        return self._container is not None

    def identifier(self) -> int | None:
        return self._container

    def became(self, waited: float, taken: Callable[[Any], bool] = lambda _found: False) -> str | None:
        here: Any = self
        return ending.became(here, here, waited, MOST, taken)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (OFF, "vm1 ended."),
        (None, "vm1 ended."),
        (MIGRATED, "vm1 was migrated away."),
        (CRASHED, "vm1 crashed."),
    ],
)
@pytest.mark.parametrize("waited", [0.0, 45.0, MOST])
def test_it_is_told_however_late_libvirt_says_so(
    monkeypatch: pytest.MonkeyPatch, state: tuple[str, int] | None, said: str, waited: float
) -> None:
    assert Found(state, monkeypatch).became(waited, lambda _found: True) == said


def test_what_runs_is_asked_again_until_there_is_no_more_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found(RUNNING, monkeypatch)

    assert [found.became(waited) for waited in (0.0, 3.1, 45.0, MOST)] == ["", "", "", None]


def test_what_somebody_has_taken_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found(RUNNING, monkeypatch)

    assert found.became(3.1, lambda it: it is found) is None


def test_what_libvirt_has_not_put_away_yet_was_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment after a domain's end its console may still seem to be somebody's."""
    assert Found(RUNNING, monkeypatch).became(0.2, lambda _found: True) == ""


def test_one_that_is_gone_when_its_console_is_looked_at_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_found: object) -> bool:
        raise NoSuchDomainError("vm1")

    assert Found(RUNNING, monkeypatch).became(3.1, gone) == "vm1 ended."


def test_a_container_whose_process_is_gone_has_ended_whatever_libvirt_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()

    assert Found(RUNNING, monkeypatch, process.pid).became(0.0) == "vm1 ended."
    assert Found(RUNNING, monkeypatch, os.getpid()).became(0.0) == ""
    assert Found(RUNNING, monkeypatch, 1).became(0.0) == ""
