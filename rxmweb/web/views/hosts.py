"""The hosts: all of them, and the page of one."""

from typing import Any

from flask import Blueprint, abort, g, request
from sqlalchemy import func, select

from rxmweb.db import fleet, report
from rxmweb.db.actions import Request, Target
from rxmweb.db.schema import domains, hosts
from rxmweb.web import live
from rxmweb.web.context import fail, portal, reply
from rxmweb.web.languages import _
from rxmweb.web.submit import queue, reason

pages = Blueprint("hosts", __name__, url_prefix="/hosts")

_QUESTIONS = {
    "info": ("info",),
    "usage": ("stats", "--host"),
    "messages": ("dmesg",),
    "log": ("log",),
    "version": ("version",),
}


@pages.get("")
def all_hosts() -> Any:
    """Show every configured host with the age of its report."""
    _readers_only()
    here = portal()
    count = select(func.count()).where(domains.c.host == hosts.c.name).scalar_subquery()
    with here.engine.connect() as connection:
        rows = connection.execute(select(hosts, count.label("domains")).order_by(hosts.c.position)).mappings()
        found = [dict(row) for row in rows]
    for row in found:
        row["freshness"] = fleet.freshness(row["received"], here.settings.interval_seconds, g.now)
    return reply("hosts.html", {"hosts": found})


@pages.get("/<host>")
def one_host(host: str) -> Any:
    """Show a host."""
    found = _visible(host)
    with portal().engine.connect() as connection:
        rows = connection.execute(select(domains).where(domains.c.host == host).order_by(domains.c.name)).mappings()
        machines = [fleet.with_jobs(row) for row in rows]
    return reply(
        "host.html",
        {"host": found, "domains": machines},
        questions=live.known(_QUESTIONS),
    )


@pages.get("/<host>/ask/<question>")
def ask(host: str, question: str) -> Any:
    """Ask the host, as the person, and show its answer."""
    _visible(host)
    if question not in live.known(_QUESTIONS):
        abort(404)
    answer = live.ask(["-H", host, *_QUESTIONS[question]])
    text = report.text(live.as_text(_QUESTIONS[question][0], answer))
    return reply("answer.html", {"question": question, "host": host, "answer": answer}, text=text)


@pages.post("/<host>/maintenance")
def maintenance(host: str) -> Any:
    """Take a host out of service, with the reason that the form has, or put it back, as the person."""
    _visible(host)
    why = reason()
    if request.form.get("to") == "off":
        words: tuple[str, ...] = ("off",)
    elif why:
        words = ("on", why)
    else:
        return fail(400, _("Say why: everyone who meets the host will see it."))
    return queue(Request(g.session.principal, "maintenance", [Target(host)], (), words, why))


def _visible(host: str) -> dict[str, Any]:
    _readers_only()
    here = portal()
    with here.engine.connect() as connection:
        found = fleet.host(connection, host)
    if found is None:
        abort(404)
    found["freshness"] = fleet.freshness(found["received"], here.settings.interval_seconds, g.now)
    return found


def _readers_only() -> None:
    if portal().owner:
        abort(404)
