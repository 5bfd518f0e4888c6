"""The guides for schedulers (etc/slurm): their files are there, their configurations are read, their commands exist."""

import json
import re
import shlex
import textwrap
from pathlib import Path

import pytest

import rxm.settings
import xmand.settings
from rxm import options
from rxm.slurm import settings as slurm_settings
from tests.lab.process import ROOT
from xman import arguments, verbs

FOLDER = ROOT / "etc" / "slurm"
GUIDE = (FOLDER / "README.md").read_text()
OTHERS = (FOLDER / "other-schedulers.md").read_text()


def blocks() -> list[str]:
    """Return what stands in the guide to be typed or copied."""
    return [textwrap.dedent(found).strip() for found in re.findall(r"(?:^ {7}.*\n)+", GUIDE, re.MULTILINE)]


def configuration(name: str) -> str:
    """Return what the guide has of a configuration, all of it."""
    return "\n".join(block for block in blocks() if block.startswith(f"# /etc/xman/{name}\n"))


def commands(text: str) -> list[str]:
    """Return the commands that a guide gives for rxm, with somebody's words in them."""
    found = re.findall(r"`(?:runuser -u slurm -- )?(rxm [^`]+)`", text)
    words = {"JOB": "4711", "USER": "alice", "DOMAIN...": "vm1 vm2", "[--preemptible]": "--preemptible"}
    return [re.sub("|".join(map(re.escape, words)), lambda match: words[match[0]], command) for command in found]


def test_the_hosts_configuration_is_one(tmp_path: Path) -> None:
    path = tmp_path / "xmand.toml"
    path.write_text(configuration("xmand.toml"))

    loaded = xmand.settings.load(str(path))

    assert loaded.unknown == ()
    assert (loaded.batch.domains, loaded.batch.priority) == (("vm80-[1-2]",), ("vm80-2",))
    assert list(loaded.authorize.principals) == ["slurm/ctl.example.org@EXAMPLE.ORG"]


def test_the_controllers_configurations_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rxm.toml").write_text(configuration("slurm-rxm.toml"))
    (tmp_path / "slurm.toml").write_text(next(block for block in blocks() if block.startswith("rxm_config = ")))
    monkeypatch.setenv(slurm_settings.PATH_VARIABLE, str(tmp_path / "slurm.toml"))

    assert rxm.settings.load(str(tmp_path / "rxm.toml")).client_keytab == "/etc/xman/slurm.keytab"
    assert slurm_settings.load().preemptible == ("low",)


@pytest.mark.parametrize(
    "topic",
    [
        "(22.05) and 13 (24.11)",
        "looks at its job every 30 s",
        "**Arrays**",
        "**Jobs on several nodes**",
        "`RealMemory`",
        "`ProctrackType=proctrack/cgroup`",
        "CPUs that are plugged in",
        "`HealthCheckProgram`",
        "`GANG`",
        "`PreemptType`",
        "controllers it waits",
        "`ResumeRate`",
        "`cloud_dns`",
        "## What a domain needs that is a node",
        "`ResumeTimeout` is for the slowest boot",
    ],
)
def test_what_a_site_stumbles_over_is_in_the_guide(topic: str) -> None:
    assert topic in GUIDE


def test_a_change_of_the_hosts_is_followed_by_a_reload() -> None:
    """Each step that changes xmand.toml says so: until then the next step's command is denied."""
    steps = re.split(r"^\d\. ", GUIDE, flags=re.MULTILINE)

    changing = [step for step in steps if "# /etc/xman/xmand.toml" in step]
    assert len(changing) == 2
    assert not [step for step in changing if "systemctl reload xmand" not in step]


def test_kadmin_is_told_whose_password_it_asks_for() -> None:
    lines = [line for block in blocks() for line in block.splitlines() if line.startswith("kadmin")]

    assert lines
    assert not [line for line in lines if not line.startswith("kadmin -p admin/admin ")]


def test_what_is_installed_is_there() -> None:
    lines = [shlex.split(line) for block in blocks() for line in block.splitlines() if line.startswith("install ")]
    files = {word for words in lines for word in words[1:] if (FOLDER / word).is_file()}

    assert files == {
        "resume",
        "suspend",
        "prolog",
        "epilog",
        "slurm.toml",
        "hooks/preempted",
        "hooks/resumed",
        "xman-slurm.service",
    }
    for path in re.findall(r"/usr/lib/xman/slurm/(\w+)", (FOLDER / "slurm.conf.example").read_text()):
        assert path in files


@pytest.mark.parametrize("command", commands(GUIDE) + commands(OTHERS))
def test_a_command_is_one(command: str) -> None:
    _options, (name, *words) = options.parse(shlex.split(command)[1:])

    arguments.parse(verbs.BY_NAME[name], words, several=True)


def test_there_are_commands_in_both() -> None:
    assert len(commands(GUIDE)) >= 2
    assert len(commands(OTHERS)) >= 6


# --- the examples for other schedulers --------------------------------------------------------------------------------

EXAMPLES = ROOT / "examples"


def indented(folder: str) -> list[str]:
    """Return what stands in an example's guide to be typed or copied."""
    text = (EXAMPLES / folder / "README.md").read_text()
    return [textwrap.dedent(found).strip() for found in re.findall(r"(?:^ {4}.*\n)+", text, re.MULTILINE)]


def test_the_pools_configurations_are_ones(tmp_path: Path) -> None:
    host, guest = (next(b for b in indented("htcondor") if b.startswith(f"# /etc/xman/{n}")) for n in ("xmand", "cond"))
    (tmp_path / "xmand.toml").write_text(host)
    (tmp_path / "rxm.toml").write_text(guest)

    loaded = xmand.settings.load(str(tmp_path / "xmand.toml"))

    assert loaded.unknown == ()
    assert loaded.authorize.roles["guests"].domains == ("{name}",)
    assert rxm.settings.load(str(tmp_path / "rxm.toml")).client_keytab == "/etc/krb5.keytab"


def test_the_pools_hooks_are_there_and_are_the_links_that_its_configuration_names() -> None:
    named = re.findall(r"= /usr/lib/xman/htcondor/(\w+)", (EXAMPLES / "htcondor" / "50-xman.conf").read_text())

    assert sorted(named) == ["exit", "prepare", "update"]
    for name in named:
        assert (EXAMPLES / "htcondor" / name).readlink() == Path("xman-hook")
        assert f"  {name})" in (EXAMPLES / "htcondor" / "xman-hook").read_text()


def test_the_hook_of_openpbs_is_imported_as_it_is_called() -> None:
    text = "\n".join(indented("openpbs"))

    (words,) = [json.loads(block) for block in indented("openpbs") if block.startswith("{")]
    assert set(words) <= {"rxm", "preemptible", "lease", "patience"}
    for name in re.findall(r"default (\S+\.py)", text):
        assert (EXAMPLES / "openpbs" / name).is_file()
