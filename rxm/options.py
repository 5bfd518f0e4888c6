"""rxm's own options, which stand before the verb. The table is what `--help` and the manual page are tested against."""

from xman import values
from xman.errors import UsageError
from xman.verbs import COUNT, SECONDS, WORD, Option

OPTIONS = (
    Option(("-H", "--host"), "hosts: a name, a comma list, a range (skirit[80-84]), a group (@cluster)", WORD, "HOSTS"),
    Option(("-p", "--port"), "the port of xmand (4373)", COUNT, "N"),
    Option(("--service",), "the service part of the host's principal (host)", WORD, "NAME"),
    Option(("-j", "--json"), "one JSON object per target per line"),
    Option(("-t", "--timeout"), "the deadline of the whole command, in seconds", SECONDS, "S"),
    Option(("--fanout",), "how many hosts at a time (64)", COUNT, "N"),
    Option(("--fail-fast",), "begin no other target after one has failed"),
    Option(("--reason",), "why, for the audit", WORD, "TEXT"),
    Option(("-q", "--quiet"), "print nothing on success"),
    Option(("--syslog",), "log the outcome to syslog as well"),
    Option(("-c", "--config"), "a configuration file instead of the usual ones", WORD, "FILE"),
    Option(("-h", "--help"), "show this, or a verb's help behind it, and end"),
    Option(("-V", "--version"), "show the version and end"),
)


class Options:
    """What was given; absent ones are empty, 0 or False."""

    def __init__(self, given: dict[str, str]) -> None:
        self.host = given.get("host", "")
        self.port = _count(given, "port")
        self.service = given.get("service", "")
        self.json = "json" in given
        self.timeout = values.seconds(given["timeout"]) if "timeout" in given else None
        self.fanout = _count(given, "fanout")
        self.fail_fast = "fail-fast" in given
        self.reason = given.get("reason", "")
        self.quiet = "quiet" in given
        self.syslog = "syslog" in given
        self.config = given.get("config", "")
        self.help = "help" in given
        self.version = "version" in given


def parse(words: list[str]) -> tuple[Options, list[str]]:
    """Return (options, the verb and what follows). Raises UsageError."""
    given: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if not word.startswith("--") and len(word) > 2:  # -p4373, as getopt(3) has it
            name, equals, value = word[:2], "=", word[2:]
        option = next((option for option in OPTIONS if name in option.names), None)
        if option is None:
            raise UsageError(f"'{name}' is not an option; 'rxm --help' lists them.")
        if option.kind is None and equals:
            raise UsageError(f"'{name}' takes no value.")
        if option.kind is not None and not equals:
            if not rest:
                raise UsageError(f"'{name}' needs a value: {option.usage()}")
            value = rest.pop(0)
        given[option.key] = value
    return Options(given), rest


def _count(given: dict[str, str], key: str) -> int:
    if key not in given:
        return 0
    number = values.whole(given[key])
    if not 0 < number < 65536:
        raise UsageError(f"--{key}: '{given[key]}' is not a number from 1 to 65535.")
    return number


def help_text() -> str:
    """Return what `rxm --help` prints."""
    from xman.verbs import VERBS

    lines = ["Usage: rxm [OPTIONS] VERB [ARGUMENT...]", "", "Options:"]
    for option in OPTIONS:
        names = ", ".join(option.names) + (f" {option.metavar}" if option.metavar else "")
        lines.append(f"  {names:<22} {option.help}")
    lines += ["", "Verbs:"] + [f"  {verb.name:<22} {verb.help}" for verb in VERBS]
    lines += ["", "'rxm VERB --help' says more of one verb; 'rxm help' asks the host which you may use."]
    return "".join(f"{line}\n" for line in lines)


def verb_help_text(name: str) -> str:
    """Return what `rxm VERB --help` prints; the same text as `rxm help VERB`."""
    from xman import render
    from xman.verbs import BY_NAME

    return render.text("help", BY_NAME[name].facts())
