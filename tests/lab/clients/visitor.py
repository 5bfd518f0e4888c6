"""A visitor of the portal without a browser: HTTP, a cookie jar, and Negotiate with or without delegation."""

import base64
import http.client
import json
import os
import re
import ssl
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import urlencode

import gssapi

from tests.lab.process import wait_for

_SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")


class Server(Protocol):
    """What a visitor knows of a portal, or of who stands in front of it. Without a certificate it is plain HTTP."""

    name: str
    port: int
    certificate: str


class Page:
    """One answer."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, text: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text

    def json(self) -> Any:
        """Return the answer's JSON."""
        return json.loads(self.text)

    def csrf(self) -> str:
        """Return the token that the page's forms carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        assert found is not None, self.text[:500]
        return found[1]

    def __repr__(self) -> str:
        return f"Page({self.status}, {self.text[:300]!r})"


class Visitor:
    """Somebody with the tickets of `env`, or with none."""

    def __init__(self, portal: Server, env: dict[str, str] | None = None, *, delegate: bool = True) -> None:
        self._portal = portal
        self._env = env
        self._delegate = delegate
        self.cookies: dict[str, str] = {}
        self.csrf = ""

    def get(self, path: str, *, accept: str = "text/html", headers: dict[str, str] | None = None) -> Page:
        """Get a page, signing on where that is asked for."""
        return self._ask("GET", path, None, {"Accept": accept} | (headers or {}))

    def json(self, path: str) -> Any:
        """Get a page as JSON."""
        page = self.get(path, accept="application/json")
        assert page.status == 200, page
        return page.json()

    def post(
        self, path: str, fields: dict[str, Any], *, accept: str = "text/html", headers: dict[str, str] | None = None
    ) -> Page:
        """Send a form with the session's token, signing on before."""
        if not self.csrf:
            self.csrf = self.json("/session")["csrf_token"]
        body = urlencode({"csrf": self.csrf} | fields, doseq=True)
        sent = {"Accept": accept, "Content-Type": "application/x-www-form-urlencoded"} | (headers or {})
        return self._ask("POST", path, body, sent)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Page:
        page = self._once(method, path, body, headers)
        if page.status == 401 and self._env is not None:
            page = self._once(method, path, body, headers | {"Authorization": f"Negotiate {self._token()}"})
        return page

    def _once(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Page:
        connection = self._connection()
        sent = {"Host": f"{self._portal.name}:{self._portal.port}"} | headers
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return Page(response.status, response.headers, text)

    def _connection(self) -> http.client.HTTPConnection:
        if not self._portal.certificate:
            return http.client.HTTPConnection("127.0.0.1", self._portal.port, timeout=30)
        context = ssl.create_default_context(cafile=self._portal.certificate)
        return http.client.HTTPSConnection("127.0.0.1", self._portal.port, timeout=30, context=context)

    def _token(self) -> str:
        assert self._env is not None
        os.environ["KRB5_CONFIG"] = self._env["KRB5_CONFIG"]
        credentials = gssapi.Credentials(usage="initiate", store={"ccache": self._env["KRB5CCNAME"]})
        flags = int(gssapi.RequirementFlag.mutual_authentication)
        if self._delegate:
            flags |= int(gssapi.RequirementFlag.delegate_to_peer)
        name = gssapi.Name(f"HTTP@{self._portal.name}", gssapi.NameType.hostbased_service)
        context = gssapi.SecurityContext(name=name, creds=credentials, usage="initiate", mech=_SPNEGO, flags=flags)
        return base64.b64encode(context.step(None) or b"").decode()


def over(visitor: Visitor, page: Page) -> dict[str, object]:
    """Follow the action that a form led to, until it has ended."""
    assert page.status == 303, page
    where = page.headers["Location"]
    wait_for(lambda: visitor.json(where)["action"]["ended"] is not None, 30, "the end of the action")
    found: dict[str, object] = visitor.json(where)["action"]
    return found
