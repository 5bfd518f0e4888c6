"""What rxm loads on its way to one host: each module more is time that every command takes."""

import re
import subprocess
import sys
from pathlib import Path

from tests.lab.hosts.daemon import Daemon
from tests.lab.process import ROOT

# Python's own, beside those that every interpreter has loaded before its first line (`python -IS -c pass`).
PYTHONS = {"_ctypes", "_socket", "errno", "time"}
OURS = {
    "rxm",
    "rxm.cli",
    "rxm.invocation",
    "rxm.options",
    "rxm.output",
    "rxm.remote",
    "rxm.remote.command",
    "rxm.remote.connection",
    "rxm.remote.deadline",
    "rxm.remote.transport",
    "rxm.run",
    "rxm.settings",
    "rxm.targets",
    "xman",
    "xman.arguments",
    "xman.config",
    "xman.errors",
    "xman.gss",
    "xman.gss.backends",
    "xman.gss.mit_backend",
    "xman.gss.mit_library",
    "xman.gss.reasons",
    "xman.lowlevel",
    "xman.outcome",
    "xman.session",
    "xman.toml_subset",
    "xman.values",
    "xman.grammar",
    "xman.verbs",
    "xman.wire",
    "xman.wire.client",
    "xman.wire.constants",
    "xman.wire.messages",
    "xman.wire.tokens",
}
# Of the table of verbs no more files than it takes to find the verb: these for one that looks, more for others.
OURS |= {"xman.verbs.words", "xman.verbs.show"}
TABLE = {f"xman.verbs.{path.stem}" for path in (ROOT / "common" / "xman" / "verbs").glob("[!_]*.py")}
PROGRAM = """
import sys
before = set(sys.modules)
sys.path += {paths!r}
from rxm import cli
status = cli.run({words!r})
sys.stderr.write("\\n" + " ".join(sorted(set(sys.modules) - before)))
sys.exit(status)
"""


def loaded(daemon: Daemon, env: dict[str, str], *words: str) -> set[str]:
    """Return the modules that one command, which succeeds, loads in an interpreter as the launcher starts it."""
    given = ["-H", daemon.host, "-p", str(daemon.port), *words]
    program = PROGRAM.format(paths=[str(ROOT / "common"), str(ROOT)], words=given)
    done = subprocess.run([sys.executable, "-IS", "-c", program], env=env, capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


def test_a_list_loads_no_more_than_it_needs(daemon: Daemon, alice: dict[str, str]) -> None:
    assert loaded(daemon, alice, "list") <= PYTHONS | OURS


def test_a_change_loads_no_more(daemon: Daemon, alice: dict[str, str]) -> None:
    found = loaded(daemon, alice, "autostart", "test", "off")

    assert found <= PYTHONS | OURS | TABLE
    assert TABLE - found


def test_a_configuration_loads_no_more(daemon: Daemon, alice: dict[str, str], tmp_path: Path) -> None:
    shipped = (ROOT / "etc" / "xman" / "rxm.toml").read_text()
    config = tmp_path / "rxm.toml"
    config.write_text(
        re.sub(r'^#("?[\w\[\]-]+"? = )', r"\1", shipped, flags=re.MULTILINE).replace("client_keytab", "#")
    )

    assert loaded(daemon, alice, "-c", str(config), "--service", "host", "list") <= PYTHONS | OURS
