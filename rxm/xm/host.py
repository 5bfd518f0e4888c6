"""The one host that a program called `xm` or `xl` is about: this machine. Whatever names others is ignored."""

import time

from rxm.client import Client
from rxm.remote.connection import initiator
from rxm.remote.deadline import Deadline
from rxm.settings import load
from rxm.targets import this_machine
from xman import lowlevel
from xman.errors import NoSuchDomainError, XmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    _Found = TypeVar("_Found")

_CONNECT_SECONDS = 30.0
# How long until it asks again where a script takes every failure for "not running".
_PAUSE_SECONDS = 2.0
# Between two looks whether a domain has ended.
_POLL_SECONDS = 1.0


class Host:
    """This machine's xmand. Each method raises XmanError."""

    def __init__(self) -> None:
        # Neither `hosts` nor RXM_HOSTS nor `[domains]`: a script that shuts all down would shut down every host.
        self.name = this_machine()
        self._client: Client | None = None

    def call(self, verb: str, *words: str) -> "dict[str, Any]":
        """Run a verb of rxm's; return its result."""
        if self._client is None:
            # Here, so that a configuration that cannot be read is one more thing that is not the guest's end.
            settings = load("")
            identity = initiator(settings.client_keytab, settings.principal)
            self._client = Client(self.name, settings.port, settings.service, identity, Deadline(_CONNECT_SECONDS))
        return self._client.call(verb, *words)

    def domains(self, *names: str) -> "list[dict[str, Any]]":
        """Return the domains, or those named, as `list` has them."""
        found: list[dict[str, Any]] = self.call("list", *names)["domains"]
        return found

    def until_told(self, ask: "Callable[[], _Found]") -> "_Found":
        """Ask until the host has answered: that there is no such domain is an answer, and nothing else is.

        A cluster's agent takes every failure of ours for "not running", and starts the domain on another host: two
        guests then write to one disk. Whoever has waited long enough kills us.
        """
        said = ""
        while True:
            try:
                return ask()
            except NoSuchDomainError:
                raise
            except XmanError as error:
                if str(error) != said:
                    said = str(error)
                    lowlevel.err(f"Error: {said} Asking again.\n")
            self._client = None
            time.sleep(_PAUSE_SECONDS)

    def until_off(self, domain: "dict[str, Any]") -> None:
        """Return when this run of a domain has ended."""
        while True:
            try:
                (now,) = self.until_told(lambda: self.domains(domain["uuid"]))
            except NoSuchDomainError:
                return
            if now["id"] != domain["id"]:
                return
            time.sleep(_POLL_SECONDS)
