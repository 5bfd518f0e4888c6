"""What a Xen host says of itself, as xl says it beside xmand; its Domain-0."""

import pytest

from tests.lab.hosts.daemon import assert_one_line
from tests.xen.conftest import Xen
from xmand.system import xl


def xl_info(xen: Xen) -> dict[str, str]:
    """Return what xl prints in Domain-0."""
    lines = xen.host.must("xl", "info").splitlines()
    return {name.strip(): value.strip() for name, value in (line.split(":", 1) for line in lines)}


def test_info_has_what_xl_has(xen: Xen) -> None:
    ours, theirs = xen.does("info"), xl_info(xen)

    assert {name: str(ours[name]) for name in xl.INFO_FIELDS} == {name: theirs[name] for name in xl.INFO_FIELDS}
    for name in ("nr_cpus", "nr_nodes", "cores_per_socket", "threads_per_core", "xen_major", "xen_minor", "release"):
        assert str(ours[name]) == theirs[name], name


def test_info_counts_the_memory_as_xl_does(xen: Xen) -> None:
    printed = dict(line.split(":", 1) for line in xen.rxm("info").stdout.splitlines())
    ours = {name.strip(): value.strip() for name, value in printed.items()}
    theirs = xl_info(xen)

    assert (ours["total_memory"], ours["free_memory"]) == (theirs["total_memory"], theirs["free_memory"])


def test_dmesg_is_xens_buffer(xen: Xen) -> None:
    first, *lines = xen.rxm("dmesg").stdout.splitlines()

    assert first == "Xen message buffer of xen1"
    assert any(line.startswith("(XEN) Xen version 4.") for line in lines)


def test_dmesg_prints_and_then_clears(xen: Xen) -> None:
    buffer = xen.host.must("xl", "dmesg")

    printed = xen.rxm("dmesg", "-c").stdout

    assert printed.endswith(buffer[-200:])
    assert len(xen.host.must("xl", "dmesg")) < len(buffer)


def test_domain_0_is_listed_as_xm_did(xen: Xen) -> None:
    line = xen.rxm("list").stdout.splitlines()[1]

    assert line.startswith("Domain-0                                     0   512     2     r-----")


@pytest.mark.parametrize("verb", ["destroy", "pause", "shutdown", "reboot", "suspend", "delete"])
def test_domain_0_is_left_alone(xen: Xen, verb: str) -> None:
    assert_one_line(xen.rxm(verb, "Domain-0"), 3, f"Cannot {verb} privileged domain 0")


def test_domain_0_is_not_migrated(xen: Xen) -> None:
    assert_one_line(xen.rxm("migrate", "Domain-0", "xen2"), 3, "Cannot migrate privileged domain 0")


def test_stats_of_the_host(xen: Xen) -> None:
    printed = xen.rxm("stats", "--host").stdout

    assert "nr_cpus                : 2\n" in printed


def test_the_unit_runs_hardened(xen: Xen) -> None:
    """xmand, its libraries and xl live with what the shipped unit allows them."""
    assert xen.host.must("systemctl", "show", "-P", "SubState", "xmand") == "running\n"
    assert xen.host.must("systemctl", "show", "-P", "CapabilityBoundingSet", "xmand") == "\n"
