"""What a terminal gets that takes its machine by .rdp or .vv: the guest's own address, or where its screen listens."""

import configparser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rxmweb.db.seats import READY, Seat
from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings
from rxmweb.web.giving import Giver
from rxmweb.web.views.terminal import RDP, VV, _file

HOST = "hv1.xman.test"


def seat(**found: str) -> Seat:
    """Return a terminal's that has its machine."""
    where = {"address": found.get("address"), "screen": found.get("screen")}
    return Seat(
        "desk1", READY, True, "10.7.0.1", 0.0, "", HOST, "u1", "win-1", 100.0, **where,
        token=None, csrf=None, expires=None, seen=None,
    )  # fmt: skip


class Host(Giver):
    """Its host says these of the guest."""

    def __init__(self, engine: Engine, directory: Path, addresses: list[str], screens: list[str]) -> None:
        settings = Settings(run_dir=str(directory))
        super().__init__(settings, engine, Rxm(settings))
        self._said = {
            "stats": {"addresses": [{"address": each, "source": "agent"} for each in addresses]},
            "list": {"open_screens": screens},
        }

    def _ask(self, host: str, words: Sequence[str]) -> dict[str, Any]:
        assert host == HOST
        return {"ok": True, "result": {"domains": [self._said[words[0]]]}}


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        (["127.0.0.1", "::1", "fe80::1", "10.7.1.9", "2001:db8::9"], "10.7.1.9"),
        (["fe80::1", "2001:db8::9"], "2001:db8::9"),
        (["127.0.0.1", "0.0.0.0", "224.0.0.1", "no address"], None),
        ([], None),
    ],
)
def test_of_a_guests_addresses_the_first_that_a_terminal_reaches(
    engine: Engine, tmp_path: Path, addresses: list[str], found: str | None
) -> None:
    where = Host(engine, tmp_path, addresses, [])._where(seat())

    assert where.get("address") == found


@pytest.mark.parametrize(("address", "line"), [("10.7.1.9", "10.7.1.9"), ("2001:db8::9", "[2001:db8::9]")])
def test_a_file_of_rdp_has_the_guests_own_address(address: str, line: str) -> None:
    response = _file(seat(address=address), RDP, address)

    assert response.get_data(as_text=True).split("\r\n")[0] == f"full address:s:{line}:3389"
    assert response.mimetype == "application/x-rdp"
    assert response.headers["Content-Disposition"] == 'attachment; filename="machine.rdp"'


@pytest.mark.parametrize(
    ("screen", "kind", "host", "port"),
    [
        ("vnc 192.0.2.5:5901", "vnc", "192.0.2.5", "5901"),
        ("spice [2001:db8::5]:5902", "spice", "2001:db8::5", "5902"),
        ("vnc 0.0.0.0:5900", "vnc", HOST, "5900"),
        ("vnc [::]:5900", "vnc", HOST, "5900"),
    ],
)
def test_a_file_of_virt_viewer_has_where_the_screen_listens(screen: str, kind: str, host: str, port: str) -> None:
    text = _file(seat(screen=screen), VV, screen).get_data(as_text=True)

    read = configparser.ConfigParser()
    read.read_string(text)
    told = read["virt-viewer"]
    assert (told["type"], told["host"], told["port"]) == (kind, host, port)
    # No password, and nothing that stays on the terminal.
    assert (set(told) & {"password", "title"}, told["delete-this-file"]) == (set(), "1")
