"""Words and options that the rows of several verbs share, and the states that `list` and `wait` tell apart."""

from xman.grammar import DOMAIN, Argument, Option

# The one domain that a verb is about.
OF_DOMAIN = (Argument("DOMAIN", DOMAIN),)
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
FOLLOW = Option(("-f", "--follow"), "all domains first, then each that changes, until -t or Ctrl-C", since="0.2")
DRY_RUN = Option(("-n", "--dry-run"), "change nothing; only say what would be done")
