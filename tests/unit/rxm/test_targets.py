"""Which hosts, which domain on which of them, and who gets which command."""

import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from ClusterShell.NodeUtils import GroupResolverConfig

from rxm import nodesets
from rxm import targets as plan
from rxm.options import Options
from rxm.settings import Settings
from rxm.targets import Target, expand, locate, mapped, split
from xman import arguments
from xman.arguments import Parsed
from xman.errors import NoSuchDomainError, UsageError
from xman.verbs import BY_NAME

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
TWO_HOSTS = ["skirit80", "skirit81"]


def read(*words: str) -> Parsed:
    """Parse `words` as rxm does; the first is the verb."""
    return arguments.parse(BY_NAME[words[0]], list(words[1:]), several=True)


# --- names of hosts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("skirit80", ["skirit80"]),
        ("skirit81,skirit80", ["skirit81", "skirit80"]),
        ("a,,b,", ["a", "b"]),
        ("a,b,a", ["a", "b"]),
        ("skirit80.example.org", ["skirit80.example.org"]),
        ("192.0.2.1", ["192.0.2.1"]),
        ("skirit[80-82]", ["skirit80", "skirit81", "skirit82"]),
        ("skirit[80,82]", ["skirit80", "skirit82"]),
        ("skirit[08-10].example.org", ["skirit08.example.org", "skirit09.example.org", "skirit10.example.org"]),
        ("a,b[1-2],a", ["a", "b1", "b2"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("n[1-4]!n2", ["n1", "n3", "n4"]),
        ("", []),
        (",", []),
    ],
)
def test_lists_and_ranges(text: str, names: list[str]) -> None:
    assert expand(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@cluster", ["skirit80", "skirit81"]),
        ("@cluster,x", ["skirit80", "skirit81", "x"]),
        ("@all", ["skirit80", "skirit81", "x"]),
        ("@all!@cluster", ["x"]),
        ("plain", ["plain"]),
    ],
)
def test_groups_of_the_configuration(text: str, names: list[str]) -> None:
    assert expand(text, {"cluster": "skirit[80-81]", "all": "@cluster,x"}) == names


@pytest.mark.parametrize("text", ["a[1-3", "a]", "a[3-1]", "[", "a[1-2],", "a[x]"])
def test_what_is_no_list_of_names(text: str) -> None:
    with pytest.raises(UsageError, match="is not a list of names: "):
        expand(text)


@pytest.mark.parametrize("text", ["@a", "@nosuch:a"])
def test_a_group_that_cannot_be_resolved_is_no_list_of_names(text: str) -> None:
    with pytest.raises(UsageError, match=f"'{text}' is not a list of names: "):
        expand(text, {"a": "@a"})


# --- where hosts come from --------------------------------------------------------------------------------------------


def test_hosts_are_those_of_the_option_then_the_environment_then_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configured = Settings(hosts="c1,c2")

    monkeypatch.setenv("RXM_HOSTS", "e1")
    assert plan.hosts(Options({"host": "o1"}), configured) == ["o1"]
    assert plan.hosts(Options({}), configured) == ["e1"]
    monkeypatch.delenv("RXM_HOSTS")
    assert plan.hosts(Options({}), configured) == ["c1", "c2"]


def test_without_any_it_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RXM_HOSTS", raising=False)
    monkeypatch.setattr(socket, "getfqdn", lambda: "skirit80.example.org")

    assert plan.hosts(Options({}), Settings()) == ["skirit80.example.org"]


def test_groups_of_the_configuration_are_known_to_the_option() -> None:
    assert plan.hosts(Options({"host": "@two"}), Settings(groups={"two": "n[1-2]"})) == ["n1", "n2"]


def test_no_host_at_all_is_a_slip() -> None:
    with pytest.raises(UsageError, match=r"^',' names no host\.$"):
        plan.hosts(Options({"host": ","}), Settings(groups={"some": "n1"}))


