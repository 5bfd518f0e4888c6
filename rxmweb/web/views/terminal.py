"""A terminal of a laboratory fetches its machine: as a page that shows its screen, as JSON, or for a viewer of its own.

Who asks is known by its seat's cookie, by its principal, or by its address; none of these is a session, and all that
they lead to is the one machine. Who comes without the cookie is somebody new, who gets no run that another had.
"""

from typing import Any

from flask import Blueprint, Response, abort, g, jsonify, make_response, redirect, render_template, request, url_for

from rxmweb.db import fleet, seats
from rxmweb.db.seats import Seat
from rxmweb.terminals import Terminal, address_of
from rxmweb.web import giving, words
from rxmweb.web.context import is_secure, portal, seat_cookie
from rxmweb.web.identify import masked
from xman.gss import GssError

pages = Blueprint("terminal", __name__)

HTML, JSON, VV, RDP = "html", "json", "vv", "rdp"
_TYPES = {HTML: "text/html", JSON: "application/json", VV: "application/x-virt-viewer", RDP: "application/x-rdp"}
_RDP_PORT = 3389
# How soon a terminal that waits asks again, and one that was told that there is no machine.
_AGAIN_SECONDS, _REST_SECONDS = 2, 15


@pages.get("/terminal")
def fetch() -> Any:
    """Give a terminal its machine, or say how soon it is to ask again."""
    form = _form()
    here = portal()
    if not here.settings.terminals.known:
        abort(404)
    seat = _own_seat()
    # A page whose machine has ended says so: its host has not told us yet.
    if seat is not None and not request.args.get("again") and not _is_over(seat):
        return _told(seat, form)
    terminal, whence, proved = _who()
    if terminal is None:
        return _unknown(whence, form)
    with here.engine.connect() as connection:
        known = seats.of(connection, terminal.name)
    # Who has proved it is not disturbed by somebody who only has the address, and leaves him nothing.
    if known is not None and known.proved and not proved and (known.expires or known.working) > g.now:
        return _no_machine(giving.PROVE, form, proved=proved)
    if known is not None and known.state == seats.READY and known.token is None:
        fetched = seats.fetch(here.engine, known, g.now, here.settings.session_hours * 3600)
        if fetched is not None:
            g.new_seat, seat = fetched
            return _told(seat, form)
    if known is not None and known.state == seats.FAILED and known.working > g.now - _REST_SECONDS:
        return _no_machine(known.problem, form, proved=proved)
    if known is None or known.state != seats.WORKING or known.working < g.now:
        here.giver.want(terminal, whence, proved=proved)
    return _wait(terminal.name, form)


@pages.get("/terminal/screen")
def screen() -> Any:
    """Show the screen of a terminal's machine, and nothing else."""
    seat = _own_seat()
    if seat is None or _is_over(seat):
        return redirect(url_for("terminal.fetch"), code=303)
    token = masked(seat.csrf or "", request.full_path).rstrip("=")
    return render_template("kiosk.html", seat=seat, token=token)


def _form() -> str:
    """Return in which form the machine is wanted."""
    asked = request.args.get("as", "")
    if asked in _TYPES:
        return asked
    if asked:
        abort(404)
    best = request.accept_mimetypes.best_match(list(_TYPES.values()), default=_TYPES[HTML])
    return next(form for form, kind in _TYPES.items() if kind == best)


def _own_seat() -> Seat | None:
    """Return the seat of who has its cookie."""
    return seats.find(portal().reading, request.cookies.get(seat_cookie(), ""), g.now)


def _is_over(seat: Seat) -> bool:
    """Whether the machine's run is over, as far as its host has said since: then there is another one to be had."""
    with portal().reading.connect() as connection:
        found = fleet.domain(connection, seat.host or "", seat.uuid or "")
    if found is None or (found["received"] or 0.0) < (seat.since or 0.0) + _host_seconds():
        return False
    return bool(found["discard"]) and found["given"] != seat.terminal


def _host_seconds() -> float:
    """Return how much older than it was received what a host said may be."""
    return 2 * portal().settings.interval_seconds


