"""Moving a guest between two emulated hosts, at which Xen itself fails now and then.

QEMU's own AMD processor has been seen to let a guest go on in Xen's state (`xl dmesg`: "Triple fault"), and then the
driver of libvirt 9.0 waits for ever, each libvirtd for the other. No more can be asked of xmand there than not to call
it done.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from tests.lab.hosts.daemon import Answer
from tests.xen.conftest import Xen
from xman import outcome

_FAILURES = "cat /var/log/libvirt/libxl/libxl-driver.log 2>/dev/null | grep -cE '(Save|Restore) failed'; true"
_TRIES = 4
_INTERVAL = 5.0
# In which libvirt may find out by itself.
_GRACE_SECONDS = 60.0


def move(xen: Xen, second: Xen, name: str, anew: Callable[[], object], *words: str) -> Answer:
    """Run rxm with `words`, which move the guest; where Xen failed at that, make it `anew` and try again."""
    for _ in range(_TRIES - 1):
        before = _failures(xen, second)
        with ThreadPoolExecutor(1) as pool:
            moving = pool.submit(xen.rxm, *words)
            while not moving.done() and _failures(xen, second) == before:
                time.sleep(_INTERVAL)
            _end(moving, xen, second)
            answer = moving.result()
        if answer.status == outcome.OK or _failures(xen, second) == before:
            return answer
        assert answer.status in (outcome.HYPERVISOR, outcome.UNKNOWN), answer
        for host in (xen.host, second.host):
            host.run(f"systemctl restart libvirtd; xl destroy {name}; virsh -c xen:///system undefine {name}")
        anew()
    return xen.rxm(*words)


def _failures(xen: Xen, second: Xen) -> tuple[str, str]:
    """Return how often either host's Xen has failed at a save or restore."""
    return xen.host.run(_FAILURES).stdout, second.host.run(_FAILURES).stdout


def _end(moving: "Future[Answer]", xen: Xen, second: Xen) -> None:
    """Let it end, if need be by what an administrator would do."""
    wait([moving], timeout=_GRACE_SECONDS)
    for host in (second.host, xen.host):
        if not moving.done():
            host.run("systemctl restart libvirtd")
            wait([moving], timeout=_GRACE_SECONDS)
