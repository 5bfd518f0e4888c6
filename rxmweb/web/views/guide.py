"""What the pages can do, for people; and for programs, what stands at which address (OpenAPI)."""

from typing import Any

from flask import Blueprint, jsonify

from rxmweb.db.filters import KEYS
from rxmweb.web import openapi
from rxmweb.web.context import reply

pages = Blueprint("guide", __name__)


@pages.get("/help")
def show() -> Any:
    """Explain the filter, the states, and the interface for programs."""
    return reply("help.html", {"keys": list(KEYS)}, addresses=openapi.addresses())


@pages.get("/openapi.json")
def description() -> Any:
    """Describe the interface for programs."""
    return jsonify(openapi.document())
