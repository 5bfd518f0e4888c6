"""A site's own program that says who may (`xmand.authorize.external`)."""

import json
from typing import Any
from unittest.mock import Mock

import pytest

from tests.unit.xmand.authorize.callers import BOB, domain
from xmand.authorize.external import External
from xmand.system.children import ChildError, Finished


def program(status: int = 0, stderr: bytes = b"") -> tuple[External, Mock]:
    """Return the authorizer with a program that ends so."""
    run = Mock(return_value=Finished(status, b"", stderr))
    return External(("/bin/ask", "-x"), 2.0, run), run


def ask(external: External, verb: str, about: Any) -> bool:
    """Ask whether bob may."""
    grant = external.grant(BOB)
    assert grant is not None
    assert grant.about is not None
    return grant.about(verb, about)


def test_the_program_is_told_what_a_description_asks_for() -> None:
    facts = {"type": "qemu", "memory": 1 << 30, "disks": ["/srv/a.img"]}
    for status in (0, 1):
        external, run = program(status)
        grant = external.grant(BOB)

        assert grant is not None
        assert grant.describes("create", facts) is (status == 0)
        question = json.loads(run.call_args.kwargs["stdin"])
        assert (question["principal"], question["verb"], question["description"]) == (BOB, "create", facts)


def test_the_program_is_told_who_what_and_where() -> None:
    external, run = program()

    assert ask(external, "pause", domain("hers"))

    assert run.call_args.args == (("/bin/ask", "-x"),)
    question = json.loads(run.call_args.kwargs["stdin"])
    assert question == {"principal": BOB, "verb": "pause", "domain": "hers", "host": question["host"]}
    assert (run.call_args.kwargs["seconds"], run.call_args.kwargs["most_octets"]) == (2.0, 4096)


def test_a_command_about_no_domain_has_an_empty_one() -> None:
    external, run = program()

    assert ask(external, "info", None)
    assert json.loads(run.call_args.kwargs["stdin"])["domain"] == ""


@pytest.mark.parametrize("status", [1, 2, 127, 255, -9])
def test_every_other_status_is_a_no(status: int) -> None:
    assert not ask(program(status)[0], "pause", domain("hers"))


def test_what_it_complains_of_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    ask(program(1, b"not today\n")[0], "pause", domain("hers"))

    assert [r.message for r in caplog.records] == ["authorize: external: not today"]


def test_a_yes_needs_no_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    ask(program(0, b"welcome\n")[0], "pause", domain("hers"))
    ask(program(1, b"")[0], "pause", domain("hers"))

    assert caplog.records == []


def test_a_program_that_fails_is_a_no(caplog: pytest.LogCaptureFixture) -> None:
    run = Mock(side_effect=ChildError("/bin/ask was not done in 2 s"))

    assert not ask(External(("/bin/ask",), 2.0, run), "pause", domain("hers"))
    assert [r.message for r in caplog.records] == ["authorize: external: /bin/ask was not done in 2 s; denied"]
