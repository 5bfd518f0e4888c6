"""events: what has happened to domains, or, with `--follow`, what happens to them from now on."""

import time

from xman import times
from xman.errors import NoSuchDomainError
from xman.result import Result
from xmand.call import Call
from xmand.virt.domain import find
from xmand.virt.events import Event

# How soon a follower that is to end does.
_LOOK_SECONDS = 1.0


def events(call: Call) -> Result:
    """Return what is remembered, oldest first; with `--follow`, hand over each event as it comes, until `-t`."""
    wanted = _Wanted(call)
    if not call.parsed.follows:
        return Result({"events": [_facts(event) for event in call.host.events.recent() if wanted.has(event)]})
    with call.host.events.subscribe() as subscription:
        while (left := call.deadline - time.monotonic()) > 0:
            call.emit(None)
            for event in subscription.take(min(_LOOK_SECONDS, left)):
                if wanted.has(event):
                    call.emit(Result({"events": [_facts(event)]}, domain=event.domain or None))
    return Result()


class _Wanted:
    """Which events were asked for."""

    def __init__(self, call: Call) -> None:
        """Look up the domains. Raises NoSuchDomainError, but for one of which something is remembered."""
        remembered = {event.domain for event in call.host.events.recent()}
        self._uuids: set[str] = set()
        self._names: set[str] = set()
        words = call.parsed.words("DOMAIN")
        for word in words:
            try:
                self._uuids.add(find(call.reader, word).uuid)
            except NoSuchDomainError:
                if word not in remembered:
                    raise
                self._names.add(word)
        self._all = not words

    def has(self, event: Event) -> bool:
        """Whether it is one of them; what is about libvirt itself always is."""
        return self._all or not event.uuid or event.uuid in self._uuids or event.domain in self._names


def _facts(event: Event) -> dict[str, str]:
    facts = {"at": times.utc(event.at), "event": event.name, "detail": event.detail}
    return facts | ({"domain": event.domain, "uuid": event.uuid} if event.uuid else {})