@pytest.mark.parametrize("text", ["@typo", "n1,@typo", "@some,@typo"])
@pytest.mark.parametrize("groups", [{"some": "n1"}, {}], ids=["own-groups", "no-groups"])
def test_a_group_that_nobody_knows_does_not_make_a_command_smaller(text: str, groups: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="is not a group"):
        plan.hosts(Options({"host": text}), Settings(groups=groups))


def test_groups_of_clustershells_own_files_are_known_beside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "groups.conf").write_text(
        f"[Main]\ndefault: local\n[local]\nmap: sed -n 's/^$GROUP: //p' {tmp_path}/own\n"
    )
    (tmp_path / "own").write_text("theirs: n[5-6]\nboth: n9\n")
    resolver = GroupResolverConfig([str(tmp_path / "groups.conf")])
    monkeypatch.setattr("rxm.nodesets.std_group_resolver", lambda: resolver)

    assert expand("@ours,@theirs,@both", {"ours": "n[1-2]", "both": "n3"}) == ["n1", "n2", "n3", "n5", "n6"]
    assert expand("@all", {"all": "@theirs,x"}) == ["n5", "n6", "x"]


def test_without_clustershell_plain_names_still_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rxm.nodesets", None)
    monkeypatch.delattr("rxm.nodesets", raising=False)

    assert expand("n1,n2") == ["n1", "n2"]
    assert expand("n[1-2]") == ["n1", "n2"]
    with pytest.raises(UsageError, match="python3-clustershell"):
        expand("n[1-2,4]")


@pytest.mark.parametrize("suffix", ["", ".example.org", "-a.example.org"])
@pytest.mark.parametrize("numbers", ["1-3", "01-03", "8-12", "08-12", "98-102", "098-102", "0-3", "7-7", "00000-00002"])
def test_a_plain_range_is_what_clustershell_makes_of_it(numbers: str, suffix: str) -> None:
    text = f"node[{numbers}]{suffix}"

    assert plan._plain_range(text) == nodesets.names(text, {})


@pytest.mark.parametrize(
    "text",
    [
        "n[3-1]",
        "n[1-3/2]",
        "n[1-2,4]",
        "n[1]",
        "n[-1]",
        "n[1-]",
        "n[01-100]",
        "n[1-100000]",
        "n1[1-2]",
        "n[1-2]n1",
        "n[1-2]n[1-2]",
        "n[1-2],m",
        "n[1-2]!n1",
        "[1-2]",
        "n[1-2",
        "n1-2]",
        "n[\u0661-\u0662]",
        "@g[1-2]",
        "n*[1-2]",
        "a b[1-2]",
    ],
)
def test_what_is_no_plain_range_is_left_to_clustershell(text: str) -> None:
    assert plan._plain_range(text) is None


def test_blanks_in_a_list_of_hosts_do_not_count() -> None:
    assert expand("n1, n2") == ["n1", "n2"]


def test_a_range_of_hosts_before_a_domain() -> None:
    assert split("n[1-2]:vm1", ["a", "b"]) == [Target("n1", "vm1"), Target("n2", "vm1")]


# --- words for domains ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "targets"),
    [
        ("vm1", [Target("skirit80", "vm1")]),
        ("vm[1-3]", [Target("skirit80", "vm1"), Target("skirit80", "vm2"), Target("skirit80", "vm3")]),
        ("skirit99:vm1", [Target("skirit99", "vm1")]),
        ("skirit99:vm[1-2]", [Target("skirit99", "vm1"), Target("skirit99", "vm2")]),
        ("skirit99:a:b", [Target("skirit99", "a:b")]),
        ("a b", [Target("skirit80", "a b")]),
        ("a,b", [Target("skirit80", "a,b")]),
        (UUID, [Target("skirit80", UUID)]),
        ("12", [Target("skirit80", "12")]),
    ],
)
def test_a_word_for_a_domain_where_there_is_one_host(word: str, targets: list[Target]) -> None:
    assert split(word, ["skirit80"]) == targets


