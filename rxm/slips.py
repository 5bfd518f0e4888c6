"""What was meant, where a word is not what it should be: loaded only to say so."""

from xman import escape, verbs
from xman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xman.grammar import Verb

# What people write for several names elsewhere: shells, patterns of addresses, lists with blanks.
_RANGE_SIGNS = frozenset("{}();| /")
_LISTS = "A range is written NAME[80-84], and several names with commas: a,b."
# From so many letters on two may be wrong.
_LONG = 6


def host(word: str) -> str:
    """Return the name of a host that is not of ASCII; raise UsageError for what is none, with what to write instead."""
    shown = escape.line(word)
    if "@" in word:
        user, _, name = map(escape.line, word.partition("@"))
        if not user or not name:
            raise UsageError(f"'{shown}' is not a host; a group of hosts is written @NAME.")
        only, behind = _without_port(name)
        raise UsageError(
            f"'{shown}': write only the host, {only}{behind}; your ticket says who you are (kinit {user})."
        )
    if word.startswith("-"):
        raise UsageError(f"'{shown}' is not a host; exclude hosts with '!': @all!{shown.lstrip('-')}.")
    if word.count(":") == 1 and "/" not in word:
        name, _, port = map(escape.line, word.partition(":"))
        if port and not port.isdecimal():
            raise UsageError(
                f"'{shown}' is not a host; HOST:DOMAIN stands behind the verb, and here the host: -H {name}."
            )
        raise UsageError(f"'{shown}': give the port as an option: -H {name} -p {port or 'N'}.")
    if "://" in word:
        only, behind = _without_port(escape.line(word.partition("://")[2].split("/")[0]))
        raise UsageError(f"'{shown}': write the host alone ({only}{behind}).")
    if not _RANGE_SIGNS.isdisjoint(word):
        raise UsageError(f"'{shown}' cannot be the name of a host. {_LISTS}")
    if word.isascii() or not word.isprintable() or any(character.isspace() or character in "/@:" for character in word):
        raise UsageError(f"'{shown}' cannot be the name of a host.")
    return word


def _without_port(name: str) -> tuple[str, str]:
    """Return a host's name, and how its port would be given, where one stands behind it."""
    host, _, port = name.partition(":")
    return (host, f" -p {port}") if host and port.isdecimal() else (name, "")


def names(text: str, problem: str) -> UsageError:
    """Return what to say of a list of hosts, or of domains, that cannot be read."""
    inner, _, behind = text.strip().removeprefix("[").partition("]")
    address = frozenset("0123456789abcdefABCDEF:.").issuperset(inner.partition("%")[0]) and ":" in inner
    if text.strip().startswith("[") and address and (not behind or behind[1:].isdecimal()):
        port = f", and the port as an option: -p {behind[1:]}" if behind else ""
        return UsageError(f"'{text}': write an address of IPv6 without brackets: {inner}{port}.")
    if text.startswith("@") and ":" in text:
        source = escape.line(text[1:].partition(":")[0])
        problem = f"ClusterShell knows no source of groups '{source}' (groups.conf)"
    lists = f" {_LISTS}" if "[" in text else ""
    return UsageError(f"'{escape.line(text)}' is not a list of names: {problem}.{lists}")


def meant(word: str, known: "Iterable[str]") -> str:
    """Return which of the `known` words was probably meant; empty where none is near."""
    near = sorted((_distance(word.lower(), each.lower()), each) for each in known)
    return near[0][1] if near and near[0][0] <= (1 if len(word) < _LONG else 2) else ""


