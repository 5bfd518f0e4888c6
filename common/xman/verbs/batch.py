"""Rows of the verbs for jobs in domains, and for maintenance (DESIGN, "Batch states")."""

from xman.grammar import COUNT, DOMAIN, NONE, SECONDS, WORD, Argument, Option, Required, Verb
from xman.verbs.words import DRY_RUN, FOLLOW, OF_DOMAIN

_JOB = (Required(("--id",), "the job's id", WORD, "JOB"),)
_PREEMPTIBLE = Option(("--preemptible",), "a domain with priority may take the host from it")

BATCH = (
    Verb(
        "state",
        "show whether a job could start in a domain, and which jobs run",
        "batch",
        (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
        (FOLLOW,),
        merges=True,
        coloured=True,
        headed=True,
        rows="guest",
        filtered=True,
        owners=True,
    ),
    Verb(
        "job-list",
        "list the jobs in domains",
        "batch",
        (Argument("DOMAIN", DOMAIN, optional=True, many=True),),
        merges=True,
        headed=True,
        rows="listed_job",
    ),
    Verb(
        "job-start",
        "start a job in a domain, which gets the host's memory and CPUs",
        "batch",
        OF_DOMAIN,
        (
            *_JOB,
            Required(("--owner",), "the principal who owns it", WORD, "PRINCIPAL"),
            Option(("--cpus",), "how many CPUs it uses", COUNT, "N"),
            _PREEMPTIBLE,
            Option(
                ("--lease",),
                "end it after S seconds, unless job-renew comes first",
                SECONDS,
                "S",
                since="0.2",
            ),
            DRY_RUN,
        ),
        changes=True,
        undone_by="job-stop",
    ),
    Verb(
        "job-renew",
        "renew the lease of a job in a domain",
        "batch",
        OF_DOMAIN,
        (*_JOB, Option(("--lease",), "for S seconds, instead of the same as before", SECONDS, "S"), DRY_RUN),
        changes=True,
        since="0.2",
        schedulers=True,
    ),
    Verb(
        "job-claim",
        "keep a host for a job that is to start in a domain",
        "batch",
        OF_DOMAIN,
        (
            *_JOB,
            Option(("--seconds",), "for S seconds (60)", SECONDS, "S"),
            _PREEMPTIBLE,
            Option(("--release",), "release the host"),
            DRY_RUN,
        ),
        changes=True,
        since="0.2",
        undone_by="job-stop",
        schedulers=True,
    ),
    Verb("job-stop", "end a job in a domain", "batch", OF_DOMAIN, (*_JOB, DRY_RUN), changes=True),
    Verb("preempt", "take the host from a domain, until unpreempt", "batch", OF_DOMAIN, (DRY_RUN,), changes=True),
    Verb("unpreempt", "continue a preempted domain", "batch", OF_DOMAIN, (DRY_RUN,), changes=True),
    Verb(
        "freeze",
        "suspend a domain with its jobs to disk",
        "batch",
        OF_DOMAIN,
        (Option(("--pause",), "keep it in memory instead, parked"), DRY_RUN),
        changes=True,
        deadline=NONE,
    ),
    Verb("defrost", "continue a frozen domain", "batch", OF_DOMAIN, (DRY_RUN,), changes=True, deadline=NONE),
    Verb(
        "maintenance",
        "make the host refuse starts, jobs and incoming migrations, or accept them again",
        "batch",
        (Argument("on|off", WORD), Argument("REASON", WORD, optional=True, many=True)),
        (DRY_RUN,),
        changes=True,
    ),
)
