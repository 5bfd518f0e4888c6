"""What several hosts answered as one text, the host last, so that `$1` stays the name (DESIGN, "Results"). Pure."""

from collections.abc import Callable
from typing import Any

from xman.fields import LINE
from xman.render import batch, domains, hosts, looks, stats

_PING = "%-*s %7s  %-40s"
# The `result` of each host, by its name as asked.
Answers = dict[str, dict[str, Any]]
# Which place a host's row, by where it is in that host's answer, has in the whole table.
Ranks = dict[tuple[str, int], int]


class Order:
    """What a row is sorted by: `ranks`, or else its name and host; and how `fold` writes several hosts as one word."""

    def __init__(self, ranks: Ranks | None, fold: Callable[[list[str]], str]) -> None:
        self._ranks = ranks
        self.fold = fold

    def __call__(self, host: str, place: int, name: str) -> tuple[int, str, str]:
        """Return the key of the row `name`, which is at `place` in the host's answer."""
        return (0 if self._ranks is None else self._ranks.get((host, place), len(self._ranks)), name, host)


def ping(answers: Answers, milliseconds: dict[str, int], order: Order) -> str:
    """A line for each host, and how long each took."""
    width = hosts.version_width(answers.values(), 12)
    lines = [_PING % (width, "Xmand", "ms", "Principal") + " Host"]
    for host, data in sorted(answers.items(), key=lambda one: order(one[0], 0, "")):
        lines.append(_PING % (width, data["xmand_version"], milliseconds[host], data["principal"]) + f" {host}")
    return "".join(f"{line}\n" for line in lines)


def listing(answers: Answers, _milliseconds: dict[str, int], order: Order) -> str:
    """All domains in xm's columns."""
    found = [
        (order(host, place, domain["name"]), domain | {"host": host})
        for host, data in answers.items()
        for place, domain in enumerate(data["domains"])
    ]
    rows = [row for _order, row in sorted(found, key=lambda one: one[0])]
    long = any(data.get("long") for data in answers.values())
    return domains.long_listing(rows) if long else domains.table(rows, True)


def states(answers: Answers, _milliseconds: dict[str, int], order: Order) -> str:
    """The batch states of all domains."""
    return _table(answers, "domains", "name", batch.states, order)


def jobs(answers: Answers, _milliseconds: dict[str, int], order: Order) -> str:
    """The jobs in all domains."""
    return _table(answers, "jobs", "domain", batch.jobs, order)


def cards(answers: Answers, _milliseconds: dict[str, int], order: Order) -> str:
    """The cards of all hosts' domains, without the hosts: it is another program's file."""
    found = [
        (order(host, place, one["name"]), looks.card(one))
        for host, data in answers.items()
        for place, one in enumerate(data["cards"])
    ]
    return "".join(f"{line}\n" for _order, line in sorted(found, key=lambda one: one[0]))


def access(answers: Answers, _milliseconds: dict[str, int], order: Order) -> str:
    """Who may do what on which hosts: what holds on several of them is one line, with these folded."""
    found: dict[str, list[tuple[tuple[int, str, str], str]]] = {}
    for host, data in answers.items():
        heading, *lines = hosts.access(data).splitlines()
        for place, (line, rule) in enumerate(zip(lines, data["rules"], strict=True)):
            found.setdefault(line, []).append((order(host, place, rule["principal"]), host))
    rows = sorted((min(each)[0], line, [host for _place, host in sorted(each)]) for line, each in found.items())
    lines = [f"{heading}  Host", *(f"{line}  {order.fold(on)}" for _place, line, on in rows)]
    return "".join(f"{line}\n" for line in lines)


def conditions(answers: Answers, _milliseconds: dict[str, int], order: Order) -> str:
    """How each host is; there its name stands first, since that is what a line is about."""
    return hosts.all_conditions(answers, sorted(answers, key=lambda host: order(host, 0, "")))


def blocks(answers: Answers, _milliseconds: dict[str, int], order: Order) -> str:
    """A block for each domain or host."""
    found = []
    for host, data in answers.items():
        name = LINE % ("host", host)
        if "host" in data:
            found.append((order(host, 0, ""), stats.stats({"host": data["host"] | {"name": host}})))
        for place, domain in enumerate(data.get("domains", ())):
            found.append((order(host, place, domain["name"]), f"{stats.stats({'domains': [domain]})}{name}\n"))
    return "\n".join(block for _, block in sorted(found))


def _table(answers: Answers, key: str, name: str, render: Any, order: Order) -> str:
    """Return the lines that `render` makes of each host's rows (`data[key]`), in `order`."""
    header = ""
    notices, rows = [], []
    for host, data in answers.items():
        lines = render(data).splitlines()
        # What stands above the header is about the host, and there is one line for each row below.
        first = len(lines) - len(data[key])
        header = lines[first - 1]
        notices += [f"{host}: {line}" for line in lines[: first - 1]]
        rows += [
            (order(host, place, row[name]), f"{line}  {host}")
            for place, (row, line) in enumerate(zip(data[key], lines[first:], strict=True))
        ]
    lines = [*notices, *([f"{header}  Host"] if header else []), *(line for _, line in sorted(rows))]
    return "".join(f"{line}\n" for line in lines)
