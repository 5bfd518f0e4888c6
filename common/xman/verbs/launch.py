"""Rows of the verbs for machines from images."""

from xman.grammar import COUNT, MEMORY, NEW, NONE, TEXT, WORD, Argument, Option, Verb
from xman.verbs.words import DRY_RUN, OF_DOMAIN

LAUNCH = (
    Verb(
        "images",
        "the images that machines may be launched from, and what of one's share is taken",
        "launch",
        since="0.2",
        headed=True,
        columns=("image", "capacity", "format", "pool", "title"),
    ),
    Verb(
        "launch",
        "make machines of an image, and start them: one's own",
        "launch",
        (Argument("IMAGE", WORD), Argument("NAME", NEW)),
        (
            Option(("--memory",), "with so much memory, in MiB (2048, 2G)", MEMORY, "MIB"),
            Option(("--vcpus",), "with so many CPUs", COUNT, "N"),
            Option(("--disk",), "with a disk of this size, in MiB (20G), where the image's is smaller", MEMORY, "MIB"),
            Option(("--user-data",), "what cloud-init does at the first start, as for EC2", TEXT, "FILE"),
            Option(("--ssh-key",), "who may log in: public keys, one a line", TEXT, "FILE"),
            Option(("--network",), "on this network of the host", WORD, "NAME"),
            Option(("--until",), "it ends by itself: after 90m, 12h or 7d, or at a time", WORD, "T"),
            Option(("--count",), "NAME1, NAME2 and so on, so many", COUNT, "N", local=True),
            DRY_RUN,
        ),
        changes=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "terminate",
        "stop a machine that was launched, and forget it with its disks",
        "launch",
        OF_DOMAIN,
        (DRY_RUN,),
        changes=True,
        loses_data=True,
        since="0.2",
        launchers=True,
    ),
)
