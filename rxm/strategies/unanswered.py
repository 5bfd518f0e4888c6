"""Hosts that did not answer, as lines of a table about hosts: how they are is just that."""

from rxm.output import Output
from xman import outcome
from xman.grammar import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What stands for the state of a host that there is no connection to.
DOWN = "down"


def collect(verb: Verb, output: Output) -> None:
    """Let failures be lines of the table, where the verb's table has a line for each host."""
    if verb.of_hosts:
        output.unanswered = {}


def rows(output: Output) -> "dict[str, dict[str, Any]]":
    """Return what stands for the result of each host that did not answer, by its name as asked."""
    return {
        host: {"host": {"name": host, "state": _state(code), "problem": message.rstrip(".")}}
        for host, (code, message) in (output.unanswered or {}).items()
    }


def _state(code: int) -> str:
    return DOWN if code == outcome.UNREACHABLE else outcome.class_name(code)
