"""Reading the words behind a verb by the verb table. rxm and xmand read the same words with the same code."""

from xman import grammar, values
from xman.errors import UsageError
from xman.grammar import Argument, Option, Verb
from xman.verbs import COMMON_OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# The largest description of a domain, in octets; a hundred times what people write.
MOST_TEXT = 256 * 1024
# A name, an id, a reason, whatever else is one word; and a KEY=VALUE, which may hold a list.
MOST_WORD = 1024
MOST_ASSIGNMENT = 16 * 1024
# The text of a file that stands behind an option.
MOST_OPTION_TEXT = 16 * 1024
_RID_DIGITS = 32
# Words that may be empty: texts that say why or what, and nothing to type. Whoever gives any other option, and nothing
# in it, meant something else, often by a variable that is not set.
_MAY_BE_EMPTY = ("description", "reason", "send")
# What rxm takes several of, and the wire carries one.
_SHARED_OUT = (grammar.DOMAIN, grammar.NEW)
# Room for the option's name before its value.
_MOST_OPTION = MOST_WORD + 64
# What a destroy takes once patience has run out.
_FORCE_SECONDS = 30.0


class Parsed:
    """The words behind a verb, read.

    `values` by argument name, `given` the words they were made of; `options` by `Option.key` (a flag's value is True).
    """

    __slots__ = ("given", "options", "values", "verb")

    def __init__(
        self, verb: Verb, values: dict[str, object], given: dict[str, list[str]], options: dict[str, object]
    ) -> None:
        self.verb = verb
        self.values = values
        self.given = given
        self.options = options

    def text(self, name: str) -> str:
        """Return the value of a WORD, DOMAIN or TEXT argument; empty where an optional one is absent."""
        return str(self.values.get(name, ""))

    def number(self, name: str) -> int:
        """Return the value of a COUNT (as it is) or a MEMORY (octets) argument."""
        value = self.values[name]
        assert isinstance(value, int)  # noqa: S101  # the table says so
        return value

    def words(self, name: str) -> list[str]:
        """Return the values of an argument that may be given several times."""
        value = self.values.get(name, [])
        assert isinstance(value, list)  # noqa: S101  # the table says so
        return value

    def flag(self, key: str) -> bool:
        """Return whether an option without a value was given."""
        return key in self.options

    @property
    def follows(self) -> bool:
        """Whether the command is answered in parts, until somebody ends it."""
        unless = self.verb.follows_unless
        return self.flag("follow") or self.verb.streams or (bool(unless) and not any(map(self.flag, unless)))

    @property
    def max_age(self) -> float:
        """How old an answer may be, in seconds."""
        return self.seconds("max-age") or 0.0

    def seconds(self, key: str) -> float | None:
        """Return the value of an option that takes SECONDS, None where it was not given."""
        value = self.options.get(key)
        assert value is None or isinstance(value, float)  # noqa: S101  # the table says so
        return value

    def waiting_seconds(self, base: float) -> float | None:
        """Return how long a verb that waits may take, at least `base` seconds; None where it was not asked to wait."""
        force_after = self.options.get("force-after")
        if isinstance(force_after, float):
            return max(base, force_after + _FORCE_SECONDS)
        return base if self.flag("wait") or self.verb.deadline == grammar.WAIT else None


def parse(verb: Verb, words: list[str], several: bool = False) -> Parsed:
    """Read `words` by `verb`'s entry in the table; options may stand anywhere before a `--`. Raises UsageError.

    With `several` (rxm) a verb's one DOMAIN may be many, read with `Parsed.words`, and rxm's own options are taken.
    """
    positionals: list[str] = []
    options: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        if word == "--":
            positionals.extend(rest)
        elif len(word) > 1 and word.startswith("-"):
            for single in _unbundled(verb, word):
                _read_option(verb, single, rest, options, several)
        else:
            positionals.append(word)
    dropped = {name for option in verb.options if option.key in options for name in option.without}
    arguments = tuple(
        argument
        for argument in verb.arguments
        if argument.name not in dropped and (several or argument.kind not in (grammar.HOSTS, grammar.LOCAL))
    )
    given = _assign(verb, arguments, positionals, several)
    return Parsed(verb, _read(arguments, given, several), given, options)


def measure(verb: Verb, words: "list[bytes]") -> None:
    """Refuse words that are too long for whatever they may be, before anything is done with them. Raises UsageError."""
    most = max((_most(argument) for argument in verb.arguments), default=MOST_WORD)
    if any(option.kind == grammar.TEXT for option in verb.options):
        most = max(most, MOST_OPTION_TEXT + MOST_WORD)
    for place, word in enumerate(words, 1):
        if len(word) > most and len(word) > _MOST_OPTION:
            raise UsageError(f"Argument {place} of {verb.name} is longer than {max(most, MOST_WORD)} octets.")


def _most(argument: Argument) -> int:
    """Return how many octets a word may have that stands for `argument`."""
    if argument.kind == grammar.TEXT:
        return MOST_TEXT
    return MOST_ASSIGNMENT if argument.name == "KEY=VALUE" else MOST_WORD


def _bounded(name: str, word: str, most: int = MOST_WORD) -> str:
    """Return `word`, which stands for `name`. Raises UsageError where it is too long for that."""
    if len(word) > most or len(word.encode("utf-8", "surrogateescape")) > most:
        raise UsageError(f"{name} is longer than {most} octets.")
    return word


