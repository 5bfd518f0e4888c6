"""Sessions in the tables (`rxmweb.db.sessions`): how many one person may have (P5)."""

from sqlalchemy import Engine

from rxmweb.db import sessions


def test_for_one_more_a_persons_oldest_session_ends_and_nobody_elses(engine: Engine) -> None:
    alices, _session = sessions.begin(engine, "alice@R", "here", "", "", 3600)

    tokens = [sessions.begin(engine, "eve@R", "here", "", "", 3600)[0] for _number in range(sessions.MOST_OF_ONE + 3)]

    assert [sessions.find(engine, token) is not None for token in tokens] == [False] * 3 + [True] * sessions.MOST_OF_ONE
    assert sessions.find(engine, alices) is not None
