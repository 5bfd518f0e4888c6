"""What a row of the table of verbs is made of: arguments, options, deadlines, and all that is true of one verb."""

# Kinds of argument, and how `xman.arguments` reads them.
DOMAIN = "domain"  # a name, a UUID or a numeric id
PAST = "past"  # a name or a UUID, of a domain that may be gone: without a host in front it is asked for everywhere
COUNT = "count"  # a number from 1
MEMORY = "memory"  # MiB, or a number with a unit
NEW = "new"  # the name of a domain that is to be; rxm takes several, the wire carries one
TEXT = "text"  # the text of a file; rxm reads the file, the wire carries the text
WORD = "word"  # anything without white space
SECONDS = "seconds"
HOSTS = "hosts"  # hosts to be asked, in place of those of -H; rxm reads them, the wire carries none
LOCAL = "local"  # a file where rxm runs, whose contents go there or come from there; the wire carries no word for it
AGE = "age"  # seconds, or 0

# Which way an image goes.
UP, DOWN = "up", "down"

# How long a caller waits by default (DESIGN, "-t"): reading verbs, changing ones, those that wait; `none`
# gives up only when nothing has moved for a while.
READ = "read"
CHANGE = "change"
WAIT = "wait"
NONE = "none"
# Also for a changing verb that was asked to wait for what it set off.
WAIT_SECONDS = 300.0
DEADLINES: dict[str, float | None] = {READ: 30.0, CHANGE: 120.0, WAIT: WAIT_SECONDS, NONE: None}

# What a family is about, for people.
TITLES = {
    "": "About rxm and hosts",
    "show": "Looking at domains",
    "life": "Life cycle",
    "tune": "Memory and CPUs",
    "migrate": "Migration",
    "batch": "Batch jobs",
    "console": "Consoles and screens",
    "launch": "Machines from images",
    "storage": "Storage",
    "host": "The host",
}
# What is not looking: to clear the host's message buffer, and to read why others did what they did.
AUDIT = "audit"
FAMILIES = ("show", "host", "life", "tune", "migrate", "batch", "console", "launch", "storage", AUDIT)


class Argument:
    """One positional argument: how it is named in a usage line and how it is read.

    Of a `secret` one no word is written down: it is what somebody types.
    """

    __slots__ = ("kind", "many", "name", "optional", "secret")

    def __init__(self, name: str, kind: str, optional: bool = False, many: bool = False, secret: bool = False) -> None:
        self.name = name
        self.kind = kind
        self.optional = optional
        self.many = many
        self.secret = secret

    def usage(self) -> str:
        """Return it as a usage line shows it."""
        text = f"{self.name}..." if self.many else self.name
        return f"[{text}]" if self.optional else text


class Option:
    """One option: `names` (the long one last), and the kind of its value, or None for a flag.

    `without` names the verb's arguments that are not given where this option is. A `local` one is rxm's own: on the
    wire a changing command carries exactly one DOMAIN. `since` is the release that introduced it: an older xmand gets
    the command without it where it is `droppable`, since what is done is the same; elsewhere that is an error. Of a
    `secret` one no value is written down: it is what somebody types.
    """

    __slots__ = ("droppable", "help", "kind", "local", "metavar", "names", "secret", "since", "without")

    def __init__(
        self,
        names: tuple[str, ...],
        summary: str,
        kind: str | None = None,
        metavar: str = "",
        without: tuple[str, ...] = (),
        local: bool = False,
        since: str = "0.1",
        droppable: bool = False,
        secret: bool = False,
    ) -> None:
        self.names = names
        self.help = summary
        self.kind = kind
        self.metavar = metavar
        self.without = without
        self.local = local
        self.since = since
        self.droppable = droppable
        self.secret = secret

    @property
    def key(self) -> str:
        """The name under which its value is found: the long name without dashes in front."""
        return self.names[-1].lstrip("-")

    def usage(self) -> str:
        """Return it as a usage line shows it."""
        return "[" + "|".join(self.names) + (f" {self.metavar}" if self.metavar else "") + "]"


class Required(Option):
    """An option that must be given; the verb itself says so where it is not."""

    __slots__ = ()

    def usage(self) -> str:
        """Return it as a usage line shows it: without brackets."""
        return super().usage()[1:-1]


