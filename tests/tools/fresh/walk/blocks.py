"""The blocks of README.md and of rxmweb(8): what a reader copies, as it stands. Only Python's own library."""

import re
from pathlib import Path
from typing import NamedTuple

TREE = Path(__file__).resolve().parents[4]
_README = "README.md"
_PAGE = "man/rxmweb.8"


class Block(NamedTuple):
    """Lines to be typed, or of a file; and where they stand."""

    where: str
    text: str


def readme() -> list[Block]:
    """Return the blocks of README.md: what is indented by four or more, after an empty line."""
    lines = (TREE / _README).read_text().splitlines()
    found: list[Block] = []
    begun: list[str] = []
    heading = ""
    before = ""
    for line in [*lines, "end"]:
        indented = line.startswith("    ") and (begun or not before)
        if indented:
            begun.append(line)
        elif line or not begun:
            if begun:
                found.append(Block(f"{_README}, {heading}", _aligned(begun)))
            begun = []
            heading = line.lstrip("# ") if line.startswith("#") else heading
        else:
            begun.append(line)
        before = line
    return found


def page() -> list[Block]:
    """Return the examples of rxmweb(8): what stands between .nf and .fi, without roff's escapes."""
    text = (TREE / _PAGE).read_text()
    found = []
    for section in text.split("\n.SH ")[1:]:
        for example in re.findall(r"^\.nf\n(.*?)^\.fi$", section, re.DOTALL | re.MULTILINE):
            plain = example.replace("\\-", "-").replace("\\(dq", '"').replace("\\(aq", "'").replace("\\e", "\\")
            found.append(Block(f"{_PAGE}, {section.splitlines()[0]}", plain))
    return found


def _aligned(lines: list[str]) -> str:
    margin = min(len(line) - len(line.lstrip()) for line in lines if line)
    return "".join(f"{line[margin:]}\n" for line in lines).rstrip("\n") + "\n"
