"""Terminals of laboratories: which one asks, which machine it gets, and that it gets nothing else."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rxmweb import terminals
from rxmweb.db import fleet, report, seats
from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings
from rxmweb.terminals import Terminal, Terminals, address_of
from rxmweb.web import choosing
from rxmweb.web.choosing import ANEW, AS_IT_IS, CLAIM, KEPT_START, START, Machine, UnprovedError, steps
from rxmweb.web.giving import NONE_FREE, OUT_OF_REACH, Giver
from tests.lab.process import wait_for
from tests.portal.reports import domain, line
from xman import config
from xman.errors import ConfigurationError

LABORATORY = """
"term[01-03]" = { lab = "@economy", profile = "win", address = "10.7.0.[1-3]" }
"desk.lab.example.org" = { lab = "stats", profile = "debian", sticky = true }
"""
SECRET = "s" * 32


def read(text: str) -> Terminals:
    """Read a table of terminals."""
    return terminals.read(config.Table("rxmweb.toml", tomllib.loads(text)), {})


class TestWhoAsks:
    """By principal and by address."""

    def test_terminals_stand_in_node_sets_with_their_addresses_in_order(self) -> None:
        found = read(LABORATORY)

        assert found.known["term02"] == Terminal("term02", "economy", "win", address="10.7.0.2")
        assert found.known["desk.lab.example.org"].sticky
        assert found.labs() == ["economy", "stats"]
        assert [each.name for each in found.of_lab("economy")] == ["term01", "term02", "term03"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ('t = { profile = "p" }', "lab"),
            ('t = { lab = "l" }', "profile"),
            ('t = { lab = "l", profile = "p", adress = "10.0.0.1" }', "no such key"),
            ('"t[1-2]" = { lab = "l", profile = "p", address = "10.0.0.1" }', "2 terminals, and 1 addresses"),
            ('t = { lab = "l", profile = "p", address = "127.0.0.1" }', "no address of another machine"),
            ('t = { lab = "l", profile = "p", address = "::1" }', "no address of another machine"),
            ('t = { lab = "l", profile = "p", address = "host1" }', "no address of another machine"),
            ('"t[1-2]" = { lab = "l", profile = "p" }\nt2 = { lab = "l", profile = "p" }', "in two of them"),
            (
                "".join(f'{name} = {{ lab = "l", profile = "p", address = "10.0.0.1" }}\n' for name in "ab"),
                "the same address",
            ),
            ('"a b" = { lab = "l", profile = "p" }', "cannot name a terminal"),
            ("t = 1", "a table"),
        ],
    )
    def test_what_cannot_be_meant_is_said(self, text: str, problem: str) -> None:
        with pytest.raises(ConfigurationError, match=problem):
            read(text)

    @pytest.mark.parametrize(
        ("principal", "name"),
        [
            ("host/term02@R", "term02"),
            ("host/TERM02@R", "term02"),
            ("host/desk.lab.example.org@R", "desk.lab.example.org"),
            ("host/term02@OTHER", ""),
            ("HTTP/term02@R", ""),
            ("term02@R", ""),
            ("host/term04@R", ""),
            ("host/term02", ""),
            ("host/term02@R@OTHER", ""),
        ],
    )
    def test_a_principal_is_a_terminals_by_service_name_and_realm(self, principal: str, name: str) -> None:
        found = read(LABORATORY).of_principal(principal, {"R"})

        assert (found.name if found else "") == name

    @pytest.mark.parametrize(
        ("address", "name"),
        [("10.7.0.3", "term03"), ("::ffff:10.7.0.3", "term03"), ("10.7.0.4", ""), ("", ""), ("term03", "")],
    )
    def test_an_address_is_a_terminals_however_it_is_written(self, address: str, name: str) -> None:
        found = read(LABORATORY).of_address(address)

        assert (found.name if found else "") == name

    @pytest.mark.parametrize(
        ("peer", "headers", "secret", "address"),
        [
            ("10.7.0.1", {}, "", "10.7.0.1"),
            ("10.7.0.9", {"X-Forwarded-For": "10.7.0.1", "X-Rxmweb-Secret": SECRET}, SECRET, "10.7.0.9"),
            ("127.0.0.1", {"X-Forwarded-For": "10.7.0.1"}, "", ""),
            ("127.0.0.1", {"X-Forwarded-For": "10.7.0.1"}, SECRET, ""),
            ("127.0.0.1", {"X-Forwarded-For": "10.7.0.1", "X-Rxmweb-Secret": "guessed"}, SECRET, ""),
            ("127.0.0.1", {"X-Forwarded-For": "10.7.0.1", "X-Rxmweb-Secret": ""}, "", ""),
            ("127.0.0.1", {"X-Forwarded-For": "10.7.0.1, 10.7.0.2", "X-Rxmweb-Secret": SECRET}, SECRET, "10.7.0.2"),
            ("::ffff:127.0.0.1", {"X-Forwarded-For": "10.7.0.1"}, SECRET, ""),
            ("127.0.0.1", {"X-Rxmweb-Secret": SECRET}, SECRET, ""),
            ("", {"X-Forwarded-For": "10.7.0.1"}, "", ""),
        ],
    )
    def test_a_proxy_is_believed_by_its_secret_and_only_the_last_address(
        self, peer: str, headers: dict[str, str], secret: str, address: str
    ) -> None:
        assert address_of(peer, headers, secret) == address


def machine(number: int, *, on: bool = True, **facts: Any) -> Machine:
    """Return a client of the laboratory's profile, but for `facts`."""
    facts = {"of_lab": True, "discards": True, "off": not on, "runs": on} | facts
    return Machine("h1", f"u{number}", f"vm{number}", **facts)


