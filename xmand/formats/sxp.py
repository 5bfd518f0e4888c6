"""S-expressions, as xm wrote them (`xm list --long`) and read them (`xm create -F`): xend's sxp.py and XendConfig."""

from collections.abc import Callable

from xman.errors import UsageError
from xmand.formats.keyvalues import MOST_ITEMS, Settings, vetted

_MOST_DEPTH = 32
_MOST_NODES = 65_536
_BLANK = " \t\r\n\f\v"
_PUNCTUATION = "{}()<>[]!;"
_ESCAPES = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "\\": "\\", "'": "'", '"': '"'}

# What `xm list --long` says of a domain that runs; it describes no domain to come.
_RUN_TIME = frozenset(
    (
        "domid",
        "status",
        "state",
        "cpu_time",
        "start_time",
        "up_time",
        "online_vcpus",
        "console_mfn",
        "store_mfn",
        "console_port",
        "store_port",
        "on_xend_start",
        "on_xend_stop",
        "security",
        "change_home_server",
        "shutdown_reason",
        "paused",
        "VCPUs",
        "memory_dynamic_max",
        "memory_dynamic_min",
        "memory_static_max",
        "memory_static_min",
        "platform",
        "other_config",
        "notes",
        "guest_os_type",
        "features",
        "target",
        "vtpm_refs",
        "pool_name",
        "is_a_template",
        "is_control_domain",
        "cpuid",
        "cpuid_check",
        "devices",
    )
)
_RENAMED = {"bootloader_args": "bootargs"}
_IMAGE_RENAMED = {"args": "extra", "ip": "cmdline_ip", "loader": "kernel"}
_IMAGE_RUN_TIME = frozenset(
    ("notes", "device_model", "device_id", "console", "store", "xauthority", "display", "vncconsole")
)
# What `xm list --long` says of a device that is there already.
_DEVICE_RUN_TIME = frozenset(("uuid", "location", "other_config", "devid", "bootable", "VDI", "protocol"))
# Devices that every domain has, or that stand for none of ours.
_PLAIN_DEVICES = frozenset(("console", "vkbd"))


class Form:
    """A list: its items, atoms and lists, and the line on which it begins."""

    __slots__ = ("items", "line")

    def __init__(self, line: int) -> None:
        self.items: list[str | Form] = []
        self.line = line

    @property
    def head(self) -> str:
        """The first atom; empty where there is none."""
        return self.items[0] if self.items and isinstance(self.items[0], str) else ""

    def forms(self) -> "list[Form]":
        """Return the lists within."""
        return [item for item in self.items if isinstance(item, Form)]

    def text(self) -> str:
        """Return the atoms behind the head, as one value. Raises UsageError where there is a list."""
        if self.forms():
            raise UsageError(f"One value is expected, not a list (line {self.line}: {self.head[:64]}).")
        return vetted(" ".join(str(item) for item in self.items[1:]), self.line)


def parse(text: str) -> Settings:
    """Return the settings of the first form. Raises UsageError."""
    form = read(text)
    if form.head not in ("vm", "domain"):
        raise UsageError(f"The first form is neither (vm ...) nor (domain ...) (line {form.line}).")
    settings = Settings()
    for item in form.items[1:]:
        if not isinstance(item, Form) or not item.head:
            raise UsageError(f"A list that begins with a word is expected (line {form.line}: {form.head}).")
        _top(settings, item)
    return settings


def read(text: str) -> Form:
    """Return the first form of `text`. Raises UsageError."""
    stack: list[Form] = []
    position, line, nodes = 0, 1, 0
    while position < len(text):
        character = text[position]
        if character in _BLANK:
            line += character == "\n"
            position += 1
            continue
        if character == "#":
            position = _end(text, position, lambda c: c == "\n")
            continue
        nodes += 1
        if nodes > _MOST_NODES or (stack and len(stack[-1].items) > MOST_ITEMS):
            raise UsageError(f"The description is too large (line {line}).")
        if character == "(":
            form = Form(line)
            if stack:
                stack[-1].items.append(form)
            stack.append(form)
            if len(stack) > _MOST_DEPTH:
                raise UsageError(f"The description is nested too deeply (line {line}).")
            position += 1
        elif not stack:
            raise UsageError(f"A '(' is expected (line {line}).")
        elif character == ")":
            position += 1
            done = stack.pop()
            if not stack:
                return done
        elif character in "'\"":
            word, end = _string(text, position + 1, character, line)
            line += text.count("\n", position, end)
            position = end
            stack[-1].items.append(word)
        elif character in _PUNCTUATION:
            raise UsageError(f"'{character}' is not expected outside of quotes (line {line}).")
        else:
            end = _end(text, position, lambda c: c in _BLANK or c in _PUNCTUATION or c == "#")
            stack[-1].items.append(vetted(text[position:end], line))
            position = end
    raise UsageError(f"A ')' is missing (line {stack[-1].line if stack else line}).")


