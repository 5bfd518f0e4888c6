"""What a text in one of the notations becomes, or why it is refused: for tests."""

import pytest

from xman.errors import UnsupportedError, UsageError
from xmand import formats
from xmand.formats import xm
from xmand.formats.keyvalues import Settings, Value

HVM = 'name = "vm1"\nbuilder = "hvm"\n'


def read(text: str) -> dict[str, Value | None]:
    """Return what xm's reader finds."""
    return values(xm.parse(text, {}))


def values(settings: Settings) -> dict[str, Value | None]:
    """Return all keys and values."""
    return {key: settings.peek(key) for key in settings.names()}


def to_xml(text: str, *words: str, driver: str = "TEST", convert: bool = False, strict: bool = False) -> str:
    """Return what a configuration becomes."""
    overrides = dict(word.split("=", 1) for word in words)
    return formats.to_xml(text, driver, overrides, convert=convert, strict=strict).xml


def made_of(text: str) -> formats.Converted:
    """Return what a configuration becomes on Xen, with what is said of it."""
    return formats.to_xml(text, "Xen", {}, convert=False, strict=False)


def refused(text: str, *words: str, driver: str = "TEST", convert: bool = False, strict: bool = False) -> str:
    """Return why a configuration is refused, which is one line."""
    with pytest.raises(UsageError) as caught:
        to_xml(text, *words, driver=driver, convert=convert, strict=strict)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def unsupported(text: str, driver: str = "TEST", convert: bool = False) -> str:
    """Return what the driver cannot do."""
    with pytest.raises(UnsupportedError) as caught:
        to_xml(text, driver=driver, convert=convert)
    return str(caught.value)
