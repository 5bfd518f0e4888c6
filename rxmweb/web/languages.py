"""Czech and English: gettext's catalogues, made from the .po files at start, and dates as each language writes them."""

import contextlib
import gettext
import io
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

LANGUAGES = {"en": "English", "cs": "Čeština"}
DEFAULT = "en"
_spoken: ContextVar[str] = ContextVar("spoken", default=DEFAULT)


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return the translations into a language; English is what the code is written in."""
    if language == DEFAULT:
        return gettext.NullTranslations()
    text = resources.files("rxmweb").joinpath("locale", f"{language}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(text), locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def current() -> str:
    """Return the language that is spoken."""
    return _spoken.get()


def speak(language: str) -> None:
    """Use a language from now on, in this thread: until its next request says which."""
    _spoken.set(language)


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Use a language for a while."""
    token = _spoken.set(language if language in LANGUAGES else DEFAULT)
    try:
        yield
    finally:
        _spoken.reset(token)


def _(message: str) -> str:
    """Translate into the language that is spoken."""
    return catalogue(current()).gettext(message) if message else ""


def worded(message: str, **fields: Any) -> Markup:
    """Translate as `_` does, for a template: what stands in a field is escaped."""
    if not fields:
        return _whole(message, current())
    return Markup(_(message) % {name: escape(value) for name, value in fields.items()})  # noqa: S704  # words of our own


@lru_cache(2048)  # a page says the same in many places
def _whole(message: str, language: str) -> Markup:
    return Markup((catalogue(language).gettext(message) if message else "") % {})  # noqa: S704  # words of our own


def ngettext(one: str, many: str, number: int) -> str:
    """Translate with the form that the number takes."""
    return catalogue(current()).ngettext(one, many, number)


def ago(seconds: float) -> str:
    """Return an age: `12 min ago`, `před 12 min`."""
    return _("just now") if seconds < 60 else _ago(int(seconds) // 60, current())


def ends(seconds: float) -> str:
    """Return when something ends that has so long to go: `ends in 12 min`, `skončí za 12 min`."""
    if seconds < 60:
        return _("about to end")
    return _("ends %(when)s") % {"when": _ago(-(int(seconds) // 60), current())}


@lru_cache(4096)
def _ago(minutes: int, language: str) -> str:
    return format_timedelta(
        -60 * minutes,
        granularity="minute",
        threshold=1.2,
        add_direction=True,
        format="short",
        locale=_LOCALES[language],
    )


def moment(at: float | None) -> str:
    """Return a point in time with its offset, so that nobody has to guess whose clock it is."""
    return "" if at is None else _moment(int(at), current())


@lru_cache(4096)  # a page names the same moment in many rows
def _moment(at: int, language: str) -> str:
    local = datetime.fromtimestamp(at).astimezone()
    if language == "cs":
        return format_datetime(local, "d. M. y HH:mm:ss ZZZZ", locale=_LOCALES[language])
    return local.strftime("%Y-%m-%d %H:%M:%S %z")


def number(value: float, digits: int = 0) -> str:
    """Return a number as the language writes it: without Babel, which parses its locale anew for each."""
    text = f"{round(value, digits):,.{digits}f}"
    if digits:
        text = text.rstrip("0").rstrip(".")
    return text.translate(_CZECH) if current() == "cs" else text


def octets(value: float | None) -> str:
    """Return a size in the unit that suits it."""
    if value is None:
        return ""
    size = float(value)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{number(size, 0 if size >= 100 or size == int(size) else 1)}\N{NO-BREAK SPACE}{unit}"


def iso(at: float) -> str:
    """Return a point in time for programs."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# English with a 24-hour clock, and day before month.
_LOCALES = {language: Locale.parse("en_GB" if language == DEFAULT else language) for language in LANGUAGES}
_CZECH = {ord(","): "\N{NO-BREAK SPACE}", ord("."): ","}
