#!/usr/bin/env python3
"""packaging/pages.py DIRECTORY: write the manual pages as HTML, and a quick reference of all verbs on one page.

Of man(7) it knows what our pages use; anything else is an error, so that nothing is lost without a word.
"""

import html
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "common"), str(ROOT)]

from xman.grammar import FAMILIES, TITLES  # noqa: E402  # found by the line above
from xman.verbs import OWN, VERBS  # noqa: E402

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}dt{font-weight:bold;margin-top:.6em}"
    "pre{background:#eee;padding:.5em;overflow-x:auto}h2{border-bottom:1px solid #bbb}"
    "td,th{text-align:left;padding:.1em .8em}"
)
_SPECIAL = {"\\-": "-", "\\&": "", "\\e": "\\", "\\(aq": "'", "\\(dq": '"', "\\(lq": "“", "\\(rq": "”", "\\(bu": "•"}
_FONTS = {"B": "b", "I": "i", "R": ""}


def main() -> None:
    """Write the pages."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    pages = sorted((ROOT / "man").iterdir())
    for path in pages:
        (directory / f"{path.name}.html").write_text(page(path.name, body(path.read_text())))
    links = "".join(f'<li><a href="{path.name}.html">{path.name}</a>' for path in pages)
    (directory / "quick-reference.html").write_text(page("rxm, on one page", quick_reference()))
    links += '<li><a href="quick-reference.html">quick reference</a>'
    (directory / "index.html").write_text(page("xman", f"<h1>xman</h1><ul>{links}</ul>"))


def page(title: str, content: str) -> str:
    """Return a whole page."""
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    )
    return f'<!DOCTYPE html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{content}</body></html>\n'


def quick_reference() -> str:
    """Return every verb by family, with its usage and its line of help."""
    found = "<h1>rxm</h1><pre>rxm [OPTIONS] VERB [ARGUMENT...]</pre>"
    for family in ("", *FAMILIES):
        verbs = [verb for verb in (*VERBS, *OWN.values()) if verb.family == family]
        rows = "".join(f"<tr><td><code>{html.escape(v.usage())}</code><td>{html.escape(v.help)}" for v in verbs)
        found += f"<h2>{TITLES.get(family, family)}</h2><table>{rows}</table>" if rows else ""
    return found


def body(text: str) -> str:
    """Return what stands between a page's tags."""
    found, term, within = "", False, ""
    for line in text.splitlines():
        macro, _, rest = line[1:].partition(" ") if line.startswith(".") else ("", "", line)
        if macro == "TH":
            name, section = rest.split()[:2]
            found += f"<h1>{name.lower()}({section})</h1>"
        elif macro in ("SH", "SS"):
            tag = "h2" if macro == "SH" else "h3"
            found, within = f"{found}{within}<{tag}>{inline(rest.strip(chr(34)))}</{tag}>", ""
        elif macro == "TP":
            found, within, term = found + ("" if within else "<dl>"), "</dl>", True
        elif macro in ("PP", "IP", "sp", "br"):
            found += "<br>" if macro == "br" else "<p>"
        elif macro in ("nf", "fi"):
            found += "<pre>" if macro == "nf" else "</pre>"
        elif macro in ("RS", "RE", '\\"', "ad", "nh", "hy", "ne"):
            continue
        else:
            said = styled(macro, rest)
            found += f"<dt>{said}<dd>" if term else f"{said}\n"
            term = False
    return found + within


def styled(macro: str, rest: str) -> str:
    """Return a line of text, or of words in turns of two fonts."""
    if not macro:
        return inline(rest)
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', rest)]
    if macro in ("B", "I"):
        return f"<{macro.lower()}>{inline(' '.join(words))}</{macro.lower()}>"
    if len(macro) != 2 or not set(macro) <= set(_FONTS):
        raise ValueError(f".{macro}: not known here")
    tags = [_FONTS[macro[at % 2]] for at in range(len(words))]
    return "".join(f"<{tag}>{inline(w)}</{tag}>" if tag else inline(w) for tag, w in zip(tags, words, strict=True))


def inline(text: str) -> str:
    """Return text with its changes of font, and without roff's escapes."""
    text = html.escape(text, quote=False)
    for escape, character in _SPECIAL.items():
        text = text.replace(escape, character)
    text = re.sub(r"\\f([BI])(.*?)\\f[RP]", lambda m: f"<{m[1].lower()}>{m[2]}</{m[1].lower()}>", text)
    return re.sub(r"\\f[BIRP]", "", text)


if __name__ == "__main__":
    main()
