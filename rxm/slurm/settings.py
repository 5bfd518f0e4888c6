"""slurm.toml, read and checked; the guide (etc/slurm/README.md) describes its keys."""

import os
from dataclasses import dataclass

from xman import config, declared, lowlevel
from xman.declared import number, seconds, text, texts

DEFAULT_PATH = "/etc/xman/slurm.toml"
# Slurm gives its programs an environment of its own making; what is added to that is for tests, and for who runs two.
PATH_VARIABLE = "XMAN_SLURM_CONFIG"
# What job-start takes.
_MOST_LEASE = 30 * 86_400


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured."""

    partitions: tuple[str, ...] = texts(
        meaning="The partitions whose jobs are noted in domains, and get the hosts for them. Empty: all partitions."
    )
    preemptible: tuple[str, ...] = texts(meaning="Those of them whose jobs may be preempted by a domain with priority.")
    rxm_config: str = text(
        "",
        "rxm's configuration for these programs: where the domains are, and the keytab. Empty: the usual one, which is"
        " everybody's.",
    )
    force_after: float = seconds(
        60.0, "Seconds for a domain to shut down before it is destroyed; below SuspendTimeout."
    )
    patience: float = seconds(
        30.0,
        "Seconds for which temporary failures are retried: a restart of xmand, a KDC or a network that is away.",
    )
    exclude: float = seconds(
        10.0,
        "Seconds for which a node that refused a job is excluded for it, and after which a job is tried again whose"
        " hosts could not be asked.",
    )
    later: float = seconds(15.0)
    lease: int = number(
        0,
        "Seconds after which a job ends in its domains unless the reconciler renews it, as it does while Slurm has the"
        " job. Choose several of its rounds: 600 or more. 0: it stays until somebody ends it.",
        most=_MOST_LEASE,
    )
    lock: str = text(
        "/run/lock/xman-slurm.lock",
        "One reconciler at a time: with several controllers, a path in a folder that they share.",
    )
    metrics: str = text(
        "",
        'A file for Prometheus\' node_exporter: "/var/lib/prometheus/node-exporter/xman-slurm.prom". Empty: none.',
    )

    def notes(self, partition: str) -> bool:
        """Whether the jobs of a partition are noted."""
        return not self.partitions or partition in self.partitions


def load() -> Settings:
    """Read the file; what this release does not know in it is said on standard error. Raises ConfigurationError."""
    path = os.environ.get(PATH_VARIABLE, "")
    table = config.load(path or DEFAULT_PATH, required=bool(path))
    found = declared.read(Settings, table)
    for key in table.unknown():
        lowlevel.err(f"xman-slurm: {key}: not known to this release\n")
    return found
