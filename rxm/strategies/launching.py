"""Where machines are launched: of several hosts on those with most room, and what one has on all of them together."""

from typing import Any

from rxm import targets
from rxm.invocation import Invocation
from rxm.output import Output
from rxm.settings import Settings
from rxm.strategies import locate
from rxm.targets import Target, Task
from xman import arguments, errors, values, verbs
from xman.errors import RefusedError, UnreachableError, UsageError

# What a machine gets where nothing else is said (xmand.verbs.machine).
_MEMORY = 1 << 30
_PARTS = ("machines", "memory", "vcpus", "disk")
_Told = dict[str, dict[str, Any]]


def names(parsed: arguments.Parsed) -> list[str]:
    """Return the names of the domains that are to be. Raises UsageError."""
    words = parsed.words("NAME")
    count = parsed.options.get("count")
    if count is not None:
        if len(words) != 1:
            raise UsageError("--count requires exactly one NAME, which it numbers.")
        assert isinstance(count, int)  # noqa: S101  # the table says so
        found = [f"{words[0]}{number}" for number in range(1, count + 1)]
    else:
        found = [name for word in words for name in (targets.expand(word) if "[" in word else [word])]
    for name in found:
        values.check_new_name(name)
    if len(set(found)) != len(found):
        raise UsageError("A name is given twice.")
    return found


def tasks(invocation: Invocation, settings: Settings) -> list[Task]:
    """Return what each host is to do. Raises UsageError, RefusedError where no host has room, and UnreachableError."""
    wanted = names(invocation.parsed)
    if invocation.parsed.verb.takes_domain:
        return _of_domain(invocation, settings, wanted)
    if len(invocation.hosts) == 1:
        hosts = invocation.hosts * len(wanted)
    else:
        told = ask_all(invocation)
        if "rid" not in invocation.parsed.options:  # the same request once more is about the same machine
            require_new(told, wanted)
        hosts = chosen(invocation.parsed, told, len(wanted))
    return [Task(Target(host, name), [name]) for host, name in zip(hosts, wanted, strict=True)]


def _of_domain(invocation: Invocation, settings: Settings, wanted: list[str]) -> list[Task]:
    """Return the same for what is made of a domain: on its host. Raises NoSuchDomainError and UsageError."""
    (word,) = targets.domain_words(invocation.parsed)
    addressed = targets.address([word], invocation.hosts, settings.domains)
    if not addressed[0].host:
        addressed = targets.located(addressed, locate.known(invocation))
    if len(addressed) != 1:
        raise UsageError(f"'{word}' is not one domain.")
    (origin,) = addressed
    return [Task(Target(origin.host, name), [origin.domain, name]) for name in wanted]


def require_new(told: _Told, wanted: list[str]) -> None:
    """Raise RefusedError where somebody has a machine of such a name on a host already: it would be two. Pure."""
    for host, data in told.items():
        for name in wanted:
            if name in data.get("names", ()):
                raise RefusedError(
                    f"You have a machine '{name}' already, on {host}; take another name, or end that one (rxm terminate"
                    f" {host}:{name})."
                )


def chosen(parsed: arguments.Parsed, told: _Told, count: int) -> list[str]:
    """Return the host of each of `count` machines: each time the one with most memory left that may take it. Pure.

    `told` is what each host answered to `images`. Raises RefusedError where there is none.
    """
    image, options = parsed.text("IMAGE"), parsed.options
    rows = {
        host: row for host, data in told.items() for row in data["images"] if row["image"] == image and "image" in row
    }
    if not rows:
        raise RefusedError(f"None of the {len(told)} hosts has an image '{image}'.")
    free = {host: int(told[host].get("free_memory", 0)) for host in rows}
    mine = {host: dict(told[host]["mine"]) for host in rows}
    found: list[str] = []
    for _number in range(count):
        fitting = []
        for host, row in rows.items():
            memory = values.memory(str(options["memory"])) if "memory" in options else _MEMORY
            own = {
                "machines": 1,
                "memory": max(memory, row.get("least_memory", 0)),
                "vcpus": options.get("vcpus", 1),
                "disk": values.memory(str(options["disk"])) if "disk" in options else row["capacity"],
            }
            most = told[host].get("most")
            if most is None or all(mine[host][part] + own[part] <= most[part] for part in _PARTS):
                fitting.append((free[host], host, own))
        if not fitting:
            raise RefusedError(
                f"You may launch no more on any of the {len(rows)} hosts that have '{image}'; rxm images shows what you"
                " have."
            )
        # Of those with the same room the first that was named.
        room, host, own = max(fitting, key=lambda each: each[0])
        free[host] = room - own["memory"]
        mine[host] = {part: mine[host][part] + own[part] for part in _PARTS}
        found.append(host)
    return found


def say_together(invocation: Invocation, output: Output) -> None:
    """Of several hosts, say what one has on all of them since, and which names are there twice."""
    options, parsed = invocation.options, invocation.parsed
    if parsed.verb.takes_domain or len(invocation.hosts) < 2 or options.json or options.quiet:
        return
    launched = ask_all(invocation)
    output.warn(together(launched))
    for said in twice(launched, names(parsed)):
        output.warn(said)


def together(told: _Told) -> str:
    """Return what one has on all hosts, in words. Pure."""
    has = {part: sum(int(data["mine"][part]) for data in told.values()) for part in _PARTS}
    memory, disk = (f"{has[part] // values.MIB} MiB of {part}" for part in ("memory", "disk"))
    many = f"{has['machines']} machine{'s' * (has['machines'] != 1)}"
    return f"You have {many} on {len(told)} hosts, with {memory}, {has['vcpus']} CPUs and {disk}."


def twice(told: _Told, wanted: list[str]) -> list[str]:
    """Return what is to be said of names that one has on several hosts: launched there at the same moment. Pure."""
    found = []
    for name in wanted:
        hosts = sorted(host for host, data in told.items() if name in data.get("names", ()))
        if len(hosts) > 1:
            found.append(
                f"You have a machine '{name}' on each of {', '.join(hosts)}; end one"
                f" (rxm terminate {hosts[-1]}:{name})."
            )
    return found


def ask_all(invocation: Invocation) -> _Told:
    """Return what each host that answers says of its images. Raises UnreachableError where none does."""
    found, problems = locate.ask_each(invocation, invocation.hosts, verbs.BY_NAME["images"])
    if not found:
        first = next(iter(problems.values()))
        raise (
            errors.of_outcome(first.outcome, str(first))
            if len(problems) == 1
            else UnreachableError(f"none of the {len(problems)} hosts could say which images it has: {first}")
        )
    return found
