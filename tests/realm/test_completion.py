"""The completions, in the shells they are for."""

import select
import socket
import subprocess
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon, run_rxm
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import Realm
from tests.lab.process import ROOT, wait_for
from tests.realm.test_hostile_names import NODE

FOLDER = ROOT / "etc" / "completion"
BASH = """
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$' \\t\\n"><=;|&(:'
_rxm
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
words=(${(z)2}) CURRENT=$#words
[[ $2 == *' ' ]] && words+=('') CURRENT=$#words
compadd() { shift; print -l -- "$@" }
_files() { print files }
source "$1"
"""
FISH = 'source "$argv[1]"; complete --do-complete "$argv[2]"'


def complete(shell: str, env: dict[str, str], line: str) -> list[str]:
    """Return what a shell would offer behind a line, word by word."""
    return " ".join(lines(shell, env, line)).split()


def lines(shell: str, env: dict[str, str], line: str) -> list[str]:
    """Return what a shell would offer behind a line."""
    end = {"bash": "bash", "zsh": "zsh", "fish": "fish"}[shell]
    program = {"bash": [BASH, "bash"], "zsh": [ZSH, "zsh"], "fish": [FISH]}[shell]
    words = [shell, *(["--no-config"] if shell == "fish" else []), "-c", *program, str(FOLDER / f"rxm.{end}"), line]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == "", done
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_verbs_and_domains(daemon: Daemon, alice: dict[str, str], shell: str) -> None:
    rxm = f"rxm -H {daemon.host} -p {daemon.port}"

    assert complete(shell, alice, f"{rxm} unp") == ["unpause", "unpreempt"]
    assert complete(shell, alice, f"{rxm} shutdown --wa") == ["--wait"]
    # A host that is busy just then is not waited for, and the key is pressed again.
    wait_for(lambda: complete(shell, alice, f"{rxm} pause ") == ["test"], 20, "the domains")


def test_bash_replaces_only_what_stands_behind_its_last_break(alice: dict[str, str]) -> None:
    assert complete("bash", alice, "rxm --host=skirit80 li") == ["list"]


def test_a_host_that_hangs_is_not_waited_for(daemon: Daemon, alice: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        port = str(silent.getsockname()[1])

        def asked_in_vain() -> bool:
            answer = run_rxm(alice, "__complete", "-H", daemon.host, "-p", port, "pause", "")
            assert (answer.status, answer.stdout) == (0, "")
            # On a busy machine the time may be over before rxm has come so far as to connect.
            return bool(select.select([silent], [], [], 0)[0])

        # It ends although nobody has said a word to it, closed its connection or refused it.
        wait_for(asked_in_vain, 20, "rxm's connection")


HOSTILE = "debian 12"


@pytest.mark.parametrize(("shell", "offered"), [("bash", "debian\\ 12"), ("zsh", HOSTILE), ("fish", HOSTILE)])
def test_a_name_with_a_blank(realm: Realm, alice: dict[str, str], tmp_path: Path, shell: str, offered: str) -> None:
    """zsh and fish quote what they insert themselves."""
    node = tmp_path / "node.xml"
    node.write_text(NODE.format(for_test_driver("NAME").replace("NAME", HOSTILE) + for_test_driver("c1\x9b2J")))
    daemon = Daemon(realm, tmp_path, uri=f"test://{node}", admins=("alice@XMAN.TEST",))
    line = f"rxm -H {daemon.host} -p {daemon.port} pause "

    wait_for(lambda: lines(shell, alice, line) == [offered], 20, "the domains")

    daemon.stop()
