"""Virtual CPUs (`xmand.virt.vcpus`) of domains that end while they are looked at."""

from typing import Any

import pytest

from xman.errors import HypervisorError, NoSuchDomainError
from xmand.virt import vcpus
from xmand.virt.domain import Domain

DOMAIN = "<domain type='test'><name>{name}</name><memory>65536</memory><vcpu>3</vcpu><os><type>hvm</type></os></domain>"


class Ending:
    """A domain that ends between the question whether it runs and the next one."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def vcpus(self) -> Any:
        """End it, and ask."""
        self._raw.destroy()
        return self._raw.vcpus()


class Failing(Ending):
    """A domain that runs, of which libvirt does not say where its virtual CPUs are."""

    def vcpus(self) -> Any:
        """Ask for what is not there, for an error of libvirt's."""
        self._raw.pinVcpu(99, (True,))


def test_one_that_has_just_ended_is_off(connection: Any) -> None:
    defined = connection.defineXML(DOMAIN.format(name="has-ended"))
    off = vcpus.each(Domain(defined))
    defined.create()

    found = vcpus.each(Domain(Ending(defined)))

    assert found == off
    assert [one["number"] for one in off] == [0, 1, 2]


def test_a_transient_one_that_has_just_ended_is_gone(connection: Any) -> None:
    with pytest.raises(NoSuchDomainError):
        vcpus.each(Domain(Ending(connection.createXML(DOMAIN.format(name="has-gone")))))


def test_what_fails_of_one_that_runs_is_told(connection: Any) -> None:
    raw = connection.createXML(DOMAIN.format(name="goes-on"))
    with pytest.raises(HypervisorError):
        vcpus.each(Domain(Failing(raw)))
