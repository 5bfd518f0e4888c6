"""The table of verbs, and what a user may type for one of them."""

import pytest

from xman import grammar, verbs
from xman.between import EVERY
from xman.grammar import DEADLINES, FAMILIES, Verb
from xman.verbs import ALIASES, BY_NAME, CLASSIC, COMMON_OPTIONS, SHORTEST_PREFIX, VERBS, resolve
from xmand.verbs import HANDLERS

each_verb = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)


@each_verb
def test_every_verb_says_what_it_does_on_one_line(verb: Verb) -> None:
    assert verb.help.strip() == verb.help != ""
    assert "\n" not in verb.help
    assert not verb.help.endswith(".")


@each_verb
def test_every_verb_belongs_to_a_family_that_can_be_granted(verb: Verb) -> None:
    assert verb.family in FAMILIES or (verb.name, verb.family) in (("help", ""), ("access", ""))


@each_verb
def test_every_verb_has_a_deadline(verb: Verb) -> None:
    assert verb.deadline in DEADLINES
    assert verb.default_seconds == DEADLINES[verb.deadline]


@each_verb
def test_what_loses_data_changes_something(verb: Verb) -> None:
    assert verb.changes or not verb.loses_data


@each_verb
def test_no_argument_follows_one_that_may_be_absent_or_many(verb: Verb) -> None:
    assert not any(argument.optional or argument.many for argument in verb.arguments[:-1])


@each_verb
def test_no_option_hides_a_common_one(verb: Verb) -> None:
    names = [name for option in (*verb.options, *COMMON_OPTIONS) for name in option.names]

    assert len(names) == len(set(names))


@each_verb
def test_a_changing_verb_names_one_domain_or_brings_a_description_or_is_about_the_host(verb: Verb) -> None:
    """The wire carries exactly one DOMAIN with a change, so that a retry acts once."""
    about_the_host = all(argument.kind != grammar.DOMAIN for argument in verb.arguments)
    assert verb.takes_domain or not verb.changes or verb.arguments[0].kind == grammar.TEXT or about_the_host


def test_names_are_unique() -> None:
    names = [verb.name for verb in VERBS]

    assert len(names) == len(set(names))
    assert list(BY_NAME) == names


def test_each_verb_has_a_handler_and_each_handler_a_verb() -> None:
    assert set(HANDLERS) == set(EVERY)


def test_the_deadlines_are_the_published_ones() -> None:
    assert DEADLINES == {"read": 30.0, "change": 120.0, "wait": 300.0, "none": None}


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("help", "help [--mine] [VERB]"),
        ("list", "list [-l|--long] [--state S] [--label KEY[=VALUE]] [-w|--watch] [-f|--follow] [DOMAIN...]"),
        ("wait", "wait --for STATE DOMAIN"),
        ("shutdown", "shutdown [-w|--wait] [--force-after S] [-a|--all] [-y|--yes] DOMAIN"),
        ("mem-set", "mem-set [--force] DOMAIN MIB"),
        (
            "migrate",
            (
                "migrate [-l|--live] [--suspend-after S] [--copy-storage] [--force] [--abort] [-n|--dry-run] [-a|--all]"
                " [-y|--yes] DOMAIN HOST"
            ),
        ),
        ("info", "info [-c|--config]"),
        (
            "job-start",
            "job-start --id JOB --owner PRINCIPAL [--cpus N] [--preemptible] [--lease S] [-n|--dry-run] DOMAIN",
        ),
        ("maintenance", "maintenance [-n|--dry-run] on|off [REASON...]"),
    ],
)
def test_usage_lines(name: str, usage: str) -> None:
    assert BY_NAME[name].usage() == usage


@pytest.mark.parametrize(("name", "takes"), [("pause", True), ("list", False), ("create", False), ("info", False)])
def test_takes_domain_is_about_exactly_one(name: str, takes: bool) -> None:
    assert BY_NAME[name].takes_domain is takes


@each_verb
def test_a_full_name_means_itself(verb: Verb) -> None:
    assert resolve(verb.name) == (verb.name, "")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("li", "list"),
        ("in", "info"),
        ("he", "help"),
        ("dm", "dmesg"),
        ("pa", "pause"),
        ("unp", "unpause"),
        ("reb", "reboot"),
        ("sh", "shutdown"),
        ("dest", "destroy"),
        ("destr", "destroy"),
        ("desc", "describe"),
        ("cr", "create"),
        ("mem", "mem-set"),
        ("vc", "vcpu-set"),
        ("mi", "migrate"),
    ],
)
def test_a_unique_prefix_will_do(word: str, name: str) -> None:
    assert resolve(word) == (name, "")


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("de", ["delete", "destroy", "describe"]),
        ("des", ["destroy", "describe"]),
        ("re", ["reboot", "resume"]),
    ],
)
def test_an_ambiguous_prefix_names_what_it_may_mean(word: str, names: list[str]) -> None:
    with pytest.raises(LookupError) as caught:
        resolve(word)

    assert str(caught.value) == f"'{word}' may mean {', '.join(names)}; type more of it."


@pytest.mark.parametrize("word", ["", "d", "l", "p", "i", "Pause", "pausee", "nosuch", "-", "li st"])
def test_what_is_no_verb(word: str) -> None:
    with pytest.raises(LookupError) as caught:
        resolve(word)

    assert str(caught.value) == f"'{word}' is not a verb; 'rxm help' lists them."


def prefixes(name: str) -> list[str]:
    """Return everything shorter than `name` that could stand for it."""
    return [name[:length] for length in range(SHORTEST_PREFIX, len(name))]


@pytest.mark.parametrize("name", [verb.name for verb in VERBS if verb.name not in CLASSIC])
def test_a_later_verb_is_never_reached_by_a_prefix(name: str) -> None:
    for word in prefixes(name):
        try:
            reached, _warning = resolve(word)
        except LookupError:
            continue
        assert reached != name, word


def test_the_verbs_that_may_be_shortened_are_those_of_2007() -> None:
    shortened = """create delete describe destroy dmesg help info list mem-set migrate new pause reboot resume shutdown
        start suspend unpause vcpu-set"""

    assert set(CLASSIC) == set(shortened.split())
    assert set(CLASSIC) < set(BY_NAME)


@pytest.mark.parametrize("name", [verb.name for verb in VERBS if verb.loses_data])
def test_losing_data_takes_four_letters(name: str) -> None:
    for word in (name[:2], name[:3]):
        with pytest.raises(LookupError):
            resolve(word)


def test_losing_data_is_never_reached_by_a_short_prefix_even_a_unique_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "CLASSIC", ("list", "destroy"))

    with pytest.raises(LookupError, match=r"^'des' is too short for destroy, which loses data; type more of it.$"):
        resolve("des")


@pytest.mark.parametrize(("alias", "name"), [("balloon", "mem-set"), ("set-vcpus", "vcpu-set")])
def test_old_names_work_with_a_warning(alias: str, name: str) -> None:
    assert resolve(alias) == (name, f"Command {alias} is deprecated.  Please use rxm {name} instead.")


def test_aliases_are_neither_verbs_nor_shortened() -> None:
    assert not set(ALIASES) & set(BY_NAME)
    with pytest.raises(LookupError):
        resolve("ball")