DESK = Terminal("t1", "economy", "win")


class TestWhichMachine:
    """What is tried, in which order, and how."""

    def test_one_that_is_free_comes_before_one_that_is_off(self) -> None:
        found = steps(DESK, [machine(1, on=False), machine(2)], proved=False)

        assert [(each.name, how) for each, how in found] == [("vm2", CLAIM), ("vm1", START)]

    def test_a_run_that_it_had_itself_is_started_anew(self) -> None:
        found = steps(DESK, [machine(1), machine(2, given="t1")], proved=False)

        assert [(each.name, how) for each, how in found] == [("vm2", ANEW), ("vm1", CLAIM)]

    @pytest.mark.parametrize(
        "taken",
        [
            machine(1, given="t2"),
            machine(1, terminal="t2"),
            machine(1, discards=False),
            machine(1, of_lab=False),
            machine(1, runs=False),
        ],
    )
    def test_what_is_anothers_or_keeps_what_is_written_is_not_tried(self, taken: Machine) -> None:
        assert steps(DESK, [taken], proved=True) == []

    def test_what_another_is_getting_just_now_is_not_tried(self) -> None:
        assert steps(DESK, [machine(1)], proved=True, busy=frozenset({("h1", "u1")})) == []

    @pytest.mark.parametrize(
        ("own", "how"),
        [
            (machine(1, terminal="t1"), CLAIM),
            (machine(1, terminal="t1", given="t1"), ANEW),
            (machine(1, terminal="t1", on=False), START),
            (machine(1, terminal="t1", discards=False, of_lab=False), AS_IT_IS),
            (machine(1, terminal="t1", discards=False, on=False), KEPT_START),
        ],
    )
    def test_its_own_machine_is_all_that_is_tried(self, own: Machine, how: str) -> None:
        assert steps(DESK, [own, machine(2)], proved=True) == [(own, how)]

    @pytest.mark.parametrize("facts", [{"discards": False}, {"of_lab": False}])
    def test_an_address_is_not_enough_for_what_keeps_or_is_no_client_of_the_laboratory(
        self, facts: dict[str, bool]
    ) -> None:
        with pytest.raises(UnprovedError):
            steps(DESK, [machine(1, terminal="t1", **facts), machine(2)], proved=False)

    def test_terminals_that_are_switched_on_together_begin_elsewhere(self) -> None:
        many = [machine(number) for number in range(20)]

        first = {steps(Terminal(f"t{number}"), many, proved=False)[0][0].name for number in range(20)}

        assert len(first) > 5

    @pytest.mark.parametrize(
        ("state", "reason", "off", "runs"),
        [
            ("outside", "running", False, True),
            ("outside", "shutoff", True, False),
            ("outside", "crashed", False, False),
            ("free", None, False, True),
            ("booting", None, False, True),
            ("frozen", "paused", False, False),
            ("down-bootable", None, True, False),
        ],
    )
    def test_what_a_row_says_of_its_state(self, state: str, reason: str | None, off: bool, runs: bool) -> None:
        row = {"host": "h", "uuid": "u", "name": "n", "state": state, "reason": reason}
        row |= dict.fromkeys(("terminal", "given", "origin", "discard"))

        found = choosing.machine(row, frozenset())

        assert (found.off, found.runs, found.of_lab) == (off, runs, False)


class TestSeats:
    """One machine for one who asks."""

    def test_one_looks_for_a_machine_at_a_time(self, engine: Engine) -> None:
        begun = [seats.begin(engine, "t1", "10.7.0.1", now, proved=False) for now in (100.0, 101.0, 300.0)]

        assert begun == [True, False, True]

    def test_what_was_found_is_fetched_once(self, engine: Engine) -> None:
        seats.begin(engine, "t1", "10.7.0.1", 100.0, proved=False)
        seats.note(engine, "t1", state=seats.READY, host="h1", uuid="u1", machine="vm1", since=101.0)
        with engine.connect() as connection:
            found = seats.of(connection, "t1")
        assert found is not None

        first, second = (seats.fetch(engine, found, 102.0, 60.0) for _ in range(2))

        assert first is not None
        assert second is None
        assert seats.find(engine, first[0], 110.0) == first[1]
        assert seats.lives(engine, first[1], 110.0)
        assert seats.find(engine, first[0], 163.0) is None
        assert seats.find(engine, "guessed", 110.0) is None

    def test_who_comes_next_ends_the_seat_before(self, engine: Engine) -> None:
        seats.begin(engine, "t1", "10.7.0.1", 100.0, proved=False)
        seats.note(engine, "t1", state=seats.READY, host="h1", uuid="u1", machine="vm1", since=101.0)
        with engine.connect() as connection:
            found = seats.of(connection, "t1")
        assert found is not None
        fetched = seats.fetch(engine, found, 102.0, 60.0)
        assert fetched is not None

        assert seats.begin(engine, "t1", "10.7.0.1", 103.0, proved=False)

        assert seats.find(engine, fetched[0], 104.0) is None
        assert not seats.lives(engine, fetched[1], 104.0)


