"""rxm called `xm` or `xl`: the links, and an environment in which this machine is the lab's host."""

from pathlib import Path

from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.kerberos.realm import FQDN


class Links:
    """A directory with links to rxm, and the configuration that goes with it."""

    def __init__(self, directory: Path, daemon: Daemon, env: dict[str, str], machine: str = FQDN) -> None:
        self.directory = directory / "bin"
        self.directory.mkdir(parents=True)
        rxm = next(path for folder in env["PATH"].split(":") if (path := Path(folder) / "rxm").exists())
        for name in ("xm", "xl"):
            (self.directory / name).symlink_to(rxm)
        config = directory / "config" / "xman" / "rxm.toml"
        config.parent.mkdir(parents=True)
        # What would send it elsewhere, if it were read.
        config.write_text(
            f'hosts = ["nosuch.xman.test"]\nport = {daemon.port}\n[domains]\n"test" = "nosuch.xman.test"\n'
        )
        self.env = env | {
            "PATH": f"{self.directory}:{env['PATH']}",
            "XDG_CONFIG_HOME": str(directory / "config"),
            "NSS_WRAPPER_HOSTNAME": machine,
            "RXM_HOSTS": "nosuch.xman.test",
        }

    def run(self, program: str, *words: str, seconds: float = 120) -> Answer:
        """Run `xm` or `xl`."""
        return answer([str(self.directory / program), *words], self.env, "", seconds)

    def xm(self, *words: str) -> Answer:
        """Run `xm`."""
        return self.run("xm", *words)

    def xl(self, *words: str) -> Answer:
        """Run `xl`."""
        return self.run("xl", *words)
