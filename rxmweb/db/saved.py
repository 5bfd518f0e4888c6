"""Filters that people have saved, by name; one of them may be what the bare address shows."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from rxmweb.db.schema import filters

MOST_OF_ONE = 50


@dataclass(frozen=True)
class Saved:
    """One saved filter."""

    name: str
    address: str
    usual: bool


def of(connection: Connection, principal: str) -> list[Saved]:
    """Return a person's filters by name."""
    mine = select(filters.c.name, filters.c.address, filters.c.usual).where(filters.c.principal == principal)
    return [Saved(**row) for row in connection.execute(mine.order_by(filters.c.name)).mappings()]


def keep(engine: Engine, principal: str, name: str, address: str, *, usual: bool) -> bool:
    """Save a filter, in the place of one of that name; return False where there are too many already."""
    mine = filters.c.principal == principal
    with engine.begin() as connection:
        if usual:
            connection.execute(update(filters).where(mine).values(usual=False))
        connection.execute(delete(filters).where(mine, filters.c.name == name))
        if connection.execute(select(func.count()).where(mine)).scalar_one() >= MOST_OF_ONE:
            connection.rollback()
            return False
        connection.execute(insert(filters).values(principal=principal, name=name, address=address, usual=usual))
    return True


def forget(engine: Engine, principal: str, name: str) -> None:
    """Forget a filter."""
    with engine.begin() as connection:
        connection.execute(delete(filters).where(filters.c.principal == principal, filters.c.name == name))
