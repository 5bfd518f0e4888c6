"""What the tests themselves run on, as far as it needs nothing."""

import lzma
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab import process
from tests.lab.hosts.daemon import SyslogFile
from tests.lab.process import ROOT

LAB = ROOT / "tests" / "lab"
TOOLS = ROOT / "tests" / "tools"
KERNEL = b"\x7fELF and so on"
MODULES = [
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_balloon",
    "virtio_console",
    "evdev",
    "button",
]


def kernel(root: Path, folder: str, modules: list[str], built_in: str = "") -> None:
    """Write what guest.sh looks at of an unpacked kernel."""
    (root / "boot").mkdir(parents=True)
    # The header says in sectors where the rest begins, how far into that the packed kernel stands, and how long it is,
    # with the length of the unpacked one at its end.
    packed = lzma.compress(KERNEL) + struct.pack("<I", len(KERNEL))
    header = bytearray(2 * 512 + 100)
    header[497] = 1
    header[584:592] = struct.pack("<II", 100, len(packed))
    (root / "boot" / "vmlinuz-6").write_bytes(header + packed + b"a signature")
    drivers = root / folder / "6" / "kernel"
    drivers.mkdir(parents=True)
    for name in modules:
        (drivers / f"{name}.ko").write_text("a module")
    (root / folder / "6" / "modules.builtin").write_text(built_in)


