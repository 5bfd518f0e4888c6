"""The host image's recipe, as far as it can be judged without building it (`make test-host-image` does the rest)."""

import re
import subprocess

import pytest

from tests.lab.process import ROOT

_HERE = ROOT / "packaging" / "host-image"
_SCRIPTS = [
    "build",
    "files/usr/lib/xman-host/own",
    "files/usr/lib/xman-host/says",
    "files/usr/share/initramfs-tools/scripts/live-bottom/xman-host",
]
# What live-boot would write into the root otherwise, and what it boots by.
_OPTIONS = {"boot=live", "nofstab", "nonetworking"}


@pytest.mark.parametrize("name", _SCRIPTS)
def test_a_script_can_be_read_and_run(name: str) -> None:
    script = _HERE / name
    shell = script.read_text().splitlines()[0].removeprefix("#!").removeprefix("/usr/bin/env ")

    subprocess.run([shell.rpartition("/")[2], "-n", script], check=True)

    assert script.stat().st_mode & 0o111 == 0o111


def test_the_list_of_packages_has_all_that_is_asked_for() -> None:
    listed = (_HERE / "packages.list").read_text().split()
    needed = subprocess.run([ROOT / "packaging" / "depends", "xmand"], check=True, stdout=subprocess.PIPE, text=True)
    asked = [line for line in (_HERE / "packages").read_text().splitlines() if not line.startswith("#")]

    assert listed == sorted(set(listed))
    assert {*asked, *needed.stdout.split(), "xmand", "python3-xman"} <= set(listed)
    # Their secrets would be every host's.
    assert not {"openssh-server", "rxmweb"} & set(listed)


@pytest.mark.parametrize("name", ["boot.ipxe", "grub.cfg"])
def test_both_ways_boot_it_alike(name: str) -> None:
    (line,) = re.findall(r"^.*boot=live.*$", (_HERE / name).read_text(), re.MULTILINE)

    assert set(line.split()) > _OPTIONS


def test_what_is_kept_is_what_the_readme_says() -> None:
    text = (_HERE / "files/usr/lib/xman-host/own").read_text()
    (folders,) = re.findall(r"^for folder in (/.*); do$", text, re.MULTILINE)

    assert {"/var/lib/xmand", "/var/lib/libvirt", "/etc/libvirt/qemu", "/etc/libvirt/storage"} <= set(folders.split())


def test_no_keytab_is_said_with_its_remedy() -> None:
    said = (_HERE / "files/usr/lib/xman-host/says").read_text()

    assert "this host has no keytab" in said
    assert "etc/krb5.keytab on a partition" in said
