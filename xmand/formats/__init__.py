"""The descriptions that `create` and `new` take: libvirt's XML, xm's and xl's `key = value`, and SXP.

Which one it is, its content says; no name of a file travels. What is not XML becomes XML here, for the front door of
all descriptions (`xmand.virt.description`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from xman.errors import UsageError
from xmand.formats import dialect, sxp, xl, xm
from xmand.formats import domain_xml as conversion
from xmand.formats.context import Context, ThisHost
from xmand.formats.keyvalues import Settings, Value, vetted, whole

_BLANK = "\ufeff \t\r\n"
# Possessive: what was passed over is never looked at again, and nothing is kept of it.
_REMARKS = re.compile(rf"(?:[{_BLANK}]++|#[^\n]*+(?:\n|\Z))*+")
# As `xl list --long` prints it.
_JSON = re.compile(r"\s*(?:\[\s*)?\{")
# Of xm's and xl's files and SXP, which are read word by word here. The largest that we know has 10 KiB.
MOST_CONFIGURATION = 64 * 1024


@dataclass(frozen=True)
class Converted:
    """A description in libvirt's XML, and what a person is to be told about it."""

    xml: str
    warnings: tuple[str, ...] = ()
    # Whether it is to be started with its host, which no description says.
    autostart: bool = False


def is_xml(text: str, overrides: Mapping[str, str]) -> bool:
    """Whether `text` is to be read as XML; nothing at all is a configuration where `overrides` are one."""
    return _begins(text) == "<" or (not _begins(text) and not overrides)


def to_xml(
    text: str,
    driver: str,
    overrides: dict[str, str],
    *,
    convert: bool,
    strict: bool,
    kvm: bool = False,
    theirs: str = "",
    host: ThisHost | None = None,
) -> Converted:
    """Return `text` as libvirt's XML for a driver (libvirt's own name of it: QEMU, Xen, TEST).

    `overrides` win over the keys of the text; with `convert` a Xen guest may become another kind of guest; with
    `strict` what nothing stands for is an error; with `kvm` QEMU's guests have the processor's own virtualization;
    `theirs` is whose defaults hold, xm's or xl's, where the text does not show whose it is. Raises UsageError, with
    the line where there is one, and UnsupportedError for what the driver cannot do: all of it at once.
    """
    if is_xml(text, overrides):
        if overrides:
            raise UsageError("KEY=VALUE changes an xm configuration or SXP; FILE is XML.")
        return Converted(text)
    if len(text) > MOST_CONFIGURATION:
        raise UsageError(f"The configuration is larger than {MOST_CONFIGURATION // 1024} KiB.")
    given = {key: _override(key, word) for key, word in overrides.items()}
    settings = _read(text.lstrip("\ufeff"), given)
    for key, value in given.items():
        settings.put(key, value, 0)
    whose = dialect.XM if _begins(text) == "(" else theirs or dialect.of(settings)
    context = Context(settings, driver, convert, kvm, whose, host or ThisHost())
    if whose == dialect.XL:
        settings.passes_over = context.leave_out
    xml = conversion.to_xml(context)
    left = list(map(settings.named, settings.left_over()))
    if strict and (left or context.left_out):
        nothing = ", ".join([*left, *context.left_out])
        context.refusals.append(UsageError(f"These keys have no equivalent on this host: {nothing}."))
    context.require_nothing_refused()
    if left:
        context.warn(f"Left out, without an equivalent on this host: {', '.join(left)}.")
    return Converted(xml, tuple(context.warnings), context.autostart)


def _begins(text: str) -> str:
    """Return the first character that counts; `#` begins a comment in all that is not XML."""
    match = _REMARKS.match(text)
    rest = text[match.end() :] if match else text
    return rest[:1] or text.lstrip(_BLANK)[:1]


def _read(text: str, given: dict[str, Value]) -> Settings:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("The description is not UTF-8.") from None
    if _begins(text) == "(":
        return sxp.parse(text)
    if _JSON.match(text):
        raise UsageError(
            "FILE is JSON, which neither xl nor this reads; give a configuration of xm's or xl's, SXP, or libvirt's XML"
            " (rxm describe)."
        )
    try:
        return xm.parse(text, given)
    except xm.NotPythonError as python:
        try:
            return xl.parse(text)
        except xl.XlError as error:
            # Which of the two it was meant for shows by how far it can be read.
            if python.line > error.line:
                raise UsageError(f"The configuration cannot be read (line {python.line}).") from None
            raise


def _override(key: str, word: str) -> Value:
    """Return the value of a KEY=VALUE word: in brackets or quotes as in a file, otherwise the text itself."""
    try:
        if word[:1] in ("[", "'", '"'):
            return xl.value(word)
        number = whole(word)
        # As it is written: 007 may be a name.
        return number if number is not None and str(number) == word else vetted(word, 1)
    except UsageError as error:
        raise UsageError(f"{key}=: {error}") from None
