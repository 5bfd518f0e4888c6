"""rxm's own options, which may stand anywhere; behind a verb, its own of the same name win.

The table is what `--help` and the manual page are tested against.
"""

from xman import values
from xman.errors import UsageError
from xman.grammar import AGE, COUNT, SECONDS, WORD, Option, Verb
from xman.verbs import COMMON_OPTIONS

OPTIONS = (
    Option(("-H", "--host"), "hosts: a name, a comma list, a range (skirit[80-84]), a group (@cluster)", WORD, "HOSTS"),
    Option(("-p", "--port"), "the port of xmand (4373)", COUNT, "N"),
    Option(("--service",), "the service part of the host's principal (host)", WORD, "NAME"),
    Option(("-j", "--json"), "one JSON object per target per line"),
    Option(("-t", "--timeout"), "the deadline of the whole command, in seconds", SECONDS, "S"),
    Option(("--fanout",), "how many hosts at a time (64)", COUNT, "N"),
    Option(("--fail-fast",), "start no further target after one has failed"),
    Option(("--reason",), "why, for the audit", WORD, "TEXT"),
    Option(("--max-age",), "for verbs that read: accept an answer that is at most S seconds old (0)", AGE, "S"),
    Option(("-q", "--quiet"), "print nothing on success"),
    Option(("-y", "--yes"), "do not ask for confirmation"),
    Option(("--syslog",), "log the outcome to syslog as well"),
    Option(("-o", "--output"), "the format of a table: name, wide, csv or json (as -j)", WORD, "FORMAT"),
    Option(("--columns",), "show these columns, by the names that -j gives them", WORD, "NAME,..."),
    Option(("--sort",), "sort by this column; -NAME for the largest first", WORD, "COLUMN"),
    Option(("--no-headers",), "leave out the line of headings"),
    Option(("-v", "--verbose"), "say on standard error what is asked of whom, and how long it took"),
    Option(("-c", "--config"), "a configuration file instead of the usual ones", WORD, "FILE"),
    Option(("-h", "--help"), "show this help, or that of the verb before it, and exit"),
    Option(("-V", "--version"), "show the version and exit"),
)


class Options:
    """What was given; absent ones are empty, 0 or False."""

    def __init__(self, given: dict[str, str]) -> None:
        self.host = given.get("host", "")
        self.port = _count(given, "port")
        self.service = given.get("service", "")
        self.json = "json" in given
        self.timeout = values.seconds(given["timeout"]) if "timeout" in given else None
        self.max_age = values.age(given["max-age"]) if "max-age" in given else None
        self.fanout = _count(given, "fanout")
        self.fail_fast = "fail-fast" in given
        self.reason = given.get("reason", "")
        self.quiet = "quiet" in given
        self.yes = "yes" in given
        self.syslog = "syslog" in given
        self.config = given.get("config", "")
        self.format = given.get("output", "")
        self.columns = given.get("columns", "")
        self.sort = given.get("sort", "")
        self.no_headers = "no-headers" in given
        self.verbose = "verbose" in given
        self.help = "help" in given
        self.version = "version" in given

    def add(self, given: dict[str, str]) -> None:
        """Take over what was given behind the verb."""
        more = Options(given)
        for key in given:
            name = "format" if key == "output" else key.replace("-", "_")
            setattr(self, name, getattr(more, name))


def shaped(options: Options) -> bool:
    """Whether a table of another shape than the usual one is asked for."""
    return bool(options.format or options.columns or options.sort or options.no_headers)


# Why may be empty. Whoever gives any other option, and nothing in it, meant something else.
_MAY_BE_EMPTY = ("reason",)


def parse(words: list[str]) -> tuple[Options, list[str]]:
    """Return (options, the verb and what follows). Raises UsageError."""
    given: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        option, name, value = _split(word)
        if option is None:
            from rxm import slips

            near = slips.did_you_mean(name, (each for option in OPTIONS for each in option.names))
            raise UsageError(f"'{name}' is not an option; 'rxm --help' lists them.{near}")
        _take(option, name, value, rest, given)
    return Options(given), rest


def behind(options: Options, verb: Verb, words: list[str]) -> list[str]:
    """Take over the options of rxm's own that stand behind a verb; return what is the verb's. Raises UsageError."""
    given: dict[str, str] = {}
    rest = list(words)
    left: list[str] = []
    while rest and rest[0] != "--":
        word = rest.pop(0)
        if _mixed(verb, word):
            rest[:0] = [f"-{letter}" for letter in word[1:]]
            continue
        theirs = _of_verb(verb, word)
        option, name, value = _split(word) if theirs is None and len(word) > 1 and word[0] == "-" else (None, "", None)
        if option is None:
            left.append(word)
            if theirs is not None and theirs.kind is not None and "=" not in word:
                left += rest[:1]
                del rest[:1]
        else:
            _take(option, name, value, rest, given)
    options.add(given)
    return left + rest


def _mixed(verb: Verb, word: str) -> bool:
    """Whether a word holds flags side by side, the verb's and ours."""
    if word[:1] != "-" or word[1:2] == "-" or len(word) < 3:
        return False
    theirs = {name for option in verb.options if option.kind is None for name in option.names}
    ours = {name for option in OPTIONS if option.kind is None for name in option.names}
    letters = {f"-{letter}" for letter in word[1:]}
    return letters <= theirs | ours and not letters <= theirs


def _of_verb(verb: Verb, word: str) -> Option | None:
    name = word.partition("=")[0]
    return next((option for option in (*verb.options, *COMMON_OPTIONS) if name in option.names), None)


def _split(word: str) -> tuple[Option | None, str, str | None]:
    """Return the option that a word gives, its name, and its value where that is in the same word."""
    name, equals, value = word.partition("=")
    if not word.startswith("--") and len(word) > 2:  # -p4373, as getopt(3) has it
        name, equals, value = word[:2], "=", word[2:]
    option = next((option for option in OPTIONS if name in option.names), None)
    return option, name, value if equals else None


def _take(option: Option, name: str, value: str | None, rest: list[str], given: dict[str, str]) -> None:
    if option.kind is None:
        if value is not None and not name.startswith("--"):  # -qj
            rest.insert(0, f"-{value}")
        elif value is not None:
            raise UsageError(f"'{name}' takes no value.")
        given[option.key] = ""
        return
    if value is None:
        if not rest:
            raise UsageError(f"'{name}' requires a value: {option.usage()}")
        value = rest.pop(0)
    if not value and option.key not in _MAY_BE_EMPTY:
        raise UsageError(f"'{name}' has an empty value{_EMPTY.get(option.key, '.')}")
    given[option.key] = value


_EMPTY = {"host": ", which names no host; leave it out for the configured hosts."}


def _count(given: dict[str, str], key: str) -> int:
    if key not in given:
        return 0
    number = values.whole(given[key])
    if not 0 < number < 65536:
        raise UsageError(f"--{key}: '{given[key]}' is not a number from 1 to 65535.")
    return number
