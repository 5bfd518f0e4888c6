"""The realm of the tests, on a machine whose own name stands for 127.0.1.1, or for nothing."""

import re
import socket
from pathlib import Path

import pytest

from tests.lab.kerberos.realm import Realm


def test_the_kdc_is_on_loopback_whatever_the_machine_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda *_: "hv1.nowhere.invalid")
    made = Realm(tmp_path)
    try:
        made.add_principal("carol", "carols")
        ticket = made.kinit("carol", "carols", "carol")["KRB5CCNAME"]
        said = Path(made.env["KRB5_CONFIG"]).read_text() + Path(made.env["KRB5_KDC_PROFILE"]).read_text()
    finally:
        made.stop()

    assert Path(ticket.removeprefix("FILE:")).exists()
    assert "invalid" not in said
    places = re.findall(r"(?:kdc|admin_server|kpasswd_server|kdc_listen|kdc_tcp_listen) = (\d.*)", said)
    assert len(places) == 5
    assert all(place.startswith("127.0.0.1:") for place in places)
