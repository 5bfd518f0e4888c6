"""What each class of outcome makes Slurm do; pure. The guide (etc/slurm/README.md) has the same table."""

from typing import Any

from xman import gss, outcome

GO = "go"  # the job runs
ELSEWHERE = "elsewhere"  # this node is left out for this try; the job is started anew at once
LATER = "later"  # it passes by itself: the same job is tried again soon, and nobody is told
ASK = "ask"  # nobody knows: look which jobs the domains have
DRAIN = "drain"  # the node is left out until its domain can be used again; the job goes elsewhere
HOLD = "hold"  # no node and no time would do: the job is held, and somebody is told

ADVICE = {
    outcome.OK: GO,
    outcome.INTERNAL: HOLD,
    outcome.USAGE: HOLD,
    outcome.REFUSED: ELSEWHERE,
    outcome.CREDENTIALS: HOLD,
    outcome.DENIED: HOLD,
    outcome.UNREACHABLE: DRAIN,
    outcome.NO_SUCH_DOMAIN: DRAIN,
    outcome.HYPERVISOR: DRAIN,
    outcome.UNKNOWN: ASK,
    outcome.TIMEOUT: ELSEWHERE,
    outcome.UNSUPPORTED: DRAIN,
}
# Credentials that are good, and could not be had or shown just now.
PASSING = (gss.KDC_UNREACHABLE, gss.CLOCK_SKEW, gss.REPLAY, gss.EXPIRED)
# Keys of one host's that are wrong: its nodes cannot be used, others can.
HOSTS_OWN = (gss.NO_SERVICE, gss.WRONG_KEY)
# What decides where several nodes differ: the last in this order.
_ORDER = (GO, ELSEWHERE, LATER, ASK, DRAIN, HOLD)


def advice(envelope: dict[str, Any]) -> str:
    """Return what to do for one answer; one of a class of a later release holds the job."""
    code = int(envelope.get("code", outcome.OK))
    if code == outcome.CREDENTIALS and envelope.get("reason") in PASSING:
        return LATER
    if code == outcome.CREDENTIALS and envelope.get("reason") in HOSTS_OWN:
        return DRAIN
    return ADVICE.get(code, HOLD)


def of_all(envelopes: list[dict[str, Any]]) -> str:
    """Return what to do with a job, from the objects of all its nodes; no object at all is no permission."""
    if not envelopes:
        return HOLD
    return max((advice(envelope) for envelope in envelopes), key=_ORDER.index)


def passes(envelopes: list[dict[str, Any]]) -> bool:
    """Whether the same command may do better in a moment.

    xmand restarts, the network or the KDC is away, or a host has a new key: rxm fetches a new ticket the next time.
    """
    return any(
        int(envelope.get("code", outcome.OK)) == outcome.UNREACHABLE
        or advice(envelope) == LATER
        or envelope.get("reason") == gss.WRONG_KEY
        for envelope in envelopes
    )


def nodes(envelopes: list[dict[str, Any]], wanted: str) -> dict[str, str]:
    """Return the nodes whose answer asks for `wanted` (ELSEWHERE, DRAIN, ...), each with the reason."""
    return {
        envelope["domain"]: envelope["message"]
        for envelope in envelopes
        if "domain" in envelope and advice(envelope) == wanted
    }


def message(envelopes: list[dict[str, Any]]) -> str:
    """Return what went wrong, in one line."""
    said = [str(envelope["message"]) for envelope in envelopes if not envelope["ok"]]
    return " ".join(said) or "rxm gave no answer."
