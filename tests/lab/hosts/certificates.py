"""Certificates for QEMU's own connections between hosts."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab.hosts.hypervisor import Host


def certify(hosts: Sequence[Host], directory: Path) -> None:
    """Give QEMU on each host a key, and an authority's word for it; what it takes is left in `directory`."""
    key, request, ca = directory / "key.pem", directory / "request.pem", directory / "ca.pem"
    names = [f"DNS:{host.name},IP:{host.address}" for host in hosts]
    (directory / "names").write_text(f"subjectAltName={','.join(names)}")
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout"]
    authority = ["-x509", "-days", "2", "-subj", "/CN=lab", "-addext", "keyUsage=keyCertSign,digitalSignature"]
    signed: list[str | Path] = ["-CA", ca, "-CAkey", directory / "cakey.pem", "-CAcreateserial", "-days", "2"]
    signed += ["-extfile", directory / "names", "-out", directory / "c.pem"]
    commands: list[list[str | Path]] = [
        [*new, directory / "cakey.pem", *authority, "-out", ca],
        [*new, key, "-subj", "/CN=hv.xman.test", "-out", request],
        ["openssl", "x509", "-req", "-in", request, *signed],
    ]
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    for host in hosts:
        pki = host.directory / "etc" / "pki"
        shutil.copy(ca, pki / "ca-cert.pem")
        for side in ("server", "client"):
            shutil.copy(directory / "c.pem", pki / f"{side}-cert.pem")
            shutil.copy(key, pki / f"{side}-key.pem")
