"""Each of our parsers that strangers or administrators feed, fed what is nearly right: its one error, or an answer."""

import contextlib
import gc
import logging
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fuzz.mutation import mutants, overwrite, resident_kib
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.process import ROOT
from tests.tools.soak import chance, rounds
from xman.errors import ConfigurationError, UsageError
from xman.wire import messages as m
from xman.wire.server import ServerProtocol
from xman.wire.tokens import TokenReader, TokenTooLargeError
from xmand import settings
from xmand.authorize import k5login
from xmand.virt import description

_MOST_GROWTH_KIB = 5 * 1024
_ROUNDS = 2000
# So many come before the growth is measured from there.
_WARM = 200

_COMMAND = m.encode_arguments([b"pause", b"--rid=" + b"0" * 32, b"--", b"vm1"])
FRAMES = [
    b"\x51\0\0\0\0\x42" + struct.pack(">I", len(_COMMAND)) + _COMMAND,
    b"\x44\0\0\0\x02\x02\x02" * 3,
]
REQUESTS = [b"\x02\x01\x01\x00" + _COMMAND, b"\x02\x01\x01\x01" + _COMMAND[:9], b"\x02\x02", b"\x03\x07"]
LISTS = [b"alice@XMAN.TEST\nbob/admin@XMAN.TEST\n", b"# nobody\n\nalice@XMAN.TEST \n"]
DESCRIPTIONS = [
    for_test_driver("vm1").encode(),
    b'<?xml version="1.0" encoding="UTF-8"?><!-- x --><domain><name>a</name><uuid>%s</uuid>%s</domain>'
    % (b"00000000-0000-0000-0000-000000000001", b'<metadata><xman:domain xmlns:xman="urn:xman:1"/></metadata>'),
    b'<!DOCTYPE domain [<!ENTITY a "b">]><domain><name>&a;</name></domain>',
]
# The shipped file, which shows every key, with its keys in force and a table at a time.
CONFIGURATIONS = re.split(
    rb"\n(?=\[)", re.sub(rb"(?m)^#(\w+ =)|^#.*\n", rb"\1", (ROOT / "etc" / "xman" / "xmand.toml").read_bytes())
)


def frames(mutant: bytes) -> None:
    """Take tokens from a stream."""
    reader = TokenReader(65_536)
    reader.feed(mutant)
    with contextlib.suppress(TokenTooLargeError):
        while (token := reader.next_token()) is not None:
            assert len(token[1]) <= len(mutant)


def requests(mutant: bytes) -> None:
    """Take a plaintext from an authenticated client."""
    protocol = ServerProtocol()
    protocol.receive(mutant)
    for sent in protocol.take_outgoing():
        m.decode(sent)


def lists(mutant: bytes) -> None:
    """Read a list of administrators."""
    with contextlib.suppress(k5login.K5loginError):
        entries, _warnings, _hash = k5login._parse.__wrapped__("list", mutant)
        assert entries <= set(mutant.split(b"\n"))


def descriptions(mutant: bytes) -> None:
    """Read a description of a domain; what is taken has no entity, and is taken again."""
    with contextlib.suppress(UsageError):
        found = description.parse(mutant.decode("utf-8", "surrogateescape"))
        assert "<!" not in found.xml
        assert description.parse(found.xml).name == found.name


PARSERS = {
    "frames": (frames, FRAMES),
    "requests": (requests, REQUESTS),
    "lists": (lists, LISTS),
    "descriptions": (descriptions, DESCRIPTIONS),
}


def feed(name: str, parse: Callable[[bytes], None], originals: list[bytes], usual: int) -> None:
    """Feed mutants to a parser, and look what it has kept."""
    before = 0
    for number, mutant in enumerate(mutants(rounds(f"F1 {name}", usual), chance(20071121), originals, originals)):
        if number == _WARM:
            gc.collect()
            before = resident_kib()
        try:
            parse(mutant)
        except Exception:
            print(mutant)
            raise
    gc.collect()
    assert resident_kib() - before <= _MOST_GROWTH_KIB


@pytest.mark.parametrize("name", PARSERS)
def test_mutants(name: str) -> None:
    """No mutant makes a parser raise anything but its own error, or keep memory."""
    parse, originals = PARSERS[name]
    feed(name, parse, originals, _ROUNDS)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Nobody reads what each of so many configurations warns of."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
def test_mutants_of_a_configuration(tmp_path: Path) -> None:
    """No mutant makes the configuration raise anything but its own error, or keep memory."""
    path = tmp_path / "xmand.toml"
    path.touch()

    def configurations(mutant: bytes) -> None:
        overwrite(path, mutant)
        with contextlib.suppress(ConfigurationError):
            settings.load(str(path))

    feed("configurations", configurations, CONFIGURATIONS, 300)
