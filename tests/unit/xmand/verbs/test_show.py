"""info and dmesg (`xmand.verbs.show`): where they come from on Xen, and where elsewhere."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.host_standin import host_of
from xman import arguments, verbs
from xman.errors import HypervisorError
from xman.result import Result
from xmand.audit.message_buffer import Ring
from xmand.authorize import Access
from xmand.system import xl
from xmand.verbs import show
from xmand.verbs.call import Call
from xmand.virt import host

FACTS = {"host": "skirit80", "hypervisor_version": "4.17.0"}


class Bench:
    """A host whose hypervisor the test chooses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hypervisor: str) -> None:
        facts = FACTS | {"hypervisor": hypervisor}
        monkeypatch.setattr(host, "info", lambda _connection: facts)
        monkeypatch.setattr(host, "versions", lambda _connection: facts)
        monkeypatch.setattr(Call, "reader", None)
        self.ring = Ring()
        self.ring.add("ours")

    def run(self, handler: Callable[[Call], Result], *words: str) -> Result:
        """Run `info` or `dmesg`."""
        parsed = arguments.parse(verbs.BY_NAME[handler.__name__], list(words))
        shared = host_of(None, ring=self.ring)
        return handler(Call(shared, "alice@R", Access(frozenset()), parsed, 0.0, lambda _text: None))


def fails(**_options: bool) -> Any:
    """An xl that cannot be asked."""
    raise HypervisorError("xl failed.")


def test_dmesg_of_xen_is_its_own_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xl, "dmesg", lambda *, clear: [f"(XEN) one, {clear}"])
    bench = Bench(monkeypatch, "Xen")

    done = bench.run(show.dmesg, "-c")

    assert done.data == {"source": f"Xen message buffer of {socket.gethostname()}", "lines": ["(XEN) one, True"]}
    assert done.changed
    assert len(bench.ring.lines()) == 1  # ours is not Xen's


def test_dmesg_of_xen_says_when_it_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xl, "dmesg", fails)

    with pytest.raises(HypervisorError, match="xl failed"):
        Bench(monkeypatch, "Xen").run(show.dmesg)


def test_dmesg_elsewhere_is_our_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xl, "dmesg", lambda **_: pytest.fail("xl was asked"))
    bench = Bench(monkeypatch, "QEMU")

    done = bench.run(show.dmesg, "-c")

    assert done.data["source"] == f"xmand message ring on {socket.gethostname()} (driver QEMU)"
    assert [line.split("] ")[1] for line in done.data["lines"]] == ["ours"]
    assert bench.ring.lines() == []


def test_info_of_xen_has_what_xl_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xl, "info", lambda: {"xen_caps": "xen-3.0-x86_64"})

    done = Bench(monkeypatch, "Xen").run(show.info)

    assert (done.data["host"], done.data["xen_caps"], done.notes) == ("skirit80", "xen-3.0-x86_64", ())


def test_info_of_xen_without_xl_has_the_rest_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xl, "info", fails)

    done = Bench(monkeypatch, "Xen").run(show.info)

    assert (done.data["host"], done.notes) == ("skirit80", ("xl failed.",))
    assert not set(xl.INFO_FIELDS) & set(done.data)


def test_info_elsewhere_asks_no_xl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xl, "info", lambda: pytest.fail("xl was asked"))

    assert Bench(monkeypatch, "QEMU").run(show.info).data["hypervisor"] == "QEMU"
