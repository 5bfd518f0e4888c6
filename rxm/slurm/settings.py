"""slurm.toml, read and checked; the guide (etc/slurm/README.md) describes its keys."""

import os
from dataclasses import dataclass

from xman import config

DEFAULT_PATH = "/etc/xman/slurm.toml"
# Slurm gives its programs an environment of its own making; what is added to that is for tests, and for who runs two.
# What job-start takes.
_MOST_LEASE = 30 * 86_400
PATH_VARIABLE = "XMAN_SLURM_CONFIG"


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; seconds throughout."""

    # The partitions whose jobs are noted in domains; none: all.
    partitions: tuple[str, ...] = ()
    # Those of them whose jobs may be preempted by a domain with priority.
    preemptible: tuple[str, ...] = ()
    # rxm's configuration for these programs: where the domains are, and the scheduler's keytab.
    rxm_config: str = ""
    # How long a domain may take to shut down before it is destroyed; below Slurm's SuspendTimeout.
    force_after: float = 60.0
    # For how long what passes is tried again: a restart of xmand, a KDC or a network that is away.
    patience: float = 30.0
    # For how long a node that refused a job is left out for it.
    exclude: float = 10.0
    # After how long a job is tried again that could not be asked for.
    later: float = 15.0
    # After how long a job ends by itself in its domains that nobody renews; the reconciler does. 0: never.
    lease: int = 0
    # One reconciler at a time: of several controllers, in a folder that they share.
    lock: str = "/run/lock/xman-slurm.lock"
    # A file for Prometheus' node_exporter (its textfile collector); empty for none.
    metrics: str = ""

    def notes(self, partition: str) -> bool:
        """Whether the jobs of a partition are noted."""
        return not self.partitions or partition in self.partitions


def load() -> Settings:
    """Read the file. Raises ConfigurationError."""
    path = os.environ.get(PATH_VARIABLE, "")
    table = config.load(path or DEFAULT_PATH, required=bool(path))
    base = Settings()
    return Settings(
        partitions=tuple(table.texts("partitions", [])),
        preemptible=tuple(table.texts("preemptible", [])),
        rxm_config=table.text("rxm_config", base.rxm_config),
        force_after=table.seconds("force_after", base.force_after),
        patience=table.seconds("patience", base.patience),
        exclude=table.seconds("exclude", base.exclude),
        later=table.seconds("later", base.later),
        lease=table.number("lease", base.lease, most=_MOST_LEASE),
        lock=table.text("lock", base.lock),
        metrics=table.text("metrics", base.metrics),
    )
