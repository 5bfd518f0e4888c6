"""The metadata element in libvirt's own test driver: running, off, transient; kept and not kept."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import for_test_driver
from xman.errors import MetadataError
from xman.metadata import NAMESPACE, Job, Metadata
from xmand.virt import description, driver, metadata
from xmand.virt.domain import Domain

START = 1795255200
LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG


@pytest.fixture
def connection() -> Iterator[Any]:
    """The test driver; its domains are those of the whole process."""
    host = driver.Driver("test:///default", lambda _line: None)
    made = host.connection(driver.CHANGE)
    yield made
    for raw in made.listAllDomains(0):
        if raw.name() == "meta":
            active, persistent = raw.isActive(), raw.isPersistent()
            if active:
                raw.destroy()
            if persistent:
                raw.undefine()
    host.close()


def of_next_run(domain: Domain) -> str:
    """Return the element that libvirt keeps for the next start."""
    return str(domain.raw.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, CONFIG))


def stamp(found: Metadata) -> Metadata:
    """Change an element."""
    return replace(found, started=START, jobs=(*found.jobs, Job("4711", "alice@R", start=START)))


def test_a_domain_without_the_element_has_an_empty_one(connection: Any) -> None:
    domain = Domain(connection.createXML(for_test_driver("meta"), 0))

    assert metadata.read(domain) == Metadata()


def test_a_transient_domain_has_it_while_it_runs(connection: Any) -> None:
    domain = Domain(connection.createXML(for_test_driver("meta"), 0))

    metadata.update(domain, stamp)

    assert metadata.read(domain) == stamp(Metadata())
    assert f'<xman:domain xmlns:xman="{NAMESPACE}" started="2026-11-21T10:00:00Z"' in domain.description()


def test_what_is_about_the_run_is_not_kept_for_the_next(connection: Any) -> None:
    domain = Domain(connection.defineXML(for_test_driver("meta")))
    domain.start()

    metadata.update(domain, stamp)
    assert metadata.read(domain).started == START
    domain.destroy()

    assert metadata.read(domain) == stamp(Metadata()).for_next_run()


def test_a_domain_that_is_off_has_it_for_its_next_start(connection: Any) -> None:
    domain = Domain(connection.defineXML(for_test_driver("meta")))

    written = metadata.update(domain, stamp)
    domain.start()

    assert written == stamp(Metadata()).for_next_run()
    assert metadata.read(domain) == written


def test_an_empty_one_is_taken_away(connection: Any) -> None:
    domain = Domain(connection.defineXML(for_test_driver("meta")))
    metadata.update(domain, stamp)

    metadata.update(domain, lambda _found: Metadata())

    with pytest.raises(libvirt.libvirtError):
        of_next_run(domain)


def test_what_a_later_release_wrote_survives_a_change(connection: Any) -> None:
    domain = Domain(connection.defineXML(for_test_driver("meta")))
    domain.raw.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT,
        '<domain colour="blue"><limit memory="1"/></domain>',
        "xman",
        NAMESPACE,
        CONFIG,
    )

    metadata.update(domain, stamp)

    assert 'colour="blue"' in of_next_run(domain)
    assert '<limit memory="1"/>' in of_next_run(domain)


def test_a_damaged_one_is_refused_with_the_way_to_mend_it_and_stays(connection: Any) -> None:
    domain = Domain(connection.defineXML(for_test_driver("meta")))
    domain.raw.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT, '<domain started="long ago"/>', "xman", NAMESPACE, CONFIG
    )

    with pytest.raises(MetadataError) as caught:
        metadata.update(domain, stamp)

    assert "virsh metadata meta urn:xman:1 --remove" in str(caught.value)
    assert of_next_run(domain) == '<domain started="long ago"/>'


def test_a_description_from_elsewhere_comes_without_it(connection: Any) -> None:
    domain = Domain(connection.createXML(for_test_driver("meta"), 0))
    metadata.update(domain, stamp)

    taken = description.parse(domain.description())

    assert NAMESPACE not in taken.xml
    assert "<metadata>" in taken.xml
