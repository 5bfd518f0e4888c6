"""rxm as it is installed: what every command needs comes out of one file, which `rxm.bundle` wrote.

To find, open and read a file for each of thirty modules is a tenth of rxm's time, and Python's collector of garbage,
which finds none in so short a life, half as much.
"""

import gc
import marshal
import sys
from _frozen_importlib import ModuleSpec  # what `importlib` is made of, and there before any line of ours
from _frozen_importlib_external import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

FILE = "start.bundle"
# More objects than a command to one host makes; a long merge or a stream of events still gets rid of its garbage.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


class _Bundle:
    """Finds and loads the modules in the bundle (PEP 451); `rxm` and `xman` themselves, which hold more than code, are
    not in it. What only some verbs need are octets, of which the code is made once it is asked for."""

    def __init__(self, modules: "dict[str, CodeType | bytes]") -> None:
        self._modules = modules

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return a module's specification, None where it is not here."""
        code = self._modules.get(name)
        if code is None:
            return None
        if isinstance(code, bytes):
            code = self._modules[name] = marshal.loads(code)  # noqa: S302  # as Python's own .pyc
        package, _slash, file = code.co_filename.rpartition("/")
        spec = ModuleSpec(
            name,
            self,  # type: ignore[arg-type]  # a loader by its methods
            origin=code.co_filename,
            is_package=file == "__init__.py",
        )
        # A spec that says it has a location is asked where its .pyc is: a tenth of what Python runs for a list.
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(package)
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python."""
        return

    def exec_module(self, module: "ModuleType") -> None:
        """Run a module's code."""
        code: CodeType = self._modules[module.__name__]  # type: ignore[assignment]  # as `find_spec` left it
        module.__file__ = code.co_filename
        exec(code, module.__dict__)  # noqa: S102  # what loading a module is


def main() -> None:
    """Run rxm; exits with a status of `xman.outcome`."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    modules = read(__file__.rpartition("/")[0])
    if modules:
        sys.meta_path.insert(0, _Bundle(modules))
    from rxm import cli

    cli.main()


def read(directory: str) -> "dict[str, CodeType | bytes]":
    """Return the code of modules by name, or octets of which `marshal` makes it.

    There are none where there is no bundle, or one of another Python's, as after an upgrade.
    """
    try:
        with open(f"{directory}/{FILE}", "rb", buffering=0) as file:  # noqa: PTH123  # pathlib is dear to import
            octets = file.read()
    except OSError:
        return {}
    if octets[: len(MAGIC_NUMBER)] != MAGIC_NUMBER:
        return {}
    rest = memoryview(octets)[len(MAGIC_NUMBER) :]  # no second copy of it all
    modules: dict[str, CodeType | bytes] = marshal.loads(rest)  # noqa: S302  # as Python's own .pyc
    return modules
