"""The manual pages, the README and the commented configurations say what the code does.

`XMAN_UPDATE_GOLDEN=1` writes the options of each verb in rxm(1) anew.
"""

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from lxml import etree

import rxm.settings
import rxmweb.settings
import xman
from rxm.options import OPTIONS
from rxm.own import help as helping
from rxm.own import manual
from tests.lab.process import ROOT
from xman import grammar, outcome, states, verbs
from xmand import settings
from xmand.settings.authorize import Authorize
from xmand.settings.launch import Launch

PAGES = sorted((ROOT / "man").iterdir())


def page(name: str) -> str:
    """Return a manual page without its markup."""
    text = (ROOT / "man" / name).read_text()
    return re.sub(r'^\.\w+ |"|\\f.', "", text, flags=re.MULTILINE).replace("\\-", "-")


def keys(settings_class: type, skip: set[str]) -> set[str]:
    """Return the names of a settings class' plain fields."""
    return {field.name for field in fields(settings_class)} - skip


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_has_no_warnings(path: Path) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(path)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
@pytest.mark.parametrize("columns", [80, 60])
def test_a_page_fits_the_terminal(path: Path, columns: int) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", f"-rLL={columns}n", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )

    # An example is not broken for a narrow terminal: there it runs over, and text does not.
    most = columns if columns == 80 else 80
    assert [line for line in done.stdout.splitlines() if len(line) > most] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_of_this_release(path: Path) -> None:
    assert f'"xman {".".join(xman.__version__.split(".")[:2])}"' in path.read_text().splitlines()[0]


@pytest.mark.parametrize("verb", [*verbs.VERBS, *verbs.OWN.values()], ids=lambda verb: verb.name)
def test_every_verb_stands_in_rxm_1_as_it_is_used(verb: grammar.Verb) -> None:
    assert f"\n{verb.usage()}\n" in page("rxm.1")


@pytest.mark.parametrize("verb", [*verbs.VERBS, *verbs.OWN.values()], ids=lambda verb: verb.name)
def test_every_verb_has_a_paragraph_and_an_example(verb: grammar.Verb) -> None:
    """What `rxm help VERB` shows is read from the page."""
    entry = manual.verb(verb.name)

    assert entry is not None
    assert entry.paragraphs
    assert any(f" {verb.name}" in example for example in entry.examples)
    assert entry.paragraphs[0] in " ".join(helping.of_verb(verb.name).split())


def options(verb: grammar.Verb) -> str:
    """Return a verb's options as they stand in rxm(1), before its example."""
    text = '.RS\n.\\" options\n' if verb.options else ""
    for option in verb.options:
        names = ' ", " '.join(option.names).replace("-", "\\-")
        value = f' " {option.metavar}"' if option.metavar else ""
        meaning = option.help.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha")
        text += f".TP\n.BR {names}{value}\n{meaning[:1].upper()}{meaning[1:]}.\n"
    return f"{text}.RE\n" if text else ""


def test_rxm_1_has_the_options_of_each_verb() -> None:
    path = ROOT / "man" / "rxm.1"
    before, _, rest = path.read_text().partition("\n.SH VERBS\n")
    section, heading, after = rest.partition("\n.SS ")
    table = {**verbs.BY_NAME, **verbs.OWN}
    entries = re.split(r"^(?=\.TP\n\.B )", section, flags=re.MULTILINE)
    for place, entry in enumerate(entries[1:], 1):
        name = manual.plain(entry.splitlines()[1].removeprefix(".B ")).split()[0]
        bare = manual._OPTIONS.sub("", entry)
        text, example, rest = bare.partition(".RS\n.sp\n.nf\n")
        entries[place] = f"{text}{options(table[name])}{example}{rest}"
    expected = f"{before}\n.SH VERBS\n{''.join(entries)}{heading}{after}"
    if os.environ.get("XMAN_UPDATE_GOLDEN"):
        path.write_text(expected)

    assert path.read_text() == expected


def test_the_pages_are_made_of_all_that_is_in_them(tmp_path: Path) -> None:
    """A macro that is not known there is an error."""
    subprocess.run([sys.executable, "packaging/pages.py", str(tmp_path)], cwd=ROOT, check=True)

    made = {path.name for path in tmp_path.iterdir()}
    assert made == {f"{path.name}.html" for path in PAGES} | {"index.html", "quick-reference.html"}
    reference = (tmp_path / "quick-reference.html").read_text()
    for verb in (*verbs.VERBS, *verbs.OWN.values()):
        assert f"<code>{verb.name}" in reference


