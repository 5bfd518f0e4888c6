"""For machines that watch the portal: /healthz and /metrics."""

from typing import Any

from flask import Blueprint, Response, abort, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from sqlalchemy import func, select

from rxmweb.db.schema import hosts
from rxmweb.web.context import portal
from rxmweb.web.metrics import Fleet

pages = Blueprint("status", __name__)


@pages.get("/healthz")
def healthz() -> Any:
    """Answer 200 while the database can be read and the collector is at work, otherwise 503."""
    here = portal()
    with here.reading.connect() as connection:
        tried = connection.execute(select(func.max(hosts.c.tried))).scalar_one()
    # Without hosts there is nothing to be late with.
    idle = bool(here.settings.hosts) and (tried is None or g.now - tried > 3 * here.settings.interval_seconds)
    text = "the collector does not run\n" if idle else "ok\n"
    return Response(text, status=503 if idle else 200, mimetype="text/plain")


@pages.get("/metrics")
def metrics() -> Any:
    """Answer in Prometheus' format, to those addresses that the configuration names."""
    here = portal()
    # A proxy on this machine adds for whom it asks: that has to be allowed too.
    if not {request.remote_addr, *request.access_route[-1:]} <= set(here.settings.metrics_from):
        abort(403)
    registry = CollectorRegistry()
    registry.register(Fleet(here.engine, here.settings.interval_seconds, g.now))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
