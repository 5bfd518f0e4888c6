"""xm's configurations, which are Python (xm.cfg(5)): what they assign is read off the syntax tree, nothing is executed.

xm ran them with `execfile`, as root. What people wrote beyond plain assignments is nearly always a name for a part of a
path, `+` or `%`, and what xm's own examples have: `import os, re`, the machine's architecture, `if`, a check of `vmid`.
Those are understood, within bounds. The rest is refused with its line.
"""

import ast
import os
import re
import threading
import warnings

from xman.errors import UsageError
from xmand.formats.keyvalues import (
    MOST_ITEMS,
    MOST_LENGTH,
    MOST_NUMBER,
    Settings,
    Value,
    python_refused,
    vetted,
    whole,
)

_MOST_STATEMENTS = 4096
# Of all signs together, and of braces: Python's parser holds up every other thread of this program while it is at work,
# half a second for 256 KiB that are nothing but signs, and seconds for f-strings. People write some hundred.
_SIGNS = ",;=()[]{}+-*/%<>.:!&|^~@"
_MOST_SIGNS = 4096
_MOST_BRACES = 64
_REMARK_LINES = re.compile(r"(?m)^[ \t]*#[^\r\n'\"]*$")
_MOST_DEPTH = 32
# Of nodes, of which a value has up to two a level. `ast.unparse` goes through a tree without such a bound, and Python's
# parser has had another one in each release.
_MOST_NODES_DEEP = 4 * _MOST_DEPTH
# A directive of the % operator whose result cannot be much longer than what is put in.
_DIRECTIVE = re.compile(r"%([-0 +#]{0,3}[0-9]{0,2}[sdixXo]|%)")

# What examples import, of which nothing but what `_machine` and `_search` know is there.
_MODULES = frozenset(("os", "os.path", "platform", "re", "string", "sys"))
# How xm's examples ask for the architecture.
_MACHINE = frozenset(("os.uname()[4]", "os.uname()[-1]", "platform.machine()"))
# A pattern that means itself.
_PLAIN = re.compile(r"[A-Za-z0-9_ -]{1,64}")
# The object by which xm's examples tell of variables of the command line (`xm create vmid=1`).
_VARIABLES = "xm_vars."

_WORDS = {
    ast.Import: "import",
    ast.ImportFrom: "import",
    ast.AsyncFunctionDef: "def",
    ast.ClassDef: "class",
    ast.Delete: "del",
    ast.IfExp: "if",
    ast.JoinedStr: "f-string",
    ast.ListComp: "comprehension",
    ast.SetComp: "comprehension",
    ast.DictComp: "comprehension",
    ast.GeneratorExp: "comprehension",
}

# The warnings module is one for all threads.
_parsing = threading.Lock()


