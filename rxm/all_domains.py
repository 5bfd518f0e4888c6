"""`--all`: which domains that is, whether it is really meant, and what is said of each. Pure but for `confirm`."""

import sys
from typing import Any

from xman import result
from xman.arguments import Parsed
from xman.errors import RefusedError, UsageError
from xman.result import Result

# Xen gives this id to Domain-0, the host itself, and to no other.
_HOST_ITSELF = 0
_MOST_NAMED = 20
NOTHING = "No domain runs there."
_QUESTIONS = {"migrate": "Move {} to {HOST}", "shutdown": "Shut down {}", "reboot": "Restart {}"}


def running(domains: list[dict[str, Any]]) -> list[str]:
    """Return the names of all that run or are paused, from the `result.domains[]` of a host's `list`."""
    return [domain["name"] for domain in domains if domain["id"] not in (None, _HOST_ITSELF)]


def check(parsed: Parsed) -> None:
    """Raise UsageError where `--all` cannot be meant, or nobody is there to be asked."""
    if parsed.flag("abort"):
        raise UsageError("--abort stops the migration of one DOMAIN; it does not go with --all.")
    if "rid" in parsed.options:
        raise UsageError("--rid is the id of one request; it does not go with --all.")
    if not parsed.flag("yes") and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("--all asks back on a terminal; elsewhere it needs --yes.")


def confirm(parsed: Parsed, found: dict[str, list[str]]) -> None:
    """Ask back, unless `--yes` says that it is meant. Raises RefusedError where it is not."""
    if parsed.flag("yes") or not any(found.values()):
        return
    sys.stderr.write(question(parsed, found))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError("Nothing was done.")


def question(parsed: Parsed, found: dict[str, list[str]]) -> str:
    """Return what is asked: how many domains on how many hosts, and which."""
    hosts = {host: names for host, names in found.items() if names}
    count = sum(len(names) for names in hosts.values())
    which = f"{count} domain{'s' * (count != 1)} on {len(hosts)} host{'s' * (len(hosts) != 1)}"
    asked = _QUESTIONS[parsed.verb.name].format(which, HOST=parsed.text("HOST"))
    lines = [f"  {host}: {_names(names)}\n" for host, names in hosts.items()]
    return f"{''.join(lines)}{asked}? [y/N] "


def line(verb: str, domain: str, envelope: dict[str, Any]) -> str:
    """Return what a person is told of one domain with which it went well: in xm's words where it had them."""
    found = envelope["result"]
    if not envelope["changed"]:
        said = " ".join(envelope.get("notes", ()))
        return said or f"Domain {domain}: nothing had to be done"
    if verb == "migrate":
        return f"Domain {domain} migrated to {found['to']} in {found['seconds']:.1f} s"
    if found.get("forced"):
        return f"Domain {domain} destroyed: it did not shut down in time"
    if verb == "shutdown":
        return f"Domain {domain} {'terminated' if found['off'] else 'was asked to shut down'}"
    return f"Domain {domain} {'rebooted' if found.get('rebooted') else 'was asked to restart'}"


def nothing(host: str, verb: str) -> dict[str, Any]:
    """Return the object of a host on which no domain runs, so that it reports all the same."""
    return result.succeeded(host, verb, Result(notes=(NOTHING,)), 0)


def _names(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
