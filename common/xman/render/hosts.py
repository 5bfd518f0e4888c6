"""What hosts say of themselves, in xm's `key : value` lines where xm had them."""

from typing import Any

from xman import fields
from xman.fields import LINE


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
