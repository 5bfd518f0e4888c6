"""What was meant, where a word is not what it should be; and where rxm's own options may stand."""

import sys

import pytest

from rxm import options, slips, targets
from rxm.options import Options
from rxm.settings import Settings
from rxm.targets import Target
from xman import arguments, lowlevel
from xman.errors import UsageError
from xman.grammar import HOSTS, TEXT, Verb
from xman.verbs import BY_NAME, OWN


def hosts(text: str, **groups: str) -> list[str]:
    return targets.hosts(Options({"host": text}), Settings(groups=groups))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[::1]", "without brackets: ::1."),
        ("[2001:db8::1]", "without brackets: 2001:db8::1."),
        ("root@", "a group of hosts is written @NAME."),
        (",", "names no host"),
        ("alice@host", "write only the host, host; your ticket says who you are (kinit alice)."),
        ("a,alice@host", "write only the host, host;"),
        ("@nogroup", "'@nogroup' is not a group that rxm.toml or ClusterShell knows."),
        ("@lba", "Did you mean @lab?"),
        ("@lab,@typo", "'@typo' is not a group"),
        ("@empty", "'@empty' is empty: rxm.toml gives"),
        ("@lab,-n1", "exclude hosts with '!': @all!n1."),
        ("-n1", "exclude hosts with '!'"),
        ("[::1]:4373", "without brackets: ::1, and the port as an option: -p 4373."),
        ("[fe80::1%eth0]:4373", "without brackets: fe80::1%eth0, and the port"),
        ("alice@host:22", "write only the host, host -p 22;"),
        ("https://host:8443/x", "write the host alone (host -p 8443)."),
        ("host:vm1", "HOST:DOMAIN stands behind the verb, and here the host: -H host."),
        ("n{1..4}", "A range is written NAME[80-84]"),
        ("n(1)", "A range is written NAME[80-84]"),
        ("n[1..4]", "A range is written NAME[80-84]"),
        ("n[4-1]", "A range is written NAME[80-84]"),
        ("n1;n2", "several names with commas"),
        ("192.0.2.0/24", "A range is written NAME[80-84]"),
        ("@nosuch:lab", "ClusterShell knows no source of groups 'nosuch'"),
        ("host:4373", "-H host -p 4373."),
        ("ssh://host/x", "write the host alone (host)."),
        ("a b", "'a b' cannot be the name of a host."),
        ("h\udcffost", "'h\\xffost' cannot be the name of a host."),
        ("h\x1b2Jost,b", "cannot be the name of a host."),
        ("h/x", "cannot be the name of a host."),
        ("@lab!@lab", "names no host"),
        (" ", "names no host"),
    ],
)
def test_what_is_no_host_is_named_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        hosts(text, lab="n[1-2]", empty="")

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["::1", "fe80::1%eth0", "hv1", "hv1.x.", "192.0.2.1", "háček.example.org", "a_b"])
def test_what_may_be_a_host(text: str) -> None:
    assert hosts(text) == [text]


@pytest.mark.parametrize("words", [["-H", ""], ["--host="], ["-c", ""], ["--service="]])
def test_an_empty_value_is_a_slip(words: list[str]) -> None:
    with pytest.raises(UsageError, match="has an empty value"):
        options.parse([*words, "list"])
    with pytest.raises(UsageError, match="has an empty value"):
        options.behind(Options({}), BY_NAME["list"], words)


def test_an_empty_variable_names_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RXM_HOSTS", "")

    with pytest.raises(UsageError, match="RXM_HOSTS is set and empty"):
        targets.hosts(Options({}), Settings(hosts="a,b"))


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("log", ["--principal", ""]),
        ("log", ["--since="]),
        ("log", [""]),
        ("list", ["--state", ""]),
        ("list", [""]),
        ("stats", [""]),
        ("events", [""]),
        ("job-list", [""]),
        ("state", [""]),
        ("pause", [""]),
    ],
)
def test_nor_does_an_empty_word_behind_a_verb_mean_everything(verb: str, words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"is empty|has an empty value|''"):
        arguments.parse(BY_NAME[verb], words, several=True)


# --- host names are compared without case and without the last dot ----------------------------------------------------


def test_a_host_in_two_spellings_is_one_host() -> None:
    assert hosts("HV1.x,hv2.x,hv1.X.,hv2.x.") == ["HV1.x", "hv2.x"]


def test_a_host_in_front_of_a_domain_is_the_one_that_was_named() -> None:
    assert targets.address(["HV1:a", "hv1.:a", "hv9:a", "HV9:a"], ["hv1", "hv2"], {}) == [
        Target("hv1", "a"),
        Target("hv1", "a"),
        Target("hv9", "a"),
        Target("hv9", "a"),
    ]


def test_the_map_of_domains_too() -> None:
    assert targets.address(["vm1"], ["hv1", "hv2"], {"vm1": "HV2."}) == [Target("hv2", "vm1")]


# --- options behind the verb ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "words", "left", "own"),
    [
        ("list", ["-j"], [], {"json": True}),
        ("list", ["-l", "-q", "vm1", "-H", "a,b"], ["-l", "vm1"], {"quiet": True, "host": "a,b"}),
        ("list", ["--host=a", "--state", "-j"], ["--state", "-j"], {"host": "a", "json": False}),
        ("list", ["-lq"], ["-l"], {"quiet": True}),
        ("create", ["-p", "f"], ["-p", "f"], {"port": 0}),
        ("create", ["f", "--port", "4374"], ["f"], {"port": 4374}),
        ("pause", ["vm1", "-p4374"], ["vm1"], {"port": 4374}),
        ("shutdown", ["-aw", "-y"], ["-aw", "-y"], {"yes": False}),
        ("pause", ["--", "-q"], ["--", "-q"], {"quiet": False}),
        ("pause", ["vm1", "-t", "5", "--reason", "-x"], ["vm1"], {"timeout": 5.0, "reason": ""}),
        ("pause", ["-h"], [], {"help": True}),
        ("pause", ["--nosuch", "-"], ["--nosuch", "-"], {}),
    ],
)
def test_our_own_options_behind_a_verb(verb: str, words: list[str], left: list[str], own: dict[str, object]) -> None:
    found = Options({})

    rest = options.behind(found, BY_NAME[verb], words)
    if "--reason" in rest:  # a word of every command on the wire
        rest = rest[: rest.index("--reason")]

    assert rest == left
    assert {key: getattr(found, key) for key in own} == own


