"""rxm where it is called `xl`: the ways of its command line that scripts use (xl(1), tools/xl/xl.c)."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.lab.clients.called_xm import Links
from tests.lab.hosts.daemon import Daemon
from tests.lab.process import wait_for

PATIENCE = 30.0


@pytest.fixture(scope="module")
def links(daemon: Daemon, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Links:
    return Links(tmp_path_factory.mktemp("links"), daemon, alice)


@pytest.fixture
def config(tmp_path: Path, own_name: str) -> Path:
    """A configuration of both programs'."""
    path = tmp_path / f"{own_name}.cfg"
    path.write_text(f"name = '{own_name}'\nbuilder = 'hvm'\nmemory = 128\ndisk = ['file:/srv/a.img,hda,w']\n")
    return path


def test_xls_info_says_one_thing_where_it_is_named(links: Links) -> None:
    lines = dict(line.split(": ", 1) for line in links.xl("info").stdout.splitlines() if ": " in line)
    memory = {name.strip(): value for name, value in lines.items()}

    assert links.xl("info", "free_memory").stdout == f"{memory['free_memory']}\n"
    assert links.xl("info", "total").stdout == f"{memory['total_memory']}\n"
    assert (links.xl("info", "nosuch").status, links.xl("info", "nosuch").stdout) == (0, "")
    assert len(links.xl("info", "-n", "free_memory").stdout.splitlines()) > 1
    assert links.xm("info", "free_memory").status == 1


@pytest.mark.parametrize("words", [["li"], ["-vt", "list"], ["-vvv", "-f", "lis"]])
def test_a_beginning_that_is_one_verbs_will_do(links: Links, words: list[str]) -> None:
    for program in ("xm", "xl"):
        assert "test" in links.run(program, *words, "test").stdout


def test_xls_own_dry_run_stands_in_front(links: Links, config: Path, own_name: str) -> None:
    shown = links.xl("-vN", "create", "-q", str(config))

    assert json.loads(shown.stdout)["c_info"]["name"] == own_name
    assert links.xl("list", own_name).status == 1
    refused = links.xl("-N", "destroy", "test")
    assert (refused.status, refused.stderr) == (
        1,
        "Error: command does not implement -N (dryrun) option: destroy\n",
    )


def test_options_as_getopt_takes_them(links: Links, config: Path, own_name: str) -> None:
    """A value at its option, and a long option's beginning."""
    assert links.xl("create", "-qi", "--dry", f"-f{config}").status == 0
    assert links.xl("create", "-q", f"--def={config}", "--ignore-global-affinity-masks").status == 0
    assert links.xl("destroy", own_name).status == 0
    assert links.xl("create", "--d", str(config)).status == 1


def test_xl_in_the_foreground_stays_until_the_guest_has_ended(links: Links, config: Path, own_name: str) -> None:
    with subprocess.Popen([str(links.directory / "xl"), "create", "-q", "-F", str(config)], env=links.env) as waiting:
        wait_for(lambda: links.xl("list", own_name).status == 0, PATIENCE, "the guest")
        assert waiting.poll() is None
        links.xl("destroy", own_name)
        assert waiting.wait(PATIENCE) == 0


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_each_verb_says_where_its_help_is(links: Links, option: str) -> None:
    said = links.xl("create", option)

    assert (said.status, "rxm help create" in said.stdout) == (0, True)