def _distance(one: str, other: str) -> int:
    """Return how many letters are wrong, missing, too many, or exchanged with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        earlier, before, row = before, row, [at]
        for there, theirs in enumerate(other, 1):
            cost = min(before[there] + 1, row[-1] + 1, before[there - 1] + (letter != theirs))
            exchanged = at > 1 and there > 1 and letter == other[there - 2] and one[at - 2] == theirs
            row.append(min(cost, earlier[there - 2] + 1) if exchanged else cost)
    return row[-1]


def did_you_mean(word: str, known: "Iterable[str]") -> str:
    """Return a question that stands behind an error; empty where nothing is near."""
    near = meant(word, known) if len(word) > len("-x") else ""
    return f" Did you mean {near}?" if near else ""


# Words of others (virsh, qm, incus, kubectl, xm and xl) for what a command of ours does, by that command.
COMMANDS = {
    "list": "ls ps vms domlist vm-list vmlist status-all",
    "list --long": "dominfo domstate domuuid domcontrol domjobinfo desc",
    "list --state running": "running active",
    "list, or state for batch jobs": "status",
    "-o csv --columns name,id list": "domid domname",
    "describe": "dumpxml dump-xml config show showcmd domxml get cat xml inspect managedsave-dumpxml",
    "describe, which shows its devices": "domdisplay domif-getlink console-list pci-list usb-list vkb-list vtpm-list",
    "edit": "set modify update-device config-update metadata managedsave-edit",
    "new": "define add register import importovf managedsave-define vm-new",
    "create": "run init apply up deploy virt-install install",
    "launch": "launch-image spawn",
    "create --convert, which reads xl, xm and SXP files": "domxml-from-native convert virt-v2v",
    "delete": "undefine remove rm del unregister",
    "start": "boot poweron on launch-vm",
    "start --discard-saved": "managedsave-remove",
    "shutdown": "halt down",
    "shutdown, or destroy to stop it at once": "stop",
    "shutdown --all": "shutdown-all stopall suspendall",
    "destroy": "kill poweroff off force-off",
    "terminate": "launch-delete expire",
    "destroy, then start": "reset power-cycle powercycle soft-reset",
    "reboot": "restart",
    "rename": "domrename mv",
    "suspend": "managedsave hibernate pmsuspend dompmsuspend",
    "resume": "pmwakeup dompmwakeup wakeup",
    "dump-core": "dump core",
    "mem-set": "setmem memory",
    "mem-max": "setmaxmem maxmem",
    "vcpu-set": "setvcpus vcpus cpus",
    "vcpu-pin": "vcpupin pin",
    "vcpu-list": "vcpuinfo vcpucount cpu-stats cpulist",
    "vnc": "vncviewer vncdisplay vncproxy spiceproxy terminal viewer",
    "screenshot": "screendump screencap",
    "send-key": "sendkey",
    "block-list": "domblklist disks disk-list lsblk",
    "network-list": "domiflist interfaces nics network2-list",
    "stats": "domstats domifaddr domblkinfo domblkstat domifstat dommemstat usage metrics addresses ip guestinfo",
    "stats --host": "nodecpustats freecell top-host",
    "pools": "storage pool-list pool-info pool-dumpxml pvesm df",
    "volumes": "vol-list vol-info vol-path vol-key vol-name vol-pool vol-dumpxml",
    "volume-create": "vol-create vol-create-as vol-create-from mkdisk",
    "volume-delete": "vol-delete rmdisk",
    "volume-delete --wipe": "vol-wipe",
    "volume-upload": "vol-upload importdisk upload push put",
    "volume-download": "vol-download download pull export",
    "images": "image templates image-info",
    "clone": "copy cp duplicate virt-clone vol-clone template",
    "info": "nodeinfo hostinfo sysinfo node capabilities hostname maxvcpus uri",
    "version": "versions",
    "events": "event domblkerror",
    "events --follow": "monitor watch tail",
    "list --watch": "live",
    "migrate": "move mv-host relocate evacuate-one remote-migrate",
    "migrate --abort": "domjobabort",
    "maintenance on, then migrate --all": "drain cordon evacuate",
    "maintenance off": "uncordon",
    "block-attach": "attach-disk disk-attach",
    "block-detach": "detach-disk disk-detach unlink",
    "block-resize": "blockresize resize disk-resize",
    "cd-insert": "change-media insert-cd",
    "cd-eject": "eject",
    "network-attach": "attach-interface nic-attach",
    "network-detach": "detach-interface nic-detach",
    "snapshot": "snapshot-create snapshot-create-as",
    "snapshot-list": "listsnapshot snapshots snapshot-current snapshot-info snapshot-dumpxml",
    "snapshot-revert": "rollback revert restore-snapshot snapshot-restore",
    "snapshot-delete": "delsnapshot",
    "job-list": "jobs squeue qstat",
    "job-start": "sbatch qsub",
    "job-stop": "scancel qdel",
    "ping": "whoami who id",
    "hosts": "host nodes host-info",
    "help --mine": "rights permissions can-i",
    "access": "acl acls roles principals members",
    "check": "doctor diagnose selftest",
    "log": "history audit logs journal who-did",
    "defrost": "thaw unfreeze",
    "top": "xentop virt-top",
    "console": "login serial ttyconsole",
    "console --log": "console-log consolelog",
}
_NO_DEVICES = "devices are changed in its description: rxm edit"
_INSIDE = "rxm does nothing inside a guest; log in to it (ssh)"
# What has no verb of ours, and where it is done.
ELSEWHERE = {
    _NO_DEVICES: (
        "attach-device detach-device"
        " block-configure pci-attach pci-detach usb-attach usb-detach domif-setlink scsi-attach scsi-detach"
    ),
    _INSIDE: (
        "exec file shell ssh agent guest guest-exec qemu-agent-command domfsfreeze domfsthaw domfstrim domtime"
        " set-user-password lxc-enter-namespace cloudinit"
    ),
    "rxm is xm and xl where it is called so, by the links of the package xman-xm": "xm xl",
    "the host's storage makes backups; rxm snapshot keeps what a domain is now, in its own images": (
        "backup vzdump restore-backup checkpoint"
    ),
    "rxm copies whole disks (clone, volume-upload, volume-download); for the rest there are the storage's own tools": (
        "publish importovf-disk rescan move-disk blockcopy blockcommit blockpull blockjob"
    ),
    "it is set in its description; virsh changes it on the host meanwhile": (
        "schedinfo sched-credit sched-credit2 memtune blkiotune blkdeviotune domiftune numatune emulatorpin perf"
        " iothreadinfo limits"
    ),
    "rxm manages domains; hosts, networks and clusters have tools of their own": (
        "network cluster project storage-pool remote admin nodesuspend node-memory-tune unlock cpupool-list"
    ),
    "it reaches past libvirt; use virsh, or xl, on the host": (
        "qemu-monitor-command qemu-attach inject-nmi trigger debug-keys sysrq send-process-signal"
    ),
}
# Whole families of virsh's and xl's, by how their verbs begin.
_FAMILIES = {
    "virsh": ("net-", "iface-", "nwfilter-", "nodedev-", "secret-", "pool-", "vol-", "snapshot-", "checkpoint-"),
    "xl": ("cpupool-", "tmem-", "psr-", "vtpm-", "pci-", "usb", "vnet-", "vkb-", "vsnd-", "vdispl-", "scsi-", "sched-"),
}


# What others put before or behind a verb (vm-start, domain_list), and by which verb of ours a noun is shown.
_NOUNS = ("vm", "vms", "dom", "domain", "domains", "machine", "machines", "guest", "guests", "instance", "instances")
_SHOWN_BY = {
    "volume": "volumes",
    "vol": "volumes",
    "disk": "block-list",
    "pool": "pools",
    "image": "images",
    "host": "hosts",
    "node": "hosts",
    "snapshot": "snapshot-list",
    "job": "job-list",
    "nic": "network-list",
    "vcpu": "vcpu-list",
    "label": "label",
}
_SHOWING = ("list", "ls", "show", "info", "get")


def foreign(word: str) -> str:
    """Return what to say of a verb of another program; empty where it is none."""
    word = word.lower().replace("_", "-")
    return _known(word) or _compound(word) or _of_family(word)


def _compound(word: str) -> str:
    """Return what to say of a noun and a verb in one word, in either order."""
    first, dash, second = word.partition("-")
    for noun, verb in ((first, second), (second, first)) if dash else ():
        if verb in _SHOWING and noun.removesuffix("s") in _SHOWN_BY:
            return f"here it is 'rxm {_SHOWN_BY[noun.removesuffix('s')]}'."
        if noun in _NOUNS:
            return f"here it is 'rxm {verb}'." if verb in verbs.BY_NAME else _known(verb)
    return ""


def _known(word: str) -> str:
    for ours, theirs in COMMANDS.items():
        if word in theirs.split():
            command, comma, more = ours.partition(", ")
            return f"here it is 'rxm {command}'{comma}{more}."
    for said, theirs in ELSEWHERE.items():
        if word in theirs.split():
            return f"{said}."
    return ""


def _of_family(word: str) -> str:
    for program, families in _FAMILIES.items():
        if word.startswith(families):
            return f"{program} {word} does that on the host."
    return ""


def resolve(word: str, behind: "Sequence[str]" = ()) -> tuple[str, str]:
    """Return (verb, warning) as `verbs.resolve` does. Raises UsageError, with what was probably meant.

    `behind` are the words that follow it: the verb may be among them.
    """
    try:
        return verbs.resolve(word)
    except LookupError as error:
        other = foreign(word)
        if other:
            raise UsageError(f"'{escape.line(word)}' is not a verb; {other}") from error
        near = did_you_mean(word, [*verbs.BY_NAME, *verbs.OWN]) if "is not a verb" in str(error) else ""
        if not near and behind and behind[0] in (*verbs.BY_NAME, *verbs.OWN):
            near = f" The verb stands first: rxm {behind[0]} {escape.line(word)}"
        raise UsageError(f"{error}{near}") from error


def option(verb: "Verb", words: list[str], own: "Iterable[str]") -> str:
    """Return which option of a verb, or of rxm's `own`, was probably meant by the first of `words` that is none."""
    known = [name for each in (*verb.options, *verbs.COMMON_OPTIONS) for name in each.names]
    for word in words:
        name = word.partition("=")[0]
        if name == "--":
            break
        if name.startswith("--") and name not in known:
            return did_you_mean(name, [*known, *own])
    return ""
