"""Who may what (`xmand.authorize`, `xmand.settings`): each authorizer, and the order they are asked in."""

import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tests.unit.xmand.authorize.callers import ALICE, BOB, STARTED, domain, request
from xman import verbs
from xman.errors import ConfigurationError, HypervisorError, NoSuchDomainError
from xman.metadata import Instance, Job, Metadata
from xmand import authorize, settings
from xmand.authorize import Authority
from xmand.authorize.external import External
from xmand.authorize.grant import COURTESY, EVERY_VERB, Grant
from xmand.authorize.k5login import Listed
from xmand.authorize.owner import Owner, owned
from xmand.authorize.principals import Principals
from xmand.request import Request
from xmand.settings import Settings
from xmand.settings.authorize import Authorize, Role
from xmand.virt.driver import READ


class Site:
    """An authority with domains of the test's own and a list that names alice."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, **chosen: Any) -> None:
        self.list = directory / "k5login"
        self.list.write_text(f"{ALICE}\n")
        self.list.chmod(0o600)
        self.domains = {d.name: d for d in (domain("hers", BOB), domain("shared", BOB, ALICE), domain("empty"))}
        self.looked_up: list[str] = []
        self.ids_allowed = False
        monkeypatch.setattr(authorize, "find", self._find)
        monkeypatch.setattr(authorize, "find_all", lambda _connection: list(self.domains.values()))
        monkeypatch.setattr(authorize.metadata, "read", lambda found: found.metadata)  # type: ignore[attr-defined]
        configured = Settings(k5login=str(self.list), authorize=Authorize(**chosen))
        self.driver = Mock()
        self.authority = Authority(configured, self.driver)

    def _find(self, _connection: Any, word: str, *, allow_id: bool) -> Any:
        self.looked_up.append(word)
        self.ids_allowed = allow_id
        if word not in self.domains:
            raise NoSuchDomainError(word)
        return self.domains[word]

    def may(self, asked: Request) -> authorize.Access | None:
        """Judge as xmand does."""
        access = self.authority.by_name(asked.principal, asked.verb.name)
        return access or (self.authority.by_words(asked) if self.authority.asks_words else None)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Site]:
    """Make a site with some authorizers."""
    return lambda **chosen: Site(tmp_path, monkeypatch, **chosen)


# --- the list ---------------------------------------------------------------------------------------------------------


def test_whoever_is_on_the_list_may_everything_and_nothing_is_looked_up(site: Callable[..., Site]) -> None:
    subject = site(methods=("k5login", "owner"))

    access = subject.may(request("destroy", "hers"))

    assert access is not None
    assert (access.verbs, access.restricted, subject.looked_up) == (EVERY_VERB, False, [])


def test_who_is_not_on_it_may_nothing(site: Callable[..., Site]) -> None:
    subject = site()

    assert subject.may(request("ping", principal=BOB)) is None
    assert subject.authority.why_not() == "not on the list"


def test_a_list_that_cannot_be_used_is_said(site: Callable[..., Site], caplog: pytest.LogCaptureFixture) -> None:
    subject = site()
    subject.list.unlink()

    assert subject.may(request("ping")) is None
    assert subject.authority.why_not() == "the list cannot be used"
    # Once a minute, however often it is asked.
    assert [r.message for r in caplog.records] == [f"{subject.list}: No such file or directory; nobody is authorized"]


def test_a_list_that_cannot_be_used_is_said_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listed_module = sys.modules[Listed.__module__]
    clock = Mock(return_value=0.0)
    monkeypatch.setattr(listed_module, "time", Mock(monotonic=clock))
    listed = Listed(str(tmp_path / "absent"))
    told = []

    for clock.return_value in (0.0, 1.0, 59.9, 60.0, 119.0, 120.0):
        listed.grant(ALICE)
        told.append(len(caplog.records))

    assert told == [1, 1, 1, 2, 2, 3], "at once, even where the machine has only just started"


def test_a_slip_in_the_list_is_told_once_for_each_version_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "k5login"
    path.write_text("# a comment\n")
    path.chmod(0o600)
    listed = Listed(str(path))

    for _time in range(3):
        listed.grant(ALICE)
    path.write_text("# another\n")
    listed.grant(ALICE)

    assert [r.message.removeprefix(f"{path}: line 1 ")[:20] for r in caplog.records] == ["looks like a comment"] * 2


def test_a_list_that_is_no_authorizer_allows_nobody_and_is_not_blamed(site: Callable[..., Site]) -> None:
    subject = site(methods=("owner",))

    assert subject.may(request("destroy", "hers", principal=ALICE)) is None
    subject.list.unlink()
    assert subject.authority.why_not() == "not allowed"


def test_whoever_is_on_the_list_sees_every_domain(site: Callable[..., Site]) -> None:
    access = site().may(request("list"))

    assert access is not None
    assert access.shows(domain("hers", BOB)) is True


def test_what_was_judged_cannot_be_altered(site: Callable[..., Site]) -> None:
    access = site().may(request("list"))

    for judged, field in ((access, "restricted"), (Grant(EVERY_VERB), "about"), (Authorize(), "methods")):
        with pytest.raises(FrozenInstanceError):
            setattr(judged, field, None)


# --- principals -------------------------------------------------------------------------------------------------------


def test_families_and_verbs_by_principal() -> None:
    table = Principals({BOB: ("batch", "info"), ALICE: ()})

    grant = table.grant(BOB)

    assert grant is not None
    batch = {verb.name for verb in verbs.VERBS if verb.family == "batch"}
    assert grant.verbs == batch | {"info"} | COURTESY
    assert grant.about is None
    assert table.grant(ALICE) is None
    assert table.grant("bob@OTHER") is None


def test_a_principal_of_the_table_may_what_stands_there_on_every_domain(site: Callable[..., Site]) -> None:
    subject = site(methods=("k5login", "principals"), principals={BOB: ("show",)})

    access = subject.may(request("list", principal=BOB))

    assert access is not None
    assert not access.restricted
    assert subject.may(request("destroy", "hers", principal=BOB)) is None


def test_a_table_that_is_no_authorizer_allows_nobody(site: Callable[..., Site]) -> None:
    subject = site(methods=("k5login",), principals={BOB: ("show",)})

    assert subject.may(request("list", principal=BOB)) is None


# --- owner ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "mine"),
    [
        ((), False),
        ((Job("1", BOB, start=STARTED),), True),
        ((Job("1", BOB, start=STARTED), Job("2", BOB, start=STARTED)), True),
        ((Job("1", BOB, start=STARTED), Job("2", ALICE, start=STARTED)), False),
        ((Job("1", ALICE, start=STARTED),), False),
        ((Job("1", BOB, start=STARTED - 1),), False),
        ((Job("1", BOB, start=STARTED), Job("2", ALICE, start=STARTED - 1)), True),
        ((Job("1", "bob", start=STARTED),), False),
        ((Job("1", "", start=STARTED),), False),
    ],
    ids=["none", "one", "two", "shared", "another's", "over", "other-is-over", "no-realm", "nobody's"],
)
def test_whose_jobs_are_in_a_domain(jobs: tuple[Job, ...], mine: bool) -> None:
    assert owned(Metadata(started=STARTED, jobs=jobs), BOB) is mine


@pytest.mark.parametrize(
    ("verb", "words", "may"),
    [
        ("pause", ("hers",), True),
        ("pause", ("shared",), False),
        ("pause", ("empty",), False),
        ("pause", ("missing",), False),
        ("destroy", ("hers",), False),
        ("list", (), True),
        ("list", ("hers",), True),
        ("list", ("hers", "shared"), False),
        ("ping", (), True),
        ("help", (), True),
        ("info", (), False),
        ("pause", (), False),
        ("pause", ("hers", "too much"), False),
        ("create", ("<domain/>",), False),
    ],
)
def test_what_an_owner_may(site: Callable[..., Site], verb: str, words: tuple[str, ...], may: bool) -> None:
    subject = site(methods=("k5login", "owner"))

    access = subject.may(request(verb, *words, principal=BOB))

    assert (access is not None) is may
    assert access is None or access.restricted


def test_who_owns_nothing_is_not_even_told_what_there_is(site: Callable[..., Site]) -> None:
    subject = site(methods=("owner",))

    for verb in ("list", "ping", "help"):
        assert subject.may(request(verb, principal="eve@XMAN.TEST")) is None


def test_lists_show_the_own_domains_only(site: Callable[..., Site]) -> None:
    subject = site(methods=("owner",))

    access = subject.may(request("list", principal=BOB))

    assert access is not None
    assert [name for name, found in subject.domains.items() if access.shows(found)] == ["hers"]


def test_who_launched_a_machine_may_do_more_with_it_and_nobody_else_anything() -> None:
    kept = {"launched": Metadata(instance=Instance("i-1", BOB)), "another": Metadata(instance=Instance("i-2", "eve@R"))}
    domains = [domain(name, BOB) for name in kept]
    owner = Owner(("pause", "list"), ("pause", "start", "list"), lambda one: kept[one.name], lambda: domains)
    grant, stranger = owner.grant(BOB), owner.grant("mallory@R")
    assert grant is not None
    assert stranger is not None
    assert grant.about is not None
    assert stranger.about is not None
    assert grant.now is not None
    assert stranger.now is not None

    assert [name for name in ("pause", "start", "destroy") if grant.about(name, domains[0])] == ["pause", "start"]
    assert not any(grant.about(name, domains[1]) for name in ("pause", "start"))
    assert [grant.shows(one) for one in domains] == [True, False]
    assert {"pause", "start"} <= grant.now()
    assert not {"pause", "start", "list"} & stranger.now()
    assert not any(stranger.about("pause", one) for one in (*domains, None))


@pytest.mark.parametrize("methods", [("principals", "owner"), ("principals", "roles", "owner", "external")])
def test_who_asks_what_he_may_is_told_what_he_owns_beside_what_he_is_given(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, methods: tuple[str, ...]
) -> None:
    monkeypatch.setattr(External, "_allows", Mock(side_effect=AssertionError("asked")))
    roles = {"staff": Role(members=(BOB,), verbs=("dmesg",))}
    subject = site(methods=methods, principals={BOB: ("info",)}, roles=roles, external=("/bin/ask",))
    asked = request("ping", principal=BOB)
    named = subject.authority.by_name(BOB, "ping")

    access = subject.authority.by_words(asked, named)

    assert named is not None
    assert access is not None
    assert named.verbs == {"info"} | COURTESY
    assert {"info", "pause", *COURTESY} <= access.verbs
    assert ("dmesg" in access.verbs) is ("roles" in methods)
    assert "destroy" not in access.verbs
    assert not access.restricted


def test_who_owns_nothing_is_told_what_he_is_given(site: Callable[..., Site]) -> None:
    subject = site(methods=("principals", "owner"), principals={"eve@XMAN.TEST": ("info",)})
    named = subject.authority.by_name("eve@XMAN.TEST", "ping")

    assert subject.authority.by_words(request("ping", principal="eve@XMAN.TEST"), named) is named


def test_a_domain_whose_metadata_cannot_be_read_is_nobodys() -> None:
    def read(_domain: Any) -> Metadata:
        raise HypervisorError("no")

    grant = Owner(("pause",), (), read, lambda: [domain("hers", BOB)]).grant(BOB)

    assert not grant.shows(domain("hers", BOB))  # type: ignore[union-attr]
    assert not grant.about("list", None)  # type: ignore[union-attr,misc]


def test_the_domain_that_was_judged_is_the_one_that_is_meant(site: Callable[..., Site]) -> None:
    subject = site(methods=("owner",))
    asked, several = request("pause", "hers", principal=BOB), request("list", "hers", principal=BOB)

    subject.may(asked)
    subject.may(several)

    assert asked.parsed.text("DOMAIN") == "uuid-of-hers"
    assert asked.domain == "hers"
    assert several.parsed.words("DOMAIN") == ["uuid-of-hers"]


# --- the order --------------------------------------------------------------------------------------------------------


def test_of_who_is_judged_by_name_the_words_are_never_read(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = site()
    asked = request("create", "<domain/>", principal=BOB)
    monkeypatch.setattr(asked, "parse", Mock(side_effect=AssertionError("read")))

    assert subject.may(asked) is None


def test_a_file_is_never_read_to_judge(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(External, "grant", lambda *_args: None)
    subject = site(methods=("k5login", "owner", "external"), external=("/bin/ask",))
    asked = request("create", "x" * 1_000_000, principal=BOB)
    monkeypatch.setattr(asked, "parse", Mock(side_effect=AssertionError("read")))

    assert subject.may(asked) is None
    assert subject.looked_up == []


def test_one_yes_is_enough(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def allows(_self: External, _principal: str, verb: str, _domain: Any) -> bool:
        asked.append(verb)
        return True

    monkeypatch.setattr(External, "_allows", allows)
    subject = site(methods=("k5login", "owner", "external"), external=("/bin/ask",))

    assert subject.may(request("pause", "hers", principal=BOB)) is not None
    assert asked == []
    assert subject.may(request("pause", "shared", principal=BOB)) is not None
    assert asked == ["pause"]


def test_an_authorizer_that_cannot_tell_says_no(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    subject = site(methods=("owner",))

    def broken(_domain: Any) -> Metadata:
        raise HypervisorError("libvirt is gone")

    monkeypatch.setattr(authorize.metadata, "read", broken)  # type: ignore[attr-defined]
    subject.authority.configure(Settings(k5login=str(subject.list), authorize=Authorize(methods=("owner",))))

    assert subject.may(request("pause", "hers", principal=BOB)) is None
    assert subject.authority.why_not() == "not allowed"


def test_an_id_will_do_but_where_data_may_be_lost(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(External, "_allows", lambda *_args: True)
    subject = site(methods=("external",), external=("/bin/ask",))

    subject.may(request("pause", "hers", principal=BOB))
    assert subject.ids_allowed
    subject.may(request("destroy", "hers", principal=BOB))
    assert not subject.ids_allowed


def test_only_what_names_a_domain_is_looked_up(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(External, "_allows", lambda *_args: True)
    subject = site(methods=("external",), external=("/bin/ask",))

    assert subject.may(request("info", principal=BOB)) is not None
    subject.driver.connection.assert_not_called()
    assert subject.may(request("migrate", "hers", "hv2.example.org", principal=BOB)) is not None
    assert subject.looked_up == ["hers"]
    subject.driver.connection.assert_called_once_with(READ)


def test_what_brings_a_description_may_be_allowed_by_a_program(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(External, "_allows", lambda *_args: True)
    subject = site(methods=("external",), external=("/bin/ask",))

    access = subject.may(request("create", "<domain/>", principal=BOB))

    assert access is not None
    assert access.shows(domain("hers", ALICE)) is True


def test_a_grant_for_everything_needs_no_domain(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owner, "grant", lambda *_args: Grant(frozenset(("pause",))))
    subject = site(methods=("owner",))

    assert subject.may(request("pause", "shared", principal=BOB)) is not None


def test_the_list_goes_with_a_ping_alone(site: Callable[..., Site]) -> None:
    subject = site()

    assert subject.may(request("ping")).listed is not None  # type: ignore[union-attr]
    assert subject.may(request("list")).listed is None  # type: ignore[union-attr]


# --- the configuration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('method = ["k5login"]', "authorize.method"),
        ('methods = ["k5logn"]', "'k5logn' is none of"),
        ('owner_verbs = ["fly"]', "'fly' is not a verb on a domain"),
        ('owner_verbs = ["create"]', "'create' is not"),
        ('owner_verbs = ["info"]', "'info' is not"),
        ('owner_verbs = ["job-renew"]', "'job-renew' is for the scheduler"),
        ('owner_verbs = ["job-claim"]', "'job-claim' is for the scheduler"),
        ('owner_verbs = ["log"]', "'log' is not"),
        ('owner_verbs = ["events"]', "'events' is not"),
        ('methods = ["external"]', "expected a program"),
        ('methods = ["external"]\nexternal = ["ask"]', "whole path"),
        ("external_seconds = 0", "external_seconds"),
        ('[authorize.principals]\n"bob" = ["show"]', "full principal"),
        ('[authorize.principals]\n"@R" = ["show"]', "full principal"),
        ('[authorize.principals]\n"bob@" = ["show"]', "full principal"),
        ('[authorize.principals]\n"b b@R" = ["show"]', "full principal"),
        ('[authorize.principals]\n"\u00e1@R" = ["show"]', "full principal"),
        ('[authorize.principals]\n"b\\u007f@R" = ["show"]', "full principal"),
        ('[authorize.principals]\n"*@R" = ["show"]', "no patterns"),
        ('[authorize.principals]\n"bob@R" = ["shows"]', "neither a verb nor"),
        ('[authorize.principals]\n"bob@R" = "show"', "list of strings"),
    ],
)
def test_a_slip_is_an_error_that_names_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "xmand.toml"
    path.write_text(f"[authorize]\n{text}\n")

    with pytest.raises(ConfigurationError) as caught:
        settings.load(str(path))

    assert str(caught.value).startswith(f"{path}: authorize.")
    assert says in str(caught.value)


def test_all_authorizers_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "xmand.toml"
    path.write_text('[authorize]\nmethods = ["owner", "external", "principals", "k5login"]\nexternal = ["/bin/ask"]\n')

    assert settings.load(str(path)).authorize.methods == ("owner", "external", "principals", "k5login")
