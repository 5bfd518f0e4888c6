"""A WebSocket's client that says what it is told to, honest or not."""

import json
import socket
from typing import Any

import wsproto
from wsproto import events

_SECONDS = 30.0


class WebSocket:
    """One attempt; `status` is what the server answered: 101, or why not."""

    def __init__(
        self,
        address: tuple[str, int],
        host: str,
        path: str,
        *,
        origin: str = "",
        cookie: str = "",
        protocols: tuple[str, ...] = (),
    ) -> None:
        self._socket = socket.create_connection(address, timeout=_SECONDS)
        self._wire = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        headers = [(b"Cookie", cookie.encode())] if cookie else []
        headers += [(b"Origin", origin.encode())] if origin else []
        asked = events.Request(host=host, target=path, extra_headers=headers, subprotocols=list(protocols))
        self._socket.sendall(self._wire.send(asked))
        self._events: list[events.Event] = []
        first = self._next()
        self.status = first.status_code if isinstance(first, events.RejectConnection) else 101

    def said(self) -> dict[str, Any]:
        """Return the next object that the server says; empty where it closes, `silent` where nothing comes in time."""
        while True:
            try:
                event = self._next()
            except TimeoutError:
                return {"silent": True}
            if isinstance(event, events.TextMessage):
                return dict(json.loads(event.data))
            if isinstance(event, events.CloseConnection):
                return {}

    def hurry(self) -> None:
        """Wait no longer than a second from now on."""
        self._socket.settimeout(1.0)

    def close(self) -> None:
        """Leave without a word."""
        self._socket.close()

    def _next(self) -> events.Event:
        while not self._events:
            data = self._socket.recv(65536)
            self._wire.receive_data(data or None)
            self._events += list(self._wire.events())
        return self._events.pop(0)