class Asking(Giver):
    """One whose hosts answer as they are told to, and remember what they were asked."""

    def __init__(self, settings: Settings, engine: Engine, refused: Sequence[str] = (), unchanged: str = "") -> None:
        super().__init__(settings, engine, Rxm(settings))
        self.asked: list[str] = []
        self.refused, self.unchanged = refused, unchanged

    def _ask(self, host: str, words: Sequence[str]) -> dict[str, Any]:
        said = " ".join(words)
        self.asked.append(said)
        if any(each in said for each in self.refused):
            return {"host": host, "ok": False, "code": 3, "message": "refused"}
        return {"host": host, "ok": True, "changed": said != self.unchanged, "result": {}}


class TestGiving:
    """What the hosts are asked, and what becomes of their answers."""

    @pytest.fixture
    def settings(self, tmp_path: Path, engine: Engine) -> Settings:
        """A host with a profile of the laboratory, and two clients of it that run; and one of another's."""
        fleet.configure(engine, ["h1"], {})
        told = [domain("win", 1), domain("debian", 2)]
        told[0] |= {"profile": True, "labs": ["economy"]}
        told[1] |= {"profile": True, "labs": ["stats"]}
        for number in (3, 4):
            told.append(domain(f"vm{number}", number, "free") | {"from": told[0]["uuid"], "discard": True})
        told.append(domain("vm5", 5, "free") | {"from": told[1]["uuid"], "discard": True})
        fleet.take(engine, [report.read(line("h1", *told))])
        return Settings(run_dir=str(tmp_path))

    def given(self, giver: Giver, engine: Engine, *, proved: bool = False, terminal: Terminal = DESK) -> seats.Seat:
        """Return a terminal's seat after its machine was looked for."""
        giver.want(terminal, "10.7.0.1", proved=proved)

        def over() -> seats.Seat | None:
            with engine.connect() as connection:
                found = seats.of(connection, terminal.name)
            return found if found is not None and found.state != seats.WORKING else None

        wait_for(lambda: over() is not None, 30, "an end of the search")
        found = over()
        assert found is not None
        return found

    def test_a_free_client_is_claimed(self, settings: Settings, engine: Engine) -> None:
        giver = Asking(settings, engine)

        seat = self.given(giver, engine)

        assert (seat.state, seat.host) == (seats.READY, "h1")
        assert seat.machine in ("vm3", "vm4")
        assert giver.asked == [f"assign --this-run -- {seat.uuid} t1"]

    def test_what_its_host_refuses_is_another_ones_and_the_next_is_tried(
        self, settings: Settings, engine: Engine
    ) -> None:
        first = self.given(Asking(settings, engine), engine)
        giver = Asking(settings, engine, refused=(str(first.uuid),))

        seat = self.given(giver, engine)

        assert seat.state == seats.READY
        assert {first.machine, seat.machine} == {"vm3", "vm4"}

    def test_a_run_that_was_not_begun_anew_is_not_given(self, settings: Settings, engine: Engine) -> None:
        first = self.given(Asking(settings, engine), engine)

        seat = self.given(Asking(settings, engine, unchanged=f"assign --this-run -- {first.uuid} t1"), engine)

        assert {first.machine, seat.machine} == {"vm3", "vm4"}

    def test_a_sticky_terminal_keeps_what_it_got(self, settings: Settings, engine: Engine) -> None:
        giver = Asking(settings, engine)

        seat = self.given(giver, engine, terminal=Terminal("t1", "economy", "win", sticky=True))

        assert giver.asked[-1] == f"assign -- {seat.uuid} t1"

    def test_where_no_host_does_it_the_terminal_is_told(self, settings: Settings, engine: Engine) -> None:
        seat = self.given(Asking(settings, engine, refused=("assign",)), engine)

        assert (seat.state, seat.problem) == (seats.FAILED, OUT_OF_REACH)

    def test_a_laboratory_without_machines_has_none_free(self, settings: Settings, engine: Engine) -> None:
        seat = self.given(Asking(settings, engine), engine, terminal=Terminal("t1", "other", "win"))

        assert (seat.state, seat.problem) == (seats.FAILED, NONE_FREE)
