"""Debian's remctl drives xmand: every verb, by the words that a person would type."""

import hashlib
import subprocess

import pytest

from tests.fakes import verb_words
from tests.lab.hosts import each_verb
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from xman import pictures, verbs


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str], own_name: str) -> str:
    """A running domain of the test's own, made with remctl."""
    made = daemon.remctl(alice, "create", for_test_driver(own_name))
    assert (made.status, made.stderr) == (0, f"Started domain {own_name}\n")
    return own_name


TYPED = [
    ["help"],
    ["help", "list"],
    ["list"],
    ["list", "--long"],
    ["list", "VM"],
    ["list", "--state", "running"],
    ["list", "--label", "course"],
    ["describe", "VM"],
    ["describe", "--inactive", "VM"],
    ["dmesg"],
    ["dmesg", "-c"],
    ["pause", "VM"],
    ["unpause", "VM"],
    ["reboot", "VM"],
    ["mem-set", "VM", "256"],
    ["vcpu-set", "VM", "2"],
    ["mem-max", "VM", "1024"],
    ["label", "VM", "course=os1", "week=3"],
    ["label", "VM", "week-"],
    ["assign", "VM", "term1"],
    ["assign", "--this-run", "VM", "term1"],
    ["assign", "VM", "off"],
    ["vcpu-pin", "VM", "0", "0"],
    ["dump-core", "VM", "VM.core"],
    ["shutdown", "VM"],
    ["shutdown", "--wait", "VM"],
    ["destroy", "VM"],
    ["start", "VM"],
    ["suspend", "VM"],
    ["autostart", "VM", "on"],
    ["wait", "--for", "running", "VM"],
    ["stats"],
    ["stats", "VM"],
    ["stats", "--host"],
    ["events"],
    ["events", "VM"],
    ["images"],
]
BATCH = (
    ["job-start", "--id=4711", "--owner=alice@XMAN.TEST"],
    ["job-renew", "--id=4711", "--lease=600"],
    ["job-claim", "--id=4712"],
    ["state"],
    ["job-list"],
    ["preempt"],
    ["unpreempt"],
    ["freeze"],
    ["defrost"],
    ["job-stop", "--id=4711"],
)
# libvirt's test driver changes none.
DEVICES = ("block-attach", "block-detach", "block-resize", "cd-insert", "cd-eject", "network-attach", "network-detach")
# Those that have a test of their own.
OTHERS = {"console", "create", "delete", "maintenance", "migrate", "new", "rename", "restore", "resume", "save"}
OTHERS |= {"clone", "edit", *DEVICES}
OTHERS |= {"screenshot", "send-key", "snapshot", "snapshot-delete", "snapshot-revert", "vnc"}
OTHERS |= {"volume-create", "volume-delete", "volume-download", "volume-upload"}
OTHERS |= {"launch", "terminate", "profile", "profile-client"}
DRIVEN = {words[0] for words in (*TYPED, *BATCH)} | OTHERS
# Every other verb that only looks, as it is tried elsewhere.
LOOKING = [
    [verb.name, *(word.format(name="VM") for word in each_verb.looking(verb)[1])]
    for verb in verbs.VERBS
    if not verb.changes and verb.name not in DRIVEN
]


@pytest.mark.parametrize(
    "words",
    TYPED + LOOKING,
    ids="-".join,
)
def test_a_verb_gives_what_rxm_gives(daemon: Daemon, alice: dict[str, str], vm: str, words: list[str]) -> None:
    said = [vm if word == "VM" else word for word in words]

    answer = daemon.remctl(alice, *said)

    assert answer.status == 0, answer
    # rxm's own help is local; `--mine` asks the host.
    if words == ["help"]:
        assert daemon.rxm(alice, "help", "--mine").stdout == answer.stdout
    if words[0] in ("describe", "version"):
        # The stamp of the domain's start may come between the two, once.
        assert daemon.rxm(alice, *said).stdout in (answer.stdout, daemon.remctl(alice, *said).stdout)


