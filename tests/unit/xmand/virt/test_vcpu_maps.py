"""Sets of CPUs by libvirt's C library (`xmand.virt.vcpu_maps`), held against what its Python binding says."""

from collections.abc import Iterator
from typing import Any

import libvirt
import pytest

from xman.errors import UnsupportedError
from xmand.virt import vcpu_maps, vcpus
from xmand.virt.domain import Domain

HOST = 16  # the test driver's
DOMAIN = "<domain type='test'><name>{name}</name><memory>65536</memory><vcpu>3</vcpu><os><type>hvm</type></os></domain>"


@pytest.fixture
def raw() -> Iterator[Any]:
    """A running domain of the test driver's."""
    connection = libvirt.open("test:///default")
    made = connection.createXML(DOMAIN.format(name="maps"))
    yield made
    made.destroy()
    connection.close()


def test_what_is_pinned_by_one_is_told_by_both(raw: Any) -> None:
    first, second = (True, *(False,) * (HOST - 1)), (False, True, True, *(False,) * (HOST - 3))
    vcpu_maps.pin(raw, 0, first, 0)
    raw.pinVcpu(1, second)

    infos, maps = vcpu_maps.now(raw, 3, HOST)

    assert maps == [first, second, (True,) * HOST]
    # This driver tells the binding of fewer CPUs than it takes.
    assert [one[: len(theirs)] for one, theirs in zip(maps, raw.vcpus()[1], strict=True)] == raw.vcpus()[1]
    assert [info[:2] + info[3:] for info in infos] == [info[:2] + info[3:] for info in raw.vcpus()[0]]


def test_an_error_of_libvirts_is_raised_as_its_own(raw: Any) -> None:
    with pytest.raises(libvirt.libvirtError) as caught:
        vcpu_maps.pin(raw, 99, (True,) * HOST, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    assert caught.value.get_error_code() == libvirt.VIR_ERR_INVALID_ARG


class WithoutMap:
    """A domain on a driver that has no virNodeGetCPUMap, as Xen's: the binding fails before it asks anything."""

    def __init__(self, raw: Any, words: str) -> None:
        self._raw, self._words = raw, words

    def __getattr__(self, name: str) -> Any:
        if name in ("vcpus", "vcpuPinInfo", "pinVcpuFlags"):
            return self._fail
        return getattr(self._raw, name)

    def _fail(self, *_words: object) -> None:
        try:
            self._raw.connect().lookupByName("nosuch")
        except libvirt.libvirtError as error:
            error.err = (libvirt.VIR_ERR_NO_SUPPORT, *error.err[1:2], self._words, *error.err[3:])
            error.args = (self._words,)
            raise


def test_where_the_binding_cannot_ask_the_library_does(raw: Any) -> None:
    domain = Domain(WithoutMap(raw, "this function is not supported by the connection driver: virNodeGetCPUMap"))

    vcpus.pin(domain, [2], {5})

    assert [one["affinity"] for one in vcpus.each(domain)] == [list(range(HOST)), list(range(HOST)), [5]]


def test_what_a_driver_has_not_at_all_stays_unsupported(raw: Any) -> None:
    domain = Domain(WithoutMap(raw, "this function is not supported by the connection driver: virDomainGetVcpus"))

    with pytest.raises(UnsupportedError, match="virDomainGetVcpus"):
        vcpus.each(domain)
