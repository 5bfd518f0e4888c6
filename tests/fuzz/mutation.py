"""Mutants of what is right: bits, octets, lengths, cuts, repetitions, and pieces of others.

Many more in a second than hypothesis makes, though none of them is the smallest.
"""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

# Lengths and tags that parsers of DER, of RFC 4121 and of our own frames stumble over, and what texts are made of.
_OCTETS = (0x00, 0x01, 0x04, 0x05, 0x30, 0x60, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF, *b'\n"<>&;[]=')
_NUMBERS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutants(
    rounds: Iterable[int], chance: random.Random, originals: list[bytes], others: list[bytes]
) -> Iterator[bytes]:
    """Give a variant of one of `originals` for each round; some of their pieces are of `others`."""
    for _ in rounds:
        original = chance.choice(originals)
        made = bytearray(original)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            _change(made, chance, others)
        if bytes(made) != original:
            yield bytes(made)


def _change(made: bytearray, chance: random.Random, others: list[bytes]) -> None:
    at = chance.randrange(len(made)) if made else 0
    kind = chance.randrange(7)
    if kind == 0 and made:
        made[at] ^= 1 << chance.randrange(8)
    elif kind == 1 and made:
        made[at] = chance.choice(_OCTETS)
    elif kind == 2:
        del made[at : at + chance.choice((1, 2, 16, len(made)))]
    elif kind == 3:
        made[at:at] = bytes(chance.choice(_OCTETS) for _ in range(chance.choice((1, 2, 4, 200))))
    elif kind == 4:
        made[at:at] = made[at : at + chance.randrange(64)]
    elif kind == 5 and len(made) > at + 4:
        made[at : at + 4] = chance.choice(_NUMBERS).to_bytes(4, "big")
    else:
        other = chance.choice(others)
        start = chance.randrange(len(other))
        made[at : at + 32] = other[start : start + 32]


def overwrite(path: Path, content: bytes) -> None:
    """Put other octets into a file that is there; ext4 waits for the disk where one is emptied first."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


def resident_kib() -> int:
    """Return the memory that this process has now."""
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])
