"""Every verb through rxm, with a real ticket, against libvirt's test driver."""

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver as describe_domain
from tests.lab.published import RESULTS
from xman import verbs

HEADER = "Name                                        ID   Mem VCPUs      State   Time(s)"


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str], own_name: str) -> str:
    """A running domain of the test's own."""
    made = daemon.rxm(alice, "create", "-", stdin=describe_domain(own_name))
    assert made.status == 0, made
    return own_name


def state_of(daemon: Daemon, env: dict[str, str], name: str) -> str:
    """Return the state that `list` shows for a domain."""
    return str(daemon.rxm(env, "-j", "list", name).json()["result"]["domains"][0]["state"])


def test_list_prints_xms_columns(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "list")

    lines = answer.stdout.splitlines()
    assert lines[0] == HEADER
    assert any(line.startswith("test    ") and " r----- " in line for line in lines[1:])
    assert (answer.status, answer.stderr) == (0, "")


def test_list_of_named_domains_keeps_their_order(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "list", vm, "test")

    assert [line.split()[0] for line in answer.stdout.splitlines()[1:]] == [vm, "test"]


def test_list_long_names_uuid_and_reason(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "list", "-l", vm)

    fields = dict(line.split(":", 1) for line in answer.stdout.splitlines())
    assert fields["name                   "].strip() == vm
    assert fields["max_vcpus              "].strip() == "4"
    assert fields["reason                 "].strip() == "booted"


def test_create_starts_a_domain_and_says_so(daemon: Daemon, alice: dict[str, str], own_name: str) -> None:
    answer = daemon.rxm(alice, "create", "-", stdin=describe_domain(own_name))

    assert answer.status == 0
    assert answer.stderr == f"Started domain {own_name}\n"
    assert state_of(daemon, alice, own_name) == "running"


def test_create_of_an_existing_name_is_refused(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "create", "-", stdin=describe_domain(vm, memory_mib=64))

    assert answer.status == 3
    assert answer.stderr == f"Error: Domain '{vm}' already exists (running).\n"


def test_create_from_a_file(daemon: Daemon, alice: dict[str, str], own_name: str) -> None:
    path = daemon.directory / "from-file.xml"
    path.write_text(describe_domain(own_name))

    assert daemon.rxm(alice, "create", str(path)).status == 0


def test_pause_and_unpause(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "pause", vm).status == 0
    assert state_of(daemon, alice, vm) == "paused"

    assert daemon.rxm(alice, "unpause", vm).status == 0
    assert state_of(daemon, alice, vm) == "running"


def test_destroy(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "destroy", vm).status == 0

    assert state_of(daemon, alice, vm) == "shutoff"


