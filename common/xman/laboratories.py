"""Laboratories: as they are written, which of them a profile is for, and which a host belongs to. Pure."""

from xman.errors import RefusedError, UsageError
from xman.labels import is_key

_MOST = 32


def read(text: str) -> tuple[str, ...]:
    """Return the laboratories of a list with commas, each once; an @ in front says nothing. Raises UsageError."""
    found = dict.fromkeys(part.strip().removeprefix("@") for part in text.split(",")) if text.strip() else {}
    for name in found:
        if not is_key(name):
            raise UsageError(
                f"'{name[:64]}' is not a valid name of a laboratory. Use letters, digits, and _ . - between them."
            )
    if len(found) > _MOST:
        raise UsageError(f"A profile is for at most {_MOST} laboratories.")
    return tuple(found)


def wrong(names: tuple[str, ...]) -> str:
    """Return what is wrong with a setting that names laboratories, empty where nothing is."""
    return next(
        (f"{name!r} is not a valid name of a laboratory" for name in names if not is_key(name.removeprefix("@"))), ""
    )


def require(profile: str, wanted: tuple[str, ...], here: tuple[str, ...]) -> None:
    """Raise RefusedError where a profile is for laboratories, and the host belongs to none of them."""
    if wanted and not set(wanted) & {name.removeprefix("@") for name in here}:
        belongs = f"belongs to {', '.join(here)}" if here else "belongs to none ([host] labs)"
        raise RefusedError(
            f"The profile '{profile}' is for {', '.join(wanted)}, and this host {belongs}; --force overrides this."
        )
