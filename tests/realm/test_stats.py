"""What domains and the host use, through rxm, against libvirt's test driver, whose figures are made up."""

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.published import RESULTS

DEVICES = (
    "<devices><disk type='file'><source file='/nowhere/disk.img'/><target dev='vda'/></disk>"
    "<interface type='network'><source network='default'/></interface></devices></domain>"
)


@pytest.fixture(scope="module")
def vm(daemon: Daemon, alice: dict[str, str]) -> str:
    """A running domain with a disk and an interface."""
    description = for_test_driver("measured").replace("</domain>", DEVICES)
    made = daemon.rxm(alice, "create", "-", stdin=description)
    assert made.status == 0, made
    return "measured"


def test_stats_of_a_domain(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    found = daemon.rxm(alice, "-j", "stats", vm).json()

    RESULTS.validate(found)
    (domain,) = found["result"]["domains"]
    assert (domain["name"], domain["state"], domain["max_memory"]) == (vm, "running", 512 * 2**20)
    assert "cpu_percent" not in domain
    (interface,) = domain["interfaces"]
    assert interface["rx_octets"] >= 0
    (disk,) = domain["disks"]
    assert (disk["name"], disk["path"]) == ("vda", "/nowhere/disk.img")
    assert disk["capacity"] > 0
    assert disk["allocation"] > 0
    assert domain["addresses"][0]["source"] == "lease"


def test_stats_as_text(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "stats", vm)

    fields = {key.strip(): value.strip() for key, value in (line.split(":", 1) for line in answer.stdout.splitlines())}
    assert (fields["name"], fields["maxmem"], fields["disk.vda.path"]) == (vm, "512", "/nowhere/disk.img")
    assert int(fields["net.testnet0.rx_octets"]) >= 0
    assert (answer.status, answer.stderr) == (0, "")


def test_stats_of_all_domains(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    names = [domain["name"] for domain in daemon.rxm(alice, "-j", "stats").json()["result"]["domains"]]

    assert names == sorted(names)
    assert {vm, "test"} <= set(names)


def test_stats_of_named_domains_keep_their_order(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    for words in (["test", vm], [vm, "test"]):
        domains = daemon.rxm(alice, "-j", "stats", *words).json()["result"]["domains"]
        assert [domain["name"] for domain in domains] == words


def test_stats_of_a_domain_that_is_off(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.rxm(alice, "new", "-", stdin=for_test_driver("idle").replace("</domain>", DEVICES)).status == 0

    (domain,) = daemon.rxm(alice, "-j", "stats", "idle").json()["result"]["domains"]

    assert (domain["state"], domain["cpu_seconds"], domain["interfaces"], domain["addresses"]) == ("shutoff", 0, [], [])
    assert domain["disks"][0]["path"] == "/nowhere/disk.img"
    assert "read_octets" not in domain["disks"][0]


def test_stats_of_a_domain_that_is_not_there(daemon: Daemon, alice: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(alice, "stats", "nowhere"), 7, "'nowhere' does not exist")


def test_stats_of_the_host(daemon: Daemon, alice: dict[str, str]) -> None:
    found = daemon.rxm(alice, "-j", "stats", "--host").json()

    RESULTS.validate(found)
    host = found["result"]["host"]
    assert len(host["load"]) == 3
    assert [pool["name"] for pool in host["pools"]] == ["default-pool"]
    assert "cpu_percent" not in host
    assert "pool.default-pool.capacity: " in daemon.rxm(alice, "stats", "--host").stdout


def test_the_host_is_not_a_domain(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert_one_line(daemon.rxm(alice, "stats", "--host", vm), 2, "do not name a domain")
