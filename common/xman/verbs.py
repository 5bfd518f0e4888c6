"""The table of verbs, written once.

Dispatch in xmand, `help`, rxm's prefixes and the manual page are made from this table or tested against it. Names and
grammar follow xm(1); `families` are what an authorizer can grant.
"""

from xman.grammar import (
    AGE,
    COUNT,
    DOMAIN,
    HOSTS,
    MEMORY,
    NONE,
    PAST,
    SECONDS,
    TEXT,
    WAIT,
    WORD,
    Argument,
    Option,
    Required,
    Verb,
)

_DOMAIN = (Argument("DOMAIN", DOMAIN),)
# What `list --state` tells apart: xm's words (xen 3.2, XEN_API_VM_POWER_STATE).
POWER_STATES = ("halted", "paused", "running", "suspended", "shutdown", "unknown", "all")
# What `wait --for` takes: the words of `result.domains[].state`, and two that mean more than one of them.
OFF = "off"
GONE = "gone"
WAIT_STATES = (
    "running",
    "blocked",
    "paused",
    "shutdown",
    "shutoff",
    "crashed",
    "pmsuspended",
    "nostate",
    OFF,
    GONE,
)
_PAUSED = Option(("-p", "--paused"), "leave its CPUs stopped")
# What is described: libvirt XML, an xm or xl configuration, or SXP; the words behind it are xm's, and win over it.
_DESCRIPTION = (Argument("FILE", TEXT), Argument("KEY=VALUE", WORD, optional=True, many=True))
_FORMATS = (
    Option(("--convert",), "make a Xen guest one that this hypervisor can run"),
    Option(("--strict",), "refuse keys that nothing stands for here"),
    Option(
        ("--format",), "whose defaults hold where FILE does not show whose it is: xm or xl", WORD, "xm|xl", since="0.2"
    ),
)
_ALL = (
    Option(("-a", "--all"), "every domain that runs on the host, in place of DOMAIN", without=("DOMAIN",), local=True),
    Option(("-y", "--yes"), "with --all: do not ask back", local=True),
)
_FOLLOW = Option(("-f", "--follow"), "all of it first, then each domain that changes, until -t or Ctrl-C", since="0.2")
_DRY_RUN = Option(("-n", "--dry-run"), "only say what would be done")
_JOB = (Required(("--id",), "the job's id", WORD, "JOB"),)
_PREEMPTIBLE = Option(("--preemptible",), "a domain with priority may take the host from it")

