"""Options as xm and xl took them: getopt's, anywhere among the words, some with a value."""

from xman.errors import UsageError


def _whole(name: str, known: dict[str, str]) -> str:
    """Return the long option that a beginning of it stands for, if it can be nothing else (getopt_long(3))."""
    found = [each for each in known if each.startswith(name)]
    return found[0] if name not in known and len({known[each] for each in found}) == 1 else name


class Words:
    """What was given behind a verb: flags and values by their name, and the other words."""

    def __init__(
        self, words: list[str], flags: dict[str, str], values: dict[str, str], program: str, verb: str
    ) -> None:
        """Read `words`; `flags` and `values` say what each spelling means. Raises UsageError."""
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.rest: list[str] = []
        left = list(words)
        while left:
            word = left.pop(0)
            if word == "--":
                self.rest += left
                break
            if not word.startswith("-") or word == "-":
                self.rest.append(word)
                continue
            name, equals, value = word.partition("=")
            if not word.startswith("--") and len(word) > 2 and word[:2] in flags:  # -wa
                left.insert(0, f"-{word[2:]}")
                word = name = word[:2]
                equals = ""
            if word[:2] in values and len(word) > 2 and word[1] != "-":  # -fFILE
                name, equals, value = word[:2], "=", word[2:]
            elif name.startswith("--"):
                name = _whole(name, flags | values)
            if name in flags and not equals:
                self.flags.add(flags[name])
            elif name in values:
                if not equals:
                    if not left:
                        raise UsageError(f"'{program} {verb}': '{name}' needs a value.")
                    value = left.pop(0)
                self.values[values[name]] = value
            else:
                raise UsageError(f"'{program} {verb}': option {name} is not known here.")

    def exactly(self, least: int, most: int, usage: str) -> list[str]:
        """Return the other words. Raises UsageError where there are too few or too many."""
        if not least <= len(self.rest) <= most:
            raise UsageError(f"Wrong number of arguments; usage: {usage}")
        return self.rest
