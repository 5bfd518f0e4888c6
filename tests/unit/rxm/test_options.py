"""rxm's own options, and what the command answers without asking any host."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import xman
from rxm import cli
from rxm.options import OPTIONS, parse
from rxm.own import help as helping
from tests.lab.published import RESULTS
from xman import outcome
from xman.arguments import MOST_TEXT
from xman.errors import UsageError
from xman.verbs import VERBS


def run(*words: str) -> int:
    """Run rxm in this process."""
    return cli.run(list(words))


def complaint(captured: tuple[str, str]) -> str:
    """Return the one line on standard error of a command that did nothing else."""
    stdout, stderr = captured
    assert stdout == ""
    assert stderr.startswith("Error: ")
    assert stderr.count("\n") == 1
    assert stderr.endswith("\n")
    return stderr.removeprefix("Error: ").rstrip("\n")


# --- options ----------------------------------------------------------------------------------------------------------


def test_what_is_not_given_is_empty() -> None:
    found, rest = parse([])

    assert rest == []
    assert vars(found) == {
        "host": "",
        "port": 0,
        "service": "",
        "json": False,
        "timeout": None,
        "max_age": None,
        "fanout": 0,
        "fail_fast": False,
        "reason": "",
        "quiet": False,
        "yes": False,
        "format": "",
        "columns": "",
        "sort": "",
        "no_headers": False,
        "verbose": False,
        "syslog": False,
        "config": "",
        "help": False,
        "version": False,
    }


def test_everything_that_can_be_given() -> None:
    words = (
        "-H a,b --port 4374 --service xman --json -t 2.5 --fanout=8 --fail-fast --reason=why -q --syslog -c f list -l"
    )

    found, rest = parse(words.split(" "))

    assert rest == ["list", "-l"]
    assert vars(found) == {
        "host": "a,b",
        "port": 4374,
        "service": "xman",
        "json": True,
        "timeout": 2.5,
        "max_age": None,
        "fanout": 8,
        "fail_fast": True,
        "reason": "why",
        "quiet": True,
        "yes": False,
        "format": "",
        "columns": "",
        "sort": "",
        "no_headers": False,
        "verbose": False,
        "syslog": True,
        "config": "f",
        "help": False,
        "version": False,
    }


@pytest.mark.parametrize("words", [["-p", "1"], ["-p1"], ["--port", "1"], ["--port=1"], ["-p2", "-p1"]])
def test_ways_of_giving_a_value(words: list[str]) -> None:
    found, rest = parse([*words, "list"])

    assert (found.port, rest) == (1, ["list"])


def test_options_end_at_the_verb() -> None:
    found, rest = parse(["list", "-q", "--json"])

    assert rest == ["list", "-q", "--json"]
    assert not found.quiet
    assert not found.json


def test_options_end_at_two_dashes() -> None:
    assert parse(["-q", "--", "-j", "list"])[1] == ["-j", "list"]


def test_a_value_may_look_like_an_option() -> None:
    assert parse(["--reason", "--json", "list"])[0].reason == "--json"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nosuch"], "'--nosuch' is not an option; 'rxm --help' lists them."),
        (["-x"], "'-x' is not an option; 'rxm --help' lists them."),
        (["--hos", "a"], "'--hos' is not an option; 'rxm --help' lists them. Did you mean --host?"),
        (["--json=yes"], "'--json' takes no value."),
        (["-qx"], "'-x' is not an option; 'rxm --help' lists them."),
        (["-H"], "'-H' requires a value: [-H|--host HOSTS]"),
        (["--reason"], "'--reason' requires a value: [--reason TEXT]"),
        (["-p", "x"], "--port: 'x' is not a number from 1 to 65535."),
        (["-p", "0"], "--port: '0' is not a number from 1 to 65535."),
        (["-p", "65536"], "--port: '65536' is not a number from 1 to 65535."),
        (["-p", "-1"], "--port: '-1' is not a number from 1 to 65535."),
        (["-p", ""], "'-p' has an empty value."),
        (["--fanout=many"], "--fanout: 'many' is not a number from 1 to 65535."),
        (["-t", "soon"], "'soon' is not a number of seconds."),
        (["-t", "0"], "'0' is not a number of seconds."),
    ],
)
def test_wrong_options(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse([*words] if words in (["-H"], ["--reason"]) else [*words, "list"])

    assert str(caught.value) == message


def test_a_wrong_option_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-p", "x", "list") == outcome.USAGE
    assert complaint(capsys.readouterr()) == "--port: 'x' is not a number from 1 to 65535."


def test_names_of_options_are_unique() -> None:
    names = [name for option in OPTIONS for name in option.names]

    assert len(names) == len(set(names))


# --- what needs no host -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["-q", "-V", "list"]])
def test_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == outcome.OK
    assert capsys.readouterr() == (f"rxm {xman.__version__}\n", "")


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_names_every_option_and_every_verb(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(word) == outcome.OK

    stdout, stderr = capsys.readouterr()
    assert stderr == ""
    assert stdout.startswith("Usage: rxm [OPTIONS] VERB [ARGUMENT...]\n")
    lines = stdout.splitlines()
    for option in OPTIONS:
        assert any(line.startswith(f"  {', '.join(option.names)}") and line.endswith(option.help) for line in lines)
    for verb in VERBS:
        assert f"  {verb.name:<22} {verb.help}" in lines
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("words", [["shutdown", "--help"], ["-h", "shutdown"], ["sh", "vm1", "--help"]])
def test_help_of_a_verb(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == outcome.OK

    stdout, stderr = capsys.readouterr()
    assert stderr == ""
    assert stdout.splitlines()[:7] == [
        "Usage: rxm shutdown [-w|--wait] [--force-after S] [-a|--all] [-y|--yes] DOMAIN",
        "",
        "Ask a domain to shut itself down.",
        "  -w, --wait       return when it is off",
        "  --force-after S  wait S seconds, then destroy it",
        "  -a, --all        every running domain of the host, instead of DOMAIN",
        "  -y, --yes        with --all: do not ask for confirmation",
    ]


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_has_its_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verb, "--help") == outcome.OK
    said = capsys.readouterr().out
    assert said == helping.of_verb(verb)
    assert "\n\n\n" not in said
    _meaning, *options = said.split("\n\n")[1].splitlines()
    assert [line for line in options if len(line) > 80] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "No verb given; 'rxm --help' lists them."),
        (["-q"], "No verb given; 'rxm --help' lists them."),
        (["nosuch"], "'nosuch' is not a verb; 'rxm help' lists them."),
        (["nosuch", "--help"], "'nosuch' is not a verb; 'rxm help' lists them."),
        (["de", "vm1"], "'de' may mean delete, destroy, describe; type more of it."),
        (["pause"], "'pause' requires at least 1 argument. Usage: pause DOMAIN"),
        (["pause", "--force", "vm1"], "'--force' is not an option of pause. Usage: pause DOMAIN"),
        (["pause", "a/b"], "'a/b' cannot be the name of a domain."),
        (["pause", "a\udcffb"], "A domain's name must be UTF-8."),
        (["info", "vm1"], "'info' requires no arguments. Usage: info [-c|--config]"),
        (["mem-set", "vm1", "4x"], "'4x' is not an amount of memory; give MiB, or a number with B, K, M, G or T."),
        (["vcpu-set", "vm1", "9" * 1000], f"'{'9' * 128}...' is not a whole number from 1 to 65536."),
        (["vcpu-set", "vm1", "9" * 5000], "N is longer than 1024 octets."),
        (["pause", "vm1", "--timeout", "x"], "'x' is not a number of seconds."),
    ],
)
def test_slips_are_one_line_and_status_2(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == outcome.USAGE
    assert complaint(capsys.readouterr()) == message


def test_an_old_name_of_xms_is_warned_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("balloon", "vm1", "4x") == outcome.USAGE

    first, second = capsys.readouterr().err.splitlines()
    assert first == "Command balloon is deprecated.  Please use rxm mem-set instead."
    assert second.startswith("Error: '4x' is not an amount of memory")


def test_with_json_a_slip_is_an_object_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-H", "skirit80", "--json", "nosuch") == outcome.USAGE

    stdout, stderr = capsys.readouterr()
    assert stderr == ""
    made = json.loads(stdout)
    RESULTS.validate(made)
    assert (made["class"], made["code"], made["host"]) == ("usage", 2, "skirit80")


# --- FILE -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vm.xml"


def test_a_missing_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("create", str(file)) == outcome.USAGE
    assert complaint(capsys.readouterr()) == f"{file}: No such file or directory."


def test_a_directory_for_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("create", str(tmp_path)) == outcome.USAGE
    assert complaint(capsys.readouterr()) == f"{tmp_path}: Is a directory."


@pytest.mark.parametrize("content", [b"", b" \n\t\n"])
def test_an_empty_file(file: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(content)

    assert run("create", str(file)) == outcome.USAGE
    assert complaint(capsys.readouterr()) == f"{file} is empty."


def test_a_file_that_is_not_utf_8(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(b"<name>\xff</name>")

    assert run("create", str(file)) == outcome.USAGE
    assert complaint(capsys.readouterr()) == f"{file} is not UTF-8 (octet 6)."


@pytest.mark.parametrize("text", ["x" * (MOST_TEXT + 1), "ä" * MOST_TEXT, "x" + "ä" * MOST_TEXT])
def test_a_file_that_is_too_large(file: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(text, encoding="utf-8")

    assert run("create", str(file)) == outcome.USAGE
    assert complaint(capsys.readouterr()) == f"{file} is larger than 256 KiB."


def test_a_file_of_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rxm", "create", b"\xff.xml"], cwd=tmp_path, capture_output=True, timeout=30, check=False
    )

    assert done.returncode == outcome.USAGE
    assert done.stderr.endswith(b".xml: No such file or directory.\n")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "standard input is empty."), (b"\xff", "standard input is not UTF-8 (octet 0).")]
)
def test_standard_input_for_a_file(
    content: bytes, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    assert run("create", "-") == outcome.USAGE
    assert complaint(capsys.readouterr()) == message


def test_a_named_configuration_that_is_not_there(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-c", str(file), "list") == outcome.USAGE
    assert complaint(capsys.readouterr()) == f"{file}: no such file"


# --- speed and interruption -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["list", "--help"], ["nosuch"]])
def test_what_needs_no_host_loads_no_kerberos(words: list[str]) -> None:
    program = (
        "import sys; from rxm import cli; cli.run(sys.argv[1:]);"
        "sys.exit(str({'gssapi', 'ClusterShell', 'libvirt', 'lxml', 'asyncio'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, timeout=30, check=False)

    assert done.stderr.splitlines()[-1] == b"set()"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["list"], 130, "Interrupted.\n"),
        (["pause", "vm1"], outcome.UNKNOWN, "Interrupted. What was sent may still take effect; check the host.\n"),
    ],
)
def test_an_interrupted_change_may_have_happened(
    words: list[str],
    status: int,
    message: str,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("rxm.run.run", interrupted)
    file.touch()

    assert run("-c", str(file), *words) == status
    assert capsys.readouterr() == ("", message)
