#!/usr/bin/env python3
"""closing.py LOG... - sum up the closing lines of several runs of pytest, and end with the last one's.

Exits with 1 where a run has none, did not pass, or skipped a test. For any Python 3, with nothing else installed.
"""

import re
import sys
from pathlib import Path

# `==== 4886 passed, 1 rerun in 455.03s (0:07:35) ====`, whatever its colours.
_LINE = re.compile(r"^=+ ((?:\d+ \w+(?:, )?)+) in [\d.]+s(?: \([\d:]+\))? =+$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
# In this order, and said also where there is none of them.
_ALWAYS = ("passed", "failed", "errors", "skipped", "tried again")
_OTHER_WORDS = {"error": "errors", "rerun": "tried again", "warning": "warnings"}
_RED = ("failed", "errors", "skipped", "xfailed", "xpassed")


def closing_line(log: str) -> str:
    """Return pytest's last line of a run, or nothing where it has none."""
    found = list(_LINE.finditer(_COLOUR.sub("", log)))
    return found[-1][0] if found else ""


def counts(line: str) -> "dict[str, int]":
    """Return how many tests ended how, by pytest's words."""
    found = _LINE.match(line)
    pairs = re.findall(r"(\d+) (\w+)", found[1]) if found else []
    return {_OTHER_WORDS.get(word, word): int(number) for number, word in pairs}


def summed(lines: "list[str]") -> "dict[str, int]":
    """Return the sums of several closing lines."""
    total = dict.fromkeys(_ALWAYS, 0)
    for line in lines:
        for word, number in counts(line).items():
            total[word] = total.get(word, 0) + number
    return total


def main(logs: "list[str]") -> int:
    """Print what the module says; return the exit status."""
    lines = [closing_line(Path(log).read_text(errors="replace")) for log in logs]
    total = summed(lines)
    red = not all(lines) or not total["passed"] or any(total.get(word) for word in _RED)
    names = " and ".join(Path(log).name for log in logs)
    print(f"{names} together: {', '.join(f'{number} {word}' for word, number in total.items())}")
    for log, line in zip(logs, lines):  # noqa: B905  # older Pythons have no `strict`
        if not line:
            print(f"{Path(log).name}: pytest did not come to its closing line")
    if lines[-1]:
        print(lines[-1])
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
