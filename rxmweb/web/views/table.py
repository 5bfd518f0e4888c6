"""The table of machines."""

import marshal
from hashlib import blake2b
from typing import Any

from flask import Blueprint, current_app, g, redirect, render_template, request
from markupsafe import Markup

from rxmweb.db import actions, changes, fleet, saved, search
from rxmweb.db.filters import KEYS, STALE
from rxmweb.web import offers
from rxmweb.web.context import fail, local_path, may, portal, reply, unchanged, versions, wants_json, with_header
from rxmweb.web.languages import _

pages = Blueprint("table", __name__)

_MOST_NAME = 60
# What only the ages of a row are made of.
_OF_AGES = dict.fromkeys(("received", "code", "problem", "since", "until"))


@pages.get("/")
def table() -> Any:
    """Show one page of the table; as a fragment where it is only brought up to date."""
    same = unchanged(changes.FLEET, changes.ACTIONS)
    if same is not None:
        return same
    here = portal()
    with here.reading.connect() as connection:
        own = saved.of(connection, g.session.principal)
    usual = next((one.address for one in own if one.usual), "")
    if not request.args and usual and not wants_json():
        return redirect(usual, code=303)
    g.whole = "/?all=1" if usual else "/"
    asked = search.read(request.args, here.owner)
    if wants_json():
        return reply("table.html", _data(asked))
    realm = g.session.principal.rpartition("@")[2]
    known = (versions()[changes.FLEET], versions()[changes.ACTIONS], asked, g.language, g.whole, realm, int(g.now / 60))
    part = here.rendered.get(known, lambda: _part(asked))
    if request.headers.get("HX-Request"):
        return with_header(part)
    with here.reading.connect() as connection:
        groups = fleet.all_groups(connection)
        names = fleet.host_names(connection) if may().acts else []
    offered = [offer for offer in offers.bulk() if may().anywhere(offer.verb, names)]
    return reply(
        "table.html", {"groups": groups}, query=asked, part=part, bulk=offered, keys=KEYS, saved=own, page=asked.page
    )


@pages.post("/filters")
def keep_filter() -> Any:
    """Save the filter of an address under a name, or forget one."""
    name = " ".join(request.form.get("name", "").split())[:_MOST_NAME]
    address = local_path(request.form.get("address", "/"))
    if not name or not name.isprintable() or not address.startswith("/?"):
        return fail(400, _("Give the filter a name."))
    here = portal()
    if request.form.get("forget"):
        saved.forget(here.engine, g.session.principal, name)
    elif not saved.keep(here.engine, g.session.principal, name, address, usual=bool(request.form.get("usual"))):
        return fail(409, _("You cannot save any more filters."))
    return redirect(address, code=303)


def _part(asked: search.Query) -> str:
    data = _data(asked)
    return render_template(
        "table-part.html",
        **data,
        drawn=_drawn(data["domains"]),
        query=asked,
        sorts=search.SORTS,
        rows=search.ROWS,
        stale=STALE,
    )


def _drawn(rows: list[dict[str, Any]]) -> Markup:
    """Return the rows; each is made again only where it says something else, and its ages each minute."""
    pieces: Any = current_app.jinja_env.get_template("table-row.html").module
    kept = portal().rows
    # What the template finds beside the row: the language, whose realm need not be named, and who sees hosts.
    links = not portal().owner
    beside = (g.language, g.session.principal.rpartition("@")[2], links)
    minute = (g.language, int(g.now / 60))

    def row(one: dict[str, Any]) -> str:
        # The columns are always the same. Version 0 is by value alone, whatever is the same object.
        same = one | _OF_AGES | {"received": one["received"] is not None}
        says = blake2b(marshal.dumps([*same.values()], 0), digest_size=16).digest()
        heard = (*minute, one["host"], one["received"], one["code"], one["problem"], one["freshness"])
        since = (*minute, one["since"], one["until"], one["uuid"] is None)
        pieces_of_it = (
            kept.get((*beside, says), lambda: pieces.told(one, links)),
            '  <td class="age">',
            kept.get(since, lambda: pieces.since(one, g.now)),
            '</td>\n  <td class="report">',
            kept.get(heard, lambda: pieces.heard(one, g.now)),
            "</td>\n</tr>\n",
        )
        return "".join(pieces_of_it)

    return Markup("").join(map(Markup, map(row, rows)))


def _data(asked: search.Query) -> dict[str, Any]:
    here = portal()
    with here.reading.connect() as connection:
        found = search.listing(connection, asked, here.settings.interval_seconds, g.now)
        groups = fleet.all_groups(connection)
        busy = actions.running(connection)
    for row in found.rows:
        row["busy"] = busy.get((row["host"], row["uuid"]), "")
        row.pop("sort_name", None)
    return {
        "domains": found.rows,
        "total": found.total,
        "page": min(asked.page, found.pages),
        "pages": found.pages,
        "counts": found.counts,
        "groups": groups,
        "problems": [list(problem) for problem in found.problems],
    }
