"""What a protocol ERROR means to the user: not allowed, or a host whose xmand is older than the verb."""

import xman
from xman.verbs import BY_NAME
from xman.wire import constants as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rxm.command import Reply

# What an xmand that does not know a verb is asked instead.
VERSION = [b"version", b"--json", b"--"]
# What whoever may use anything may ask: does an xmand listen there?
PING = [b"ping", b"--json", b"--"]


def version_of(reply: "Reply") -> str:
    """Return the version of xmand in the reply to VERSION or PING; empty where it is another server's."""
    import json

    try:
        return str(json.loads(reply.stdout)["result"]["xmand_version"])
    except (ValueError, KeyError, TypeError):
        return ""


def message(reply: "Reply", principal: str, verb: str) -> str:
    """Return the message for a protocol ERROR."""
    if reply.error == wire.ERROR_ACCESS:
        return f"{principal} may not use {verb} here: it is not on its list (.k5login), nor allowed otherwise."
    if reply.error != wire.ERROR_UNKNOWN_COMMAND:
        return f"the host answered: {reply.error_text}."
    if not reply.older:
        return f"what listens there does not know {verb}; is it xmand?"
    return (
        f"this host's xmand is {reply.older} and does not know {verb}, which came with {BY_NAME[verb].since}; "
        f"rxm is {xman.__version__}."
    )
