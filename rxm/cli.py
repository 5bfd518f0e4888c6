"""rxm's command line: reads the words, catches every expected error in one place, ends with the outcome's status."""

import sys

import xman
from rxm import options as own_options
from rxm.options import Options
from xman import arguments, lowlevel, outcome, verbs
from xman.arguments import MOST_OPTION_TEXT, MOST_TEXT, Parsed
from xman.errors import UsageError, XmanError
from xman.grammar import TEXT, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# 128 plus SIGINT, as shells report it; only where nothing was being changed.
_INTERRUPTED = 130


def main() -> None:
    """Run rxm, or what it is called: xm or xl; exits with a status of `xman.outcome`, or theirs."""
    lowlevel.open_streams()
    program = sys.argv[0].rpartition("/")[2]
    if program in ("xm", "xl"):
        from rxm.xm import cli as theirs

        status = theirs.run(program, lowlevel.words(), run)
    else:
        status = run(lowlevel.words())
    # At once: tearing the interpreter down takes a fifth as long as starting it, and nothing is left to be done.
    lowlevel.leave(status)


def run(words: list[str]) -> int:
    """Run rxm with `words`; return the exit status."""
    if words[:1] == ["__complete"]:
        from rxm import completion

        return completion.main(words[1:])
    if words[:1] == ["__complete_line"]:
        from rxm import completion

        return completion.for_bash(*words[1:3])
    options: Options | None = None
    parsed: Parsed | None = None
    try:
        options, rest = own_options.parse(words)
        rest = _gathered(options, rest)
        done = _answer_here(options, rest)
        if done is not None:
            return done
        parsed = _read(options, rest)
        # What belongs to no family is about rxm and hosts, and mostly rxm's own.
        if not parsed.verb.family:
            from rxm import own

            if own.answers(parsed):
                if own_options.shaped(options):
                    from rxm.strategies import shaped

                    lowlevel.out(shaped.text(options, parsed.verb, [shaped.HostResult("", own.rows())], several=False))
                    return outcome.OK
                return own.run(options, parsed)

        from rxm import run as carry_out
        from rxm import settings

        return carry_out.run(options, settings.load(options.config), parsed)
    except XmanError as error:
        _report(options, parsed, error, words)
        return error.outcome
    except KeyboardInterrupt:
        changes = parsed is not None and parsed.verb.changes
        _say("Interrupted." + (" What was sent may still take effect; check the host." if changes else ""))
        return outcome.UNKNOWN if changes else _INTERRUPTED


def _gathered(options: Options, rest: list[str]) -> list[str]:
    """Take rxm's own options out of the words behind the verb; return what is left."""
    try:
        verb = _entry(verbs.resolve(rest[0])[0]) if rest else None
    except LookupError:  # which is told where it is resolved in earnest
        return rest
    return rest if verb is None else [rest[0], *own_options.behind(options, verb, rest[1:])]


def _answer_here(options: Options, rest: list[str]) -> int | None:
    """Answer what needs no host; return the exit status, or None."""
    if options.version:
        lowlevel.out(f"rxm {xman.__version__}\n")
    elif options.help and not rest:
        from rxm.own import help as helping

        lowlevel.out(helping.overview())
    elif not rest:
        raise UsageError("No verb given; 'rxm --help' lists them.")
    elif options.help:
        from rxm.own import help as helping

        lowlevel.out(helping.of_verb(_resolve(rest)))
    else:
        return None
    return outcome.OK


def _read(options: Options, rest: list[str]) -> Parsed:
    """Read the verb and its words; what the wire's common options say is taken over into rxm's own."""
    verb = _entry(_resolve(rest))
    try:
        parsed = arguments.parse(verb, rest[1:], several=True)
    except UsageError as error:
        from rxm import slips

        own = [name for option in own_options.OPTIONS for name in option.names]
        near = slips.option(verb, rest[1:], own)
        raise UsageError(str(error).replace(" Usage: ", f"{near} Usage: ", 1)) from error
    options.json = options.json or parsed.options.pop("json", False) is True
    options.reason = str(parsed.options.pop("reason", options.reason))
    timeout = parsed.options.pop("timeout", options.timeout)
    options.timeout = timeout if isinstance(timeout, float) else None
    if options.max_age is not None:
        if verb.changes:
            raise UsageError(f"'--max-age' is only for verbs that read; {verb.name} changes something.")
        parsed.options.setdefault("max-age", options.max_age)
    if own_options.shaped(options):
        from rxm.strategies import shaped

        shaped.check(options, parsed)
        if options.format == "json":
            options.json, options.format = True, ""
    for option in parsed.verb.options:
        if option.kind == TEXT and option.key in parsed.options:
            parsed.options[option.key] = _option_text(option.names[-1], str(parsed.options[option.key]))
    _require_text([options.reason, options.service])
    _require_text([each for each in parsed.options.values() if isinstance(each, str)])
    for argument in parsed.verb.arguments:
        if argument.kind != TEXT:
            _require_text(parsed.given.get(argument.name, ()))
        else:
            parsed.given[argument.name] = [_file_text(name, True) for name in parsed.given[argument.name]]
    return parsed


