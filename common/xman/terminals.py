"""Names of terminals: those of a laboratory's desks, as they are written in a domain's metadata. Pure."""

import re

# As a host's name in the DNS, which it most often is.
_NAME = re.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def is_name(word: str) -> bool:
    """Whether it may be a terminal's name."""
    return _NAME.fullmatch(word) is not None
