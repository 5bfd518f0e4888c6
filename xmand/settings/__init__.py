"""xmand.toml, read and checked (man xmand.toml(5))."""

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from xman import config, declared, laboratories, reporting
from xman.declared import flag, number, seconds, text, texts
from xman.wire.constants import PORT
from xmand.settings.authorize import Authorize, read_authorize
from xmand.settings.launch import Launch

DEFAULT_PATH = "/etc/xman/xmand.toml"

STUCK_REFUSE = "refuse"
STUCK_SAVE = "save"
NO_LISTENER = "none"


class Patience(NamedTuple):
    """For how many seconds one of libvirt's jobs is believed in which nothing moves; one that tells no octets."""

    stalled: float
    silent: float


@dataclass(frozen=True)
class Limits:
    """Caps and deadlines; seconds throughout."""

    connections: int = number(
        256,
        "Connections at a time: authenticated ones, and those that are not yet; when full, the oldest idle ones"
        " give way.",
        least=1,
    )
    connections_per_principal: int = number(32, least=1)
    # Each costs a few KiB and a descriptor.
    unauthenticated: int = number(1024, least=1)
    unauthenticated_per_source: int = number(32, least=1)
    # Kerberos takes two messages, and the client sends first: who needs longer is not a client.
    first_seconds: float = seconds(
        5.0,
        "Deadlines for a client's first octet, its authentication, its next command, its reading of a reply, any sign"
        " of life of its machine, and the age of its connection.",
    )
    handshake_seconds: float = seconds(10.0)
    idle_seconds: float = seconds(300.0)
    write_seconds: float = seconds(30.0)
    lost_seconds: float = seconds(60.0)
    # However busy: who has been connected for a working day authenticates again.
    age_seconds: float = seconds(28_800.0)
    # How long libvirt may take before the caller is told that it does not answer; below rxm's own deadlines (30, 120,
    # 300 s), so that the answer still reaches it.
    read_seconds: float = seconds(15.0, "For libvirt.")
    change_seconds: float = seconds(110.0)
    wait_seconds: float = seconds(290.0)
    # A migration in which nothing moves.
    stall_seconds: float = seconds(60.0)
    # One of which the hypervisor tells no octets, as Xen's: half a terabyte takes 75 minutes at 1 Gb/s.
    silent_seconds: float = seconds(14_400.0)
    # Threads for libvirt calls; libvirtd itself serves twenty at a time.
    workers: int = number(16, least=1, most=1024)
    # Threads for what takes minutes.
    long_workers: int = number(64, least=1, most=1024)
    # Commands that follow (`events --follow`); each has a thread and a connection.
    streams: int = number(64, least=1, most=1024)
    reserved: int = number(
        25,
        "Percent of these and of connections that are kept for principals on the list, and the most that one other"
        " principal gets.",
        most=90,
    )
    share: int = number(25, least=1, most=100)
    strangers_kib: int = number(
        16_384,
        "KiB for all that callers have sent who are authorized for nothing, or not authenticated yet.",
        least=256,
    )
    # They cost next to nothing.
    waiting: int = number(
        1024,
        "Commands that wait (wait, shutdown --wait, reboot --wait), and the longest shutdown --force-after.",
        least=1,
    )
    force_seconds: float = seconds(86_400.0)
    list_seconds: float = seconds(5.0, "How long reading the list may take.")

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

    keep_days: int = number(365, "For how many days changes are kept, and how large the journal may grow.", least=1)
    # Some hundred thousand changes.
    size_mib: int = number(64, least=1)


@dataclass(frozen=True)
class Consoles:
    """What is kept of what guests print."""

    log: bool = flag(
        True,
        "Whether create and new let libvirt keep what a QEMU guest's console prints, in /var/log/libvirt/qemu, for"
        " console --log.",
    )


@dataclass(frozen=True)
class Screens:
    """Where guests' screens may be reached."""

    listen: str = text(
        "as-given",
        'Where VNC of what create and new define listens: "as-given", or nowhere ("none"), for rxm vnc alone (QEMU).',
        check=declared.one_of("as-given", NO_LISTENER),
    )


LIBVIRT, XMAN = "libvirt", "xman"


