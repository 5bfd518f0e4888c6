"""Rows of the verbs that change a domain's memory and CPUs."""

from xman.grammar import COUNT, MEMORY, WORD, Argument, Option, Verb
from xman.verbs.words import DRY_RUN, OF_DOMAIN

TUNE = (
    Verb(
        "mem-set",
        "set a domain's memory, in MiB (4096, 4G)",
        "tune",
        (*OF_DOMAIN, Argument("MIB", MEMORY)),
        (Option(("--force",), "even below what a guest is likely to survive"),),
        changes=True,
    ),
    Verb("vcpu-set", "set a domain's number of CPUs", "tune", (*OF_DOMAIN, Argument("N", COUNT)), changes=True),
    Verb(
        "mem-max",
        "set a domain's maximum memory, from its next start on",
        "tune",
        (*OF_DOMAIN, Argument("MIB", MEMORY)),
        (DRY_RUN,),
        changes=True,
        since="0.2",
    ),
    Verb(
        "vcpu-pin",
        "pin a domain's virtual CPU, or all of them, to CPUs of the host",
        "tune",
        (*OF_DOMAIN, Argument("VCPU|all", WORD), Argument("CPUS", WORD)),
        (DRY_RUN,),
        changes=True,
        since="0.2",
    ),
)
