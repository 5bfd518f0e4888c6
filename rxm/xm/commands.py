"""What each of xm's and xl's verbs does here: read as that program read it, printed as it printed."""

import time

from rxm.xm import domain_0, shapes
from rxm.xm.host import Host
from rxm.xm.words import Words
from xman import lowlevel, render
from xman.errors import DeniedError, NoSuchDomainError, RefusedError, UsageError, XmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Program:
    """One run of `xm` or `xl`."""

    def __init__(self, name: str, host: Host) -> None:
        self.name = name
        self.host = host
        # Whose console is wanted in the end.
        self.console = ""

    @property
    def xl(self) -> bool:
        """Whether it is xl, which knows of domains that run only."""
        return self.name == "xl"

    def words(
        self, verb: str, given: list[str], flags: dict[str, str] | None = None, values: dict[str, str] | None = None
    ) -> Words:
        """Read what stands behind a verb. Raises UsageError."""
        return Words(given, flags or {}, values or {}, self.name, verb)

    def say(self, text: str) -> None:
        """Print."""
        lowlevel.out(text)

    def domain(self, word: str) -> "dict[str, Any]":
        """Return a domain; to xl one that is off is not there, nor is one without a name. Raises NoSuchDomainError."""
        if not word:
            raise NoSuchDomainError(word)
        try:
            (found,) = self.host.domains(word)
        except (NoSuchDomainError, DeniedError):
            if domain_0.means(word):
                return domain_0.row()
            raise
        if self.xl and found["id"] is None:
            raise NoSuchDomainError(word)
        return found

    def guest(self, word: str, verb: str) -> str:
        """Return the UUID of a domain that is to be changed. Raises NoSuchDomainError, RefusedError."""
        found = self.domain(word)
        domain_0.require_guest(found, verb)
        return str(found["uuid"])

    def known(self) -> "list[dict[str, Any]]":
        """Return all domains that the program would know of, in its order."""
        return self.with_domain_0(self.seen(self.host.domains()), domain_0.row)

    def seen(self, domains: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
        """Return those of some domains that the program would know of."""
        return [domain for domain in domains if domain["id"] is not None or not self.xl]

    def with_domain_0(
        self, domains: "list[dict[str, Any]]", row: "Callable[[], dict[str, Any]]"
    ) -> "list[dict[str, Any]]":
        """Return rows with Domain-0's, where it is missing, in the order of the program: xm's names, xl's numbers."""
        every = [*domains, row()] if domain_0.missing(domains) else domains
        if not self.xl:
            return sorted(every, key=lambda domain: str(domain["name"]))
        # What has ended since has no number any more.
        return sorted(every, key=lambda domain: (domain["id"] is None, domain["id"] or 0))

    def description(self, domain: "dict[str, Any]") -> str:
        """Return libvirt's XML of a domain."""
        if domain_0.is_ours(domain):
            return domain_0.description()
        return str(self.host.call("describe", domain["uuid"])["xml"])


def list_(program: Program, given: list[str]) -> None:
    """list: what runs, and for xm what `new` made; a name that the host does not know is the only failure."""
    flags = {"-l": "long", "--long": "long", "-v": "verbose", "--verbose": "verbose"}
    # Columns that libvirt has nothing for: labels, Xen's CPU pools and NUMA nodes.
    flags |= {"-Z": "", "--context": "", "-c": "", "--cpupool": "", "-n": "", "--numa": ""} if program.xl else {}
    words = program.words("list", given, flags if program.xl else flags | {"--label": ""}, {"--state": "state"})
    if program.xl and len(words.rest) > 1:
        raise UsageError("'xl list' takes one domain at most.")
    domains = program.host.until_told(lambda: _asked(program, words))
    if "long" not in words.flags:
        program.say(shapes.columns(program.name, domains, verbose="verbose" in words.flags))
        return
    if program.xl:
        import json

        found = [shapes.xl(domain, text) for domain, text in _described(program, domains)]
        program.say(json.dumps(found, indent=4) + "\n")
        return
    started = _started(program)
    program.say("".join(shapes.sxp(one, text, started.get(one["uuid"])) for one, text in _described(program, domains)))


def _started(program: Program) -> "dict[str, float]":
    """Return since when domains run, by UUID, as seconds since 1970; those of which that is known."""
    try:
        domains = program.host.call("uptime")["domains"]
    except XmanError:
        return {}
    now = time.time()
    rows = [domain_0.uptime(), *domains]
    return {one["uuid"]: now - one["uptime_seconds"] for one in rows if "uptime_seconds" in one}


def _asked(program: Program, words: Words) -> "list[dict[str, Any]]":
    if words.rest:
        return [program.domain(word) for word in words.rest]
    if "state" in words.values:
        found = program.seen(program.host.call("list", "--state", words.values["state"])["domains"])
        shows = words.values["state"] in ("running", "all")
        return program.with_domain_0(found, domain_0.row) if shows else found
    return program.known()


def _described(program: Program, domains: "list[dict[str, Any]]") -> "list[tuple[dict[str, Any], str]]":
    """Return the domains with their descriptions; one that has gone meanwhile is left out where several were asked."""
    found = []
    for domain in domains:
        try:
            found.append((domain, program.host.until_told(lambda own=domain: program.description(own))))  # type: ignore[misc]
        except NoSuchDomainError:
            if len(domains) == 1:
                raise
    return found


def from_here(path: str) -> str:
    """Return a file's whole path: both programs looked for a relative one where their caller was. Raises UsageError."""
    import os

    try:
        return os.path.abspath(path) if path else path  # noqa: PTH100  # pathlib keeps `..`, or follows links
    except OSError as error:
        raise UsageError(f"{path}: the directory that it would begin in is gone ({error.strerror}).") from error


def domid(program: Program, given: list[str]) -> None:
    """domid: the number of a domain that runs."""
    (name,) = program.words("domid", given).exactly(1, 1, "domid DOMAIN")
    domain = program.host.until_told(lambda: program.domain(name))
    if domain["id"] is None:
        raise NoSuchDomainError(name)
    program.say(f"{domain['id']}\n")


def domname(program: Program, given: list[str]) -> None:
    """domname: the name behind a number."""
    (word,) = program.words("domname", given).exactly(1, 1, "domname DOMAIN")
    program.say(f"{program.host.until_told(lambda: program.domain(word))['name']}\n")


def simple(verb: str, flags: dict[str, str] | None = None) -> "Callable[[Program, list[str]], None]":
    """Return the command for a verb of rxm's that takes one DOMAIN; what `flags` mean there is passed on."""

    def run(program: Program, given: list[str]) -> None:
        words = program.words(verb, given, flags)
        (name,) = words.exactly(1, 1, f"{verb} DOMAIN")
        uuid = program.guest(name, verb)
        program.host.call(verb, *(f"--{flag}" for flag in sorted(words.flags) if flag), uuid)

    return run


def sized(verb: str) -> "Callable[[Program, list[str]], None]":
    """Return the command for a verb that takes a DOMAIN and a size."""

    def run(program: Program, given: list[str]) -> None:
        words = program.words(verb, given, {"-i": "", "--ignore-host": ""})
        name, size = words.exactly(2, 2, f"{verb} DOMAIN {'N' if verb == 'vcpu-set' else 'MEM'}")
        program.host.call(verb, program.guest(name, verb), size)

    return run


def destroy(program: Program, given: list[str]) -> None:
    """destroy: at once."""
    words = program.words("destroy", given, {"-f": "force"})
    (name,) = words.exactly(1, 1, "destroy DOMAIN")
    program.host.call("destroy", program.guest(name, "destroy"))


def stopping(verb: str) -> "Callable[[Program, list[str]], None]":
    """Return the command for shutdown or reboot: of one, or of all but Domain-0; -w waits as long as it takes."""

    def run(program: Program, given: list[str]) -> None:
        flags = {
            "-a": "all",
            "--all": "all",
            "-w": "wait",
            "--wait": "wait",
            "-F": "",
            "-H": "",
            "--halt": "",
            "-f": "",
        }
        if verb == "shutdown":
            flags |= {"-R": "reboot", "--reboot": "reboot"}
        words = program.words(verb, given, flags)
        what = "reboot" if "reboot" in words.flags else verb
        if "all" in words.flags:
            domains = [one for one in program.known() if one["id"]]
        else:
            if not words.rest:
                raise UsageError("No domain parameter given")
            domains = [program.domain(name) for name in words.exactly(1, 1, f"{verb} [-aw] DOMAIN")]
            domain_0.require_guest(domains[0], verb)
        if what == "reboot":
            _reboot(program, domains, wait="wait" in words.flags)
            return
        for domain in domains:
            program.host.call("shutdown", domain["uuid"])
        if "wait" in words.flags:
            for domain in domains:
                _until_off(program, domain)
            program.say("All domains terminated\n")

    return run


def _reboot(program: Program, domains: "list[dict[str, Any]]", *, wait: bool) -> None:
    for domain in domains:
        program.host.call("reboot", *(("--wait",) if wait else ()), domain["uuid"])
        if wait:
            program.say(f"Domain {domain['name']} rebooted\n")
    if wait:
        program.say("All domains rebooted\n")


def _until_off(program: Program, domain: "dict[str, Any]") -> None:
    program.host.until_off(domain)
    program.say(f"Domain {domain['name']} terminated\n")


def trigger(program: Program, given: list[str]) -> None:
    """trigger: the power button only."""
    name, what, *_vcpu = program.words("trigger", given).exactly(2, 3, "trigger DOMAIN power")
    if what != "power":
        raise RefusedError(f"libvirt has no '{what[:16]}' for a running domain; power it has.")
    program.host.call("shutdown", program.guest(name, "shutdown"))


def migrate(program: Program, given: list[str]) -> None:
    """migrate: xl's is always live, xm's where it is told to be."""
    flags = {"-l": "live", "--live": "live", "-e": "", "--debug": "", "-p": ""} if program.xl else {"-l": "live"}
    flags |= {"--live": "live"}
    if program.xl:
        values = {"-s": "ssh", "-C": "config"}
    else:
        values = dict.fromkeys(("-p", "--port", "-n", "--node", "-r", "--resource"), "")
        flags |= dict.fromkeys(("-s", "--ssl", "-c", "--change_home_server"), "")
    words = program.words("migrate", given, flags, values)
    name, host = words.exactly(2, 2, "migrate DOMAIN HOST")
    live = ("--live",) if program.xl or "live" in words.flags else ()
    program.host.call("migrate", *live, program.guest(name, "migrate"), host)


def save(program: Program, given: list[str]) -> None:
    """save: to a file on the host, below the directory that its xmand.toml names."""
    words = program.words("save", given, {"-c": "checkpoint", "--checkpoint": "checkpoint", "-p": "pause"})
    name, file, *_config = words.exactly(2, 3, "save DOMAIN FILE")
    if words.flags:
        raise RefusedError("libvirt's save stops the domain; -c and -p would leave it there.")
    program.host.call("save", program.guest(name, "save"), from_here(file))


def restore(program: Program, given: list[str]) -> None:
    """restore: from such a file; xl's configuration in front of it is that of the file."""
    words = program.words(
        "restore", given, {"-p": "paused", "--paused": "paused", "-e": "", "-d": "", "-V": "", "-q": ""}
    )
    *_config, file = words.exactly(1, 2 if program.xl else 1, "restore FILE")
    program.host.call("restore", *(("--paused",) if "paused" in words.flags else ()), from_here(file))


def dump_core(program: Program, given: list[str]) -> None:
    """dump-core: to a file on the host."""
    flags = {"-L": "live", "--live": "live", "-C": "crash", "--crash": "crash"}
    words = program.words("dump-core", given, flags)
    name, *file = words.exactly(1, 2, "dump-core DOMAIN [FILE]")
    uuid = program.guest(name, "dump-core")
    program.host.call("dump-core", *(f"--{flag}" for flag in sorted(words.flags)), uuid, *map(from_here, file))


def rename(program: Program, given: list[str]) -> None:
    """rename: of what is off, which is all that libvirt renames."""
    name, wanted = program.words("rename", given).exactly(2, 2, "rename DOMAIN NEWNAME")
    domain = program.domain(name)
    domain_0.require_guest(domain, "rename")
    program.host.call("rename", domain["name"], wanted)


def pin(program: Program, given: list[str]) -> None:
    """vcpu-pin."""
    flags = ("-f", "--force", "-i", "--ignore-global-affinity-masks")
    words = program.words("vcpu-pin", given, dict.fromkeys(flags, ""))
    name, vcpu, cpus, *_soft = words.exactly(3, 4, "vcpu-pin DOMAIN VCPU|all CPUS|all")
    if cpus != "-":
        program.host.call("vcpu-pin", program.guest(name, "vcpu-pin"), vcpu, cpus)


def looking(verb: str) -> "Callable[[Program, list[str]], None]":
    """Return the command for uptime or vcpu-list: of some domains or of all that run."""

    def run(program: Program, given: list[str]) -> None:
        words = program.words(verb, given, {"-s": "short", "--short": "short"} if verb == "uptime" else {})
        asked = [program.domain(name) for name in words.rest]
        if verb == "vcpu-list":
            cpus = int(program.host.call("info")["nr_cpus"])
            domains = _looked(program, verb, asked, lambda: domain_0.vcpus(cpus))
            program.say(shapes.vcpus(program.name, domains, cpus))
            return
        domains = _looked(program, verb, asked, domain_0.uptime)
        if "short" in words.flags:
            now = time.strftime(" %H:%M:%S")
            for domain in domains:
                span = render.text("uptime", {"domains": [domain]}).splitlines()[1][39:].rsplit(":", 1)[0]
                program.say(f"{now} up {span}, {domain['name']} ({domain['id']})\n")
            return
        program.say(render.text(verb, {"domains": domains}))

    return run


def _looked(
    program: Program, verb: str, asked: "list[dict[str, Any]]", row: "Callable[[], dict[str, Any]]"
) -> "list[dict[str, Any]]":
    """Return a verb's rows, of the domains in their order or, where none are named, of all that run; `row` is ours."""
    guests = [domain["uuid"] for domain in asked if not domain_0.is_ours(domain)]
    found: list[dict[str, Any]] = program.host.call(verb, *guests)["domains"] if guests or not asked else []
    if not asked:
        return program.with_domain_0(found, row)
    for place, domain in enumerate(asked):
        if domain_0.is_ours(domain):
            found.insert(place, row())
    return found


def devices(verb: str) -> "Callable[[Program, list[str]], None]":
    """Return the command for network-list or block-list."""

    def run(program: Program, given: list[str]) -> None:
        words = program.words(verb, given, {"-l": "", "--long": ""})
        for name in words.exactly(1, 64, f"{verb} DOMAIN"):
            domain = program.domain(name)
            # Its disks and cards are the machine's own: neither program lists them.
            if not domain_0.is_ours(domain):
                program.say(render.text(verb, program.host.call(verb, domain["uuid"])))

    return run


def info(program: Program, given: list[str]) -> None:
    """info: xm's lines; -c how the host is configured; -n where its CPUs and its memory are; xl's NAME picks some."""
    flags = {"-c": "config", "--config": "config", "-n": "numa", "--numa": "numa"}
    words = program.words("info", given, flags | ({"-x": "", "--xenstore": ""} if program.xl else {}))
    names = words.exactly(0, 1, "info [-n] [NAME]") if program.xl else words.exactly(0, 0, "info [-n] [-c]")
    data = program.host.call("info", *(("--config",) if "config" in words.flags else ()))
    text = render.text("info", data)
    if names and "numa" not in words.flags:
        # As it stands behind the name, which may be cut short: `xl info free_memory`.
        found = (line.partition(": ") for line in text.splitlines() if line.startswith(names[0]))
        text = "".join(f"{value}\n" for _name, colon, value in found if colon)
    program.say(shapes.with_topology(text, data.get("nodes", [])) if "numa" in words.flags else text)


def dmesg(program: Program, given: list[str]) -> None:
    """dmesg: without the line that says whose it is."""
    words = program.words("dmesg", given, {"-c": "clear", "--clear": "clear"})
    words.exactly(0, 0, "dmesg [-c]")
    data = program.host.call("dmesg", *(("--clear",) if words.flags else ()))
    program.say("".join(f"{line}\n" for line in data["lines"]))


def log(program: Program, given: list[str]) -> None:
    """log: who changed what; xend's own is no more."""
    program.words("log", given).exactly(0, 0, "log")
    program.say(render.text("log", program.host.call("log")))
