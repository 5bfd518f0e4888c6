"""Rows of the verbs about storage: libvirt's pools, and the volumes in them."""

from xman.grammar import DOWN, LOCAL, MEMORY, NONE, UP, WORD, Argument, Option, Verb
from xman.verbs.words import DRY_RUN

_POOL, _VOLUME = Argument("POOL", WORD), Argument("VOLUME", WORD)

STORAGE = (
    Verb(
        "pools",
        "the storage pools of the host: how large, and how much is left",
        "storage",
        since="0.2",
        headed=True,
        rows="storage_pool",
    ),
    Verb(
        "volumes",
        "the volumes of a storage pool, or of all of them",
        "storage",
        (Argument("POOL", WORD, optional=True),),
        since="0.2",
        headed=True,
        rows="volume",
    ),
    Verb(
        "volume-create",
        "make an empty volume, or an overlay of another one",
        "storage",
        (_POOL, _VOLUME, Argument("SIZE", MEMORY, optional=True)),
        (
            Option(("--format",), "qcow2, or raw", WORD, "FORMAT"),
            Option(("--base",), "an overlay of this volume of the same pool, as large as it", WORD, "VOLUME"),
            DRY_RUN,
        ),
        changes=True,
        since="0.2",
    ),
    Verb(
        "volume-delete",
        "delete a volume that no domain has",
        "storage",
        (_POOL, _VOLUME),
        (Option(("--wipe",), "write zeros over it first, as the host may be told to do anyway"), DRY_RUN),
        changes=True,
        loses_data=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "volume-upload",
        "make a volume of a file",
        "storage",
        (_POOL, _VOLUME, Argument("FILE", LOCAL)),
        (Option(("--octets",), "how long the file is; rxm finds that out by itself", WORD, "N"),),
        deadline=NONE,
        since="0.2",
        streams=True,
        transfers=UP,
        journalled=("input",),
        busy="being uploaded",
    ),
    Verb(
        "volume-download",
        "make a file of a volume",
        "storage",
        (_POOL, _VOLUME, Argument("FILE", LOCAL)),
        deadline=NONE,
        since="0.2",
        streams=True,
        transfers=DOWN,
    ),
)
