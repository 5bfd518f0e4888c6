"""Rows of the verbs for machines from images."""

from xman.grammar import COUNT, MEMORY, NEW, NONE, TEXT, WORD, Argument, Option, Verb
from xman.verbs.words import DRY_RUN, OF_DOMAIN

LAUNCH = (
    Verb(
        "images",
        "list the images that you can launch machines from",
        "launch",
        since="0.2",
        headed=True,
        columns=("image", "capacity", "format", "pool", "title"),
    ),
    Verb(
        "launch",
        "make machines of your own from an image, and start them",
        "launch",
        (Argument("IMAGE", WORD), Argument("NAME", NEW)),
        (
            Option(("--memory",), "its memory in MiB (2048, 2G)", MEMORY, "MIB"),
            Option(("--vcpus",), "its number of CPUs", COUNT, "N"),
            Option(("--disk",), "the size of its disk in MiB (20G), if the image's is smaller", MEMORY, "MIB"),
            Option(("--user-data",), "what cloud-init does at the first start, as for EC2", TEXT, "FILE"),
            Option(("--ssh-key",), "public keys of those who may log in, one per line", TEXT, "FILE"),
            Option(("--network",), "the network of the host to connect it to", WORD, "NAME"),
            Option(("--until",), "terminate it after 90m, 12h or 7d, or at a time", WORD, "T"),
            Option(("--count",), "make N of them: NAME1, NAME2 and so on", COUNT, "N", local=True),
            DRY_RUN,
        ),
        changes=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "terminate",
        "stop a launched machine, and delete it with its disks",
        "launch",
        OF_DOMAIN,
        (DRY_RUN,),
        changes=True,
        loses_data=True,
        since="0.2",
        launchers=True,
    ),
)
