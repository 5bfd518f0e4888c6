"""The layers: who imports whom."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

from tests.lab.process import ROOT

PACKAGES = {name: ROOT / name for name in ("rxm", "rxmweb", "xmand")} | {"xman": ROOT / "common" / "xman"}


def modules(package: str) -> list[Path]:
    """Return the files of a package."""
    found = sorted(PACKAGES[package].rglob("*.py"))
    assert found
    return found


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Return the names of all modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def importers(name: str) -> set[str]:
    """Return which of our files import the package `name`."""
    files = [path for package in PACKAGES for path in modules(package)]
    return {
        str(path.relative_to(ROOT))
        for path in files
        if any(imported == name or imported.startswith(f"{name}.") for imported in imports(path))
    }


def test_one_module_imports_gssapi() -> None:
    # The second is the portal's acceptor, of which neither rxm nor xmand knows.
    assert importers("gssapi") == {"common/xman/gss/python_gssapi_backend.py", "rxmweb/web/negotiate.py"}
    assert all(path.startswith("rxmweb/") for path in importers("rxmweb.web.negotiate"))


def test_one_module_of_each_end_calls_c_by_itself() -> None:
    assert importers("_ctypes") == {"common/xman/gss/mit_library.py"}
    assert importers("ctypes") == {"xmand/virt/vcpu_maps.py"}


def test_one_module_imports_libvirt() -> None:
    assert importers("libvirt") == {"xmand/virt/binding.py"}


def test_only_xmand_imports_lxml() -> None:
    assert all(path.startswith("xmand/virt/") for path in importers("lxml"))


def test_nothing_imports_a_layer_above() -> None:
    assert not {path for path in importers("xmand") if not path.startswith("xmand/")}
    assert not {path for path in importers("rxm") if not path.startswith(("rxm/", "rxmweb/"))}
    assert not {path for path in importers("rxmweb") if not path.startswith("rxmweb/")}


def test_the_portal_sees_of_rxm_only_how_hosts_are_named() -> None:
    others = [path for path in modules("rxmweb") if path.name != "relay.py"]
    seen = {name for path in others for name in imports(path) if name.startswith("rxm.")}
    assert seen == {"rxm.targets", "rxm.targets.expand"}


def test_one_module_of_the_portal_speaks_to_hosts_itself() -> None:
    """What is looked at lives on the event loop; all else is asked by rxm, a program of its own."""
    seen = {name for path in modules("rxmweb") for name in imports(path) if name.startswith("rxm.remote")}
    assert seen == {name for name in imports(ROOT / "rxmweb" / "web" / "relay.py") if name.startswith("rxm.remote")}


def test_one_module_of_the_portal_starts_programs() -> None:
    assert {path for path in importers("subprocess") if path.startswith("rxmweb/")} <= {
        "rxmweb/rxm_process.py",
        "rxmweb/worker/collector.py",
        "rxmweb/worker/runner.py",
    }
    starting = [path.name for path in modules("rxmweb") if "subprocess.Popen(" in path.read_text()]
    assert starting == ["rxm_process.py"]


def test_the_wire_is_pure() -> None:
    allowed = {"xman", "xman.wire"}
    for path in modules("xman"):
        if path.parent.name == "wire":
            outside = {name for name in imports(path) if not name.startswith("xman.wire")} - allowed
            assert not outside, (path, outside)


def test_a_verb_never_sees_the_protocol() -> None:
    for path in sorted((ROOT / "xmand" / "verbs").glob("*.py")):
        wire = ("xman.wire", "xman.session", "xman.server_session")
        seen = {name for name in imports(path) if name.startswith(wire)}
        assert seen <= {"xman.wire.constants", "xman.wire.constants.HIGHEST_VERSION"}, path


def test_what_every_rxm_loads_first_is_light() -> None:
    program = (
        "import sys; before = set(sys.modules)\n"
        "import xman.wire.client, xman.wire.server, xman.session, xman.server_session, xman.verbs, xman.outcome\n"
        "print(' '.join(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)

    heavy = {"typing", "dataclasses", "enum", "re", "json", "argparse", "gssapi", "socket", "inspect"}
    assert not heavy & set(done.stdout.split())


def test_one_module_starts_programs() -> None:
    # Slurm's programs, and the portal, are no part of what answers or asks on the wire; a viewer and an editor are the
    # user's own.
    outside = {path for path in importers("subprocess") if not path.startswith("rxmweb/")}
    assert outside == {
        "xmand/system/children.py",
        "rxm/slurm/tools.py",
        "rxm/strategies/editor.py",
        "rxm/strategies/viewer.py",
    }
    assert not importers("pty")


def test_nothing_starts_a_program_past_that_module() -> None:
    starts = re.compile(r"\bos\.(system|popen|fork\w*|exec\w+|spawn\w+|posix_spawn\w*)\b|create_subprocess|shell=True")
    for package in PACKAGES:
        for path in modules(package):
            assert not starts.search(path.read_text()), path
