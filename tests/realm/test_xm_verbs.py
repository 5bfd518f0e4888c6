"""The verbs that xm had and rxm did not: to look at domains, to keep them in files, to rename and to pin."""

from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str], own_name: str) -> str:
    """A running domain of the test's own."""
    made = daemon.rxm(alice, "create", "-", stdin=for_test_driver(own_name))
    assert made.status == 0, made
    return own_name


def saved(daemon: Daemon) -> Path:
    """Return the directory of the host's files."""
    return daemon.directory / "state" / "saved"


def test_uptime_and_vcpu_list_have_xms_columns(daemon: Daemon, alice: dict[str, str]) -> None:
    uptime = daemon.rxm(alice, "uptime", "test").stdout.splitlines()
    vcpus = daemon.rxm(alice, "vcpu-list", "test").stdout.splitlines()

    assert uptime[0] == "Name                                ID Uptime "
    assert uptime[1].split()[0] == "test"
    assert vcpus[0] == "Name                                ID  VCPU   CPU State   Time(s) CPU Affinity"
    assert [line.split()[2] for line in vcpus[1:]] == ["0", "1"]


def test_uptime_leaves_out_what_is_off(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "destroy", vm).status == 0

    names = [domain["name"] for domain in daemon.rxm(alice, "-j", "uptime").json()["result"]["domains"]]

    assert "test" in names
    assert vm not in names


def test_what_was_saved_is_restored(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    done = daemon.rxm(alice, "-j", "save", vm, f"{vm}.save")

    assert done.json()["result"]["file"] == str(saved(daemon) / f"{vm}.save")
    assert (saved(daemon) / f"{vm}.save").is_file()
    assert daemon.rxm(alice, "-j", "list", vm).json()["result"]["domains"][0]["state"] == "shutoff"
    back = daemon.rxm(alice, "-j", "restore", str(saved(daemon) / f"{vm}.save"))
    assert back.json()["result"]["name"] == vm
    assert daemon.rxm(alice, "-j", "list", vm).json()["result"]["domains"][0]["state"] == "running"
    assert_one_line(daemon.rxm(alice, "restore", f"{vm}.save"), 3, "already")


def test_nothing_is_written_over(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "dump-core", vm, f"{vm}.core").status == 0

    assert_one_line(daemon.rxm(alice, "dump-core", vm, f"{vm}.core"), 3, "already exists")
    assert_one_line(daemon.rxm(alice, "save", vm, f"{vm}.core"), 3, "already exists")


@pytest.mark.parametrize("file", ["/etc/passwd", "../x", "a/../../x", "/tmp/x", ".hidden", "a//b", "-"])
def test_a_file_elsewhere_is_refused(daemon: Daemon, alice: dict[str, str], file: str) -> None:
    for words in (["save", "test", "--", file], ["restore", "--", file], ["dump-core", "test", "--", file]):
        answer = daemon.rxm(alice, *words)

        assert answer.status == 2, (words, answer)


def test_a_link_does_not_lead_out(daemon: Daemon, alice: dict[str, str], tmp_path: Path) -> None:
    saved(daemon).mkdir(exist_ok=True)
    (saved(daemon) / "out").symlink_to(tmp_path)

    assert_one_line(daemon.rxm(alice, "save", "test", "out/x"), 2, "leads outside")
    assert list(tmp_path.iterdir()) == []


def test_rename(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert_one_line(daemon.rxm(alice, "rename", vm, "other"), 3, "not halted")
    assert daemon.rxm(alice, "destroy", vm).status == 0
    uuid = daemon.rxm(alice, "-j", "list", vm).json()["result"]["domains"][0]["uuid"]

    assert daemon.rxm(alice, "rename", vm, f"{vm}-new").status == 0

    found = daemon.rxm(alice, "-j", "list", f"{vm}-new").json()["result"]["domains"][0]
    assert found["uuid"] == uuid
    assert_one_line(daemon.rxm(alice, "rename", f"{vm}-new", "test"), 3, "already exists")
    assert daemon.rxm(alice, "rename", f"{vm}-new", vm).status == 0


def test_the_most_memory(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "-j", "mem-max", vm, "2G").json()

    assert (answer["changed"], answer["result"]["reached"], answer["result"]["kept"]) == (True, 2 << 30, True)
    assert daemon.rxm(alice, "-j", "mem-max", vm, "2G").json()["changed"] is False


@pytest.mark.parametrize(
    ("words", "why"), [(["9", "0"], "the virtual CPUs 0 to"), (["0", "99"], "has the CPUs 0 to 15")]
)
def test_pinning_to_what_is_not_there(daemon: Daemon, alice: dict[str, str], words: list[str], why: str) -> None:
    assert_one_line(daemon.rxm(alice, "vcpu-pin", "test", *words), 2, why)


def test_pinning_shows_in_the_list(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "vcpu-pin", vm, "all", "0-3,^1").status == 0

    (domain,) = daemon.rxm(alice, "-j", "vcpu-list", vm).json()["result"]["domains"]
    assert [one["affinity"] for one in domain["vcpu"]] == [[0, 2, 3]] * len(domain["vcpu"])


def test_how_the_host_is_configured(daemon: Daemon, alice: dict[str, str]) -> None:
    text = daemon.rxm(alice, "info", "-c").stdout
    told = daemon.rxm(alice, "-j", "info", "-c").json()

    assert f"save_dir               : {saved(daemon)}\n" in text
    assert told["result"]["config"]["save_dir"] == str(saved(daemon))


def test_disks_and_cards(daemon: Daemon, alice: dict[str, str]) -> None:
    name = "devices"
    description = (
        f"<domain type='test'><name>{name}</name><memory unit='MiB'>64</memory><os><type>hvm</type></os><devices>"
        "<disk type='file' device='disk'><source file='/srv/a.img'/><target dev='vda' bus='virtio'/></disk>"
        "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>"
        "</devices></domain>"
    )
    assert daemon.rxm(alice, "create", "-", stdin=description).status == 0

    block = daemon.rxm(alice, "block-list", name).stdout.splitlines()
    network = daemon.rxm(alice, "network-list", name).stdout.splitlines()

    assert block[0].split() == ["Vdev", "BE", "handle", "state", "evt-ch", "ring-ref", "BE-path"]
    assert (block[1].split()[0], block[1].split()[-1]) == ("vda", "/srv/a.img")
    assert network[1].split()[2] == "52:54:00:00:00:01"
    for verb in ("destroy", "delete"):
        assert daemon.rxm(alice, verb, name).status == 0
