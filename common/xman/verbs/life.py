"""Rows of the verbs that begin, end, move and name domains."""

from xman.grammar import NEW, NONE, SECONDS, TEXT, WORD, Argument, Option, Verb
from xman.verbs.words import DRY_RUN, OF_DOMAIN

_PAUSED = Option(("-p", "--paused"), "leave its CPUs stopped")
# What is described: libvirt XML, an xm or xl configuration, or SXP; the words behind it are xm's, and win over it.
_DESCRIPTION = (Argument("FILE", TEXT), Argument("KEY=VALUE", WORD, optional=True, many=True))
_FORMATS = (
    Option(("--convert",), "convert a Xen guest to one that this hypervisor can run"),
    Option(("--strict",), "refuse keys without an equivalent on this host"),
    Option(
        ("--format",), "whose defaults hold if FILE does not show whose it is: xm or xl", WORD, "xm|xl", since="0.2"
    ),
)
_ALL = (
    Option(("-a", "--all"), "every domain that runs on the host, instead of DOMAIN", without=("DOMAIN",), local=True),
    Option(("-y", "--yes"), "with --all: do not ask back", local=True),
)

LIFE = (
    Verb(
        "create",
        "define and start a domain from a description",
        "life",
        _DESCRIPTION,
        (
            Option(("--transient",), "forget it when it stops"),
            _PAUSED,
            Option(("-n", "--dry-run"), "only show what would be defined"),
            Option(("--as-new",), "with --dry-run: as if there were no domain of its name", since="0.2"),
            *_FORMATS,
        ),
        changes=True,
    ),
    Verb("new", "define a domain from a description", "life", _DESCRIPTION, _FORMATS, changes=True),
    Verb(
        "start",
        "start a defined domain",
        "life",
        OF_DOMAIN,
        (
            _PAUSED,
            Option(("--discard-saved",), "drop its saved memory and boot it, if the image is broken", since="0.2"),
            Option(("--force",), "a client, though its profile is for other laboratories", since="0.2"),
            Option(("--evict",), "a profile: its clients are shut down first", since="0.2"),
            Option(("--boot",), "this once from its CD (cdrom)", WORD, "cdrom", since="0.2"),
            Option(("--cd",), "with --boot: from this image on its host", WORD, "FILE", since="0.2"),
        ),
        changes=True,
        launchers=True,
    ),
    Verb(
        "delete",
        "forget a domain that is off",
        "life",
        OF_DOMAIN,
        (Option(("--snapshots",), "delete its snapshots first", since="0.2"),),
        changes=True,
        loses_data=True,
    ),
    Verb("suspend", "save a domain's memory to disk, and stop it", "life", OF_DOMAIN, changes=True, deadline=NONE),
    Verb("resume", "resume a suspended domain", "life", OF_DOMAIN, (_PAUSED,), changes=True),
    Verb(
        "autostart",
        "start a domain with its host, or no longer",
        "life",
        (*OF_DOMAIN, Argument("on|off", WORD)),
        changes=True,
    ),
    Verb(
        "destroy",
        "stop a domain at once",
        "life",
        OF_DOMAIN,
        changes=True,
        loses_data=True,
        while_moving=True,
        past_monitor=True,
        launchers=True,
    ),
    Verb(
        "shutdown",
        "ask a domain to shut itself down",
        "life",
        OF_DOMAIN,
        (
            Option(("-w", "--wait"), "return when it is off"),
            Option(("--force-after",), "wait S seconds, then destroy it", SECONDS, "S"),
            *_ALL,
        ),
        changes=True,
        past_monitor=True,
        question="Shut down {}",
        owners=True,
    ),
    Verb(
        "reboot",
        "ask a domain to restart itself",
        "life",
        OF_DOMAIN,
        (Option(("-w", "--wait"), "return when it has restarted"), *_ALL),
        changes=True,
        question="Restart {}",
        owners=True,
    ),
    Verb(
        "save",
        "save a domain's memory to a file of its host, and stop it",
        "life",
        (*OF_DOMAIN, Argument("FILE", WORD)),
        changes=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "restore",
        "resume a domain that was saved to a file",
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
        (*OF_DOMAIN, Argument("FILE", WORD, optional=True)),
        (
            Option(("-L", "--live"), "keep it running meanwhile"),
            Option(("-C", "--crash"), "crash it afterwards"),
        ),
        changes=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "rename",
        "rename a domain that is off",
        "life",
        (*OF_DOMAIN, Argument("NEWNAME", WORD)),
        (DRY_RUN,),
        changes=True,
        since="0.2",
    ),
    Verb(
        "clone",
        "copy a domain that is off, with its disks",
        "life",
        (*OF_DOMAIN, Argument("NEWNAME", WORD)),
        (
            Option(("--pool",), "put the copies into this storage pool instead of beside the originals", WORD, "POOL"),
            DRY_RUN,
        ),
        changes=True,
        deadline=NONE,
        busy="being cloned",
        since="0.2",
    ),
    Verb(
        "edit",
        "change a domain's description, in an editor ($EDITOR) or from FILE",
        "life",
        (*OF_DOMAIN, Argument("FILE", TEXT, optional=True)),
        (
            Option(("--was",), "with FILE: the SHA-256 of the description that FILE was made from", WORD, "DIGEST"),
            DRY_RUN,
        ),
        changes=True,
        since="0.2",
        edited="FILE",
    ),
    Verb(
        "label",
        "set, remove or print a domain's labels",
        "life",
        (*OF_DOMAIN, Argument("KEY=VALUE|KEY-", WORD, optional=True, many=True)),
        (DRY_RUN,),
        changes=True,
        since="0.2",
    ),
    Verb(
        "assign",
        "make a domain a terminal's machine, or nobody's any more",
        "life",
        (*OF_DOMAIN, Argument("TERMINAL|off", WORD)),
        (
            Option(
                ("--this-run",), "only until it is off: one that runs, and that nobody has had since it was started"
            ),
            DRY_RUN,
        ),
        changes=True,
        since="0.2",
    ),
    Verb(
        "profile",
        "let a domain be one whose disks its clients begin with, or not",
        "life",
        (*OF_DOMAIN, Argument("on|off", WORD)),
        (
            Option(("--labs",), "only for these laboratories, with commas", WORD, "LABS"),
            Option(("--force",), "also where this host belongs to none of them"),
            DRY_RUN,
        ),
        changes=True,
        since="0.2",
    ),
    Verb(
        "profile-client",
        "make clients of a profile: each begins with its disks, and writes to its own",
        "life",
        (*OF_DOMAIN, Argument("NAME", NEW)),
        (
            Option(("--keep",), "keep what it writes; otherwise each start begins anew"),
            Option(("--pool",), "put its disks into this storage pool, not beside the profile's", WORD, "POOL"),
            Option(("--force",), "also where the profile is for other laboratories than this host's"),
            DRY_RUN,
        ),
        changes=True,
        since="0.2",
    ),
    Verb("pause", "stop a domain's CPUs", "life", OF_DOMAIN, changes=True, owners=True),
    Verb(
        "unpause",
        "continue a paused domain",
        "life",
        OF_DOMAIN,
        (
            Option(
                ("--take-over",),
                "also one that has arrived, not confirmed: its host is gone for good, and nothing of it runs there",
                since="0.2",
            ),
        ),
        changes=True,
        owners=True,
    ),
    Verb(
        "migrate",
        "move a domain to another host",
        "migrate",
        (*OF_DOMAIN, Argument("HOST", WORD)),
        (
            Option(("-l", "--live"), "keep it running meanwhile"),
            Option(
                ("--suspend-after",), "with --live: pause it after S seconds, so that the migration ends", SECONDS, "S"
            ),
            Option(("--copy-storage",), "copy its disks as well, if they are files of its host", since="0.2"),
            Option(("--force",), "move a domain with jobs even if a domain there has jobs"),
            Option(("--abort",), "stop a migration that is under way; takes no HOST", without=("HOST",)),
            Option(("-n", "--dry-run"), "move nothing; only say whether it could move there now", since="0.2"),
            *_ALL,
        ),
        changes=True,
        deadline=NONE,
        outlives_us=True,
        moves=True,
        busy="migrating",
        question="Move {} to {HOST}",
    ),
)
