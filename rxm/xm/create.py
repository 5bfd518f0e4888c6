"""create and new, as xm and xl had them: a file, options and KEY=VALUE words in any order."""

from rxm.xm import shapes
from rxm.xm.commands import Program, from_here
from xman import lowlevel
from xman.arguments import MOST_TEXT
from xman.errors import UsageError

_FLAGS = {
    "-p": "paused",
    "--paused": "paused",
    "-n": "dry-run",
    "--dryrun": "dry-run",
    "--dry-run": "dry-run",
    "-q": "quiet",
    "--quiet": "quiet",
    "-c": "console",
    "--console_autoconnect": "console",
    "-e": "",
    "-d": "",
    "--debug": "",
    "-V": "",
    "--vncviewer": "",
    "-A": "",
    "--vncviewer-autopass": "",
    "-s": "",
    "--skipdtd": "",
    "-x": "xml",
    "--xmldryrun": "xml",
}
_XLS_FLAGS = {"-F": "foreground", "-i": "", "--ignore-global-affinity-masks": ""}
_VALUES = {"-f": "file", "--defconfig": "file", "-F": "file", "--config": "file", "--path": "path"}
# Where xm looked for what is named without a slash.
_PATH = ".:/etc/xen"


def create(program: Program, given: list[str]) -> None:
    """create: a domain that is gone when it ends."""
    _made(program, given, "create")


def new(program: Program, given: list[str]) -> None:
    """new: xm's own, of domains that are kept."""
    _made(program, given, "new")


def _made(program: Program, given: list[str], verb: str) -> None:
    # To xl -F is no file: it stays until the domain has ended.
    values = {name: what for name, what in _VALUES.items() if not program.xl or name not in _XLS_FLAGS}
    words = program.words(verb, given, _FLAGS | (_XLS_FLAGS if program.xl else {}), values)
    keys = [word for word in words.rest if "=" in word]
    files = [word for word in words.rest if "=" not in word]
    name = words.values.get("file") or (files[0] if files else "")
    if not name or len(files) > (0 if "file" in words.values else 1):
        raise UsageError(f"'{program.name} {verb}' takes one configuration, and KEY=VALUE words.")
    path = _found(program, name, words.values.get("path", _PATH))
    text = _text(path)
    if program.xl and not text.lstrip().startswith("<"):
        text, keys = _with_lines(text, keys)
    if not program.xl and "name" not in text and not any(key.startswith("name=") for key in keys):
        keys.append(f"name={path.rpartition('/')[2]}")  # xm's own default
    quiet, dry = "quiet" in words.flags, bool({"dry-run", "xml"} & words.flags)
    if not quiet:
        _announce(program, path)
    options = ["--format", program.name, "--convert", *_here()] if not text.lstrip().startswith("<") else []
    if verb == "create":
        # Neither program asked whether there is such a domain before it showed what it had read.
        options += ["--dry-run", "--as-new"] if dry else ["--transient"]
        options += ["--paused"] if "paused" in words.flags else []
    elif dry:
        verb, options = "create", [*options, "--dry-run", "--as-new"]
    data = program.host.call(verb, *options, text, *keys)
    if "xml" in data:
        _show(program, str(data["xml"]), as_xml="xml" in words.flags)
    elif verb == "create" and not quiet and not program.xl:
        program.say(f"Started domain {data['name']} (id={data['id']})\n")
    if "console" in words.flags and not dry:
        program.console = str(data["name"])
    elif "foreground" in words.flags and not dry:
        program.host.until_off(data)


def _here() -> tuple[str, ...]:
    """Return the option that says where relative paths begin: where the caller is, if a word can say that."""
    try:
        directory = from_here(".")
        directory.encode()
    except (UsageError, UnicodeEncodeError):  # it is gone, or its name is no text
        return ()
    return ("--directory", directory) if directory.isprintable() and " " not in directory else ()


def _with_lines(text: str, words: list[str]) -> tuple[str, list[str]]:
    """Return a configuration with the words behind it, and those that are no lines of one.

    To xl each is a line, or several with `;` between them. Without quotes it is rxm's own KEY=VALUE.
    """
    import re

    plain = [word for word in words if re.fullmatch(r"\w+=[^'\"\[;\s][^'\"\[;]*", word)]
    lines = [word for word in words if word not in plain]
    return (text + "\n" + "\n".join(lines) + "\n" if lines else text), plain


def _announce(program: Program, path: str) -> None:
    if program.xl:
        lowlevel.err(f"Parsing config from {path}\n")
    else:
        program.say(f'Using config file "{path}".\n')


def _show(program: Program, description: str, *, as_xml: bool) -> None:
    if as_xml:
        program.say(f"{description}\n")
    elif program.xl:
        import json

        program.say(json.dumps(shapes.xl_config(description), indent=4) + "\n")
    else:
        program.say(shapes.sxp_config(description))


def _found(program: Program, name: str, path: str) -> str:
    """Return where a configuration is: xm looked for it in several folders."""
    if "/" in name or program.xl:
        return name
    for folder in path.split(":"):
        if lowlevel.exists(f"{folder}/{name}"):
            return f"{folder}/{name}"
    return name


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib reads whole files only
            octets = file.read(MOST_TEXT + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from error
    if len(octets) > MOST_TEXT:
        raise UsageError(f"{path}: larger than {MOST_TEXT // 1024} KiB.")
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        from rxm import remarks

        text = remarks.passed_over(octets)
        if text is None:
            raise UsageError(f"{path}: not UTF-8 (octet {error.start}).") from error
        return text
