"""What tests/tools/setup.sh installs: what the tests need, and nothing that was on some machine by chance."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.process import PATH, ROOT

SETUP = ROOT / "tests" / "tools" / "setup.sh"
# For each package that the script names for `make test`: the program, or the file, for which it is there.
NEEDED = {
    "gcc": "gcc",
    "libkrb5-dev": "/usr/include/gssapi/gssapi.h",
    "libvirt-dev": "/usr/include/libvirt/libvirt.h",
    "pkg-config": "pkg-config",
    "python3-dev": "/usr/include/python3*/Python.h",
    "python3-venv": "/usr/lib/python3*/ensurepip",
    "krb5-admin-server": "kadmin.local",
    "krb5-kdc": "krb5kdc",
    "krb5-user": "kinit",
    "libnss-wrapper": "/usr/lib/*/libnss_wrapper.so",
    "chromium": "chromium",
    "fish": "fish",
    "groff-base": "groff",
    "heimdal-multidev": "krb5-config.heimdal",
    "krb5-pkinit": "/usr/lib/*/krb5/plugins/preauth/pkinit.so",
    "libfaketime": "/usr/lib/*/faketime/libfaketime.so.1",
    "openssl": "openssl",
    "openssh-client": "ssh",
    "python3-clustershell": "/usr/lib/python3/dist-packages/ClusterShell",
    "python3-gssapi": "/usr/lib/python3/dist-packages/gssapi",
    "remctl-client": "remctl",
    "default-jdk-headless": "javac",
    "libnet-remctl-perl": "/usr/lib/*/perl5/*/Net/Remctl.pm",
    "libremctl-dev": "/usr/include/remctl.h",
    "php-cli": "php",
    "php-remctl": "/usr/lib/php/*/remctl.so",
    "python3-pyremctl": "/usr/lib/python3/dist-packages/remctl.py",
    "ruby": "ruby",
    "ruby-remctl": "/usr/lib/*/ruby/vendor_ruby/*/remctl.so",
    "systemd": "systemd-analyze",
    "zsh": "zsh",
    "busybox-static": "busybox",
    "cpio": "cpio",
    "iproute2": "ip",
    "libvirt-daemon": "libvirtd",
    "libvirt-daemon-driver-lxc": "/usr/lib/*/libvirt/connection-driver/libvirt_driver_lxc.so",
    "libvirt-daemon-driver-qemu": "/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so",
    "libvirt-clients": "virsh",
    "qemu-system-x86": "qemu-system-x86_64",
    "ovmf": "/usr/share/qemu/firmware/*edk2-x86_64.json",
    "qemu-utils": "qemu-img",
    "xz-utils": "xz",
    "lz4": "lz4",
    "zstd": "zstd",
    "libsasl2-modules-gssapi-mit": "/usr/lib/*/sasl2/libgssapiv2.so",
    "sasl2-bin": "sasldblistusers2",
}


def named() -> set[str]:
    """Return the packages that the script names for `make test`."""
    text = SETUP.read_text()
    common = text[: text.index('if [ "$purpose" = test ]')]
    own = text[len(common) : text.index('elif [ "$purpose"')]
    lines = re.findall(r'^ *(?:hypervisor_)?packages\+?="([^"$]+)', common + own, re.MULTILINE)
    return {name for line in lines for name in line.split()}


def test_every_package_that_it_names_has_its_reason_here() -> None:
    """And a package that it no longer names, by which a test would find nothing to run, is missed."""
    assert named() == set(NEEDED)


@pytest.mark.parametrize("package", NEEDED)
def test_what_a_package_is_for_is_there(package: str) -> None:
    wanted = NEEDED[package]

    found = list(Path("/").glob(wanted[1:])) if wanted.startswith("/") else shutil.which(wanted, path=PATH)
    assert found, f"{package} should have brought {wanted}"


def test_it_tells_what_it_would_install() -> None:
    listed = subprocess.run([str(SETUP), "--list", "fresh"], capture_output=True, text=True, check=True)

    assert listed.stdout.split() == ["git", "mmdebstrap", "slirp4netns"]


def test_for_a_package_it_installs_what_debian_builds_one_with() -> None:
    """Debian's control file names but what a package needs beyond the compiler that every build has."""
    (needed,) = re.findall(r"^Build-Depends: (.*)$", (ROOT / "debian" / "control").read_text(), re.MULTILINE)
    listed = subprocess.run([str(SETUP), "--list", "deb"], capture_output=True, text=True, check=True).stdout.split()

    wanted = {name.split()[0].removesuffix("-compat") for name in needed.split(",")}
    assert {"build-essential", "dpkg-dev", *wanted} <= set(listed)


def _targets() -> list[str]:
    names: list[str] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return names[0].split()


@pytest.mark.parametrize("target", _targets())
def test_make_knows_what_each_target_needs(target: str) -> None:
    tried = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (tried.returncode, tried.stderr) == (0, "")
