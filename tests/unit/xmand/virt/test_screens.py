"""A description's screens, and where they listen (`xmand.virt.screens`)."""

import pytest

from xmand.virt import description
from xmand.virt.description import Description
from xmand.virt.screens import Screen, open_to_network, screens

NONE = "<graphics type='vnc'><listen type='none'/></graphics>"
LOOPBACK = (
    "<graphics type='vnc' port='5901' autoport='yes' listen='127.0.0.1'>"
    "<listen type='address' address='127.0.0.1'/></graphics>"
)
EVERYWHERE = "<graphics type='vnc' port='5900' websocket='5700'><listen type='address' address='0.0.0.0'/></graphics>"
SIX = "<graphics type='spice' port='-1' tlsPort='5903'><listen type='address' address='::'/></graphics>"
OLD = "<graphics type='vnc' port='5902' listen='192.0.2.1'/>"
OFF = "<graphics type='vnc' port='-1' autoport='yes'><listen type='address' address='0.0.0.0'/></graphics>"
SOCKET = "<graphics type='vnc' socket='/run/vm1.vnc'><listen type='socket' socket='/run/vm1.vnc'/></graphics>"
NETWORK = "<graphics type='vnc' port='5904'><listen type='network' network='lan'/></graphics>"
NETWORK_FOUND = "<graphics type='vnc' port='5904'><listen type='network' network='lan' address='192.0.2.7'/></graphics>"
BARE = "<graphics type='vnc'/>"
SDL = "<graphics type='sdl'/>"


def domain(*graphics: str) -> str:
    """Return a description."""
    return f"<domain type='qemu'><name>vm1</name><devices>{''.join(graphics)}</devices></domain>"


@pytest.mark.parametrize(
    ("graphics", "listening"),
    [
        (NONE, []),
        (LOOPBACK, []),
        (EVERYWHERE, ["vnc 0.0.0.0:5900", "vnc 0.0.0.0:5700"]),
        (SIX, ["spice [::]:5903"]),
        (OLD, ["vnc 192.0.2.1:5902"]),
        (OFF, ["vnc 0.0.0.0"]),
        (SOCKET, []),
        (NETWORK, ["vnc network lan:5904"]),
        (NETWORK_FOUND, ["vnc 192.0.2.7:5904"]),
        (BARE, []),
        (SDL, []),
    ],
)
def test_who_listens_on_a_network_is_told(graphics: str, listening: list[str]) -> None:
    assert open_to_network(screens(domain(NONE, graphics))) == listening


def test_they_stand_in_the_order_of_the_description() -> None:
    assert [screen.kind for screen in screens(domain(SIX, NONE, BARE))] == ["spice", "vnc", "vnc"]
    assert screens(domain()) == []
    assert screens(domain(NONE)) == [Screen("vnc", ())]


@pytest.mark.parametrize("graphics", [LOOPBACK, EVERYWHERE, OLD, OFF, NETWORK, BARE])
def test_no_vnc_listens_where_the_host_says_so(graphics: str) -> None:
    private = description.without_listeners(Description("vm1", "", domain(graphics))).xml

    assert NONE in private.replace('"', "'")
    assert not any(word in private for word in ("port", "websocket", "address", "listen="))


@pytest.mark.parametrize("graphics", [NONE, SOCKET, SIX, SDL, ""])
def test_what_listens_nowhere_or_is_no_vnc_stays(graphics: str) -> None:
    asked = Description("vm1", "", domain(graphics))

    assert description.without_listeners(asked) is asked


def test_what_else_a_screen_has_stays() -> None:
    asked = "<graphics type='vnc' port='5900' passwd='s3cret' keymap='cs' sharePolicy='force-shared'/>"

    private = description.without_listeners(Description("vm1", "", domain(asked))).xml

    assert 'passwd="s3cret" keymap="cs" sharePolicy="force-shared"' in private
