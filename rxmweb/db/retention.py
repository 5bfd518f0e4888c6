"""Forgetting: the caps on age and size of what is kept of the past."""

from sqlalchemy import Engine, delete, func, select

from rxmweb.db.schema import actions, host_samples, results, samples, sessions
from rxmweb.settings import History


def prune(engine: Engine, history: History, now: float) -> None:
    """Delete samples and finished actions that are too old (by `rxmweb.db.calendar`) or too many."""
    with engine.begin() as connection:
        connection.execute(delete(samples).where(samples.c.at < now - history.hours * 3600))
        connection.execute(delete(host_samples).where(host_samples.c.at < now - history.hours * 3600))
        count = connection.execute(select(func.count()).select_from(samples)).scalar_one()
        if count > history.samples:
            # Whole rounds, oldest first: the time of the first sample that may stay.
            newest = select(samples.c.at).order_by(samples.c.at.desc()).offset(history.samples).limit(1)
            oldest = connection.execute(newest).scalar_one()
            connection.execute(delete(samples).where(samples.c.at <= oldest))
        old = actions.c.created < now - history.action_days * 86400
        # Whole actions, oldest first: the time of the latest one that is too many.
        counted = select(actions.c.created).join(results, results.c.action == actions.c.id)
        newest = counted.order_by(actions.c.created.desc()).offset(history.results).limit(1)
        too_many = connection.execute(newest).scalar()
        if too_many is not None:
            old |= actions.c.created <= too_many
        connection.execute(delete(actions).where(old, actions.c.ended.is_not(None)))


def forget_sessions(engine: Engine, now: float) -> None:
    """Delete sessions that have ended by this machine's clock, as their tickets have."""
    with engine.begin() as connection:
        connection.execute(delete(sessions).where(sessions.c.expires < now))
