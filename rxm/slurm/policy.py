"""What each class of outcome makes Slurm do; pure. The guide (etc/slurm/README.md) has the same table."""

from typing import Any

from xman import outcome

GO = "go"  # the job runs
ASK = "ask"  # nobody knows: look which jobs the domains have
REQUEUE = "requeue"  # another node or a later time may do
DRAIN = "drain"  # the node is left out until somebody looks; the job goes elsewhere
HOLD = "hold"  # no node would do: the job is held, and somebody is told

ADVICE = {
    outcome.OK: GO,
    outcome.INTERNAL: HOLD,
    outcome.USAGE: HOLD,
    outcome.REFUSED: REQUEUE,
    outcome.CREDENTIALS: HOLD,
    outcome.DENIED: HOLD,
    outcome.UNREACHABLE: DRAIN,
    outcome.NO_SUCH_DOMAIN: DRAIN,
    outcome.HYPERVISOR: DRAIN,
    outcome.UNKNOWN: ASK,
    outcome.TIMEOUT: REQUEUE,
    outcome.UNSUPPORTED: DRAIN,
}
# What decides where several nodes differ: the last in this order.
_ORDER = (GO, REQUEUE, ASK, DRAIN, HOLD)


def advice(code: int) -> str:
    """Return what to do for one outcome; one of a later release holds the job."""
    return ADVICE.get(code, HOLD)


def of_all(envelopes: list[dict[str, Any]]) -> str:
    """Return what to do with a job, from the objects of all its nodes; no object at all is no permission."""
    if not envelopes:
        return HOLD
    return max((advice(int(envelope.get("code", outcome.OK))) for envelope in envelopes), key=_ORDER.index)


def nodes_to_drain(envelopes: list[dict[str, Any]]) -> dict[str, str]:
    """Return the nodes to leave out, each with the reason."""
    return {
        envelope["domain"]: envelope["message"]
        for envelope in envelopes
        if "domain" in envelope and advice(int(envelope.get("code", outcome.OK))) == DRAIN
    }


def message(envelopes: list[dict[str, Any]]) -> str:
    """Return what went wrong, in one line."""
    said = [str(envelope["message"]) for envelope in envelopes if not envelope["ok"]]
    return " ".join(said) or "rxm gave no answer."