def _unbundled(verb: Verb, word: str) -> list[str]:
    """Return the flags that `word` holds side by side, as getopt(3) has it; otherwise `word` alone."""
    if len(word) > MOST_WORD:
        return [word]
    flags = {name for option in verb.options if option.kind is None for name in option.names}
    singles = [f"-{letter}" for letter in word[1:]]
    return singles if flags.issuperset(singles) else [word]


def _read_option(verb: Verb, word: str, rest: "Iterator[str]", options: dict[str, object], several: bool) -> None:
    name, equals, value = word.partition("=")
    option = next((o for o in (*verb.options, *COMMON_OPTIONS) if name in o.names), None)
    if option is None:
        _bounded("An option", name)
        raise UsageError(f"'{name}' is not an option of {verb.name}. Usage: {verb.usage()}")
    if option.local and not several:
        raise UsageError(f"'{name}' is an option of rxm only; a host accepts {verb.name} for one DOMAIN at a time.")
    if option.key == "max-age" and verb.changes:
        raise UsageError(f"'{name}' is only for verbs that read; {verb.name} changes something.")
    if option.kind is None:
        if equals:
            raise UsageError(f"'{name}' takes no value.")
        options[option.key] = True
        return
    if not equals:
        following = next(rest, None)
        if following is None:
            raise UsageError(f"'{name}' requires a value: {option.usage()}")
        value = following
    if not value and option.key not in _MAY_BE_EMPTY:
        raise UsageError(f"'{name}' has an empty value.")
    options[option.key] = _option_value(option, value)


def _option_value(option: Option, word: str) -> object:
    _bounded(option.names[-1], word, MOST_OPTION_TEXT if option.kind == grammar.TEXT else MOST_WORD)
    if option.key == "rid":
        if len(word) != _RID_DIGITS or not frozenset("0123456789abcdef").issuperset(word):
            raise UsageError(f"--rid takes {_RID_DIGITS} hexadecimal digits.")
        return word
    if option.kind == grammar.COUNT:
        return values.count(word)
    if option.kind == grammar.MEMORY:
        values.memory(word)
        return word  # with its unit, as it goes over the wire
    if option.kind == grammar.AGE:
        return values.age(word)
    return values.seconds(word) if option.kind == grammar.SECONDS else word


def _assign(verb: Verb, arguments: tuple[Argument, ...], words: list[str], several: bool) -> dict[str, list[str]]:
    """Share out the positional words among the arguments."""
    # Where a word may be left out behind DOMAIN, or there may be many, several could not be told from it.
    optional = any(argument.optional != argument.many for argument in arguments[1:])
    # Of one domain several others are made.
    shared = (grammar.NEW,) if verb.makes else _SHARED_OUT
    many = [argument.many or (several and not optional and argument.kind in shared) for argument in arguments]
    least = sum(not argument.optional for argument in arguments)
    most = None if any(many) else len(arguments)
    if len(words) < least or (most is not None and len(words) > most):
        raise UsageError(f"'{verb.name}' requires {_requirement(least, most)}. Usage: {verb.usage()}")
    given: dict[str, list[str]] = {}
    position = 0
    for index, argument in enumerate(arguments):
        if not many[index]:
            end = position + 1
        elif any(many[index + 1 :]):
            # Of two that may be many the first ends where something is set or taken away.
            end = next((at for at in range(position + 1, len(words)) if _sets(words[at])), len(words))
        else:
            end = len(words) - (len(arguments) - index - 1)
        given[argument.name] = words[position:end]
        position = end
    return given


def _sets(word: str) -> bool:
    return "=" in word or word.endswith("-")


def _read(arguments: tuple[Argument, ...], given: dict[str, list[str]], several: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    for argument in arguments:
        if argument.many and argument.kind == grammar.WORD:
            together = MOST_TEXT if argument.name.startswith("KEY=VALUE") else MOST_WORD
            _bounded(argument.name, " ".join(given[argument.name]), together)
        read = [_value(argument, word) for word in given[argument.name]]
        if argument.many or (several and argument.kind in _SHARED_OUT):
            found[argument.name] = read
        elif read:
            found[argument.name] = read[0]
    return found


def _value(argument: Argument, word: str) -> object:
    if argument.kind != grammar.TEXT:
        _bounded(argument.name, word, _most(argument))
    if argument.kind == grammar.DOMAIN:
        return values.domain(word)
    if not word and argument.kind in (grammar.PAST, grammar.WORD, grammar.LOCAL, grammar.NEW):
        raise UsageError(f"{argument.name.rstrip('.')} is empty.")
    if argument.kind == grammar.MEMORY:
        return values.memory(word)
    if argument.kind == grammar.COUNT:
        return values.count(word)
    if argument.kind == grammar.TEXT and len(word.encode("utf-8", "surrogateescape")) > MOST_TEXT:
        raise UsageError(f"{argument.name} is larger than {MOST_TEXT // 1024} KiB.")
    return word


def _requirement(least: int, most: int | None) -> str:
    """Say how many arguments, in xm's words."""
    if most is None:
        return f"at least {least} argument{'s' * (least != 1)}"
    if least == most:
        return f"{least} argument{'s' * (least != 1)}" if least else "no arguments"
    return f"between {least} and {most} arguments"
