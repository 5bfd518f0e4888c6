"""rxm's launcher starts Python without its `site` module; what a command needs of what that leaves out is fetched here.

`os` is a thousand lines around `posix`, the part in C, and a tenth of rxm's whole time; it is used where something else
has loaded it.
"""

import posix
import sys

leave = posix._exit
write = posix.write
random = posix.urandom


def environment(name: str) -> str:
    """Return a variable of the environment, empty where it is not set."""
    os = sys.modules.get("os")
    if os is not None:  # who changes the environment does it there
        return str(os.environ.get(name, ""))
    return posix.environ.get(name.encode(), b"").decode("utf-8", "surrogateescape")


def readable(path: str) -> bool:
    """Whether there is a file that may be read."""
    return posix.access(path, posix.R_OK)


def exists(path: str) -> bool:
    """Whether there is such a file."""
    return posix.access(path, posix.F_OK)


def installed_packages() -> None:
    """Make importable what is installed beside Python (python-gssapi, ClusterShell), where the launcher left it out."""
    if sys.flags.no_site and "site" not in sys.modules:
        import site

        site.main()
