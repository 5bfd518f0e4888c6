"""What rxm says of itself: all verbs by family, or one of them. No host is asked, and no ticket is needed."""

import textwrap

from rxm.options import OPTIONS
from rxm.own import manual
from xman import outcome
from xman.grammar import FAMILIES, TITLES, Verb
from xman.verbs import BY_NAME, OWN, VERBS

_WIDTH = 80
_EXAMPLES = (
    ("rxm -H skirit80 list", "every domain of a host"),
    ("rxm -H skirit[80-84] list 'vm*'", "matching domains of five hosts, in one table"),
    ("rxm -H skirit80 shutdown --wait vm1", "shut vm1 down, and return when it is off"),
    ("rxm check", "why a command does not work"),
)


def overview() -> str:
    """Return what `rxm help` and `rxm --help` print."""
    lines = ["Usage: rxm [OPTIONS] VERB [ARGUMENT...]", "", "Options:"]
    for option in OPTIONS:
        names = ", ".join(option.names) + (f" {option.metavar}" if option.metavar else "")
        lines.append(f"  {names:<22} {option.help}")
    own = {"": [verb for verb in VERBS if not verb.family] + list(OWN.values())}
    for family in ("", *FAMILIES):
        verbs = own.get(family) or [verb for verb in VERBS if verb.family == family]
        lines += ["", f"{TITLES.get(family, family)}:"] if verbs else []
        lines += [f"  {verb.name:<22} {verb.help}" for verb in verbs]
    lines += ["", "Examples:"] + [f"  {words:<38} {what}" for words, what in _EXAMPLES]
    lines += ["", "Exit status:"]
    lines += [f"  {code:<3} {name:<15} {meaning}" for code, (name, meaning) in outcome.CLASSES.items()]
    lines += ["", "'rxm help VERB' explains one verb; 'rxm help --mine' asks the host which verbs you may use."]
    return "".join(f"{line}\n" for line in lines)


def of_verb(name: str) -> str:
    """Return what `rxm help VERB` and `rxm VERB --help` print."""
    verb: Verb = BY_NAME.get(name) or OWN[name]
    entry = manual.verb(name) or manual.Entry([], [])
    lines = [f"Usage: rxm {verb.usage()}", "", f"{verb.help[:1].upper()}{verb.help[1:]}."]
    options = {
        ", ".join(option.names) + (f" {option.metavar}" if option.metavar else ""): option.help
        for option in verb.options
    }
    width = max(map(len, options), default=0)
    for names, meaning in options.items():
        behind = " " * (width + 4)
        lines += textwrap.wrap(meaning, _WIDTH, initial_indent=f"  {names:<{width}}  ", subsequent_indent=behind)
    for paragraph in entry.paragraphs:
        lines += ["", *textwrap.wrap(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False)]
    if entry.examples:
        lines += ["", f"Example{'s' * (len(entry.examples) > 1)}:", *(f"  {line}" for line in entry.examples)]
    classes = ", ".join(f"{code} {kind}" for code, (kind, _meaning) in outcome.CLASSES.items())
    lines += ["", *textwrap.wrap(f"Exit status: {classes}; 'rxm help' says what they mean.", _WIDTH)]
    return "".join(f"{line}\n" for line in lines)
