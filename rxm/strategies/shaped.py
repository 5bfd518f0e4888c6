"""Tables as they are asked for: `-o name|wide|csv`, `--columns`, `--sort`, `--no-headers`. For every verb with rows."""

from typing import Any, NamedTuple

from rxm import folding, slips
from rxm.invocation import Invocation
from rxm.options import Options
from rxm.output import OUT, Output
from rxm.remote.connection import Connection
from rxm.strategies import locate, one_loop, unanswered
from rxm.targets import Task
from xman import escape, fields, lowlevel, outcome, render
from xman.arguments import Parsed
from xman.errors import UsageError
from xman.grammar import Verb

FORMATS = ("name", "wide", "csv", "json")
# What `-o name` gives of a row, the first that it has.
_NAMES = ("name", "domain", "id", "principal", "host")
# Lists in a result that are no rows.
_NO_ROWS = ("others", "load")


class HostResult(NamedTuple):
    """The result of one host, and how long that took."""

    host: str
    result: dict[str, Any]
    milliseconds: int = 0


class Row(NamedTuple):
    """A row: of which result, where in it, and what it says."""

    whole: HostResult
    place: int
    facts: dict[str, Any]


def check(options: Options, parsed: Parsed) -> None:
    """Raise UsageError where that cannot be."""
    if options.format and options.format not in FORMATS:
        raise UsageError(
            f"-o {options.format}: give one of {', '.join(FORMATS)}.{slips.did_you_mean(options.format, FORMATS)}"
        )
    if options.columns and not _named(options.columns):
        raise UsageError(f"--columns: '{options.columns}' names no column.")
    if options.sort == "-":
        raise UsageError("--sort: write the name of a column after the -.")
    if options.format == "json" and not (options.columns or options.sort or options.no_headers):
        return
    # Of what rxm answers by itself, only the list of all verbs is a table, and not what it says of one VERB.
    text = not parsed.verb.family and (not parsed.verb.columns or bool(parsed.given.get("VERB")))
    if text or parsed.verb.changes or parsed.follows or parsed.flag("watch"):
        raise UsageError(f"'{parsed.verb.name}' does not print a table.")


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Ask and print; return the codes."""
    parsed, options = invocation.parsed, invocation.options
    verb = parsed.verb
    if options.format == "wide" and any(option.key == "long" for option in parsed.verb.options):
        parsed.options["long"] = True
    said: dict[Task, HostResult] = {}

    def one(connection: Connection, task: Task) -> int:
        envelope = invocation.structured(connection, task)
        if not envelope["ok"]:
            message = envelope["message"] + locate.hint(invocation, task.target, envelope["message"])
            output.failure(verb.name, task.target, envelope["code"], message)
            return int(envelope["code"])
        said[task] = HostResult(task.target.host, envelope["result"], envelope["ms"])
        return outcome.OK

    unanswered.collect(verb, output)
    codes = one_loop.each_host(invocation, tasks, output, one, as_json=True)
    rows = unanswered.rows(output)
    said |= {task: HostResult(task.target.host, rows[task.target.host]) for task in tasks if task.target.host in rows}
    if said or not codes:
        several = len({task.target.host for task in tasks}) > 1
        # In the order in which they were asked, whoever was first to answer.
        told = [said[task] for task in tasks if task in said]
        lowlevel.write(OUT, text(options, verb, told, several).encode())
    return codes


def text(options: Options, verb: Verb, told: list[HostResult], several: bool) -> str:
    """Return the table of what was answered. Raises UsageError for a column that is none."""
    rows = [row for one in told for row in _rows(one)]
    known = list(dict.fromkeys(name for row in rows for name in row.facts))
    if several and verb.merges:
        rows.sort(key=lambda row: (_name(row.facts), row.whole.host))
    if options.sort and rows:
        column = _column(options.sort.removeprefix("-"), known)
        rows.sort(key=lambda row: _order(row.facts.get(column)), reverse=options.sort.startswith("-"))
    if not options.format and not options.columns:
        return _usual(options, verb, told, rows, several)
    columns = _columns(options, verb, known, several)
    if options.format == "name" and not options.columns:
        return "".join(f"{_addressed(row, several)}\n" for row in rows)
    table = [[_cell(row.facts.get(column)) for column in columns] for row in rows]
    if not options.no_headers:
        table.insert(0, list(columns))
    return _csv(table) if options.format == "csv" else _aligned(table)


def _rows(one: HostResult) -> list[Row]:
    """Return the rows of a result, each with the place that it has in it."""
    result, host = one.result, {"host": one.host}
    if isinstance(result.get("host"), dict):
        return [Row(one, 0, {name: value for name, value in result["host"].items() if name != "name"} | host)]
    key = _key(result)
    if not key:
        return [Row(one, 0, result | host)]
    found = result[key]
    others = {name: value for name, value in result.items() if name != key}
    if found and not isinstance(found[0], dict):
        return [Row(one, 0, others | {key: " ".join(map(str, found))} | host)]
    # What the result says of the one domain that it is about, each of its rows says as well.
    about = {name: others[name] for name in ("name", "id") if name in others}
    return [Row(one, place, about | row | host) for place, each in enumerate(found) for row in _inner(each)]


def _inner(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of one thing: its virtual CPUs, where these are told, or itself."""
    if "vcpu" not in facts:
        return [facts]
    return [{"name": facts["name"], "id": facts["id"]} | cpu for cpu in facts["vcpu"]]


