"""What is written into the one file that an installed rxm starts from (`rxm.bundle`)."""

import ast
import importlib
import marshal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest

from rxm import bundle, launcher
from tests.lab.process import ROOT


def names(before: str = "", chosen: str = "*every, *some") -> set[str]:
    """Return the modules chosen by a Python that has done something `before`."""
    program = f"import sys; {before}\nfrom rxm import bundle\nevery, some = bundle.names()\nprint({chosen})"
    env = {"PYTHONPATH": f"{ROOT / 'common'}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_what_is_loaded_late_is_among_them() -> None:
    assert {"rxm.cli", "rxm.run", "rxm.remote.transport", "xman.gss.mit_backend", "xman.wire.tokens"} <= names()


def test_what_only_few_commands_need_is_not() -> None:
    assert not names() & {"rxm", "xman", "rxm.bundle", "rxm.nodesets", "xman.gss.python_gssapi_backend"}


def test_what_many_hosts_need_is_no_code_before_it_is_needed() -> None:
    for_many = {"rxm.strategies.merged", "rxm.remote.many", "rxm.remote.ticket_caches", "xman.render", "xman.received"}

    assert for_many <= names(chosen="*some")
    assert not for_many & names(chosen="*every")


# Each of these takes longer to load than all of ours together.
DEAR = {"typing", "contextlib", "re", "enum", "hashlib", "threading", "functools", "json", "collections", "os"}


def test_nothing_dear_is_loaded_for_many_hosts(tmp_path: Path) -> None:
    file = tmp_path / "bundle"
    write = f"""
import marshal
from rxm import bundle
every, some = bundle.names()
open({str(file)!r}, "wb").write(marshal.dumps({{name: bundle._compiled(name, "") for name in every | some}}))
"""
    load = f"""
import sys
sys.path += {[str(ROOT / "common"), str(ROOT)]!r}
import marshal
from rxm import launcher
sys.meta_path.insert(0, launcher._Bundle(marshal.load(open({str(file)!r}, "rb"))))
for name in {bundle._SEVERAL!r}: __import__(name)
print(*sys.modules)
"""
    subprocess.run([sys.executable, "-c", write], env={"PYTHONPATH": f"{ROOT / 'common'}:{ROOT}"}, check=True)
    done = subprocess.run([sys.executable, "-IS", "-c", load], capture_output=True, text=True, check=True)

    assert set(bundle._SEVERAL) <= set(done.stdout.split())
    assert not DEAR & set(done.stdout.split())


def test_what_names_a_type_and_nothing_uses_is_taken_out() -> None:
    source = """
from collections.abc import Callable, Mapping
from typing import Any
Rows = dict[str, Any]
Kept = dict[str, int]
FIRST = ROWS["a"]
def f(a: Rows, b: Callable[[], Mapping[str, int]]) -> Any:
    return isinstance(a, Mapping), Kept
"""
    tree = bundle._without_types(bundle._Bare().visit(ast.parse(source)))

    assert ast.unparse(tree) == ast.unparse(
        ast.parse(
            """
from collections.abc import Mapping
Kept = dict[str, int]
FIRST = ROWS["a"]
def f(a, b):
    return isinstance(a, Mapping), Kept
"""
        )
    )


def test_without_mits_library_there_are_the_others() -> None:
    found = names("sys.modules['_ctypes'] = None")

    assert "xman.gss.mit_backend" not in found
    assert "rxm.run" in found


@pytest.mark.parametrize("kept", [lambda code: code, marshal.dumps], ids=["code", "octets"])
def test_a_module_out_of_it_knows_its_file_and_asks_for_no_other(
    monkeypatch: pytest.MonkeyPatch, kept: Callable[[CodeType], CodeType | bytes]
) -> None:
    code = compile("here = __file__", "/usr/lib/xman/rxm/made_up.py", "exec")
    monkeypatch.setattr(sys, "meta_path", [launcher._Bundle({"rxm.made_up": kept(code)}), *sys.meta_path])

    module = importlib.import_module("rxm.made_up")
    monkeypatch.delitem(sys.modules, "rxm.made_up")

    assert module.here == "/usr/lib/xman/rxm/made_up.py"
    assert module.__spec__ is not None
    assert (module.__spec__.origin, module.__spec__.cached) == (module.here, None)
