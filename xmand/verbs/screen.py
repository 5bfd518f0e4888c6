"""A domain's screen: a picture of it, VNC from and to it, and keys."""

import base64
import functools

from xman import pictures
from xman.errors import HypervisorError, RefusedError, UsageError
from xman.result import Result
from xmand.audit.outside import TOLD
from xmand.consoles.present import SCREEN
from xmand.consoles.watched import Watched
from xmand.journal import verdicts
from xmand.verbs.call import Call
from xmand.verbs.ending import became
from xmand.verbs.row import Row
from xmand.virt import condition, keys, screens
from xmand.virt.domain import Domain

# How long is looked whether a domain has ended whose screen has: nothing tells of viewers outside xman.
_END_SECONDS = 10.0


def screenshot(call: Call) -> Result:
    """A picture, as PNG whatever libvirt has.

    Raises RefusedError where it is off, UnsupportedError where it has no screen.
    """
    domain = call.domain()
    call.record.found(domain.uuid)
    mime, octets = screens.picture(call.host.driver, domain)
    try:
        octets = pictures.png(octets)
        width, height = pictures.size(octets)
    except pictures.PictureError as error:
        raise HypervisorError(f"libvirt's picture ({mime}) cannot be read: {error}.") from error
    data = {
        "name": domain.name,
        "uuid": domain.uuid,
        "mime": pictures.PNG,
        "width": width,
        "height": height,
        "octets": len(octets),
        "data": base64.b64encode(octets).decode(),
    }
    return Result(data, domain=domain.name)


def vnc(call: Call) -> Watched:
    """See its screen, and use its keyboard and mouse, until one leaves.

    Raises RefusedError where it is off, UnsupportedError where it has no VNC, UsageError where its client does not say
    that it can talk back.
    """
    if not call.parsed.flag("input"):
        raise UsageError("VNC is a conversation; use rxm vnc, or say --input and send DATA (xman-protocol(7)).")
    domain = call.domain()
    call.record.found(domain.uuid)
    sock = screens.open_vnc(call.host.driver, domain)
    only = call.parsed.flag("view-only")
    watched = Watched(
        sock, domain.name, view_only=only, until=call.deadline, ended=functools.partial(_ended, call, domain)
    )
    watched.stay = call.host.present.staying(domain.uuid, call.principal, SCREEN, types=not only)
    return watched


def send_key(call: Call) -> Result:
    """Press keys together; what the guest makes of them is its own. Raises UsageError, and RefusedError unless it runs.

    Who may do that may have typed anything; the audit says that somebody typed, and never what.
    """
    wanted = keys.codes(call.parsed.words("KEY"))
    with call.changing() as domain:
        found = condition.condition(domain)
        if found != condition.RUNNING:
            raise condition.refusal(domain, found)
        if call.parsed.flag("dry-run"):
            keys.require_keyboard(domain)
            note = f"{len(wanted)} {'key' if len(wanted) == 1 else 'keys'} of '{domain.name}' would be pressed."
            return Result({"dry_run": True}, domain=domain.name, notes=(note,))
        keys.press(domain, wanted)
        return Result(changed=True, domain=domain.name)


def _ended(call: Call, domain: Domain, waited: float) -> str:
    """Return what has become of a domain whose screen has ended; empty where that is not known yet.

    Raises RefusedError where it still runs.
    """
    said = became(call, domain, waited, _END_SECONDS)
    if said is None:
        raise RefusedError(
            f"The screen of '{domain.name}' was closed by its hypervisor, or taken by a viewer outside xman."
        )
    return said


ROWS = {
    "screenshot": Row(screenshot),
    "vnc": Row(vnc, verdicts.ended_with_us),
    # Ctrl-Alt-Del, and what somebody types at a prompt.
    "send-key": Row(send_key, verdicts.cannot_tell, asks=TOLD - {"defined", "undefined"}),
}
