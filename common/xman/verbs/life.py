"""Rows of the verbs that begin, end, move and name domains."""

from xman.grammar import NONE, SECONDS, TEXT, WORD, Argument, Option, Verb
from xman.verbs.words import DRY_RUN, OF_DOMAIN

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
            Option(
                ("--discard-saved",), "drop its saved memory, and boot it: for an image that is broken", since="0.2"
            ),
        ),
        changes=True,
        launchers=True,
    ),
    Verb(
        "delete",
        "forget a domain that is off",
        "life",
        OF_DOMAIN,
        (Option(("--snapshots",), "with its snapshots, which are deleted first", since="0.2"),),
        changes=True,
        loses_data=True,
    ),
    Verb("suspend", "save a domain's memory to disk, and stop it", "life", OF_DOMAIN, changes=True, deadline=NONE),
    Verb("resume", "go on with a suspended domain", "life", OF_DOMAIN, (_PAUSED,), changes=True),
    Verb(
        "autostart",
        "start a domain with its host, or not",
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
            Option(("--force-after",), "wait so many seconds, then destroy it", SECONDS, "S"),
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
        (Option(("-w", "--wait"), "return when it has"), *_ALL),
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
        (*OF_DOMAIN, Argument("FILE", WORD, optional=True)),
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
        (*OF_DOMAIN, Argument("NEWNAME", WORD)),
        changes=True,
        since="0.2",
    ),
    Verb(
        "clone",
        "make a copy of a domain that is off, its disks as well",
        "life",
        (*OF_DOMAIN, Argument("NEWNAME", WORD)),
        (
            Option(("--pool",), "put the copies into this storage pool, not beside their originals", WORD, "POOL"),
            DRY_RUN,
        ),
        changes=True,
        deadline=NONE,
        busy="being cloned",
        since="0.2",
    ),
    Verb(
        "edit",
        "change a domain's description in an editor ($EDITOR), or by FILE",
        "life",
        (*OF_DOMAIN, Argument("FILE", TEXT, optional=True)),
        (
            Option(("--was",), "with FILE: the SHA-256 of the description that it was made of", WORD, "DIGEST"),
            DRY_RUN,
        ),
        changes=True,
        since="0.2",
        edited="FILE",
    ),
    Verb(
        "label",
        "give a domain labels, or take them away; without any, print those it has",
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
        (Option(("--this-run",), "only until it is off: one that runs, and that nobody has had since it was started"),),
        changes=True,
        since="0.2",
    ),
    Verb("pause", "stop a domain's CPUs", "life", OF_DOMAIN, changes=True, owners=True),
    Verb(
        "unpause",
        "let a paused domain go on",
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
)