VERBS = (
    Verb(
        "help",
        "all verbs, or one of them",
        "",
        (Argument("VERB", WORD, optional=True),),
        (Option(("--mine",), "only the verbs that the host lets you use; this asks it", local=True),),
        columns=("name", "family", "help"),
        courtesy=True,
    ),
    Verb(
        "list",
        "every domain, shut off ones too",
        "show",
        (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
        (
            Option(("-l", "--long"), "UUID, maximum memory and CPUs, and the reason of the state as well"),
            Option(("--state",), f"only those in this state: {', '.join(POWER_STATES)}", WORD, "S"),
            Option(
                ("--label",),
                "only those with this label, or all of several with commas; * in a value is anything",
                WORD,
                "KEY[=VALUE]",
                since="0.2",
            ),
            Option(("-w", "--watch"), "on one screen, as it changes; q ends it", local=True, since="0.2"),
            _FOLLOW,
        ),
        merges=True,
        coloured=True,
        headed=True,
        rows="domain",
        filtered=True,
        owners=True,
    ),
    Verb(
        "describe",
        "libvirt's XML description of a domain",
        "show",
        _DOMAIN,
        (Option(("--inactive",), "as it is kept for the next start"),),
        owners=True,
    ),
    Verb(
        "stats",
        "what domains use: CPU, memory, network, disks, addresses",
        "show",
        (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
        (Option(("--host",), "what the host uses instead: CPU, load, memory, storage pools"),),
        merges=True,
        columns=("name", "id", "cpu_percent", "cpu_seconds", "memory"),
        filtered=True,
        owners=True,
    ),
    Verb(
        "wait",
        "return when a domain has reached a state",
        "show",
        _DOMAIN,
        (Required(("--for",), f"the state: {', '.join(WAIT_STATES)}", WORD, "STATE"),),
        deadline=WAIT,
        owners=True,
    ),
    Verb(
        "events",
        "what has happened to domains, or happens to them",
        "show",
        (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
        (Option(("-f", "--follow"), "from now on, one event at a time, until -t or Ctrl-C"),),
        columns=("at", "domain", "event", "detail"),
    ),
    Verb(
        "uptime",
        "since when domains run",
        "show",
        (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
        since="0.2",
        headed=True,
    ),
    Verb(
        "vcpu-list",
        "domains' virtual CPUs: where each is, and where it may run",
        "show",
        (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
        since="0.2",
        headed=True,
        columns=("name", "id", "number", "cpu", "state", "cpu_seconds", "affinity"),
    ),
    Verb(
        "block-list",
        "a domain's disks",
        "show",
        _DOMAIN,
        since="0.2",
        headed=True,
        columns=("name", "target", "device", "bus", "read_only", "source"),
    ),
    Verb(
        "network-list",
        "a domain's network interfaces",
        "show",
        _DOMAIN,
        since="0.2",
        headed=True,
        columns=("name", "device", "type", "mac", "source", "model"),
    ),
    Verb(
        "snapshot-list",
        "a domain's snapshots, the oldest first",
        "show",
        _DOMAIN,
        since="0.2",
        headed=True,
        columns=("snapshot", "created", "state", "parent", "current", "kind", "description"),
    ),
    Verb(
        "console",
        "a domain's console; ^] leaves it",
        "console",
        _DOMAIN,
        (
            Option(("--no-stdin",), "only look; implied where standard input is not a terminal", local=True),
            Option(("--log",), "print what the domain printed so far; with --follow, go on"),
            Option(("--lines",), "with --log: only the last so many lines", COUNT, "N"),
            Option(("--follow",), "with --log: go on with what comes"),
            Option(("--send",), r"type TEXT and leave; it knows \n, \r, \t, \e and \\", WORD, "TEXT", secret=True),
            Option(("--keep",), "wait for the domain's next start, and go on"),
            Option(("--force",), "take the console from who has it outside xman"),
            Option(("--device",), "another console or serial port, by its alias", WORD, "NAME"),
            Option(("--raw",), "write control characters as they are, also where nothing is typed", local=True),
        ),
        since="0.2",
        follows_unless=("log", "send"),
        journalled=("input", "send"),
    ),
    Verb(
        "screenshot",
        "a picture of a domain's screen, as PNG or PPM",
        "console",
        _DOMAIN,
        (
            Option(("--output",), "write it to FILE, in the format that its name ends with", WORD, "FILE", local=True),
            Option(("--format",), "png or ppm", WORD, "FORMAT", local=True),
        ),
        since="0.2",
        octets=True,
    ),
    Verb(
        "vnc",
        "a domain's screen, by VNC",
        "console",
        _DOMAIN,
        (
            Option(("--viewer",), "start this program on it; it gets the socket's path", WORD, "COMMAND", local=True),
            Option(("--socket",), "let viewers connect to this socket", WORD, "PATH", local=True),
            Option(("--port",), "let viewers connect to this port of 127.0.0.1", COUNT, "N", local=True),
            Option(("--stdio",), "one viewer, on standard input and output", local=True),
            Option(("--view-only",), "only look: keys and the mouse are not handed on"),
            Option(("--yes",), "do not ask", local=True),
        ),
        since="0.2",
        streams=True,
        journalled=("input",),
    ),
    Verb(
        "send-key",
        "press keys of a domain's keyboard together: ctrl-alt-del",
        "console",
        (*_DOMAIN, Argument("KEY", WORD, many=True, secret=True)),
        changes=True,
        since="0.2",
    ),
    Verb(
        "info",
        "the host: CPUs, memory, hypervisor",
        "host",
        (),
        (Option(("-c", "--config"), "how xmand is configured there, instead", since="0.2"),),
    ),
    Verb(
        "dmesg",
        "the hypervisor's message buffer, or what stands for it",
        "host",
        (),
        (Option(("-c", "--clear"), "clear the buffer after printing it"),),
        audits=True,
    ),
    Verb(
        "log",
        "who changed what, when, why, and with which outcome",
        "host",
        (Argument("DOMAIN", PAST, optional=True),),
        (
            Option(("--since",), "from then on: 90m, 12h, 7d, 2026-11-21, 2026-11-21T10:00", WORD, "T"),
            Option(("--principal",), "only what this one changed", WORD, "P"),
        ),
        headed=True,
        columns=("at", "principal", "verb", "domain", "class", "ms", "reason"),
        audits=True,
    ),
    Verb(
        "ping",
        "is the host there, as whom am I known, what may I do",
        "host",
        merges=True,
        headed=True,
        courtesy=True,
        tells_list=True,
    ),
    Verb(
        "version",
        "the versions of xmand, libvirt and the hypervisor",
        "host",
        tells_list=True,
    ),
    Verb(
        "hosts",
        "how the hosts are: there or not, versions, load, memory, maintenance",
        "host",
        (Argument("HOST", HOSTS, optional=True, many=True),),
        since="0.2",
        merges=True,
        headed=True,
        columns=(
            "host",
            "state",
            "xmand_version",
            "running",
            "domains",
            "nr_cpus",
            "load",
            "total_memory",
            "free_memory",
            "problem",
        ),
        tells_list=True,
        of_hosts=True,
    ),
    Verb(
        "access",
        "who may do what where",
        "",
        (Argument("HOST", HOSTS, optional=True, many=True),),
        (
            Option(("--mine",), "only what I may, also where I may see what everybody may"),
            Option(("--principal",), "only what this one may", WORD, "P"),
        ),
        since="0.2",
        merges=True,
        headed=True,
        columns=("principal", "method", "role", "as_root", "verbs", "domains"),
        courtesy=True,
        tells_list=True,
    ),
    Verb(
        "create",
        "define and start a domain from a description",
        "life",
        _DESCRIPTION,
        (
            Option(("--transient",), "forget it when it stops"),
            _PAUSED,
            Option(("-n", "--dry-run"), "only show what would be defined"),
            *_FORMATS,
        ),
        changes=True,
    ),
    Verb("new", "define a domain from a description", "life", _DESCRIPTION, _FORMATS, changes=True),
    Verb(
        "start",
        "start a defined domain",
        "life",
        _DOMAIN,
        (
            _PAUSED,
            Option(
                ("--discard-saved",), "drop its saved memory, and boot it: for an image that is broken", since="0.2"
            ),
        ),
        changes=True,
    ),
    Verb(
        "delete",
        "forget a domain that is off",
        "life",
        _DOMAIN,
        (Option(("--snapshots",), "with its snapshots, which are deleted first", since="0.2"),),
        changes=True,
        loses_data=True,
    ),
    Verb("suspend", "save a domain's memory to disk, and stop it", "life", _DOMAIN, changes=True, deadline=NONE),
    Verb("resume", "go on with a suspended domain", "life", _DOMAIN, (_PAUSED,), changes=True),
    Verb(
        "autostart",
        "start a domain with its host, or not",
        "life",
        (*_DOMAIN, Argument("on|off", WORD)),
        changes=True,
    ),
    Verb("destroy", "stop a domain at once", "life", _DOMAIN, changes=True, loses_data=True, while_moving=True),
    Verb(
        "shutdown",
        "ask a domain to shut itself down",
        "life",
        _DOMAIN,
        (
            Option(("-w", "--wait"), "return when it is off"),
            Option(("--force-after",), "wait so many seconds, then destroy it", SECONDS, "S"),
            *_ALL,
        ),
        changes=True,
        question="Shut down {}",
        owners=True,
    ),
    Verb(
        "reboot",
        "ask a domain to restart itself",
        "life",
        _DOMAIN,
        (Option(("-w", "--wait"), "return when it has"), *_ALL),
        changes=True,
        question="Restart {}",
        owners=True,
    ),
    Verb(
        "save",
        "save a domain's memory to a file of its host, and stop it",
        "life",
        (*_DOMAIN, Argument("FILE", WORD)),
        changes=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "restore",
        "go on with what was saved in a file",
        "life",
        (Argument("FILE", WORD),),
        (_PAUSED,),
        changes=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "dump-core",
        "write a domain's memory to a file of its host, for a debugger",
        "life",
        (*_DOMAIN, Argument("FILE", WORD, optional=True)),
        (
            Option(("-L", "--live"), "let it go on meanwhile"),
            Option(("-C", "--crash"), "and leave it crashed"),
        ),
        changes=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "rename",
        "give a domain that is off another name",
        "life",
        (*_DOMAIN, Argument("NEWNAME", WORD)),
        changes=True,
        since="0.2",
    ),
    Verb(
        "label",
        "give a domain labels, or take them away; without any, print those it has",
        "life",
        (*_DOMAIN, Argument("KEY=VALUE|KEY-", WORD, optional=True, many=True)),
        (_DRY_RUN,),
        changes=True,
        since="0.2",
    ),
    Verb(
        "block-attach",
        "give a domain one more disk",
        "life",
        (*_DOMAIN, Argument("UNAME", WORD), Argument("DEV", WORD), Argument("MODE", WORD, optional=True)),
        (_DRY_RUN,),
        changes=True,
        since="0.2",
    ),
    Verb(
        "block-detach",
        "take a disk from a domain",
        "life",
        (*_DOMAIN, Argument("DEV", WORD)),
        (Option(("-f", "--force"), "also one that the guest has mounted, as its agent says"), _DRY_RUN),
        changes=True,
        since="0.2",
    ),
    Verb(
        "block-resize",
        "let a domain's disk be larger",
        "life",
        (*_DOMAIN, Argument("DEV", WORD), Argument("SIZE", MEMORY)),
        (_DRY_RUN,),
        changes=True,
        since="0.2",
    ),
    Verb(
        "cd-insert",
        "put a medium into a domain's drive, in the place of what is in it",
        "life",
        (*_DOMAIN, Argument("DEV", WORD), Argument("FILE", WORD)),
        (Option(("--force",), "open the tray though the guest keeps it shut"), _DRY_RUN),
        changes=True,
        since="0.2",
    ),
    Verb(
        "cd-eject",
        "take the medium out of a domain's drive",
        "life",
        (*_DOMAIN, Argument("DEV", WORD, optional=True)),
        (Option(("--force",), "open the tray though the guest keeps it shut"), _DRY_RUN),
        changes=True,
        since="0.2",
    ),
    Verb(
        "network-attach",
        "give a domain one more network interface",
        "life",
        (*_DOMAIN, Argument("KEY=VALUE", WORD, optional=True, many=True)),
        (_DRY_RUN,),
        changes=True,
        since="0.2",
    ),
    Verb(
        "network-detach",
        "take a network interface from a domain",
        "life",
        (*_DOMAIN, Argument("DEV", WORD)),
        (_DRY_RUN,),
        changes=True,
        since="0.2",
    ),
    Verb(
        "snapshot",
        "keep what a domain is now, to go back to: its disks, and its memory where it runs",
        "life",
        (*_DOMAIN, Argument("NAME", WORD)),
        (Option(("--description",), "what it is for", WORD, "TEXT"), _DRY_RUN),
        changes=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "snapshot-revert",
        "let a domain be again what it was; everything since is lost",
        "life",
        (*_DOMAIN, Argument("NAME", WORD)),
        (_DRY_RUN,),
        changes=True,
        loses_data=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "snapshot-delete",
        "delete a snapshot; those made later stay",
        "life",
        (*_DOMAIN, Argument("NAME", WORD)),
        (_DRY_RUN,),
        changes=True,
        loses_data=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb("pause", "stop a domain's CPUs", "life", _DOMAIN, changes=True, owners=True),
    Verb("unpause", "let a paused domain go on", "life", _DOMAIN, changes=True, owners=True),
    Verb(
        "mem-set",
        "set a domain's memory, in MiB (4096, 4G)",
        "tune",
        (*_DOMAIN, Argument("MIB", MEMORY)),
        (Option(("--force",), "also below what a guest is likely to survive"),),
        changes=True,
    ),
    Verb("vcpu-set", "set a domain's number of CPUs", "tune", (*_DOMAIN, Argument("N", COUNT)), changes=True),
    Verb(
        "mem-max",
        "set the most memory that a domain may have, from its next start on",
        "tune",
        (*_DOMAIN, Argument("MIB", MEMORY)),
        changes=True,
        since="0.2",
    ),
    Verb(
        "vcpu-pin",
        "let a domain's virtual CPU, or all, run on these of the host's",
        "tune",
        (*_DOMAIN, Argument("VCPU|all", WORD), Argument("CPUS", WORD)),
        changes=True,
        since="0.2",
    ),
    Verb(
        "migrate",
        "move a domain to another host",
        "migrate",
        (*_DOMAIN, Argument("HOST", WORD)),
        (
            Option(("-l", "--live"), "keep it running meanwhile"),
            Option(("--suspend-after",), "with --live: pause it after so many seconds, so that it ends", SECONDS, "S"),
            Option(("--copy-storage",), "copy its disks as well, those that are files of its host", since="0.2"),
            Option(("--force",), "with jobs in it, also to where another domain has jobs"),
            Option(("--abort",), "stop a migration that is under way; takes no HOST", without=("HOST",)),
            Option(("-n", "--dry-run"), "only say whether it could move there now", since="0.2"),
            *_ALL,
        ),
        changes=True,
        deadline=NONE,
        outlives_us=True,
        moves=True,
        busy="migrating",
        question="Move {} to {HOST}",
    ),
    Verb(
        "state",
        "whether a job could go into a domain, and which are there",
        "batch",
        (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
        (_FOLLOW,),
        merges=True,
        coloured=True,
        headed=True,
        rows="guest",
        filtered=True,
        owners=True,
    ),
    Verb(
        "job-list",
        "the jobs in domains",
        "batch",
        (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
        merges=True,
        headed=True,
        columns=("domain", "id", "owner", "cpus", "preemptible", "start", "preempted", "state", "lease_left"),
    ),
    Verb(
        "job-start",
        "a job begins in a domain, which gets the host's memory and CPUs",
        "batch",
        _DOMAIN,
        (
            *_JOB,
            Required(("--owner",), "whose it is, a principal", WORD, "PRINCIPAL"),
            Option(("--cpus",), "how many CPUs it uses", COUNT, "N"),
            _PREEMPTIBLE,
            Option(
                ("--lease",),
                "it ends by itself after so many seconds, unless job-renew comes",
                SECONDS,
                "S",
                since="0.2",
            ),
            _DRY_RUN,
        ),
        changes=True,
        undone_by="job-stop",
    ),
    Verb(
        "job-renew",
        "a job in a domain goes on: its lease begins anew",
        "batch",
        _DOMAIN,
        (*_JOB, Option(("--lease",), "with so many seconds, instead of as many as before", SECONDS, "S"), _DRY_RUN),
        changes=True,
        since="0.2",
        schedulers=True,
    ),
    Verb(
        "job-claim",
        "keep a host for a job that is to start in a domain",
        "batch",
        _DOMAIN,
        (
            *_JOB,
            Option(("--seconds",), "for so long (60)", SECONDS, "S"),
            _PREEMPTIBLE,
            Option(("--release",), "keep it no longer"),
            _DRY_RUN,
        ),
        changes=True,
        since="0.2",
        undone_by="job-stop",
        schedulers=True,
    ),
    Verb("job-stop", "a job in a domain has ended", "batch", _DOMAIN, (*_JOB, _DRY_RUN), changes=True),
    Verb("preempt", "take the host from a domain, until unpreempt", "batch", _DOMAIN, (_DRY_RUN,), changes=True),
    Verb("unpreempt", "let a preempted domain go on", "batch", _DOMAIN, (_DRY_RUN,), changes=True),
    Verb(
        "freeze",
        "suspend a domain with its jobs, to disk",
        "batch",
        _DOMAIN,
        (Option(("--pause",), "in memory instead, as small as it will get"), _DRY_RUN),
        changes=True,
        deadline=NONE,
    ),
    Verb("defrost", "let a frozen domain go on", "batch", _DOMAIN, (_DRY_RUN,), changes=True, deadline=NONE),
    Verb(
        "maintenance",
        "let the host take no starts, jobs or incoming migrations, or take them again",
        "batch",
        (Argument("on|off", WORD), Argument("REASON", WORD, optional=True, many=True)),
        (_DRY_RUN,),
        changes=True,
    ),
)

BY_NAME = {verb.name: verb for verb in VERBS}
# What programs of ours ask hosts by themselves.
INFO, LIST, STATE = BY_NAME["info"], BY_NAME["list"], BY_NAME["state"]

# What rxm answers by itself, or by asking hosts for the verbs above.
OWN = {
    verb.name: verb
    for verb in (
        Verb(
            "check",
            "find out what is between you and a working command",
            "",
            (Argument("HOST", HOSTS, optional=True, many=True),),
            since="0.2",
        ),
        Verb("completion", "print the completion of a shell", "", (Argument("bash|zsh|fish", WORD),), since="0.2"),
        Verb(
            "top",
            "what domains use, again and again, busiest first; q ends it",
            "",
            (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
            (Option(("--every",), "show it anew after so many seconds (2)", SECONDS, "S"),),
            since="0.2",
        ),
    )
}

# Options that every command may carry on the wire, behind the verb (DESIGN, "The wire").
COMMON_OPTIONS = (
    Option(("--json",), "answer with one JSON object"),
    Option(("--rid",), "the request's id: 32 hexadecimal digits, the same in a retry", WORD, "HEX"),
    Option(("--reason",), "why, for the audit", WORD, "TEXT"),
    Option(("--input",), "while it follows, take what the client types, by an extension of the wire", since="0.2"),
    Option(("--alive",), "while it follows, send an OUTPUT without octets twice a minute: a sign of life"),
    Option(("--timeout",), "how long the caller will wait", SECONDS, "S"),
    Option(
        ("--max-age",),
        "of verbs that look: an answer that is at most so old will do (0)",
        AGE,
        "S",
        since="0.2",
        droppable=True,
    ),
)

# What may be shortened: the verbs of 2006 and 2007 only, so that a later verb never changes what a script means.
CLASSIC = (
    "help",
    "list",
    "create",
    "new",
    "start",
    "delete",
    "destroy",
    "shutdown",
    "reboot",
    "suspend",
    "resume",
    "pause",
    "unpause",
    "mem-set",
    "vcpu-set",
    "describe",
    "migrate",
    "dmesg",
    "info",
)
SHORTEST_PREFIX = 2
# Losing data takes more typing: at least `dest`, and `delete` in full.
_LONGER_PREFIX = {"destroy": 4, "delete": len("delete")}

# xm's old names for verbs that it renamed.
ALIASES = {"balloon": "mem-set", "set-vcpus": "vcpu-set"}


def resolve(word: str) -> tuple[str, str]:
    """Return (verb name, warning) for what a user typed: a name, an alias of xm's or a unique prefix.

    `warning` is empty, or a sentence about a deprecated alias. Raises LookupError with the message for the user.
    """
    if word in BY_NAME or word in OWN:
        return word, ""
    if word in ALIASES:
        name = ALIASES[word]
        return name, f"Command {word} is deprecated.  Please use rxm {name} instead."
    matches = [name for name in CLASSIC if name.startswith(word)] if len(word) >= SHORTEST_PREFIX else []
    if len(matches) == 1:
        (name,) = matches
        if len(word) < _LONGER_PREFIX.get(name, SHORTEST_PREFIX):
            raise LookupError(f"'{word}' is too short for {name}, which loses data; type more of it.")
        return name, ""
    if len(matches) > 1:
        raise LookupError(f"'{word}' may mean {', '.join(matches)}; type more of it.")
    raise LookupError(f"'{word}' is not a verb; 'rxm help' lists them.")