@pytest.mark.parametrize("path", sorted((ROOT / "etc" / "guests").glob("*.xml")), ids=lambda path: path.name)
def test_the_first_guests_are_what_libvirt_takes(path: Path) -> None:
    schema = Path("/usr/share/libvirt/schemas/domain.rng")
    if not schema.exists():
        pytest.skip("libvirt's schemas are not installed")

    etree.RelaxNG(etree.parse(schema)).assertValid(etree.parse(path))


def test_rxm_1_describes_no_verb_that_is_not_there() -> None:
    section = (ROOT / "man" / "rxm.1").read_text().split(".SH VERBS")[1].split(".SH ")[0]
    described = re.findall(r"^\.TP\n\.B ([a-z\\-]+)", section, re.MULTILINE)

    assert {word.replace("\\-", "-") for word in described} == set(verbs.BY_NAME) | set(verbs.OWN)


def test_rxm_1_has_exactly_the_options() -> None:
    section = page("rxm.1").split("\nOPTIONS\n")[1].split("\nHOSTS\n")[0]
    described = set(re.findall(r"(?:^|\s)(--?[a-zA-Z][a-z-]*)", section))

    assert described == {name for option in OPTIONS for name in option.names}


def test_rxm_1_has_the_exit_statuses() -> None:
    section = page("rxm.1").split("EXIT STATUS")[1].split("ENVIRONMENT")[0]

    for code, (name, meaning) in outcome.CLASSES.items():
        assert f"\n{code}\n{name}: {meaning}\n" in section


def test_rxm_1_explains_each_batch_state_as_the_legend_does() -> None:
    section = " ".join(page("rxm.1").split("BATCH STATES\n")[1].split()).lower()

    for state, legend in states.LEGEND.items():
        assert state in section
        assert legend.en in section


def test_xmand_8_has_the_programs_options() -> None:
    usage = subprocess.run([sys.executable, "-m", "xmand", "--help"], capture_output=True, text=True, check=True).stdout

    section = page("xmand.8").split("OPTIONS")[1].split("AUTHORIZATION")[0]
    assert set(re.findall(r"--[a-z]+", section)) == set(re.findall(r"--[a-z]+", usage))


def test_xmand_toml_5_has_exactly_the_keys() -> None:
    tables = {
        "limits",
        "authorize",
        "journal",
        "migrate",
        "batch",
        "console",
        "screen",
        "agent",
        "host",
        "create",
        "launch",
        "report",
        "metrics",
        "storage",
    } | {"unknown"}
    expected = keys(settings.Settings, tables) | keys(settings.Limits, set())
    expected |= (
        keys(settings.Migration, set())
        | keys(settings.Batch, set())
        | keys(settings.Create, set())
        | keys(Launch, set())
        | keys(settings.Consoles, set())
        | keys(settings.Storage, set())
        | keys(settings.Agents, set())
        | keys(settings.ThisHost, set())
        | keys(settings.Report, set())
        | keys(settings.Metrics, set())
        | keys(settings.JournalCaps, set())
        | keys(Authorize, set())
    )
    headings = re.findall(r"^\.TP\n\.BR (.*)$", (ROOT / "man" / "xmand.toml.5").read_text(), re.MULTILINE)

    described = {word for heading in headings for word in re.findall(r"\b[a-z5_]+\b(?= \")", heading)}
    assert described | {"read_seconds", "change_seconds", "wait_seconds"} >= expected
    assert described <= expected


def uncommented(name: str) -> Path:
    """Return a file in which the commented keys of a shipped configuration are set."""
    return ROOT / "etc" / "xman" / name


def test_the_shipped_xmand_toml_shows_the_defaults(tmp_path: Path) -> None:
    text = re.sub(r"^#(\w+ = |\[)", r"\1", uncommented("xmand.toml").read_text(), flags=re.MULTILINE)
    (tmp_path / "xmand.toml").write_text(text)

    loaded = settings.load(str(tmp_path / "xmand.toml"))

    assert loaded == settings.Settings()
    assert set(tomllib.loads(text)) == keys(settings.Settings, {"unknown"})
    assert set(tomllib.loads(text)["limits"]) == keys(settings.Limits, set())


