"""A monitor inside a monitor: a guest that is a host itself, with an xmand, a libvirtd and a guest of its own.

Run by `make test-boot`. The guest is a container of the first host's, the one in it QEMU's; one rxm asks both levels.
"""

import itertools
import os
import shutil
from collections.abc import Iterator

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_lxc import URI, why_no_containers
from tests.lab.hosts.daemon import Answer, Daemon, run_rxm
from tests.lab.hosts.hypervisor import Host
from tests.lab.process import ROOT, children_of, wait_for

# Of both xmands: rxm asks hosts at one port.
_PORT = 4396
# What is tried once more has a directory of its own.
_NUMBERS = itertools.count(1)
_CONTAINER = """\
<domain type='lxc'><name>inner</name><memory unit='MiB'>1024</memory>
  <os><type>exe</type><init>/bin/bash</init>
    <initarg>-c</initarg><initarg>"$@" &amp; wait</initarg><initarg>init</initarg>
    <initarg>{script}</initarg><initarg>{directory}</initarg><initarg>{name}</initarg><initarg>{address}</initarg>
    <initenv name='PATH'>{path}</initenv></os>
  <devices><console type='pty'/></devices></domain>
"""


class Inner(Host):
    """The host in a container that the first one's xmand makes."""

    # Its processes as well, so that all of them end with it.
    namespaces = ("-m", "-n", "-u", "-i", "-p")

    def __init__(self, lab: Lab, outer: Daemon) -> None:
        self._lab, self._outer = lab, outer
        super().__init__(
            lab.realm, lab.first.directory.parent / f"inner-{next(_NUMBERS)}", "inner.xman.test", "127.0.0.21"
        )

    def _hold_namespaces(self) -> int:
        script = ROOT / "tests" / "lab" / "hosts" / "host.sh"
        described = _CONTAINER.format(
            script=script, directory=self.directory, name=self.name, address=self.address, path=os.environ["PATH"]
        )
        made = self._outer.rxm(self._lab.alice, "create", "--transient", "-", stdin=described)
        assert made.status == 0, made
        found = self._outer.rxm(self._lab.alice, "-j", "list", "inner").json()["result"]["domains"]
        controller: int = found[0]["id"]
        # The first process waits for all that is left to it: libvirtd waits until a QEMU that it has killed is no more.
        wait_for(lambda: bool(_below(controller)), 30, "the inner host's script")
        return _below(controller)[0]


def _below(controller: int) -> list[int]:
    """Return what the first process of a container has started."""
    return [child for first in children_of(controller) for child in children_of(first)]


class Nested:
    """Both levels."""

    def __init__(self, lab: Lab, outer: Daemon, inner: Daemon) -> None:
        self._lab, self.outer, self.inner = lab, outer, inner

    def both(self, *words: str) -> Answer:
        """Run rxm, as alice, beside the first host, and let it ask both."""
        hosts = "hv1.xman.test,inner.xman.test"
        return run_rxm(self._lab.alice, "-p", str(_PORT), "-H", hosts, *words, prefix=self.outer.prefix)


@pytest.fixture
def nested(lab: Lab) -> Iterator[Nested]:
    """An xmand for the first host's containers, and one in such a container, for what QEMU runs there."""
    if reason := why_no_containers():
        pytest.skip(reason)
    admins = ("alice@XMAN.TEST",)
    outer = lab.first.xmand(lab.realm, admins=admins, uri=URI, port=_PORT)
    try:
        host = Inner(lab, outer)
        # QEMU has the container's few devices as they are: nobody in it may make others.
        wait_for((host.directory / "sasl2" / "libvirt.conf").exists, 30, "the inner host's files")
        with (host.directory / "etc" / "qemu.conf").open("a") as settings:
            settings.write("namespaces = [ ]\n")
        # What the first host's libvirtd has found out of QEMU.
        shutil.copytree(lab.first.directory / "cache", host.directory / "cache", dirs_exist_ok=True)
        host.start()
        inner = host.xmand(lab.realm, admins=admins, port=_PORT)
        made = inner.rxm(lab.alice, "create", "-", stdin=lab.guest("within").empty_description())
        assert made.status == 0, made
        yield Nested(lab, outer, inner)
        outer.rxm(lab.alice, "destroy", "inner")
        for process in (host.libvirtd, inner.process):
            assert process is not None
            process.wait(30)
        inner.syslog.close()
        assert "Traceback" not in inner.stderr()
    finally:
        outer.rxm(lab.alice, "destroy", "inner")
        assert outer.stop() == 0
    assert "Traceback" not in outer.stderr()


def states(answer: Answer) -> dict[str, dict[str, str]]:
    """Return the states of the domains of each host that answered."""
    return {each["host"]: {row["name"]: row["state"] for row in each["result"]["domains"]} for each in answer.objects()}


def test_one_rxm_sees_and_changes_both_levels_until_the_outer_ends(nested: Nested, lab: Lab) -> None:
    found = states(nested.both("-j", "list"))
    assert found["hv1.xman.test"]["inner"] == "running"
    assert list(found["inner.xman.test"]) == ["within"]

    paused = nested.inner.rxm(lab.alice, "pause", "within")

    assert paused.status == 0, paused
    assert states(nested.both("-j", "list"))["inner.xman.test"]["within"] == "paused"
    line = nested.inner.syslog.wait(ev="end", verb="pause", dom="within")
    assert (line["princ"], line["res"]) == ("alice@XMAN.TEST", "ok")

    ended = nested.outer.rxm(lab.alice, "destroy", "inner")

    assert ended.status == 0, ended
    asked = {each["host"]: each for each in nested.both("-j", "-t", "20", "list").objects()}
    assert "inner" not in [row["name"] for row in asked["hv1.xman.test"]["result"]["domains"]]
    assert asked["inner.xman.test"]["class"] == "unreachable"
    wait_for(lambda: nested.inner.process.poll() is not None, 30, "the end of the xmand in it")
