"""Names and sentences for what the tables hold as constants."""

from functools import lru_cache
from typing import Any

from rxmweb.db import actions, filters, fleet
from rxmweb.web import offers, signon
from rxmweb.web.context import portal
from rxmweb.web.languages import _, ago, current, octets
from xman import outcome


def verb(name: str) -> str:
    """Return what a button for a verb says."""
    return {
        "start": _("Start"),
        "pause": _("Pause"),
        "unpause": _("Unpause"),
        "shutdown": _("Shut down"),
        "reboot": _("Reboot"),
        "suspend": _("Suspend to disk"),
        "resume": _("Resume from disk"),
        "freeze": _("Freeze"),
        "defrost": _("Defrost"),
        "preempt": _("Preempt"),
        "unpreempt": _("Give back resources"),
        "mem-set": _("Set memory"),
        "vcpu-set": _("Set CPUs"),
        "migrate": _("Migrate"),
        actions.ABORT: _("Abort the migration"),
        "autostart": _("Start with the host"),
        "label": _("Labels"),
        "destroy": _("Destroy"),
        "delete": _("Delete"),
        "block-attach": _("Add a disk"),
        "block-resize": _("Make larger"),
        "block-detach": _("Detach the disk"),
        "cd-insert": _("Insert a medium"),
        "cd-eject": _("Eject"),
        "network-attach": _("Add a network card"),
        "network-detach": _("Detach the card"),
        "snapshot": _("Take a snapshot"),
        "snapshot-revert": _("Go back to a snapshot"),
        "snapshot-delete": _("Delete a snapshot"),
        "terminate": _("Terminate"),
        "profile-client": _("New client"),
        "clone": _("Clone"),
        "create": _("Create"),
        "launch": _("Launch"),
        "maintenance": _("Maintenance"),
    }.get(name, name)


def effect(name: str) -> str:
    """Return what a verb does to what runs in the domain; empty where it does nothing to it."""
    return {
        "pause": _("Its CPUs stop; jobs in it stand still until it is unpaused."),
        "shutdown": _("The guest is asked to shut down; jobs in it end."),
        "reboot": _("The guest is asked to restart; jobs in it end."),
        "suspend": _("Its memory is saved to disk and it stops; jobs in it stand still, and lose their connections."),
        "freeze": _("It is saved to disk and gives its resources back; jobs in it stand still."),
        "preempt": _("Its memory and CPUs are taken; jobs in it crawl until they are given back."),
        "destroy": _("It is stopped at once, as by pulling the plug. What it had not written is lost."),
        "delete": _("It is forgotten: the host will not know its description any more. Disks are kept."),
        "terminate": _("It is stopped at once and forgotten, with its disks and snapshots: nothing is left of it."),
        "block-detach": _("The guest loses the disk; unmount it there first. What is on it is kept."),
        "network-detach": _("The guest loses the card, and whatever it does over it."),
        "snapshot": _("It stands still while its memory is written. While it has snapshots it cannot migrate."),
        "snapshot-revert": _(
            "It becomes again what it was then: its disks, memory and description. Everything since is lost."
        ),
        "snapshot-delete": _(
            "The machine can no longer go back to it. The machine as it is now stays, and so do later snapshots."
        ),
        "profile-client": _("A machine is made that starts from the profile's disks, and writes to its own."),
        "clone": _(
            "An independent machine is made, with copies of the disks, which can be changed and become a profile."
        ),
    }.get(name, "")


def label(field: offers.Field) -> str:
    """Return the label of a field of the confirmation."""
    return {
        "force_after": _("Destroy it if it is not off after (seconds; empty: never)"),
        "memory": _("Memory (MiB, or with a unit: 4G)"),
        "vcpus": _("Number of CPUs"),
        "destination": _("Destination host"),
        "live": _("Keep it running meanwhile"),
        "force": _("Move it even if jobs run in it"),
        "autostart": _("Start it with its host"),
        "labels": _("Labels: KEY=VALUE sets one, KEY- removes one"),
        "snapshots": _("Delete its snapshots as well"),
        "place": _("Disk: qcow2:/FILE, file:/FILE (raw) or phy:/DEVICE of the host"),
        "as": _("Its name in the guest (vdb, sda, xvdb)"),
        "mode": _("May the guest write to it"),
        "disk": _("Disk"),
        "size": _("Size (MiB, or with a unit: 40G); never smaller than now"),
        "mounted": _("Detach it even if the guest has it mounted"),
        "drive": _("Drive"),
        "medium": _("Medium: a file or device on the host"),
        "tray": _("Open the tray even if the guest keeps it shut"),
        "network": _("Network, as libvirt calls it"),
        "bridge": _("or a bridge of the host"),
        "mac": _("Its address (empty: a random one)"),
        "card": _("Network card"),
        "snapshot": _("Snapshot (letters, figures, _ . + -)"),
        "description": _("What it is for"),
        "evict": _("Shut its clients down first"),
        "client": _("Name of the client"),
        "keep": _("It keeps what it writes; otherwise each start discards it"),
        "copy": _("Name of the copy"),
    }.get(field.name, field.name)


