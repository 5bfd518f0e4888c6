"""The portal as two processes, as it is run: pages, and the worker."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.lab import ready
from tests.lab.kerberos.realm import PORTAL, Realm
from tests.lab.process import Running, end, free_ports, wait_for

_START_SECONDS = 60.0


def make_certificate(directory: Path, name: str) -> str:
    """Make a key, and a certificate for `name` that nobody has signed; return the certificate's path."""
    certificate = str(directory / "certificate.pem")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName=DNS:{name},IP:127.0.0.1",
            "-keyout",
            str(directory / "key.pem"),
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    return certificate


def keytab_of(realm: Realm, name: str = PORTAL) -> Path:
    """Return the keytab of a portal of this name: one for all of a realm, since each key that is made ends the last."""
    keytab = realm.directory / f"http-{name}.keytab"
    if not keytab.exists():
        realm.add_service(f"HTTP/{name}", str(keytab))
    return keytab


class Portal:
    """One portal. `settings` are lines of rxmweb.toml, `tables` its tables; without `pages` it only collects."""

    def __init__(
        self,
        realm: Realm,
        directory: Path,
        *,
        hosts: tuple[str, ...],
        port: int,
        settings: str = "",
        tables: str = "",
        database: str = "",
        readers: tuple[str, ...] = ("*",),
        interval: float = 1.0,
        collector_keytab: str = "",
        env: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        listen: str = "127.0.0.1",
        name: str = PORTAL,
        https: bool = False,
        processes: int = 1,
        program: tuple[str, ...] = ("rxmweb",),
        pages: bool = True,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_ports(1)
        self._listen = listen
        # What browsers call it, for which the realm has a key.
        self.name = name
        self.certificate = make_certificate(directory, name) if https else ""
        self.url = f"{'https' if https else 'http'}://{name}:{self.port}"
        self.database = database or f"sqlite:///{directory / 'portal.db'}"
        self.run_dir = directory / "run"
        self._env = realm.env | (env or {})
        self._prefix = prefix
        self._program = program
        keytab = keytab_of(realm, name)
        self.config = directory / "rxmweb.toml"
        names = ", ".join(f'"{host}"' for host in hosts)
        who = ", ".join(f'"{reader}"' for reader in readers)
        if https:
            settings += f'\ncertificate = "{self.certificate}"\nkey = "{directory / "key.pem"}"'
        collector = f'[collector]\nclient_keytab = "{collector_keytab}"\n' if collector_keytab else ""
        self.config.write_text(
            f'listen = "{listen}:{self.port}"\nworkers = {processes}\nkeytab = "{keytab}"\nrun_dir = "{self.run_dir}"\n'
            f'database = "{self.database}"\nhosts = [{names}]\nport = {port}\nreaders = [{who}]\n'
            f"interval_seconds = {interval}\n{settings}\n{collector}{tables}\n"
        )
        self.worker = self._start("work")
        # Without pages there is nobody else.
        self.server = self._start("serve") if pages else self.worker
        try:
            wait_for(self._listening if pages else self._collecting, _START_SECONDS, "the portal's start")
        except (RuntimeError, TimeoutError):
            self.stop()
            raise

    def restart_server(self) -> None:
        """End the web workers and start others, as an upgrade does."""
        with self.server_away():
            pass

    @contextlib.contextmanager
    def server_away(self) -> Iterator[None]:
        """Let there be no web workers meanwhile, and others then."""
        end(self.server)
        yield
        self.server = self._start("serve")
        wait_for(self._listening, _START_SECONDS, "the portal's start")

    def start_worker(self) -> None:
        """Start another worker, where the first one was ended."""
        self.worker = self._start("work")

    def said(self) -> str:
        """Return what both processes wrote for whoever runs them."""
        return "".join(path.read_text() for path in sorted(self.directory.glob("*.stderr")))

    def stop(self) -> None:
        """End both."""
        for process in (self.server, self.worker):
            end(process, 20.0)

    def _start(self, part: str) -> Running:
        with (self.directory / f"{part}.stderr").open("ab") as stderr:
            command = [*self._prefix, *self._program, "--config", str(self.config), part]
            if ready.can(command, self._env):
                with Path(os.devnull).open("rb") as nothing:
                    return ready.start(command, self._env, nothing.fileno(), stderr.fileno(), stderr.fileno())
            return subprocess.Popen(command, env=self._env, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr)

    def _collecting(self) -> bool:
        """Whether hosts may report by themselves."""
        if self.worker.poll() is not None:
            raise RuntimeError(f"the collector ended with {self.worker.returncode}: {self.said()}")
        return "hosts report at" in self.said()

    def _listening(self) -> bool:
        if self.server.poll() is not None:
            raise RuntimeError(f"the portal ended with {self.server.returncode}: {self.said()}")
        # Where the portal is: that may be in another network than we are.
        command = [*self._prefix, "bash", "-c", f"</dev/tcp/{self._listen}/{self.port}"]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
