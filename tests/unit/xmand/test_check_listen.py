"""Whose a port is that xmand is to listen at (`xmand.check`)."""

import errno
import os

import pytest

from xman import holders
from xman.errors import ConfigurationError
from xman.finding import BAD, NOTE, OK, Finding
from xmand import check

TEXT, FILE = "[::]:4373", "/etc/xman/xmand.toml"


def found(monkeypatch: pytest.MonkeyPatch, words: list[str], process: str, other: str | OSError = FILE) -> Finding:
    """Return what is found where `words`, the process, has the port; it was started with the file `other`."""

    def configuration(_process: str, _default: str) -> str:
        if isinstance(other, OSError):
            raise other
        return other

    monkeypatch.setattr(holders, "of_port", lambda _port: (words, process))
    monkeypatch.setattr(holders, "configuration", configuration)
    error = ConfigurationError(f"listen: '{TEXT}': Address already in use")
    error.__cause__ = OSError(errno.EADDRINUSE, "Address already in use")
    return check._not_listening(TEXT, error, FILE)


def test_the_xmand_of_this_configuration_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, said = found(monkeypatch, ["python3", "xmand"], "4711")

    assert (kind, said) == (OK, f"listen: {TEXT}: xmand (process 4711) runs, and has it")


def test_another_one_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, said = found(monkeypatch, ["python3", "xmand"], "4711", "/srv/xmand.toml")

    assert kind == BAD
    assert "another xmand (process 4711, /srv/xmand.toml) has the port" in said


def test_one_that_is_gone_meanwhile_is_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, ["xmand"], "4711", FileNotFoundError())[0] == OK


@pytest.mark.parametrize("name", ["systemd", "init"])
def test_systemd_keeps_it_for_the_socket_unit(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    kind, said = found(monkeypatch, [name], "1")

    assert kind == NOTE
    assert "xmand.socket" in said


@pytest.mark.parametrize(
    ("words", "process", "by"),
    [(["nginx:"], "99", " by nginx: 99;"), ([], "", "is taken;"), (["bash"], "1", "bash 1;")],
)
def test_somebody_elses(monkeypatch: pytest.MonkeyPatch, words: list[str], process: str, by: str) -> None:
    kind, said = found(monkeypatch, words, process)

    assert kind == BAD
    assert by in said


def test_two_addresses_of_the_same_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, said = found(monkeypatch, ["python3"], str(os.getpid()))

    assert kind == BAD
    assert "another address of listen covers it" in said
