"""rxm where it is called `xm` or `xl`: what scripts that were written for these programs find."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from rxm.xm import cli, table
from tests.lab.clients.called_xm import Links
from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.kerberos.realm import Realm
from tests.lab.process import ROOT, wait_for

CONFIG = "name = '{name}'\nbuilder = 'hvm'\nmemory = 128\ndisk = ['file:/srv/{name}.img,hda,w']\n"
PATIENCE = 30.0


@pytest.fixture(scope="module")
def links(daemon: Daemon, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Links:
    return Links(tmp_path_factory.mktemp("links"), daemon, alice)


@pytest.fixture
def config(tmp_path: Path, own_name: str) -> Path:
    """A configuration of xm's."""
    path = tmp_path / f"{own_name}.cfg"
    path.write_text(CONFIG.format(name=own_name))
    return path


def test_list_has_each_programs_columns(links: Links) -> None:
    xm, xl = links.xm("list"), links.xl("list")

    assert (
        xm.stdout.splitlines()[0] == "Name                                        ID   Mem VCPUs      State   Time(s)"
    )
    assert xl.stdout.splitlines()[0] == "Name                                        ID   Mem VCPUs\tState\tTime(s)"
    (row,) = [line.split() for line in xl.stdout.splitlines() if line.startswith("test ")]
    assert len(row) == 6
    assert row[4] == "r-----"


def test_what_was_created_is_gone_when_it_ends(links: Links, config: Path, own_name: str) -> None:
    made = links.xm("create", str(config))

    assert (made.status, made.stderr) == (0, "")
    assert made.stdout.splitlines()[0] == f'Using config file "{config}".'
    assert made.stdout.splitlines()[1].startswith(f"Started domain {own_name} (id=")
    assert links.xl("list", own_name).status == 0
    assert links.xm("destroy", own_name).status == 0
    for program in ("xm", "xl"):
        gone = links.run(program, "list", own_name)
        assert (gone.status, gone.stderr) == (1, f"Error: Domain '{own_name}' does not exist.\n")


def test_xm_lists_what_new_made_and_xl_does_not(links: Links, config: Path, own_name: str) -> None:
    assert links.xm("new", str(config)).status == 0

    assert links.xm("list", own_name).status == 0
    assert links.xl("list", own_name).status == 1
    assert own_name in links.xm("list").stdout
    assert own_name not in links.xl("list").stdout
    assert "(status 0)" in links.xm("list", "-l", own_name).stdout
    assert links.xm("delete", own_name).status == 0


def test_long_is_json_for_xl(links: Links, config: Path, own_name: str) -> None:
    assert links.xl("create", "--quiet", f"name='{own_name}'", str(config)).stdout == ""

    found = json.loads(links.xl("list", "-l", own_name).stdout)
    every = json.loads(links.xl("list", "-l").stdout)

    assert [domain["config"]["c_info"]["name"] for domain in found] == [own_name]
    assert found[0]["config"]["disks"][0]["pdev_path"] == f"/srv/{own_name}.img"
    assert found[0]["domid"] in [domain["domid"] for domain in every]
    links.xl("destroy", own_name)


def test_long_is_sxp_for_xm_and_can_be_read_again(links: Links, config: Path, own_name: str, tmp_path: Path) -> None:
    links.xm("create", str(config))

    long = links.xm("list", "--long", own_name).stdout

    assert "    (status 2)\n    (state r-----)\n" in long
    assert f"    (name {own_name})\n" in long
    links.xm("destroy", own_name)
    again = tmp_path / "again.sxp"
    again.write_text(long)
    assert links.xm("create", "-F", str(again)).status == 0
    assert links.xm("destroy", own_name).status == 0


