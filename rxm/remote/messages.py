"""Why a connection failed, what went wrong with Kerberos, and what a protocol ERROR means: plain words and a remedy."""

import _socket
import time

import xman
from xman import gss, verbs
from xman.errors import CredentialsError
from xman.gss import GssError
from xman.wire import constants as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rxm.remote.command import Reply


def why(error: Exception, port: int) -> str:
    """Return what an error of the socket, or of the session on it, says to the user."""
    if isinstance(error, TimeoutError):
        return "no answer in time."
    if isinstance(error, EOFError):
        return "the host closed the connection."
    if isinstance(error, _socket.gaierror):
        return f"the name cannot be resolved ({error.strerror})."
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on port {port}: is xmand running?"
    if isinstance(error, OSError):
        # Behind the host's name, as the others.
        words = str(error.strerror or error)
        return f"{words[:1].lower()}{words[1:]}."
    return f"{error}."


_WORDS = {
    gss.NO_TICKET: "you have no Kerberos ticket ({detail}); run kinit.",
    gss.EXPIRED: "your ticket expired ({detail}); run kinit.",
    gss.NO_SERVICE: "the KDC has no principal for this host. Check the name, or create host/FQDN and install its"
    " keytab. ({detail})",
    gss.WRONG_KEY: "the host does not have the key that your ticket is for. Run kinit if its key is new; otherwise"
    " renew its keytab. ({detail})",
    gss.CLOCK_SKEW: "this machine's clock and the host's differ too much for Kerberos; synchronize them by NTP."
    " ({detail})",
    gss.KDC_UNREACHABLE: "no KDC of the realm answers. Try again later, or check krb5.conf. ({detail})",
    gss.REPLAY: "the host has seen this authentication before; try again. ({detail})",
    gss.OTHER: "Kerberos failed: {detail}",
}
# With a client keytab too these are not its fault.
_NOT_THE_KEYTABS = (gss.CLOCK_SKEW, gss.KDC_UNREACHABLE)
# What libkrb5 says of a cache that only lacks tickets: KRB5_CC_NOTFOUND, KRB5_FCC_NOFILE.
_EMPTY = (-1765328384 + 141, -1765328384 + 195)
# Beyond two of a unit the next larger one says enough.
_UNITS = ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s"))


def gss_error(error: GssError) -> CredentialsError:
    """Return the message for a failed authentication; kept tickets that a wrong clock spoilt are dropped."""
    if error.reason == gss.CLOCK_SKEW:
        from xman.gss import kept

        kept.forget_another_clocks()
    if error.reason == gss.NO_TICKET:
        from xman.gss import kept

        if kept.is_gone(str(error)):
            words = "another process has dropped the tickets of the client keytab; try again."
            return CredentialsError(f"{words} ({_detail(error)})", gss.EXPIRED)
    if wrong := _configuration(error):
        return CredentialsError(wrong, error.reason)
    exact = {gss.NO_TICKET: _no_ticket, gss.EXPIRED: _expired, gss.CLOCK_SKEW: _skew}.get(error.reason)
    try:
        if exact is not None:
            return CredentialsError(exact(error), error.reason)
    except (ImportError, AttributeError, OSError, LookupError):
        pass  # not known here: MIT's library is not there, or the peer did not say
    return CredentialsError(_WORDS.get(error.reason, _WORDS[gss.OTHER]).format(detail=_detail(error)), error.reason)


def forget_kept() -> None:
    """Drop the tickets that are kept for many hosts, where there is no ticket for tickets any more."""
    try:
        from rxm.remote import kept_tickets
        from xman.gss import tickets

        if tickets.end() > time.time():  # it was the host's word, not ours
            return
    except LookupError:
        pass
    except (ImportError, AttributeError, OSError):
        return  # not MIT's library: nothing is kept
    kept_tickets.forget()