def test_a_bare_name_with_several_hosts_has_to_be_located() -> None:
    assert split("vm[1-2]", TWO_HOSTS) == [Target("", "vm1"), Target("", "vm2")]


@pytest.mark.parametrize("word", ["", "skirit80:", ":vm1", "a/b", "skirit80:a/b", "vm[1-2]/x", "vm[1"])
def test_what_cannot_name_a_domain(word: str) -> None:
    with pytest.raises(UsageError):
        split(word, ["skirit80"])


# --- the map of the configuration -------------------------------------------------------------------------------------

DOMAINS = {"vm[1-2]": "skirit80", "vm3": "skirit81", "vm[1-9]": "skirit82"}


@pytest.mark.parametrize(
    ("name", "host"),
    [("vm1", "skirit80"), ("vm2", "skirit80"), ("vm3", "skirit81"), ("vm4", "skirit82"), ("vm", ""), ("vm10", "")],
)
def test_the_first_entry_that_names_a_domain_counts(name: str, host: str) -> None:
    assert mapped(name, DOMAINS) == host


def test_an_address_is_the_words_own_then_the_maps_then_unknown() -> None:
    assert plan.address(["skirit99:vm1", "vm[1-2]", "vm77"], TWO_HOSTS, DOMAINS) == [
        Target("skirit99", "vm1"),
        Target("skirit80", "vm1"),
        Target("skirit80", "vm2"),
        Target("", "vm77"),
    ]


def test_the_only_host_comes_before_the_map() -> None:
    assert plan.address(["vm3"], ["skirit80"], DOMAINS) == [Target("skirit80", "vm3")]


# --- locating ---------------------------------------------------------------------------------------------------------


def has(name: str, uuid: str = UUID, number: int | None = None) -> dict[str, Any]:
    """Return what a host says of one of its domains, as far as locating goes."""
    return {"name": name, "uuid": uuid, "id": number}


KNOWN = {
    "skirit80": [has("vm1", number=1), has("both"), has("7", UUID.replace("6", "7"))],
    "skirit81": [has("vm2", UUID.replace("6", "8"), number=7), has("both", UUID.replace("6", "9"))],
    "skirit82": [has("Domain-0", UUID.replace("6", "0"), number=0)],
    "skirit83": [],
}


@pytest.mark.parametrize(
    ("word", "host"),
    [
        ("vm1", "skirit80"),
        ("vm2", "skirit81"),
        (UUID.replace("6", "8"), "skirit81"),
        (UUID.replace("6", "8").upper(), "skirit81"),
        ("1", "skirit80"),
        ("0", "skirit82"),
        ("7", "skirit80"),  # a name comes before an id
    ],
)
def test_locating_by_name_then_uuid_then_id(word: str, host: str) -> None:
    assert locate(word, KNOWN) == Target(host, word)


def test_a_domain_on_several_hosts_is_not_guessed_at() -> None:
    with pytest.raises(UsageError) as caught:
        locate("both", KNOWN)

    assert str(caught.value) == "'both' is on several hosts; say which: skirit80:both, skirit81:both."


def test_many_hosts_that_have_it_are_folded() -> None:
    known = {f"node{number:02}": KNOWN["skirit80"] for number in range(1, 81)}

    with pytest.raises(UsageError) as caught:
        locate("both", known)

    assert str(caught.value) == ("'both' is on several hosts; say which: HOST:both, where HOST is one of node[01-80].")


@pytest.mark.parametrize("word", ["vm9", "VM1", "2", UUID.replace("6", "5"), ""])
def test_a_domain_that_nobody_has(word: str) -> None:
    with pytest.raises(NoSuchDomainError, match=f"Domain '{word}' does not exist"):
        locate(word, KNOWN)


def test_the_missing_id_of_a_domain_that_is_off_is_no_name() -> None:
    with pytest.raises(NoSuchDomainError):
        locate("None", KNOWN)


