"""rxm's launcher starts Python without its `site` module; what a command needs of what that leaves out is fetched here.

`os` is a thousand lines around `posix`, the part in C, and a tenth of rxm's whole time; it is used where something else
has loaded it.
"""

import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

leave = posix._exit
random = posix.urandom

_OUT, _ERR = 1, 2
# Python's name of octets in an encoding, whatever the locale is: what is typed is UTF-8, and so is what is written, or
# it is passed on as it is.
_UTF_8, _AS_IT_IS = "utf-8", "surrogateescape"
# Standard output that could not be written; said once.
_complained: set[int] = set()


# --- octets -----------------------------------------------------------------------------------------------------------


def words() -> list[str]:
    """Return the words that the program was called with, as UTF-8 whatever the locale."""
    encoding = sys.getfilesystemencoding()
    if encoding == _UTF_8:
        return sys.argv[1:]
    return [word.encode(encoding, _AS_IT_IS).decode(_UTF_8, _AS_IT_IS) for word in sys.argv[1:]]


def octets(text: str) -> bytes:
    """Return a text as it was typed: the name of a file may be no UTF-8."""
    return text.encode(_UTF_8, _AS_IT_IS)


def sha256(data: bytes) -> str:
    """Return the digest in hexadecimal; `hashlib` would load OpenSSL for it, which takes as long as ten hosts."""
    try:
        if sys.hexversion >= 0x030C0000:
            from _sha2 import sha256 as made  # type: ignore[import-not-found, unused-ignore]
        else:
            from _sha256 import sha256 as made  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from hashlib import sha256 as made
    return str(made(data).hexdigest())


def environment(name: str) -> str:
    """Return a variable of the environment, empty where it is not set."""
    return _variable(name) or ""


def is_set(name: str) -> bool:
    """Whether a variable of the environment is there, be it empty."""
    return _variable(name) is not None


def _variable(name: str) -> str | None:
    os = sys.modules.get("os")
    # Who changes the environment does it there.
    found = posix.environ.get(name.encode()) if os is None else os.environb.get(name.encode())
    return None if found is None else found.decode(_UTF_8, _AS_IT_IS)


def readable(path: str) -> bool:
    """Whether there is a file that may be read."""
    return posix.access(octets(path), posix.R_OK)


def exists(path: str) -> bool:
    """Whether there is such a file."""
    return posix.access(octets(path), posix.F_OK)


# --- streams ----------------------------------------------------------------------------------------------------------


def open_streams() -> None:
    """Let nothing else become standard input, output or error where those are closed, as a socket would.

    What stands for them can neither be read nor written, which is said where it is tried.
    """
    for descriptor, how in ((0, posix.O_WRONLY), (_OUT, posix.O_RDONLY), (_ERR, posix.O_RDONLY)):
        try:
            posix.fstat(descriptor)
        except OSError:
            posix.open("/dev/null", how)


def terminal(stream: "TextIO | None") -> bool:
    """Whether a standard stream is a terminal; one that is closed is None."""
    return stream is not None and stream.isatty()


def out(text: str) -> None:
    """Write to standard output; that it cannot be written is said, and changes nothing."""
    _print(sys.stdout, _OUT, text)


def err(text: str) -> None:
    """Write to standard error, if that can be written."""
    _print(sys.stderr, _ERR, text)


def _print(stream: "TextIO | None", descriptor: int, text: str) -> None:
    try:
        descriptor = descriptor if stream is None else stream.fileno()
    except (OSError, ValueError):  # one that a test has put there
        pass
    else:
        # Past Python's buffer, which would be written at the end once more.
        write(descriptor, octets(text))
        return
    assert stream is not None  # noqa: S101  # only its `fileno` can have failed
    try:
        stream.buffer.write(octets(text))
        stream.buffer.flush()
    except (OSError, ValueError) as error:
        _complain(descriptor, error)


def write(descriptor: int, data: bytes) -> bool:
    """Write it all at once, unbuffered; return whether somebody reads it.

    That the reader has left is no error; of what else keeps standard output from being written, a line tells.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[posix.write(descriptor, view) :]
        except BlockingIOError:  # someone who shares the terminal made it so
            import select

            select.select([], [descriptor], [])
        except OSError as error:
            _complain(descriptor, error)
            return False
    return True


def _complain(descriptor: int, error: Exception) -> None:
    if descriptor == _ERR or isinstance(error, BrokenPipeError) or descriptor in _complained:
        return
    _complained.add(descriptor)
    why = getattr(error, "strerror", None) or error
    err(f"Error: standard output cannot be written: {why}.\n")


def installed_packages() -> None:
    """Make importable what is installed beside Python (python-gssapi, ClusterShell), where the launcher left it out."""
    if sys.flags.no_site and "site" not in sys.modules:
        import site

        site.main()
