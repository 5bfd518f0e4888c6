"""Forgetting: the caps on age and size of what is kept of the past."""

import time

from sqlalchemy import Engine, delete, func, select

from rxmweb.schema import actions, samples, sessions
from rxmweb.settings import History


def prune(engine: Engine, history: History, now: float | None = None) -> None:
    """Delete samples and finished actions that are too old or too many, and sessions that have ended."""
    now = time.time() if now is None else now
    with engine.begin() as connection:
        connection.execute(delete(samples).where(samples.c.at < now - history.hours * 3600))
        count = connection.execute(select(func.count()).select_from(samples)).scalar_one()
        if count > history.samples:
            # Whole rounds, oldest first: the time of the first sample that may stay.
            newest = select(samples.c.at).order_by(samples.c.at.desc()).offset(history.samples).limit(1)
            oldest = connection.execute(newest).scalar_one()
            connection.execute(delete(samples).where(samples.c.at <= oldest))
        old = (actions.c.created < now - history.action_days * 86400) & actions.c.ended.is_not(None)
        connection.execute(delete(actions).where(old))
        connection.execute(delete(sessions).where(sessions.c.expires < now))
