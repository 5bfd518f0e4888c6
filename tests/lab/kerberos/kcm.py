"""A daemon that keeps ticket caches (KCM): Heimdal's, whose protocol MIT's library speaks as well."""

import os
import subprocess
from pathlib import Path

from tests.lab.process import ROOT, end, need, start, wait_for

# Made by tests/tools/setup.sh.
_PROGRAM = ROOT / ".build" / "heimdal-kcm" / "usr" / "sbin" / "kcm"
# It has one place for its socket, which is therefore in a /run of its own.
_SOCKET = "run/.heim_org.h5l.kcm-socket"


class Kcm:
    """One; `configuration` is what clients add to their krb5.conf."""

    def __init__(self, directory: Path) -> None:
        need(_PROGRAM)
        config = directory / "kcm.conf"
        config.write_text("[libdefaults]\n  default_realm = XMAN.TEST\n")
        who = [] if os.geteuid() == 0 else ["--map-root-user"]
        script = f'mount -t tmpfs tmpfs /run && exec "{_PROGRAM}" -c "{config}"'
        words = ["unshare", "--mount", *who, "--", "sh", "-c", script]
        self._process = start(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        socket = Path(f"/proc/{self._process.pid}/root/{_SOCKET}")
        wait_for(socket.exists, 20, "the start of kcm")
        self.configuration = f"[libdefaults]\n  kcm_socket = {socket}\n"

    def stop(self) -> None:
        """End it, and what it keeps."""
        end(self._process)
