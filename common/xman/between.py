"""What hosts ask of each other, as `host/FQDN`: no verbs of a person's, in no family, and granted to nobody by name."""

from xman.grammar import TEXT, WORD, Argument, Option, Verb
from xman.verbs import BY_NAME

_ABOUT = (Argument("ID", WORD), Argument("DOMAIN", WORD), Argument("UUID", WORD))

MIGRATE_IN = Verb(
    "migrate-in",
    "a guest comes from the host that asks, in a stream of libvirt's own",
    "",
    _ABOUT,
    (Option(("--paused",), "it was paused there, and stays so"),),
    since="0.2",
    streams=True,
    completes=True,
    journalled=("input",),
    busy="arriving by migration",
)
MIGRATE_MAY = Verb(
    "migrate-may",
    "whether a guest of these descriptions may come from the host that asks: as it runs, and as it is kept",
    "",
    (*_ABOUT, Argument("FILE", TEXT, optional=True, many=True)),
    (Option(("--cpu",), "that host's own processor, where the guest has it", TEXT, "XML"),),
    since="0.2",
)
MIGRATE_SETTLE = Verb(
    "migrate-settle",
    "what the host that asks has decided about a guest that came from it: given or kept",
    "",
    (*_ABOUT, Argument("given|kept", WORD)),
    changes=True,
    since="0.2",
)
BETWEEN = {verb.name: verb for verb in (MIGRATE_IN, MIGRATE_MAY, MIGRATE_SETTLE)}
EVERY = {**BY_NAME, **BETWEEN}
