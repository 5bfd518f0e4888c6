"""xmand.toml, read and checked (man xmand.toml(5)). An unknown key in `[authorize]` is an error."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from xman import config, grammar, verbs
from xman.grammar import TEXT
from xman.wire.constants import PORT

DEFAULT_PATH = "/etc/xman/xmand.toml"

STUCK_REFUSE = "refuse"
STUCK_SAVE = "save"
# Less than any guest lives on, in MiB.
_LEAST_PARKED = 32


class Patience(NamedTuple):
    """For how many seconds one of libvirt's jobs is believed in which nothing moves; one that tells no octets."""

    stalled: float
    silent: float


@dataclass(frozen=True)
class Limits:
    """Caps and deadlines; seconds throughout."""

    # Authenticated connections: what one host can serve.
    connections: int = 256
    connections_per_principal: int = 32
    # Connections before they are authenticated; each costs a few KiB and a descriptor.
    unauthenticated: int = 1024
    unauthenticated_per_source: int = 32
    # Kerberos takes two messages, and the client sends first: who needs longer is not a client.
    first_seconds: float = 5.0
    handshake_seconds: float = 10.0
    # A kept-open connection without a command.
    idle_seconds: float = 300.0
    # A client that does not read what it asked for.
    write_seconds: float = 30.0
    # A client whose machine or network has gone without a word.
    lost_seconds: float = 60.0
    # However busy: who has been connected for a working day authenticates again.
    age_seconds: float = 28_800.0
    # How long libvirt may take before the caller is told that it does not answer; below rxm's own deadlines (30, 120,
    # 300 s), so that the answer still reaches it.
    read_seconds: float = 15.0
    change_seconds: float = 110.0
    wait_seconds: float = 290.0
    # A migration in which nothing moves.
    stall_seconds: float = 60.0
    # One of which the hypervisor tells no octets, as Xen's: half a terabyte takes 75 minutes at 1 Gb/s.
    silent_seconds: float = 14_400.0
    # Threads for libvirt calls; libvirtd itself serves twenty at a time.
    workers: int = 16
    # Threads for what takes minutes.
    long_workers: int = 64
    # Commands that follow (`events --follow`); each has a thread and a connection.
    streams: int = 64
    # Percent of these, and of connections, that are left to those on the list; and percent of them that one principal
    # who is not on it has at most.
    reserved: int = 25
    share: int = 25
    # Commands that wait for something to become of a domain; they cost next to nothing.
    waiting: int = 1024
    # The longest `shutdown --force-after`.
    force_seconds: float = 86_400.0
    # KiB of memory for what those have sent whose right to anything is not known, all together.
    strangers_kib: int = 16_384
    # How long the list may take to be read.
    list_seconds: float = 5.0

    def kept_of(self, count: int) -> int:
        """Return how many places of `count` are left to those on the list."""
        return count * self.reserved // 100

    def share_of(self, count: int) -> int:
        """Return how many places of `count` one principal has who is not on it."""
        return max(1, count * self.share // 100)

    @property
    def patience(self) -> Patience:
        """With a migration or a suspend."""
        return Patience(self.stall_seconds, self.silent_seconds)


@dataclass(frozen=True)
class JournalCaps:
    """How much of the past is kept: what is older goes, and the oldest where that is still too much."""

    keep_days: int = 365
    # Some hundred thousand changes.
    size_mib: int = 64


@dataclass(frozen=True)
class Migration:
    """Where domains may go and how."""

    allow: tuple[str, ...] = ()
    uri: str = ""
    clear: bool = False


@dataclass(frozen=True)
class Batch:
    """Batch jobs: which domains take part, what the others of a host keep, and how long a guest may take."""

    # Shell patterns or node sets of names; none: every domain.
    domains: tuple[str, ...] = ()
    # Those that may preempt others; none: what the domains' own metadata says.
    priority: tuple[str, ...] = ()
    # MiB. A guest of 192 MiB was seen to panic at 65.
    parked_memory: int = 160
    # 0 leaves the CPUs alone, for guests that cannot give one back.
    parked_vcpus: int = 1
    # From a domain's start until its guest is taken to be up.
    boot_seconds: float = 60.0
    # For a guest to give back what is taken from it.
    park_seconds: float = 30.0
    # What becomes of a guest that does not: "refuse" the job, or "save" the guest to disk.
    stuck: str = STUCK_REFUSE
    hooks: str = "/etc/xman/hooks"
    hook_seconds: float = 30.0


@dataclass(frozen=True)
class Create:
    """What the descriptions of those may have who are not on the list (`xmand.virt.policy`)."""

    # Storage pools, by name, whose volumes may be disks.
    pools: tuple[str, ...] = ()
    # Networks and bridges of the host, by name, that cards may be on.
    networks: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()
    # Folders below which disks, install media, kernels and containers' trees may be.
    paths: tuple[str, ...] = ()
    # Full principals whose descriptions are not looked at; each is as good as root.
    unrestricted: tuple[str, ...] = ()


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

    methods: tuple[str, ...] = ("k5login",)
    # Full principal -> verbs and families.
    principals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Name -> role.
    roles: Mapping[str, Role] = field(default_factory=dict)
    owner_verbs: tuple[str, ...] = tuple(verb.name for verb in verbs.VERBS if verb.owners)
    # Of owners of jobs that are given without one; empty: that of whoever gives them.
    owner_realm: str = ""
    # A program and its arguments.
    external: tuple[str, ...] = ()
    external_seconds: float = 5.0

    def without_effect(self) -> Iterator[str]:
        """Yield what is granted, and allows nobody anything."""
        for key, given in (("principals", self.principals), ("roles", self.roles), ("external", self.external)):
            if given and key not in self.methods:
                yield f'authorize: {key}: has no effect, since methods does not have "{key}"'
        for principal, words in self.principals.items():
            if not words:
                yield f"authorize: principals: {principal}: no verbs are given, so it allows nothing"
        for name, role in self.roles.items():
            if not role.verbs:
                yield f"authorize: roles: {name}: no verbs are given, so it allows nothing"
            if not role.members and not role.group:
                yield f"authorize: roles: {name}: has neither members nor a group, so it allows nobody anything"
            if role.domains and not any(_on_domains(word) for word in role.verbs):
                yield f"authorize: roles: {name}: none of its verbs is about a domain, so its domains match nothing"


def read_authorize(table: config.Table) -> Authorize:
    """Read the table. Raises ConfigurationError."""
    base = Authorize()
    principals, roles = table.table("principals"), table.table("roles")
    found = Authorize(
        methods=tuple(table.texts("methods", list(base.methods))),
        principals={name: _principal(principals, name) for name in principals.names()},
        roles={name: _role(roles, name) for name in roles.names()},
        owner_verbs=tuple(table.texts("owner_verbs", list(base.owner_verbs))),
        owner_realm=table.text("owner_realm", base.owner_realm),
        external=tuple(table.texts("external", [])),
        external_seconds=table.seconds("external_seconds", base.external_seconds),
    )
    for method in found.methods:
        if method not in METHODS:
            raise table.error("methods", f"'{method}' is none of {', '.join(METHODS)}")
    for method in ("principals", "external"):
        if getattr(found, method) and method not in found.methods:
            raise table.error(
                method, f'it has no effect without "{method}" in methods = {list(found.methods)}; add it there'
            )
    for name in found.owner_verbs:
        verb = verbs.BY_NAME.get(name)
        if verb is None or not (verb.takes_domain or name in FILTERED) or any(a.kind == TEXT for a in verb.arguments):
            raise table.error("owner_verbs", f"'{name}' is not a verb on a domain")
    if "external" in found.methods and not (found.external and found.external[0].startswith("/")):
        raise table.error("external", "expected a program with its whole path, and its arguments")
    for name in table.unasked():
        raise table.error(name, "there is no such key; a slip here could let somebody in")
    return found


def _on_domains(word: str) -> bool:
    """Whether a verb, or one of a family, is about domains, so that some of them may be named."""
    return any(
        verb.name in FILTERED or any(argument.kind == grammar.DOMAIN for argument in verb.arguments)
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


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; the defaults serve a host with a keytab and a `.k5login`."""

    listen: tuple[str, ...] = (f"[::]:{PORT}",)
    service: str = "host"
    keytab: str = "/etc/krb5.keytab"
    k5login: str = "/root/.k5login"
    libvirt_uri: str = ""
    state_dir: str = "/var/lib/xmand"
    # Below which domains' saved memory and dumps are written; empty: `saved` in `state_dir`.
    save_dir: str = ""
    run_dir: str = "/run/xmand"
    syslog: str = "/dev/log"
    limits: Limits = field(default_factory=Limits)
    journal: JournalCaps = field(default_factory=JournalCaps)
    migrate: Migration = field(default_factory=Migration)
    batch: Batch = field(default_factory=Batch)
    authorize: Authorize = field(default_factory=Authorize)
    create: Create = field(default_factory=Create)
    # `file: key` of keys that mean nothing to this release.
    unknown: tuple[str, ...] = ()

    def told(self) -> dict[str, object]:
        """Return what anybody may know who may ask about the host: places and names, no one's rights."""
        return {
            "listen": " ".join(self.listen),
            "service": self.service,
            "keytab": self.keytab,
            "k5login": self.k5login,
            "libvirt_uri": self.libvirt_uri,
            "state_dir": self.state_dir,
            "save_dir": self.saved,
            "run_dir": self.run_dir,
            "syslog": self.syslog,
            "authorize_methods": " ".join(self.authorize.methods),
            "migrate_allow": " ".join(self.migrate.allow),
        }

    @property
    def saved(self) -> str:
        """The directory below which domains' saved memory and dumps are."""
        return (self.save_dir or f"{self.state_dir}/saved").rstrip("/")


def load_all(path: str | None) -> tuple[Settings, list[str]]:
    """Return the settings with the default in place of each wrong value, and what is wrong with each."""
    return config.tolerant(lambda without: load(path, without), Settings())


def load(path: str | None, without: tuple[tuple[str, ...], ...] = ()) -> Settings:
    """Read `path`, or the default file where there is one, with its drop-ins. Raises ConfigurationError."""
    table = config.load(path or DEFAULT_PATH, required=path is not None, drop_ins=True, without=without)
    base = Settings()
    limits, journal, migrate = table.table("limits"), table.table("journal"), table.table("migrate")
    lim = base.limits
    return Settings(
        listen=tuple(table.texts("listen", list(base.listen))),
        service=table.text("service", base.service),
        keytab=table.text("keytab", base.keytab),
        k5login=table.text("k5login", base.k5login),
        libvirt_uri=table.text("libvirt_uri", base.libvirt_uri),
        state_dir=table.text("state_dir", base.state_dir),
        save_dir=_directory(table, "save_dir"),
        run_dir=table.text("run_dir", base.run_dir),
        syslog=table.text("syslog", base.syslog),
        limits=Limits(
            connections=limits.number("connections", lim.connections, least=1),
            connections_per_principal=limits.number(
                "connections_per_principal", lim.connections_per_principal, least=1
            ),
            unauthenticated=limits.number("unauthenticated", lim.unauthenticated, least=1),
            unauthenticated_per_source=limits.number(
                "unauthenticated_per_source", lim.unauthenticated_per_source, least=1
            ),
            first_seconds=limits.seconds("first_seconds", lim.first_seconds),
            handshake_seconds=limits.seconds("handshake_seconds", lim.handshake_seconds),
            idle_seconds=limits.seconds("idle_seconds", lim.idle_seconds),
            write_seconds=limits.seconds("write_seconds", lim.write_seconds),
            lost_seconds=limits.seconds("lost_seconds", lim.lost_seconds),
            age_seconds=limits.seconds("age_seconds", lim.age_seconds),
            read_seconds=limits.seconds("read_seconds", lim.read_seconds),
            change_seconds=limits.seconds("change_seconds", lim.change_seconds),
            wait_seconds=limits.seconds("wait_seconds", lim.wait_seconds),
            stall_seconds=limits.seconds("stall_seconds", lim.stall_seconds),
            silent_seconds=limits.seconds("silent_seconds", lim.silent_seconds),
            workers=limits.number("workers", lim.workers, least=1, most=1024),
            long_workers=limits.number("long_workers", lim.long_workers, least=1, most=1024),
            streams=limits.number("streams", lim.streams, least=1, most=1024),
            reserved=limits.number("reserved", lim.reserved, least=0, most=90),
            share=limits.number("share", lim.share, least=1, most=100),
            waiting=limits.number("waiting", lim.waiting, least=1),
            force_seconds=limits.seconds("force_seconds", lim.force_seconds),
            strangers_kib=limits.number("strangers_kib", lim.strangers_kib, least=256),
            list_seconds=limits.seconds("list_seconds", lim.list_seconds),
        ),
        journal=JournalCaps(
            keep_days=journal.number("keep_days", base.journal.keep_days, least=1),
            size_mib=journal.number("size_mib", base.journal.size_mib, least=1),
        ),
        migrate=Migration(
            allow=tuple(migrate.texts("allow", [])),
            uri=migrate.text("uri", ""),
            clear=migrate.flag("clear", False),
        ),
        batch=_batch(table.table("batch")),
        authorize=read_authorize(table.table("authorize")),
        create=_create(table.table("create")),
        unknown=tuple(table.unknown()),
    )


def _directory(table: config.Table, key: str) -> str:
    found = table.text(key, "")
    if found and (not found.startswith("/") or not found.strip("/")):
        raise table.error(key, f"expected a whole path of a folder, found {found!r}")
    return found


def _create(table: config.Table) -> Create:
    found = Create(**{name: tuple(table.texts(name, [])) for name in Create.__dataclass_fields__})
    for path in found.paths:
        if not path.startswith("/") or not path.strip("/"):
            raise table.error("paths", f"expected a whole path of a folder, found {path!r}")
    for principal in found.unrestricted:
        if "@" not in principal.strip("@"):
            raise table.error("unrestricted", f"expected a full principal (ctl@EXAMPLE.ORG), found {principal!r}")
    return found


def _batch(table: config.Table) -> Batch:
    base = Batch()
    stuck = table.text("stuck", base.stuck)
    if stuck not in (STUCK_REFUSE, STUCK_SAVE):
        raise table.error("stuck", f'expected "{STUCK_REFUSE}" or "{STUCK_SAVE}", found {stuck!r}')
    return Batch(
        domains=tuple(table.texts("domains", [])),
        priority=tuple(table.texts("priority", [])),
        parked_memory=table.number("parked_memory", base.parked_memory, least=_LEAST_PARKED),
        parked_vcpus=table.number("parked_vcpus", base.parked_vcpus),
        boot_seconds=table.seconds("boot_seconds", base.boot_seconds),
        park_seconds=table.seconds("park_seconds", base.park_seconds),
        stuck=stuck,
        hooks=table.text("hooks", base.hooks),
        hook_seconds=table.seconds("hook_seconds", base.hook_seconds),
    )
