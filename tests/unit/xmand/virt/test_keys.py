"""Names of keys (`xmand.virt.keys`)."""

import pytest

from xman.errors import UsageError
from xmand.virt import keys

CTRL_ALT_DEL = [29, 56, 111]


@pytest.mark.parametrize(
    "words",
    [
        ["ctrl-alt-del"],
        ["Ctrl+Alt+Delete"],
        ["KEY_LEFTCTRL", "KEY_LEFTALT", "KEY_DELETE"],
        ["ctrl", "leftalt-del"],
        ["ctrl-ctrl-alt-del"],
    ],
)
def test_keys_have_many_names(words: list[str]) -> None:
    assert keys.codes(words) == CTRL_ALT_DEL


# linux/input-event-codes.h
@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("esc", 1), ("1", 2), ("0", 11), ("q", 16), ("enter", 28), ("a", 30), ("space", 57), ("f1", 59), ("f10", 68)),
        *(("kpdot", 83), ("102nd", 86), ("f11", 87), ("f12", 88), ("kpenter", 96), ("sysrq", 99), ("rightalt", 100)),
        *(
            ("home", 102),
            ("up", 103),
            ("delete", 111),
            ("power", 116),
            ("pause", 119),
            ("leftmeta", 125),
            ("menu", 127),
        ),
    ],
)
def test_the_numbers_are_the_kernels(name: str, code: int) -> None:
    assert keys.codes([name]) == [code]


@pytest.mark.parametrize("words", [["s3cret"], [""], ["ctrl-"], ["-"], ["ctrl--alt"], ["KEY_"], ["\u00e9"]])
def test_what_is_no_key_is_told_and_not_said_again(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        keys.codes(words)

    assert not any(word and word in str(caught.value) for word in words if word not in ("-", "ctrl-", "KEY_"))


def test_more_than_sixteen_are_refused() -> None:
    with pytest.raises(UsageError):
        keys.codes(list("abcdefghijklmnopq"))
