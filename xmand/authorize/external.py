"""The authorizer `external`: a program of the site's own decides.

It gets one JSON object on its standard input: principal, verb, domain (its name; empty where the command names none)
and host. Exit status 0 is a yes; everything else, and no answer in time, is a no. Its answers are not kept. About a
command with a FILE it is asked twice: as such, before the FILE is read, and then with `description`: what that asks for
(type, name, memory, vcpus, disks, networks, devices).
"""

import json
import logging
import socket
from collections.abc import Callable

from xmand.authorize.grant import EVERY_VERB, Grant
from xmand.system import children
from xmand.system.children import ChildError, Finished
from xmand.virt.domain import Domain

logger = logging.getLogger(__name__)

# What it may say; nothing of it is used but the first line of its standard error, for the log.
_MOST_OCTETS = 4096


class External:
    """The program `argv`, which has `seconds` for an answer; `run` starts it."""

    def __init__(self, argv: tuple[str, ...], seconds: float, run: Callable[..., Finished] = children.run) -> None:
        self._argv = argv
        self._seconds = seconds
        self._run = run

    def grant(self, principal: str) -> Grant | None:
        """Anything; the program is asked about each command. A list that it allows is shown as a whole."""
        return Grant(
            EVERY_VERB,
            lambda verb, domain: self._allows(principal, verb, domain),
            describes=lambda verb, facts: self._allows(principal, verb, None, facts),
        )

    def _allows(
        self, principal: str, verb: str, domain: Domain | None, description: dict[str, object] | None = None
    ) -> bool:
        question: dict[str, object] = {
            "principal": principal,
            "verb": verb,
            "domain": "" if domain is None else domain.name,
            "host": socket.gethostname(),
        }
        if description is not None:
            question["description"] = description
        try:
            done = self._run(
                self._argv, stdin=json.dumps(question).encode(), seconds=self._seconds, most_octets=_MOST_OCTETS
            )
        except ChildError as error:
            logger.error("authorize: external: %s; denied", error)
            return False
        if done.status != 0 and done.complaint():
            logger.info("authorize: external: %s", done.complaint())
        return done.status == 0
