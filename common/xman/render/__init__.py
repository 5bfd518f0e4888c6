"""A result as the text that a person, and a script written for xm, reads.

`text` is pure: the same object gives the same text on the host that made it and in an rxm that merges many hosts. What
several hosts say together is `together`.
"""

import binascii
from collections.abc import Callable
from typing import Any

from xman import escape, fields
from xman.render import batch, domains, events, hosts, log, looks, merged, stats, storage

_Renderer = Callable[[dict[str, Any]], str]
_Merger = Callable[[merged.Answers, dict[str, int], merged.Order], str]

_RENDERERS: dict[str, _Renderer] = {
    "defrost": batch.plan,
    "freeze": batch.plan,
    "job-list": batch.jobs,
    "job-claim": batch.plan,
    "job-renew": batch.plan,
    "job-start": batch.plan,
    "job-stop": batch.plan,
    "maintenance": batch.maintenance,
    "preempt": batch.plan,
    "state": batch.states,
    "unpreempt": batch.plan,
    "access": hosts.access,
    "console": lambda data: str(data.get("output", "")),
    "create": lambda data: f"{data['xml']}\n" if "xml" in data else "",  # a dry run
    "describe": lambda data: str(data["xml"]),
    "dmesg": hosts.dmesg,
    "events": events.events,
    "help": hosts.help_text,
    "hosts": hosts.conditions,
    "images": looks.images,
    "info": hosts.info,
    "label": domains.labels,
    "migrate": lambda data: f"It can move to {data['to']}; nothing was changed.\n" if "dry_run" in data else "",
    "list": domains.listing,
    "log": log.log,
    "ping": hosts.ping,
    "stats": stats.stats,
    "version": hosts.version,
    "uptime": looks.uptime,
    "vcpu-list": looks.vcpus,
    "block-list": looks.block,
    "network-list": looks.network,
    "macs": looks.macs,
    "snapshot-list": looks.snapshots,
    "pools": storage.pools,
    "volumes": storage.volumes,
    "profiles": storage.profiles,
    "volume-upload": storage.uploaded,
    "wait": domains.reached,
}

# Of the verbs whose row says `octets`.
_OCTETS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "screenshot": lambda data: binascii.a2b_base64(data["data"]),
}

# Of the verbs whose row says `merges`; what others say stands for itself, behind the host's name.
_MERGERS: dict[str, _Merger] = {
    "list": merged.listing,
    "stats": merged.blocks,
    "ping": merged.ping,
    "hosts": merged.conditions,
    "state": merged.states,
    "job-list": merged.jobs,
    "access": merged.access,
    "macs": merged.cards,
}


def text(verb: str, data: dict[str, Any]) -> str:
    """Return what goes to standard output for `data`, the `result` of a success; empty for verbs that only act.

    A verb without a renderer of its own is read by the labels that its result has in the schema.

    What others made is escaped here, whatever the verb: a name or a reason is no line of its own.
    """
    if not data:  # of a change that was found done after a crash
        return ""
    renderer = _RENDERERS.get(verb)
    if renderer is not None:
        return renderer(escape.data(data))
    return "".join(f"{line}\n" for line in fields.lines(escape.data(data), fields.of_result(verb)))


def octets(verb: str, data: dict[str, Any]) -> bytes:
    """Return what goes to standard output as octets: a text, or of a verb whose row says so what is for a file."""
    return _OCTETS[verb](data) if verb in _OCTETS else text(verb, data).encode()


def together(
    verb: str,
    answers: merged.Answers,
    milliseconds: dict[str, int],
    ranks: merged.Ranks | None = None,
    fold: Callable[[list[str]], str] = ",".join,
) -> str:
    """Return what `answers`, the `result` of each host by its name as asked, are together.

    `milliseconds` is how long each took, for `ping`; `ranks` gives rows another order than that of names and hosts;
    `fold` writes several hosts as one word. What others made is escaped.
    """
    order = merged.Order(ranks, fold)
    return _MERGERS[verb]({host: escape.data(data) for host, data in answers.items()}, milliseconds, order)
