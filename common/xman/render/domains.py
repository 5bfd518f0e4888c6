"""Domains as xm showed them: `xm list` byte for byte (xen 3.2, tools/python/xen/xm/main.py)."""

from typing import Any

from xman import fields
from xman.render.tables import Table

# libvirt's states in xm's six letters r b p s c d. xm leaves the columns of a domain that is off empty; libvirt has no
# word for xm's `d` (dying), and its `nostate` is Xen's "runnable, not on a CPU".
_LETTERS = {
    "running": "r-----",
    "blocked": "-b----",
    "paused": "--p---",
    "pmsuspended": "--p---",
    "shutdown": "---s--",
    "crashed": "----c-",
    "nostate": "------",
    "shutoff": "",
}


def listing(data: dict[str, Any]) -> str:
    """Return `list`, in columns or, with `--long`, as `key : value` blocks."""
    if data.get("long"):
        return long_listing(data["domains"])
    if data.get("whole", True):
        return table(data["domains"])
    # One change of many: no columns' names, and what is no more.
    rows = [TABLE.line(domain) for domain in data["domains"]]
    rows += [TABLE.gone(domain["name"]) for domain in data.get("gone", ())]
    return "".join(f"{row}\n" for row in rows)


def table(domains: list[dict[str, Any]], hosts: bool = False) -> str:
    """Return xm's columns for `domains`; with `hosts`, their `host` as the last column, so that `$1` stays the name."""
    lines = [TABLE.heading() + (" Host" if hosts else "")]
    for domain in domains:
        lines.append(TABLE.line(domain) + (f"  {domain['host']}" if hosts else ""))
    return "".join(f"{line}\n" for line in lines)


def letters(domain: dict[str, Any]) -> str:
    """Return a domain's state in xm's letters."""
    return _LETTERS.get(domain["state"], "------") if domain["id"] is not None else ""


TABLE = Table("domain", "", {"letters": letters})


def long_listing(domains: list[dict[str, Any]]) -> str:
    """Return a block of `key : value` lines for each of `domains`, with an empty line between them."""
    # What several hosts say has the host of each, last.
    shown = fields.labelled("domain")
    blocks = []
    for domain in domains:
        lines = fields.lines(domain, shown)
        if "host" in domain:
            lines.append(fields.LINE % ("host", domain["host"]))
        blocks.append("".join(f"{line}\n" for line in lines))
    return "\n".join(blocks)


def labels(data: dict[str, Any]) -> str:
    """Return `label`: a line for each that the domain has, or would have."""
    return "".join(f"{key}={value}\n" for key, value in data["labels"].items())


def reached(data: dict[str, Any]) -> str:
    """Return `wait`: one line with the state reached and how long that took."""
    return f"{data['name']} is {data['state']} after {data['seconds']:.1f} s\n"
