"""A clock that a test sets, for a program that is started with it."""

from pathlib import Path

from tests.lab.kerberos.realm import Realm

# libfaketime takes a sleep until a time of the monotonic clock for one until a time that never was.
_SITE = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], max(0.0, seconds)) and None\n"


class Clock:
    """Says to whoever is started with `env` that it is so many seconds later than the machine's clock says."""

    def __init__(self, realm: Realm, directory: Path) -> None:
        self._file = directory / "clock"
        (library,) = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        self.env = {
            "LD_PRELOAD": f"{realm.env['LD_PRELOAD']} {library}",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(directory / "site"),
        }
        site = directory / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(_SITE)
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set it so many seconds ahead of the machine's, or back where negative."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)
