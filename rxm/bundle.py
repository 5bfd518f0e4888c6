"""`python -m rxm.bundle`: write, beside rxm's modules, the one file that `rxm.start` reads; run by the installation.

In it is what one command to one host loads, without what only readers need: documentation, and annotations that are
evaluated when a module is loaded.
"""

import __future__

import contextlib
import importlib
import marshal
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType

from rxm import start

# What is loaded only once it is needed, and always is.
_LATER = ("rxm.run", "rxm.settings", "xman.gss.direct")
_OURS = ("rxm.", "xman.")
_WITHOUT_DOCSTRINGS = 2
# Of the header of a .pyc (PEP 552).
_HEADER_OCTETS = 16


def main() -> None:
    """Write the file."""
    modules = {name: _compiled(name) for name in sorted(names())}
    octets = MAGIC_NUMBER + marshal.dumps(modules)
    (Path(__file__).parent / start.FILE).write_bytes(octets)


def names() -> set[str]:
    """Return the names of the modules that every command loads, `rxm` and `xman` themselves left out."""
    before = set(sys.modules)
    for name in ("rxm.cli", *_LATER):
        # Where MIT's library is not there, as where a package is built, its binding is not either.
        with contextlib.suppress(ImportError, OSError, AttributeError):
            importlib.import_module(name)
    return {name for name in set(sys.modules) - before if name.startswith(_OURS)}


def _compiled(name: str) -> CodeType:
    """Return a module's code, with the path under which it will be found: a package may be built somewhere else."""
    source = sys.modules[name].__file__
    assert source is not None  # noqa: S101  # only namespaces have none, and ours are none
    ordinary: CodeType = marshal.loads(Path(cache_from_source(source)).read_bytes()[_HEADER_OCTETS:])  # noqa: S302
    flags = __future__.annotations.compiler_flag
    text = Path(source).read_bytes()
    made: CodeType = compile(
        text, ordinary.co_filename, "exec", flags, dont_inherit=True, optimize=_WITHOUT_DOCSTRINGS
    )  # fmt: skip
    return made


if __name__ == "__main__":
    main()
