"""`[authorize]` of xmand.toml (man xmand.toml(5)): who may what. An unknown key there is an error."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xman import config, declared, grammar, verbs
from xman.declared import seconds, text, texts
from xman.grammar import TEXT

METHODS = ("k5login", "principals", "roles", "owner", "external")
# Verbs that show a part of what they would otherwise: the domains that are the caller's own.
FILTERED = tuple(verb.name for verb in verbs.VERBS if verb.filtered)


@dataclass(frozen=True)
class Role:
    """What some may on some domains: `members` are full principals, `group` a file of such, written as the list is."""

    members: tuple[str, ...] = ()
    group: str = ""
    # Verbs and families.
    verbs: tuple[str, ...] = ()
    # Node sets, and patterns with * and ?, in which {host} and {name} are filled in; none: every domain.
    domains: tuple[str, ...] = ()


@dataclass(frozen=True)
class Authorize:
    """Who may what: the authorizers, in the order in which they are asked, and what each needs."""

    methods: tuple[str, ...] = texts(
        ("k5login",),
        'Who decides: besides the list "principals", "roles", "owner" or "external". Unknown keys here are errors.',
    )
    owner_verbs: tuple[str, ...] = texts(
        tuple(verb.name for verb in verbs.VERBS if verb.owners),
        "What the owner of the only jobs in a domain may do with it.",
    )
    launched_verbs: tuple[str, ...] = texts(
        tuple(verb.name for verb in verbs.VERBS if verb.owners or verb.launchers),
        "What the principal that launched a machine may do with it.",
    )
    owner_realm: str = text(
        "", "The realm of owners of jobs that are given without one. Empty: that of whoever gives them."
    )
    external: tuple[str, ...] = texts(
        meaning="A program of the site's own, and its arguments: one JSON object on stdin, exit status 0 for yes."
    )
    external_seconds: float = seconds(5.0)
    # Full principal -> verbs and families; and name -> role: tables of free keys, read by `read_authorize`.
    principals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)

    def without_effect(self) -> Iterator[str]:
        """Yield what is granted, and allows nobody anything."""
        for key, given in (("principals", self.principals), ("roles", self.roles), ("external", self.external)):
            if given and key not in self.methods:
                yield f'authorize: {key}: it has no effect without "{key}" in methods = {list(self.methods)}'
        for key in ("owner_verbs", "launched_verbs"):
            if getattr(self, key) != getattr(Authorize(), key) and "owner" not in self.methods:
                yield f'authorize: {key}: it has no effect without "owner" in methods = {list(self.methods)}'
        for principal, words in self.principals.items():
            if not words:
                yield f"authorize: principals: {principal}: no verbs are given, so it allows nothing"
        for name, role in self.roles.items():
            if not role.verbs:
                yield f"authorize: roles: {name}: no verbs are given, so it allows nothing"
            if not role.members and not role.group:
                yield f"authorize: roles: {name}: has neither members nor a group, so it allows nobody anything"
            for word in role.verbs if role.domains else ():
                if not _on_domains(word):
                    yield f"authorize: roles: {name}: {word} is about the host, which a role with domains never allows"


def read_authorize(table: config.Table) -> Authorize:
    """Read the table. Raises ConfigurationError."""
    principals, roles = table.table("principals"), table.table("roles")
    found = declared.read(
        Authorize,
        table,
        principals={name: _principal(principals, name) for name in principals.names()},
        roles={name: _role(roles, name) for name in roles.names()},
    )
    for method in found.methods:
        if method not in METHODS:
            raise table.error("methods", f"'{method}' is none of {', '.join(METHODS)}")
    for key, names in (("owner_verbs", found.owner_verbs), ("launched_verbs", found.launched_verbs)):
        for name in names:
            _check_owners(table, key, name)
    if "external" in found.methods and not (found.external and found.external[0].startswith("/")):
        raise table.error("external", "expected a program with its whole path, and its arguments")
    for name in table.unasked():
        raise table.error(name, "there is no such key; a slip here could let somebody in")
    return found


def _check_owners(table: config.Table, key: str, name: str) -> None:
    """Raise ConfigurationError for what no owner can be given."""
    verb = verbs.BY_NAME.get(name)
    if verb is None or not (verb.takes_domain or name in FILTERED) or any(a.kind == TEXT for a in verb.arguments):
        raise table.error(key, f"'{name}' is not a verb on a domain")
    if verb.schedulers:
        raise table.error(key, f"'{name}' is for the scheduler: it says how long others have to wait")


def _on_domains(word: str) -> bool:
    """Whether a verb, or one of a family, is about domains, so that some of them may be named; or for everybody."""
    return any(
        verb.courtesy or verb.name in FILTERED or any(argument.kind == grammar.DOMAIN for argument in verb.arguments)
        for verb in verbs.VERBS
        if word in (verb.name, verb.family)
    )


def _role(roles: config.Table, name: str) -> Role:
    table = roles.table(name)
    role = Role(
        members=tuple(table.texts("members", [])),
        group=table.text("group", ""),
        verbs=tuple(table.texts("verbs", [])),
        domains=tuple(table.texts("domains", [])),
    )
    for key in table.unasked():
        raise table.error(key, "there is no such key; a slip here could let somebody in")
    for member in role.members:
        _check_principal(table, "members", member)
    _check_words(table, "verbs", role.verbs)
    if role.group and not role.group.startswith("/"):
        raise table.error("group", "expected a file with its whole path")
    for pattern in role.domains:
        filled = pattern.replace("{host}", "h").replace("{name}", "n")
        if not pattern or "{" in filled or "}" in filled:
            raise table.error("domains", f"'{pattern}': a name, a node set or a pattern, with {{host}} and {{name}}")
    return role


def _principal(table: config.Table, name: str) -> tuple[str, ...]:
    words = tuple(table.texts(name, []))
    _check_principal(table, name, name)
    _check_words(table, name, words)
    return words


def _check_principal(table: config.Table, key: str, name: str) -> None:
    first, _, realm = name.rpartition("@")
    if not first or not realm or not name.isascii() or not name.isprintable() or " " in name:
        raise table.error(key, "expected a full principal, such as slurm/ctl.example.org@EXAMPLE.ORG")
    if "*" in name:
        raise table.error(key, "there are no patterns; name each principal")


def _check_words(table: config.Table, key: str, words: tuple[str, ...]) -> None:
    for word in words:
        if word not in verbs.BY_NAME and word not in grammar.FAMILIES:
            raise table.error(key, f"'{word}' is neither a verb nor one of {', '.join(grammar.FAMILIES)}")