def _who() -> tuple[Terminal | None, str, bool]:
    """Return which terminal asks, from where, and whether its keytab proves that."""
    here = portal()
    whence = address_of(request.remote_addr or "", request.headers, here.settings.proxy.secret)
    header = request.headers.get("Authorization", "")
    if header:
        try:
            identity = here.signon.who(header)
            g.negotiate = identity.answer
            principal = identity.principal.decode("ascii", "replace")
            return here.signon.terminal(principal), principal, True
        except GssError as error:
            return None, str(error), False
    return here.settings.terminals.of_address(whence), whence, False


def _unknown(whence: str, form: str) -> Response:
    """Ask for the keytab's proof; a browser that has just begun may not show it yet."""
    response = _said(401, words.terminal_problem("unknown") + (f" ({whence})" if whence else ""), form, _REST_SECONDS)
    response.headers["WWW-Authenticate"] = "Negotiate"
    return response


def _no_machine(problem: str, form: str, *, proved: bool) -> Response:
    response = _said(503, words.terminal_problem(problem), form, _REST_SECONDS)
    if problem == giving.PROVE and not proved:
        response.status_code = 401
        response.headers["WWW-Authenticate"] = "Negotiate"
    return response


def _wait(name: str, form: str) -> Response:
    # A browser that waits is one that goes on; for programs this is no machine yet.
    return _said(200 if form == HTML else 503, words.terminal_problem("wait"), form, _AGAIN_SECONDS, name)


def _said(status: int, message: str, form: str, again: int, name: str = "") -> Response:
    if form == JSON:
        response = jsonify(code=status, message=message)
    elif form == HTML:
        response = make_response(render_template("kiosk-wait.html", message=message, name=name, failed=status != 200))
        if again:
            response.headers["Refresh"] = str(again)
    else:
        response = Response(f"{message}\n", mimetype="text/plain")
    response.status_code = status
    if again:
        response.headers["Retry-After"] = str(again)
    return response


def _told(seat: Seat, form: str) -> Response:
    response = _of_form(seat, form)
    if g.get("new_seat"):
        secure = is_secure()
        # Of this browser's window only: who sits down next opens another one.
        response.set_cookie(seat_cookie(), g.new_seat, httponly=True, secure=secure, samesite="Lax", path="/")
    return response


def _of_form(seat: Seat, form: str) -> Response:
    if form == HTML:
        made = redirect(url_for("terminal.screen"), code=303)
        assert isinstance(made, Response)  # noqa: S101
        return made
    if form == JSON:
        terminal = portal().settings.terminals.known.get(seat.terminal.lower())
        return jsonify(
            terminal=seat.terminal,
            lab=terminal.lab if terminal else "",
            host=seat.host,
            machine=seat.machine,
            uuid=seat.uuid,
            since=seat.since,
            address=seat.address,
            screen=url_for("terminal.screen"),
        )
    wanted = seat.address if form == RDP else seat.screen
    if not wanted:
        portal().giver.look(seat)
        return _said(503, words.terminal_problem("no-address" if form == RDP else "no-screen"), form, _AGAIN_SECONDS)
    return _file(seat, form, wanted)


def _file(seat: Seat, form: str, wanted: str) -> Response:
    if form == RDP:
        place = f"[{wanted}]" if ":" in wanted else wanted
        lines = [f"full address:s:{place}:{_RDP_PORT}", "screen mode id:i:2", "prompt for credentials:i:1"]
        text = "".join(f"{line}\r\n" for line in lines)
    else:
        kind, _blank, place = wanted.partition(" ")
        address, _colon, port = place.rpartition(":")
        address = address.strip("[]")
        # Everywhere is where its host is.
        address = str(seat.host) if address in ("0.0.0.0", "::") else address  # noqa: S104
        text = f"[virt-viewer]\ntype={kind}\nhost={address}\nport={port}\nfullscreen=1\ndelete-this-file=1\n"
    response = Response(text, mimetype=_TYPES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="machine.{form}"'
    return response