def test_long_says_where_the_screen_is_and_since_when_it_runs(links: Links, config: Path, own_name: str) -> None:
    line = "vnc=1; vnclisten='127.0.0.1'; vncdisplay=7"
    assert links.xl("create", "--quiet", str(config), line).status == 0

    xl, xm = links.xl("list", "-l", own_name), links.xm("list", "--long", own_name)
    assert json.loads(xl.stdout)[0]["config"]["b_info"]["type.hvm"]["vnc"] == {
        "enable": "True",
        "listen": "127.0.0.1",
        "display": 7,
    }
    assert "(location 127.0.0.1:5907)" in xm.stdout
    assert re.search(r"^    \(start_time [0-9]+\.[0-9]{2}\)$", xm.stdout, re.M)
    links.xl("destroy", own_name)


def test_words_behind_a_file_are_lines_of_it_to_xl(links: Links, config: Path, own_name: str) -> None:
    words = ("memory = 64; vcpus=2", "extra='a;b=c d'", "maxmem=96")

    shown = json.loads(links.xl("create", "-n", str(config), *words).stdout)

    assert shown["c_info"]["name"] == own_name
    built = shown["b_info"]
    assert (built["target_memkb"], built["max_memkb"], built["max_vcpus"]) == (64 << 10, 96 << 10, 2)


def test_nothing_but_words_is_a_configuration(links: Links, own_name: str) -> None:
    shown = links.xm("create", "-n", "/dev/null", f"name={own_name}", "builder=hvm", "memory=64")

    assert (shown.status, f"(name {own_name})" in shown.stdout) == (0, True)


def test_numa_is_in_front_of_xens_own_lines(links: Links) -> None:
    plain, numa = links.xl("info").stdout.splitlines(), links.xl("info", "-n").stdout.splitlines()

    first, last = (
        numa.index("cpu_topology           :"),
        len(numa) - len(plain) + numa.index("cpu_topology           :"),
    )
    assert numa[:first] + numa[last:] == plain
    assert numa[first + 1] == "cpu:    core    socket     node"
    assert numa[first + 2].split() == ["0:", "0", "0", "0"]
    nodes = numa.index("node:    memsize    memfree    distances")
    assert numa[nodes - 1] == "numa_info              :"
    assert [row.split()[0] for row in numa[nodes + 1 : last]] == ["0:", "1:"]


def test_how_the_host_is_configured_is_told_as_well(links: Links, daemon: Daemon) -> None:
    for option in ("-c", "--config"):
        told = links.xm("info", option)
        assert (told.status, str(daemon.k5login) in told.stdout) == (0, True)


def test_an_empty_name_is_no_domains(links: Links) -> None:
    assert [links.xl(verb, "").status for verb in ("domid", "list", "destroy")] == [1, 1, 1]


def test_options_that_change_nothing_here_are_taken(links: Links) -> None:
    assert [links.xl("list", option).status for option in ("-c", "-Z", "-n")] == [0, 0, 0]
    moved = links.xm("migrate", "--live", "--resource=100", "nosuch", "elsewhere")
    assert moved.stderr == "Error: Domain 'nosuch' does not exist.\n"


def test_domain_0_is_listed_though_the_host_has_none(links: Links, daemon: Daemon, alice: dict[str, str]) -> None:
    """Scripts pass over its line: `awk 'NR>2'` would lose a guest without it."""
    xl, own = links.xl("list").stdout.splitlines(), daemon.rxm(alice, "list").stdout.splitlines()

    name, number, memory, cpus, letters, _seconds = xl[1].split()
    assert (name, number, letters) == ("Domain-0", "0", "r-----")
    assert int(memory) > 0
    assert [line.split()[0] for line in links.xl("vcpu-list", "Domain-0").stdout.splitlines()[1:]] == [name] * int(cpus)
    assert "Domain-0" in [line.split()[0] for line in links.xm("list").stdout.splitlines()]
    assert not [line for line in own if line.startswith("Domain-0")]
    assert [links.xl("domid", "Domain-0").stdout, links.xl("domname", "0").stdout] == ["0\n", "Domain-0\n"]
    assert links.xl("list", "Domain-0").stdout.splitlines()[1].split()[:2] == ["Domain-0", "0"]
    first, *others = json.loads(links.xl("list", "-l").stdout)
    assert (first["domid"], first["config"]["c_info"]["name"]) == (0, "Domain-0")
    assert all(one["domid"] > 0 for one in others)
    refused = links.xl("destroy", "Domain-0")
    assert (refused.status, refused.stderr) == (1, "Error: Cannot destroy privileged domain 0\n")


