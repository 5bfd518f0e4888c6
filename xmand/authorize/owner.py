"""The authorizer `owner`: whose jobs alone are in a domain, or who launched it, may look at it, stop and restart it."""

import contextlib
from collections.abc import Callable

from xman.errors import XmanError
from xman.metadata import Metadata
from xmand.authorize.grant import COURTESY, Grant
from xmand.settings.authorize import FILTERED
from xmand.virt.domain import Domain


class Owner:
    """Owners of jobs may use `verbs`, who launched a machine `launched`, on that machine.

    `read` reads a domain's metadata, `domains` returns all domains; both block.
    """

    def __init__(
        self,
        verbs: tuple[str, ...],
        launched: tuple[str, ...],
        read: Callable[[Domain], Metadata],
        domains: Callable[[], list[Domain]],
    ) -> None:
        self._verbs = frozenset(verbs) | COURTESY
        self._launched = frozenset(launched) | COURTESY
        self._read = read
        self._domains = domains

    def grant(self, principal: str) -> Grant | None:
        """Anybody may own a domain; which ones is asked when the command names them."""

        def verbs_of(domain: Domain) -> frozenset[str]:
            found = self._read(domain)
            own = self._launched if found.instance is not None and found.instance.owner == principal else frozenset()
            return own | self._verbs if owned(found, principal) else own

        def now_of(domain: Domain) -> frozenset[str]:
            with contextlib.suppress(XmanError):  # what cannot be read is nobody's
                return verbs_of(domain)
            return frozenset()

        def shows(domain: Domain) -> bool:
            return not now_of(domain).isdisjoint(FILTERED)

        def about(verb: str, domain: Domain | None) -> bool:
            if domain is not None:
                return verb in verbs_of(domain)
            return any(verb in now_of(candidate) for candidate in self._domains())

        def now() -> frozenset[str]:
            return COURTESY.union(*map(now_of, self._domains()))

        return Grant(self._verbs | self._launched, about, shows, now=now)


def owned(metadata: Metadata, principal: str) -> bool:
    """Whether all jobs in a domain, and at least one, are the principal's. Jobs of an earlier start are over."""
    owners = {job.owner for job in metadata.jobs if job.start == metadata.started}
    return owners == {principal}
