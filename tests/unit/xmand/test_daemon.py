"""What the daemon sets for itself before it listens."""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from xman.errors import ConfigurationError
from xmand import daemon
from xmand.server import listen
from xmand.settings import Settings


def test_workers_that_compute_let_the_event_loop_have_python_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(sys, "setswitchinterval", asked.append)
    monkeypatch.setattr(daemon, "_raise_descriptor_limit", lambda _settings: None)

    def nowhere() -> Any:
        raise ConfigurationError("listen: nowhere")

    monkeypatch.setattr(listen, "inherited", nowhere)
    with pytest.raises(ConfigurationError):
        asyncio.run(daemon.Daemon.run(SimpleNamespace(_settings=Settings())))  # type: ignore[arg-type]

    assert asked == [0.001]
