"""The table of machines."""

from typing import Any

from flask import Blueprint, g, request

from rxmweb import actions, fleet, offers, query
from rxmweb.app import portal, reply

pages = Blueprint("table", __name__)


@pages.get("/")
def table() -> Any:
    """Show one page of the table; as a fragment where it is only brought up to date."""
    here = portal()
    asked = query.read(request.args, here.owner)
    interval = here.settings.interval_seconds
    with here.engine.connect() as connection:
        found = query.listing(connection, asked, interval, g.now)
        groups = fleet.all_groups(connection)
        busy = actions.running(connection)
    for row in found.rows:
        row["busy"] = busy.get((row["host"], row["uuid"]), "")
    data = {
        "domains": found.rows, "total": found.total, "page": min(asked.page, found.pages), "pages": found.pages,
        "counts": found.counts, "groups": groups,
    }  # fmt: skip
    template = "table-part.html" if request.headers.get("HX-Request") else "table.html"
    return reply(template, data, query=asked, sorts=query.SORTS, rows=query.ROWS, bulk=offers.bulk(), stale=query.STALE)
