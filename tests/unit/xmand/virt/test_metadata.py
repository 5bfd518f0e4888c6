"""What is kept in a domain's metadata: read, written, kept where it is not known, refused where it is damaged."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xman.errors import MetadataError
from xman.metadata import Instance, Job, Metadata, Origin
from xmand.virt.metadata import parse, serialise

# 2026-11-21T10:00:00Z
START = 1795255200
WRITTEN = (
    '<domain started="2026-11-21T10:00:00Z" paused_by="alice@R" transient="no" priority="normal">'
    '<job id="4711" owner="alice@R" cpus="4" preemptible="yes" start="2026-11-21T10:00:00Z" preempted="17"/>'
    "</domain>"
)
FULL = Metadata(
    started=START,
    paused_by="alice@R",
    jobs=(Job("4711", "alice@R", cpus=4, preemptible=True, start=START, preempted=17),),
)


def refused(text: str) -> str:
    """Return why an element is refused."""
    with pytest.raises(MetadataError) as caught:
        parse(text)
    return str(caught.value)


def test_it_is_written_as_the_design_has_it() -> None:
    assert serialise(FULL) == WRITTEN


def test_it_is_read() -> None:
    assert parse(WRITTEN) == FULL


def test_it_is_read_with_its_prefix_as_a_description_has_it() -> None:
    text = '<xman:domain xmlns:xman="urn:xman:1" priority="high">\n <!-- a -->\n <xman:job id="1"/>\n</xman:domain>'

    assert parse(text) == Metadata(priority="high", jobs=(Job("1"),))


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            Metadata(profile=True, labs=("economy", "stats"), administrator="alice@R"),
            'profile="yes" labs="economy stats" administrator="alice@R"',
        ),
        (Metadata(origin=Origin("u", True, "pool")), 'from="u" discard="yes" overlays="pool"'),
        (Metadata(origin=Origin("u", False, "pool")), 'from="u" discard="no" overlays="pool"'),
    ],
)
def test_a_profile_and_its_clients_are_written_as_the_manual_has_it(found: Metadata, text: str) -> None:
    assert text in serialise(found)
    assert parse(serialise(found)) == found
    assert found.for_next_run() == replace(found, administrator="")


def test_an_empty_element_is_as_good_as_none() -> None:
    assert parse("<domain/>") == Metadata()


def test_what_outlives_a_run_has_the_jobs_but_not_the_start() -> None:
    assert FULL.for_next_run() == replace(FULL, started=None, paused_by="")


def test_what_a_later_release_wrote_is_kept() -> None:
    text = (
        '<domain transient="no" priority="normal" colour="blue"><job id="1" preemptible="no" preempted="0" '
        'nice="5"><task n="1">x</task></job><limit memory="1"><soft/></limit></domain>'
    )

    assert serialise(parse(text)) == text


def test_foreign_namespaces_are_kept() -> None:
    text = '<domain transient="no" priority="normal"><z:note xmlns:z="urn:z" a="1"/></domain>'

    assert serialise(parse(text)) == text


def test_the_prefix_of_a_later_releases_children_is_left_to_libvirt() -> None:
    text = '<xman:domain xmlns:xman="urn:xman:1"><xman:limit><xman:soft/></xman:limit></xman:domain>'

    assert parse(text).other_children == ("<limit><soft/></limit>",)


@pytest.mark.parametrize(
    "text",
    [
        '<domain started="yesterday"/>',
        '<domain started="2026-11-21T10:00:00"/>',
        '<domain started=""/>',
        '<domain started="2026-11-21T10:00:60Z"/>',
        '<domain started="2026-11-21T10:00: 0Z"/>',
        '<domain started="٢٠٢٦-11-21T10:00:00Z"/>',
        '<domain transient="maybe"/>',
        '<domain paused_by="a&#10;b"/>',
        '<domain paused_by="&#x202e;"/>',
        "<domain><job/></domain>",
        '<domain><job id=""/></domain>',
        '<domain><job id="1" cpus="-1"/></domain>',
        '<domain><job id="1" cpus="²"/></domain>',
        '<domain><job id="1" cpus="99999999999"/></domain>',
        '<domain><job id="1" preemptible="true"/></domain>',
        '<domain><job id="1" preempted=""/></domain>',
        "<job/>",
        '<domain xmlns="urn:other"/>',
        "<domain",
        "",
        "domain",
        '<!DOCTYPE domain [<!ENTITY e "x">]><domain priority="&e;"/>',
    ],
)
def test_what_is_damaged_is_refused(text: str) -> None:
    assert refused(text)


def test_the_reason_names_the_attribute() -> None:
    assert refused('<domain><job id="1" cpus="many"/></domain>') == "cpus='many' cannot be read"


@pytest.mark.parametrize("word", ["a\nb", "\0", "\ud800", "x" * 1025])
def test_what_could_not_be_read_again_is_not_written(word: str) -> None:
    with pytest.raises(MetadataError):
        serialise(Metadata(jobs=(Job(word),)))


WORDS = st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" "), max_size=12)
NAMES = st.text(st.sampled_from("abcdef"), min_size=7, max_size=12)
TIMES = st.none() | st.integers(0, 2**33)
OTHERS = st.dictionaries(NAMES, WORDS, max_size=2).map(lambda found: tuple(found.items()))
CHILDREN = st.lists(NAMES.map(lambda name: f'<{name} a="1">x</{name}>'), max_size=2).map(tuple)
JOBS = st.builds(
    Job,
    id=WORDS.filter(bool),
    owner=WORDS,
    cpus=st.integers(0, 10**9),
    preemptible=st.booleans(),
    start=TIMES,
    began=TIMES,
    preempted=st.integers(0, 10**9),
    other_attributes=OTHERS,
    other_children=CHILDREN,
)
METADATA = st.builds(
    Metadata,
    started=TIMES,
    paused_by=WORDS,
    transient=st.booleans(),
    priority=WORDS.filter(bool),
    preempted_since=TIMES,
    held=st.booleans(),
    put_away=st.booleans(),
    jobs=st.lists(JOBS, max_size=3).map(tuple),
    other_attributes=OTHERS,
    other_children=CHILDREN,
)


@given(METADATA)
def test_whatever_is_written_is_read_again(metadata: Metadata) -> None:
    assert parse(serialise(metadata)) == metadata


def test_an_instance_is_written_and_read_again_and_outlives_a_run() -> None:
    instance = Instance(
        "i-1", "alice@R", "debian", "images", memory=1 << 40, vcpus=2, disk=1 << 45, launched=START, until=START + 60
    )
    found = Metadata(started=START, instance=instance)

    assert parse(serialise(found)) == found
    assert found.for_next_run().instance == instance


@pytest.mark.parametrize(
    "text",
    [
        "<domain><instance/></domain>",
        '<domain><instance id="i-1"/><instance id="i-2"/></domain>',
        '<domain><instance id="i-1" memory="-1"/></domain>',
        '<domain><instance id="i-1" until="soon"/></domain>',
    ],
)
def test_an_instance_that_cannot_be_read_is_refused(text: str) -> None:
    assert refused(text)


def test_the_terminal_that_has_a_run_is_forgotten_with_it() -> None:
    found = parse('<domain terminal="term1" given="term2"/>')

    assert (found.terminal, found.given) == ("term1", "term2")
    assert parse(serialise(found)) == found
    assert (found.for_next_run().terminal, found.for_next_run().given) == ("term1", "")


def test_labels_are_written_by_key_and_read_again() -> None:
    text = serialise(Metadata(labels=(("course", "os1"), ("note", ""))))

    assert '<label key="course" value="os1"/><label key="note" value=""/>' in text
    assert parse(text).labels == (("course", "os1"), ("note", ""))


@pytest.mark.parametrize(
    "label",
    [
        '<label key="a b" value="x"/>',
        '<label key="a" value="two words"/>',
        '<label value="x"/>',
        '<label key="a" value="x" since="2030"/>',
        '<label key="a" value="x"><more/></label>',
    ],
)
def test_a_label_that_is_none_of_ours_is_kept_and_not_shown(label: str) -> None:
    found = parse(f"<domain>{label}</domain>")

    assert found.labels == ()
    assert label in serialise(found)


def test_the_same_key_twice_is_kept_as_it_was() -> None:
    found = parse('<domain><label key="a" value="1"/><label key="a" value="2"/></domain>')

    assert found.labels == (("a", "1"),)
    assert parse(serialise(found)) == found
