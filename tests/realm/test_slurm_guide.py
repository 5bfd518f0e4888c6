"""The guide for Slurm (etc/slurm/README.md): what it says to type and to copy is done as it stands there.

Only names are other ones: of the realm, of the host, and of directories that are the test's. Slurm itself, with the
shipped slurm.conf, is in tests/slurm.
"""

import re
import shlex
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import ROOT

FOLDER = ROOT / "etc" / "slurm"
GUIDE = (FOLDER / "README.md").read_text()
STEPS = {
    number: [textwrap.dedent(block).strip() for block in re.findall(r"(?:^ {7}.*\n)+", text, re.MULTILINE)]
    for number, text in re.findall(r"^(\d)\. (.*?)(?=^\d\. |^## )", GUIDE, re.MULTILINE | re.DOTALL)
}


def here(text: str, root: Path) -> str:
    """Return what the guide has with our names in place of its examples'."""
    names = {
        "EXAMPLE.ORG": "XMAN.TEST",
        "skirit[80-84].example.org": FQDN,
        "skirit80.example.org": FQDN,
        "/etc/xman/": f"{root}/etc/xman/",
        "/etc/systemd/": f"{root}/etc/systemd/",
        "/usr/lib/xman/": f"{root}/usr/lib/xman/",
        "chown slurm": "chown root",
    }
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def copied(name: str) -> str:
    """Return what the guide puts into one of the configurations, all of it."""
    blocks = [block for step in STEPS.values() for block in step]
    return "\n".join(block for block in blocks if block.startswith(f"# /etc/xman/{name}\n"))


@pytest.fixture
def root(realm: Realm, tmp_path: Path) -> Path:
    """What stands for the machine's directories after step 1, whose commands were run."""
    for folder in ("etc/xman", "etc/systemd/system", "usr/lib/xman/slurm"):
        (tmp_path / folder).mkdir(parents=True)
    for line in STEPS["1"][0].splitlines():
        command = shlex.split(here(line, tmp_path))
        # On the KDC's own machine, as its administrator.
        command = ["kadmin.local", *command[1:]] if command[0] == "kadmin" else command
        subprocess.run(command, env=realm.env, check=True, capture_output=True)
    return tmp_path


def test_the_scheduler_may_what_it_has_to_and_nothing_else(realm: Realm, root: Path) -> None:
    rxm_toml = root / "etc" / "xman" / "slurm-rxm.toml"
    daemon = Daemon(realm, root / "xmand", tables=here(copied("xmand.toml"), root) + "\nboot_seconds = 0.001\n")
    rxm_toml.write_text(here(copied("slurm-rxm.toml"), root))
    (tried,) = re.findall(r"`runuser -u slurm -- (rxm [^`]+)`", GUIDE)
    words = shlex.split(here(tried, root))[1:]

    def rxm(*asked: str, stdin: str = "") -> int:
        return daemon.rxm(realm.env, *words[:-1], *asked, stdin=stdin).status

    assert rxm(words[-1]) == 0
    assert rxm("job-start", "vm80-1", "--id", "1", "--owner", "alice") == 7, "there is none yet, and that may be said"
    assert rxm("create", "-", stdin=for_test_driver("vm80-1")) == 5
    assert rxm("destroy", "test") == 5
    assert (root / "etc" / "xman" / "slurm.keytab").stat().st_mode & 0o777 == 0o400
    assert daemon.stop() == 0


def test_what_is_to_be_installed_is_installed(root: Path) -> None:
    lines = [line for step in ("3", "4", "5") for block in STEPS[step] for line in block.splitlines()]
    for line in lines:
        if line.startswith("install "):
            subprocess.run(shlex.split(here(line, root)), cwd=FOLDER, check=True)

    for name in ("resume", "suspend", "prolog", "epilog"):
        assert (root / "usr" / "lib" / "xman" / "slurm" / name).stat().st_mode & 0o111
    for name in ("preempted", "resumed"):
        assert (root / "etc" / "xman" / "hooks" / f"{name}.d" / "50-slurm").stat().st_mode & 0o111
    assert (root / "etc" / "xman" / "slurm.toml").is_file()
    assert (root / "etc" / "systemd" / "system" / "xman-slurm.service").is_file()