def test_relative_paths_begin_where_the_caller_is(links: Links, own_name: str, tmp_path: Path) -> None:
    (tmp_path / "vm.cfg").write_text(
        f"name = '{own_name}'\ntype = 'hvm'\nkernel = 'k'\ndisk = ['vm.img,raw,hda,w', 'file:cd.iso,hdc:cdrom,r']\n"
    )

    def here(program: str, *words: str) -> Answer:
        return answer(["sh", "-c", f'cd {tmp_path} && exec {program} "$@"', program, *words], links.env, "", 120)

    shown = here("xl", "create", "-q", "-n", "./vm.cfg")
    xm = here("xm", "create", "-q", "-n", "vm.cfg")

    assert shown.status == 0, shown
    config = json.loads(shown.stdout)
    assert [disk["pdev_path"] for disk in config["disks"]] == [f"{tmp_path}/vm.img", f"{tmp_path}/cd.iso"]
    assert config["b_info"]["kernel"] == f"{tmp_path}/k"
    # xend looked for disks from the root directory.
    assert (xm.status, "A disk's 'vm.img' does not begin with '/'" in xm.stderr) == (1, True)


def test_domid_and_domname_turn_into_each_other(links: Links) -> None:
    number = links.xl("domid", "test")

    assert number.stdout.strip().isdigit()
    assert links.xl("domname", number.stdout.strip()).stdout == "test\n"
    assert links.xl("domid", "nosuch").status == 1


def test_a_dry_run_says_what_it_understood(links: Links, config: Path, own_name: str) -> None:
    xl = links.xl("create", "--quiet", "--dryrun", "--defconfig", str(config))
    xm = links.xm("create", "-n", "-q", "-f", str(config))

    assert json.loads(xl.stdout)["c_info"]["name"] == own_name
    assert f"(name {own_name})" in xm.stdout
    assert links.xl("list", own_name).status == 1


def test_a_dry_run_does_not_ask_whether_there_is_such_a_domain(
    links: Links, config: Path, own_name: str, daemon: Daemon, alice: dict[str, str]
) -> None:
    assert links.xl("create", "--quiet", str(config)).status == 0

    again = links.xl("create", "--quiet", "--dryrun", "--defconfig", str(config))

    # Debian's xendomains asks for the name of what it has just restored.
    assert json.loads(again.stdout)["c_info"]["name"] == own_name
    assert daemon.rxm(alice, "create", "-n", str(config)).status == 3
    assert daemon.rxm(alice, "create", "--as-new", str(config)).status == 2
    links.xl("destroy", own_name)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], 1),
        (["help"], 0),
        (["--help"], 0),
        (["nosuch"], 1),
        (["pause"], 1),
        (["pause", "nosuch"], 1),
        (["list", "--nonsense"], 1),
        (["create", "/nosuch/file"], 1),
        (["mem-set", "test", "lots"], 1),
        (["sched-credit", "-d", "test"], 1),
    ],
)
def test_statuses_are_0_and_1(links: Links, words: list[str], status: int) -> None:
    for program in ("xm", "xl"):
        assert links.run(program, *words).status == status


def test_pause_unpause_sizes_and_pins(links: Links, config: Path, own_name: str) -> None:
    links.xl("create", "-q", str(config), "vcpus=2", "maxmem=256")

    for words in (
        ["pause", own_name],
        ["unpause", own_name],
        ["mem-set", own_name, "192m"],
        ["vcpu-set", own_name, "1"],
        ["vcpu-pin", own_name, "0", "0-1"],
        ["vcpu-pin", "--ignore-global-affinity-masks", own_name, "0", "0"],
        ["vcpu-list", own_name],
        ["uptime", own_name],
        ["block-list", own_name],
        ["network-list", own_name],
        ["reboot", own_name],
        ["shutdown", "-w", own_name],
    ):
        done = links.xl(*words)
        assert (done.status, done.stderr) == (0, ""), words


