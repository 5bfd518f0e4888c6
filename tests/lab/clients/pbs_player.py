"""Plays OpenPBS's part by its published hook interface: `pbs_player HOOK EVENT.json` runs a hook for one event.

The event: {"type": "runjob"|"periodic", "config": FILE, "job": {...}, "jobs": [...]}. Prints what the hook decided.
"""

import contextlib
import json
import runpy
import sys
import types
from pathlib import Path
from typing import Any


class Ends(SystemExit):
    """What accept() and reject() raise, as OpenPBS's do."""


def _module(told: dict[str, Any], decided: dict[str, Any]) -> types.ModuleType:
    pbs: Any = types.ModuleType("pbs")
    pbs.RUNJOB, pbs.PERIODIC = 8, 0x8000
    pbs.JOB_STATE_QUEUED, pbs.JOB_STATE_RUNNING, pbs.JOB_STATE_EXITING = 1, 4, 5
    pbs.LOG_WARNING = 4
    pbs.hook_config_filename = told["config"]
    pbs.logmsg = lambda _level, text: decided["log"].append(text)

    def accept() -> None:
        decided["accepted"] = True
        raise Ends(0)

    def reject(text: str = "") -> None:
        decided["message"] = text
        raise Ends(1)

    event = types.SimpleNamespace(accept=accept, reject=reject)
    event.type = pbs.RUNJOB if told["type"] == "runjob" else pbs.PERIODIC
    event.job = types.SimpleNamespace(**told.get("job", {}))
    jobs = [types.SimpleNamespace(**job) for job in told.get("jobs", [])]
    pbs.event = lambda: event
    pbs.server = lambda: types.SimpleNamespace(name="pbs.xman.test", jobs=lambda: iter(jobs))
    module: types.ModuleType = pbs
    return module


def main() -> None:
    """Run the hook once."""
    told = json.loads(Path(sys.argv[2]).read_text())
    decided: dict[str, Any] = {"accepted": False, "message": "", "log": []}
    sys.modules["pbs"] = _module(told, decided)
    with contextlib.suppress(Ends):
        runpy.run_path(sys.argv[1])
    print(json.dumps(decided))


if __name__ == "__main__":
    main()
