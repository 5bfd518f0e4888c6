"""xmand on libvirt's test driver inside a libvirtd: the same verbs through libvirt's remote protocol."""

from collections.abc import Iterator

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver

URI = "test+unix:///default?socket=/run/libvirt/libvirt-sock"
MANY = 1000


@pytest.fixture(scope="module")
def remote(lab: Lab) -> Iterator[Daemon]:
    """Another xmand on the first host, for the test driver."""
    daemon = lab.first.xmand(
        lab.realm, admins=("alice@XMAN.TEST",), uri=URI, tables='[migrate]\nallow = ["hv2.xman.test"]\n', port=4374
    )
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


def test_a_domains_life(remote: Daemon, lab: Lab) -> None:
    assert remote.rxm(lab.alice, "create", "-", stdin=for_test_driver("life")).status == 0
    for words in (
        ["pause", "life"],
        ["unpause", "life"],
        ["mem-set", "life", "256"],
        ["vcpu-set", "life", "2"],
        ["reboot", "life"],
        ["shutdown", "--wait", "life"],
        ["list", "life"],
        ["describe", "life"],
        ["info"],
    ):
        answer = remote.rxm(lab.alice, *words)
        assert answer.status == 0, (words, answer)
    assert remote.rxm(lab.alice, "list", "life").stdout.splitlines()[1].split() == ["life", "256", "2", "0.0"]


def test_migration_is_unsupported(remote: Daemon, lab: Lab) -> None:
    answer = remote.rxm(lab.alice, "migrate", "test", "hv2.xman.test")

    assert answer.status == 12
    assert "cannot do that" in answer.stderr
    assert "'test' is still here, running." in answer.stderr


def test_a_thousand_domains(remote: Daemon, lab: Lab) -> None:
    directory = lab.first.directory / "many"
    directory.mkdir(exist_ok=True)
    for number in range(MANY):
        (directory / f"{number}.xml").write_text(for_test_driver(f"many{number:04}"))
    defined = lab.first.virsh(uri=URI, stdin="".join(f"define {directory}/{n}.xml\n" for n in range(MANY)))
    assert defined.status == 0

    answer = remote.rxm(lab.alice, "list")

    names = [line.split()[0] for line in answer.stdout.splitlines()[1:]]
    assert [name for name in names if name.startswith("many")] == [f"many{number:04}" for number in range(MANY)]
