"""As whom `rxmweb check` looks: root sees what the user of the portal's units does not."""

import os
import pwd
from pathlib import Path

from xman.finding import BAD, OK, Finding

# The later ones are those of packages.
_UNITS = tuple(Path(folder, "rxmweb.service") for folder in ("/etc/systemd/system", "/usr/lib/systemd/system"))


def become() -> Finding | None:
    """Go on as the user whose the units are, where root looks; return what is to be said of it."""
    unit = next((path for path in _UNITS if path.is_file()), None)
    if os.geteuid() != 0 or unit is None:
        return None
    lines = unit.read_text(encoding="utf-8", errors="replace").splitlines()
    name = next((line.partition("=")[2].strip() for line in reversed(lines) if line.startswith("User=")), "")
    if name in ("", "root"):
        return None
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return BAD, f"user: {unit} runs the portal as {name}, and there is no such user; useradd --system {name}"
    os.initgroups(name, found.pw_gid)
    os.setgid(found.pw_gid)
    os.setuid(found.pw_uid)
    return OK, f"user: {name}, as whom {unit} runs the portal"


def own_name() -> str:
    """Return the name of the user who looks."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
