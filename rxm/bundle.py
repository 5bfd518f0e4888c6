"""`python -m rxm.bundle [DESTDIR]`: write, beside rxm's modules, the one file that `rxm.launcher` reads.

Run by the installation, which may build a package: DESTDIR is what the modules' paths will not begin with any more. In
the file is what one command to one host loads, without what only readers need: documentation, and annotations that are
evaluated when a module is loaded. What only some verbs, or many hosts, need is kept as octets, of which code is made
when it is needed.
"""

import ast
import contextlib
import importlib
import marshal
import pkgutil
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

from rxm import launcher

# What is loaded only once it is needed, and always is.
_LATER = ("rxm.run", "rxm.settings", "xman.gss.mit_backend")
# What a command that fails needs, and what one to many hosts does.
_FAILING = "rxm.remote.messages"
_SEVERAL = (
    "rxm.output.envelope",
    "rxm.output.summary",
    "rxm.remote.kept_tickets",
    "rxm.remote.ticket_caches",
    "rxm.strategies.merged",
    "rxm.strategies.one_loop",
    "xman.gss.tickets",
    "xman.render",
)
# As many of its files are loaded as it takes to find a verb; for this one no more than for any other.
_TABLE, _FIRST = "xman.verbs", "list"
_OURS = ("rxm.", "xman.")
_OF_TYPES = ("collections.abc", "typing")
_GENERIC = ("Callable", "dict", "list", "tuple")
_WITHOUT_DOCSTRINGS = 2


def main() -> None:
    """Write the file."""
    every, some = names()
    destination = "".join(sys.argv[1:])
    modules: dict[str, CodeType | bytes] = {name: _compiled(name, destination) for name in sorted(every)}
    modules |= {name: marshal.dumps(_compiled(name, destination)) for name in sorted(some)}
    octets = MAGIC_NUMBER + marshal.dumps(modules)
    (Path(__file__).parent / launcher.FILE).write_bytes(octets)


def names() -> tuple[set[str], set[str]]:
    """Return the names of the modules that every command loads, `rxm` and `xman` left out, and those that some load."""
    before = set(sys.modules)
    table = importlib.import_module(_TABLE)
    table.row(_FIRST)
    for name in ("rxm.cli", *_LATER):
        # Where MIT's library is not there, as where a package is built, its binding is not either.
        with contextlib.suppress(ImportError, OSError, AttributeError):
            importlib.import_module(name)
    every = {name for name in set(sys.modules) - before if name.startswith(_OURS)}
    for name in (_FAILING, *(f"{_TABLE}.{family.name}" for family in pkgutil.iter_modules(table.__path__)), *_SEVERAL):
        with contextlib.suppress(ImportError, OSError, AttributeError):
            importlib.import_module(name)
    return every, {name for name in set(sys.modules) - before - every if name.startswith(_OURS)}


def _compiled(name: str, destination: str) -> CodeType:
    """Return a module's code, with the path under which it will be found."""
    source = sys.modules[name].__file__
    assert source is not None  # noqa: S101  # only namespaces have none, and ours are none
    tree = _without_types(_Bare().visit(ast.parse(Path(source).read_bytes())))
    path = source.removeprefix(destination)
    made: CodeType = compile(tree, path, "exec", dont_inherit=True, optimize=_WITHOUT_DOCSTRINGS)
    return made


def _without_types(tree: ast.Module) -> ast.Module:
    """Take out what is there for annotations alone, which are gone: `typing` is dearer than all of ours.

    That is names for types (`dict[str, Any]`), and then the imports that nothing uses any more.
    """
    tree.body = [node for node in tree.body if not _names_a_type(node, _used(tree))]
    used = _used(tree)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in _OF_TYPES:
            node.names = [name for name in node.names if name.name in used]
    tree.body = [node for node in tree.body if not isinstance(node, ast.ImportFrom) or node.names]
    return tree


def _used(tree: ast.Module) -> set[str]:
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in names if isinstance(node.ctx, ast.Load)}


def _names_a_type(node: ast.stmt, used: set[str]) -> bool:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Subscript):
        return False
    return ast.unparse(node.value.value) in _GENERIC and used.isdisjoint(map(ast.unparse, node.targets))


class _Bare(ast.NodeTransformer):
    """Takes out what is of types alone: to read that from the file takes as long as a tenth of the rest."""

    def visit_Name(self, node: ast.Name) -> ast.AST:  # ast's own name
        """Say that no types are being checked, so that what is imported for them is no code."""
        if node.id == "TYPE_CHECKING" and isinstance(node.ctx, ast.Load):
            return ast.copy_location(ast.Constant(value=False), node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # ast's own name
        """Of a function's arguments and result."""
        arguments = node.args
        each = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        for one in each:
            if one is not None:
                one.annotation = None
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:  # ast's own name
        """Of a name; one without a value says nothing more."""
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)


if __name__ == "__main__":
    main()
