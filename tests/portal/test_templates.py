"""What templates look up (`rxmweb.web.templates`), and the words they are given (`rxmweb.web.languages`)."""

import pytest
from flask import Flask
from markupsafe import Markup

from rxmweb.web import languages
from rxmweb.web.templates import Templates


def rendered(source: str, **given: object) -> str:
    """Return what a template makes of what it is given."""
    return Templates(Flask(__name__), autoescape=True).from_string(source).render(**given)


def test_what_a_host_says_is_found_by_its_name_and_what_it_does_not_say_is_nothing() -> None:
    assert rendered("{{ row.name }}/{{ row.reason }}", row={"name": "vm1"}) == "vm1/"


@pytest.mark.parametrize("word", ["get", "items", "keys"])
def test_a_state_that_is_called_like_something_of_dicts_does_not_stand_in_its_way(word: str) -> None:
    source = "{% for state, count in counts.items() %}{{ state }} {{ counts.get(state) }}{% endfor %}"

    assert rendered(source, counts={word: 3}) == f"{word} 3"


def test_what_is_no_dict_has_its_attributes() -> None:
    assert rendered("{{ one.real }} {{ list.index(2) }}", one=7, list=[1, 2]) == "7 1"


def test_a_field_of_a_sentence_is_escaped_and_the_sentence_is_not() -> None:
    with languages.speaking("cs"):
        said = languages.worded("to %(host)s", host="<b>")

    assert said == "na &lt;b&gt;"
    assert isinstance(said, Markup)


def test_a_sentence_is_said_in_the_language_that_is_spoken_at_the_time() -> None:
    found = []
    for language in ("en", "cs", "en"):
        with languages.speaking(language):
            found.append(languages.worded("unknown"))

    assert found == ["unknown", "neznámo", "unknown"]