def no_identity(error: GssError, client_keytab: str, principal: str) -> CredentialsError:
    """Return the message where the identity that the configuration asks for is not to be had."""
    if _configuration(error):
        return gss_error(error)
    if client_keytab and error.reason not in _NOT_THE_KEYTABS:
        whose = f" for {principal}" if principal else ""
        return CredentialsError(
            f"the client keytab {client_keytab} gives no ticket{whose}; it must exist, be readable by you, and hold"
            f" the key that the realm has now. ({_detail(error)})",
            error.reason,
        )
    if principal and error.reason == gss.NO_TICKET:
        return CredentialsError(
            f"you have no Kerberos ticket of {principal}; run kinit {principal}. ({_detail(error)})", error.reason
        )
    return gss_error(error)


def span(seconds: float) -> str:
    """Return a time in words: `40 s`, `3 h`."""
    for unit, name in _UNITS:
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} s"


def _detail(error: GssError) -> str:
    return str(error).rstrip(".")


def _configuration(error: GssError) -> str:
    """Return the message where krb5.conf is to blame, which no new ticket mends; empty where it is not."""
    if not error.code:
        return ""
    from xman.gss.reasons import configuration

    wrong = configuration(error)
    return f"{wrong}. ({_detail(error)})" if wrong else ""


def _no_ticket(error: GssError) -> str:
    """A cache that cannot be used is no cache without a ticket: kinit alone would fail by it as well."""
    from xman import lowlevel
    from xman.gss import tickets

    try:
        tickets.owner()
    except LookupError as failure:
        if failure.args[:1] and failure.args[0] not in _EMPTY:
            where = lowlevel.environment("KRB5CCNAME")
            key = "KRB5CCNAME" if where else "default_ccache_name in krb5.conf"
            which = f"the ticket cache {where}".rstrip()
            return f"{which} cannot be used ({_detail(error)}); correct {key}, then run kinit."
    raise LookupError


def _expired(error: GssError) -> str:
    from xman.gss import tickets

    ago = time.time() - tickets.end()
    if error.received is not None and ago < 0:
        return (
            f"the host considers your ticket expired, but it is valid for another {span(-ago)}; check the host's clock."
        )
    if ago < 0:
        raise LookupError
    return f"your ticket expired {span(ago)} ago; run kinit."


def _skew(error: GssError) -> str:
    from xman.gss import tickets

    ahead = tickets.refusers_time(error.received or b"") - time.time()
    return (
        f"the host's clock is {span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} this machine's, too much for "
        "Kerberos; set both by NTP."
    )


# What an xmand that does not know a verb is asked instead.
VERSION = [b"version", b"--json", b"--"]
_MOST_VERSION = 64
# What whoever may use anything may ask: does an xmand listen there?
PING = [b"ping", b"--json", b"--"]


def version_of(reply: "Reply") -> str:
    """Return the version of xmand in the reply to VERSION or PING; empty where it is another server's."""
    from xman import received
    from xman.received import WrongResultError

    for asked in (VERSION, PING):
        try:
            return str(received.read(reply.stdout, asked[0].decode())["result"]["xmand_version"])[:_MOST_VERSION]
        except (WrongResultError, KeyError):
            continue
    return ""


def message(reply: "Reply", principal: str, verb: str) -> str:
    """Return the message for a protocol ERROR."""
    if reply.error == wire.ERROR_ACCESS:
        return f"{principal} is not authorized to use {verb} here: neither its list (.k5login) nor a grant allows it."
    if reply.error != wire.ERROR_UNKNOWN_COMMAND:
        return f"the host answered: {reply.error_text}."
    if reply.option:
        since = next(
            option.since
            for option in (*verbs.BY_NAME[verb].options, *verbs.COMMON_OPTIONS)
            if reply.option in option.names
        )
        return (
            f"this host's xmand is {reply.older or 'older'} and does not know {reply.option} of {verb}, which came "
            f"with {since}; nothing was done. rxm is {xman.__version__}."
        )
    if not reply.older:
        return f"what listens there does not know {verb}; is it really xmand?"
    return (
        f"this host's xmand is {reply.older} and does not know {verb}, which came with {verbs.BY_NAME[verb].since}; "
        f"rxm is {xman.__version__}."
    )
