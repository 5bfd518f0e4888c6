"""What is written into the one file that an installed rxm starts from (`rxm.bundle`)."""

import importlib
import marshal
import subprocess
import sys
from collections.abc import Callable
from types import CodeType

import pytest

from rxm import launcher
from tests.lab.process import ROOT


def names(before: str = "") -> set[str]:
    """Return the modules chosen by a Python that has done something `before`."""
    program = f"import sys; {before}\nfrom rxm import bundle\nevery, some = bundle.names()\nprint(*every, *some)"
    env = {"PYTHONPATH": f"{ROOT / 'common'}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_what_is_loaded_late_is_among_them() -> None:
    assert {"rxm.cli", "rxm.run", "rxm.remote.transport", "xman.gss.mit_backend", "xman.wire.tokens"} <= names()


def test_what_only_some_commands_need_is_not() -> None:
    assert not names() & {
        "rxm",
        "xman",
        "rxm.strategies.merged",
        "rxm.bundle",
        "xman.gss.python_gssapi_backend",
        "xman.render",
    }


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