def asked_words(action: dict[str, Any]) -> str:
    """Return what was asked for besides the verb, in words: the amount, where to, by force."""
    said = []
    verb_, arguments = action["verb"], action.get("arguments") or []
    if verb_ == "mem-set" and arguments:
        said.append(f"{arguments[0]}{'' if arguments[0][-1:].isalpha() else ' MiB'}")
    elif verb_ == actions.MIGRATE and arguments:
        said.append(_("to %(host)s") % {"host": arguments[0]})
    elif verb_ == "autostart" and arguments:
        said.append(_("yes") if arguments[0] == "on" else _("no"))
    elif verb_ == "maintenance" and arguments:
        said.append(_("on") if arguments[0] == "on" else _("off"))
    elif arguments:
        said.append(" ".join(arguments))
    for option in action.get("options") or []:
        name, _equals, value = option.partition("=")
        words = {
            "--live": _("live"),
            "--force": _("by force"),
            "--force-after": _("destroyed after %(seconds)s s") % {"seconds": value},
            "--paused": _("paused"),
            "--transient": _("transient"),
            "--convert": _("converted"),
            "--snapshots": _("with its snapshots"),
            "--description": value,
        }
        said.append(words.get(name, option))
    return ", ".join(said)


def described(field: str) -> str:
    """Return the label of a field of the form that describes a machine."""
    return {
        "name": _("Name"),
        "memory": _("Memory (MiB, or with a unit: 4G)"),
        "vcpus": _("Number of CPUs"),
        "disk": _("Disk: a file on the host (.qcow2, or raw)"),
        "network": _("Network, as libvirt calls it (empty: none)"),
        "medium": _("Install medium: an ISO file on the host"),
    }[field]


def room(row: dict[str, Any]) -> str:
    """Return how much room a host has, for a choice of hosts."""
    return "" if row.get("memory_free") is None else _room(row["memory_free"], current())


@lru_cache(8192)  # a choice of hosts names thousands, of which few have other room than a moment ago
def _room(free: int, _language: str) -> str:
    return _("%(free)s free") % {"free": octets(free)}


def launched(key: str) -> str:
    """Return the label of a field of the form that launches a machine."""
    return {
        "image": _("Image"),
        "name": _("Name"),
        "memory": _("Memory (MiB, or with a unit: 4G; empty: 1 GiB)"),
        "vcpus": _("Number of CPUs (empty: 1)"),
        "disk": _("Disk (MiB, or with a unit: 40G; empty: as the image's)"),
        "network": _("Network of the host (empty: its usual one)"),
        "until": _("End it after 90m, 12h or 7d, or at a time (empty: never)"),
        "ssh-key": _("Public keys of who may log in (one a line)"),
        "user-data": _("User data for cloud-init (at most 16 KiB)"),
    }.get(key, key)


def share_word(name: str) -> str:
    """Return how much of a share somebody has, in words with two fields."""
    return {
        "machines": _("%(mine)s of %(most)s machines"),
        "memory": _("%(mine)s of %(most)s memory"),
        "vcpus": _("%(mine)s of %(most)s CPUs"),
        "disk": _("%(mine)s of %(most)s disk"),
    }[name]


def part(name: str) -> str:
    """Return what a part of a machine is called."""
    return {
        offers.DISKS: _("Disks"),
        offers.DRIVES: _("Drives"),
        offers.CARDS: _("Network cards"),
        offers.SNAPSHOTS: _("Snapshots"),
    }[name]


def power(state: str) -> str:
    """Return the word for what a machine is, once it is back at a snapshot."""
    return {"running": _("it will run"), "paused": _("it will be paused"), "off": _("it will be off")}.get(state, state)


def filter_problem(kind: str, word: str, meant: str) -> str:
    """Return what is wrong with a word of a filter."""
    if kind == filters.NO_KEY and meant:
        return _("There is no filter %(key)s:; did you mean %(meant)s:?") % {"key": word, "meant": meant}
    return {
        filters.NO_KEY: _("There is no filter %(key)s:, so the word is searched for as it is."),
        filters.NO_FIGURE: _("%(key)s has no number to compare with; it is ignored."),
        filters.NO_SET: _("%(key)s is not a set of hosts that can be searched for; it is ignored."),
    }[kind] % {"key": word}


def asked(question: str) -> str:
    """Return the heading of what a host can be asked just now."""
    return {
        "info": _("Facts (info)"),
        "usage": _("Load, memory, pools now"),
        "messages": _("Messages (dmesg)"),
        "version": _("Versions"),
        "description": _("Description (XML)"),
        "statistics": _("Statistics now"),
        "log": _("Who did what (audit)"),
        "events": _("What happened to it"),
    }[question]


