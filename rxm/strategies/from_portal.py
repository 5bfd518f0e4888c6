"""How hosts are, from a portal that they report to. Who it says nothing fresh of is asked, and all where it is away."""

import threading
import time

from rxm import targets
from rxm.options import Options
from rxm.remote import portal
from rxm.remote.connection import initiator
from rxm.remote.deadline import Deadline
from rxm.remote.portal import Known, Told
from rxm.settings import Settings
from xman import lowlevel
from xman.arguments import Parsed
from xman.errors import UnreachableError, UsageError, XmanError

# Its own deadline is before this one.
_GRACE_SECONDS = 0.5


def hosts(options: Options, settings: Settings, parsed: Parsed) -> tuple[list[str], dict[str, Known]]:
    """Return the hosts meant, all of the portal's where nobody names any, and those of them that it tells of.

    Raises UsageError, CredentialsError and others.
    """
    words = targets.host_words(parsed)
    named = targets.hosts(options, settings, words) if words or _names_some(options, settings) else []
    seconds = parsed.options.get("max-age")
    oldest = None if seconds is None else float(str(seconds))
    told: dict[str, Told] = {}
    if oldest != 0:
        try:
            told = _ask(options, settings)
        except UnreachableError as error:
            _say(options, f"The portal {settings.portal}: {error}; the hosts themselves are asked.")
    wanted = named or sorted(told) or targets.hosts(options, settings)
    by_name = {targets.same(name): how for name, how in told.items()}
    now = time.time()
    known = {
        name: Known(name, parsed.verb.name, how, now)
        for name in wanted
        if (how := by_name.get(targets.same(name))) is not None and how.fresh and (oldest is None or how.age <= oldest)
    }
    return wanted, known


def _names_some(options: Options, settings: Settings) -> bool:
    return bool(options.host or settings.hosts or lowlevel.is_set("RXM_HOSTS"))


def _ask(options: Options, settings: Settings) -> dict[str, Told]:
    """Ask, in a thread: a name server, or a portal that drips, is not waited for longer than is said."""
    # What is left of the command's time is for the hosts.
    seconds = min(settings.connect_seconds, (options.timeout or 2 * settings.connect_seconds) / 2)
    identity = initiator(settings.client_keytab, settings.principal)
    found: list[dict[str, Told] | XmanError] = []

    def ask() -> None:
        try:
            found.append(portal.ask(settings.portal, identity, Deadline(seconds)))
        except XmanError as error:
            found.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds + _GRACE_SECONDS)
    told = found[0] if found else UnreachableError("it does not answer in time")
    if isinstance(told, XmanError):
        raise told
    return {name: how for name, how in told.items() if _is_host(name)}


def _is_host(name: str) -> bool:
    try:
        return bool(name and targets.checked(name))
    except UsageError:
        return False


def _say(options: Options, text: str) -> None:
    if not options.quiet:
        lowlevel.err(f"{text}\n")