@dataclass(frozen=True)
class Agents:
    """What the agents within guests are asked."""

    users: bool = flag(
        False,
        "Whether the agents of QEMU's guests are asked, at most once a minute each, who is logged on there, for list"
        " --long.",
    )


@dataclass(frozen=True)
class Migration:
    """Where domains may go and how."""

    allow: tuple[str, ...] = texts(
        meaning='Hosts that domains may be moved to, as node sets: ["skirit[80-84].example.org"].'
    )
    accept: tuple[str, ...] = texts(
        meaning="Hosts whose own keys may bring domains here, as node sets; they need nothing else on this host."
    )
    transport: str = text(
        LIBVIRT,
        'How they move: "libvirt", from its daemon to the other one\'s, or "xman", through the connection of the two'
        " xmands, with no port of libvirt's; the other host has to accept this one.",
        check=declared.one_of(LIBVIRT, XMAN),
    )
    port: int = number(PORT, "Where the other host's xmand listens.", least=1, most=65_535)
    policy: str = text(
        "list",
        'What may arrive this way: "list", whatever those on the list may create, or "create", what [create] permits.',
        check=declared.one_of("list", "create"),
    )
    uri: str = text("", "Empty: qemu+tcp://{host}/system, or what this host's hypervisor has instead.")
    clear: bool = flag(
        False,
        "Whether a domain's memory and with --copy-storage its disks may cross the network outside libvirt's encrypted"
        " connection.",
    )
    tls: bool = flag(
        False,
        "Whether they cross it in a connection of QEMU's own with TLS; libvirt's qemu.conf names the certificates.",
    )


def _collectors(values: tuple[str, ...]) -> str:
    return next((problem for value in values if (problem := reporting.wrong_place(value))), "")


@dataclass(frozen=True)
class Report:
    """To whom this host tells by itself how it and its domains are."""

    collectors: tuple[str, ...] = texts(
        meaning="Portals' collectors that this host reports to, of its own accord: HOST, HOST:PORT, or"
        ' "srv:_xman-collector._tcp.example.org" for those that the DNS names. Of several, whoever answers gets it.',
        check=_collectors,
    )
    collector_service: str = text(
        reporting.SERVICE, "The service of the collectors' key, and the principal as which this host reports."
    )
    principal: str = text("")


def _prom_file(value: str) -> str:
    good = value.startswith("/") and value.endswith(".prom") and not value.endswith("/.prom")
    return "" if not value or good else f"expected a whole path that ends in .prom, found {value!r}"


@dataclass(frozen=True)
class Metrics:
    """What this host says to programs that watch it."""

    textfile: str = text(
        "",
        "A file with how this host is, in Prometheus' format, for node_exporter's textfile collector:"
        ' "/var/lib/prometheus/node-exporter/xman.prom". Empty: none.',
        check=_prom_file,
    )
    # As often as Prometheus asks, usually.
    interval_seconds: float = seconds(15.0, "How often it is written.")


@dataclass(frozen=True)
class Batch:
    """Batch jobs: which domains take part, what the others of a host keep, and how long a guest may take."""

    domains: tuple[str, ...] = texts(
        meaning="The domains that take part in batch work, as node sets or with * and ?:"
        ' ["vm*"]. Empty: every domain of this host.'
    )
    priority: tuple[str, ...] = texts(
        meaning="Those of them that may preempt others. Empty: what the domains' metadata says."
    )
    # A guest of 192 MiB was seen to panic at 65; no guest lives on less than the bound.
    parked_memory: int = number(
        160, "What a domain keeps while another one has the host: MiB, and CPUs (0: all of them).", least=32
    )
    # 0 is for guests that cannot give one back.
    parked_vcpus: int = number(1)
    boot_seconds: float = seconds(60.0, "From a start until the guest is taken to be up.")
    park_seconds: float = seconds(
        30.0,
        "How long a guest may take to give its memory back, and what becomes of one that does not:"
        f' "{STUCK_REFUSE}" the job, or "{STUCK_SAVE}" the guest to disk until the host is free.',
    )
    stuck: str = text(STUCK_REFUSE, check=declared.one_of(STUCK_REFUSE, STUCK_SAVE))
    hooks: str = text("/etc/xman/hooks", "Programs below preempted.d, resumed.d and state.d are told what happens.")
    hook_seconds: float = seconds(30.0)


