"""xm configurations and SXP through rxm, against libvirt's test driver."""

from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line

CONFIG = "name = 'from-xm'\nbuilder = 'hvm'\nmemory = 256\nvif = ['mac=00:16:3e:00:00:01,bridge=br0']\n"
SXP = "(vm (name from-sxp) (memory 128) (image (hvm (boot c))) (device (vbd (uname file:/x) (dev hda) (mode w))))"


def test_create_from_an_xm_configuration(daemon: Daemon, alice: dict[str, str], tmp_path: Path, own_name: str) -> None:
    path = tmp_path / "vm.cfg"
    path.write_text(CONFIG.replace("from-xm", own_name))

    answer = daemon.rxm(alice, "create", str(path))

    assert (answer.status, answer.stderr) == (0, f"Started domain {own_name}\n")
    assert "00:16:3e:00:00:01" in daemon.rxm(alice, "describe", own_name).stdout


def test_create_from_sxp(daemon: Daemon, alice: dict[str, str], own_name: str) -> None:
    assert daemon.rxm(alice, "create", "-", stdin=SXP.replace("from-sxp", own_name)).status == 0

    found = daemon.rxm(alice, "-j", "list", own_name).json()["result"]["domains"][0]
    assert (found["state"], found["memory"]) == ("running", 128 << 20)


def test_words_behind_the_file_win(daemon: Daemon, alice: dict[str, str], own_name: str) -> None:
    answer = daemon.rxm(alice, "new", "-", f"name={own_name}", "memory=64", "unheard_of=1", stdin=CONFIG)

    assert (answer.status, answer.stderr) == (0, "Left out, without an equivalent on this host: unheard_of=.\n")
    assert "<memory unit='KiB'>65536</memory>" in daemon.rxm(alice, "describe", own_name).stdout


def test_words_of_a_stock_client(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.remctl(alice, "new", CONFIG, "name=stock").status == 0


def test_a_dry_run_shows_the_conversion_and_its_notes(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "create", "-n", "--convert", "-", stdin="name = 'pv'\nkernel = '/k'\n")

    assert (answer.status, answer.stderr) == (
        0,
        "Converted: the PV guest is an HVM guest that boots its kernel directly.\n",
    )
    assert "<kernel>/k</kernel>" in answer.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'x'\nimport subprocess\n", "Python code in configuration is not executed (line 2: import)."),
        ("name = 'x'\nmemory = 'lots'\n", "(line 2: memory)"),
        ("(vm (name x)", "A ')' is missing (line 1)."),
        ("memory = 256\n", "has no name"),
        ("name = 'a b'\nbuilder = 'hvm'\n", "is not a valid name for a new domain"),
    ],
    ids=["code", "value", "sxp", "no-name", "name"],
)
def test_a_bad_line_is_one_line(daemon: Daemon, alice: dict[str, str], text: str, words: str) -> None:
    assert_one_line(daemon.rxm(alice, "create", "-", stdin=text), 2, words)


def test_strict(daemon: Daemon, alice: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(alice, "new", "--strict", "-", stdin=CONFIG + "nosuch = 1\n"), 2, "nosuch (line 5)")


def test_what_the_driver_cannot_do_is_named(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "create", "-", stdin="name = 'pv'\nkernel = '/k'\n")

    assert_one_line(answer, 12, "'kernel'", "--convert", "(line 2: kernel)")


@pytest.mark.parametrize("word", ["memory", "=1", "memory 1"])
def test_what_stands_behind_the_file_is_key_and_value(daemon: Daemon, alice: dict[str, str], word: str) -> None:
    assert_one_line(daemon.rxm(alice, "new", "-", word, stdin=CONFIG), 2, "KEY=VALUE")


def test_words_do_not_change_xml(daemon: Daemon, alice: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(alice, "new", "-", "memory=1", stdin="<domain/>"), 2, "FILE is XML")
