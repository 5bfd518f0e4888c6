"""A guest that leaves over the connection of the two xmands, from its begin to where it runs in the end."""

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any

from xman.between import MIGRATE_IN, MIGRATE_MAY
from xman.errors import RefusedError, UnknownOutcomeError, UnreachableError, XmanError
from xmand.broker.arrivals import GIVEN, KEPT
from xmand.broker.departures import Departure, Departures
from xmand.broker.far import Far, reached
from xmand.broker.relay import Relay
from xmand.settings import Settings
from xmand.system.notes import this_boot
from xmand.system.own_connection import LostError
from xmand.virt import lifecycle, migration_trial
from xmand.virt.domain import PAUSED, Domain

_SECONDS = 15.0
# How long the caller waits for a decision that the other host has not heard yet.
_SETTLE_SECONDS = 10.0
_NOT_THERE = "was started with this host; there it is not (autostart)."
# Moves the domain to this URI of libvirt's, and returns what came of it.
Move = Callable[[str], dict[str, Any]]


def ask(settings: Settings, domain: Domain, host: str) -> tuple[str, ...]:
    """Ask whether `domain` may come there, as it is; return what there is to be said besides.

    Raises XmanError where it may not, or nobody answers.
    """
    told, cpu = migration_trial.told(domain)
    words = [MIGRATE_MAY.name, *(("--cpu", cpu) if cpu else ()), "--", str(uuid.uuid4()), domain.name, domain.uuid]
    far = reached(settings, host, _SECONDS)
    try:
        far.ask([*words, *told], _SECONDS)
    except LostError as error:
        raise UnreachableError(f"{host}: {error}.") from error
    finally:
        far.close()
    return far.notes()


def uri(driver_uri: str, path: str) -> str:
    """Return libvirt's URI of its own driver behind the socket at `path`."""
    scheme, _, rest = driver_uri.partition("://")
    return f"{scheme.partition('+')[0]}+unix:///{rest.partition('?')[0].partition('/')[2]}?socket={path}"


def brokered(
    departures: Departures, domain: Domain, host: str, driver_uri: str, move: Move
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Move `domain` to `host` by `move`; return what that returned, and what is to be said besides.

    Raises what `move` raises where the guest is still here; RefusedError, UnreachableError and HypervisorError before
    anything has moved; UnknownOutcomeError where it has gone, and the other host has not confirmed that yet.
    """
    settings = departures.settings
    paused = domain.state()[0] == PAUSED
    number = domain.identifier()
    departure = Departure(
        str(uuid.uuid4()),
        domain.name,
        domain.uuid,
        host,
        paused,
        domain.persistent(),
        -1 if number is None else number,
        this_boot(),
        starts=domain.persistent() and lifecycle.autostart(domain),
    )
    far = reached(settings, host, _SECONDS)
    try:
        words = [MIGRATE_IN.name, "--input", *(("--paused",) if paused else ())]
        far.converse([*words, "--", departure.id, domain.name, domain.uuid], _SECONDS)
        departures.begin(departure)
    except LostError as error:
        far.close()
        raise UnreachableError(f"{host}: {error}. '{domain.name}' is still here.") from error
    except XmanError:
        far.close()
        raise
    try:
        data, said = _moved(departures, departure, far, domain, driver_uri, move)
    finally:
        departures.leave(departure)
    return data, (*said, *((f"'{domain.name}' {_NOT_THERE}",) if departure.starts else ()))


def _moved(
    departures: Departures, departure: Departure, far: Far, domain: Domain, driver_uri: str, move: Move
) -> tuple[dict[str, Any], tuple[str, ...]]:
    failure: XmanError | None = None
    try:
        if departure.starts:
            lifecycle.set_autostart(domain, False)
        relay = Relay(far, departures.settings.run_dir, lambda: _given(departures, departure))
    except XmanError:
        far.close()
        departures.decide(departure, KEPT)
        raise
    relay.start()
    began = time.monotonic()
    try:
        data = move(uri(driver_uri, relay.path))
    except XmanError as error:
        failure = error
        data = {"seconds": round(time.monotonic() - began, 1), "transferred": 0}
        relay.why = relay.why or _last_words(far)
        if isinstance(error, UnknownOutcomeError):
            relay.cut()
    except BaseException:
        relay.cut()
        raise
    finally:
        relay.finish()
    if failure is None:
        try:
            departure = departures.decide(departure, GIVEN)
        except XmanError as error:
            raise UnknownOutcomeError(
                f"'{departure.name}' has left for {departure.to}, and stays paused there: {error}"
            ) from error
        if relay.committed:
            departures.forget(departure)
            return data, ()
        try:
            departures.tell(departure, _SETTLE_SECONDS)
        except XmanError as error:
            raise _unheard(departure, error) from error
        departures.forget(departure)
        return data, ()
    return data, _failed(departures, departure, domain, relay, failure)


def _failed(
    departures: Departures, departure: Departure, domain: Domain, relay: Relay, failure: XmanError
) -> tuple[str, ...]:
    """Settle what libvirt calls a failure; return what is to be said where the guest has left all the same.

    Raises XmanError where it has not, or that is not known yet.
    """
    departure, done = _judged(departures, departure, domain)
    if not departure.decision:
        raise failure
    if departure.decision == KEPT:
        with contextlib.suppress(XmanError):
            departures.tell(departure, _SETTLE_SECONDS)
            # Now that the copy is gone its images are free.
            if _judged(departures, departure, domain)[1]:
                departures.forget(departure)
        if relay.why and relay.why not in str(failure):
            raise type(failure)(f"{failure} ({departure.to}: {relay.why})") from failure
        raise failure
    if not relay.committed:
        try:
            departures.tell(departure, _SETTLE_SECONDS)
        except XmanError as error:
            raise _unheard(departure, error) from error
    if done:
        departures.forget(departure)
    return (f"It has left, although libvirt reported: {failure}",)


def _unheard(departure: Departure, error: XmanError) -> UnknownOutcomeError:
    return UnknownOutcomeError(
        f"'{departure.name}' has left this host and is paused at {departure.to}, which has not confirmed it: {error}"
        " It continues there as soon as the two hosts reach each other."
    )


def _judged(departures: Departures, departure: Departure, domain: Domain) -> tuple[Departure, bool]:
    """Decide after a failure, as far as that can be told now; return whether it is carried out here."""
    with contextlib.suppress(XmanError):
        return departures.judge(domain.raw.connect(), departures.get(departure.id) or departure)
    return departures.get(departure.id) or departure, False


def _given(departures: Departures, departure: Departure) -> None:
    decided = departures.decide(departure, GIVEN)
    if decided.decision != GIVEN:
        raise RefusedError("It was kept meanwhile.")


def _last_words(far: Far) -> str:
    return far.said() if far.over else ""