def _full_principals(values: tuple[str, ...]) -> str:
    for principal in values:
        if "@" not in principal.strip("@"):
            return f"expected a full principal (ctl@EXAMPLE.ORG), found {principal!r}"
    return ""


@dataclass(frozen=True)
class Create:
    """What the descriptions of those may have who are not on the list (`xmand.virt.policy`)."""

    pools: tuple[str, ...] = texts(
        meaning="What descriptions may have if the principal is not on the list, and is authorized for create or new:"
        " storage pools, networks and bridges by name, and folders for images, install media, kernels and containers'"
        " trees."
    )
    networks: tuple[str, ...] = texts()
    bridges: tuple[str, ...] = texts()
    paths: tuple[str, ...] = texts(check=declared.folders)
    unrestricted: tuple[str, ...] = texts(
        meaning="Full principals whose descriptions are not checked. Each of them is as good as root.",
        check=_full_principals,
    )


@dataclass(frozen=True)
class Storage:
    """What is done with volumes of libvirt's storage pools."""

    wipe: tuple[str, ...] = texts(
        meaning='Pools whose volumes are overwritten with zeros before they are deleted, by name; "*" in a name is'
        " anything."
    )

    def wipes(self, pool: str) -> bool:
        """Whether volumes of `pool` are wiped."""
        return any(fnmatchcase(pool, pattern) for pattern in self.wipe)


@dataclass(frozen=True)
class ThisHost:
    """Where this host belongs."""

    labs: tuple[str, ...] = texts(
        meaning="The laboratories that this host belongs to; a profile for others cannot have clients here.",
        check=laboratories.wrong,
    )


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; the defaults serve a host with a keytab and a `.k5login`."""

    listen: tuple[str, ...] = texts(
        (f"[::]:{PORT}",),
        'Addresses to listen on. "[::]" serves IPv4 as well, and works where IPv6 is switched off.',
    )
    service: str = text(
        "host",
        "Clients authenticate to any key of this service in the keytab; who may is what the list says.",
        check=declared.service,
    )
    keytab: str = text("/etc/krb5.keytab")
    k5login: str = text("/root/.k5login")
    libvirt_uri: str = text("", 'Empty: libvirt\'s own choice for this host. "test:///default" needs no hypervisor.')
    state_dir: str = text("/var/lib/xmand", "The journal of changes; should outlive a restart of the host.")
    save_dir: str = text(
        "",
        'Below which save, restore and dump-core keep domains; empty: "saved" in state_dir. libvirt\'s own daemon'
        " writes there.",
        check=declared.folder,
    )
    run_dir: str = text("/run/xmand", "The replay cache: only xmand may write here, and a restart must not empty it.")
    syslog: str = text("/dev/log", 'A datagram socket, "udp://192.0.2.1:514", or "none".')
    limits: Limits = declared.table(Limits)
    journal: JournalCaps = declared.table(JournalCaps)
    batch: Batch = declared.table(Batch)
    authorize: Authorize = declared.table(Authorize, reader=read_authorize)
    create: Create = declared.table(Create)
    launch: Launch = declared.table(Launch)
    console: Consoles = declared.table(Consoles)
    screen: Screens = declared.table(Screens)
    storage: Storage = declared.table(Storage)
    agent: Agents = declared.table(Agents)
    host: ThisHost = declared.table(ThisHost)
    migrate: Migration = declared.table(Migration)
    report: Report = declared.table(Report)
    metrics: Metrics = declared.table(Metrics)
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


def load_all(path: str | None) -> tuple[Settings | None, list[str]]:
    """Return the settings with the default in place of each wrong value, and what is wrong with each.

    They are None where the file cannot be read at all.
    """
    return config.tolerant(lambda without: load(path, without))


def load(path: str | None, without: tuple[tuple[str, ...], ...] = ()) -> Settings:
    """Read `path`, or the default file where there is one, with its drop-ins. Raises ConfigurationError."""
    table = config.load(path or DEFAULT_PATH, required=path is not None, drop_ins=True, without=without)
    found = declared.read(Settings, table)
    return replace(found, unknown=tuple(table.unknown()))
