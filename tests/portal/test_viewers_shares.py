"""Places at consoles and screens, shared out (`rxmweb.web.viewers`): one person's sessions have a few together."""

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rxmweb.web.viewers import MOST_OF_ONE, Viewers

SCOPE = {
    "type": "websocket",
    "scheme": "ws",
    "path": f"/streams/console/h1/{'0' * 36}",
    "raw_path": b"",
    "root_path": "",
    "query_string": b"",
    "http_version": "1.1",
    "headers": [(b"host", b"portal"), (b"origin", b"http://portal")],
    "subprotocols": ["xman.1"],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


class Site:
    """A portal whose viewers stay until they are let go."""

    def __init__(self, most: int) -> None:
        tickets = SimpleNamespace(of_session=lambda _ticket: None)
        portal: Any = SimpleNamespace(settings=SimpleNamespace(viewers=most), engine=None, tickets=tickets, signon=None)
        self.coming: list[Any] = []
        self.let_go = asyncio.Event()
        self.viewers = Viewers(portal, self._in_thread, lambda: False)

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        return call()

    def whose(self, *_words: object) -> Any:
        """Return the session of who comes."""
        return self.coming.pop()

    async def serve(self, *_words: object) -> None:
        """Stay."""
        await self.let_go.wait()

    async def comes(self, principal: str, session: str) -> str:
        """Let somebody come; return why he has no place, empty where he has one."""
        self.coming.append(SimpleNamespace(principal=principal, id=session, ticket="", expires=0.0))
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        coming = asyncio.ensure_future(self.viewers(SCOPE, receive, send))
        await asyncio.wait([coming], timeout=0.01)
        assert sent[0]["type"] == "websocket.accept"
        return str(json.loads(sent[1]["text"])["end"]) if len(sent) > 1 else ""


def test_one_person_has_a_few_in_all_his_sessions_and_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def within() -> None:
        site = Site(32)
        monkeypatch.setattr(site.viewers, "_serve", site.serve)
        monkeypatch.setattr(site.viewers, "_whose", site.whose)
        for number in range(MOST_OF_ONE):
            assert await site.comes("alice@R", f"session {number}") == ""
        assert await site.comes("alice@R", "another session") == "many"
        assert await site.comes("bob@R", "his session") == ""
        site.let_go.set()
        await asyncio.sleep(0.01)
        assert await site.comes("alice@R", "another session") == ""
        site.viewers.close()

    asyncio.run(within())
