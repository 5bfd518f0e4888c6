"""A domain in the shapes that scripts read: xm's S-expressions, xl's JSON, and both programs' columns."""

from xml.etree import ElementTree

from xman import render
from xman.values import MIB, ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Form = list["str | int | float | Form"]

_XL_HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
_LETTERS = {
    "running": "r-----",
    "blocked": "-b----",
    "paused": "--p---",
    "pmsuspended": "--p---",
    "shutdown": "---s--",
    "crashed": "---sc-",
    "nostate": "------",
}
# xend's numbers of a domain's state.
_STATUS = {"shutoff": 0, "paused": 1, "pmsuspended": 1, "shutdown": 4, "crashed": 5}
_RUNS = 2
_KIB_PER_MIB = 1024
_FIRST_PORT = 5900
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,:/=@%^*~|&?$")
_XM_FORMATS = {"raw": "tap:aio:", "qcow": "tap:qcow:", "qcow2": "tap:qcow2:", "vhd": "tap:vhd:", "vpc": "tap:vhd:"}


def columns(program: str, domains: "list[dict[str, Any]]", verbose: bool = False) -> str:
    """Return `list`: xm's columns are rxm's own."""
    if program == "xm":
        return render.text("list", {"domains": domains})
    header = _XL_HEADER if not verbose else _XL_HEADER.rstrip("\n") + "  UUID                            Reason-Code\n"
    return header + "".join(f"{_row(domain, verbose)}\n" for domain in domains)


def _row(domain: "dict[str, Any]", verbose: bool) -> str:
    row = "%-40s %5d %5d %5d     %s  %8.1f" % (
        domain["name"],
        domain["id"],
        domain["memory"] // MIB,
        domain["vcpus"],
        _LETTERS.get(domain["state"], "------"),
        domain["cpu_seconds"],
    )
    return f"{row} {domain['uuid']}        -" if verbose else row


def vcpus(program: str, domains: "list[dict[str, Any]]", cpus: int) -> str:
    """Return `vcpu-list`: that a virtual CPU may run on each of the host's `cpus` both programs say in a word."""
    text = render.text("vcpu-list", {"domains": domains})
    header, *rows = text.splitlines()
    if program == "xl":
        header = header.replace("CPU Affinity", "Affinity (Hard / Soft)")
    said = [header]
    everywhere = ranges(list(range(cpus)))
    for row in rows:
        front, _, where = row.rpartition(" ")
        where = "all" if where == everywhere and program == "xl" else "any cpu" if where == everywhere else where
        if program == "xl" and where == "cpus":  # no cpus
            front, where = front.removesuffix(" no"), "none"
        said.append(f"{front}  {where} / all" if program == "xl" else f"{front} {where}")
    return "".join(f"{line}\n" for line in said)


