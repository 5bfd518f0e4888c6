"""A domain's metadata and size out of its description (`xmand.virt.described`): what libvirt's calls say as well."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import for_test_driver
from xman.errors import MetadataError
from xman.metadata import NAMESPACE, Job
from xmand.virt import description, metadata
from xmand.virt.described import Descriptions
from xmand.virt.domain import Domain, find
from xmand.virt.driver import CHANGE, QEMU, XEN, Driver


@pytest.fixture
def domain(tmp_path: Any) -> Iterator[Domain]:
    description = for_test_driver("d").replace("<vcpu>2</vcpu>", "<vcpu current='1'>3</vcpu>")
    (tmp_path / "host.xml").write_text(f"<node>{description}</node>")
    driver = Driver(f"test://{tmp_path}/host.xml", lambda _line: None)
    yield find(driver.connection(CHANGE), "d")
    driver.close()


def test_it_says_what_the_calls_say(domain: Domain) -> None:
    metadata.update(domain, lambda found: replace(found, jobs=(Job("1", "a@R", cpus=2),), labels=(("k", "a<&\u00e9"),)))

    assert Descriptions().of(domain, QEMU) == Descriptions().of(domain, XEN)


def test_a_change_is_seen_at_the_next_look_and_nothing_is_read_twice(
    domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    real = description.read_xml

    def read_xml(text: str) -> Any:
        reads.append(text)
        return real(text)

    monkeypatch.setattr(description, "read_xml", read_xml)
    descriptions = Descriptions()

    first = [descriptions.of(domain, QEMU) for _ in range(3)]
    count = len(reads)
    domain.raw.setMemoryFlags(1024 * 77, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    changed = descriptions.of(domain, QEMU)

    assert count == 1
    assert first[0] is first[2]
    assert changed.memory[0] == 77 * 1024 * 1024
    descriptions.forget_but(())
    assert not descriptions._known


def test_a_libvirt_that_might_wait_for_a_description_is_asked_by_calls(
    domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Descriptions().of(domain, QEMU)
    monkeypatch.setattr(Domain, "description", lambda _self: pytest.fail("it was described"))

    assert Descriptions().of(domain, QEMU, 11_003_000) == wanted


def test_what_somebody_spoilt_is_said_each_time(domain: Domain) -> None:
    domain.raw.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<domain><job/></domain>", "xman", NAMESPACE, 0)
    descriptions = Descriptions()

    for _ in range(2):
        with pytest.raises(MetadataError, match="damaged"):
            descriptions.of(domain, QEMU)


def test_what_is_not_as_libvirt_writes_it_is_asked_for_by_calls(
    domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Descriptions().of(domain, XEN)
    for odd in ("<domain>", "<domain/>", "<domain><memory>much</memory></domain>", "<domain>\x01</domain>"):
        monkeypatch.setattr(Domain, "description", lambda _self, text=odd: text)

        assert Descriptions().of(domain, QEMU) == wanted
