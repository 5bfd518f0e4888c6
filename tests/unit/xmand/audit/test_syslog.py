"""Syslog that never waits: headers, what is kept while nobody reads, what is lost, and the program's own log."""

import logging
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from xman.errors import ConfigurationError
from xmand.audit import syslog
from xmand.audit.syslog import LOG_AUTHPRIV, LOG_INFO, Syslog, SyslogHandler

# So that a test that finds nothing fails instead of hanging.
_PATIENCE = 5.0


class Reader:
    """Somebody who reads syslog's socket."""

    def __init__(self, family: int, address: str | tuple[str, int]) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.settimeout(_PATIENCE)
        self.socket.bind(address)

    def line(self) -> str:
        """Return the next line."""
        return self.socket.recv(100_000).decode("ascii")

    def text(self) -> str:
        """Return the next line without its header."""
        return self.line().partition("]: ")[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def reader(path: Path) -> Iterator[Reader]:
    made = Reader(socket.AF_UNIX, str(path))
    yield made
    made.socket.close()


@pytest.fixture
def sender(path: Path) -> Iterator[Syslog]:
    made = Syslog(str(path))
    yield made
    made.close()


# --- headers ----------------------------------------------------------------------------------------------------------


def test_a_local_line_has_glibcs_header(reader: Reader, sender: Syslog) -> None:
    sender.send(LOG_INFO, "hello")

    assert re.fullmatch(rf"<30>[A-Z][a-z]{{2}} [ 123]\d \d\d:\d\d:\d\d xmand\[{os.getpid()}\]: hello", reader.line())


def test_the_priority_is_facility_and_severity(reader: Reader, sender: Syslog) -> None:
    sender.send(LOG_INFO, "x", LOG_AUTHPRIV)

    assert reader.line().startswith("<86>")


def test_a_line_over_udp_has_rfc_5424s_header() -> None:
    reader = Reader(socket.AF_INET, ("127.0.0.1", 0))
    sender = Syslog(f"udp://127.0.0.1:{reader.socket.getsockname()[1]}")

    sender.send(LOG_INFO, "hello")
    line = reader.line()
    sender.close()
    reader.socket.close()

    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(rf"<30>1 {stamp} {re.escape(socket.gethostname())} xmand {os.getpid()} - - hello", line)


def test_what_is_not_ascii_is_escaped(reader: Reader, sender: Syslog) -> None:
    sender.send(LOG_INFO, "Ä \udcff")

    assert reader.text() == r"\xc4 \udcff"


def test_a_text_of_any_length_is_sent_and_holds_nothing_up(reader: Reader, sender: Syslog) -> None:
    sender.send(LOG_INFO, "x" * 1_000_000)  # more than any datagram holds
    sender.send(LOG_INFO, "next")

    assert reader.text().startswith("xxx")
    assert reader.text() == "next"


# --- targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "udp://",
        "udp://:514",
        "udp://loghost.example.org:514",
        "udp://127.0.0.1:",
        "udp://127.0.0.1:syslog",
        "udp://127.0.0.1:-1",
        "udp://127.0.0.1:0",
        "udp://127.0.0.1:65536",
        "udp://127.0.0.1:99999",
        "udp://::1",
        "udp://300.0.0.1:514",
    ],
)
def test_a_target_that_cannot_be_understood(target: str) -> None:
    with pytest.raises(ConfigurationError, match="is not udp://ADDRESS:PORT with a numeric address"):
        Syslog(target)


@pytest.mark.parametrize("target", ["udp://127.0.0.1", "udp://127.0.0.1:514", "udp://[::1]:514", "/dev/log", "none"])
def test_a_target_that_can(target: str) -> None:
    Syslog(target).close()


def test_none_sends_nothing_and_keeps_nothing() -> None:
    sender = Syslog("none")

    sender.send(LOG_INFO, "x")
    sender.flush()
    sender.close()

    assert not sender._queue


# --- while nobody reads -----------------------------------------------------------------------------------------------


def test_what_nobody_reads_is_kept_in_order_until_somebody_does(path: Path, sender: Syslog) -> None:
    sender.send(LOG_INFO, "one")
    sender.send(LOG_INFO, "two")

    reader = Reader(socket.AF_UNIX, str(path))
    sender.flush()

    assert [reader.text(), reader.text()] == ["one", "two"]
    reader.socket.close()