def test_flags_stand_side_by_side() -> None:
    found, rest = options.parse(["-qj", "list"])

    assert (found.quiet, found.json, rest) == (True, True, ["list"])


# --- octets -----------------------------------------------------------------------------------------------------------


def test_words_are_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-2")
    monkeypatch.setattr(sys, "argv", ["rxm", "pause", "Žluť".encode().decode("iso8859-2")])

    assert lowlevel.words() == ["pause", "Žluť"]


# --- verbs of other programs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("dumpxml", "here it is 'rxm describe'."),
        ("undefine", "here it is 'rxm delete'."),
        ("managedsave-remove", "here it is 'rxm start --discard-saved'."),
        ("domblklist", "here it is 'rxm block-list'."),
        ("vcpupin", "here it is 'rxm vcpu-pin'."),
        ("domrename", "here it is 'rxm rename'."),
        ("domjobabort", "here it is 'rxm migrate --abort'."),
        ("showcmd", "here it is 'rxm describe'."),
        ("launch-vm", "here it is 'rxm start'."),
        ("poweroff", "here it is 'rxm destroy'."),
        ("STOP", "here it is 'rxm shutdown', or destroy to stop it at once."),
        ("exec", "log in to it (ssh)."),
        ("xl", "rxm is xm and xl where it is called so, by the links of the package xman-xm."),
        ("thaw", "here it is 'rxm defrost'."),
        ("console-log", "here it is 'rxm console --log'."),
        ("qemu_agent_command", "log in to it (ssh)."),
        ("attach-disk", "rxm block-attach"),
        ("attach-device", "rxm edit"),
        ("net-list", "virsh net-list does that on the host."),
        ("vol-create-as", "here it is 'rxm volume-create'."),
        ("vol-resize", "virsh vol-resize does that on the host."),
        ("pool-list", "here it is 'rxm pools'."),
        ("vm-start", "here it is 'rxm start'."),
        ("delete_vm", "here it is 'rxm delete'."),
        ("vm-undefine", "here it is 'rxm delete'."),
        ("volume-list", "here it is 'rxm volumes'."),
        ("list-images", "here it is 'rxm images'."),
        ("snapshot-show", "here it is 'rxm snapshot-list'."),
        ("snapshot-restore", "here it is 'rxm snapshot-revert'."),
        ("virt-clone", "here it is 'rxm clone'."),
        ("qemu-monitor-command", "virsh"),
        ("sched-credit2", "virsh"),
        ("cpupool-numa-split", "xl cpupool-numa-split does that on the host."),
        ("lisst", ""),
        ("drain", "here it is 'rxm maintenance on', then migrate --all."),
    ],
)
def test_verbs_of_other_programs_are_answered_with_ours(word: str, said: str) -> None:
    assert said in slips.foreign(word)
    assert bool(slips.foreign(word)) is bool(said)


def test_what_is_answered_with_ours_are_commands() -> None:
    for command in slips.COMMANDS:
        words = command.partition(", ")[0].split()
        _given, rest = options.parse(words)

        assert rest[0] in {*BY_NAME, *OWN, "xm"}, command


def test_each_word_has_one_answer() -> None:
    words = [word for theirs in (*slips.COMMANDS.values(), *slips.ELSEWHERE.values()) for word in theirs.split()]

    assert sorted(words) == sorted(set(words))


def test_no_word_of_others_is_a_verb_of_ours() -> None:
    """It would never be looked for, and what is said of it is out of date."""
    words = {word for theirs in (*slips.COMMANDS.values(), *slips.ELSEWHERE.values()) for word in theirs.split()}

    assert words & {*BY_NAME, *OWN} == set()


def test_a_verb_that_stands_second_is_seen() -> None:
    with pytest.raises(UsageError, match="The verb stands first: rxm pause vm1"):
        slips.resolve("vm1", ["pause"])


# --- empty words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [verb for verb in BY_NAME.values() if verb.options], ids=lambda verb: verb.name)
def test_no_option_takes_an_empty_word_for_its_default(verb: Verb) -> None:
    for option in verb.options:
        if option.kind is not None and option.key not in ("description", "send"):
            with pytest.raises(UsageError, match="has an empty value"):
                arguments.parse(verb, [option.names[-1], ""], several=True)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (verb, [*("1" for _each in verb.arguments[:place]), "", *("1" for _each in verb.arguments[place + 1 :])])
        for verb in BY_NAME.values()
        for place, argument in enumerate(verb.arguments)
        if argument.kind != TEXT
    ],
    ids=lambda value: value.name if isinstance(value, Verb) else "",
)
def test_nor_does_an_argument(verb: Verb, words: list[str]) -> None:
    """FILE is told where it is read, and HOST where it is expanded."""
    if any(argument.kind == HOSTS for argument in verb.arguments):
        with pytest.raises(UsageError, match="names no host"):
            targets.hosts(Options({}), Settings(hosts="a,b"), [""])
        return
    with pytest.raises(UsageError, match=r"is empty|^''"):
        arguments.parse(verb, words, several=True)
