"""What all commands of a daemon share (`xmand.verbs.call.Host`), put together without a daemon."""

import concurrent.futures
import time
from typing import Any

from xman.result import Result
from xmand.audit.message_buffer import Ring
from xmand.batch.engine import Engine
from xmand.consoles.served import Served
from xmand.events import Events
from xmand.events.table import Waits
from xmand.journal import Journal
from xmand.model import Model
from xmand.settings import Settings
from xmand.system.locks import DomainLocks
from xmand.verbs.call import Host


def host_of(driver: Any, settings: Settings | None = None, ring: Ring | None = None) -> Host:
    """Return a host on `driver`; its journal is in the settings' `state_dir`, which nobody may write by default."""
    found, locks = settings or Settings(state_dir="/nonexistent"), DomainLocks()
    journal = Journal(found.state_dir, keep_days=1, most_mib=1)
    engine, events = Engine(found, driver, locks), Events(driver)
    return Host(found, driver, locks, ring or Ring(), engine, events, journal, Model(driver, events, engine))


def waited_for(done: Result | Waits | Served) -> Result:
    """Return what becomes of a verb that waits, as `xmand.dispatch.executor` does. Raises XmanError."""
    if isinstance(done, Result):
        return done
    assert isinstance(done, Waits)
    goal = done.entry.goal
    assert goal is not None
    try:
        return done.entry.ended.result(done.until - time.monotonic())
    except concurrent.futures.TimeoutError:
        if done.expired is None:
            raise goal.late(time.monotonic()) from None
        return done.expired()
    finally:
        done.entry.leave()
