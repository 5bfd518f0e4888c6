"""The words behind a verb, read by the verb table."""

import pytest

from xman import arguments, grammar, verbs
from xman.arguments import MOST_TEXT, Parsed, parse
from xman.errors import UsageError
from xman.verbs import BY_NAME

RID = "0123456789abcdef" * 2


def read(*words: str, several: bool = False) -> Parsed:
    """Parse `words`, the first of which is the verb."""
    return parse(BY_NAME[words[0]], list(words[1:]), several)


def test_positional_words_get_the_names_of_the_table() -> None:
    parsed = read("mem-set", "vm1", "4G")

    assert parsed.text("DOMAIN") == "vm1"
    assert parsed.number("MIB") == 4 * 2**30
    assert parsed.given == {"DOMAIN": ["vm1"], "MIB": ["4G"]}


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        (("shutdown", "vm1"), None),
        (("shutdown", "--wait", "vm1"), 300.0),
        (("shutdown", "--force-after", "400", "vm1"), 430.0),
        (("wait", "--for", "off", "vm1"), 300.0),
        (("list",), None),
    ],
)
def test_verbs_that_wait_take_longer(words: tuple[str, ...], seconds: float | None) -> None:
    assert read(*words).waiting_seconds(300.0) == seconds


def test_a_count_is_read_as_it_is() -> None:
    assert read("vcpu-set", "vm1", "3").number("N") == 3


def test_an_absent_optional_argument_is_empty() -> None:
    assert read("help").text("VERB") == ""


@pytest.mark.parametrize(
    "words", [("--wait", "vm1"), ("vm1", "--wait"), ("-w", "vm1"), ("vm1", "-w"), ("-w", "--", "vm1")]
)
def test_options_stand_anywhere(words: tuple[str, ...]) -> None:
    parsed = read("shutdown", *words)

    assert parsed.flag("wait")
    assert parsed.text("DOMAIN") == "vm1"


def test_flags_may_stand_side_by_side_as_in_xm() -> None:
    parsed = read("shutdown", "-aw", several=True)

    assert (parsed.flag("all"), parsed.flag("wait")) == (True, True)


def test_one_that_is_no_flag_spoils_all_of_them() -> None:
    with pytest.raises(UsageError, match="'-wx' is not an option of shutdown"):
        read("shutdown", "-wx", "vm1")


def test_a_flag_that_was_not_given_is_false() -> None:
    assert not read("shutdown", "vm1").flag("wait")


@pytest.mark.parametrize("words", [("--reason=a=b c", "vm1"), ("--reason", "a=b c", "vm1"), ("vm1", "--reason=a=b c")])
def test_a_value_follows_an_equals_sign_or_is_the_next_word(words: tuple[str, ...]) -> None:
    assert read("pause", *words).options["reason"] == "a=b c"


def test_a_value_may_look_like_an_option() -> None:
    parsed = read("pause", "--reason", "--json", "vm1")

    assert parsed.options == {"reason": "--json"}


def test_a_value_may_be_empty() -> None:
    assert read("pause", "--reason=", "vm1").options["reason"] == ""


def test_behind_two_dashes_everything_is_positional() -> None:
    assert read("pause", "--", "-vm").text("DOMAIN") == "-vm"


def test_only_the_first_two_dashes_count() -> None:
    assert read("list", "--", "--", "-l").words("DOMAIN") == ["--", "-l"]


def test_one_dash_is_a_word() -> None:
    assert read("create", "-").text("FILE") == "-"


def test_every_verb_takes_the_common_options() -> None:
    parsed = read("ping", "--json", f"--rid={RID}", "--reason", "why", "--timeout=2.5")

    assert parsed.options == {"json": True, "rid": RID, "reason": "why", "timeout": 2.5}


@pytest.mark.parametrize("word", ["--force", "-x", "-wx", "--wai", "--Wait"])
def test_an_unknown_option_is_named_with_the_usage(word: str) -> None:
    with pytest.raises(UsageError, match=f"^'{word}' is not an option of shutdown. Usage: shutdown \\[-w"):
        read("shutdown", "vm1", word)


def test_an_option_of_one_verb_is_none_of_another() -> None:
    with pytest.raises(UsageError, match="'--wait' is not an option of pause"):
        read("pause", "--wait", "vm1")


def test_a_flag_takes_no_value() -> None:
    with pytest.raises(UsageError, match="'--wait' takes no value"):
        read("shutdown", "--wait=yes", "vm1")


def test_an_option_at_the_end_still_needs_its_value() -> None:
    with pytest.raises(UsageError, match=r"'--reason' requires a value: \[--reason TEXT\]"):
        read("pause", "vm1", "--reason")


@pytest.mark.parametrize("word", ["soon", "0", "-1", "nan"])
def test_a_timeout_is_a_number_of_seconds(word: str) -> None:
    with pytest.raises(UsageError, match="is not a number of seconds"):
        read("pause", "vm1", f"--timeout={word}")