class NotPythonError(Exception):
    """The text is not Python at all, so that it may be xl's; `line` is where that shows."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def parse(text: str, given: dict[str, Value]) -> Settings:
    """Return what `text` assigns; `given` are names it may refer to. Raises UsageError and NotPythonError."""
    tree = _tree(text)
    if len(tree.body) > _MOST_STATEMENTS:
        raise UsageError(f"The configuration has more than {_MOST_STATEMENTS} statements.")
    reader = _Reader(given)
    reader.statements(tree.body)
    return reader.settings()


def _tree(text: str) -> ast.Module:
    # Examples have lines of dashes between remarks, and a remark costs the parser nothing. Without a quote in it such a
    # line is one, or part of a string; only braces count in that, which may be an f-string.
    said = _REMARK_LINES.sub("", text)
    if text.count("{") > _MOST_BRACES or sum(map(said.count, _SIGNS)) > _MOST_SIGNS:
        raise UsageError(f"The configuration is too large: more than {_MOST_SIGNS} signs, or {_MOST_BRACES} braces.")
    try:
        with _parsing, warnings.catch_warnings():
            # An odd backslash in a string is a warning of the parser's, for nobody to read here.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        raise NotPythonError(error.lineno or 1) from None
    except (MemoryError, RecursionError):
        raise UsageError("The configuration is nested too deeply.") from None
    except ValueError:
        raise UsageError("The configuration is not plain text.") from None
    level: list[ast.AST] = [tree]
    for _ in range(_MOST_NODES_DEEP):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return tree
    raise UsageError("The configuration is nested too deeply.")


class _Reader:
    def __init__(self, given: dict[str, Value]) -> None:
        self._names: dict[str, Value] = dict(given)
        self._lines: dict[str, int] = {}
        self._referred: set[str] = set()

    def settings(self) -> Settings:
        """Return what was assigned; of what other values were made of, nobody need be told that it means nothing."""
        settings = Settings()
        for key, line in self._lines.items():
            settings.put(key, self._names[key], line)
        settings.helpers = self._referred
        return settings

    def statements(self, nodes: list[ast.stmt], depth: int = 0) -> None:
        """Take what is assigned. Raises UsageError and NotPythonError."""
        if depth > _MOST_DEPTH:
            raise UsageError(f"The configuration is nested too deeply (line {nodes[0].lineno}).")
        for node in nodes:
            if isinstance(node, ast.If):
                self.statements(node.body if self._holds(node.test) else node.orelse, depth + 1)
            else:
                self._statement(node)

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            value = self._value(node.value)
            for target in node.targets:
                self._assign(target, value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            # xl takes += for a key that has no value yet.
            value = self._value(node.value)
            if isinstance(node.target, ast.Name) and node.target.id in self._names:
                value = _sum(self._names[node.target.id], value, node.lineno)
            self._assign(node.target, value)
        elif not isinstance(node, ast.Pass) and not _is_a_remark(node) and not _means_nothing(node):
            raise _refused(node.value if isinstance(node, ast.Expr) else node)

    def _assign(self, target: ast.expr, value: Value | None) -> None:
        if isinstance(target, ast.Attribute):
            raise NotPythonError(target.lineno)  # xl has keys with dots
        if not isinstance(target, ast.Name):
            raise _refused(target)
        if value is None:
            self._names.pop(target.id, None)
            self._lines.pop(target.id, None)
            return
        self._names[target.id] = value
        self._lines[target.id] = target.lineno

    def _value(self, node: ast.expr, depth: int = 0) -> Value | None:
        """Return a value, None for None. Raises UsageError."""
        if depth > _MOST_DEPTH:
            raise UsageError(f"A value is nested too deeply (line {node.lineno}).")
        if isinstance(node, ast.Constant):
            return _constant(node)
        if isinstance(node, ast.List | ast.Tuple):
            return self._list(node, depth)
        if isinstance(node, ast.Name):
            return self._named(node)
        if ast.unparse(node) in _MACHINE:
            return os.uname().machine
        if isinstance(node, ast.Subscript):
            return self._item(node, depth)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            number = self._value(node.operand, depth + 1)
            if not isinstance(number, int):
                raise _misused(node)
            return -number if isinstance(node.op, ast.USub) else number
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Mod) and isinstance(node.right, ast.Tuple):
                right: Value | None = [self._single(item, depth + 1) for item in node.right.elts]
            else:
                right = self._value(node.right, depth + 1)
            return _operation(node, self._value(node.left, depth + 1), right)
        raise _refused(node)

    def _item(self, node: ast.Subscript, depth: int) -> Value:
        """Return an item of a list that has a name: `bootargs = vif[0]`."""
        found = self._value(node.value, depth + 1) if isinstance(node.value, ast.Name) else None
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if not isinstance(found, list) or type(index) is not int:
            raise _refused(node)
        if index >= len(found):
            raise UsageError(f"The list has no such item (line {node.lineno}).")
        return found[index]

    def _call(self, node: ast.Call, depth: int) -> Value:
        """Return `str(...)` or `int(...)` of a value."""
        if ast.unparse(node.func) not in ("str", "int") or len(node.args) != 1 or node.keywords:
            raise _refused(node)
        value = self._single(node.args[0], depth + 1)
        if ast.unparse(node.func) == "str":
            return str(value)
        number = whole(str(value))
        if number is None:
            raise UsageError(f"A value is not a whole number (line {node.lineno}).")
        return _bounded(number, node.lineno)

    def _holds(self, node: ast.expr, depth: int = 0) -> bool:
        """Whether a condition holds. Raises UsageError for what is none that can be told."""
        if depth > _MOST_DEPTH:
            raise UsageError(f"A condition is nested too deeply (line {node.lineno}).")
        if isinstance(node, ast.BoolOp):
            holds = (self._holds(each, depth + 1) for each in node.values)
            return all(holds) if isinstance(node.op, ast.And) else any(holds)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not self._holds(node.operand, depth + 1)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = self._value(node.left, depth + 1), self._value(node.comparators[0], depth + 1)
            return _compared(node, left, right)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("re.search", "re.match"):
            return self._search(node, depth)
        return bool(self._value(node, depth + 1))

    def _search(self, node: ast.Call, depth: int) -> bool:
        """Whether a text has a plain word in it, or begins with it."""
        words = [self._value(each, depth + 1) for each in node.args]
        if len(words) != 2 or node.keywords or not all(isinstance(word, str) for word in words):
            raise _refused(node)
        pattern, text = map(str, words)
        if not _PLAIN.fullmatch(pattern):
            raise _refused(node)
        return pattern in text if ast.unparse(node.func) == "re.search" else text.startswith(pattern)

    def _list(self, node: ast.List | ast.Tuple, depth: int) -> Value:
        if len(node.elts) > MOST_ITEMS:
            raise UsageError(f"A list has more than {MOST_ITEMS} values (line {node.lineno}).")
        # A list by name within a list could grow without bounds; only one that is written out there is taken.
        nested = (ast.List, ast.Tuple)
        return [
            (self._value(item, depth + 1) or []) if isinstance(item, nested) else self._single(item, depth + 1)
            for item in node.elts
        ]

    def _single(self, node: ast.expr, depth: int) -> Value:
        value = self._value(node, depth)
        if value is None or isinstance(value, list):
            raise _misused(node)
        return value

    def _named(self, node: ast.Name) -> Value:
        if node.id not in self._names:
            # Without its name: somebody may have forgotten the quotes around a password.
            raise UsageError(f"A name is used before it is assigned; give it as KEY=VALUE (line {node.lineno}).")
        self._referred.add(node.id)
        return self._names[node.id]


def _compared(node: ast.Compare, left: Value | None, right: Value | None) -> bool:
    operator = node.ops[0]
    if isinstance(operator, ast.Eq | ast.Is):
        return left == right
    if isinstance(operator, ast.NotEq | ast.IsNot):
        return left != right
    if isinstance(operator, ast.In | ast.NotIn) and isinstance(right, list | str):
        if isinstance(right, str) and not isinstance(left, str):
            raise _misused(node)
        return (left in right) is isinstance(operator, ast.In)
    if not isinstance(left, int) or not isinstance(right, int):
        raise _misused(node)
    if isinstance(operator, ast.Lt | ast.LtE):
        return left < right or (left == right and isinstance(operator, ast.LtE))
    return left > right or (left == right and isinstance(operator, ast.GtE))


def _means_nothing(node: ast.stmt) -> bool:
    """Whether a statement of xm's examples leaves no key: an import, a function, what tells xm of variables."""
    if isinstance(node, ast.Import):
        return all(alias.name in _MODULES and not alias.asname for alias in node.names)
    if isinstance(node, ast.FunctionDef):
        # Not called: who calls it is refused there.
        return True
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value).startswith(_VARIABLES)
    )


