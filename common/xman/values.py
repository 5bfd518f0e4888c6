"""Words that mean something: amounts of memory, counts, and the names of domains. Pure, and used by both ends."""

from xman.errors import UsageError

MIB = 1 << 20
# xl's units, in either case; a bare number is MiB, as in xm.
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
# More than any host has; keeps the arithmetic of libvirt's unsigned KiB far from its end.
_MOST_MEMORY = 1 << 50
_MOST_COUNT = 1 << 16
MOST_SECONDS = 366 * 86_400
# More digits than any number here has; `int` raises an error of its own for thousands of them.
_MOST_DIGITS = 20

# Far beyond what a driver that makes file names of them takes; libvirt's own test driver takes any.
MOST_NAME_OCTETS = 1024
_MOST_SHOWN = 128
# XML has none of these, and libvirt no name of several lines.
_UNNAMEABLE = frozenset(map(chr, range(32))) - {"\t", "\r"}
_NEW_NAME_LENGTH = 64
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset("0123456789")
_NEW_NAME_FIRST = _LETTERS | _DIGITS | {"_"}
_NEW_NAME_REST = _NEW_NAME_FIRST | set(".+-")
# Also with an exponent, as programs write them.
_OF_NUMBERS = _DIGITS | set(".eE+-")
_HEXADECIMAL = _DIGITS | set("abcdefABCDEF")
_UUID_GROUPS = [8, 4, 4, 4, 12]


def memory(word: str) -> int:
    """Return the octets that `word` means: `96` (MiB), `4G`, `512m`, `1048576k`. Raises UsageError."""
    number, unit = (word[:-1], word[-1].lower()) if word[-1:].lower() in _UNITS else (word, "m")
    octets = whole(number) * _UNITS[unit]
    if octets > _MOST_MEMORY or (is_number(number) and len(number) > _MOST_DIGITS):
        raise UsageError(f"'{_shown(word)}' is more than {_MOST_MEMORY >> 40}T.")
    if not octets:
        raise UsageError(f"'{_shown(word)}' is not an amount of memory; give MiB, or a number with B, K, M, G or T.")
    return octets


def count(word: str) -> int:
    """Return the whole number from 1 that `word` means. Raises UsageError."""
    if not 0 < whole(word) <= _MOST_COUNT:
        raise UsageError(f"'{_shown(word)}' is not a whole number from 1 to {_MOST_COUNT}.")
    return int(word)


def seconds(word: str) -> float:
    """Return the positive number of seconds that `word` means. Raises UsageError."""
    try:
        # What `float` takes besides is no number to anybody: digits of all scripts, blanks around, infinities and NaN.
        value = float(word) if word[:1] in _DIGITS | {"."} and _OF_NUMBERS.issuperset(word) else 0.0
    except ValueError:
        value = 0.0
    if not value > 0:
        raise UsageError(f"'{_shown(word)}' is not a number of seconds.")
    # A year is as good as for ever.
    if value > MOST_SECONDS:
        raise UsageError(f"'{_shown(word)}' is more than {MOST_SECONDS} seconds (366 days).")
    return value


def age(word: str) -> float:
    """Return the seconds that `word` means, which may be 0. Raises UsageError."""
    return 0.0 if word.strip("0.") == "" and word[:1] == "0" else seconds(word)


def domain(word: str) -> str:
    """Return `word` if it can be a domain's name, UUID or id at all. Raises UsageError.

    Names that others made are accepted as they are, as is the way in which they are shown (`xman.escape`); only what no
    driver of libvirt takes is refused.
    """
    # First, since what is not UTF-8 on rxm's command line could not be encoded below.
    if not word.isprintable() and not _UNNAMEABLE.isdisjoint(word):
        raise UsageError("A domain's name cannot contain control characters.")
    if not word.isascii() and any("\ud800" <= character <= "\udfff" for character in word):
        raise UsageError("A domain's name must be UTF-8.")
    if not word or len(word.encode()) > MOST_NAME_OCTETS or "/" in word or word in (".", ".."):
        raise UsageError(f"'{word[:_MOST_SHOWN]}' cannot be the name of a domain.")
    return word


def check_new_name(name: str) -> None:
    """Raise UsageError unless `name` may be given to a new domain.

    All digits would be mistaken for an id and the shape of a UUID for one; white space would break the columns.
    """
    wrong = (
        not name
        or len(name) > _NEW_NAME_LENGTH
        or name[0] not in _NEW_NAME_FIRST
        or not _NEW_NAME_REST.issuperset(name)
        or is_number(name)
        or is_uuid(name)
    )
    if wrong:
        raise UsageError(
            f"'{name[:_NEW_NAME_LENGTH]}' is not a valid name for a new domain. Use up to {_NEW_NAME_LENGTH} of"
            " A-Z a-z 0-9 _ . + -, beginning with a letter, a digit or _; neither all digits nor shaped like a UUID."
        )


def check_moving_name(name: str) -> None:
    """Raise UsageError unless a domain of that name, which it has elsewhere, can be told from all others here."""
    domain(name)
    if is_number(name) or is_uuid(name):
        raise UsageError(
            f"A domain called '{name}' would be taken for an id, or for the domain with that UUID; give it another name"
            " while it is off (rxm rename)."
        )


def is_number(word: str) -> bool:
    """Whether `word` is digits only: ASCII ones, since `str.isdigit` takes superscripts, which `int` refuses."""
    return word != "" and _DIGITS.issuperset(word)


def _shown(word: str) -> str:
    """Return a word as an error shows it, on one line."""
    return word if len(word) <= _MOST_SHOWN else f"{word[:_MOST_SHOWN]}..."


def whole(word: str) -> int:
    """Return the number that `word` is, 0 where it is none or beyond all limits here."""
    return int(word) if is_number(word) and len(word) <= _MOST_DIGITS else 0


def is_uuid(word: str) -> bool:
    """Whether `word` has the shape of a UUID with its dashes (RFC 9562, section 4)."""
    groups = word.split("-")
    return [len(group) for group in groups] == _UUID_GROUPS and all(_HEXADECIMAL.issuperset(g) for g in groups)


def ranges(numbers: "list[int] | set[int]") -> str:
    """Return numbers in order as text, `0-3,7`; empty of none."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def is_host_name(name: str) -> bool:
    """Whether it can stand for a host in dnsmasq's files: no sign that ends them, and no word that means a time there.

    One name that is none lets dnsmasq take none of the others.
    """
    parts = name.split(".")
    good = all(
        part and part[0] in _LETTERS | _DIGITS and (_LETTERS | _DIGITS | set("-_")).issuperset(part) for part in parts
    )
    time = is_number(name) or (is_number(name[:-1]) and name[-1:].lower() in "smhdw")
    return good and not time and name.lower() not in ("infinite", "ignore")