def make_guest(tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """Run guest.sh on that kernel."""
    command = [str(LAB / "hosts" / "guest.sh"), str(tmp_path / "kernel"), str(tmp_path / "guest")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def contents(guest: Path) -> list[str]:
    """Return the names in the guest's initramfs."""
    packed = subprocess.run(["gzip", "-dc", str(guest / "initramfs")], capture_output=True, check=True).stdout
    listed = subprocess.run(["cpio", "-t", "--quiet"], input=packed, capture_output=True, check=True).stdout
    return listed.decode().split()


@pytest.mark.parametrize("folder", ["lib/modules", "usr/lib/modules"])
def test_a_guest_has_its_modules_wherever_debian_keeps_them(tmp_path: Path, folder: str) -> None:
    kernel(tmp_path / "kernel", folder, MODULES)

    assert make_guest(tmp_path).returncode == 0
    assert {f"modules/{name}.ko" for name in MODULES} <= set(contents(tmp_path / "guest"))
    assert (tmp_path / "guest" / "vmlinux").read_bytes() == KERNEL


def test_a_module_that_is_built_in_is_none_that_is_missing(tmp_path: Path) -> None:
    kernel(tmp_path / "kernel", "lib/modules", MODULES[:-1], "kernel/drivers/acpi/button.ko\n")

    assert make_guest(tmp_path).returncode == 0
    assert "modules/button.ko" not in contents(tmp_path / "guest")


def test_a_module_that_is_neither_there_nor_built_in_is_an_error(tmp_path: Path) -> None:
    kernel(tmp_path / "kernel", "lib/modules", MODULES[:-1], "kernel/drivers/acpi/radiobutton.ko\n")

    made = make_guest(tmp_path)

    assert made.returncode != 0
    assert "button is no module of this kernel" in made.stderr
    assert not (tmp_path / "guest" / "initramfs").exists()


# Fails as often as the first word says, with the others as its own words.
FETCHING = """
import pathlib, sys
count = pathlib.Path(sys.argv[1])
tries = int(count.read_text()) if count.exists() else 0
count.write_text(str(tries + 1))
if tries < int(sys.argv[2]):
    sys.exit(f"E: {sys.argv[3]}")
print("fetched")
"""


def fetch(tmp_path: Path, failures: int, words: str) -> tuple[int, str, str, int]:
    """Run fetch.sh; return its exit status, what it said on both streams, and how often it tried."""
    done = subprocess.run(
        [str(TOOLS / "fetch.sh"), "fish", sys.executable, "-c", FETCHING, str(tmp_path / "n"), str(failures), words],
        env=os.environ | {"FETCH_PAUSE": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr, int((tmp_path / "n").read_text())


def test_a_fetch_that_fails_for_a_while_is_tried_again(tmp_path: Path) -> None:
    status, stdout, stderr, tries = fetch(tmp_path, 2, "Failed to fetch http://deb.debian.org/fish.deb  503")

    assert (status, stdout, tries) == (0, "fetched\n", 3)
    assert stderr == "fetch: fish could not be fetched; trying again\n" * 2


def test_a_fetch_that_fails_for_good_is_told_as_that(tmp_path: Path) -> None:
    status, _stdout, stderr, tries = fetch(tmp_path, 99, "Temporary failure resolving 'deb.debian.org'")

    assert (status, tries) == (75, 4)
    assert "E: Temporary failure resolving" in stderr
    assert stderr.endswith("the network's fault or the archive's, not the tree's\n")


def test_what_no_other_try_would_mend_fails_at_once(tmp_path: Path) -> None:
    status, _stdout, stderr, tries = fetch(tmp_path, 99, "Unable to locate package fsh")

    assert (status, stderr, tries) == (1, "E: Unable to locate package fsh\n", 1)


def test_ports_are_given_to_one_process_only() -> None:
    first = process.free_ports(10)
    block = (first - process._FIRST_PORT) // process._BLOCK
    other = f"import socket; socket.socket(socket.AF_UNIX).bind('\\0xman-test-ports-{block}')"

    done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)

    assert "Address already in use" in done.stderr


def test_free_ports_can_be_used() -> None:
    first = process.free_ports(20)

    for port in range(first, first + 20):
        with socket.create_server(("", port)):
            pass


FAILING_FIXTURE = """
import pytest
from tests.lab import process

@pytest.fixture(scope="module")
def half_made(tmp_path_factory):
    started = process.start(["sleep", "1000"])
    (tmp_path_factory.getbasetemp().parent / "pid").write_text(str(started.pid))
    raise RuntimeError("its second half failed")
    yield started

def test_anything(half_made):
    pass
"""


def run_pytest(folder: Path, taken_over: str, tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests of their own, with what tests/conftest.py gives to all."""
    (folder / "conftest.py").write_text(f"from tests.conftest import {taken_over}\n")
    (folder / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={folder}/base", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_fixture_that_fails_leaves_no_daemon_behind(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "pytest_fixture_setup", FAILING_FIXTURE)

    assert "its second half failed" in done.stdout, done
    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()


FORGETFUL_TEST = """\
import gc
import sqlite3

import pytest

opened = []

def test_that_opens():
    opened.append(sqlite3.connect(":memory:"))

def test_that_comes_later():
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        opened[0].execute("SELECT 1")
    opened.clear()
    gc.collect()
"""


def test_a_database_that_a_test_left_open_warns_no_other_test(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "what_it_opens_is_closed", FORGETFUL_TEST)

    assert done.returncode == 0, done
    assert "2 passed" in done.stdout


def test_the_log_of_a_try_that_did_not_come_to_its_end_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(str(path))
    assert path.is_socket()

    log = SyslogFile(path)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
        sending.sendto(b'<86>xmand[1]: ev="begin"', str(path))
    log.wait(ev="begin")
    log.close()


def test_what_setup_brings_is_never_a_reason_to_skip(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"promtool is missing: .*setup\.sh"):
        process.need(tmp_path / "promtool")


@pytest.mark.parametrize(("load", "least"), [(0.0, 0.1), (4.0 * (os.cpu_count() or 1), 0.4)])
def test_a_machine_with_much_to_do_is_waited_for_longer(
    monkeypatch: pytest.MonkeyPatch, load: float, least: float
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    began = time.monotonic()

    with pytest.raises(TimeoutError, match="rain did not happen"):
        process.wait_for(lambda: False, 0.1, "rain")

    assert time.monotonic() - began >= least
