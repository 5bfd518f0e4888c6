"""Who may do what where, in rows (`xmand.authorize.rules`), and what `access` makes of them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.fakes.host_standin import host_of
from xman import arguments, render, verbs
from xman.errors import DeniedError, UsageError
from xman.result import Result
from xmand.authorize import Access
from xmand.authorize.k5login import AccessList
from xmand.authorize.rules import Rule, members, rules
from xmand.settings import Create, Settings
from xmand.settings.authorize import Authorize, Role
from xmand.verbs import HANDLERS
from xmand.verbs.call import Call

ADMIN, TEACHER, CTL = "admin@R", "teacher@R", "slurm/ctl@R"
CHOSEN = Authorize(
    methods=("k5login", "principals", "roles", "owner", "external"),
    principals={CTL: ("batch", "show"), "nothing@R": ()},
    roles={"lab": Role((TEACHER,), "", ("reboot", "show"), ("lab-{name}-*",))},
    external=("/usr/local/bin/may",),
)


def rows(**chosen: Any) -> list[Rule]:
    """Return the rows of settings where the administrator is on the list."""
    create = chosen.pop("create", Create())
    settings = Settings(authorize=Authorize(**chosen), create=create)
    return list(rules(settings, frozenset({ADMIN.encode()}), {"lab": ("tutor@R",)}, {"bob@R": ["vm1"]}))


def test_those_on_the_list_may_everything_everywhere() -> None:
    assert rows(methods=("k5login",)) == [Rule(ADMIN, "k5login", ("all",), as_root=True)]


def test_principals_have_their_words() -> None:
    found = rows(methods=("principals",), principals={CTL: ("batch", "show"), "nothing@R": ()})

    assert found == [Rule(CTL, "principals", ("batch", "show"))]


def test_a_role_has_a_row_for_each_member_with_its_own_domains() -> None:
    lab = Role((TEACHER,), "/etc/xman/lab", ("reboot",), ("lab-{name}-*",))

    found = rows(methods=("roles",), roles={"lab": lab})

    assert found == [
        Rule(TEACHER, "roles", ("reboot",), ("lab-teacher-*",), "lab"),
        Rule("tutor@R", "roles", ("reboot",), ("lab-tutor-*",), "lab"),
    ]


def test_who_is_left_no_domain_has_no_row() -> None:
    assert rows(methods=("roles",), roles={"all": Role(("a*b@R",), "", ("show",), ("{name}",))}) == []


def test_owners_have_the_domains_that_are_theirs() -> None:
    assert rows(methods=("owner",), owner_verbs=("pause",)) == [Rule("bob@R", "owner", ("pause",), ("vm1",))]


def test_a_method_that_is_not_asked_has_no_row() -> None:
    assert rows(methods=(), principals={CTL: ("show",)}) == []


@pytest.mark.parametrize(("words", "as_root"), [(("life",), True), (("create",), True), (("show",), False)])
def test_unrestricted_descriptions_are_as_good_as_root(words: tuple[str, ...], as_root: bool) -> None:
    (found,) = rows(methods=("principals",), principals={CTL: words}, create=Create(unrestricted=(CTL,)))

    assert found.as_root is as_root


def test_a_group_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.write_text("tutor@R\n")
    group.chmod(0o666)

    found, unusable = members({"lab": Role((), str(group), ("show",))})

    assert found == {}
    assert "lab" in unusable[0]
    assert str(group) in unusable[0]


class Bench:
    """A host with libvirt's test domain, whose list has the administrator."""

    def __init__(self, directory: Path) -> None:
        self.connected = libvirt.open("test:///default")
        self.host = host_of(self, Settings(state_dir=str(directory), authorize=CHOSEN))

    def connection(self, _purpose: str) -> Any:
        return self.connected

    def access(self, principal: str, *words: str) -> Result:
        """Ask."""
        listed = AccessList(frozenset({ADMIN.encode()}), (), "", 0.0)
        access = Access(frozenset(verbs.BY_NAME), listed, audits=lambda: principal == ADMIN)
        parsed = arguments.parse(verbs.BY_NAME["access"], list(words))
        done = HANDLERS["access"](Call(self.host, principal, access, parsed, time.monotonic() + 10, lambda _text: None))
        assert isinstance(done, Result)
        return done


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.connected.close()


def who(done: Result) -> list[str]:
    """Return whom the rows are about."""
    return [rule["principal"] for rule in done.data["rules"]]


def test_an_administrator_sees_everybody(bench: Bench) -> None:
    done = bench.access(ADMIN)

    assert who(done) == [ADMIN, CTL, TEACHER]
    assert done.data["whole"]
    assert done.data["external"] == "/usr/local/bin/may"


@pytest.mark.parametrize("words", [("--mine",), ("--principal", ADMIN)])
def test_or_one_alone(bench: Bench, words: tuple[str, ...]) -> None:
    done = bench.access(ADMIN, *words)

    assert who(done) == [ADMIN]
    assert not done.data["whole"]


def test_others_see_themselves(bench: Bench) -> None:
    assert who(bench.access(TEACHER)) == [TEACHER]
    assert who(bench.access(TEACHER, "--principal", TEACHER)) == [TEACHER]
    with pytest.raises(DeniedError):
        bench.access(TEACHER, "--principal", ADMIN)


def test_a_host_takes_no_hosts(bench: Bench) -> None:
    with pytest.raises(UsageError):
        bench.access(ADMIN, "elsewhere")


TABLE = """\
Principal                        By                   Root Verbs                                    Domains
admin@R                          k5login              yes  all                                      all
slurm/ctl@R                      principals           -    batch,show                               all
teacher@R                        roles:lab            -    reboot,show                              lab-teacher-*
"""


def test_the_table(bench: Bench) -> None:
    assert render.text("access", bench.access(ADMIN).data) == TABLE


def test_what_holds_on_several_hosts_is_one_line(bench: Bench) -> None:
    told = bench.access(ADMIN).data
    fewer = told | {"rules": told["rules"][:1]}

    text = render.together("access", {"b": told, "a": told, "c": fewer}, {})

    assert [line.split()[0] + " " + line.split()[-1] for line in text.splitlines()] == [
        "Principal Host",
        f"{ADMIN} a,b,c",
        f"{CTL} a,b",
        f"{TEACHER} a,b",
    ]
    # The columns are those of one host.
    assert [line.rpartition("  ")[0].rstrip() for line in text.splitlines()] == TABLE.splitlines()


def test_hosts_are_folded_as_a_caller_says(bench: Bench) -> None:
    told = bench.access(ADMIN).data

    text = render.together("access", {"b": told, "a": told}, {}, fold=lambda hosts: f"{len(hosts)} of them")

    assert all(line.endswith("  2 of them") for line in text.splitlines()[1:])
