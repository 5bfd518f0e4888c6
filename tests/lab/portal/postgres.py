"""A PostgreSQL server of a test's own: Debian's, only unpacked, so that none of the machine's is started or touched."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.lab.process import ROOT, end, free_ports, need, start, wait_for

_UNPACKED = ROOT / ".build" / "postgresql"
# PostgreSQL refuses to run as root.
_NOBODY = "65534"
_START_SECONDS = 30.0


def binaries() -> Path:
    """Return the folder of the server's programs."""
    found = sorted(_UNPACKED.glob("usr/lib/postgresql/*/bin"))
    need(found[-1] if found else _UNPACKED / "usr/lib/postgresql")
    return found[-1]


class Postgres:
    """One server on a port of its own. `hba` stands for pg_hba.conf instead of trust, `settings` in postgresql.conf."""

    def __init__(
        self,
        *,
        hba: str = "",
        settings: str = "",
        env: dict[str, str] | None = None,
        files: tuple[Path, ...] = (),
    ) -> None:
        """`files` are copied to where the server can read them, by their names: `{home}` in `settings` and `env`."""
        self._bin = binaries()
        # Not under pytest's own directory, which every run of pytest closes to others again.
        self._home = Path(tempfile.mkdtemp(prefix="xman-postgresql-"))
        given = {key: value.format(home=self._home) for key, value in (env or {}).items()}
        self._env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"} | given
        self.directory = self._home / "data"
        self.port = free_ports(1)
        self._databases = 0
        root = os.geteuid() == 0
        self._as = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"] if root else []
        self.directory.mkdir()
        for source in files:
            shutil.copyfile(source, self._home / source.name)
        if root:
            for path in (self._home, *self._home.iterdir()):
                os.chown(path, int(_NOBODY), int(_NOBODY))
        self._run("initdb", "--username=xman", "--auth=trust", "--no-sync", "-D", str(self.directory))
        with (self.directory / "postgresql.conf").open("a") as file:
            # Nothing of a test's need survive.
            file.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\nfsync = off\n"
                f"shared_buffers = 16MB\nmax_connections = 60\n{settings.format(home=self._home)}\n"
            )
        if hba:
            (self.directory / "pg_hba.conf").write_text(hba)
        self._log = (self._home / "postgresql.log").open("wb")
        self._process = start(
            [*self._as, str(self._bin / "postgres"), "-D", str(self.directory)],
            env=self._env,
            stdout=self._log,
            stderr=self._log,
            cwd="/",
        )
        wait_for(self._ready, _START_SECONDS, "PostgreSQL's start")

    def new_database(self) -> str:
        """Make an empty database; return its address."""
        import psycopg

        self._databases += 1
        name = f"portal{self._databases}"
        address = f"host=127.0.0.1 port={self.port} user=xman dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://xman@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """End the server."""
        self._process.send_signal(2)  # SIGINT: at once, and in order
        end(self._process)
        self._log.close()
        shutil.rmtree(self._home)

    def _run(self, program: str, *words: str) -> None:
        command = [*self._as, str(self._bin / program), *words]
        subprocess.run(command, env=self._env, check=True, capture_output=True, cwd="/")

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended with {self._process.returncode}")
        return (self.directory / "postmaster.pid").exists() and (
            b"ready" in (self.directory / "postmaster.pid").read_bytes()
        )