def test_a_later_line_takes_the_earlier_ones_along(path: Path, sender: Syslog) -> None:
    sender.send(LOG_INFO, "one")
    reader = Reader(socket.AF_UNIX, str(path))

    sender.send(LOG_INFO, "two")

    assert [reader.text(), reader.text()] == ["one", "two"]
    reader.socket.close()


def test_a_restarted_reader_is_found_again(path: Path, reader: Reader, sender: Syslog) -> None:
    sender.send(LOG_INFO, "one")
    assert reader.text() == "one"

    reader.socket.close()
    path.unlink()
    sender.send(LOG_INFO, "two")
    restarted = Reader(socket.AF_UNIX, str(path))
    sender.flush()

    assert restarted.text() == "two"
    restarted.socket.close()


def test_closing_sends_what_waited(path: Path) -> None:
    sender = Syslog(str(path))
    sender.send(LOG_INFO, "one")
    reader = Reader(socket.AF_UNIX, str(path))

    sender.close()

    assert reader.text() == "one"
    reader.socket.close()


def test_a_reader_that_stalls_holds_nobody_up_and_gets_everything_later(path: Path, reader: Reader) -> None:
    sender = Syslog(str(path))
    many = 3_000  # more than any kernel queues for a reader

    def send() -> None:
        for number in range(many):
            sender.send(LOG_INFO, str(number))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(_PATIENCE)

    assert not thread.is_alive()
    assert sender._queue
    for number in range(many):
        assert reader.text() == str(number)
        sender.flush()
    assert not sender._queue
    sender.close()


def test_what_is_lost_is_the_oldest_and_is_counted(path: Path, sender: Syslog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog, "MOST_QUEUED", 3)
    for number in range(10):
        sender.send(LOG_INFO, str(number))

    reader = Reader(socket.AF_UNIX, str(path))
    sender.flush()
    first = reader.line()

    assert first.startswith("<84>")  # authpriv.warning
    assert first.endswith('ev="lost" n="7"')
    assert [reader.text(), reader.text(), reader.text()] == ["7", "8", "9"]

    sender.send(LOG_INFO, "10")
    assert reader.text() == "10"  # the loss is reported once
    assert sender.lost == 7  # and counted since the start
    reader.socket.close()


def test_a_socket_that_cannot_be_one_is_no_reason_to_fail(tmp_path: Path) -> None:
    sender = Syslog(str(tmp_path / ("x" * 200)))  # longer than the address of a socket

    sender.send(LOG_INFO, "one")
    sender.flush()
    sender.close()

    assert len(sender._queue) == 1


# --- the program's own log --------------------------------------------------------------------------------------------


@pytest.fixture
def logger(sender: Syslog) -> Iterator[logging.Logger]:
    made = logging.Logger("test")
    handler = SyslogHandler(sender)
    made.addHandler(handler)
    yield made
    handler.close()


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.DEBUG, "<31>"),
        (logging.INFO, "<30>"),
        (logging.WARNING, "<28>"),
        (logging.ERROR, "<27>"),
        (logging.CRITICAL, "<27>"),
    ],
)
def test_levels_become_severities(reader: Reader, logger: logging.Logger, level: int, priority: str) -> None:
    logger.log(level, "x")

    assert reader.line().startswith(priority)


def test_a_traceback_is_one_line_per_line(reader: Reader, logger: logging.Logger) -> None:
    try:
        raise ValueError("Ä\x1b[31m")
    except ValueError:
        logger.exception("it failed")

    lines = [reader.text()]
    while not lines[-1].startswith("ValueError"):
        lines.append(reader.text())

    assert lines[:2] == ["it failed", "Traceback (most recent call last):"]
    assert lines[2].startswith('  File "')
    assert lines[-1] == r"ValueError: \xc3\x84\x1b[31m"


def test_a_message_whose_arguments_do_not_fit_does_not_stop_the_program(reader: Reader, logger: logging.Logger) -> None:
    logger.info("%d", "x")
    logger.info("next")

    assert reader.text() == "next"
