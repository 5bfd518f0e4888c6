"""What stands beside an image (`xmand.verbs.machine.beside`), whoever has written it."""

from typing import Any

import pytest

from xmand.verbs import machine
from xmand.verbs.machine import Beside
from xmand.virt import image_pools
from xmand.virt.image_pools import Image

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("title = 'Debian'\nmemory = 256\nfirmware = 'efi'", Beside("Debian", 256 * MIB, "efi")),
        ("firmware = 'other'", Beside()),
        ("memory = 'much'", Beside()),
        ("title", Beside()),
        (f"a = {'[' * 2000}{']' * 2000}", Beside()),
        (f"memory = 0x{'f' * 4000}", Beside()),
    ],
)
def test_what_cannot_be_read_says_nothing(monkeypatch: pytest.MonkeyPatch, text: str, found: Beside) -> None:
    def sidecar(_connection: Any, _image: Image) -> str:
        return text

    monkeypatch.setattr(image_pools, "sidecar", sidecar)
    image: Any = None

    assert machine.beside(None, image) == found
