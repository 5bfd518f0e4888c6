"""The classes of outcome: one name, one exit status, whatever the way a command took (DESIGN, "Exit status").

The same numbers are rxm's exit status, the STATUS octet on the wire and `code` in a result. All stay under 126, which
shells keep for themselves, and under 128, which C clients read as negative.
"""

from xman.wire import constants as wire

OK = 0
INTERNAL = 1
USAGE = 2
REFUSED = 3
CREDENTIALS = 4
DENIED = 5
UNREACHABLE = 6
NO_SUCH_DOMAIN = 7
HYPERVISOR = 8
MIXED = 9
UNKNOWN = 10
TIMEOUT = 11
UNSUPPORTED = 12

# code -> (class name, what it means; the manual page's table is tested against this one)
CLASSES = {
    OK: ("ok", "done, or already in place"),
    INTERNAL: ("internal", "a fault of xman's own; the daemon's log has the traceback"),
    USAGE: ("usage", "wrong arguments, or a configuration or description that cannot be read"),
    REFUSED: ("refused", "the current state does not allow it; another host or a later try may succeed"),
    CREDENTIALS: ("credentials", "no ticket, an expired one, clock skew, wrong service key"),
    DENIED: ("denied", "authenticated, but not on the list, or not for this verb"),
    UNREACHABLE: ("unreachable", "no connection, or no answer within the deadline, and no change was sent"),
    NO_SUCH_DOMAIN: ("no-such-domain", "no domain of that name, UUID or id"),
    HYPERVISOR: ("hypervisor", "libvirt or the hypervisor failed or does not respond"),
    MIXED: ("mixed", "several targets failed, with different classes"),
    UNKNOWN: ("unknown", "a change was sent and its outcome was lost: it may have happened"),
    TIMEOUT: ("timeout", "the host answered, but what was waited for did not come in time"),
    UNSUPPORTED: ("unsupported", "this host's xmand is older than the verb, or its hypervisor cannot do it"),
}

# Stands in the message where xmand could not even look whether a request is one that it has carried out already: asked
# again later, it may find that it has.
NOT_LOOKED_UP = "audit unavailable"

# A refused migration's message begins so where somebody aborted it: it shall stay where it is.
ABORTED = "The migration was aborted"

# What a protocol ERROR means to rxm's user; the codes not named here are faults of ours.
_OF_WIRE_ERROR = {
    wire.ERROR_UNKNOWN_COMMAND: USAGE,
    wire.ERROR_TOOMANY_ARGS: USAGE,
    wire.ERROR_TOOMUCH_DATA: USAGE,
    wire.ERROR_ACCESS: DENIED,
}


def class_name(code: int) -> str:
    """Return the class of a code; codes of later releases, and of other servers' programs, are `internal`."""
    return CLASSES.get(code, CLASSES[INTERNAL])[0]


def of_wire_error(code: int) -> int:
    """Return the outcome that a protocol ERROR stands for."""
    return _OF_WIRE_ERROR.get(code, INTERNAL)


def combine(codes: list[int]) -> int:
    """Return the exit status of several targets: OK, the one class that failed, or MIXED."""
    failed = {code for code in codes if code != OK}
    if not failed:
        return OK
    return failed.pop() if len(failed) == 1 else MIXED
