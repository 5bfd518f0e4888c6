"""OCF's agent for Xen, as Debian ships it, and what a cluster manager hands it."""

import subprocess
from pathlib import Path

from tests.lab.clients.called_xm import Links
from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.process import ROOT, start

OCF = ROOT / ".build" / "strangers" / "usr" / "lib" / "ocf"
AGENT = OCF / "resource.d" / "heartbeat" / "Xen"
# OCF's exit statuses.
SUCCESS, GENERIC, NOT_RUNNING = 0, 1, 7
CONFIG = "name = 'guest'\nbuilder = 'hvm'\nmemory = 128\ndisk = ['file:/srv/guest.img,hda,w']\n"


class Cluster:
    """What a cluster manager hands the agent, for the guest `name` of the file `config`."""

    def __init__(
        self, links: Links, daemon: Daemon, directory: Path, program: str, config: str = CONFIG, name: str = "guest"
    ) -> None:
        # The agent takes xl where it finds it.
        if program == "xm":
            (links.directory / "xl").unlink()
        self.daemon = daemon
        file = directory / f"{name}.cfg"
        file.write_text(config)
        self.env = links.env | {
            "OCF_ROOT": str(OCF),
            "OCF_RESOURCE_INSTANCE": name,
            "OCF_RESKEY_xmfile": str(file),
            "OCF_RESKEY_shutdown_timeout": "20",
            "HA_RSCTMP": str(directory),
            "HA_debug": "0",
        }

    def run(self, action: str, **more: str) -> Answer:
        """Let the agent act; return its exit status and what it said."""
        return answer([*self.daemon.prefix, "sh", str(AGENT), action], self.env | more, "", 120)

    def begin(self, action: str, **more: str) -> "subprocess.Popen[bytes]":
        """Let the agent begin to act, in a session of its own."""
        words = [*self.daemon.prefix, "sh", str(AGENT), action]
        return start(words, env=self.env | more, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
