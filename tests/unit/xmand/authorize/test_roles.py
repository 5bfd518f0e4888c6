"""Roles (`xmand.authorize.roles`): members and groups, verbs, domains by pattern."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from xman.errors import ConfigurationError
from xmand import settings
from xmand.authorize.grant import COURTESY, Grant
from xmand.authorize.roles import Roles, own_name
from xmand.settings.authorize import Authorize, Role

TEACHER, PUPIL = "teacher@R", "pupil@R"


def domain(name: str) -> Any:
    found = Mock()
    found.name = name
    return found


def grant(principal: str = TEACHER, **chosen: Any) -> Grant:
    """Return what one role allows a teacher."""
    subject = Roles({"lab": Role(members=(TEACHER,), **chosen)})
    subject._host = "skirit80"
    found = subject.grant(principal)
    assert found is not None
    return found


def test_a_member_may_use_the_verbs_on_its_domains_and_no_others() -> None:
    found = grant(verbs=("reboot", "show"), domains=("lab[1-3]", "room-*"))
    assert found.about is not None

    may = {
        (verb, name): found.about(verb, domain(name))
        for verb in ("reboot", "list", "destroy")
        for name in ("lab2", "room-x", "db")
    }

    assert [pair for pair, allowed in may.items() if allowed] == [
        ("reboot", "lab2"),
        ("reboot", "room-x"),
        ("list", "lab2"),
        ("list", "room-x"),
    ]


def test_what_is_about_the_host_takes_a_role_without_domains() -> None:
    found = grant(verbs=("show", "host", "life"), domains=("lab*",))
    assert found.about is not None

    assert {
        verb for verb in ("list", "state", "events", "log", "dmesg", "create", "ping") if found.about(verb, None)
    } == {
        "list",
        "ping",
    }
    assert grant(verbs=("host",)).about is None


def test_a_list_shows_its_domains() -> None:
    found = grant(verbs=("list",), domains=("lab*",))

    assert [name for name in ("lab1", "db") if found.shows(domain(name))] == ["lab1"]


def test_a_new_name_is_one_of_its_domains() -> None:
    found = grant(verbs=("clone", "rename"), domains=("lab*",))

    assert [name for name in ("lab9", "db") if found.names("clone", name)] == ["lab9"]
    assert not found.names("edit", "lab9")
    assert grant(verbs=("clone",)).names("clone", "db")


def test_nobody_else_is_granted_anything() -> None:
    assert Roles({"lab": Role(members=(TEACHER,), verbs=("reboot",))}).grant(PUPIL) is None


def test_this_hosts_name_and_the_callers_own_are_filled_in() -> None:
    found = grant(verbs=("reboot",), domains=("{host}-vm", "{name}-*"))
    assert found.about is not None

    names = ("skirit80-vm", "skirit81-vm", "teacher-1", "pupil-1")
    assert [name for name in names if found.about("reboot", domain(name))] == ["skirit80-vm", "teacher-1"]


def test_a_callers_name_is_no_pattern() -> None:
    members = ("*@R", "a?c@R", "x,abc@R", "abc!x@R", "@all@R", "x abc@R")
    subject = Roles({"all": Role(members=members, verbs=("reboot",), domains=("{name}",))})

    for principal in members:
        found = subject.grant(principal)
        assert found is not None
        assert found.about is not None
        assert not found.about("reboot", domain("abc"))


@pytest.mark.parametrize(
    ("principal", "name"),
    [("alice@R", "alice"), ("alice/admin@R", "alice"), ("host/pc7.example.org@R", "pc7"), ("x", "")],
)
def test_a_callers_own_name(principal: str, name: str) -> None:
    assert own_name(principal) == name


def test_a_groups_file_is_read_as_the_list_is(tmp_path: Path) -> None:
    group = tmp_path / "teachers"
    group.write_text(f"{TEACHER}\n")
    group.chmod(0o600)
    subject = Roles({"lab": Role(group=str(group), verbs=("reboot",))})

    assert subject.grant(TEACHER) is not None
    group.chmod(0o666)
    assert subject.grant(TEACHER) is None


def test_of_several_roles_each_has_its_own_domains() -> None:
    roles = {
        "a": Role(members=(TEACHER,), verbs=("reboot",), domains=("a*",)),
        "b": Role(members=(TEACHER,), verbs=("pause",), domains=("b*",)),
    }
    found = Roles(roles).grant(TEACHER)
    assert found is not None
    assert found.about is not None

    assert found.verbs == {"reboot", "pause"} | COURTESY
    assert [(v, d) for v in ("reboot", "pause") for d in ("a1", "b1") if found.about(v, domain(d))] == [
        ("reboot", "a1"),
        ("pause", "b1"),
    ]


TABLE = """
[authorize]
methods = ["k5login", "roles"]
[authorize.roles.lab]
members = ["teacher@R"]
group = "/etc/xman/teachers"
verbs = ["reboot", "show"]
domains = ["lab-{host}-*"]
"""


def load(tmp_path: Path, text: str) -> Authorize:
    path = tmp_path / "xmand.toml"
    path.write_text(text)
    return settings.load(str(path)).authorize


def test_it_is_read(tmp_path: Path) -> None:
    found = load(tmp_path, TABLE)

    assert found.roles == {"lab": Role(("teacher@R",), "/etc/xman/teachers", ("reboot", "show"), ("lab-{host}-*",))}
    assert list(found.without_effect()) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("teacher@R", "teacher"),
        ("teacher@R", "*@R"),
        ('"reboot"', '"rebot"'),
        ("/etc/xman/teachers", "teachers"),
        ("{host}", "{hots}"),
        ("members", "member"),
    ],
)
def test_a_slip_in_it_is_an_error(tmp_path: Path, before: str, after: str) -> None:
    with pytest.raises(ConfigurationError):
        load(tmp_path, TABLE.replace(before, after))


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"methods": ("k5login",), "roles": {"lab": Role((TEACHER,), "", ("show",))}}, "has no effect"),
        ({"methods": ("roles",), "roles": {"lab": Role((TEACHER,), "", ())}}, "no verbs"),
        ({"methods": ("roles",), "roles": {"lab": Role((), "", ("show",))}}, "neither members nor a group"),
        ({"methods": ("roles",), "roles": {"lab": Role((TEACHER,), "", ("info",), ("vm*",))}}, "info is about"),
        ({"methods": ("k5login",), "principals": {TEACHER: ("show",)}}, "has no effect"),
        ({"methods": ("principals",), "principals": {TEACHER: ()}}, "no verbs"),
    ],
)
def test_what_allows_nobody_anything_is_named(chosen: dict[str, Any], says: str) -> None:
    (text,) = Authorize(**chosen).without_effect()

    assert says in text


@pytest.mark.parametrize("name", ["@nogroup", "lab[1-99999999]", "lab1,lab2", "lab[1-2]", "", "lab1 ", "!lab1"])
def test_a_domains_name_is_no_set(name: str) -> None:
    found = grant(verbs=("reboot",), domains=("lab[1-3]",))
    assert found.about is not None

    assert not found.about("reboot", domain(name))
