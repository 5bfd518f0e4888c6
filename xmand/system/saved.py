"""The one directory below which files of domains are written and read; nobody names a file elsewhere."""

import os
import re
from pathlib import Path

from xman.errors import ConfigurationError, RefusedError, UsageError

# What a name may be made of, between slashes.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@:-]{0,127}")


def new_file(directory: str, word: str) -> str:
    """Return the whole path of a file that is not there yet, and make its folder. Raises UsageError, RefusedError."""
    path = _path(directory, word)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path.parent}: {error.strerror}; see save_dir in xmand.toml.") from error
    _require_inside(directory, path)
    if os.path.lexists(path):
        raise RefusedError(f"{path} already exists; name another file.")
    return str(path)


def old_file(directory: str, word: str) -> str:
    """Return the whole path of a file that is there. Raises UsageError, RefusedError."""
    path = _path(directory, word)
    _require_inside(directory, path)
    if path.is_symlink() or not path.is_file():
        raise RefusedError(f"{path} does not exist, or is not a file.")
    return str(path)


def _path(directory: str, word: str) -> Path:
    base = Path(directory)
    relative = word
    if word.startswith("/"):
        if not word.startswith(f"{base}/"):
            raise UsageError(f"'{word[:128]}' is not below {base}; files of domains are kept there (save_dir).")
        relative = word[len(str(base)) + 1 :]
    parts = relative.split("/")
    if not all(_PART.fullmatch(part) for part in parts) or ".." in parts:
        raise UsageError(
            f"'{word[:128]}' is not a valid name of a file below {base}. Use letters, digits, and . _ + @ : - within."
        )
    return base.joinpath(*parts)


def _require_inside(directory: str, path: Path) -> None:
    """Raise UsageError where a link leads out of the directory."""
    base = Path(directory).resolve()
    if base != path.parent.resolve() and base not in path.parent.resolve().parents:
        raise UsageError(f"{path.parent} leads outside {base}.")