def test_destroy_refuses_an_id(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    number = daemon.rxm(alice, "-j", "list", vm).json()["result"]["domains"][0]["id"]

    answer = daemon.rxm(alice, "destroy", str(number))

    assert answer.status == 2
    assert vm in answer.stderr
    assert state_of(daemon, alice, vm) == "running"


def test_a_domain_is_found_by_uuid_and_by_id(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    domain = daemon.rxm(alice, "-j", "list", vm).json()["result"]["domains"][0]

    for word in (domain["uuid"], str(domain["id"])):
        assert daemon.rxm(alice, "-j", "list", word).json()["result"]["domains"][0]["name"] == vm


def test_shutdown_with_wait(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "shutdown", "--wait", vm)

    assert (answer.status, answer.stdout, answer.stderr) == (0, "", f"Domain {vm} terminated\n")
    assert state_of(daemon, alice, vm) == "shutoff"


def test_shutdown_of_a_paused_domain_is_explained(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "pause", vm)

    answer = daemon.rxm(alice, "shutdown", vm)

    assert answer.status == 3
    assert "paused" in answer.stderr
    assert state_of(daemon, alice, vm) == "paused"


def test_reboot(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "-j", "reboot", vm)

    assert (answer.status, answer.json()["changed"]) == (0, True)
    assert state_of(daemon, alice, vm) == "running"


@pytest.mark.parametrize("verb", ["reboot", "pause", "unpause"])
def test_a_domain_that_is_off_is_not_started(daemon: Daemon, alice: dict[str, str], vm: str, verb: str) -> None:
    daemon.rxm(alice, "destroy", vm)

    answer = daemon.rxm(alice, verb, vm)

    assert (answer.status, answer.stderr) == (3, f"Error: Domain '{vm}' is not started.\n")


def test_mem_set_reports_what_was_reached(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "-j", "mem-set", vm, "256")

    mib = 1 << 20
    assert answer.json()["result"] == {"requested": 256 * mib, "before": 512 * mib, "reached": 256 * mib}
    assert daemon.rxm(alice, "list", vm).stdout.splitlines()[1].split()[2] == "256"


def test_mem_set_over_the_maximum_is_refused(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "mem-set", vm, "1G")

    assert (answer.status, answer.stderr) == (3, f"Error: Domain '{vm}' may have at most 512 MiB.\n")


def test_vcpu_set(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "-j", "vcpu-set", vm, "3")

    assert answer.json()["result"] == {"requested": 3, "before": 1, "reached": 3}


def test_vcpu_set_over_the_maximum_is_refused(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "vcpu-set", vm, "9").status == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [(["pause"], ["pause"]), (["destroy"], ["destroy"]), (["destroy"], ["shutdown"]), ([], ["unpause"])],
    ids=["paused", "off", "shut-down", "running"],
)
def test_what_already_holds_succeeds_and_is_said(
    daemon: Daemon, alice: dict[str, str], vm: str, first: list[str], second: list[str]
) -> None:
    for verb in first:
        daemon.rxm(alice, verb, vm)

    answer = daemon.rxm(alice, "-j", *second, vm)

    assert (answer.status, answer.json()["changed"]) == (0, False)
    assert "already" in answer.json()["notes"][0]


@pytest.mark.parametrize(("verb", "value"), [("mem-set", "512"), ("vcpu-set", "1")])
def test_a_size_that_already_holds_changes_nothing(
    daemon: Daemon, alice: dict[str, str], vm: str, verb: str, value: str
) -> None:
    assert daemon.rxm(alice, "-j", verb, vm, value).json()["changed"] is False


def test_describe_is_libvirts_xml(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "describe", vm)

    assert answer.stdout.startswith("<domain type='test'")
    assert f"<name>{vm}</name>" in answer.stdout


def test_migrate_is_refused_where_the_configuration_allows_no_host(
    daemon: Daemon, alice: dict[str, str], vm: str
) -> None:
    answer = daemon.rxm(alice, "migrate", vm, "elsewhere")

    assert answer.status == 3
    assert "[migrate] allow" in answer.stderr


def test_info_prints_xms_fields(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "info")

    assert "nr_cpus                : 16\n" in answer.stdout
    assert "total_memory           : 3072\n" in answer.stdout
    assert "xen_major" not in answer.stdout


def test_dmesg_says_what_it_is_and_clear_clears(daemon: Daemon, alice: dict[str, str]) -> None:
    before = daemon.rxm(alice, "dmesg", "-c")
    after = daemon.rxm(alice, "dmesg")

    assert before.stdout.startswith("xmand message ring on ")
    assert 'verb="dmesg"' in before.stdout
    assert len(after.stdout.splitlines()) < len(before.stdout.splitlines())
    assert after.stdout.splitlines()[0] == before.stdout.splitlines()[0]


def test_life_cycle_events_reach_dmesg(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "pause", vm)

    assert f"domain {vm} " in daemon.rxm(alice, "dmesg").stdout


def test_ping_tells_as_whom_one_is_known(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "-j", "ping").json()["result"]

    assert answer["principal"] == "alice@XMAN.TEST"
    assert answer["verbs"] == [verb.name for verb in verbs.VERBS]
    assert answer["list"]["entries"] == 1


def test_version(daemon: Daemon, alice: dict[str, str]) -> None:
    assert "hypervisor             : TEST\n" in daemon.rxm(alice, "version").stdout


def test_version_says_which_list_the_host_has_and_what_the_audit_lost(daemon: Daemon, alice: dict[str, str]) -> None:
    found = daemon.rxm(alice, "-j", "version").json()

    RESULTS.validate(found)
    assert found["result"]["list_hash"] == daemon.rxm(alice, "-j", "ping").json()["result"]["list"]["sha256"]
    assert found["result"]["audit_lost"] == 0


def test_help_lists_every_verb(daemon: Daemon, alice: dict[str, str]) -> None:
    listed = [line.split()[0] for line in daemon.rxm(alice, "help", "--mine").stdout.splitlines()[2:]]

    assert listed == [verb.name for verb in verbs.VERBS]


def test_help_of_a_verb_is_the_same_as_rxms_own(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.rxm(alice, "help", "migrate").stdout == daemon.rxm(alice, "migrate", "--help").stdout


def test_prefixes_and_aliases(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "pa", vm).status == 0
    assert daemon.rxm(alice, "unp", vm).status == 0
    answer = daemon.rxm(alice, "balloon", vm, "256")

    assert answer.status == 0
    assert "deprecated" in answer.stderr


def test_several_domains_get_a_command_each(daemon: Daemon, alice: dict[str, str]) -> None:
    for number in (1, 2):
        daemon.rxm(alice, "create", "-", stdin=describe_domain(f"several{number}"))

    answer = daemon.rxm(alice, "-j", "pause", "several[1-2]", "nothere")

    assert [(line["domain"], line["ok"]) for line in answer.objects()] == [
        ("several1", True),
        ("several2", True),
        ("nothere", False),
    ]
    assert answer.status == 7


def test_quiet_prints_nothing_on_success(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "-q", "list")

    assert (answer.status, answer.stdout, answer.stderr) == (0, "", "")


def test_every_result_is_of_the_published_schema(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    extra = {"mem-set": ["200"], "autostart": ["on"], "vcpu-set": ["2"], "migrate": ["elsewhere"], "mem-max": ["900"]}
    extra |= {"vcpu-pin": ["0", "0"], "save": ["every"], "dump-core": ["every.core"], "rename": [f"{vm}-renamed"]}
    extra |= {"clone": [f"{vm}-clone"], "edit": ["--was", "0" * 64, "-"]}
    extra |= {"label": ["course=os1"], "assign": ["term1"]}
    extra |= {"profile": ["on"], "profile-client": [f"{vm}-client"]}
    extra |= {"block-attach": ["file:/none", "vdb", "w"], "block-detach": ["vdb"], "block-resize": ["vda", "8G"]}
    extra |= {"cd-insert": ["hdc", "/none"], "network-attach": ["bridge=br0"], "network-detach": ["0"]}
    extra |= {"snapshot": ["then"], "snapshot-revert": ["then"], "snapshot-delete": ["then"]}
    alone = {"create": ["-"], "new": ["-"], "maintenance": ["off"], "help": ["--mine"], "restore": ["every"]}
    checked = []
    for verb in verbs.VERBS:
        words = [vm, *extra.get(verb.name, [])] if verb.takes_domain else alone.get(verb.name, [])
        answer = daemon.rxm(alice, "-j", verb.name, *words, stdin=describe_domain(f"{vm}-{verb.name}"))
        RESULTS.validate(answer.json())
        assert answer.json()["verb"] == verb.name
        checked.append(verb.name)

    assert checked == [verb.name for verb in verbs.VERBS]


def test_the_audit_has_begin_and_end_of_a_change(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "--reason", "moving house", "pause", vm)

    end = daemon.syslog.wait(ev="end", verb="pause", dom=vm)
    begin = daemon.syslog.wait(ev="begin", verb="pause", dom=vm)
    assert (end["princ"], end["res"], end["code"]) == ("alice@XMAN.TEST", "ok", "0")
    assert begin["reason"] == "moving house"
    assert begin["rid"] == end["rid"]
    assert len(end["rid"]) == 32
