"""What several hosts answered as one text, the host last, so that `$1` stays the name (DESIGN, "Results"). Pure."""

from typing import Any

from xman.render import batch, domains, hosts, stats
from xman.render.domains import FIELD

_PING = "%-12s %7s  %-40s"
# The `result` of each host, by its name as asked.
Answers = dict[str, dict[str, Any]]


def ping(answers: Answers, milliseconds: dict[str, int]) -> str:
    """A line for each host, and how long each took."""
    lines = [_PING % ("Xmand", "ms", "Principal") + " Host"]
    for host, data in sorted(answers.items()):
        lines.append(_PING % (data["xmand_version"], milliseconds[host], data["principal"]) + f" {host}")
    return "".join(f"{line}\n" for line in lines)


def listing(answers: Answers, _milliseconds: dict[str, int]) -> str:
    """All domains in xm's columns."""
    rows = [domain | {"host": host} for host, data in answers.items() for domain in data["domains"]]
    rows.sort(key=lambda row: (row["name"], row["host"]))
    long = any(data.get("long") for data in answers.values())
    return domains.long_listing(rows) if long else domains.table(rows, True)


def states(answers: Answers, _milliseconds: dict[str, int]) -> str:
    """The batch states of all domains."""
    return _table(answers, "domains", "name", batch.states)


def jobs(answers: Answers, _milliseconds: dict[str, int]) -> str:
    """The jobs in all domains."""
    return _table(answers, "jobs", "domain", batch.jobs)


def access(answers: Answers, _milliseconds: dict[str, int]) -> str:
    """Who may do what on each host."""
    return _table(answers, "rules", "principal", hosts.access)


def blocks(answers: Answers, _milliseconds: dict[str, int]) -> str:
    """A block for each domain or host."""
    found = []
    for host, data in answers.items():
        name = FIELD % ("host", host)
        if "host" in data:
            found.append(("", host, stats.stats({"host": data["host"] | {"name": host}})))
        for domain in data.get("domains", ()):
            found.append((domain["name"], host, f"{stats.stats({'domains': [domain]})}{name}\n"))
    return "\n".join(block for _, _, block in sorted(found))


def _table(answers: Answers, key: str, name: str, render: Any) -> str:
    """Return the lines that `render` makes of each host's rows (`data[key]`), sorted by `name` and host."""
    header = ""
    notices, rows = [], []
    for host, data in answers.items():
        lines = render(data).splitlines()
        # What stands above the header is about the host, and there is one line for each row below.
        first = len(lines) - len(data[key])
        header = lines[first - 1]
        notices += [f"{host}: {line}" for line in lines[: first - 1]]
        rows += [(row[name], host, line) for row, line in zip(data[key], lines[first:], strict=True)]
    lines = [*notices, *([f"{header}  Host"] if header else []), *(f"{line}  {host}" for _, host, line in sorted(rows))]
    return "".join(f"{line}\n" for line in lines)
