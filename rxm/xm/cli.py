"""The command line of rxm where it is called `xm` or `xl`: their exit statuses are 0 and 1."""

from rxm.xm import commands, create, devices, table
from rxm.xm.commands import Program
from rxm.xm.host import Host
from xman import lowlevel
from xman.errors import XmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    _Command = Callable[[Program, list[str]], None]

_OK, _FAILED = 0, 1
COMMANDS: "dict[str, _Command]" = {
    "block-attach": devices.block_attach,
    "block-detach": devices.detach("block-detach"),
    "block-list": commands.devices("block-list"),
    "cd-eject": devices.cd_eject,
    "cd-insert": devices.cd_insert,
    "create": create.create,
    "delete": commands.simple("delete"),
    "destroy": commands.destroy,
    "dmesg": commands.dmesg,
    "domid": commands.domid,
    "domname": commands.domname,
    "dump-core": commands.dump_core,
    "info": commands.info,
    "list": commands.list_,
    "log": commands.log,
    "mem-max": commands.sized("mem-max"),
    "mem-set": commands.sized("mem-set"),
    "migrate": commands.migrate,
    "network-attach": devices.network_attach,
    "network-detach": devices.detach("network-detach"),
    "network-list": commands.devices("network-list"),
    "new": create.new,
    "pause": commands.simple("pause"),
    "reboot": commands.stopping("reboot"),
    "rename": commands.rename,
    "restore": commands.restore,
    "resume": commands.simple("resume", {"-p": "paused", "--paused": "paused"}),
    "save": commands.save,
    "shutdown": commands.stopping("shutdown"),
    "start": commands.simple("start", {"-p": "paused", "--paused": "paused"}),
    "suspend": commands.simple("suspend"),
    "trigger": commands.trigger,
    "unpause": commands.simple("unpause"),
    "uptime": commands.looking("uptime"),
    "vcpu-list": commands.looking("vcpu-list"),
    "vcpu-pin": commands.pin,
    "vcpu-set": commands.sized("vcpu-set"),
}


# xl's own, in front of the verb: about its log and locks, and that nothing is to be done.
_XLS, _DRY = frozenset("vftTN"), "N"
_HELP = ("-h", "--help")
# Options of theirs that take a value: which console, of which kind, and the character that leaves it.
_VALUED = ("-n", "-t", "-s", "-e")


def run(program: str, words: list[str], rxm: "Callable[[list[str]], int]") -> int:
    """Run `xm` or `xl` with `words`; return the exit status. `rxm` is rxm's own command, for the console."""
    if not words:
        lowlevel.out(_help(program))
        return _FAILED
    if words[0] in ("help", *_HELP):
        lowlevel.out(_help(program))
        return _OK
    letters = ""
    while words and len(words[0]) > 1 and words[0][0] == "-" and _XLS.issuperset(words[0][1:]):
        letters += words[0][1:]
        words = words[1:]
    try:
        verb = table.resolve(program, words[0] if words else "")
    except LookupError as error:
        return _fail(str(error))
    if not verb:
        return _fail(f"Subcommand {words[0] if words else ''} not found!")
    behind = words[1:]
    if not set(_HELP).isdisjoint(behind[: behind.index("--")] if "--" in behind else behind):
        lowlevel.out(f"Usage: {program} {verb} ...; here it is done by rxm(1): rxm help {verb}\n")
        return _OK
    if _DRY in letters and verb != "create":
        return _fail(f"command does not implement -N (dryrun) option: {verb}")
    try:
        if verb == "console":
            return _console(behind, rxm)
        asked = Program(program, Host())
        COMMANDS[verb](asked, [*(("-n",) if _DRY in letters else ()), *behind])
        if asked.console:
            return _console([asked.console], rxm)
    except XmanError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        lowlevel.err("Interrupted.\n")
        return _FAILED
    return _OK


def _console(words: list[str], rxm: "Callable[[list[str]], int]") -> int:
    """Hand over to rxm's own, on this machine."""
    from rxm.targets import this_machine

    names, rest = [], iter(words)
    for word in rest:
        if word in _VALUED:
            next(rest, None)
        elif not word.startswith("-"):
            names.append(word)
    return _FAILED if rxm(["-H", this_machine(), "console", *names]) else _OK


def _fail(text: str) -> int:
    lowlevel.err(f"Error: {text}\n")
    return _FAILED


def _help(program: str) -> str:
    known = sorted((*table.BOTH, *(table.ONLY_XM if program == "xm" else ())))
    lines = [f"Usage: {program} <subcommand> [args]", "", "Here, by rxm(1), on this machine:", ""]
    return "\n".join([*lines, *(f" {verb}" for verb in known), ""])
