"""The packages on a Debian that boots: its systemd runs the units as they are, with a guest and a container under them.

Run by `make test-boot`, as root. The tests stand on each other, in this order.
"""

from tests.boot.conftest import Machine
from tests.deb.conftest import WITHOUT_PORTAL
from tests.hypervisor.test_lxc import description as container
from tests.lab.hosts.hypervisor import GUEST, Guest
from tests.lab.process import wait_for

# A guest in an emulated machine is emulated twice: its kernel's first line takes a minute, its first process many.
_SECONDS = 1800.0
_INTERVAL = 1.0
_CONSOLES = "/var/log/libvirt/qemu"
# What systemd says when a unit asks for what is not to be had, and the kernel when a filter ends a program (1326).
_COMPLAINTS = ("Traceback", "audit: type=1326", "Failed to set up", "Unknown key", "Unknown lvalue", "core-dump")


def test_it_has_systemd_and_the_second_cgroups(machine: Machine) -> None:
    assert machine.booted.must("cat", "/proc/1/comm") == "systemd\n"
    assert "memory" in machine.booted.must("cat", "/sys/fs/cgroup/cgroup.controllers").split()


def test_the_check_finds_all_in_order(machine: Machine) -> None:
    machine.booted.must("xmand", "--check")


def test_the_unit_starts_as_it_is(machine: Machine) -> None:
    machine.booted.must("systemctl", "enable", "--now", "xmand")

    assert machine.booted.must("systemctl", "is-active", "xmand") == "active\n"
    assert "alice@XMAN.TEST" in machine.rxm("ping").stdout


def test_a_reload_reads_its_configuration_again(machine: Machine) -> None:
    pid = machine.booted.must("systemctl", "show", "--property=MainPID", "--value", "xmand")

    machine.booted.must("systemctl", "reload", "xmand")

    wait_for(lambda: "is read again" in machine.booted.journal(), _SECONDS, "the reading", _INTERVAL)
    assert machine.booted.must("systemctl", "show", "--property=MainPID", "--value", "xmand") == pid


def test_a_guest_runs_under_it(machine: Machine) -> None:
    machine.drive("qemu:///system")
    guest = Guest("vm1", machine.booted.directory, memory_mib=128)
    described = guest.description().replace(str(GUEST), "/srv/guest")
    described = described.replace(str(guest.console), f"{_CONSOLES}/vm1.console")
    described = described.replace("console=ttyS0 quiet", "console=ttyS0 earlyprintk=ttyS0 no_timer_check")

    machine.does("create", "-", stdin=described)

    def speaks() -> bool:
        return "Linux version" in machine.booted.run("cat", f"{_CONSOLES}/vm1.console").stdout

    wait_for(speaks, _SECONDS, "the start of the guest's kernel", _INTERVAL)
    (row,) = machine.does("list", "vm1")["domains"]
    assert row["state"] in ("running", "blocked")
    machine.does("pause", "vm1")
    machine.does("unpause", "vm1")


def test_a_restart_of_the_unit_touches_no_guest(machine: Machine) -> None:
    (before,) = machine.does("list", "vm1")["domains"]

    machine.booted.must("systemctl", "restart", "xmand")

    (after,) = machine.does("list", "vm1")["domains"]
    assert after["id"] == before["id"]
    machine.does("destroy", "vm1")


def test_a_container_runs_under_it(machine: Machine) -> None:
    machine.drive("lxc:///system")

    machine.does("create", "-", stdin=container("box1"))

    (row,) = machine.does("list", "box1")["domains"]
    assert row["state"] == "running"
    assert "box1" in machine.booted.must("virsh", "-q", "-c", "lxc:///system", "list")
    # libvirt has no freezer for containers in the second cgroups.
    refused = machine.rxm("pause", "box1")
    assert (refused.status, machine.does("list", "box1")["domains"][0]["state"]) == (12, "running"), refused
    machine.does("destroy", "box1")


def test_nothing_was_kept_from_the_daemon(machine: Machine) -> None:
    said = machine.booted.journal() + machine.booted.run("dmesg").stdout

    assert not [word for word in _COMPLAINTS if word in said]


def test_the_socket_keeps_the_port(machine: Machine) -> None:
    machine.booted.must("systemctl stop xmand && systemctl enable --now xmand.socket")

    assert "alice@XMAN.TEST" in machine.rxm("ping").stdout


def test_the_portals_units_start_as_they_are(machine: Machine, release: str) -> None:
    if release in WITHOUT_PORTAL:
        assert machine.booted.run("systemctl", "cat", "rxmweb").status != 0
        return
    machine.booted.put(
        "/etc/xman/rxmweb.toml",
        'hosts = ["skirit80.xman.test"]\nkeytab = "/etc/rxmweb.keytab"\nreaders = ["alice@XMAN.TEST"]\n',
    )
    machine.booted.must("chown rxmweb /etc/rxmweb.keytab && chmod 600 /etc/rxmweb.keytab")
    machine.booted.must("systemctl", "enable", "--now", "rxmweb", "rxmweb-worker")
    asked = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/healthz').status)"

    wait_for(
        lambda: machine.booted.run("python3", "-c", f'"{asked}"').stdout == "200\n", _SECONDS, "the portal", _INTERVAL
    )
    said = machine.booted.journal("rxmweb") + machine.booted.journal("rxmweb-worker")
    assert not [word for word in _COMPLAINTS if word in said]


def test_purge_ends_it_and_leaves_nothing(machine: Machine, release: str) -> None:
    portal = [] if release in WITHOUT_PORTAL else ["rxmweb"]

    machine.booted.must("apt-get", "purge", "-y", "python3-xman", "rxm", "xmand", *portal)

    running = machine.booted.run("cat", "/proc/[0-9]*/comm").stdout.splitlines()
    assert ("systemd" in running, "xmand" in running) == (True, False)
    assert machine.booted.run("ls", "-d", "/var/lib/xmand", "/etc/xman", "/run/xmand").stdout == ""
    assert "xmand" not in machine.booted.must("systemctl", "list-units", "--all", "--plain", "xmand*")
