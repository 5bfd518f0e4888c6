"""Sizes that a domain has already (`xmand.verbs.tune`)."""

import contextlib
from collections.abc import Iterator
from typing import Any

import libvirt
import pytest

from xman.values import MIB
from xmand.verbs import tune
from xmand.virt.domain import KIB


class Call:
    """A stand-in for a call of mem-set, and for its domain, which has `current` octets and may have 160 MiB."""

    def __init__(self, current: int, wanted: int) -> None:
        self.name = "vm1"
        self.set_to: list[int] = []
        self._current = current
        self._wanted = wanted
        self.parsed = self.raw = self

    def number(self, _name: str) -> int:
        return self._wanted

    @contextlib.contextmanager
    def changing(self) -> "Iterator[Call]":
        yield self

    def memory(self) -> tuple[int, int]:
        return self._current, 160 * MIB

    def active(self) -> bool:
        return True

    def numbers(self) -> tuple[int, int]:
        return libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED

    def persistent(self) -> bool:
        return False

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        yield

    def setMemoryFlags(self, kib: int, _scope: int) -> None:  # noqa: N802
        self._current = kib * KIB
        self.set_to.append(self._current)


@pytest.mark.parametrize("current", [128 * MIB, 128 * MIB + 64 * 1024], ids=["QEMU", "Xen's PVH"])
def test_what_it_has_already_is_not_set_again(current: int) -> None:
    call: Any = Call(current, 128 * MIB)

    result = tune.mem_set(call)

    assert (result.changed, call.set_to) == (False, [])
    assert result.notes == ("Domain 'vm1' already has 128 MiB.",)


@pytest.mark.parametrize("current", [127 * MIB, 128 * MIB - 1, 129 * MIB], ids=["less", "an octet less", "more"])
def test_everything_else_is_set(current: int) -> None:
    call: Any = Call(current, 128 * MIB)

    result = tune.mem_set(call)

    assert (result.changed, call.set_to) == (True, [128 * MIB])


@pytest.mark.parametrize(
    ("most", "floor"),
    [(128, 64), (192, 96), (320, 160), (512, 160), (2048, 160), (4096, 256), (65536, 4096)],
)
def test_the_floor_is_a_fixed_part_and_one_that_grows(most: int, floor: int) -> None:
    assert tune.least(most * MIB) == floor * MIB