def with_topology(info: str, nodes: "list[dict[str, Any]]") -> str:
    """Return `info` with what -n adds: xl's tables of CPUs and of NUMA nodes, in front of the lines about Xen."""
    lines = ["cpu_topology           :", "cpu:    core    socket     node"]
    places = sorted((cpu["cpu"], cpu["core"], cpu["socket"], node["node"]) for node in nodes for cpu in node["cpus"])
    lines += ["%3d:    %4d     %4d     %4d" % place for place in places]
    lines += ["numa_info              :", "node:    memsize    memfree    distances"]
    for node in nodes:
        sizes = (node["node"], node["memory"] // MIB, node.get("free", 0) // MIB)
        distances = ",".join(map(str, node.get("distances", []))) or "10"
        lines.append("%4d:    %6d     %6d      %s" % (*sizes, distances))
    front, mark, rest = info.partition("\nxen_major")
    if not mark:
        front, mark, rest = info.partition("\nxend_config_format")
    return "\n".join([front.rstrip("\n"), *lines, *((mark + rest).strip("\n").split("\n") if mark else [])]) + "\n"


def xl(domain: "dict[str, Any]", description: str) -> "dict[str, Any]":
    """Return a domain as `xl list -l` has it."""
    return {"domid": domain["id"], "config": xl_config(description)}


def xl_config(description: str) -> "dict[str, Any]":
    """Return what `xl create --dryrun` says of a description of libvirt's: the keys of libxl's own JSON."""
    root = ElementTree.fromstring(description)  # noqa: S314  # what the host itself serialised
    kind = {"linux": "pv", "xen": "pv", "xenpvh": "pvh"}.get(root.findtext("os/type") or "", "hvm")
    vcpu = root.find("vcpu")
    most = int((vcpu.text if vcpu is not None else None) or 1)
    online = int(vcpu.get("current") or most) if vcpu is not None else 1
    built: dict[str, Any] = {
        "max_vcpus": most,
        "avail_vcpus": list(range(online)),
        "max_memkb": _kib(root, "memory"),
        "target_memkb": _kib(root, "currentMemory") or _kib(root, "memory"),
    }
    for key, path in (("kernel", "os/kernel"), ("ramdisk", "os/initrd"), ("cmdline", "os/cmdline")):
        if root.findtext(path):
            built[key] = root.findtext(path)
    if root.findtext("bootloader"):
        built["bootloader"] = root.findtext("bootloader")
    screens = [{"vnc": vnc} for vnc in map(_xl_vnc, root.iterfind("devices/graphics[@type='vnc']"))]
    built[f"type.{kind}"] = screens[0] if kind == "hvm" and screens else {}
    made: dict[str, Any] = {
        "c_info": {
            "type": kind,
            "name": root.findtext("name") or "",
            "uuid": root.findtext("uuid") or "",
            "run_hotplug_scripts": "True",
        },
        "b_info": built,
        "disks": [_xl_disk(disk) for disk in root.iterfind("devices/disk")],
        "nics": [_xl_nic(number, nic) for number, nic in enumerate(root.iterfind("devices/interface"))],
    }
    if screens and kind != "hvm":
        made["vfbs"] = [{"devid": number} | screen for number, screen in enumerate(screens)]
    return made | {key: root.findtext(key) for key in ("on_poweroff", "on_reboot", "on_crash") if root.findtext(key)}


def _xl_vnc(graphics: ElementTree.Element) -> "dict[str, Any]":
    made: dict[str, Any] = {"enable": "True", "listen": _listens(graphics)}
    display = _display(graphics)
    return made if display is None else made | {"display": display}


def _listens(graphics: ElementTree.Element) -> str:
    return graphics.get("listen") or "127.0.0.1"


def _display(graphics: ElementTree.Element) -> "int | None":
    """Return the number of a screen that has a port."""
    port = int(graphics.get("port") or -1)
    return port - _FIRST_PORT if port >= _FIRST_PORT else None


def _kib(root: ElementTree.Element, name: str) -> int:
    element = root.find(name)
    if element is None:
        return 0
    units = {"b": 1, "bytes": 1, "KiB": 1024, "k": 1024, "MiB": 1 << 20, "M": 1 << 20, "GiB": 1 << 30, "G": 1 << 30}
    return int(element.text or 0) * units.get(element.get("unit", "KiB"), 1024) // 1024


def _path(disk: ElementTree.Element) -> str:
    source = disk.find("source")
    return "" if source is None else next(iter(source.attrib.values()), "")


def _format(disk: ElementTree.Element) -> str:
    driver = disk.find("driver")
    return "raw" if driver is None else driver.get("type", "raw")


def _target(element: ElementTree.Element, path: str, name: str) -> str:
    found = element.find(path)
    return "" if found is None else found.get(name, "")


def _xl_disk(disk: ElementTree.Element) -> "dict[str, Any]":
    made: dict[str, Any] = {
        "pdev_path": _path(disk),
        "vdev": _target(disk, "target", "dev"),
        "format": {"vpc": "vhd"}.get(_format(disk), _format(disk)) if _path(disk) else "empty",
        "readwrite": int(disk.find("readonly") is None),
    }
    return made | ({"is_cdrom": 1, "removable": 1} if disk.get("device") == "cdrom" else {})


def _xl_nic(number: int, nic: ElementTree.Element) -> "dict[str, Any]":
    facts = {"mac": _target(nic, "mac", "address"), "bridge": _target(nic, "source", "bridge")}
    facts["model"] = _target(nic, "model", "type")
    return {"devid": number} | {key: value for key, value in facts.items() if value}


def sxp(domain: "dict[str, Any]", description: str, started: "float | None" = None) -> str:
    """Return a domain as `xm list --long` has it; `started` is in seconds since 1970, None where that is not known."""
    root = ElementTree.fromstring(description)  # noqa: S314  # what the host itself serialised
    form: Form = ["domain"]
    if domain["id"] is not None:
        form.append(["domid", domain["id"]])
    form += _body(root)
    if started is not None:
        form.append(["start_time", f"{started:.2f}"])
    form += [["cpu_time", f"{domain['cpu_seconds']:.9f}"], ["online_vcpus", domain["vcpus"]]]
    letters = _LETTERS.get(domain["state"], "")
    form += [["status", _STATUS.get(domain["state"], _RUNS)], ["state", letters or "------"]]
    form += _devices(root)
    return pretty(form)


def sxp_config(description: str) -> str:
    """Return what `xm create --dryrun` prints."""
    root = ElementTree.fromstring(description)  # noqa: S314  # what the host itself serialised
    return pretty(["vm", *_body(root), *_devices(root)])


def _body(root: ElementTree.Element) -> "Form":
    most = root.findtext("vcpu") or "1"
    form: Form = [
        ["on_crash", root.findtext("on_crash") or "restart"],
        ["uuid", root.findtext("uuid") or ""],
        ["vcpus", most],
        ["name", root.findtext("name") or ""],
        ["on_poweroff", root.findtext("on_poweroff") or "destroy"],
        ["on_reboot", root.findtext("on_reboot") or "restart"],
        ["memory", (_kib(root, "currentMemory") or _kib(root, "memory")) // _KIB_PER_MIB],
        ["maxmem", _kib(root, "memory") // _KIB_PER_MIB],
    ]
    if root.findtext("bootloader"):
        form.append(["bootloader", root.findtext("bootloader") or ""])
    kind = {"linux": "linux", "xen": "linux"}.get(root.findtext("os/type") or "", "hvm")
    image: Form = [kind]
    for key, path in (("kernel", "os/kernel"), ("ramdisk", "os/initrd"), ("args", "os/cmdline")):
        if root.findtext(path):
            image.append([key, root.findtext(path) or ""])
    if kind == "hvm":
        orders = {"hd": "c", "cdrom": "d", "network": "n", "fd": "a"}
        image.append(["boot", "".join(orders.get(boot.get("dev", ""), "") for boot in root.iterfind("os/boot")) or "c"])
    return [*form, ["image", image]]


def _devices(root: ElementTree.Element) -> "Form":
    form: Form = []
    for nic in root.iterfind("devices/interface"):
        vif: Form = ["vif"]
        facts = (
            ("bridge", _target(nic, "source", "bridge")),
            ("mac", _target(nic, "mac", "address")),
            ("model", _target(nic, "model", "type")),
        )
        vif += [[key, value] for key, value in facts if value]
        form.append(["device", [*vif, ["backend", 0]]])
    for disk in root.iterfind("devices/disk"):
        path = _path(disk)
        prefix = "phy:" if disk.get("type") == "block" else "file:"
        if _format(disk) != "raw":
            prefix = _XM_FORMATS.get(_format(disk), "file:")
        what = "cdrom" if disk.get("device") == "cdrom" else "disk"
        vbd: Form = [
            "vbd",
            ["uname", f"{prefix}{path}" if path else ""],
            ["dev", f"{_target(disk, 'target', 'dev')}:{what}"],
            ["mode", "w" if disk.find("readonly") is None else "r"],
            ["backend", 0],
        ]
        form.append(["device", vbd])
    for graphics in root.iterfind("devices/graphics[@type='vnc']"):
        display = _display(graphics)
        vfb: Form = ["vfb", ["vncunused", 1 if graphics.get("autoport") == "yes" else 0], ["vnc", 1]]
        vfb += [["vnclisten", _listens(graphics)], ["type", "vnc"]]
        if display is not None:
            vfb += [["vncdisplay", display], ["location", f"{_listens(graphics)}:{_FIRST_PORT + display}"]]
        form.append(["device", vfb])
    return form


def pretty(form: "Form", depth: int = 0) -> str:
    """Return a form on lines of its own, as xm printed them."""
    indent = "    " * depth
    if all(not isinstance(item, list) for item in form):
        return f"{indent}({' '.join(_atoms(form))})\n"
    head = str(form[0])
    inner = "".join(
        pretty(item, depth + 1) if isinstance(item, list) else f"{indent}    {_atom(item)}\n" for item in form[1:]
    )
    return f"{indent}({head}\n{inner}{indent})\n"


def _atoms(form: "Iterable[Any]") -> list[str]:
    return [_atom(item) for item in form]


def _atom(item: object) -> str:
    text = str(item)
    if text and set(text) <= _PLAIN:
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" if text else ""
