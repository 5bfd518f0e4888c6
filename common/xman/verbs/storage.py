"""Rows of the verbs about storage: libvirt's pools, and the volumes in them."""

from xman.grammar import DOWN, LOCAL, MEMORY, NONE, UP, WORD, Argument, Option, Verb
from xman.verbs.words import DRY_RUN

_POOL, _VOLUME = Argument("POOL", WORD), Argument("VOLUME", WORD)

STORAGE = (
    Verb(
        "pools",
        "list the host's storage pools: size and free space",
        "storage",
        since="0.2",
        headed=True,
        rows="storage_pool",
    ),
    Verb(
        "volumes",
        "list the volumes of a storage pool, or of all",
        "storage",
        (Argument("POOL", WORD, optional=True),),
        since="0.2",
        headed=True,
        rows="volume",
    ),
    Verb(
        "volume-create",
        "create an empty volume, or an overlay of another one",
        "storage",
        (_POOL, _VOLUME, Argument("SIZE", MEMORY, optional=True)),
        (
            Option(("--format",), "qcow2, or raw", WORD, "FORMAT"),
            Option(("--base",), "make an overlay of this volume of the same pool", WORD, "VOLUME"),
            DRY_RUN,
        ),
        changes=True,
        since="0.2",
    ),
    Verb(
        "volume-delete",
        "delete a volume that no domain uses",
        "storage",
        (_POOL, _VOLUME),
        (Option(("--wipe",), "write zeros over it first"), DRY_RUN),
        changes=True,
        loses_data=True,
        deadline=NONE,
        since="0.2",
    ),
    Verb(
        "volume-upload",
        "upload a file as a volume",
        "storage",
        (_POOL, _VOLUME, Argument("FILE", LOCAL)),
        (Option(("--octets",), "the file's length; only rxm sets it", WORD, "N"), DRY_RUN),
        deadline=NONE,
        since="0.2",
        streams=True,
        transfers=UP,
        journalled=("input",),
        busy="being uploaded",
    ),
    Verb(
        "volume-download",
        "download a volume to a file",
        "storage",
        (_POOL, _VOLUME, Argument("FILE", LOCAL)),
        deadline=NONE,
        since="0.2",
        streams=True,
        transfers=DOWN,
    ),
)