def _require_text(words: "Iterable[str]") -> None:
    """Raise UsageError for a word that is no UTF-8; only FILE may be named by any octets."""
    for word in words:
        if not word.isascii() and any("\ud800" <= character <= "\udfff" for character in word):
            raise UsageError(f"'{word}' is not UTF-8.")


def _entry(name: str) -> Verb:
    return verbs.row(name) or verbs.OWN[name]


def _resolve(rest: list[str]) -> str:
    try:
        name, warning = verbs.resolve(rest[0])
    except LookupError:
        from rxm import slips

        name, warning = slips.resolve(rest[0], rest[1:])
    if warning:
        _say(warning)
    return name


def _file_text(name: str, described: bool = False) -> str:
    """Return the text of a file, of standard input where `name` is `-`. Raises UsageError.

    Where a domain is `described` in it, remarks may be in any alphabet.
    """
    if not name:
        raise UsageError("FILE is empty; give the name of a file, or - for standard input.")
    where = "standard input" if name == "-" else name
    if "=" in name and not lowlevel.exists(name):
        # Not repeated: it may be a password.
        raise UsageError("FILE, or - for standard input, comes first; KEY=VALUE words follow it.")
    try:
        if name == "-":
            if sys.stdin is None:
                raise UsageError(f"{where} is closed.")
            octets = sys.stdin.buffer.read(MOST_TEXT + 1)
        else:
            with open(lowlevel.octets(name), "rb") as file:  # noqa: PTH123  # pathlib reads whole files only
                octets = file.read(MOST_TEXT + 1)
        # Before it is decoded: what was read may end in the middle of a character.
        if len(octets) > MOST_TEXT:
            raise UsageError(f"{where} is larger than {MOST_TEXT // 1024} KiB.")
        text = octets.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        from rxm import remarks

        found = remarks.passed_over(octets) if described else None
        if found is None:
            raise UsageError(f"{where} is not UTF-8 (octet {error.start}).") from error
        text = found
    if not text.strip():
        raise UsageError(f"{where} is empty.")
    return text


def _option_text(option: str, name: str) -> str:
    """Return the text of the file that an option names. Raises UsageError."""
    text = _file_text(name)
    if len(text.encode()) > MOST_OPTION_TEXT:
        raise UsageError(f"{option}: '{name}' is larger than {MOST_OPTION_TEXT // 1024} KiB.")
    return text


def _report(options: Options | None, parsed: Parsed | None, error: XmanError, words: list[str]) -> None:
    """Say what failed here, in the way that was asked for as far as `words` could be read."""
    verb = parsed.verb.name if parsed is not None else _named(options, words)
    if options.json if parsed is not None and options is not None else {"-j", "--json"}.intersection(words):
        from xman import result

        host = options.host if options is not None else ""
        failed = result.failed(host, verb, None, error.outcome, str(error), error.reason)
        lowlevel.out(f"{result.dumps(failed)}\n")
    else:
        _say(f"Error: {error}")
    if options is not None and options.syslog:
        from rxm.output import summary

        summary.outcome_of(verb or "rxm", error.outcome, str(error))


def _named(options: Options | None, words: list[str]) -> str:
    """Return the verb that was meant, as it was typed where it is none; empty where none was reached."""
    rest = own_options.parse(words)[1] if options is not None else []
    if not rest:
        return ""
    try:
        return verbs.resolve(rest[0])[0]
    except LookupError:
        return rest[0]


def _say(text: str) -> None:
    if not text.isprintable():
        from xman import escape

        text = escape.line(text)
    lowlevel.err(f"{text}\n")
