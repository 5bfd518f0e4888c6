"""What cannot be understood: its exit class, one clear line, begin and end in syslog, and nothing changed."""

from collections.abc import Iterator

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver

GOOD = for_test_driver("bad-input")
ENTITY = f'<!DOCTYPE domain [<!ENTITY x "y">]>{GOOD.replace("<os>", "<title>&x;</title><os>")}'
EXTERNAL = (
    f'<!DOCTYPE domain [<!ENTITY x SYSTEM "file:///etc/passwd">]>{GOOD.replace("<os>", "<title>&x;</title><os>")}'
)


@pytest.fixture(autouse=True)
def _nothing_changes(daemon: Daemon, alice: dict[str, str]) -> Iterator[None]:
    before = daemon.rxm(alice, "-j", "list").json()["result"]["domains"]
    yield
    after = daemon.rxm(alice, "-j", "list").json()["result"]["domains"]
    for domain in (*before, *after):
        del domain["cpu_seconds"]  # the test driver's clock
    assert before == after


def test_an_unknown_domain(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "pause", "vm9")

    assert_one_line(answer, 7)
    assert answer.stderr == "Error: Domain 'vm9' does not exist.\n"
    assert daemon.syslog.wait(ev="end", dom="vm9")["res"] == "no-such-domain"


def test_an_unknown_verb_never_leaves_rxm(daemon: Daemon, alice: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(alice, "frobnicate", "test"), 2, "'frobnicate' is not a verb")


def test_an_unknown_verb_of_a_stock_client_is_logged(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.remctl(alice, "frobnicate", "test")

    assert (answer.status, answer.stderr) == (255, "Unknown command\n")
    assert daemon.syslog.wait(ev="deny", verb="frobnicate")["detail"] == "no such verb"


@pytest.mark.parametrize(
    "words",
    [
        ["mem-set", "test", "abc"],
        ["mem-set", "test", "0"],
        ["mem-set", "test", "12x"],
        ["vcpu-set", "test", "0"],
        ["vcpu-set", "test", "two"],
        ["vcpu-set", "test", "1.5"],
        ["vcpu-set", "test"],
        ["pause"],
        ["info", "extra"],
        ["list", "--nonsense"],
        ["pause", "a/b"],
        ["pause", "bell\x07"],
        ["migrate", "test", "x;y"],
        ["migrate", "test", "h?command=/bin/sh"],
    ],
    ids=lambda words: "-".join(words).encode("ascii", "backslashreplace").decode().replace("/", "_"),
)
def test_bad_words(daemon: Daemon, alice: dict[str, str], words: list[str]) -> None:
    assert_one_line(daemon.rxm(alice, *words), 2)


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["-j", "pau"], "pause"),
        (["-j", "frobnicate"], "frobnicate"),
        (["-j"], ""),
        (["-j", "--nonsense", "list"], ""),
        (["list", "--json", "--nonsense"], "list"),
        (["-j", "mem-set", "test", "abc"], "mem-set"),
    ],
)
def test_bad_words_are_an_object_too_and_say_of_which_verb(
    daemon: Daemon, alice: dict[str, str], words: list[str], verb: str
) -> None:
    answer = daemon.rxm(alice, *words)

    failed = answer.json()
    assert (answer.status, failed["class"], failed["verb"], answer.stderr) == (2, "usage", verb, "")


def test_an_option_of_rxms_own_is_taken_behind_the_verb(daemon: Daemon, alice: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(alice, "wait", "test", "--for", "off", "-t", "1"), 11, "is still running after")


@pytest.mark.parametrize(
    "words",
    [["mem-set", "test", "abc"], ["vcpu-set", "test", "0"], ["pause"], ["list", "--nonsense"]],
    ids=lambda words: words[0],
)
def test_bad_words_of_a_stock_client_are_refused_by_xmand_too(
    daemon: Daemon, alice: dict[str, str], words: list[str]
) -> None:
    assert_one_line(daemon.remctl(alice, *words), 2)
    assert daemon.syslog.wait(ev="end", verb=words[0], res="usage")["code"] == "2"


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("<domain type='test'><name>bad-input</name>", "not well-formed"),
        ("this is no XML", "cannot be read"),
        (ENTITY, "DOCTYPE"),
        (EXTERNAL, "DOCTYPE"),
        (f"<!DOCTYPE domain>{GOOD}", "DOCTYPE"),
        ("<network><name>n</name></network>", "not <domain>"),
        (GOOD.replace("bad-input", "123"), "is not a valid name for a new domain"),
        (GOOD.replace("bad-input", "a b"), "is not a valid name for a new domain"),
        (GOOD.replace("<memory unit='MiB'>512</memory>", ""), "emory"),
        (GOOD.replace("os>", "oz>"), "oz"),
        (GOOD.replace("<name>", "<uuid>1234</uuid><name>"), "UUID"),
    ],
    ids=[
        "cut-short",
        "text",
        "entity",
        "external-entity",
        "doctype",
        "network",
        "digits",
        "blank",
        "no-memory",
        "unknown-element",
        "uuid",
    ],
)
def test_a_description_that_cannot_be_read(daemon: Daemon, alice: dict[str, str], description: str, words: str) -> None:
    answer = daemon.rxm(alice, "create", "-", stdin=description)

    assert_one_line(answer, 2, words)
    assert "root:" not in answer.stderr


def test_a_denied_callers_description_is_not_parsed(daemon: Daemon, mallory: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(mallory, "create", "-", stdin="this is no XML"), 5)


def test_a_description_that_is_too_large(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "create", "-", stdin=GOOD + " " * 256 * 1024)

    assert_one_line(answer, 2, "larger than 256 KiB")


def test_a_command_with_too_many_arguments(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.remctl(alice, "list", *["x"] * 4096)

    assert (answer.status, answer.stderr) == (255, "Too many arguments\n")
    assert daemon.syslog.wait(ev="deny", detail="refused: Too many arguments")["princ"] == "alice@XMAN.TEST"


def test_a_command_that_is_too_long(daemon: Daemon, alice: dict[str, str]) -> None:
    # The kernel takes at most 128 KiB in one argument of a program.
    answer = daemon.remctl(alice, "list", *["x" * 100_000] * 11)

    assert (answer.status, answer.stderr) == (255, "Too much data\n")
    assert daemon.syslog.wait(ev="deny", detail="refused: Too much data")["princ"] == "alice@XMAN.TEST"


def test_an_argument_that_is_not_utf8(daemon: Daemon, alice: dict[str, str]) -> None:
    import subprocess

    command = [b"remctl", b"-p", str(daemon.port).encode(), b"skirit80.xman.test", b"pause", b"\xff\xfe"]
    done = subprocess.run(command, env=alice, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (2, b"Error: An argument is not UTF-8.\n")


def test_a_failed_start_leaves_nothing_behind(daemon: Daemon, alice: dict[str, str]) -> None:
    twin = for_test_driver("twin").replace("<name>", "<uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid><name>")

    answer = daemon.rxm(alice, "create", "-", stdin=twin)

    assert_one_line(answer, 3, "'test' already exists")
