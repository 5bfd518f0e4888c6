"""The tables. Times are seconds since 1970 (UTC), sizes octets, lists JSON; what is not known is NULL."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

metadata = MetaData()

# One row for each configured host, from the start. `received` is when a good report last came, by our clock, and
# `reported` what the host's own clock said; `code` is the outcome of the latest try (0: good), `tried` when that was.
hosts = Table(
    "hosts",
    metadata,
    Column("name", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("received", Double),
    Column("reported", Double),
    Column("tried", Double),
    Column("code", Integer),
    Column("problem", Text),
    Column("maintenance_reason", Text),
    Column("maintenance_by", Text),
    Column("maintenance_since", Double),
    Column("host_id", Text),
    Column("list_hash", Text),
    Column("audit_lost", BigInteger),
    # What the latest `stats --host` said: octets, CPUs, and how many are busy on the average of a minute.
    Column("memory", BigInteger),
    Column("memory_free", BigInteger),
    Column("cpus", Integer),
    Column("load", Double),
    Column("measured", Double),
    # How the host is, as JSON (`condition` of result.schema.json), where it reports by itself; and how far its clock
    # is from ours, in seconds.
    Column("condition", Text),
    Column("clock", Double),
)

# Hosts that report by themselves, by their own names: `state` is whether they are shown, `seen` the last sign of life
# (NULL: never). `asked` is when one that is silent was last asked. `host` is its row's name, NULL where it has none.
reporters = Table(
    "reporters",
    metadata,
    Column("name", String, primary_key=True),
    Column("principal", String, nullable=False),
    Column("state", String, nullable=False),
    Column("host", String),
    Column("address", String, nullable=False, server_default=""),
    Column("first", Double, nullable=False),
    Column("seen", Double),
    Column("asked", Double),
    Column("decided_by", String),
    Index("reporters_by_state", "state"),
    Index("reporters_by_host", "host"),
)

groups = Table(
    "groups",
    metadata,
    Column("name", String, nullable=False),
    Column("host", String, nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("name", "host"),
)

# What the latest good report of a host said. `owners` is a list in JSON; `owners` as a table is for finding.
domains = Table(
    "domains",
    metadata,
    Column("host", String, nullable=False),
    Column("uuid", String, nullable=False),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text),
    Column("priority", String),
    Column("since", Double),
    Column("started", Double),
    Column("memory", BigInteger),
    Column("max_memory", BigInteger),
    Column("vcpus", Integer),
    Column("max_vcpus", Integer),
    Column("jobs", Text, nullable=False),
    # Of one that was launched from an image: whose it is, and when it ends by itself.
    Column("instance", Text),
    Column("image", Text),
    Column("owner", Text),
    Column("until", Double),
    # The host that it has come from, and that has not confirmed it yet.
    Column("unconfirmed", Text),
    # As JSON, for showing; `labels` as a table is for finding.
    Column("labels", Text),
    # Whose machine it is among terminals, and which of them has had it since it was started.
    Column("terminal", String),
    Column("given", String),
    # Of a profile: the laboratories that it is for, with blanks between, and who is in its administrative mode; of a
    # client: the profile's UUID, and whether what it writes is gone at its next start.
    Column("profile", Boolean),
    Column("labs", String),
    Column("administrator", String),
    Column("origin", String),
    Column("discard", Boolean),
    # The name so that its figures sort as numbers: vm2 before vm10.
    Column("sort_name", Text),
    PrimaryKeyConstraint("host", "uuid"),
    ForeignKeyConstraint(["host"], ["hosts.name"], ondelete="CASCADE"),
    Index("domains_by_name", "name"),
    Index("domains_by_state", "state"),
    Index("domains_by_uuid", "uuid"),
    Index("domains_by_sort_name", "sort_name"),
    Index("domains_by_profile", "profile"),
    Index("domains_by_origin", "origin"),
)

owners = Table(
    "owners",
    metadata,
    Column("host", String, nullable=False),
    Column("uuid", String, nullable=False),
    Column("owner", String, nullable=False),
    PrimaryKeyConstraint("owner", "host", "uuid"),
    ForeignKeyConstraint(["host", "uuid"], ["domains.host", "domains.uuid"], ondelete="CASCADE"),
    Index("owners_by_domain", "host", "uuid"),
)

labels = Table(
    "labels",
    metadata,
    Column("host", String, nullable=False),
    Column("uuid", String, nullable=False),
    Column("key", String, nullable=False),
    Column("value", String, nullable=False),
    PrimaryKeyConstraint("key", "host", "uuid"),
    ForeignKeyConstraint(["host", "uuid"], ["domains.host", "domains.uuid"], ondelete="CASCADE"),
    Index("labels_by_domain", "host", "uuid"),
)

# What domains used, for the plots. Counters are those of the guest's devices together, since its start.
samples = Table(
    "samples",
    metadata,
    Column("at", Double, nullable=False),
    Column("host", String, nullable=False),
    Column("uuid", String, nullable=False),
    Column("cpu_seconds", Double),
    Column("memory", BigInteger),
    Column("received", BigInteger),
    Column("sent", BigInteger),
    Column("read", BigInteger),
    Column("written", BigInteger),
    Index("samples_by_domain", "uuid", "host", "at"),
    Index("samples_by_age", "at"),
)

# What hosts had, for their plots: how many CPUs were busy on the average of a minute, and octets that were free.
host_samples = Table(
    "host_samples",
    metadata,
    Column("at", Double, nullable=False),
    Column("host", String, nullable=False),
    Column("load", Double),
    Column("memory", BigInteger),
    Column("memory_free", BigInteger),
    Index("host_samples_by_host", "host", "at"),
    Index("host_samples_by_age", "at"),
)

# One row for each thing a person asked for. `portal` is the machine that has the ticket and runs it; `targets` a list
# of {host, uuid, name}; `pid` and `begun` (its start, in the kernel's ticks) know the child again after a restart.
actions = Table(
    "actions",
    metadata,
    Column("id", String, primary_key=True),
    Column("principal", String, nullable=False),
    Column("portal", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("words", Text, nullable=False),
    Column("targets", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("input", Text),
    # Texts by the option that is given each as a file, as JSON.
    Column("files", Text),
    Column("state", String, nullable=False),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    Column("pid", Integer),
    Column("begun", BigInteger),
    Column("progress", Text, nullable=False, server_default=""),
    Index("actions_by_state", "state"),
    Index("actions_by_end", "state", "ended"),
    Index("actions_by_age", "created"),
)

# One row for each target of an action: `ok` is NULL until its result is there. The name is kept so that one domain's
# actions can be found when it has moved to another host.
results = Table(
    "results",
    metadata,
    Column("action", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("host", String, nullable=False),
    Column("uuid", String, nullable=False),
    Column("name", String, nullable=False),
    Column("ok", Boolean),
    Column("changed", Boolean),
    Column("code", Integer),
    Column("message", Text),
    PrimaryKeyConstraint("action", "position"),
    ForeignKeyConstraint(["action"], ["actions.id"], ondelete="CASCADE"),
    Index("results_by_domain", "uuid"),
)

# `token` is the digest of what the browser holds, so that reading this table gives nobody a session.
sessions = Table(
    "sessions",
    metadata,
    Column("token", String, primary_key=True),
    Column("principal", String, nullable=False),
    Column("csrf", String, nullable=False),
    Column("portal", String, nullable=False),
    # The name of its ticket cache within run_dir; empty where nothing was delegated, and then `problem` says why.
    Column("ticket", String, nullable=False),
    Column("problem", String, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    # When the ticket ends that it began with (NULL: nobody says), and of what the browser's token is made again for
    # whoever shows the same ticket once more; the other half of that is in run_dir.
    Column("ends", Double),
    Column("nonce", String),
    # What that ticket is known by (`web.shown`); NULL where a proxy has seen it instead of us.
    Column("shown", String),
)

# What each host said that a session's person may do there: verbs as a list in JSON. Without a row nobody has asked yet.
rights = Table(
    "rights",
    metadata,
    Column("session", String, nullable=False),
    Column("host", String, nullable=False),
    Column("verbs", Text, nullable=False),
    PrimaryKeyConstraint("session", "host"),
    ForeignKeyConstraint(["session"], ["sessions.token"], ondelete="CASCADE"),
)

# Filters that people have saved. `usual` is of one of a person's at most: what the bare address shows.
filters = Table(
    "filters",
    metadata,
    Column("principal", String, nullable=False),
    Column("name", String, nullable=False),
    Column("address", Text, nullable=False),
    Column("usual", Boolean, nullable=False),
    PrimaryKeyConstraint("principal", "name"),
)

# How often each kind of what pages show has changed; a page whose kinds have not changed need not be made anew.
versions = Table(
    "versions",
    metadata,
    Column("kind", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
)

# One row for each terminal that has asked for a machine: which it got, whether its keytab `proved` who it is, and from
# where it came. `working` is until when somebody looks for one; `token` the digest of what the terminal's browser holds
# (NULL until it has fetched the machine), `seen` its last sign of life.
seats = Table(
    "seats",
    metadata,
    Column("terminal", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("proved", Boolean, nullable=False),
    Column("whence", String, nullable=False),
    Column("working", Double, nullable=False),
    Column("problem", Text, nullable=False, server_default=""),
    Column("host", String),
    Column("uuid", String),
    Column("machine", String),
    Column("since", Double),
    Column("address", String),
    Column("screen", String),
    Column("token", String),
    Column("csrf", String),
    Column("expires", Double),
    Column("seen", Double),
    Index("seats_by_token", "token"),
    Index("seats_by_machine", "host", "uuid"),
)

# How large the disks of profiles are together, in octets, as their hosts said last.
profile_sizes = Table(
    "profile_sizes",
    metadata,
    Column("host", String, nullable=False),
    Column("uuid", String, nullable=False),
    Column("capacity", BigInteger, nullable=False),
    PrimaryKeyConstraint("host", "uuid"),
    ForeignKeyConstraint(["host"], ["hosts.name"], ondelete="CASCADE"),
)

# Who does what only one may do at a time, of all portals that share the database.
leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until", Double, nullable=False),
)
