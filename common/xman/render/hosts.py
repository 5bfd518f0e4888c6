"""What hosts say of themselves, in xm's `key : value` lines where xm had them."""

from collections.abc import Iterable
from typing import Any

from xman import fields, times
from xman.fields import LINE
from xman.values import MIB


def info(data: dict[str, Any]) -> str:
    """Return `info`: xm's names and order, memory in MiB."""
    if "config" in data:
        return "".join(f"{LINE % (key, value or '(none)')}\n" for key, value in data["config"].items())
    # What the hypervisor does not know is left out, never invented.
    shown = [field for field in fields.labelled("info") if field.key in data]
    return "".join(
        f"{LINE % (field.label, '(none)' if data[field.key] == '' else field.text(data[field.key]))}\n"
        for field in shown
    )


def dmesg(data: dict[str, Any]) -> str:
    """Return the buffer's lines; the first says what buffer it is."""
    return "".join(f"{line}\n" for line in [data["source"], *data["lines"]])


def help_text(data: dict[str, Any]) -> str:
    """Return the verbs with a line each, or one verb with its options."""
    if "usage" not in data:
        lines = [f" {verb['name']:<20} {verb['help']}" for verb in data["verbs"]]
        return "Usage: rxm [OPTIONS] VERB [ARGUMENT...]\n\n" + "".join(f"{line}\n" for line in lines)
    text = f"Usage: rxm {data['usage']}\n\n{data['help'][:1].upper()}{data['help'][1:]}.\n"
    for option in data["options"]:
        text += (
            f"  {', '.join(option['names'])}{' ' if option['metavar'] else ''}{option['metavar']}  {option['help']}\n"
        )
    return text


def ping(data: dict[str, Any]) -> str:
    """Return one line: which host, which version, as whom the caller is known and what it may do."""
    verbs = ", ".join(data["verbs"]) or "nothing"
    return f"{data['host_id']}: xmand {data['xmand_version']}; you are {data['principal']} and may use: {verbs}\n"


def version(data: dict[str, Any]) -> str:
    """Return the versions as `key : value` lines."""
    return "".join(f"{LINE % (name, value)}\n" for name, value in data.items())


_ACCESS = "%-32s %-20s %-4s %-40s %s"


def access(data: dict[str, Any]) -> str:
    """Return who may do what where: a line for each rule, which `all` stands in for every verb and every domain."""
    lines = [_ACCESS % ("Principal", "By", "Root", "Verbs", "Domains")]
    for rule in data["rules"]:
        by = f"{rule['method']}:{rule['role']}" if "role" in rule else rule["method"]
        root = "yes" if rule["as_root"] else "-"
        lines.append(
            _ACCESS % (rule["principal"], by, root, ",".join(rule["verbs"]), ",".join(rule["domains"]) or "all")
        )
    return "".join(f"{line}\n" for line in lines)


_HOSTS = "%-32s %-12s %-*s %9s %6s %5s %9s %9s  %-24s %s"
# Of the column of versions, which are as long as `0.2.0+20261129124255.gfb659a9bde` between releases.
_LEAST_VERSION, _MOST_VERSION = 10, 40
_UNKNOWN = "-"


def conditions(data: dict[str, Any]) -> str:
    """Return one line below the headings: how the host that answered is."""
    return _table({data["host"]["name"]: data["host"]}, [data["host"]["name"]])


def _table(answers: dict[str, dict[str, Any]], order: list[str]) -> str:
    width = version_width(answers.values(), _LEAST_VERSION)
    head = ("Host", "State", width, "Version", "Domains", "Load", "CPUs", "Mem(MiB)", "Free", "Answered", "Why")
    return _HOSTS % head + "\n" + "".join(_condition(name, answers[name], width) for name in order)


def version_width(answers: Iterable[dict[str, Any]], least: int) -> int:
    """Return how wide a column of versions is: a host that lies about its own widens no line beyond measure."""
    return min(max([least, *(len(answer.get("xmand_version", "")) for answer in answers)]), _MOST_VERSION)


def _condition(name: str, host: dict[str, Any], width: int) -> str:
    """Return a line of how a host called `name` is: words without blanks, and why at the end. Memory is in MiB.

    `width` is that of the versions, in characters.
    """
    domains = f"{host['running']}/{host['domains']}" if {"running", "domains"} <= host.keys() else _UNKNOWN
    load = f"{host['load'][0]:.2f}" if host.get("load") else _UNKNOWN
    memory = [str(host[key] // MIB) if key in host else _UNKNOWN for key in ("total_memory", "free_memory")]
    at = times.local(host["at"]).replace(" ", "T") if "at" in host else _UNKNOWN
    version = host.get("xmand_version", _UNKNOWN)
    words = (name, host["state"], width, version, domains, load, host.get("nr_cpus", _UNKNOWN))
    return (_HOSTS % (*words, *memory, at, _why(host))).rstrip() + "\n"


def _why(host: dict[str, Any]) -> str:
    told = [host["problem"]] if "problem" in host else []
    if "maintenance" in host:
        told.append(f"{host['maintenance']['reason']} ({host['maintenance']['by'] or 'by an unknown principal'})")
    if lost := host.get("memory_errors", {}).get("uncorrected"):
        told.append(f"errors of memory: {lost}")
    return "; ".join(told)


def all_conditions(answers: dict[str, dict[str, Any]], order: list[str]) -> str:
    """Return a line for each host, by its name as asked."""
    return _table({name: answers[name]["host"] for name in order}, order)
