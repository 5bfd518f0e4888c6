"""rxm's command line: reads the words, catches every expected error in one place, ends with the outcome's status."""

import sys

import xman
from rxm import options as own_options
from rxm.options import Options
from xman import arguments, lowlevel, outcome, verbs
from xman.arguments import MOST_TEXT, Parsed
from xman.errors import UsageError, XmanError
from xman.verbs import TEXT, Verb

# 128 plus SIGINT, as shells report it; only where nothing was being changed.
_INTERRUPTED = 130


def main() -> None:
    """Run rxm; exits with a status of `xman.outcome`."""
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # a reader that left
        pass
    # At once: tearing the interpreter down takes a fifth as long as starting it, and nothing is left to be done.
    lowlevel.leave(status)


def run(words: list[str]) -> int:
    """Run rxm with `words`; return the exit status."""
    if words[:1] == ["__complete"]:
        from rxm import completion

        return completion.main(words[1:])
    options: Options | None = None
    parsed: Parsed | None = None
    try:
        options, rest = own_options.parse(words)
        done = _answer_here(options, rest)
        if done is not None:
            return done
        parsed = _read(options, rest)

        from rxm import run as carry_out
        from rxm import settings

        return carry_out.run(options, settings.load(options.config), parsed)
    except XmanError as error:
        _report(options, parsed, error, words)
        return error.outcome
    except KeyboardInterrupt:
        changes = parsed is not None and parsed.verb.changes
        _say("Interrupted." + (" What was sent may still happen; look at the host." if changes else ""))
        return outcome.UNKNOWN if changes else _INTERRUPTED


def _answer_here(options: Options, rest: list[str]) -> int | None:
    """Answer what needs no host; return the exit status, or None."""
    if options.version:
        sys.stdout.write(f"rxm {xman.__version__}\n")
    elif options.help and not rest:
        sys.stdout.write(own_options.help_text())
    elif not rest:
        raise UsageError("No verb given; 'rxm --help' lists them.")
    elif options.help or {"-h", "--help"} & set(rest[1:]):
        sys.stdout.write(own_options.verb_help_text(_resolve(rest[0])))
    else:
        return None
    return outcome.OK


def _read(options: Options, rest: list[str]) -> Parsed:
    """Read the verb and its words; what the wire's common options say is taken over into rxm's own."""
    verb = verbs.BY_NAME[_resolve(rest[0])]
    try:
        parsed = arguments.parse(verb, rest[1:], several=True)
    except UsageError:
        _require_in_place(verb, rest[1:])
        raise
    options.json = options.json or parsed.options.pop("json", False) is True
    options.reason = str(parsed.options.pop("reason", options.reason))
    timeout = parsed.options.pop("timeout", options.timeout)
    options.timeout = timeout if isinstance(timeout, float) else None
    for argument in parsed.verb.arguments:
        if argument.kind == TEXT:
            parsed.given[argument.name] = [_file_text(name) for name in parsed.given[argument.name]]
    return parsed


def _require_in_place(verb: Verb, words: list[str]) -> None:
    """Raise UsageError for an option of rxm's own that stands behind the verb."""
    own = {name for option in own_options.OPTIONS for name in option.names}
    for word in words:
        name = word.partition("=")[0]
        if name in own and not any(name in option.names for option in (*verb.options, *verbs.COMMON_OPTIONS)):
            raise UsageError(f"'{name}' stands before the verb: rxm {name} ... {verb.name} ...")


def _resolve(word: str) -> str:
    try:
        name, warning = verbs.resolve(word)
    except LookupError as error:
        raise UsageError(str(error)) from error
    if warning:
        _say(warning)
    return name


def _file_text(name: str) -> str:
    """Return the text of a file, of standard input where `name` is `-`. Raises UsageError."""
    where = "standard input" if name == "-" else name
    if "=" in name and not lowlevel.exists(name):
        # Not repeated: it may be a password.
        raise UsageError("The first word is FILE, or - for standard input; KEY=VALUE words stand behind it.")
    try:
        if name == "-":
            octets = sys.stdin.buffer.read(MOST_TEXT + 1)
        else:
            with open(name, "rb") as file:  # noqa: PTH123  # pathlib reads whole files only
                octets = file.read(MOST_TEXT + 1)
        # Before it is decoded: what was read may end in the middle of a character.
        if len(octets) > MOST_TEXT:
            raise UsageError(f"{where}: larger than {MOST_TEXT // 1024} KiB.")
        text = octets.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{where}: not UTF-8 (octet {error.start}).") from error
    if not text.strip():
        raise UsageError(f"{where}: is empty.")
    return text


def _report(options: Options | None, parsed: Parsed | None, error: XmanError, words: list[str]) -> None:
    """Say what failed here, in the way that was asked for as far as `words` could be read."""
    verb = parsed.verb.name if parsed is not None else _named(options, words)
    if options.json if parsed is not None and options is not None else {"-j", "--json"}.intersection(words):
        from xman import result

        host = options.host if options is not None else ""
        sys.stdout.write(result.dumps(result.failed(host, verb, None, error.outcome, str(error))) + "\n")
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
    sys.stderr.write(f"{text}\n")
