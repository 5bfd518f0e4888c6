"""Kerberos' replay cache: where it is kept, and that nobody has switched it off.

Without one a recorded handshake could be played again. Source: MIT krb5's documentation, "replay cache", and
krb5.conf(5). Heimdal has none: there the acceptor's own part of each session key is what makes a recording worthless.
"""

import os
import re
from pathlib import Path

from xman.errors import ConfigurationError

_OFF = re.compile(r"^\s*default_rcache_name\s*=\s*\"?none:", re.MULTILINE)
_INCLUDE = re.compile(r"^\s*(include|includedir)\s+(\S+)", re.MULTILINE)
_DEFAULT = "/etc/krb5.conf"
# Files that include each other.
_MOST_FILES = 100


def require_on() -> None:
    """Raise ConfigurationError where the replay cache is switched off."""
    if os.environ.get("KRB5RCACHENAME", "").startswith("none") or os.environ.get("KRB5RCACHETYPE") == "none":
        raise ConfigurationError("the environment switches the replay cache off (KRB5RCACHENAME); xmand needs it")
    for path in _files(os.environ.get("KRB5_CONFIG", _DEFAULT).split(":")):
        if _OFF.search(_text(path)):
            raise ConfigurationError(
                f"{path}: default_rcache_name switches the replay cache off; xmand needs it, remove the line"
            )


def use(run_dir: str) -> None:
    """Keep the replay cache where only we write and a restart does not empty it. Raises ConfigurationError."""
    require_on()
    try:
        Path(run_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"run_dir: {run_dir}: {error.strerror}") from error
    if not os.access(run_dir, os.W_OK):
        raise ConfigurationError(f"run_dir: {run_dir}: the replay cache cannot be written there")
    os.environ["KRB5RCACHEDIR"] = run_dir


def _files(names: list[str]) -> list[Path]:
    """Return these files of krb5.conf's format and all that they include."""
    found: list[Path] = []
    waiting = [Path(name) for name in names if name]
    while waiting and len(found) < _MOST_FILES:
        path = waiting.pop()
        if path in found:
            continue
        found.append(path)
        for kind, name in _INCLUDE.findall(_text(path)):
            waiting += [Path(name)] if kind == "include" else sorted(Path(name).glob("*"))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # the library will say so, if it matters
        return ""
