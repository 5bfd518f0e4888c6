"""The authorizer `owner`: whose jobs alone are in a domain may look at it, and stop and restart it."""

import contextlib
from collections.abc import Callable

from xman.errors import XmanError
from xman.metadata import Metadata
from xmand.authorize.grant import COURTESY, Grant
from xmand.virt.domain import Domain


class Owner:
    """Owners of jobs may use `verbs`. `read` reads a domain's metadata, `domains` returns all domains; both block."""

    def __init__(
        self, verbs: tuple[str, ...], read: Callable[[Domain], Metadata], domains: Callable[[], list[Domain]]
    ) -> None:
        self._verbs = frozenset(verbs) | COURTESY
        self._read = read
        self._domains = domains

    def grant(self, principal: str) -> Grant | None:
        """Anybody may own a domain; which ones is asked when the command names them."""

        def owns(domain: Domain) -> bool:
            return owned(self._read(domain), principal)

        def shows(domain: Domain) -> bool:
            with contextlib.suppress(XmanError):  # what cannot be read is nobody's
                return owns(domain)
            return False

        def about(_verb: str, domain: Domain | None) -> bool:
            if domain is not None:
                return owns(domain)
            return any(shows(candidate) for candidate in self._domains())

        return Grant(self._verbs, about, shows)


def owned(metadata: Metadata, principal: str) -> bool:
    """Whether all jobs in a domain, and at least one, are the principal's. Jobs of an earlier start are over."""
    owners = {job.owner for job in metadata.jobs if job.start == metadata.started}
    return owners == {principal}