def test_the_managed_life_cycle(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.remctl(alice, "new", for_test_driver("managed")).status == 0
    for verb in ("start", "suspend", "resume", "destroy", "delete"):
        answer = daemon.remctl(alice, verb, "managed")
        assert answer.status == 0, (verb, answer)


def test_devices_are_asked_for_by_xms_words(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    for verb in DEVICES:
        answer = daemon.remctl(alice, verb, vm, *verb_words.WORDS[verb])
        assert (answer.status, "changes no devices" in answer.stderr) == (12, True), answer


def test_going_back_to_a_snapshot_and_deleting_it(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    for verb in ("snapshot", "snapshot-revert", "snapshot-delete"):
        answer = daemon.remctl(alice, verb, vm, "then")
        assert answer.status == 0, (verb, answer)


def test_making_a_volume_and_deleting_it(daemon: Daemon, alice: dict[str, str]) -> None:
    for words in (["volume-create", "default-pool", "by-remctl", "8"], ["volume-delete", "default-pool", "by-remctl"]):
        answer = daemon.remctl(alice, *words)
        assert answer.status == 0, (words, answer)


def test_an_upload_is_a_conversation_that_remctl_cannot_hold(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.remctl(alice, "volume-upload", "default-pool", "by-remctl")

    assert answer.status == 2, answer
    assert "rxm volume-upload" in answer.stderr


def test_a_volume_that_is_not_there_is_not_fetched(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.remctl(alice, "volume-download", "default-pool", "nosuch")

    assert answer.status == 3, answer
    assert "has no volume 'nosuch'" in answer.stderr


def test_saving_restoring_and_renaming(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    for words in (["save", vm, "by-remctl"], ["restore", "by-remctl"], ["destroy", vm], ["rename", vm, f"{vm}-2"]):
        answer = daemon.remctl(alice, *words)
        assert answer.status == 0, (words, answer)


def test_cloning_and_editing(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    kept = daemon.remctl(alice, "describe", "--inactive", vm).stdout
    was = hashlib.sha256(kept.encode()).hexdigest()

    cloned = daemon.remctl(alice, "clone", vm, f"{vm}-clone")
    edited = daemon.remctl(alice, "edit", f"--was={was}", vm, kept.replace("</name>", "</name><title>of two</title>"))
    again = daemon.remctl(alice, "edit", f"--was={was}", vm, kept)

    assert cloned.status == 0, cloned
    assert edited.status == 0, edited
    assert "<title>of two</title>" in daemon.remctl(alice, "describe", "--inactive", vm).stdout
    assert (again.status, "was changed meanwhile" in again.stderr) == (3, True), again


def test_batch_work_is_done_or_refused(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    for words in BATCH:
        answer = daemon.remctl(alice, *words, vm)
        # A domain that was started just now is booting, which refuses most of it.
        assert answer.status == 0 or (answer.status == 3 and vm in answer.stderr), (words, answer)
    assert daemon.remctl(alice, "maintenance", "off").status == 0


def test_a_domain_without_a_console_is_told(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.remctl(alice, "console", vm)

    assert answer.status == 12, answer
    assert "has no console" in answer.stderr


def test_a_picture_of_a_screen_is_octets_for_a_file(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    words = [*daemon.prefix, "remctl", "-p", str(daemon.port), daemon.host, "screenshot", vm]

    done = subprocess.run(words, env=alice, capture_output=True, timeout=60, check=True)

    assert min(pictures.size(done.stdout)) > 0


def test_vnc_is_a_conversation_that_remctl_cannot_hold(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.remctl(alice, "vnc", vm)

    assert answer.status == 2, answer
    assert "rxm vnc" in answer.stderr


def test_keys_are_pressed(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.remctl(alice, "send-key", vm, "ctrl-alt-del").status == 0

    answer = daemon.remctl(alice, "send-key", vm, "s3cret")

    assert answer.status == 2, answer
    assert "s3cret" not in answer.stderr


def test_every_verb_is_driven_by_remctl() -> None:
    assert DRIVEN | {words[0] for words in LOOKING} == set(verbs.BY_NAME)


def test_machines_from_images_are_refused_in_words(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    for words in (["launch", "debian", "machine"], ["terminate", vm]):
        answer = daemon.remctl(alice, *words)
        assert (answer.status, "only QEMU runs machines from images" in answer.stderr) == (12, True), answer


def test_clients_of_profiles_are_refused_in_words(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    for words in (["profile", vm, "on"], ["profile-client", vm, f"{vm}-client"]):
        answer = daemon.remctl(alice, *words)
        assert (answer.status, "only QEMU runs clients of profiles" in answer.stderr) == (12, True), answer


def test_migrate_is_refused_in_words(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.remctl(alice, "migrate", "--live", vm, "elsewhere")

    assert answer.status == 3
    assert answer.stderr.startswith("Error: ")


def test_an_exit_class_is_remctls_status(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.remctl(alice, "pause", "vm9")

    assert (answer.status, answer.stdout, answer.stderr) == (7, "", "Error: Domain 'vm9' does not exist.\n")


def test_a_denied_principal(daemon: Daemon, mallory: dict[str, str]) -> None:
    answer = daemon.remctl(mallory, "list")

    assert (answer.status, answer.stderr) == (255, "Access denied\n")


def test_json_for_programs_in_other_languages(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.remctl(alice, "list", "--json").json()["result"]["domains"]


def test_an_empty_command(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.remctl(alice, "")

    assert (answer.status, answer.stderr) == (255, "Unknown command\n")


def test_a_change_without_a_request_id_gets_one(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.remctl(alice, "pause", vm)

    assert len(daemon.syslog.wait(ev="end", verb="pause", dom=vm)["rid"]) == 32


def test_a_large_argument_arrives_in_several_messages(daemon: Daemon, alice: dict[str, str], own_name: str) -> None:
    description = for_test_driver(own_name).replace("<os>", f"<description>{'x' * 120_000}</description><os>")

    assert daemon.remctl(alice, "create", description).status == 0
    assert "x" * 120_000 in daemon.remctl(alice, "describe", own_name).stdout
