"""The password of a screen is nowhere but in the domain: each way by which it could get out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import Realm

SECRET = "hunter2-s3cret"
CONFIG = f"name = 'screened'\nbuilder = 'hvm'\nvnc = 1\nvncpasswd = '{SECRET}'\n"
FRAME_BUFFER = f"name = 'screened'\nbuilder = 'hvm'\nvfb = ['type=vnc,vncpasswd={SECRET}']\n"
SXP = f"(vm (name screened) (memory 64) (image (hvm (boot c))) (device (vfb (type vnc) (vncpasswd {SECRET}))))"
XML = for_test_driver("screened").replace("</os>", f"</os><devices><graphics type='vnc' passwd='{SECRET}'/></devices>")
WITHOUT = "name = 'screened'\nbuilder = 'hvm'\nvnc = 1\n"
# What a person gave: words of rxm, and what stands in FILE.
WAYS_IN = {
    "xm": ([], CONFIG),
    "frame-buffer": ([], FRAME_BUFFER),
    "sxp": ([], SXP),
    "xml": ([], XML),
    "word": ([f"vncpasswd={SECRET}"], WITHOUT),
}


@pytest.fixture(params=sorted(WAYS_IN))
def given(request: pytest.FixtureRequest) -> tuple[list[str], str]:
    """A way of giving the password."""
    way: tuple[list[str], str] = WAYS_IN[request.param]
    return way


@pytest.fixture(scope="module")
def watched(realm: Realm, tmp_path_factory: pytest.TempPathFactory, alice: dict[str, str]) -> Iterator[Daemon]:
    """A daemon whose whole log and message buffer are looked through at the end."""
    daemon = Daemon(realm, tmp_path_factory.mktemp("watched"), admins=("alice@XMAN.TEST",))
    yield daemon
    buffer = daemon.rxm(alice, "dmesg").stdout
    assert daemon.stop() == 0
    assert SECRET not in buffer
    assert SECRET not in "\n".join(daemon.syslog.raw())
    # Its journal and its standard error among them.
    files = [path for path in daemon.directory.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite" or "journal" in path.name for path in files), files
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def silent(answer: Answer) -> bool:
    """Whether a program kept the password to itself."""
    return SECRET not in answer.stdout + answer.stderr


def test_nothing_that_shows_a_domain_shows_it(
    watched: Daemon, alice: dict[str, str], given: tuple[list[str], str]
) -> None:
    words, text = given

    made = watched.rxm(alice, "create", "-", *words, stdin=text)
    shown = [
        watched.rxm(alice, *words)
        for words in (
            ["-j", "list", "-l", "screened"],
            ["describe", "screened"],
            ["describe", "--inactive", "screened"],
            ["-j", "stats", "screened"],
        )
    ]
    watched.rxm(alice, "destroy", "screened")
    again = watched.rxm(alice, "-j", "create", "-", *words, stdin=text)
    watched.rxm(alice, "destroy", "screened")
    watched.rxm(alice, "delete", "screened")

    assert (made.status, again.status) == (0, 0)
    assert all(answer.status == 0 for answer in shown)
    assert all(map(silent, [made, again, *shown]))


@pytest.mark.parametrize("option", [[], ["-j"]], ids=["text", "json"])
def test_a_dry_run_leaves_it_out_and_says_so(
    watched: Daemon, alice: dict[str, str], given: tuple[list[str], str], option: list[str]
) -> None:
    words, text = given

    answer = watched.rxm(alice, *option, "create", "--dry-run", "-", *words, stdin=text)

    assert answer.status == 0
    assert silent(answer)
    assert "A password is not shown." in answer.stdout + answer.stderr
    assert "<graphics" in answer.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], CONFIG.replace("'\n", "\n", 3)),  # a quote is missing
        ([], f"name = 'x'\nvncpasswd = {SECRET.replace('-', '_')}\n"),  # both are
        ([], CONFIG + "import os\nos.system(vncpasswd)\n"),
        ([], CONFIG + "memory = 'lots'\n"),
        ([], CONFIG.replace("hvm", "linux")),
        ([], FRAME_BUFFER.replace("vncpasswd=", "vncpasswd=a,").replace("']", "=1']")),
        ([], FRAME_BUFFER.replace(SECRET, f"a,{SECRET.replace('-', '_')}=1")),
        ([], FRAME_BUFFER.replace("vncpasswd=", "vncpasswrd=")),
        ([], SXP[:-1]),
        ([], XML[:-9]),
        ([], XML.replace(f"'{SECRET}'", f"'{SECRET}")),
        ([], XML.replace(SECRET, f"&{SECRET};")),
        ([], XML.replace("passwd=", "pass=")),
        ([], XML.replace("<graphics type='vnc'", "<graphics type='none'")),
        ([f"vncpasswd=['{SECRET}'"], WITHOUT),
        ([f"vncpasswd={SECRET}", f"vncpasswd={SECRET}"], WITHOUT),
        ([f"vncpasswd {SECRET}"], WITHOUT),
        ([f"vncpasswd={SECRET}"], XML),
        (["--strict", f"vncpasswrd={SECRET}"], WITHOUT),
        ([f"--vncpasswd={SECRET}"], WITHOUT),
    ],
)
def test_no_error_repeats_it(watched: Daemon, alice: dict[str, str], words: list[str], text: str) -> None:
    secret = SECRET.replace("-", "_")

    for verb in ("new", "create"):
        answer = watched.rxm(alice, verb, "-", *words, stdin=text)
        assert answer.status in (2, 12), answer
        assert SECRET not in answer.stderr
        assert secret not in answer.stderr


def test_a_stock_client_gets_no_more(watched: Daemon, alice: dict[str, str]) -> None:
    answer = watched.remctl(alice, "create", CONFIG.replace("hvm", "linux"), f"vncpasswd={SECRET}")

    assert answer.status == 12
    assert silent(answer)


def test_a_word_in_the_place_of_the_file(watched: Daemon, alice: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "vm.cfg"
    path.write_text(WITHOUT)

    answer = watched.rxm(alice, "create", f"vncpasswd={SECRET}", str(path))

    assert answer.status == 2
    assert silent(answer)
    assert "FILE" in answer.stderr
