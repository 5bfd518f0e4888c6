"""How a command ended (`xmand.answer`), written down and read again."""

import json

import pytest

from tests.lab.published import RESULTS
from xman import received, render, verbs
from xman.grammar import Verb
from xman.result import Result
from xmand import answer
from xmand.answer import Answer


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"code":0}', '{"code":0,"ms":1,"message":"","done":{}}'])
def test_what_is_no_answer_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        answer.loads(text)


def test_what_a_later_release_adds_does_no_harm() -> None:
    assert answer.loads('{"code":8,"ms":1,"message":"no","mood":"bad"}') == Answer(8, 1, "no")


def test_an_answer_tells_the_same_after_it_was_kept() -> None:
    told = Answer(0, 7, done=Result({"to": "skirit81"}, changed=True, domain="vm1", notes=("Moved.",)))

    kept = answer.loads(told.dumps())

    assert kept.detail == told.detail == "Moved."
    assert kept.output("migrate", "vm1", as_json=False) == told.output("migrate", "vm1", as_json=False)


@pytest.mark.parametrize("verb", [verb for verb in verbs.VERBS if verb.changes], ids=lambda verb: verb.name)
def test_a_change_that_was_found_done_after_a_crash_is_told_to_people_and_to_programs(verb: Verb) -> None:
    found = Answer(0, done=Result(changed=True, domain="vm1", notes=("Found done.",), recovered=True))

    kept = answer.loads(found.dumps())

    (_stdout, text), (_stderr, said) = kept.output(verb.name, "vm1", as_json=False)
    assert (text, said) == (b"", b"Found done.\n")
    (_stdout, line), _nothing = kept.output(verb.name, "vm1", as_json=True)
    RESULTS.validate(json.loads(line))
    told = received.read(line, verb.name)
    assert (told["recovered"], told["result"], told["notes"]) == (True, {}, ["Found done."])
    assert render.text(verb.name, told["result"]) == ""


def test_a_message_without_end_is_cut() -> None:
    assert len(answer.loads(Answer(8, 0, "x" * 100_000).dumps()).message) < 20_000
