"""assign: whose machine a domain is among terminals, and which of them has its present run; in its metadata.

A run that a terminal has had is given to no other one, whoever sits there: what was written in it is in it still. That
a domain is started anew takes the mark away, and nothing else does.
"""

from dataclasses import replace

from xman import terminals
from xman.errors import RefusedError, UsageError
from xman.metadata import Metadata
from xman.result import Result
from xmand.consoles.present import SCREEN
from xmand.journal import verdicts
from xmand.verbs.call import Call
from xmand.verbs.row import Row, told
from xmand.virt import condition, metadata
from xmand.virt.domain import Domain

_NOBODY = "off"


def assign(call: Call) -> Result:
    """Make a domain a terminal's, or give that its present run.

    Raises RefusedError where it is another one's; of a run also where somebody is there, or it does not run.
    """
    wanted = call.parsed.text("TERMINAL|off")
    run = call.parsed.flag("this-run")
    if wanted == _NOBODY and run:
        raise UsageError("A terminal has used this domain since it was started; restart it first.")
    if wanted != _NOBODY and not terminals.is_name(wanted):
        raise UsageError(f"'{wanted[:64]}' is not a terminal's name.")
    name = "" if wanted == _NOBODY else wanted
    with call.changing() as domain:
        before = metadata.read(domain)
        _require_free(domain, before, name)
        if (before.given if run else before.terminal) == name:
            return Result(domain=domain.name, notes=(f"'{domain.name}' is already assigned so.",))
        if run:
            _require_fresh(call, domain, before)
        if call.parsed.flag("dry-run"):
            note = f"'{domain.name}' would be {f'the machine of {name}' if name else 'no machine of a terminal'}."
            return Result({"dry_run": True}, domain=domain.name, notes=(note,))
        metadata.update(domain, lambda now: replace(now, given=name) if run else replace(now, terminal=name))
        return Result(changed=True, domain=domain.name)


def _require_free(domain: Domain, found: Metadata, name: str) -> None:
    if name and found.terminal not in ("", name):
        raise RefusedError(
            f"'{domain.name}' is the machine of terminal '{found.terminal}'; rxm assign {domain.name} off ends that."
        )


def _require_fresh(call: Call, domain: Domain, found: Metadata) -> None:
    """Raise RefusedError unless it runs, and nobody has had it since it was started, as far as can be seen."""
    now = condition.condition(domain)
    if now != condition.RUNNING:
        raise condition.refusal(domain, now)
    if found.given:
        raise RefusedError(
            f"Terminal '{found.given}' has used '{domain.name}' since it was started; restart it for another one"
            " (destroy, start)."
        )
    here = call.host.present.of(domain.uuid)
    ours = sum(one["kind"] == SCREEN for one in here)
    users = call.host.logged_on.of(domain.uuid).get("users") if call.host.logged_on is not None else []
    if here or call.host.past_us.count(domain.uuid, ours) or users:
        raise RefusedError(f"Somebody is using '{domain.name}'; rxm list --long shows who.")


ROWS = {
    "assign": Row(assign, verdicts.assigned, told("defined")),
}
