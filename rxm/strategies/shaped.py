"""Tables as they are asked for: `-o name|wide|csv`, `--columns`, `--sort`, `--no-headers`. For every verb with rows."""

from typing import Any

from rxm import slips
from rxm.invocation import Invocation
from rxm.options import Options
from rxm.output import OUT, Output
from rxm.remote.connection import Connection
from rxm.targets import Task
from xman import escape, lowlevel, outcome, render
from xman.arguments import Parsed
from xman.errors import UsageError
from xman.grammar import Verb

FORMATS = ("name", "wide", "csv", "json")
# What `-o name` gives of a row, the first that it has.
_NAMES = ("name", "domain", "id", "principal", "host")
_Row = dict[str, Any]


def wanted(options: Options) -> bool:
    """Whether a table of another shape than the usual one is asked for."""
    return bool((options.format and options.format != "json") or options.columns or options.sort or options.no_headers)


def check(options: Options, parsed: Parsed) -> None:
    """Raise UsageError where that cannot be."""
    if options.format and options.format not in FORMATS:
        raise UsageError(
            f"-o {options.format}: give one of {', '.join(FORMATS)}.{slips.did_you_mean(options.format, FORMATS)}"
        )
    if wanted(options) and (parsed.verb.changes or parsed.follows or parsed.flag("watch")):
        raise UsageError(f"'{parsed.verb.name}' shows no table to be shaped.")


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Ask and print; return the codes."""
    parsed, options = invocation.parsed, invocation.options
    verb = parsed.verb
    if options.format == "wide" and any(option.key == "long" for option in parsed.verb.options):
        parsed.options["long"] = True
    answers: dict[str, Any] = {}
    milliseconds: dict[str, int] = {}

    def one(connection: Connection, task: Task) -> int:
        envelope = invocation.structured(connection, task)
        if not envelope["ok"]:
            output.failure(verb.name, task.target, envelope["code"], envelope["message"])
            return int(envelope["code"])
        answers[task.target.host] = envelope["result"]
        milliseconds[task.target.host] = envelope["ms"]
        return outcome.OK

    codes = invocation.each_host(tasks, output, one)
    if answers or not codes:
        several = len({task.target.host for task in tasks}) > 1
        lowlevel.write(OUT, text(options, verb, answers, milliseconds, several).encode())
    return codes


def text(options: Options, verb: Verb, answers: dict[str, Any], milliseconds: dict[str, int], several: bool) -> str:
    """Return the table of what each host answered. Raises UsageError for a column that is none."""
    keys = {host: key for host, answer in answers.items() if (key := _key(answer))}
    rows = [row | {"host": host} for host, answer in answers.items() for row in _rows(answer, keys.get(host, ""))]
    known = list(dict.fromkeys(name for row in rows for name in row))
    if options.sort and rows:
        column = _column(options.sort.removeprefix("-"), known)
        rows.sort(key=lambda row: _order(row.get(column)), reverse=options.sort.startswith("-"))
    if not options.format and not options.columns:
        return _usual(options, verb, answers, keys, rows, milliseconds, several)
    columns = _columns(options, verb, known, several)
    if options.format == "name" and not options.columns:
        return "".join(f"{_name(row, several)}\n" for row in rows)
    table = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not options.no_headers:
        table.insert(0, list(columns))
    return _csv(table) if options.format == "csv" else _aligned(table)


def _key(answer: _Row) -> str:
    """Return under which key the rows are, empty where the answer is one row itself."""
    return next((key for key, value in answer.items() if isinstance(value, list) and key != "others"), "")


def _rows(answer: _Row, key: str) -> list[_Row]:
    if not key:
        return [answer]
    found = answer[key]
    if found and not isinstance(found[0], dict):
        return [{name: value for name, value in answer.items() if name != key} | {key: " ".join(map(str, found))}]
    return list(found)


def _usual(
    options: Options,
    verb: Verb,
    answers: dict[str, Any],
    keys: dict[str, str],
    rows: list[_Row],
    milliseconds: dict[str, int],
    several: bool,
) -> str:
    """Return the usual text, with its rows in another order, or without its headings."""
    if options.sort and several and verb.merges and verb.columns:
        # One host's after the other's would undo the order.
        columns = _columns(options, verb, list(rows[0]) if rows else [], several)
        headings = [] if options.no_headers else [columns]
        return _aligned([*headings, *([_cell(row.get(name)) for name in columns] for row in rows)])
    shown = {host: _replaced(answer, keys.get(host, ""), rows, host) for host, answer in answers.items()}
    if several and verb.merges:
        made = render.together(verb.name, shown, milliseconds)
    else:
        made = "".join(render.text(verb.name, answer) for answer in shown.values())
    headed = verb.headed and options.no_headers and not any(answer.get("long") for answer in answers.values())
    return made.partition("\n")[2] if headed else made


def _replaced(answer: _Row, key: str, rows: list[_Row], host: str) -> _Row:
    """Return an answer with its rows in their new order."""
    if not key or not all(isinstance(each, dict) for each in answer[key]):
        return answer
    return answer | {key: [row for row in rows if row["host"] == host]}


def _columns(options: Options, verb: Verb, known: list[str], several: bool) -> list[str]:
    if options.columns:
        return [_column(name.strip(), known) for name in options.columns.split(",") if name.strip()]
    usual = [name for name in (verb.columns or known) if name in known or not known]
    if options.format == "wide":
        usual += [name for name in known if name not in usual]
    return [name for name in usual if name != "host"] + (["host"] if several or options.format == "wide" else [])


def _column(name: str, known: list[str]) -> str:
    if name in known or not known:
        return name
    raise UsageError(f"'{name}' is not a column; there are {', '.join(known)}.{slips.did_you_mean(name, known)}")


def _name(row: _Row, several: bool) -> str:
    name = escape.line(str(next((row[key] for key in _NAMES if row.get(key) is not None), "-")))
    return f"{row['host']}:{name}" if several else name


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
