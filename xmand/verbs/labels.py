"""label: words of a domain's users' own, in its metadata, so that they go where it goes."""

from dataclasses import replace

from xman import labels
from xman.errors import RefusedError
from xman.metadata import MOST_LABELS, Metadata
from xman.result import Result
from xmand.journal import verdicts
from xmand.verbs.call import Call
from xmand.verbs.row import Row, told
from xmand.virt import metadata


def label(call: Call) -> Result:
    """Set and take away labels of a domain; without any, say which it has."""
    wanted = labels.changes(list(call.parsed.words("KEY=VALUE|KEY-")))
    dry = call.parsed.flag("dry-run")
    with call.changing() as domain:
        before = metadata.read(domain)
        after = _changed(before, wanted)
        data = {"labels": dict(after.labels), "dry_run": dry}
        if after.labels == before.labels:
            return Result(data, domain=domain.name, notes=_already(domain.name) if wanted else ())
        if not dry:
            metadata.update(domain, lambda now: _changed(now, wanted))
        return Result(data, changed=not dry, domain=domain.name)


def _changed(found: Metadata, wanted: dict[str, str | None]) -> Metadata:
    kept = dict(found.labels)
    for key, value in wanted.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value
    if len(kept) > max(MOST_LABELS, len(found.labels)):
        raise RefusedError(f"A domain may have at most {MOST_LABELS} labels; this would be {len(kept)}.")
    return replace(found, labels=tuple(sorted(kept.items())))


def _already(name: str) -> tuple[str, ...]:
    return (f"The labels of '{name}' are already as asked.",)


ROWS = {
    "label": Row(label, verdicts.labelled, told("defined")),
}
