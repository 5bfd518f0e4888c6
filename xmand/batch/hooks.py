"""The site's own programs, told when a domain is preempted, goes on, or changes its state.

Every executable of DIRECTORY/NAME.d runs, in the order of their names, with one JSON object on its standard input. What
a hook says or how it ends changes nothing: it is told, not asked.
"""

import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

from xmand.system import children

logger = logging.getLogger(__name__)

PREEMPTED = "preempted"
RESUMED = "resumed"
STATE = "state"
_GROUP_OR_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# Of what it prints nothing is used.
_MOST_OCTETS = 64 * 1024


class Hooks:
    """The programs below `directory`, each with `seconds` to finish."""

    def __init__(self, directory: str, seconds: float) -> None:
        self._directory = Path(directory)
        self._seconds = seconds

    def run(self, name: str, facts: dict[str, Any]) -> list[str]:
        """Run the programs of `name`; return a sentence for each that failed."""
        problems = []
        for path in self._programs(name):
            problem = _unsafe(path) or self._run(path, {"xman": 1, "hook": name, **facts})
            if problem:
                logger.error("hook %s: %s", path, problem)
                problems.append(f"The hook {path} failed: {problem}.")
        return problems

    def _programs(self, name: str) -> list[Path]:
        try:
            found = sorted((self._directory / f"{name}.d").iterdir())
        except OSError:  # no such directory: no hooks
            return []
        return [path for path in found if not path.name.startswith(".") and os.access(path, os.X_OK) and path.is_file()]

    def _run(self, path: Path, facts: dict[str, Any]) -> str:
        words = f"{json.dumps(facts, separators=(',', ':'))}\n".encode()
        try:
            done = children.run([str(path)], stdin=words, seconds=self._seconds, most_octets=_MOST_OCTETS)
        except children.ChildError as error:
            return str(error)
        return f"it ended with {done.status}: {done.complaint()}" if done.status else ""


def _unsafe(path: Path) -> str:
    """Return why a program is not run: whoever may write it would be as good as us."""
    found = path.stat()
    if found.st_uid not in (0, os.geteuid()):
        return "neither root nor the user of xmand owns it"
    return "others than its owner may write it" if found.st_mode & _GROUP_OR_OTHERS_WRITE else ""