class Verb:
    """One verb, and all that is true of it.

    What it does:
    `changes`: it changes something, so it is audited before it acts and is never repeated blindly.
    `loses_data`: what it does cannot be undone; numeric ids and short prefixes are refused.
    `outlives_us`: it goes on when rxm is gone, so that Ctrl-C has to abort it (`rxm.strategies.migrate`).
    `undone_by`: the verb that undoes it with the same `--id`; on several domains it is all or nothing.
    `moves`: it takes domains to other hosts; with `--all` those that are off go along, to all hosts of HOST.
    `busy`: what its domain is doing meanwhile, where that takes so long that nobody waits behind it.
    `while_moving`: it may be done to a domain that is on its way from or to another host.
    `past_monitor`: it may be done to a guest that does not answer its monitor.
    `question`: what `--all` asks back, {} being which domains.
    `follows_unless`: it is answered in parts, until somebody ends it, unless one of these options is given; of a verb
    that has none only `--follow` is.
    `streams`: it is always answered in parts, octets for a program, and takes such.
    `completes`: such a one is waited for where xmand is told to end, as changes are.
    `transfers`: which way these are an image (`xman.transfer`), of a file where rxm runs: `UP` to the host, or `DOWN`.
    `journalled`: with one of these options it is written down as a change is, though it is never repeated.
    `since`: the release that introduced it.

    How it is shown:
    `merges`: what several hosts say is one table, or one row of blocks (`xman.render.merged`).
    `coloured`: on a terminal the states in its table are in colour.
    `headed`: its text is a table below one line of headings.
    `columns`: those of its table in a shape of the caller's own choice, in order; or
    `rows`: of which kind its rows are in `result.schema.json`, where the columns stand (`xman.fields.columns`).
    `of_hosts`: its table has a line for each host, one that did not answer as well.
    `octets`: what it says is not a text, but octets for a file.
    `paged`: it may be long, and is sent in pages as they are made.
    `edited`: the argument that rxm lets a person write in an editor where it is not given.

    Who may use it:
    `courtesy`: whoever may use anything may use it.
    `filtered`: it shows a part of what it would otherwise: the domains that are the caller's own.
    `schedulers`: it says for how long others have to wait; no owner of a job may be given it.
    `owners`: the owner of the only jobs in a domain may use it on that domain, where nothing else is configured.
    `launchers`: who launched a machine may use it on that one, likewise, beside what `owners` may.
    `tells_list`: its result says which list the host has.
    `audits`: a part of it takes the family `audit`.
    """

    __slots__ = (
        "arguments",
        "audits",
        "busy",
        "changes",
        "coloured",
        "columns",
        "completes",
        "courtesy",
        "deadline",
        "edited",
        "family",
        "filtered",
        "follows_unless",
        "headed",
        "help",
        "journalled",
        "launchers",
        "loses_data",
        "merges",
        "moves",
        "name",
        "octets",
        "of_hosts",
        "options",
        "outlives_us",
        "owners",
        "paged",
        "past_monitor",
        "question",
        "rows",
        "schedulers",
        "since",
        "streams",
        "tells_list",
        "transfers",
        "undone_by",
        "while_moving",
    )

    def __init__(
        self,
        name: str,
        summary: str,
        family: str,
        arguments: tuple[Argument, ...] = (),
        options: tuple[Option, ...] = (),
        changes: bool = False,
        loses_data: bool = False,
        deadline: str = "",
        since: str = "0.1",
        merges: bool = False,
        outlives_us: bool = False,
        undone_by: str = "",
        moves: bool = False,
        busy: str = "",
        while_moving: bool = False,
        question: str = "",
        coloured: bool = False,
        headed: bool = False,
        columns: tuple[str, ...] = (),
        rows: str = "",
        courtesy: bool = False,
        filtered: bool = False,
        owners: bool = False,
        launchers: bool = False,
        schedulers: bool = False,
        tells_list: bool = False,
        audits: bool = False,
        follows_unless: tuple[str, ...] = (),
        journalled: tuple[str, ...] = (),
        of_hosts: bool = False,
        streams: bool = False,
        completes: bool = False,
        octets: bool = False,
        transfers: str = "",
        paged: bool = False,
        past_monitor: bool = False,
        edited: str = "",
    ) -> None:
        self.name = name
        self.help = summary
        self.family = family
        self.merges = merges
        self.outlives_us = outlives_us
        self.undone_by = undone_by
        self.arguments = arguments
        self.options = options
        self.changes = changes
        self.loses_data = loses_data
        self.deadline = deadline or (CHANGE if changes else READ)
        self.since = since
        self.moves = moves
        self.busy = busy
        self.while_moving = while_moving
        self.question = question
        self.coloured = coloured
        self.headed = headed
        self.columns = columns
        self.rows = rows
        self.courtesy = courtesy
        self.filtered = filtered
        self.owners = owners
        self.launchers = launchers
        self.schedulers = schedulers
        self.tells_list = tells_list
        self.audits = audits
        self.follows_unless = follows_unless
        self.journalled = journalled
        self.of_hosts = of_hosts
        self.streams = streams
        self.completes = completes
        self.octets = octets
        self.transfers = transfers
        self.paged = paged
        self.past_monitor = past_monitor
        self.edited = edited

    def usage(self) -> str:
        """Return the usage line, without the program's name."""
        parts = [self.name, *(o.usage() for o in self.options), *(a.usage() for a in self.arguments)]
        return " ".join(parts)

    def facts(self) -> dict[str, object]:
        """Return what `help` says of it, as the verb's result has it."""
        options = [
            {"names": list(option.names), "metavar": option.metavar, "help": option.help} for option in self.options
        ]
        return {"verb": self.name, "usage": self.usage(), "help": self.help, "since": self.since, "options": options}

    @property
    def default_seconds(self) -> float | None:
        """How long a caller waits by default; None as long as something moves."""
        return DEADLINES[self.deadline]

    @property
    def makes(self) -> bool:
        """Whether it makes domains, each on one host of those that are asked."""
        return any(argument.kind == NEW for argument in self.arguments)

    @property
    def takes_domain(self) -> bool:
        """Whether its first argument names exactly one domain, so that rxm sends one command per domain."""
        return bool(self.arguments) and self.arguments[0].kind == DOMAIN and not self.arguments[0].many