def test_only_targets_without_a_host_are_located() -> None:
    targets = [Target("skirit99", "vm1"), Target("", "vm2")]

    assert plan.located(targets, KNOWN) == [Target("skirit99", "vm1"), Target("skirit81", "vm2")]


# --- jobs -------------------------------------------------------------------------------------------------------------


def jobs(parsed: Parsed, targets: list[Target]) -> list[tuple[Target, list[str] | None]]:
    """Return the plan's jobs for two hosts as pairs."""
    return [(job.target, job.domains) for job in plan.tasks(parsed, TWO_HOSTS, targets)]


def test_a_change_is_one_command_per_domain_once_each() -> None:
    targets = [Target("skirit80", "vm1"), Target("skirit80", "vm2"), Target("skirit80", "vm1")]

    assert jobs(read("pause", "vm1", "vm2", "vm1"), targets) == [
        (Target("skirit80", "vm1"), ["vm1"]),
        (Target("skirit80", "vm2"), ["vm2"]),
    ]


def test_the_same_name_on_two_hosts_is_two_targets() -> None:
    targets = [Target("skirit80", "vm1"), Target("skirit81", "vm1")]

    assert jobs(read("pause", "x"), targets) == [(target, ["vm1"]) for target in targets]


def test_a_verb_that_takes_many_domains_sends_each_host_its_own_at_once() -> None:
    targets = [Target("skirit80", "vm1"), Target("skirit81", "vm2"), Target("skirit80", "vm3")]

    assert jobs(read("list", "vm1", "vm2", "vm3"), targets) == [
        (Target("skirit80"), ["vm1", "vm3"]),
        (Target("skirit81"), ["vm2"]),
    ]


def test_what_became_of_a_domain_is_asked_of_the_host_named_with_it_or_of_all() -> None:
    named, bare = read("log", "skirit99:vm1"), read("log", "vm1")

    assert jobs(named, plan.address(plan.domain_words(named), TWO_HOSTS, {})) == [(Target("skirit99", "vm1"), ["vm1"])]
    assert jobs(bare, plan.address(plan.domain_words(bare), TWO_HOSTS, {})) == [
        (Target("skirit80"), None),
        (Target("skirit81"), None),
    ]


@pytest.mark.parametrize("verb", ["list", "info"])
def test_a_verb_without_domains_goes_to_every_host(verb: str) -> None:
    assert jobs(read(verb), []) == [(Target("skirit80"), None), (Target("skirit81"), None)]


@pytest.mark.parametrize(
    ("words", "domains"),
    [
        (("pause", "vm1", "vm[2-3]"), ["vm1", "vm[2-3]"]),
        (("mem-set", "vm1", "512"), ["vm1"]),
        (("list",), []),
        (("info",), []),
    ],
)
def test_domain_words(words: tuple[str, ...], domains: list[str]) -> None:
    assert plan.domain_words(read(*words)) == domains


def test_targets_are_equal_by_host_and_domain() -> None:
    assert Target("a", "b") == Target("a", "b")
    assert len({Target("a", "b"), Target("a", "b"), Target("a"), Target("b", "a")}) == 3
    assert Target("a") != "a"
    assert repr(Target("a", "b")) == "Target('a', 'b')"


@pytest.mark.parametrize(
    "text",
    [
        "h[1-99999999]",
        "h[1-9999]x[1-9999]",
        "h[1-999999999999999]",
        "a,h[0-9,1-99999999]",
        "h[1-99999999/1]",
        "@x,h[1-200000]",
    ],
)
def test_more_names_than_there_can_be_are_not_even_made(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodesets, "NodeSet", lambda *_words, **_more: pytest.fail("it was made"))

    with pytest.raises(UsageError, match="stands for more than 100000 names"):
        expand(text)


@pytest.mark.parametrize(("text", "most"), [("h[1-9]", 9), ("h[1-9]-[1-3],x", 28), ("h[01-09/2,7]", 6), ("a,b&c", 3)])
def test_how_many_names_there_are_at_most(text: str, most: int) -> None:
    assert nodesets.size(text) == most