@pytest.mark.parametrize("rid", ["0" * 31, "0" * 33, "A" * 32, "g" * 32, f"{'0' * 31}\n"])
def test_a_request_id_is_32_hexadecimal_digits(rid: str) -> None:
    with pytest.raises(UsageError, match="--rid takes 32 hexadecimal digits"):
        read("pause", f"--rid={rid}", "vm1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pause",), "'pause' requires 1 argument. Usage: pause DOMAIN"),
        (("pause", "vm1", "vm2"), "'pause' requires 1 argument. Usage: pause DOMAIN"),
        (("mem-set", "vm1"), "'mem-set' requires 2 arguments. Usage: mem-set [--force] DOMAIN MIB"),
        (("help", "list", "info"), "'help' requires between 0 and 1 arguments. Usage: help [--mine] [VERB]"),
        (("info", "x"), "'info' requires no arguments. Usage: info [-c|--config]"),
    ],
)
def test_a_wrong_number_of_arguments_is_said_in_the_words_of_xm(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(*words)

    assert str(caught.value) == message


def test_too_few_where_many_would_do() -> None:
    with pytest.raises(UsageError, match=r"^'vcpu-set' requires at least 2 arguments"):
        read("vcpu-set", "2", several=True)


def test_a_verb_for_many_domains_keeps_their_order() -> None:
    assert read("list", "vm2", "vm1", "vm2").words("DOMAIN") == ["vm2", "vm1", "vm2"]


def test_a_verb_for_many_domains_takes_none() -> None:
    assert read("list").words("DOMAIN") == []


def test_several_domains_for_one() -> None:
    assert read("pause", "vm1", "vm2", several=True).words("DOMAIN") == ["vm1", "vm2"]


def test_several_domains_leave_the_last_word_to_the_last_argument() -> None:
    parsed = read("mem-set", "vm1", "vm2", "512", several=True)

    assert parsed.words("DOMAIN") == ["vm1", "vm2"]
    assert parsed.number("MIB") == 512 * 2**20
    assert parsed.given == {"DOMAIN": ["vm1", "vm2"], "MIB": ["512"]}


def test_several_is_about_domains_only() -> None:
    with pytest.raises(UsageError, match="'help' requires between 0 and 1 arguments"):
        read("help", "list", "info", several=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pause", "a/b"), "cannot be the name of a domain"),
        (("pause", ""), "cannot be the name of a domain"),
        (("pause", "a\nb"), "control characters"),
        (("list", "vm1", ".."), "cannot be the name of a domain"),
        (("mem-set", "vm1", "4x"), "not an amount of memory"),
        (("vcpu-set", "vm1", "0"), "not a whole number from 1"),
    ],
)
def test_each_word_is_read_by_its_kind(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(*words)


# Whatever is no number to a person, or more than there is of anything here.
NO_NUMBERS = ("-1", "+1", "0x10", "1_0", " 1", "1 ", "٤", "²", "nan", "inf", "1e99", "1e400", "9" * 21, "9" * 1000, "")
NUMERIC = (grammar.COUNT, grammar.MEMORY, grammar.SECONDS, grammar.AGE)


@pytest.mark.parametrize("word", NO_NUMBERS, ids=lambda word: word[:8])
def test_what_is_no_number_for_any_verb_is_one_clear_line(word: str) -> None:
    tried = 0
    for verb in verbs.VERBS:
        usual = {grammar.MEMORY: "64", grammar.COUNT: "1", grammar.SECONDS: "5", grammar.AGE: "5"}
        words = [usual.get(one.kind, "vm1") for one in verb.arguments if not one.optional]
        wrong = [
            [word if at == number else given for at, given in enumerate(words)]
            for number, one in enumerate(verb.arguments)
            if one.kind in NUMERIC and number < len(words)
        ]
        common = () if verb.changes else verbs.COMMON_OPTIONS
        options = [one for one in (*verb.options, *common) if one.kind in NUMERIC]
        for each in (*wrong, *([f"{one.names[-1]}={word}", *words] for one in options)):
            tried += 1
            with pytest.raises(UsageError) as caught:
                parse(verb, each, several=True)
            assert len(str(caught.value)) < 300, each
            assert str(caught.value).isprintable(), each
    assert tried > 50


def test_a_text_may_be_as_large_as_the_limit_in_octets() -> None:
    text = "ä" * (MOST_TEXT // 2)

    assert read("create", text).text("FILE") == text


def test_a_larger_text_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^FILE is larger than 256 KiB"):
        read("create", "ä" * (MOST_TEXT // 2) + "x")


def test_a_file_name_need_not_be_utf_8() -> None:
    name = b"vm\xff.xml".decode("utf-8", "surrogateescape")  # as sys.argv has it

    assert read("create", name).given["FILE"] == [name]


def test_the_limit_is_the_published_one() -> None:
    assert arguments.MOST_TEXT == 256 * 1024


@pytest.mark.parametrize("verb", [verb for verb in verbs.VERBS if verb.takes_domain], ids=lambda verb: verb.name)
def test_the_fewest_words_name_a_domain(verb: grammar.Verb) -> None:
    """Else rxm would send nothing, and call that a success."""
    samples = {grammar.MEMORY: "64", grammar.COUNT: "1", grammar.WORD: "word"}
    words = [samples.get(argument.kind, "vm1") for argument in verb.arguments if not argument.optional]

    found = parse(verb, words, several=True)

    assert found.words(verb.arguments[0].name) == ["vm1"]


def test_a_file_behind_a_domain_is_none_of_them() -> None:
    found = parse(verbs.BY_NAME["dump-core"], ["vm1", "a.core"], several=True)

    assert (found.words("DOMAIN"), found.text("FILE")) == (["vm1"], "a.core")
