"""What `list` and `state` say from the model: without a call to libvirt, to whoever may see the whole host.

None wherever the model cannot tell: an unknown domain, or what it does not keep. Then libvirt is asked.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from xman import values
from xman.arguments import Parsed
from xman.result import Result
from xman.verbs.words import POWER_STATES
from xmand import answer
from xmand.model import Model, States
from xmand.model.kept import Kept, Shown
from xmand.virt.listing import power_state

# What `list --state` means beside libvirt's own state takes a call more: whether there is saved memory.
_NOT_KEPT = ("halted", "suspended")
# What changes nothing of what is answered.
_OPTIONS = frozenset(("json", "timeout", "reason", "max-age", "state"))


def domain(model: Model, word: str, most: float) -> dict[str, Any] | None:
    """Return a domain by its name or UUID, as listed. Never blocks."""
    shown = model.domains.shown(most)
    found = None if shown is None else _named(shown.whole, [word])
    return found[0] if found else None


def listed(shown: Shown[list[dict[str, Any]]], parsed: Parsed) -> Result | None:
    """Return what `list` says."""
    state, words = parsed.options.get("state"), parsed.words("DOMAIN")
    odd = state is not None and (bool(words) or state in _NOT_KEPT or state not in POWER_STATES)
    if odd or not _OPTIONS.issuperset(parsed.options):
        return None
    domains: list[dict[str, Any]] | None = shown.whole
    if words:
        domains = _named(shown.whole, words)
    elif state not in (None, "all"):
        domains = [domain for domain in shown.whole if power_state(domain, set()) == state]
    if domains is None:
        return None
    whole = domains is shown.whole
    return Result({"domains": domains}, as_of=shown.at, memo=shown.memo if whole else None)


def states(shown: Shown[States], parsed: Parsed) -> Result | None:
    """Return what `state` says."""
    if "state" in parsed.options or not _OPTIONS.issuperset(parsed.options):
        return None
    kept, words = shown.whole, parsed.words("DOMAIN")
    domains = _named(kept.data["domains"], words) if words else kept.data["domains"]
    if domains is None:
        return None
    if not words:
        return Result(kept.data, notes=kept.notes, as_of=shown.at, memo=shown.memo)
    data = {key: value for key, value in kept.data.items() if key != "others"} | {"domains": domains}
    return Result(data, notes=kept.notes, as_of=shown.at)


def _named(domains: list[dict[str, Any]], words: list[str]) -> list[dict[str, Any]] | None:
    """Return the domains named, in that order; None where one is not among them, or may be meant otherwise."""
    by_name = {domain["name"]: domain for domain in domains}
    by_uuid = {domain["uuid"]: domain for domain in domains}
    found = [by_name.get(word) or (by_uuid.get(word.lower()) if values.is_uuid(word) else None) for word in words]
    return None if None in found else [domain for domain in found if domain is not None]


# What is made and written for so many domains takes less than a millisecond of the serving loop.
MOST_AT_ONCE = 64


@dataclass(frozen=True)
class Way:
    """How a verb is answered from the model: by which of its parts, and what is made of that."""

    part: Callable[[Model], Kept[Any, Any]]
    make: Callable[[Shown[Any], Parsed], Result | None]
    # All of it, for who follows; and what is said of the host even where nothing is known of its domains.
    whole: Callable[[Shown[Any]], Result]
    # Of how many domains.
    count: Callable[[Shown[Any]], int]
    about_host: dict[str, Any] = field(default_factory=dict)

    def now(self, model: Model, parsed: Parsed, form: str) -> Result | None:
        """Return the answer where the model is true and young enough, and little is to be done for it. Never blocks.

        `form` is `json` or `text`: the whole, once written, is there for the next one who asks.
        """
        shown = self.part(model).shown(parsed.max_age)
        if shown is None:
            return None
        words = parsed.words("DOMAIN")
        whole = not words and "state" not in parsed.options and form in shown.memo
        few = len(words) <= MOST_AT_ONCE and self.count(shown) <= MOST_AT_ONCE
        return self.make(shown, parsed) if whole or few else None

    def there(self, model: Model, parsed: Parsed) -> bool:
        """Whether something was seen that is young enough, though libvirt may have gone. Never blocks."""
        return self.part(model).last(parsed.max_age) is not None

    def last(self, model: Model, parsed: Parsed, form: str) -> Result | None:
        """Return that, written as it will be sent; in a thread, since there may be much of it."""
        shown = self.part(model).last(parsed.max_age)
        done = None if shown is None else self.make(shown, parsed)
        if done is not None:
            answer.prepare(parsed.verb.name, done, as_json=form == "json")
        return done


LISTED = Way(
    lambda model: model.domains,
    listed,
    lambda shown: Result({"domains": shown.whole}, as_of=shown.at),
    lambda shown: len(shown.whole),
)
STATES = Way(
    lambda model: model.guests,
    states,
    lambda shown: Result(shown.whole.data, as_of=shown.at),
    lambda shown: len(shown.whole.data["domains"]) + len(shown.whole.data["others"]),
    {"host_id": socket.gethostname()},
)