def _constant(node: ast.Constant) -> Value | None:
    value = node.value
    if value is None:
        return None
    if isinstance(value, str):
        return vetted(value, node.lineno)
    if isinstance(value, int):
        return _bounded(int(value), node.lineno)
    raise UsageError(f"A value is neither a string nor a whole number (line {node.lineno}).")


def _operation(node: ast.BinOp, left: Value | None, right: Value | None) -> Value:
    if left is None or right is None:
        raise _misused(node)
    if isinstance(node.op, ast.Add):
        return _sum(left, right, node.lineno)
    if isinstance(node.op, ast.Mod) and isinstance(left, str):
        return _formatted(left, right, node.lineno)
    if not isinstance(left, int) or not isinstance(right, int):
        raise _misused(node)
    try:
        if isinstance(node.op, ast.Sub):
            return _bounded(left - right, node.lineno)
        if isinstance(node.op, ast.Mult):
            return _bounded(left * right, node.lineno)
        if isinstance(node.op, ast.Div | ast.FloorDiv):  # Python 2's / of whole numbers
            return left // right
        if isinstance(node.op, ast.Mod):
            return left % right
    except ZeroDivisionError:
        raise UsageError(f"A division by zero (line {node.lineno}).") from None
    raise _misused(node)


def _sum(left: Value | None, right: Value | None, line: int) -> Value:
    if isinstance(left, int) and isinstance(right, int):
        return _bounded(left + right, line)
    if isinstance(left, str) and isinstance(right, str):
        return vetted(left + right, line)
    if isinstance(left, list) and isinstance(right, list | str):
        # xl: a list may be added to by a single value.
        both = left + (right if isinstance(right, list) else [right])
        if len(both) > MOST_ITEMS:
            raise UsageError(f"A list has more than {MOST_ITEMS} values (line {line}).")
        return both
    raise UsageError(f"Values of different kinds cannot be added (line {line}).")


def _formatted(template: str, right: Value, line: int) -> str:
    directives = [found for found in _DIRECTIVE.findall(template) if found != "%"]
    arguments = right if isinstance(right, list) else [right]
    if "%" in _DIRECTIVE.sub("", template) or len(directives) != len(arguments):
        raise UsageError(f"The % cannot be carried out (line {line}).")
    if sum(len(str(argument)) for argument in arguments) + len(template) > MOST_LENGTH:
        raise UsageError(f"A value is longer than {MOST_LENGTH} characters (line {line}).")
    try:
        return vetted(template % tuple(arguments), line)
    except (TypeError, ValueError):
        raise UsageError(f"The % cannot be carried out (line {line}).") from None


def _bounded(number: int, line: int) -> int:
    if abs(number) >= MOST_NUMBER:
        raise UsageError(f"A number is too large (line {line}).")
    return number


def _is_a_remark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _misused(node: ast.expr) -> UsageError:
    return UsageError(f"The values do not fit together (line {node.lineno}).")


def _refused(node: ast.stmt | ast.expr) -> UsageError:
    return python_refused(node.lineno, _WORDS.get(type(node), type(node).__name__.lower()))
