"""Asking a host just now, as the person: for what no table holds. Only for pages that a person opened to ask."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import g

from rxmweb import rxm_process
from rxmweb.db import report
from rxmweb.web.context import portal
from rxmweb.web.languages import _
from xman import outcome, render, verbs

# What a person waits for; rxm is told the shorter, so that its own words arrive.
_SECONDS = 10.0
_PATIENCE_SECONDS = 15.0


def known(questions: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return those questions whose verb this release has."""
    return [question for question, words in questions.items() if words[0] in verbs.BY_NAME]


def ask(words: Sequence[str], text: str = "") -> dict[str, Any]:
    """Return the host's object (DESIGN, "Results"), or one that says why there is none."""
    here = portal()
    cache = here.tickets.of_session(g.session.ticket)
    if cache is None:
        return _failure(outcome.CREDENTIALS, _("Only who can act can ask a host: your ticket is not here."))
    command = here.rxm.command(["-t", f"{_SECONDS:.0f}", *words])
    try:
        out, err = rxm_process.run(command, here.rxm.as_person(cache), text.encode(), _PATIENCE_SECONDS)
    except TimeoutError:
        return _failure(outcome.UNREACHABLE, _("The host gave no answer in time."))
    except OSError as error:
        return _failure(outcome.INTERNAL, f"rxm: {error.strerror}")
    for line in out.splitlines():
        try:
            return report.envelope_of(line, words[0])
        except report.NotAReportError:
            continue
    return _failure(outcome.INTERNAL, report.text(err.decode("utf-8", "replace")).strip() or "rxm said nothing")


def as_text(verb: str, answer: dict[str, Any]) -> str:
    """Return an answer as rxm shows it to a person."""
    if not answer["ok"]:
        return str(answer.get("message", ""))
    try:
        return render.text(verb, answer["result"])
    except (KeyError, TypeError, ValueError):
        # Of a later release than this portal, perhaps.
        import json

        return json.dumps(answer["result"], indent=1, ensure_ascii=False)


def _failure(code: int, message: str) -> dict[str, Any]:
    return {"ok": False, "code": code, "class": outcome.class_name(code), "message": message}
