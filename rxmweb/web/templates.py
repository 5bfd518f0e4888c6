"""How templates look things up: hosts and machines are dicts, and a page asks thousands of times what is in them."""

from typing import Any

from flask.templating import Environment

from rxmweb.web.languages import current
from rxmweb.web.rendered import Rendered

_OF_EVERY_DICT = frozenset(dir({}))


class Templates(Environment):
    """Jinja's own, but that `row.name` of a dict is not looked for among its attributes first, at an exception each."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return what a template means by `obj.attribute`."""
        if type(obj) is dict and attribute not in _OF_EVERY_DICT:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


# Of a few words each.
_made = Rendered(200_000)


def once(macro: Any, *arguments: Any) -> str:
    """Return what a macro makes of words and numbers alone: made once for each language, and kept."""
    return _made.get((current(), macro.name, *arguments), lambda: macro(*arguments))
