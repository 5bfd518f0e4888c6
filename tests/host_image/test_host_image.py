"""From nothing to a host in the portal: the image boots, is who its partition says, and keeps what is to be kept.

Run by `make test-host-image`, as root. The tests stand on each other, in this order.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host_image.conftest import Site
from tests.host_image.looks import FILES
from tests.lab.hosts import stateless
from tests.lab.hosts.stateless import IMAGE, SECONDS, Stateless
from tests.lab.kerberos.realm import FQDN
from tests.lab.process import ROOT, start, wait_for

_INTERVAL = 1.0
_LIST = ROOT / "packaging" / "host-image" / "packages.list"
_SAYS = "hello from a machine"
# It says so eighteen times a second: BIOS code that writes to the first serial port (0x3f8), and waits for a tick.
_SECTOR = bytes.fromhex("31c08ed8be167cac84c07406baf803eeebf5fbf4ebee") + f"{_SAYS}\r\n\0".encode()
_OWN_SAID = "journalctl --unit xman-host --output cat"
_SECRETS = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's own files."""
    root = tmp_path_factory.mktemp("image") / "root"
    subprocess.run(["unsquashfs", "-q", "-n", "-d", root, IMAGE / "filesystem.squashfs"], check=True)
    return root


@pytest.fixture(scope="module")
def bare(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stateless]:
    """A host that booted from a stick, and has nothing of its own."""
    host = Stateless(tmp_path_factory.mktemp("bare") / "host", stick=True)
    host.boot()
    yield host
    host.stop()


@pytest.fixture(scope="module")
def host(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stateless]:
    """A host that booted by network, and has a partition XMAN."""
    directory = tmp_path_factory.mktemp("host")
    made = Stateless(directory / "host", partition=stateless.partition(directory / "xman.img", site.files))
    made.boot()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def looked(bare: Stateless, host: Stateless) -> dict[str, dict[str, Any]]:
    """What was in each of the two when they had booted; the first is not asked for anything more."""
    found = {"bare": bare.python(FILES), "host": host.python(FILES)}
    bare.stop()
    return found


