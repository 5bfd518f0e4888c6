"""Names and reasons that others made: shown as text, and good to be given back."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import Realm

NAMES = (
    "tab\there",
    "n" * 250,
    "csi\x9b2J",
    "rtl\u202eexe",
    "vm[1-3]",
    "vm[x",
    "star*",
    "a b",
    "$(touch x)",
    "cr\rx",
    "Žluť",
    "-dash",
    "back\\slash",
)
NODE = "<node><cpu><mhz>1000</mhz><nodes>1</nodes></cpu><memory>8000000</memory>{}</node>"


@pytest.fixture(scope="module")
def host(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A host whose domains were made by other means than ours: libvirt's test driver reads them from a file."""
    directory = tmp_path_factory.mktemp("hostile")
    node = directory / "node.xml"
    made = [for_test_driver("NAME").replace("NAME", escape(name, {"\r": "&#13;"})) for name in NAMES]
    node.write_text(NODE.format("".join(made)))
    daemon = Daemon(realm, directory, uri=f"test://{node}", admins=("alice@XMAN.TEST",))
    yield daemon
    assert daemon.stop() == 0


def names(host: Daemon, env: dict[str, str]) -> list[str]:
    return [domain["name"] for domain in host.rxm(env, "-j", "list").json()["result"]["domains"]]


def test_they_are_there(host: Daemon, alice: dict[str, str]) -> None:
    assert set(names(host, alice)) == set(NAMES)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_what_is_listed_can_be_named(host: Daemon, alice: dict[str, str], name: str) -> None:
    words = ["--", name] if name.startswith("-") else [name]

    assert host.rxm(alice, "-j", "pause", *words).json()["domain"] == name
    assert host.rxm(alice, "-j", "unpause", *words).json()["domain"] == name
    (domain,) = host.rxm(alice, "-j", "list", *words).json()["result"]["domains"]
    assert domain["name"] == name


@pytest.mark.parametrize("shown", ["tab\\there", "csi\\u009b2J", "rtl\\u202eexe", "cr\\rx"])
def test_as_it_is_shown_it_can_be_named_as_well(host: Daemon, alice: dict[str, str], shown: str) -> None:
    assert shown in host.rxm(alice, "list").stdout
    assert host.rxm(alice, "list", shown).status == 0


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["-j", "list"],
        ["list", "-l"],
        ["state"],
        ["stats"],
        ["events"],
        ["log"],
        ["dmesg"],
        ["-j", "log"],
        ["describe", "csi\x9b2J"],
        ["-j", "describe", "rtl\u202eexe"],
        ["pause", "nosuch\x9b"],
        ["shutdown", "--all", "--yes"],
        ["start", "csi\x9b2J", "rtl\u202eexe", "cr\rx", "tab\there"],
        ["unpause", "csi\x9b2J"],
    ],
    ids=" ".join,
)
def test_no_verb_passes_an_order_to_the_terminal(host: Daemon, alice: dict[str, str], words: list[str]) -> None:
    host.rxm(alice, "--reason", "x\n2026-11-28 10:00:00 bob@R destroy payroll ok 5\x1b[2J\u202e", "pause", "cr\rx")
    host.rxm(alice, "unpause", "cr\rx")

    answer = host.rxm(alice, *words)

    for line in (answer.stdout + answer.stderr).split("\n"):
        assert line.replace("\t", "").isprintable(), ascii(line)
        assert not line.startswith("2026-11-28 10:00:00 bob@R")


def test_remctl_sees_no_order_either(host: Daemon, alice: dict[str, str]) -> None:
    answer = host.remctl(alice, "list")

    assert answer.status == 0
    assert answer.stdout.replace("\n", "").isprintable()


def test_an_error_is_one_line(host: Daemon, alice: dict[str, str]) -> None:
    answer = host.rxm(alice, "new", "-", stdin=for_test_driver("a\nb\nc"))

    assert answer.status == 2
    assert answer.stderr.count("\n") == 1
