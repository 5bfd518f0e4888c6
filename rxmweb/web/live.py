"""Asking a host just now, as the person: for what no table holds. Only for pages that a person opened to ask."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from flask import g, request

from rxmweb import rxm_process
from rxmweb.db import report
from rxmweb.rxm_process import Rxm
from rxmweb.web import past
from rxmweb.web.context import portal, reply
from rxmweb.web.languages import _
from xman import outcome, render, verbs

# What a person waits for; rxm is told the shorter, so that its own words arrive.
_SECONDS = 10.0
_PATIENCE_SECONDS = 15.0
_MOST_SINCE = 40
# Of the past, which is looked through here; the latest are what is looked for.
_MOST_LINES = 10_000
# What is no text for people, but rows of the past: by what a result has of them.
_TABLES: dict[str, Callable[[dict[str, Any], Mapping[str, str]], past.Changes | past.Happened]] = {
    "entries": past.changes,
    "events": past.events,
}


def known(questions: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return those questions whose verb this release has."""
    return [question for question, words in questions.items() if words[0] in verbs.BY_NAME]


def words(question: Sequence[str]) -> list[str]:
    """Return rxm's words for a question, with the time from which on its address wants the past."""
    takes = any(option.key == "since" for option in verbs.BY_NAME[question[0]].options)
    since = request.args.get("since", "").strip()[:_MOST_SINCE]
    bound = [f"--lines={_MOST_LINES}"] if verbs.BY_NAME[question[0]].paged else []
    return [*question, *bound, *([f"--since={since}"] if takes and since else [])]


def shown(verb: str, about: dict[str, Any]) -> Any:
    """Show a host's answer: the past as a table, all else as rxm prints it."""
    answer = about["answer"]
    made = (
        next((make for key, make in _TABLES.items() if key in answer.get("result", {})), None) if answer["ok"] else None
    )
    rows = made(answer["result"], request.args) if made is not None else None
    text = "" if rows is not None else report.text(as_text(verb, answer))
    return reply("answer.html", about, text=text, rows=rows)


def ask(host: str, words: Sequence[str], text: str = "") -> dict[str, Any]:
    """Return the host's object (DESIGN, "Results"), or one that says why there is none; the verb leads its `words`."""
    return _asking(text)(host, words)


def ask_each(host: str, questions: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Return what `ask` does for each of some questions, which are asked at the same time."""
    asking = _asking()
    with ThreadPoolExecutor(max(1, len(questions)), thread_name_prefix="part") as threads:
        return list(threads.map(lambda words: asking(host, words), questions))


def ask_with(host: str, words: Sequence[str], texts: Mapping[str, str]) -> dict[str, Any]:
    """Do as `ask`, with texts for options that name a file, by their keys; `host` may be several, with commas."""
    try:
        with tempfile.TemporaryDirectory(prefix="asking-", dir=portal().rxm.directory) as directory:
            return ask(host, rxm_process.with_files(words, texts, Path(directory)))
    except OSError as error:
        return _failure(outcome.INTERNAL, f"{portal().rxm.directory}: {error.strerror}")


def ask_hosts(hosts: Sequence[str], words: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what each of several hosts answers, by one rxm."""
    here = portal()
    cache = here.tickets.of_session(g.session.ticket)
    late = _late()
    if cache is None or not hosts:
        return {host: _ticketless() for host in hosts}
    command = here.rxm.command(["-t", f"{_SECONDS:.0f}", "-H", ",".join(hosts), *words])
    try:
        out, _err = rxm_process.run(command, here.rxm.as_person(cache), b"", _PATIENCE_SECONDS)
    except TimeoutError:
        return dict.fromkeys(hosts, late)
    except OSError as error:
        return dict.fromkeys(hosts, _failure(outcome.INTERNAL, f"rxm: {error.strerror}"))
    found = {}
    for line in out.splitlines():
        try:
            answer = report.envelope_of(line, words[0])
        except report.NotAReportError:
            continue
        found[str(answer["host"])] = answer
    return {host: found.get(host, late) for host in hosts}


def _late() -> dict[str, Any]:
    return _failure(outcome.UNREACHABLE, _("The host gave no answer in time."))


def _ticketless() -> dict[str, Any]:
    return _failure(outcome.CREDENTIALS, _("The portal does not have your ticket, so it cannot ask a host for you."))


def _asking(text: str = "") -> Callable[[str, Sequence[str]], dict[str, Any]]:
    """Return what asks as the person at hand, also from another thread."""
    here = portal()
    cache = here.tickets.of_session(g.session.ticket)
    if cache is None:
        problem = _ticketless()
        return lambda _host, _words: problem
    return partial(_ask, here.rxm, here.rxm.as_person(cache), text.encode(), _late())


def _ask(
    rxm: Rxm, env: dict[str, str], text: bytes, late: dict[str, Any], host: str, words: Sequence[str]
) -> dict[str, Any]:
    command = rxm.command(["-t", f"{_SECONDS:.0f}", "-H", host, *words])
    try:
        out, err = rxm_process.run(command, env, text, _PATIENCE_SECONDS)
    except TimeoutError:
        return late
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
