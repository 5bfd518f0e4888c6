"""Reading the words behind a verb by the verb table. rxm and xmand read the same words with the same code."""

from xman import values, verbs
from xman.errors import UsageError
from xman.verbs import COMMON_OPTIONS, Argument, Option, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# The largest description of a domain, in octets; a hundred times what people write.
MOST_TEXT = 256 * 1024
_RID_DIGITS = 32


class Parsed:
    """The words behind a verb, read: `values` by argument name, `options` by `Option.key` (a flag's value is True)."""

    __slots__ = ("options", "values", "verb")

    def __init__(self, verb: Verb, values: dict[str, object], options: dict[str, object]) -> None:
        self.verb = verb
        self.values = values
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


def parse(verb: Verb, words: list[str]) -> Parsed:
    """Read `words` by `verb`'s entry in the table; options may stand anywhere before a `--`. Raises UsageError."""
    positionals: list[str] = []
    options: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        if word == "--":
            positionals.extend(rest)
        elif len(word) > 1 and word.startswith("-"):
            _read_option(verb, word, rest, options)
        else:
            positionals.append(word)
    return Parsed(verb, _read_positionals(verb, positionals), options)


def _read_option(verb: Verb, word: str, rest: "Iterator[str]", options: dict[str, object]) -> None:
    name, equals, value = word.partition("=")
    option = next((o for o in (*verb.options, *COMMON_OPTIONS) if name in o.names), None)
    if option is None:
        raise UsageError(f"'{name}' is not an option of {verb.name}. Usage: {verb.usage()}")
    if option.kind is None:
        if equals:
            raise UsageError(f"'{name}' takes no value.")
        options[option.key] = True
        return
    if not equals:
        following = next(rest, None)
        if following is None:
            raise UsageError(f"'{name}' needs a value: {option.usage()}")
        value = following
    options[option.key] = _option_value(option, value)


def _option_value(option: Option, word: str) -> object:
    if option.key == "rid":
        if len(word) != _RID_DIGITS or not frozenset("0123456789abcdef").issuperset(word):
            raise UsageError(f"--rid takes {_RID_DIGITS} hexadecimal digits.")
        return word
    return values.seconds(word) if option.kind == verbs.SECONDS else word


def _read_positionals(verb: Verb, words: list[str]) -> dict[str, object]:
    least = sum(not argument.optional for argument in verb.arguments)
    most = None if any(argument.many for argument in verb.arguments) else len(verb.arguments)
    if len(words) < least or (most is not None and len(words) > most):
        raise UsageError(f"'{verb.name}' requires {_requirement(least, most)}. Usage: {verb.usage()}")
    found: dict[str, object] = {}
    remaining = list(words)
    for argument in verb.arguments:
        if argument.many:
            found[argument.name] = [_value(argument, word) for word in remaining]
            remaining = []
        elif remaining:
            found[argument.name] = _value(argument, remaining.pop(0))
    return found


def _value(argument: Argument, word: str) -> object:
    if argument.kind == verbs.DOMAIN:
        return values.domain(word)
    if argument.kind == verbs.MEMORY:
        return values.memory(word)
    if argument.kind == verbs.COUNT:
        return values.count(word)
    if argument.kind == verbs.TEXT and len(word.encode()) > MOST_TEXT:
        raise UsageError(f"{argument.name} is larger than {MOST_TEXT // 1024} KiB.")
    return word


def _requirement(least: int, most: int | None) -> str:
    """Say how many arguments, in xm's words."""
    if most is None:
        return f"at least {least} argument{'s' * (least != 1)}"
    if least == most:
        return f"{least} argument{'s' * (least != 1)}" if least else "no arguments"
    return f"between {least} and {most} arguments"
