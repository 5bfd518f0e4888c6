"""Who is at a console or a screen."""

import pytest

from xmand.consoles.present import Present


def test_who_stays_is_told_until_he_leaves() -> None:
    present = Present()

    with present.staying("u1", "alice@R", "console", types=True), present.staying("u1", "bob@R", "vnc", types=False):
        there = [(one["principal"], one["kind"], one["input"]) for one in present.of("u1")]
        elsewhere = present.of("u2")

    assert there == [("alice@R", "console", True), ("bob@R", "vnc", False)]
    assert elsewhere == []
    assert present.of("u1") == []


def test_one_who_is_there_twice_leaves_once_at_a_time() -> None:
    present = Present()

    with present.staying("u1", "alice@R", "console", types=False):
        with present.staying("u1", "alice@R", "console", types=False):
            assert len(present.of("u1")) == 2
        assert len(present.of("u1")) == 1


def test_what_goes_wrong_ends_a_stay() -> None:
    present = Present()

    with pytest.raises(OSError, match="lost"), present.staying("u1", "alice@R", "vnc", types=True):
        raise OSError("lost")

    assert present.of("u1") == []
