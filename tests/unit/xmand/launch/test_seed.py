"""The disk by which a guest finds out who it is, read back as a guest would."""

import io
import json

import pycdlib
import pytest

from xmand.launch import seed
from xmand.launch.seed import Seed

FULL = Seed("i-0123456789abcdef0", "lena-1", ("ssh-ed25519 AAAA lena",), '#cloud-config\nx: "ä"\n', "02:00:00:00:00:01")


def read(octets: bytes, by: str) -> dict[str, bytes]:
    """Return the files by their names, in Joliet (`joliet_path`) or Rock Ridge (`rr_path`)."""
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(octets))
    found = {}
    for entry in iso.list_children(**{by: "/"}):
        if not entry.is_file():
            continue
        name = entry.file_identifier().decode("utf-16_be") if by == "joliet_path" else entry.rock_ridge.name().decode()
        into = io.BytesIO()
        iso.get_file_from_iso_fp(into, **{by: f"/{name}"})
        found[name] = into.getvalue()
    assert iso.pvd.volume_identifier.decode().strip() == "cidata"
    iso.close()
    return found


@pytest.mark.parametrize("by", ["joliet_path", "rr_path"])
def test_what_goes_in_comes_out_by_its_name(by: str) -> None:
    assert read(seed.image(FULL), by) == seed.files(FULL)


def test_who_it_is_and_who_may_log_in() -> None:
    files = seed.files(FULL)

    assert json.loads(files["meta-data"]) == {
        "instance-id": FULL.instance,
        "local-hostname": "lena-1",
        "public-keys": ["ssh-ed25519 AAAA lena"],
    }
    assert files["user-data"].decode() == FULL.user_data
    network = json.loads(files["network-config"])
    # cloud-init's writers for networkd and ifupdown know a card by its name, netplan by the address.
    card = {"match": {"macaddress": FULL.mac}, "set-name": "eth0", "dhcp4": True}
    assert network["ethernets"] == {"eth0": card}


def test_without_a_card_there_is_no_network_and_without_data_nothing_is_done() -> None:
    files = seed.files(Seed("i-1", "lena-1"))

    assert set(files) == {"meta-data", "user-data"}
    assert files["user-data"] == b"#cloud-config\n{}\n"
    assert "public-keys" not in json.loads(files["meta-data"])


def test_a_name_cannot_become_another_entry() -> None:
    meta = json.loads(seed.files(Seed('i-1", "x": "', "a"))["meta-data"])

    assert set(meta) == {"instance-id", "local-hostname"}


def test_a_sign_beyond_the_first_65536_stays_one() -> None:
    meta = seed.files(Seed("i-1", "a", ("ssh-ed25519 AAAA lena \N{KEY}",)))["meta-data"]

    # YAML reads the two escapes that JSON writes for it as two signs, which no guest can write into a file.
    assert "\N{KEY}".encode() in meta
    assert b"\\u" not in meta


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("", False),
        ("#cloud-config\n{}\n", False),
        ("\n #Cloud-Config\n", False),
        ("#!/bin/sh\n", False),
        ("## template: jinja\n#cloud-config\n", False),
        ("#include\nhttp://example.org/x\n", False),
        ('Content-Type: multipart/mixed; boundary="x"\nMIME-Version: 1.0\n\n--x\n', False),
        ("packages: [vim]\n", True),
        ("# cloud-config\n", True),
        ("\N{ZERO WIDTH NO-BREAK SPACE}#cloud-config\n", True),
    ],
)
def test_what_cloud_init_would_pass_over(text: str, ignored: bool) -> None:
    assert seed.passed_over(text) is ignored
