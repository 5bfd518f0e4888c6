"""The table of machines."""

from typing import Any

from flask import Blueprint, g, request

from rxmweb.db import actions, fleet, search
from rxmweb.web import offers
from rxmweb.web.context import portal, reply

pages = Blueprint("table", __name__)


@pages.get("/")
def table() -> Any:
    """Show one page of the table; as a fragment where it is only brought up to date."""
    here = portal()
    asked = search.read(request.args, here.owner)
    interval = here.settings.interval_seconds
    with here.engine.connect() as connection:
        found = search.listing(connection, asked, interval, g.now)
        groups = fleet.all_groups(connection)
        busy = actions.running(connection)
    for row in found.rows:
        row["busy"] = busy.get((row["host"], row["uuid"]), "")
    data = {
        "domains": found.rows,
        "total": found.total,
        "page": min(asked.page, found.pages),
        "pages": found.pages,
        "counts": found.counts,
        "groups": groups,
    }
    template = "table-part.html" if request.headers.get("HX-Request") else "table.html"
    return reply(
        template, data, query=asked, sorts=search.SORTS, rows=search.ROWS, bulk=offers.bulk(), stale=search.STALE
    )
