"""create and new of a domain that is there already: a new description for one that is off, or the old one back."""

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver

KEPT = "<metadata><site:note xmlns:site='urn:site'>rack 7</site:note></metadata>"


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str], own_name: str) -> str:
    """A defined domain that is off, is started with its host, and has a password and metadata."""
    description = for_test_driver(own_name).replace(
        "</os>",
        f"</os>{KEPT}<devices><graphics type='vnc' passwd='s3cret'/></devices>",
    )
    assert daemon.rxm(alice, "new", "-", stdin=description).status == 0
    assert daemon.rxm(alice, "autostart", own_name, "on").status == 0
    return own_name


def facts(daemon: Daemon, env: dict[str, str], name: str) -> dict[str, object]:
    """Return what `list --long` says."""
    found: dict[str, object] = daemon.rxm(env, "-j", "list", "-l", name).json()["result"]["domains"][0]
    return found


def described(daemon: Daemon, env: dict[str, str], name: str) -> str:
    """Return the description that is kept."""
    return daemon.rxm(env, "describe", "--inactive", name).stdout


@pytest.mark.parametrize("verb", ["create", "new"])
def test_a_domain_that_is_off_gets_the_new_description(
    daemon: Daemon, alice: dict[str, str], vm: str, verb: str
) -> None:
    before = facts(daemon, alice, vm)

    answer = daemon.rxm(alice, "-j", verb, "-", stdin=for_test_driver(vm, memory_mib=256))

    assert answer.status == 0, answer
    assert answer.json()["result"]["redefined"] is True
    assert answer.json()["notes"][0] == f"The description of '{vm}', which was off, is replaced."
    after = facts(daemon, alice, vm)
    assert (after["uuid"], after["autostart"], after["max_memory"]) == (before["uuid"], True, 256 << 20)
    assert after["state"] == ("running" if verb == "create" else "shutoff")


def test_the_former_description_is_back_where_the_start_fails(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    before, known = described(daemon, alice, vm), facts(daemon, alice, vm)

    # libvirt's test driver cannot start a domain paused.
    answer = daemon.rxm(alice, "create", "--paused", "-", stdin=for_test_driver(vm, memory_mib=256))

    assert_one_line(answer, 12, "cannot do that")
    assert "rack 7" in before
    assert described(daemon, alice, vm) == before
    assert facts(daemon, alice, vm) == known


def test_its_own_uuid_in_the_file_is_no_contradiction(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    uuid = facts(daemon, alice, vm)["uuid"]
    description = for_test_driver(vm).replace("</name>", f"</name><uuid>{uuid}</uuid>")

    assert daemon.rxm(alice, "new", "-", stdin=description).status == 0


def test_another_uuid_means_another_domain(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    uuid = "11111111-2222-3333-4444-555555555555"
    description = for_test_driver(vm).replace("</name>", f"</name><uuid>{uuid}</uuid>")

    assert_one_line(daemon.rxm(alice, "create", "-", stdin=description), 3, "already exists, with the UUID")


def test_the_uuid_of_a_domain_with_another_name(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    uuid = facts(daemon, alice, vm)["uuid"]
    description = for_test_driver("newcomer").replace("</name>", f"</name><uuid>{uuid}</uuid>")

    assert_one_line(daemon.rxm(alice, "new", "-", stdin=description), 3, f"'{vm}' already exists")


def test_one_that_runs_is_left_alone(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "start", vm)

    for verb in ("create", "new"):
        assert_one_line(daemon.rxm(alice, verb, "-", stdin=for_test_driver(vm)), 3, "already exists (running)")


def test_one_that_is_suspended_is_left_alone(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "start", vm)
    daemon.rxm(alice, "suspend", vm)

    answer = daemon.rxm(alice, "create", "-", stdin=for_test_driver(vm))

    assert_one_line(answer, 3, "is suspended", "resume it, or delete it first")
    assert daemon.rxm(alice, "-j", "resume", vm).json()["result"]["restored"] is True


def test_a_transient_one_is_not_made_of_it(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    before = described(daemon, alice, vm)

    answer = daemon.rxm(alice, "create", "--transient", "-", stdin=for_test_driver(vm))

    assert_one_line(answer, 3, "already exists (off)")
    assert described(daemon, alice, vm) == before


def test_a_dry_run_says_what_it_would_replace(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    before, uuid = described(daemon, alice, vm), facts(daemon, alice, vm)["uuid"]

    answer = daemon.rxm(alice, "create", "--dry-run", "-", stdin=for_test_driver(vm, memory_mib=256))

    assert (answer.status, "is replaced" in answer.stderr) == (0, True)
    assert f"<uuid>{uuid}</uuid>" in answer.stdout
    assert described(daemon, alice, vm) == before


def test_a_start_with_the_host(daemon: Daemon, alice: dict[str, str]) -> None:
    config = "name = 'with-its-host'\nbuilder = 'hvm'\non_xend_start = 'start'\non_xend_stop = 'shutdown'\n"

    dry = daemon.rxm(alice, "create", "--dry-run", "-", stdin=config)
    answer = daemon.rxm(alice, "new", "-", stdin=config)

    left_out = "Left out: what becomes of it when its host stops is the host's own setting (line 4: on_xend_stop).\n"
    assert dry.stderr == f"{left_out}It will be started with its host.\n"
    assert answer.stderr == left_out
    assert facts(daemon, alice, "with-its-host")["autostart"] is True


def test_a_transient_one_cannot_start_with_its_host(daemon: Daemon, alice: dict[str, str]) -> None:
    config = "name = 'passing-by'\nbuilder = 'hvm'\non_xend_start = 'start'\n"

    assert_one_line(daemon.rxm(alice, "create", "--transient", "-", stdin=config), 2, "on_xend_start")
    assert daemon.rxm(alice, "list", "passing-by").status == 7