def problem(row: dict[str, Any]) -> str:
    """Return in a word or two why a host's report is old, empty where there is no reason known."""
    code = row.get("code")
    if unseen(row):
        return _("not seen yet")
    if row.get("received") is None and code is None:
        return _("not asked yet")
    if not code:
        return _("no report") if row.get("freshness", fleet.FRESH) != fleet.FRESH else ""
    if code == outcome.UNREACHABLE and row.get("condition"):  # it reported, was silent, and was asked
        return _("does not answer")
    kinds = {
        outcome.UNREACHABLE: _("unreachable"),
        outcome.TIMEOUT: _("timed out"),
        outcome.DENIED: _("denied"),
        outcome.CREDENTIALS: _("no valid ticket"),
        outcome.HYPERVISOR: _("its hypervisor does not answer"),
        outcome.UNSUPPORTED: _("its xmand is too old"),
    }
    return kinds.get(code, _("no report"))


def unseen(row: dict[str, Any]) -> bool:
    """Whether a host, or that of a machine, is one that is expected to report and never did."""
    never = row.get("received") is None and row.get("code") is None
    return never and row.get("host", row.get("name")) in portal().settings.expected


def report_age(row: dict[str, Any], now: float) -> str:
    """Return when the last good report came."""
    received = row.get("received")
    return _("never") if received is None else ago(max(0.0, now - received))


def action_state(state: str) -> str:
    """Return the word for how an action stands."""
    return {
        actions.QUEUED: _("queued"),
        actions.RUNNING: _("running"),
        actions.DONE: _("done"),
        actions.FAILED: _("failed"),
        actions.UNKNOWN: _("unknown"),
        actions.CANCELLED: _("taken back"),
    }.get(state, state)


def class_word(name: str) -> str:
    """Return the words for a class of outcome by its name; of a change that goes on, that it does."""
    if name == "running":
        return _("running")
    codes = {outcome.class_name(code): code for code in outcome.CLASSES}
    return outcome_class(codes.get(name)) or name


def terminal_problem(problem: str) -> str:
    """Return what a terminal is told that has no machine yet, or gets none."""
    return {
        "wait": _("Your machine is being prepared …"),
        "unknown": _("This is no terminal that the portal knows."),
        "none-free": _("No machine is free just now; this page asks again."),
        "prove": _("This terminal must prove its identity with a keytab to get its machine."),
        "out-of-reach": _("The machine cannot be started just now; this page asks again."),
        "no-address": _("The machine has no address yet."),
        "no-screen": _("The machine's screen is not on the network."),
    }[problem]


def seat_problem(problem: str) -> str:
    """Return the same as a laboratory's page has it, where somebody else reads it than who sits at the terminal."""
    return {
        "wait": _("its machine is being prepared"),
        "none-free": _("no machine is free"),
        "out-of-reach": _("its machine cannot be started"),
    }.get(problem) or terminal_problem(problem)


def event_word(event: str) -> str:
    """Return the word for what happened to a machine, as libvirt tells it."""
    return {
        "defined": _("defined"),
        "undefined": _("forgotten"),
        "started": _("started"),
        "suspended": _("stopped its CPUs"),
        "resumed": _("went on"),
        "stopped": _("ended"),
        "shutdown": _("shut down"),
        "pmsuspended": _("fell asleep"),
        "crashed": _("crashed"),
    }.get(event, event)


def outcome_class(code: int | None) -> str:
    """Return the words for a class of outcome."""
    return {
        outcome.OK: _("done"),
        outcome.INTERNAL: _("a fault of xman's own"),
        outcome.USAGE: _("not understood"),
        outcome.REFUSED: _("refused by its state"),
        outcome.CREDENTIALS: _("no valid ticket"),
        outcome.DENIED: _("denied"),
        outcome.UNREACHABLE: _("unreachable"),
        outcome.NO_SUCH_DOMAIN: _("no such machine"),
        outcome.HYPERVISOR: _("the hypervisor failed"),
        outcome.UNKNOWN: _("unknown: it may have happened"),
        outcome.TIMEOUT: _("timed out"),
        outcome.UNSUPPORTED: _("not supported there"),
    }.get(code if code is not None else -1, "")


def cannot_act(problem: str) -> str:
    """Return why a session can look and not act."""
    return {
        signon.NOT_DELEGATED: _("Your browser identified you, but did not delegate your ticket."),
        signon.NOT_PERMITTED: _(
            "Your ticket cannot be used for the hosts: the realm does not let the portal act for you."
        ),
        signon.NO_CACHE: _("The proxy in front of the portal did not hand over your ticket."),
    }.get(problem, _("Your ticket is not on this portal any more; sign on again."))
