"""The web server: gunicorn, with threads, since a page may wait for a host that a person asked."""

from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from rxmweb import db
from rxmweb.settings import Settings
from rxmweb.web.app import create_app

# A worker that says nothing for so long is replaced; asking a host takes up to fifteen seconds.
_WORKER_SECONDS = 60


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        values: dict[str, Any] = {
            "bind": settings.listen,
            "workers": settings.workers,
            "threads": settings.threads,
            "worker_class": "gthread",
            "timeout": _WORKER_SECONDS,
            "graceful_timeout": 20,
            "proc_name": "rxmweb",
            "loglevel": "warning",
            "accesslog": None,
            # What a browser sends for Kerberos is longer than usual headers: tickets with many groups in them.
            "limit_request_field_size": 65536,
            # Its files are of no use to anybody else.
            "umask": 0o077,
        }
        if settings.certificate:
            values |= {"certfile": settings.certificate, "keyfile": settings.key}
        for key, value in values.items():
            self.cfg.set(key, value)

    def load(self) -> Flask:
        # In each worker: neither a database connection nor a GSSAPI credential may cross a fork.
        return create_app(self._settings, db.open_store(self._settings.database))


def serve(settings: Settings) -> None:
    """Serve until told to end. Raises XmanError where the database cannot be used."""
    db.open_store(settings.database).dispose()
    _Server(settings).run()