def different(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """Return what is not the same in two looks."""
    names = {*one["files"], *other["files"]}
    return {name for name in names if one["files"].get(name) != other["files"].get(name)}


def text(file: Path) -> str:
    """Return what a program has written so far."""
    return file.read_text(errors="replace")


def test_the_packages_are_those_of_the_list() -> None:
    names = [line.split()[0] for line in (IMAGE / "packages").read_text().splitlines()]

    found = sorted({re.sub(r"^linux-image-[0-9].*-amd64$", "linux-image-VERSION-amd64", name) for name in names})

    assert found == _LIST.read_text().split()


def test_when_this_tree_was_checked_out_is_not_in_the_image(root: Path) -> None:
    files = ROOT / "packaging" / "host-image" / "files"

    ours = {(root / path.relative_to(files)).stat().st_mtime for path in files.rglob("*")}

    assert ours == {(root / "etc" / ".updated").stat().st_mtime}


def test_the_image_holds_no_secret(root: Path) -> None:
    assert (root / "etc" / "machine-id").read_bytes() == b""
    names = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    wrong = re.compile(
        r"keytab$|ssh_host_.*_key$|/random-seed$|credential\.secret$|\.k5login$|dbus/machine-id$|log/.*\.log$"
    )
    assert [name for name in names if wrong.search(name)] == []
    held = [name for name in names if name.startswith(("etc/", "root/", "var/", "home/"))]
    assert [name for name in held if _SECRETS.search((root / name).read_bytes())] == []
    shadow = (root / "etc" / "shadow").read_text().splitlines()
    assert [line for line in shadow if line.split(":")[1] not in ("*", "!", "!*")] == []


def test_a_host_without_a_keytab_says_so_on_its_console(bare: Stateless) -> None:
    assert "xman: this host has no keytab, so nobody can reach it." in bare.console()
    assert "xman: nothing is kept" in bare.console()
    assert bare.must("systemctl is-active xmand || true") == "inactive\n"
    assert "xman: this host has no keytab" in bare.must("cat /run/issue.d/xman.issue")


def test_a_host_waits_in_the_portal_and_is_accepted(site: Site, host: Stateless) -> None:
    assert f"xman: this host is {FQDN}." in host.console()
    assert host.must("hostname") == f"{FQDN}\n"
    wait_for(lambda: FQDN in site.waiting(), SECONDS, "the host among those that wait", _INTERVAL)

    assert site.visitor.post("/hosts/reporting", {"name": FQDN, "to": "accepted"}).status == 303

    wait_for(lambda: site.shown().get(FQDN, {}).get("freshness") == "fresh", SECONDS, "its reports", _INTERVAL)


def test_its_administrator_may_and_nobody_else(
    site: Site, host: Stateless, alice: dict[str, str], mallory: dict[str, str]
) -> None:
    assert "alice@XMAN.TEST" in site.rxm(host, alice, "ping").stdout
    assert site.rxm(host, mallory, "list").status == 5


def test_what_the_partition_says_of_time_names_and_the_kernel_is_heeded_at_the_same_boot(host: Stateless) -> None:
    assert stateless.OUTSIDE in host.must("timedatectl show-timesync --property SystemNTPServers --value")
    assert "xman.test" in host.must("resolvectl domain")
    assert host.must("cat /proc/sys/net/ipv4/ip_forward") == "1\n"


def test_all_is_in_order(host: Stateless) -> None:
    checked = host.run("xmand --check")

    assert "BAD" not in checked.stdout, checked
    assert host.must("systemctl --failed --plain --no-legend") == ""
    assert "XMAN: clean" in host.must(_OWN_SAID)


def test_two_boots_differ_by_what_the_partition_gave(site: Site, looked: dict[str, dict[str, Any]]) -> None:
    given = {f"/{path.relative_to(site.files)}" for path in site.files.rglob("*")}

    changed = different(looked["bare"], looked["host"])

    assert changed - given == set()
    # The last is where live-boot shows what it keeps below /run once more.
    known = ("/proc", "/sys", "/dev", "/run", "/usr/lib/live/mount")
    others = {place for place in looked["host"]["mounts"] if not place.startswith(known)}
    assert others == {"/", "/etc/machine-id", *_volatile(), *_kept()}


def test_a_machine_is_launched(site: Site, host: Stateless, alice: dict[str, str], tmp_path: Path) -> None:
    raw, image = tmp_path / "tiny.raw", tmp_path / "tiny.qcow2"
    raw.write_bytes(_SECTOR.ljust(510, b"\0") + b"\x55\xaa" + bytes((1 << 20) - 512))
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, image], check=True)

    sent = site.rxm(host, alice, "volume-upload", "machines", "tiny.qcow2", str(image))
    made = site.rxm(host, alice, "-j", "launch", "--memory", "64", "tiny.qcow2", "vm1")

    assert (sent.status, made.status) == (0, 0), (sent, made)
    words = ["rxm", "-H", FQDN, "-p", str(host.port), "-t", str(SECONDS), "console", "--no-stdin", "vm1"]
    printed = tmp_path / "console"
    with printed.open("wb") as file:
        console = start(words, env=alice, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
    wait_for(lambda: console.poll() is not None or _SAYS in text(printed), SECONDS, "the machine's word", _INTERVAL)
    assert _SAYS in text(printed)
    wait_for(lambda: site.shown()[FQDN].get("domains") == 1, SECONDS, "the machine in the portal", _INTERVAL)


def test_a_reboot_forgets_nothing_that_is_kept(
    site: Site, host: Stateless, alice: dict[str, str], looked: dict[str, dict[str, Any]]
) -> None:
    before = json.loads(site.rxm(host, alice, "-j", "list", "--long", "vm1").stdout)["result"]["domains"][0]
    assert site.rxm(host, alice, "destroy", "vm1").status == 0

    host.reboot()

    said = host.must(_OWN_SAID)
    assert "XMAN: clean" in said
    assert "recovering journal" not in said
    # The same host, the same machine, the same past; and every other file as it was at the first boot.
    assert different(looked["host"], host.python(FILES)) == set()
    wait_for(lambda: site.rxm(host, alice, "ping").status == 0, SECONDS, "xmand", _INTERVAL)
    after = json.loads(site.rxm(host, alice, "-j", "list", "--long", "vm1").stdout)["result"]["domains"][0]
    assert (after["uuid"], after["image"], after["state"]) == (before["uuid"], before["image"], "shutoff")
    assert "launch" in site.rxm(host, alice, "log", "vm1").stdout
    assert site.rxm(host, alice, "start", "vm1").status == 0
    wait_for(lambda: site.shown()[FQDN].get("freshness") == "fresh", SECONDS, "its reports", _INTERVAL)


def test_after_a_power_cut_it_goes_on_whatever_it_boots_from(
    site: Site, host: Stateless, alice: dict[str, str], tmp_path: Path, looked: dict[str, dict[str, Any]]
) -> None:
    """The plug is pulled behind a change; then the same partition is booted from a stick, by another firmware."""
    assert site.rxm(host, alice, "label", "vm1", "plug=pulled").status == 0
    host.stop()
    again = Stateless(tmp_path / "host", partition=host.partition, stick=True, uefi=True)
    try:
        again.boot()

        again.must("test -d /sys/firmware/efi")
        said = again.must(_OWN_SAID)
        assert "XMAN: clean" in said
        # Whoever mounts it first plays its journal back: live-boot looks for its medium on every disk.
        assert "XMAN: recovering journal" in said or "recovery complete" in again.must("dmesg")
        assert f"xman: this host is {FQDN}." in again.console()
        assert different(looked["host"], again.python(FILES)) == set()
        wait_for(lambda: site.rxm(again, alice, "ping").status == 0, SECONDS, "xmand", _INTERVAL)
        found = json.loads(site.rxm(again, alice, "-j", "list", "--long", "vm1").stdout)["result"]["domains"][0]
        assert (found["state"], found["labels"]) == ("shutoff", {"plug": "pulled"})
        assert "label" in site.rxm(again, alice, "log", "vm1").stdout
        assert site.rxm(again, alice, "start", "vm1").status == 0
        wait_for(lambda: site.shown()[FQDN].get("freshness") == "fresh", SECONDS, "its reports", _INTERVAL)
        assert again.must("systemctl --failed --plain --no-legend") == ""
    finally:
        again.stop()


def test_a_host_without_a_disk_has_its_own_from_the_network(
    site: Site, alice: dict[str, str], tmp_path: Path, looked: dict[str, dict[str, Any]]
) -> None:
    diskless = Stateless(tmp_path / "host", archive=stateless.archive(tmp_path / "own.cpio", site.files))
    try:
        diskless.boot()

        assert f"xman: this host is {FQDN}." in diskless.console()
        assert "xman: nothing is kept" in diskless.console()
        wait_for(lambda: site.rxm(diskless, alice, "ping").status == 0, SECONDS, "xmand", _INTERVAL)
        assert different(looked["host"], diskless.python(FILES)) == set()
    finally:
        diskless.stop()


def _volatile() -> set[str]:
    script = (ROOT / "packaging/host-image/files/usr/share/initramfs-tools/scripts/live-bottom/xman-host").read_text()
    (line,) = re.findall(r"^for folder in (.*); do$", script, re.MULTILINE)
    return set(line.split())


def _kept() -> set[str]:
    script = (ROOT / "packaging/host-image/files/usr/lib/xman-host/own").read_text()
    lines = re.findall(r"^for folder in (/.*); do$", script, re.MULTILINE)
    return set(lines[0].split())
