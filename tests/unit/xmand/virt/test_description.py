"""The front door for domain descriptions: what is refused, and what comes out of what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xman import values
from xman.errors import UsageError
from xmand.virt.description import parse

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
DOMAIN = "<domain type='test'><name>vm1</name></domain>"


def refused(text: str) -> str:
    """Return why a description is refused."""
    with pytest.raises(UsageError) as caught:
        parse(text)
    return str(caught.value)


# --- what is taken ----------------------------------------------------------------------------------------------------


def test_name_and_uuid_are_found() -> None:
    found = parse(f"<domain><name>vm1</name><uuid>{UUID.upper()}</uuid></domain>")

    assert (found.name, found.uuid) == ("vm1", UUID)


def test_a_uuid_need_not_be_given() -> None:
    assert parse(DOMAIN).uuid == ""


@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0"?>', "<?xml version='1.0' encoding='utf-8'?>\n"])
def test_what_comes_out_is_the_tree_serialised_again(declaration: str) -> None:
    found = parse(
        declaration
        + "<domain   type='test'><name>vm1</name><title>Ä &amp; &#66;</title><on_crash></on_crash></domain >\n"
    )

    assert found.xml == '<domain type="test"><name>vm1</name><title>Ä &amp; B</title><on_crash/></domain>'


def test_comments_and_processing_instructions_are_dropped() -> None:
    found = parse(
        "<?one x?><!-- two --><domain><!-- three --><name>v<!-- four -->m<?five?>1</name></domain><!-- six -->"
    )

    assert found.xml == "<domain><name>vm1</name></domain>"
    assert found.name == "vm1"


def test_cdata_is_text() -> None:
    assert parse("<domain><name><![CDATA[vm1]]></name></domain>").xml == "<domain><name>vm1</name></domain>"


def test_foreign_namespaces_are_kept() -> None:
    text = (
        '<domain xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><name>vm1</name>'
        '<qemu:commandline><qemu:arg value="-snapshot"/></qemu:commandline></domain>'
    )

    assert parse(text).xml == text


def test_names_and_uuids_of_devices_are_not_the_domains() -> None:
    found = parse(f"<domain><devices><name>no</name><uuid>{UUID}</uuid></devices><name>vm1</name></domain>")

    assert (found.name, found.uuid) == ("vm1", "")


# --- entities ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE domain>",
        "<!DOCTYPE domain []>",
        "<!DOCTYPE domain SYSTEM 'domain.dtd'>",
        "<!DOCTYPE domain SYSTEM 'file:///etc/passwd'>",
        "<!DOCTYPE domain PUBLIC '-//X//Y' 'http://192.0.2.1/domain.dtd'>",
        "<!DOCTYPE domain [<!ENTITY x 'y'>]>",
        "<!DOCTYPE domain [<!ENTITY % x SYSTEM 'file:///etc/passwd'> %x;]>",
        "<!DOCTYPE domain [<!ATTLIST domain type CDATA 'kvm'>]>",
    ],
)
def test_a_doctype_is_refused(doctype: str) -> None:
    assert "has a DOCTYPE" in refused(doctype + DOMAIN)


@pytest.mark.parametrize("value", ["'vm1'", "SYSTEM 'file:///etc/hostname'", "SYSTEM 'http://192.0.2.1/'"])
def test_an_entity_is_refused(value: str) -> None:
    assert refused(f"<!DOCTYPE domain [<!ENTITY x {value}>]><domain><name>&x;</name></domain>")


def test_an_entity_that_nobody_defined_is_not_well_formed() -> None:
    assert "is not well-formed XML" in refused("<domain><name>&x;</name></domain>")


def test_a_billion_laughs_are_refused() -> None:
    entities = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))

    assert refused(f"<!DOCTYPE d [<!ENTITY l0 'lol'>{entities}]><domain><name>&l9;</name></domain>")


# --- what cannot be read ----------------------------------------------------------------------------------------------


def test_not_well_formed_names_the_line() -> None:
    why = refused("<domain>\n<name>vm1</name>\n<memory>1</vcpu>\n</domain>")

    assert why.startswith("The description is not well-formed XML: ")
    assert "line 3" in why


@pytest.mark.parametrize(
    "text", ["", " ", "vm1", "<domain>", DOMAIN + DOMAIN, "\0", f"{DOMAIN}\0", "<domain><name>a\0b"]
)
def test_what_is_not_xml(text: str) -> None:
    assert "is not well-formed XML" in refused(text)


@pytest.mark.parametrize("encoding", ["UTF-7", "ISO-8859-1"])
def test_another_encoding_is_refused(encoding: str) -> None:
    why = refused(f'<?xml version="1.0" encoding="{encoding}"?><domain><name>+AGE-</name></domain>')

    assert why == f"The description says it is {encoding}; only UTF-8 is accepted."


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-16LE", "UCS-4", "UTF-32", "EBCDIC-CP-US", "nosuch"])
def test_an_encoding_that_it_cannot_be_in_is_refused(encoding: str) -> None:
    assert refused(f'<?xml version="1.0" encoding="{encoding}"?>{DOMAIN}')


def test_a_depth_that_only_an_attacker_needs_is_refused() -> None:
    assert "is not well-formed XML" in refused("<domain>" + "<a>" * 300 + "</a>" * 300 + "<name>vm1</name></domain>")


# --- what is no domain ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("<network><name>vm1</name></network>", "network"),
        ("<Domain><name>vm1</name></Domain>", "Domain"),
        ("<domainsnapshot><domain><name>vm1</name></domain></domainsnapshot>", "domainsnapshot"),
        ("<domain xmlns='urn:x'><name>vm1</name></domain>", "{urn:x}domain"),
    ],
)
def test_a_wrong_root_is_named(text: str, root: str) -> None:
    assert refused(text) == f"The description's root is <{root}>, not <domain>."


@pytest.mark.parametrize(
    "name",
    [
        "",
        "<name/>",
        "<name></name>",
        "<name>12</name>",
        "<name>a b</name>",
        "<name>a/b</name>",
        "<name>../x</name>",
        "<name>ä</name>",
        f"<name>{'x' * 65}</name>",
        f"<name>{UUID}</name>",
        "<Name>vm1</Name>",
    ],
)
def test_a_name_that_no_new_domain_may_have_is_refused(name: str) -> None:
    assert "is not a valid name for a new domain" in refused(f"<domain>{name}</domain>")


@pytest.mark.parametrize("name", [" vm1", "vm1 ", "\nvm1\n", "vm1<x/>/2", "<x/>", "v<x>m</x>/1"])
def test_a_name_is_judged_as_libvirt_will_read_it(name: str) -> None:
    """libvirt takes all the text within, blanks as well: `string(./name[1])`."""
    assert "is not a valid name for a new domain" in refused(f"<domain><name>{name}</name></domain>")


def test_text_within_elements_of_the_name_counts_as_with_libvirt() -> None:
    assert parse("<domain><name>v<x>m</x>1</name></domain>").name == "vm1"


@pytest.mark.parametrize("uuid", ["x", UUID[:-1], UUID.replace("-", ""), f"{UUID} {UUID}", f"{UUID}<x/>0"])
def test_a_bad_uuid_is_refused(uuid: str) -> None:
    assert "is not a UUID" in refused(f"<domain><name>vm1</name><uuid>{uuid}</uuid></domain>")


# --- anything at all --------------------------------------------------------------------------------------------------

fragments = st.sampled_from(
    [
        "<domain>",
        "</domain>",
        "<name>",
        "</name>",
        "vm1",
        "<uuid>",
        UUID,
        "</uuid>",
        "<a b='c'/>",
        "<!--",
        "-->",
        "<?",
        "?>",
        "<![CDATA[",
        "]]>",
        "&amp;",
        "&#0;",
        "&x;",
        "<!DOCTYPE domain>",
        "\0",
        "\ud800",
        "\ufeff",
        "ä",
        " ",
        "<?xml version='1.0' encoding='UTF-7'?>",
    ]
)


@given(
    st.one_of(
        st.text(), st.lists(fragments, max_size=12).map("".join), st.text().map(lambda t: f"<domain>{t}</domain>")
    )
)
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except UsageError:
        return

    values.check_new_name(found.name)
    again = etree.fromstring(found.xml)
    assert again.xpath("string(name)") == found.name
    assert parse(found.xml).xml == found.xml


@given(st.lists(fragments, max_size=8).map("".join))
def test_whatever_surrounds_the_name_what_comes_out_reads_the_same_again(inner: str) -> None:
    try:
        found = parse(f"<domain><name>vm1</name>{inner}</domain>")
    except UsageError:
        return

    assert parse(found.xml).xml == found.xml


def test_a_domain_that_is_known_keeps_a_name_that_no_new_one_gets() -> None:
    text = "<domain><name>Win 10</name></domain>"

    with pytest.raises(UsageError):
        parse(text)
    assert parse(text, known=True).name == "Win 10"
