"""What a portal knows of the hosts that report to it: asked as the user, by Negotiate (RFC 4559) over HTTPS.

Whose certificate this machine does not trust gets no token, and what comes is read as a host's answer is: checked, and
no more of it than fits.
"""

import base64
import binascii
import http.client
import json
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from rxm.remote.command import Reply
from rxm.remote.connection import Connection
from rxm.remote.deadline import Deadline
from xman import received, render, result, times
from xman.errors import UnreachableError
from xman.gss import GssError
from xman.received import WrongResultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xman.gss.backends import Initiator

_PATH = "/hosts/conditions"
_SERVICE = "HTTP"
# Of one answer, which tells of 2,000 hosts; and as many of them as 100,000 hosts make.
_MOST_OCTETS = 64 << 20
_MOST_ANSWERS = 100
_MOST_COOKIE = 4096


class Told(NamedTuple):
    """What the portal says of a host: how it is, as that said `age` seconds ago, and whether that is to be believed."""

    age: float
    condition: dict[str, Any]
    fresh: bool


class Known(Connection):
    """Stands for a connection to a host that need not be asked."""

    def __init__(self, host: str, verb: str, told: Told, now: float) -> None:
        self.host = host
        self._verb = verb
        self._told = told
        self._as_of = times.utc(now - told.age)

    @property
    def principal(self) -> str:
        """Nobody: it was the portal that was asked."""
        return ""

    def run(self, words: list[bytes], *_given: object, **_more: object) -> Reply:
        """Return what the host would have answered."""
        reply, data = Reply(), {"host": self._told.condition}
        if b"--json" in words:
            envelope = result.succeeded(self.host, self._verb, result.Result(data), 0) | {"as_of": self._as_of}
            reply.stdout = result.dumps(envelope).encode()
        else:
            reply.stdout = render.text(self._verb, data).encode()
            reply.stderr = f"As of {times.local(self._as_of)}, {int(self._told.age)} s ago.\n".encode()
        return reply

    def close(self) -> None:
        """There is nothing to be closed."""


def ask(address: str, identity: "Initiator", deadline: Deadline) -> dict[str, Told]:
    """Return what the portal at `address` (https://HOST) says of its hosts, by their names there.

    Raises UnreachableError where it says nothing of use, whatever the reason.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=deadline.remaining(), context=ssl.create_default_context()
        )
        try:
            # Before there is a token: whoever is not there, or not trusted, gets none.
            connection.connect()
            return _ask(_Portal(connection, host, parts.path.rstrip("/"), identity, deadline))
        finally:
            connection.close()
    except TimeoutError as error:
        raise UnreachableError("it does not answer in time") from error
    except GssError as error:
        raise UnreachableError(f"there is no ticket for {_SERVICE}/{host}: {error}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error


class _Portal:
    """One conversation; the first request shows who asks, the others that it is the same one."""

    def __init__(
        self,
        connection: http.client.HTTPSConnection,
        host: str,
        path: str,
        identity: "Initiator",
        deadline: Deadline,
    ) -> None:
        self._connection = connection
        self._path = path
        self._deadline = deadline
        self._cookie = ""
        self._context = identity.context(_SERVICE, host)

    def get(self, query: str) -> bytes:
        """Return the body of an answer. Raises UnreachableError, and what HTTP and Kerberos raise."""
        headers = {"Accept": "application/json"}
        if self._cookie:
            headers["Cookie"] = self._cookie
        else:
            token = base64.b64encode(self._context.step(None) or b"").decode("ascii")
            headers["Authorization"] = f"Negotiate {token}"
        if (sock := self._connection.sock) is not None:
            sock.settimeout(self._deadline.remaining())
        self._connection.request("GET", f"{self._path}{_PATH}{query}", headers=headers)
        response = self._connection.getresponse()
        if response.status != http.client.OK:
            raise UnreachableError(_refusal(response.status))
        if not self._cookie:
            self._prove(response.headers.get("WWW-Authenticate", ""))
            cookies = response.headers.get_all("Set-Cookie", [])
            self._cookie = "; ".join(cookie.partition(";")[0] for cookie in cookies)[:_MOST_COOKIE]
        body = bytearray()
        while chunk := response.read1(1 << 20):
            body += chunk
            if len(body) > _MOST_OCTETS:
                raise UnreachableError("its answer is incomplete")
            if (sock := self._connection.sock) is not None:
                sock.settimeout(self._deadline.remaining())
        return bytes(body)

    def _prove(self, header: str) -> None:
        """Hold the portal's own token against ours. Raises GssError, and ValueError where there is none."""
        scheme, _, word = header.partition(" ")
        if scheme.lower() != "negotiate" or not word:
            raise ValueError("it does not prove that it is the portal of this realm")
        try:
            self._context.step(base64.b64decode(word.strip(), validate=True))
        except binascii.Error as error:
            raise ValueError("it does not prove that it is the portal of this realm") from error
        if not self._context.complete:
            raise ValueError("it does not prove that it is the portal of this realm")


def _ask(portal: _Portal) -> dict[str, Told]:
    found: dict[str, Told] = {}
    query = ""
    for _number in range(_MOST_ANSWERS):
        rows, more = _read(portal.get(query))
        found |= rows
        if not more or not rows:
            break
        # As the portal's database sorts them, which is not how Python would.
        query = f"?after={quote(next(reversed(rows)), safe='')}"
    return found


def _read(body: bytes) -> tuple[dict[str, Told], bool]:
    """Return one answer's hosts, and whether there are more. Raises ValueError where it is none."""
    try:
        answer = json.loads(body)
        rows = {str(row["name"]): _told(row) for row in answer["hosts"]}
        return rows, answer["more"] is True
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("its answer cannot be read; is it a portal of this release?") from error


def _told(row: dict[str, Any]) -> Told:
    condition, age = row["condition"], row["age"]
    good = isinstance(age, int | float) and 0 <= age < time.time() and bool(condition)
    try:
        received.check_part(condition, "condition") if good else None
    except WrongResultError:
        good = False
    return Told(float(age), condition, row["freshness"] == "fresh") if good else Told(0.0, {}, False)


def _refusal(status: int) -> str:
    if status == http.client.UNAUTHORIZED:
        return "it does not accept this ticket"
    if status in (http.client.NOT_FOUND, http.client.FORBIDDEN):
        return "it does not tell you, or is too old to know this request"
    return f"it answers {status} {http.client.responses.get(status, '')}".rstrip()
