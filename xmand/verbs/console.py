"""A domain's console: to look at, to type to, and what it printed before."""

import functools
from pathlib import PurePath
from typing import Any

from xman.errors import HypervisorError, NoSuchDomainError, RefusedError, UsageError
from xman.result import Result
from xmand.consoles import kept
from xmand.consoles.attended import Attended, Place
from xmand.consoles.hub import Hubs
from xmand.consoles.viewer import Viewer
from xmand.journal import verdicts
from xmand.verbs.call import Call
from xmand.verbs.ending import became
from xmand.verbs.row import Row
from xmand.virt.consoles import LOST, Console, choose, consoles, held
from xmand.virt.domain import Domain, find
from xmand.virt.driver import CONSOLE

# How long `--send` waits for a guest to take what it types.
_SEND_SECONDS = 5.0
# How long is looked whether a domain has ended whose console has, unless somebody else is seen to have it.
_END_SECONDS = 60.0
_NOTHING_KEPT = "The output of this console is not kept: it has no <log>, and nobody is connected."
_NOTHING_BY_NAME = (
    "The output of this console is not kept. Xen logs by name, if at all (xenconsoled --log=guest): what it logged"
    " before the domain was made, or first asked for, may be another domain's, and is not shown."
)


def console(call: Call) -> Result | Attended:
    """See its console until one leaves; `--log` what it printed so far; `--send` types a text.

    Raises RefusedError where it is off, or somebody outside xman has it, UnsupportedError where there is none.
    """
    options = call.parsed.options
    log, send = call.parsed.flag("log"), "send" in options
    if "lines" in options and not log:
        raise UsageError("--lines requires --log.")
    if send and (log or call.parsed.flag("input") or call.parsed.flag("keep")):
        raise UsageError("--send types a text and leaves; it can be combined with --device and --force only.")
    domain = call.domain()
    call.record.found(domain.uuid)
    if log and not call.parsed.follows:
        return _log(call, domain)
    if send:
        return _send(call, domain, _text(str(options["send"])))
    return _attend(call, domain)


def _console(call: Call, domain: Domain) -> Console:
    return choose(domain.name, consoles(domain.description()), str(call.parsed.options.get("device", "")))


def _hubs(call: Call) -> Hubs:
    hubs = call.host.consoles
    if hubs is None:
        raise HypervisorError("This xmand opens no consoles.")
    return hubs


def _attend(call: Call, domain: Domain) -> Attended:
    hubs = _hubs(call)
    viewer = Viewer(types=call.parsed.flag("input"))
    wanted = _console(call, domain)
    # What the file has, the ring has as well, or less.
    before = _lines(call, _kept(call, domain, wanted)) if call.parsed.flag("log") else b""

    def enter() -> Place:
        found = find(call.host.driver.connection(CONSOLE), domain.uuid)
        chosen = choose(found.name, consoles(found.description()), wanted.name)
        hub = hubs.join(found, chosen, viewer, force=call.parsed.flag("force"), history=not before)
        return Place(hub, found.uuid, chosen.name, found.name)

    def again() -> Place | None:
        try:
            found = find(call.reader, domain.uuid)
        except NoSuchDomainError:
            raise RefusedError(f"Domain '{domain.name}' is gone; its console will not come back.") from None
        return enter() if found.active() else None

    place = enter()
    keep = again if call.parsed.flag("keep") else None
    attended = Attended(
        hubs, viewer, place, before, call.deadline, functools.partial(_ended, call, domain, wanted), keep
    )
    attended.stay = call.host.present.staying(place.uuid, call.principal, call.verb.name, types=viewer.types)
    return attended


def _ended(call: Call, domain: Domain, console: Console, why: str, waited: float) -> str:
    """Return what has become of a domain whose console has ended; empty where that is not known yet.

    Raises HypervisorError where it was libvirt that ended, RefusedError where somebody else has the console now.
    """
    if why == LOST:
        raise HypervisorError("libvirt was lost; the console has ended.")
    said = became(call, domain, waited, _END_SECONDS, lambda found: console.name in held(found.description()))
    if said is None:
        raise RefusedError(f"The console was taken from outside xman{f': {why}' if why else '.'}")
    return said


def _kept(call: Call, domain: Domain, wanted: Console) -> bytes:
    """Return what libvirt keeps of it: only root decides whose file it is, so others see one that bears its UUID."""
    if not wanted.log and domain.on_xen():
        return call.host.kept_by_name.read(domain.uuid, domain.name)
    own = PurePath(wanted.log).name.startswith(domain.uuid)
    return kept.read(wanted.log) if own or call.access.listed_caller else b""


def _log(call: Call, domain: Domain) -> Result:
    wanted = choose(domain.name, consoles(domain.description()), str(call.parsed.options.get("device", "")))
    octets, source = _kept(call, domain, wanted), "log"
    if not octets:
        hub = _hubs(call).at(domain.uuid, wanted.name)
        octets, source = (hub.printed(), "ring") if hub is not None else (b"", "log")
    notes = () if octets or wanted.log else (_NOTHING_BY_NAME if domain.on_xen() else _NOTHING_KEPT,)
    whole = len(octets)
    octets = _lines(call, octets)
    result: dict[str, Any] = {
        "name": domain.name,
        "uuid": domain.uuid,
        "device": wanted.name,
        "source": source,
        "lost": whole - len(octets),
        "output": octets.decode("utf-8", "replace"),
    }
    return Result(result, domain=domain.name, notes=notes)


def _lines(call: Call, octets: bytes) -> bytes:
    """Return the last so many lines, as they were asked for."""
    if "lines" not in call.parsed.options:
        return octets
    return b"".join(octets.splitlines(keepends=True)[-int(str(call.parsed.options["lines"])) :])


def _send(call: Call, domain: Domain, text: bytes) -> Result:
    hubs = _hubs(call)
    wanted = _console(call, domain)
    viewer = Viewer(types=True)
    hub = hubs.join(domain, wanted, viewer, force=call.parsed.flag("force"), history=False)
    try:
        if not hub.type_all(text, _SEND_SECONDS):
            raise RefusedError(f"The guest of '{domain.name}' does not read what is typed.")
    finally:
        hubs.leave((domain.uuid, wanted.name), hub, viewer)
    return Result({"name": domain.name, "device": wanted.name, "octets": len(text)}, domain=domain.name)


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "e": "\x1b", "\\": "\\"}


def _text(words: str) -> bytes:
    """Return what `--send` types: \\n, \\r, \\t, \\e and \\\\ stand for what they do elsewhere. Raises UsageError."""
    typed, rest = [], iter(words)
    for character in rest:
        if character == "\\":
            following = next(rest, "")
            if following not in _ESCAPES:
                raise UsageError("--send knows \\n, \\r, \\t, \\e and \\\\.")
            character = _ESCAPES[following]
        typed.append(character)
    return "".join(typed).encode()


ROWS = {
    "console": Row(console, verdicts.ended_with_us),
}
