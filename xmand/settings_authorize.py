"""`[authorize]` of xmand.toml, read and checked. An unknown key is an error here: it may be a restriction, misspelt."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xman import config, verbs
from xman.errors import ConfigurationError
from xman.verbs import TEXT

METHODS = ("k5login", "principals", "owner", "external")
# Verbs that show a part of what they would otherwise: the domains that are the caller's own.
FILTERED = ("list", "stats", "state")


@dataclass(frozen=True)
class Authorize:
    """Who may what: the authorisers, in the order in which they are asked, and what each needs."""

    methods: tuple[str, ...] = ("k5login",)
    # Full principal -> verbs and families.
    principals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owner_verbs: tuple[str, ...] = (
        "list", "state", "describe", "stats", "wait", "pause", "unpause", "reboot", "shutdown",
    )  # fmt: skip
    # Of owners of jobs that are given without one; empty: that of whoever gives them.
    owner_realm: str = ""
    # A program and its arguments.
    external: tuple[str, ...] = ()
    external_seconds: float = 5.0


def read(table: config.Table) -> Authorize:
    """Read the table. Raises ConfigurationError."""
    base = Authorize()
    principals = table.table("principals")
    found = Authorize(
        methods=tuple(table.texts("methods", list(base.methods))),
        principals={name: _principal(principals, name) for name in principals.names()},
        owner_verbs=tuple(table.texts("owner_verbs", list(base.owner_verbs))),
        owner_realm=table.text("owner_realm", base.owner_realm),
        external=tuple(table.texts("external", [])),
        external_seconds=table.seconds("external_seconds", base.external_seconds),
    )
    for method in found.methods:
        if method not in METHODS:
            raise table.error("methods", f"'{method}' is none of {', '.join(METHODS)}")
    for name in found.owner_verbs:
        verb = verbs.BY_NAME.get(name)
        if verb is None or not (verb.takes_domain or name in FILTERED) or any(a.kind == TEXT for a in verb.arguments):
            raise table.error("owner_verbs", f"'{name}' is not a verb on a domain")
    if "external" in found.methods and not (found.external and found.external[0].startswith("/")):
        raise table.error("external", "expected a program with its whole path, and its arguments")
    for line in table.unknown():
        place, _, key = line.rpartition(": ")
        raise ConfigurationError(f"{place}: {key}: there is no such key; a slip here could let somebody in")
    return found


def _principal(table: config.Table, name: str) -> tuple[str, ...]:
    words = tuple(table.texts(name, []))
    first, _, realm = name.rpartition("@")
    if not first or not realm or not name.isascii() or not name.isprintable() or " " in name:
        raise table.error(name, "expected a full principal, such as slurm/ctl.example.org@EXAMPLE.ORG")
    if "*" in name:
        raise table.error(name, "there are no patterns; name each principal")
    for word in words:
        if word not in verbs.BY_NAME and word not in verbs.FAMILIES:
            raise table.error(name, f"'{word}' is neither a verb nor one of {', '.join(verbs.FAMILIES)}")
    return words
