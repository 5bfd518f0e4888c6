"""What Ctrl-C does to many hosts side by side."""

import os
import signal
import threading

import pytest

from rxm import fanout

# Longer than any of these tests takes.
SOON = 5.0


def interrupt() -> None:
    """Send what Ctrl-C sends, when all have begun."""
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_control_c_lets_those_under_way_end_where_somebody_ends_them() -> None:
    interrupt()
    ended = threading.Event()
    called: list[str] = []

    def do(_item: int) -> str:
        return "ended" if ended.wait(SOON) else "forgotten"

    def interrupted() -> None:
        called.append("once")
        ended.set()

    assert fanout.each(range(2), 2, do, interrupted) == ["ended", "ended"]
    assert called == ["once"]


def test_control_c_gives_up_at_once_otherwise() -> None:
    ended = threading.Event()
    interrupt()

    def do(_item: int) -> None:
        ended.wait(SOON)

    with pytest.raises(KeyboardInterrupt):
        fanout.each([1], 1, do)
    ended.set()