def _key(result: dict[str, Any]) -> str:
    """Return under which key the rows are, empty where the result is one row itself."""
    return next((key for key, value in result.items() if isinstance(value, list) and key not in _NO_ROWS), "")


def _usual(options: Options, verb: Verb, told: list[HostResult], rows: list[Row], several: bool) -> str:
    """Return the usual text, with its rows in another order, or without its headings."""
    long = any(one.result.get("long") for one in told)
    if several and verb.merges:
        results = {one.host: one.result for one in told}
        milliseconds = {one.host: one.milliseconds for one in told}
        ranks = {(row.whole.host, row.place): rank for rank, row in enumerate(rows)} if options.sort else None
        made = render.together(verb.name, results, milliseconds, ranks, folding.fold)
        return made.partition("\n")[2] if verb.headed and options.no_headers and not long else made
    texts = [render.text(verb.name, _replaced(one, rows) if options.sort else one.result) for one in told]
    if verb.headed and options.no_headers and not long:
        texts = [made.partition("\n")[2] for made in texts]
    return "".join(texts)


def _replaced(one: HostResult, rows: list[Row]) -> dict[str, Any]:
    """Return a result with its rows in their new order."""
    key = _key(one.result)
    found = one.result[key] if key else []
    if not all(isinstance(each, dict) for each in found):
        return one.result
    places = dict.fromkeys(row.place for row in rows if row.whole is one)
    return one.result | {key: [found[place] for place in places]} if key else one.result


def _columns(options: Options, verb: Verb, known: list[str], several: bool) -> list[str]:
    if options.columns:
        return [_column(name, known) for name in _named(options.columns)]
    of_rows = [column.key for column in fields.columns(verb.rows)] if verb.rows else []
    usual = [name for name in (verb.columns or of_rows or known) if name in known or not known]
    if options.format == "wide":
        usual += [name for name in known if name not in usual]
    if verb.of_hosts:
        return usual
    return [name for name in usual if name != "host"] + (["host"] if several or options.format == "wide" else [])


def _named(columns: str) -> list[str]:
    return [name.strip() for name in columns.split(",") if name.strip()]


def _column(name: str, known: list[str]) -> str:
    if name in known or not known:
        return name
    raise UsageError(f"'{name}' is not a column; there are {', '.join(known)}.{slips.did_you_mean(name, known)}")


def _name(facts: dict[str, Any]) -> str:
    return escape.line(str(next((facts[key] for key in _NAMES if facts.get(key) is not None), "-")))


def _addressed(row: Row, several: bool) -> str:
    """Return a row's name, with its host where there are several; a row about a host is called by that alone."""
    if not _key(row.whole.result) and not {"name", "domain"} & row.facts.keys():
        return row.whole.host
    return f"{row.whole.host}:{_name(row.facts)}" if several else _name(row.facts)


def _cell(value: Any) -> str:
    """Return a value on one line: of a list its items, of a job its id."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return _cell(value["id"]) if "id" in value else " ".join(f"{key}={_cell(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ",".join(_cell(each) for each in value)
    return escape.line(str(value))


def _order(value: Any) -> tuple[int, float, str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (1, 0.0, _cell(value)) if value is not None else (0, 0.0, "")
    return 1, float(value), ""


def _csv(table: list[list[str]]) -> str:
    """RFC 4180, with the ends of lines of this system."""
    return "".join(",".join(_quoted(cell) for cell in row) + "\n" for row in table)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if not {",", '"', "\n"}.isdisjoint(cell) else cell


def _aligned(table: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)] if table else []
    lines = ["  ".join((cell or "-").ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    return "".join(f"{line.rstrip()}\n" for line in lines)
