"""What the manual page rxm(1) says of a verb, as plain text: `rxm help` and the page are one source."""

import re
from pathlib import Path

# Beside this module: a link in the tree, a copy where it is installed.
PAGE = Path(__file__).parent.with_name("rxm.1")
# The options of a verb, which stand in the table as well.
_OPTIONS = re.compile(r'^\.RS\n\.\\" options\n.*?^\.RE\n', re.MULTILINE | re.DOTALL)
_FONT = re.compile(r"\\f[BIRP]")
_ALTERNATING = ("BR", "BI", "RB", "RI", "IR", "IB")


class Entry:
    """One verb: what it does, in paragraphs of plain text, and its examples."""

    def __init__(self, paragraphs: list[str], examples: list[str]) -> None:
        self.paragraphs = paragraphs
        self.examples = examples


def verb(name: str) -> Entry | None:
    """Return what the page says of a verb; None where there is no page, or it says nothing."""
    try:
        text = PAGE.read_text("utf-8")
    except OSError:
        return None
    section = text.partition("\n.SH VERBS\n")[2].partition("\n.SH ")[0]
    for entry in re.split(r"^\.TP\n\.B ", section, flags=re.MULTILINE)[1:]:
        usage, _, body = entry.partition("\n")
        if plain(usage).split()[0] == name:
            return _entry(re.split(r"^\.S[SH]", body, maxsplit=1, flags=re.MULTILINE)[0])
    return None


def _entry(body: str) -> Entry:
    examples = [
        line
        for block in re.findall(r"^\.nf\n(.*?)^\.fi$", body, re.MULTILINE | re.DOTALL)
        for line in plain(block).splitlines()
    ]
    body = re.sub(r"^\.nf\n.*?^\.fi$\n?", "", _OPTIONS.sub("", body), flags=re.MULTILINE | re.DOTALL)
    paragraphs = re.split(r"^\.(?:PP|IP|RS|RE|TP).*\n?", body, flags=re.MULTILINE)
    # What stands around an example is markup alone.
    return Entry([text for part in paragraphs if (text := " ".join(plain(part).split()))], examples)


def plain(text: str) -> str:
    """Return text without the markup of man(7)."""
    return "\n".join(_line(line) for line in text.splitlines())


def _line(line: str) -> str:
    macro, _, rest = line[1:].partition(" ") if line.startswith(".") else ("", "", line)
    if macro in _ALTERNATING:
        rest = "".join(word.strip('"') for word in re.findall(r'"[^"]*"|\S+', rest))
    elif macro in ("B", "I"):
        rest = " ".join(word.strip('"') for word in re.findall(r'"[^"]*"|\S+', rest))
    elif macro:
        return ""
    return _FONT.sub("", rest).replace("\\-", "-").replace("\\&", "").replace("\\(aq", "'").replace("\\e", "\\")