def _end(text: str, position: int, ends: Callable[[str], bool]) -> int:
    while position < len(text) and not ends(text[position]):
        position += 1
    return position


def _string(text: str, position: int, quote: str, line: int) -> tuple[str, int]:
    """Return a quoted atom and where it ends."""
    parts: list[str] = []
    while position < len(text):
        character = text[position]
        if character == quote:
            return vetted("".join(parts), line), position + 1
        if character == "\\":
            part, position = _escape(text, position + 1)
            parts.append(part)
        else:
            parts.append(character)
            position += 1
    raise UsageError(f"A string has no end (line {line}).")


def _escape(text: str, position: int) -> tuple[str, int]:
    """Return what an escape stands for and where it ends; xend keeps the backslash of an unknown one, and drops it."""
    character = text[position : position + 1]
    if character in _ESCAPES and character:
        return _ESCAPES[character], position + 1
    for start, most, digits, base in ((position, 3, "01234567", 8), (position + 1, 2, "0123456789abcdefABCDEF", 16)):
        if base == 16 and character != "x":
            continue
        end = start
        while end < start + most and text[end : end + 1] and text[end] in digits:
            end += 1
        if end > start:
            return chr(int(text[start:end], base)), end
    return "\\", position + 1


def _top(settings: Settings, form: Form) -> None:
    key = form.head
    if key in _RUN_TIME:
        return
    if key == "image":
        _image(settings, form)
    elif key == "device":
        _device(settings, form)
    elif key == "cpus" and form.forms():
        # One list of CPUs for each of the domain's; an empty one is any.
        words = [",".join(_atoms(per_cpu)) for per_cpu in form.forms()[0].forms()]
        settings.put(key, [*words] if any(words) else [], form.line)
    elif not _is_empty(form):
        settings.put(_RENAMED.get(key, key), form.text(), form.line)


def _is_empty(form: Form) -> bool:
    """Whether nothing stands behind the head: `(pci ())`, `(features )`."""
    return all(isinstance(item, Form) and _is_void(item) for item in form.items[1:])


def _is_void(form: Form) -> bool:
    return all(isinstance(item, Form) and _is_void(item) for item in form.items)


def _image(settings: Settings, form: Form) -> None:
    for image in form.forms():
        if image.head not in ("linux", "hvm", "pvh"):
            raise UsageError(f"The image is neither linux nor hvm nor pvh (line {image.line}).")
        settings.put("builder", image.head, image.line)
        for item in image.forms():
            if item.head in _IMAGE_RUN_TIME or _is_empty(item):
                continue
            if item.head == "pci" and item.forms():
                _pci(settings, item)
            else:
                settings.put(_IMAGE_RENAMED.get(item.head, item.head), item.text(), item.line)


def _device(settings: Settings, form: Form) -> None:
    for device in form.forms():
        kind = device.head
        values = {
            item.head: item.text()
            for item in device.forms()
            if not item.forms() and item.head not in _DEVICE_RUN_TIME and not _is_empty(item)
        }
        if kind in ("vbd", "tap", "tap2"):
            words = [values.get("uname", ""), values.get("dev", ""), values.get("mode", "r"), values.get("backend", "")]
            settings.append("disk", _joined(words, device.line), device.line)
        elif kind in ("vif", "vfb"):
            if values.get("backend") == "0":
                del values["backend"]
            words = [f"{key}={value}" for key, value in values.items()]
            settings.append(kind, _joined(words, device.line), device.line)
        elif kind == "pci":
            _pci(settings, device)
        elif kind not in _PLAIN_DEVICES:
            settings.put(kind, "1", device.line)


def _pci(settings: Settings, form: Form) -> None:
    """Take the host's PCI devices: `(dev (domain 0x0) (bus 0x0) (slot 0x1) (func 0x0))`, or `(0x0 0x0 0x1 0x0)`."""
    for device in form.forms():
        inner = {item.head: item.text() for item in device.forms() if item.head and not item.forms()}
        numbers = [inner.get(name, "") for name in ("domain", "bus", "slot", "func")]
        if not device.forms():
            numbers = _atoms(device)[:4]
        try:
            domain, bus, slot, function = (int(number or "0", 16) for number in numbers)
        except ValueError:
            if device.head == "dev" or not device.head:
                raise UsageError(
                    f"A PCI device is described by domain, bus, slot and func (line {form.line})."
                ) from None
            continue
        if device.head == "dev" or not device.forms():
            settings.append("pci", f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}", form.line)


def _joined(words: list[str], line: int) -> str:
    """Return a device as xm's configuration has it, so that both are read by the same code."""
    if any("," in word for word in words):
        raise UsageError(f"A value of a device holds a comma (line {line}).")
    return ",".join(words).rstrip(",")


def _atoms(form: Form) -> list[str]:
    return [item for item in form.items if isinstance(item, str)]
