"""A picture of a domain's screen, to a file or to whoever reads standard output; never to a terminal."""

import os
import sys

from rxm.invocation import Invocation
from rxm.output import OUT, Output
from rxm.targets import Task
from xman import lowlevel, outcome, pictures
from xman.errors import HypervisorError, RefusedError, UsageError

_FORMATS = ("png", "ppm")


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Write the picture of the one domain; return the code. Raises XmanError."""
    parsed = invocation.parsed
    verb, path = parsed.verb.name, str(parsed.options.get("output", ""))
    if len(tasks) != 1:
        raise UsageError(f"{verb} writes one picture at a time; with --json there is one for each domain.")
    wanted = _format(str(parsed.options.get("format", "")), path)
    if not path and lowlevel.terminal(sys.stdout):
        raise UsageError("A terminal cannot show pictures; give --output FILE, or redirect the output.")
    (task,) = tasks
    with invocation.connect(task.target.host) as connection:
        reply = invocation.send(connection, task, as_json=False, progress=lambda _data: False)
        if reply.outcome != outcome.OK:
            output.reply(verb, task.target, reply, connection.principal)
            return [reply.outcome]
    try:
        pictures.size(reply.stdout)
        picture = pictures.ppm(reply.stdout) if wanted == "ppm" else pictures.png(reply.stdout)
    except pictures.PictureError as error:
        raise HypervisorError(f"What {task.target.host} sent is not a picture that can be read: {error}.") from error
    if path:
        _write(path, picture)
    else:
        lowlevel.write(OUT, picture)
    reply.stdout = b""
    output.reply(verb, task.target, reply, connection.principal)
    return [outcome.OK]


def _format(wanted: str, path: str) -> str:
    """Return the format that was asked for, or that the file's name ends with; PNG where neither says one."""
    suffix = path.rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""
    if wanted not in ("", *_FORMATS):
        raise UsageError(f"'{wanted}' is neither png nor ppm.")
    if not wanted and suffix not in ("", *_FORMATS):
        raise UsageError(f"'.{suffix}' is neither .png nor .ppm; give --format as well.")
    return wanted or suffix or _FORMATS[0]


def _write(path: str, picture: bytes) -> None:
    """Write the file whole, or not at all: somebody may be looking at the one before."""
    beside = f"{path}.{os.getpid()}.new"
    special = os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113  # pathlib is dear
    try:
        with open(path if special else beside, "wb") as file:  # noqa: PTH123
            file.write(picture)
        if not special:
            os.replace(beside, path)  # noqa: PTH105
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        if not special and os.path.exists(beside):  # noqa: PTH110
            os.unlink(beside)  # noqa: PTH108