def test_what_was_saved_is_restored(links: Links, config: Path, own_name: str, daemon: Daemon) -> None:
    links.xl("create", "-q", str(config))
    file = daemon.directory / "state" / "saved" / f"{own_name}.chk"

    assert links.xl("save", own_name, str(file)).status == 0
    assert file.is_file()
    assert links.xl("list", own_name).status == 1
    assert links.xl("restore", str(file)).status == 0
    assert links.xl("list", own_name).status == 0
    links.xl("destroy", own_name)


def test_only_a_hosts_own_word_makes_list_fail(
    realm: Realm, alice: dict[str, str], tmp_path: Path, config: Path
) -> None:
    """A cluster's agent takes any failure for "not running", and starts the guest on another host."""
    daemon = Daemon(realm, tmp_path / "xmand", admins=("alice@XMAN.TEST",))
    links = Links(tmp_path / "links", daemon, alice)
    daemon.stop()

    with subprocess.Popen(
        [str(links.directory / "xl"), "list", "test"], env=links.env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as asking:
        assert asking.stderr is not None
        line = asking.stderr.readline().decode()
        assert "Asking again." in line
        assert asking.poll() is None
        asking.send_signal(signal.SIGTERM)
        assert asking.wait(PATIENCE) != 0


def test_list_goes_on_asking_until_the_host_is_back(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    daemon = Daemon(realm, tmp_path / "xmand", admins=())
    links = Links(tmp_path / "links", daemon, alice)

    with subprocess.Popen(
        [str(links.directory / "xl"), "list", "test"], env=links.env, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as asking:
        assert asking.stderr is not None
        assert "Asking again." in asking.stderr.readline().decode()
        daemon.allow("alice@XMAN.TEST")
        wait_for(lambda: asking.poll() is not None, PATIENCE, "its end")
        assert asking.returncode == 0
    assert daemon.stop() == 0


def test_an_expired_identity_is_not_the_guests_end(links: Links, tmp_path: Path) -> None:
    env = links.env | {"KRB5CCNAME": f"FILE:{tmp_path / 'none'}"}
    with subprocess.Popen(
        [str(links.directory / "xm"), "list", "--long", "test"], env=env, stderr=subprocess.PIPE
    ) as asking:
        assert asking.stderr is not None
        assert "Asking again." in asking.stderr.readline().decode()
        asking.kill()


def test_each_verb_of_theirs_is_carried_out_or_refused_with_a_word() -> None:
    done = set(table.BOTH) | set(table.ONLY_XM)

    assert set(cli.COMMANDS) | {"help", "console"} == done
    assert not done & set(table.REFUSED)
    assert set(table.REFUSED_TO_XL) == set(table.ONLY_XM)


def test_no_verb_of_xls_manual_is_missing() -> None:
    """xl(1) of Xen 4.17 and 4.20."""
    documented = (ROOT / "tests" / "data" / "formats" / "xl-verbs.txt").read_text().split()

    assert [verb for verb in documented if not known_to_xl(verb)] == []


def known_to_xl(verb: str) -> bool:
    """Whether it is carried out, or refused with a word."""
    try:
        return bool(table.resolve("xl", verb))
    except LookupError as error:
        return str(error).startswith(f"'xl {verb}' is not carried out here: ")


def test_under_its_own_name_rxm_is_what_it_was(links: Links, daemon: Daemon, alice: dict[str, str]) -> None:
    own, called = daemon.rxm(alice, "list", "test").stdout, links.xm("list", "test").stdout

    # The test driver's time is the clock's.
    assert own.rsplit(maxsplit=1)[0] == called.rsplit(maxsplit=1)[0]
    assert daemon.rxm(alice, "list", "nosuch").status == 7
