"""The pure parts: what can be asked of a state, plots, languages, the configuration."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from rxmweb import db, settings
from rxmweb.db import report
from rxmweb.web import description, languages, legend, metrics, offers, plots, words
from rxmweb.web.offers import BY_VERB
from tests.lab.process import ROOT
from xman import states
from xman.errors import ConfigurationError


def verbs_for(state: str) -> set[str]:
    """Return the verbs offered in `state`."""
    return {offer.verb for offer in offers.for_state(state)}


def row(state: str, **facts: Any) -> dict[str, Any]:
    """Return what the tables have of a machine, as far as it decides what is offered."""
    return {"state": state, "reason": None, "jobs": [], "instance": None, "unconfirmed": None} | facts


def test_a_machine_that_is_off_can_be_started_and_not_paused() -> None:
    assert {"start", "delete"} <= verbs_for(states.DOWN)
    assert not {"pause", "shutdown", "destroy"} & verbs_for(states.DOWN)


def test_a_frozen_machine_goes_on_rather_than_starts() -> None:
    assert {"unpause", "resume"} <= verbs_for(states.FROZEN)
    assert not {"start", "pause", "migrate"} & verbs_for(states.FROZEN)


def test_only_what_is_preemptible_can_be_preempted() -> None:
    if "preempt" in BY_VERB:
        assert "preempt" in verbs_for(states.RUNNING_PREEMPTIBLE)
    assert "preempt" not in verbs_for(states.RUNNING)


def test_a_state_of_a_later_release_offers_everything() -> None:
    parts = {offer.verb for offer in offers.of_parts(row("levitating"))}
    of_profiles = {offer.verb for offer in offers.OFFERS if offer.part == offers.PROFILE}

    assert verbs_for("levitating") | parts == set(BY_VERB) - of_profiles


@pytest.mark.parametrize(
    ("word", "offered", "kept"),
    [("running", "pause", "start"), ("shutoff", "start", "pause"), ("paused", "unpause", "defrost")],
)
def test_what_is_outside_batch_work_offers_what_libvirts_state_allows(word: str, offered: str, kept: str) -> None:
    verbs = [offer.verb for offer in offers.for_state(report.OUTSIDE, word)]

    assert offered in verbs
    assert kept not in verbs
    assert not {"freeze", "preempt"} & set(verbs)


@pytest.mark.parametrize("state", states.STATES)
def test_every_state_offers_something(state: str) -> None:
    assert verbs_for(state)


@pytest.mark.parametrize(
    ("verb", "given", "expected"),
    [
        ("pause", {}, ([], [], "")),
        ("mem-set", {"memory": "4G"}, ([], ["4G"], "")),
        ("mem-set", {"memory": "plenty"}, ([], [], "memory")),
        ("mem-set", {}, ([], [], "memory")),
        ("vcpu-set", {"vcpus": "0"}, ([], [], "vcpus")),
        ("migrate", {"destination": "h2", "live": "yes"}, (["--live"], ["h2"], "")),
        ("migrate", {"destination": "--abort"}, ([], [], "destination")),
        ("migrate", {"destination": "a b"}, ([], [], "destination")),
        ("shutdown", {"force_after": ""}, ([], [], "")),
        ("shutdown", {"force_after": "60"}, (["--force-after=60"], [], "")),
        ("shutdown", {"force_after": "soon"}, ([], [], "force_after")),
        ("autostart", {"autostart": "maybe"}, ([], [], "autostart")),
    ],
)
def test_words_of_a_confirmation(verb: str, given: dict[str, str], expected: tuple[list[str], list[str], str]) -> None:
    assert offers.words(BY_VERB[verb], given) == expected


def sample(at: float, **counters: float) -> dict[str, float | None]:
    """Return a sample with `counters`."""
    keys = ("cpu_seconds", "memory", "received", "sent", "read", "written")
    return {"at": at} | {key: counters.get(key) for key in keys}


def window(now: float, **given: str) -> plots.Window:
    """Return what an address asks for at `now`, where a month is kept; without a word an hour."""
    with languages.speaking("en"):
        return plots.window({"range": "hour"} | given, 720, now)


def test_plots_show_rates_and_leave_gaps() -> None:
    with languages.speaking("en"):
        found = plots.of_domain(
            [sample(at, cpu_seconds=at / 2) for at in (0, 100, 200, 300, 900, 1000, 1100)], window(1100)
        )

    (plot,) = found
    assert (plot.top, plot.last) == ("50\N{NO-BREAK SPACE}%", "50\N{NO-BREAK SPACE}%")
    assert len(plot.lines) == 2


def test_a_counter_that_went_back_is_a_restart_and_no_rate() -> None:
    with languages.speaking("en"):
        found = plots.of_domain(
            [sample(0, sent=10), sample(10, sent=0), sample(20, sent=10), sample(30, sent=20)], window(30)
        )

    assert found[0].top == "1\N{NO-BREAK SPACE}B/s"


DAY = 86400.0
NOW = 1_795_248_000.0


def test_a_window_leads_to_those_beside_it_and_to_a_closer_one() -> None:
    seen = window(NOW, range="day", until=str(int(NOW - 3 * DAY)))

    assert (seen.since, seen.until, seen.live) == (NOW - 4 * DAY, NOW - 3 * DAY, False)
    assert (seen.earlier, seen.later) == (NOW - 3.5 * DAY, NOW - 2.5 * DAY)
    assert seen.closer is not None
    assert seen.closer.name == "hour"


@pytest.mark.parametrize("until", ["", "soon", "-5", "1" * 40, str(int(NOW + DAY))])
def test_an_until_that_makes_no_sense_is_now(until: str) -> None:
    seen = window(NOW, range="day", until=until)

    assert (seen.until, seen.live, seen.later) == (NOW, True, None)


def test_nothing_before_what_is_kept_is_offered() -> None:
    seen = window(NOW, range="month", until="5")

    assert seen.since == NOW - 720 * 3600
    assert seen.earlier is None


def test_each_part_of_a_plot_leads_to_that_time_closer() -> None:
    seen = window(NOW, range="day")
    with languages.speaking("en"):
        (plot,) = plots.of_host([{"at": NOW - 60 * n, "load": 1.0, "memory_free": None} for n in (2, 1, 0)], seen)

    assert len(plot.zooms) == 12
    for part in plot.zooms:
        middle = part.until - 1800
        assert seen.since <= middle <= seen.until
        x = plots.LEFT + (middle - seen.since) / DAY * (plots.WIDTH - plots.LEFT - plots.RIGHT)
        assert part.x <= x <= part.x + part.width


def test_the_maximum_of_many_samples_is_drawn_beside_their_mean() -> None:
    seen = window(NOW, range="day")
    rows = [{"at": NOW - DAY + 30 * n, "load": 9.0 if n == 1000 else 1.0, "memory_free": None} for n in range(2880)]
    with languages.speaking("en"):
        (plot,) = plots.of_host(rows, seen)

    assert plot.top == "9"
    means, highs = ({float(point.split(",")[1]) for point in line.split()} for line in (plot.lines[0], plot.highs[0]))
    assert min(highs) == pytest.approx(plot.top_y, abs=0.1)
    assert min(means) > min(highs)


@pytest.mark.parametrize(
    ("language", "seconds", "expected"),
    [
        ("en", 720, "12 min ago"),
        ("cs", 720, "před 12 min"),
        ("en", 5, "just now"),
        ("cs", 7300, "před 2 h"),
    ],
)
def test_ages(language: str, seconds: float, expected: str) -> None:
    with languages.speaking(language):
        assert languages.ago(seconds) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(160 << 20, "160 MiB"), (1536 << 20, "1.5 GiB"), (0, "0 B"), (None, ""), (5 << 50, "5,120 TiB")],
)
def test_sizes(value: int | None, expected: str) -> None:
    with languages.speaking("en"):
        assert languages.octets(value).replace("\N{NO-BREAK SPACE}", " ") == expected


@pytest.mark.parametrize(
    ("one", "many", "count", "expected"),
    [
        ("%(num)s machine", "%(num)s machines", 1, "1 stroj"),
        ("%(num)s machine", "%(num)s machines", 3, "3 stroje"),
        ("%(num)s machine", "%(num)s machines", 5, "5 strojů"),
        ("and %(num)s more", "and %(num)s more", 1, "a 1 další"),
        ("and %(num)s more", "and %(num)s more", 4, "a 4 další"),
        ("and %(num)s more", "and %(num)s more", 6, "a 6 dalších"),
    ],
)
def test_czech_plurals(one: str, many: str, count: int, expected: str) -> None:
    form = languages.catalogue("cs").ngettext(one, many, count)

    assert form % {"num": count} == expected


@pytest.mark.parametrize(("to", "expected"), [("on", "zapnuto"), ("off", "vypnuto")])
def test_maintenance_is_on_or_off_in_czech_and_not_at_some_place(to: str, expected: str) -> None:
    with languages.speaking("cs"):
        assert words.asked_words({"verb": "maintenance", "arguments": [to, "new disks"]}) == expected


def messages() -> set[str]:
    """Return every message that the code and the templates have."""
    found: list[object] = []
    functions = {"_": None, "ngettext": None}
    for path in (ROOT / "rxmweb").rglob("*.py"):
        with path.open("rb") as file:
            found += [message for _line, _name, message, _comments in extract_python(file, functions, [], {})]
    for path in (ROOT / "rxmweb" / "templates").glob("*.html"):
        with path.open("rb") as file:
            found += [message for _line, _name, message, _comments in babel_extract(file, list(functions), [], {})]
    # The plural, and what stands for other arguments, is not told from the singular here.
    singular = [message[0] if isinstance(message, tuple) and message else message for message in found]
    return {message for message in singular if isinstance(message, str) and message}


def test_every_message_is_translated_and_nothing_else_is() -> None:
    with (ROOT / "rxmweb" / "locale" / "cs.po").open("rb") as file:
        catalogue = read_po(file, locale="cs")
    translated = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalogue
        if message.id and message.string and not message.fuzzy
    }

    assert translated == messages()


def test_translations_have_no_other_fields() -> None:
    with (ROOT / "rxmweb" / "locale" / "cs.po").open("rb") as file:
        for message in read_po(file, locale="cs"):
            wanted = set(re.findall(r"%\(\w+\)s", str(message.id)))
            texts = [message.string] if isinstance(message.string, str) else list(message.string or ())
            # The singular may do without the number.
            for text in texts[1:] or texts:
                assert not message.id or set(re.findall(r"%\(\w+\)s", text)) == wanted, message.id


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_the_legend_has_a_word_a_symbol_and_a_meaning_for_each_state(language: str) -> None:
    with languages.speaking(language):
        signs = legend.legend()

    assert [sign.name for sign in signs] == [*states.STATES, report.OUTSIDE]
    assert len({sign.symbol for sign in signs}) == len({sign.word for sign in signs}) == len(signs)
    assert all(sign.meaning for sign in signs)


def test_every_state_has_its_colour() -> None:
    sheet = (ROOT / "rxmweb" / "static" / "portal.css").read_text()

    for state in (*states.STATES, report.OUTSIDE):
        assert re.search(rf"\.s-{state}\b", sheet), state


def test_alerts_ask_for_what_the_portal_says(tmp_path: Path) -> None:
    text = (ROOT / "etc" / "prometheus" / "xman.rules.yml").read_text()
    engine = db.open_store(f"sqlite:///{tmp_path / 'portal.db'}")
    said = {family.name for family in metrics.Fleet(engine, 60.0, 0.0).collect()}
    expressions = re.findall(r"^ +expr: (.+)$", text, re.MULTILINE)

    assert len(expressions) == text.count("- alert: ") > 3
    for expression in expressions:
        named = set(re.findall(r"xman_\w+", expression))
        assert named
        assert named <= said, expression


def test_an_action_that_ends_unknown_has_grown_from_none(tmp_path: Path) -> None:
    engine = db.open_store(f"sqlite:///{tmp_path / 'portal.db'}")
    families = {family.name: family for family in metrics.Fleet(engine, 60.0, 0.0).collect()}

    kept = {sample.labels["state"]: sample.value for sample in families["xman_portal_actions"].samples}
    assert kept == {"queued": 0, "running": 0, "done": 0, "failed": 0, "unknown": 0, "cancelled": 0}


def load(tmp_path: Path, text: str) -> settings.Settings:
    """Read `text` as rxmweb.toml."""
    (tmp_path / "rxmweb.toml").write_text(text)
    return settings.load(str(tmp_path / "rxmweb.toml"))


def test_hosts_and_groups_are_node_sets(tmp_path: Path) -> None:
    found = load(tmp_path, 'hosts = ["@lab", "h[1-2]", "h2"]\n[groups]\nlab = "a[08-10]"\n')

    assert found.host_names() == ["a08", "a09", "a10", "h1", "h2"]
    assert found.members() == {"lab": ["a08", "a09", "a10"]}


def test_expected_hosts_are_shown_and_not_asked(tmp_path: Path) -> None:
    collector = '[collector]\nlisten = ["127.0.0.1:4374"]\nexpected = ["@lab", "h2"]\n'

    found = load(tmp_path, f'hosts = ["h[1-2]"]\n{collector}[groups]\nlab = "a[1-2]"\n')

    assert (found.expected_names(), sorted(found.expected)) == (["a1", "a2"], ["a1", "a2"])
    assert found.shown_names() == ["h1", "h2", "a1", "a2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('listen = "0.0.0.0:8080"\n', "only HTTPS"),
        ('listen = "8080"\n', "ADDRESS:PORT"),
        ('listen = "127.0.0.1:0"\n', "ADDRESS:PORT"),
        ('certificate = "a.pem"\n', "belong together"),
        ('hosts = ["h[1-"]\n', "hosts"),
        ('hosts = ["@nobody"]\n[groups]\nlab = "a"\n', "hosts"),
        ('listen = "[::]:443"\ncertificate = "a"\nkey = "b"\n[proxy]\nuser_header = "X"\n', "loopback"),
        ('[collector]\nexpected = ["h1"]\n', "no host can report"),
        ('[collector]\nlisten = ["[::]:4374"]\nexpected = ["h[1-"]\n', "collector.expected"),
        ('[proxy]\nuser_header = "X"\n', "secret_file"),
        ('[proxy]\nsecret_file = "/nonexistent/secret"\n', "/nonexistent/secret cannot be read: No such file"),
        ('[proxy]\nsecret_file = "/dev/null"\n', "/dev/null is not a file"),
        ("interval_seconds = 0\n", "interval_seconds"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_by_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"rxmweb\.toml") as raised:
        load(tmp_path, text)

    assert words in str(raised.value)


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("RequestHeader set X-Proxy-Secret " + "s" * 31)

    with pytest.raises(ConfigurationError, match="less than 32 characters"):
        load(tmp_path, f'[proxy]\nsecret_file = "{tmp_path}/secret"\n')


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    assert [line.rpartition(" ")[2] for line in load(tmp_path, "colour = 3\n").unknown] == ["colour"]


def test_readers(tmp_path: Path) -> None:
    found = load(tmp_path, 'readers = ["alice@R"]\n')

    assert found.reads_all("alice@R")
    assert not found.reads_all("alice@S")
    assert load(tmp_path, 'readers = ["*"]\n').reads_all("anybody@R")
    assert not load(tmp_path, "").reads_all("")


def test_a_form_becomes_a_description() -> None:
    given = {"name": "a&b", "memory": "2G", "vcpus": "2", "disk": "/d/a'.qcow2", "medium": "/i.iso", "kvm": "yes"}

    text, wrong = description.write(given)

    parsed = ElementTree.fromstring(text)
    assert wrong == ""
    assert parsed.attrib == {"type": "kvm"}
    assert parsed.findtext("name") == "a&b"
    assert parsed.findtext("memory") == str(2 << 20)
    assert [one.attrib["file"] for one in parsed.iter("source")] == ["/d/a'.qcow2", "/i.iso"]
    assert [one.attrib["type"] for one in parsed.iter("driver")] == ["qcow2", "raw"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("memory", "much"), ("vcpus", "0"), ("disk", "relative.img"), ("network", "a\nb"), ("medium", "x")],
)
def test_a_form_that_cannot_be_read_says_which_field(field: str, value: str) -> None:
    good = {"name": "vm", "memory": "512", "vcpus": "1"}

    assert description.write(good | {field: value}) == ("", field)
