"""Where the collectors are: by name, with a port where it is another one, or by the DNS (`srv:…`)."""

import random

from xman import reporting, srv
from xman.errors import XmanError
from xman.srv import Place


def of(words: tuple[str, ...]) -> list[Place]:
    """Return the collectors in the order to be tried, each once; names in an order drawn by lot, so that all share.

    Raises UsageError and UnreachableError where there is none.
    """
    found: list[Place] = []
    problem: XmanError | None = None
    for word in random.sample(words, len(words)):
        try:
            found += srv.lookup(word) if word.startswith(srv.PREFIX) else [srv.place(word, reporting.PORT)]
        except XmanError as error:
            problem = error
    if not found and problem is not None:
        raise problem
    return list(dict.fromkeys(found))
