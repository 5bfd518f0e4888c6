"""What a new description may replace, and the former one back, against libvirt's test driver in this process."""

from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import for_test_driver
from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError
from xmand.virt import definition, description, lifecycle
from xmand.virt.domain import Domain, define

NAME = "vm1"


@pytest.fixture
def domain(connection: Any) -> Domain:
    """A domain that is off, with a password on its screen."""
    screen = "</os><devices><graphics type='vnc' passwd='s3cret'/></devices>"
    return define(connection, NAME, for_test_driver(NAME).replace("</os>", screen))


def everything(domain: Domain) -> str:
    """Return what libvirt keeps of it, passwords as well."""
    return str(domain.raw.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE))


def other(domain: Domain) -> description.Description:
    """Return another description of it."""
    return description.with_uuid(description.parse(for_test_driver(NAME, memory_mib=64)), domain.uuid)


def test_one_with_snapshots_is_left_alone(connection: Any, domain: Domain) -> None:
    domain.raw.snapshotCreateXML("<domainsnapshot><name>first</name></domainsnapshot>", 0)

    with pytest.raises(RefusedError, match="has snapshots"):
        definition.former(connection, domain)


def test_what_no_description_says_stays_as_it_was(connection: Any, domain: Domain) -> None:
    lifecycle.set_autostart(domain, True)
    before = definition.former(connection, domain)

    after = definition.defined(connection, other(domain), before, autostart=False)

    assert after.memory()[1] == 64 << 20
    assert lifecycle.autostart(after)


def test_an_error_brings_it_back(connection: Any, domain: Domain) -> None:
    text = everything(domain)
    before = definition.former(connection, domain)
    after = definition.defined(connection, other(domain), before, autostart=True)

    error = definition.undone(after, before, HypervisorError("no"))

    assert str(error) == "no"
    assert "s3cret" in text
    assert everything(domain) == text
    assert not lifecycle.autostart(domain)


def test_what_was_not_there_is_gone(connection: Any) -> None:
    made = definition.defined(connection, description.parse(for_test_driver("new")), None, autostart=False)

    definition.undone(made, None, HypervisorError("no"))

    assert "new" not in [raw.name() for raw in connection.listAllDomains(0)]


def test_what_runs_after_all_is_left_running(connection: Any, domain: Domain) -> None:
    before = definition.former(connection, domain)
    after = definition.defined(connection, other(domain), before, autostart=False)
    after.start()

    error = definition.undone(after, before, HypervisorError("no"))

    assert str(error) == "no; 'vm1' runs nevertheless."
    assert after.active()


def test_where_nobody_knows_whether_it_runs_nothing_is_touched(connection: Any, domain: Domain) -> None:
    before = definition.former(connection, domain)
    after = definition.defined(connection, other(domain), before, autostart=False)

    definition.undone(after, before, UnknownOutcomeError("lost"))

    assert after.memory()[1] == 64 << 20


def test_a_failure_to_bring_it_back_is_said(connection: Any, domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    before = definition.former(connection, domain)

    def fail() -> None:
        raise HypervisorError("the disk is full")

    monkeypatch.setattr(before, "put_back", fail)

    error = definition.undone(domain, before, RefusedError("no"))

    assert isinstance(error, RefusedError)
    assert str(error) == "no; 'vm1' stays as it was defined last: the disk is full"


@pytest.mark.parametrize(
    "text", [for_test_driver(NAME), for_test_driver(NAME).replace("</name>", "</name><uuid></uuid>")]
)
def test_a_uuid_is_put_in(text: str) -> None:
    uuid = "11111111-2222-3333-4444-555555555555"

    found = description.with_uuid(description.parse(text), uuid)

    assert found.uuid == uuid
    assert found.xml.count(f"<uuid>{uuid}</uuid>") == 1
    assert description.parse(found.xml).uuid == uuid
