"""What `rxmweb check` finds of the portal's own parts: modules, templates, what browsers fetch, and translations."""

import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

from jinja2 import Environment, TemplateSyntaxError, meta

from xman.finding import BAD, Finding

# Those that no other names.
_FIRST = ("error.html", "kiosk.html", "sign-on.html", "table.html")
_STATIC = re.compile(r"url_for\('static', filename='([^']+)'\)")
_REMEDY = "is it whole? Install it anew"


def check(where: Traversable | None = None) -> Iterator[Finding]:
    """Look for what an installation may lack below `where`, the package's own folder."""
    try:
        import rxmweb.web.serve
        import rxmweb.worker  # noqa: F401
    except ImportError as error:
        yield BAD, f"installation: {error}; install the portal's libraries (packages, or pip's xman[portal])"
    folder = where or resources.files("rxmweb")
    problem = _lacking(folder)
    if problem:
        yield BAD, f"installation: {problem}; {_REMEDY}"


def _lacking(folder: Traversable) -> str:
    """Return what is missing, or cannot be read; empty where nothing is."""
    try:
        there = {
            file.name: file.read_text("utf-8") for file in folder.joinpath("templates").iterdir() if file.is_file()
        }
        folder.joinpath("locale", "cs.po").read_bytes()
        wanted, static = set(_FIRST), set()
        for name, text in there.items():
            parsed = Environment(autoescape=True, extensions=["jinja2.ext.i18n"]).parse(text, name)
            wanted |= {each for each in meta.find_referenced_templates(parsed) if each}
            static |= set(_STATIC.findall(text))
        if missing := sorted(wanted - there.keys()):
            return f"{folder}/templates lacks {', '.join(missing)}"
        for name in sorted(static):
            folder.joinpath("static", name).read_bytes()
    except TemplateSyntaxError as error:
        return f"{folder}/templates/{error.name} is damaged ({error.message})"
    except (OSError, UnicodeDecodeError) as error:
        return f"{getattr(error, 'filename', None) or folder}: {getattr(error, 'strerror', None) or error}"
    return ""
