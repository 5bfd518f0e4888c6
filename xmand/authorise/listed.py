"""The authoriser `k5login`: whoever is on the list is as good as root."""

import logging
import time

from xmand import k5login
from xmand.authorise.grant import EVERY_VERB, Grant
from xmand.k5login import AccessList, K5loginError

logger = logging.getLogger(__name__)

_PROBLEM_SECONDS = 60.0


class Listed:
    """The list at `path`, read anew for every question."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._problem_at = -_PROBLEM_SECONDS
        self._warned = ""

    def grant(self, principal: str) -> Grant | None:
        """Everything, or nothing."""
        found = self.read()
        return Grant(EVERY_VERB) if found is not None and found.permits(principal.encode()) else None

    def read(self) -> AccessList | None:
        """Return the list as it is now. An unusable one is reported once a minute, slips in it once each."""
        try:
            found = k5login.read(self.path)
        except K5loginError as error:
            if time.monotonic() - self._problem_at >= _PROBLEM_SECONDS:
                self._problem_at = time.monotonic()
                logger.error("%s", error)
            return None
        if found.warnings and found.sha256 != self._warned:
            self._warned = found.sha256
            for warning in found.warnings:
                logger.warning("%s", warning)
        return found