def test_the_shipped_rxm_toml_names_the_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = re.sub(r'^#("?[\w\[\]-]+"? = |\[)', r"\1", uncommented("rxm.toml").read_text(), flags=re.MULTILINE)
    (tmp_path / "rxm.toml").write_text(text)

    rxm.settings.load(str(tmp_path / "rxm.toml"))

    assert capsys.readouterr().err == ""
    assert set(tomllib.loads(text)) == set(rxm.settings.Settings.__slots__)


def test_the_shipped_rxmweb_toml_shows_the_defaults(tmp_path: Path) -> None:
    shipped = re.sub(r"^#(\w+ = |\[)(?!\"skirit)", r"\1", uncommented("rxmweb.toml").read_text(), flags=re.MULTILINE)
    (tmp_path / "rxmweb.toml").write_text(shipped)

    loaded = rxmweb.settings.load(str(tmp_path / "rxmweb.toml"))

    assert loaded == rxmweb.settings.Settings()
    assert set(tomllib.loads(shipped)) == keys(rxmweb.settings.Settings, {"unknown"})


def test_rxmweb_8_has_the_parts() -> None:
    text = page("rxmweb.8")

    for part in ("serve", "work", "check"):
        assert f"rxmweb {part}" in text


@pytest.mark.parametrize("name", ["xmand.toml", "rxm.toml", "rxmweb.toml"])
def test_the_shipped_configurations_change_nothing_as_they_are(name: str) -> None:
    values = tomllib.loads(uncommented(name).read_text())

    assert not any(value for value in values.values())


def test_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()

    assert "    make demo\n" in text
    assert "    make test\n" in text


def test_news_speaks_of_this_release() -> None:
    assert f"## {xman.__version__} " in (ROOT / "NEWS.md").read_text()


def test_hacking_names_every_module() -> None:
    text = (ROOT / "HACKING.md").read_text()
    modules = [
        path
        for folder in ("common/xman", "xmand", "rxm", "rxmweb")
        for path in (ROOT / folder).rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
        and path.parent.name not in ("render",)
        and path.parent not in (ROOT / "xmand" / "verbs", ROOT / "rxmweb" / "web" / "views")
    ]

    assert modules
    for path in modules:
        assert path.name in text, path


@pytest.mark.parametrize("drop_in", ["", "xmand-xen.conf"])
def test_the_unit_is_hardened(tmp_path: Path, drop_in: str) -> None:
    """With a drop-in as well, which systemd-analyze does not read by itself here."""
    shipped = ROOT / "etc" / "systemd"
    unit = tmp_path / "xmand.service"
    unit.write_text((shipped / "system" / unit.name).read_text())
    if drop_in:
        unit.write_text(f"{unit.read_text()}\n{(shipped / drop_in).read_text()}")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    # The threshold is ten times the exposure level: at most 2.0.
    assert done.returncode == 0, done.stdout


def test_the_units_start_nothing_that_no_package_of_theirs_brings() -> None:
    """systemd's are there with systemd; everything else but a shell would have to be depended on."""
    units = [path.read_text() for path in (ROOT / "etc/systemd/system").glob("*.service")]

    started = {line for unit in units for line in re.findall(r"^Exec\w+=[-@:+!|]*(\S+)", unit, re.MULTILINE)}

    assert started == {"/usr/bin/xmand", "/usr/bin/rxmweb", "/bin/sh"}


def test_the_unit_makes_the_directories_that_xmand_writes_to() -> None:
    """The rest of the file system is read-only to it."""
    unit = (ROOT / "etc/systemd/system/xmand.service").read_text()
    default = settings.Settings()

    assert f"/var/lib/{re.findall('^StateDirectory=(.*)$', unit, re.MULTILINE)[0]}" == default.state_dir
    assert f"/run/{re.findall('^RuntimeDirectory=(.*)$', unit, re.MULTILINE)[0]}" == default.run_dir


def test_a_filtered_system_call_is_an_error_and_not_the_end() -> None:
    """libnuma, which libvirt loads, tries one out when it is loaded."""
    assert "\nSystemCallErrorNumber=EPERM\n" in (ROOT / "etc/systemd/system/xmand.service").read_text()
