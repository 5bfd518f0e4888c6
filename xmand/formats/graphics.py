"""Screen, keyboard, sound and console: vnc, sdl, vfb, usbdevice, soundhw, serial (xm.cfg(5), xl.cfg(5))."""

from xml.etree.ElementTree import Element

from xman.errors import UnsupportedError, UsageError
from xmand.formats.boot import HVM
from xmand.formats.context import Context, add
from xmand.formats.keyvalues import Settings

_FIRST_PORT = 5900
_LAST_DISPLAY = 65535 - _FIRST_PORT
# Of VNC's own authentication (RFC 6143, 7.2.2); Xen cuts longer ones, libvirt refuses them for QEMU.
_LONGEST_PASSWORD = 8
_KEYS = (
    "vnc",
    "sdl",
    "vnclisten",
    "vncdisplay",
    "vncunused",
    "vncpasswd",
    "vncpassword",
    "display",
    "xauthority",
    "keymap",
)
_MODELS = {"cirrus": "cirrus", "stdvga": "vga", "qxl": "qxl", "none": "none"}
_INPUTS = ("tablet", "mouse", "keyboard")
_SOUND = {"ac97": "ac97", "es1370": "es1370", "sb16": "sb16", "hda": "ich6", "ich6": "ich6", "pcspk": "pcspk"}


def write(context: Context, devices: Element, made: str, asked: str) -> None:
    """Write consoles, input, screens and sound. Raises UsageError and UnsupportedError."""
    _console(context, devices, made, asked)
    _inputs(context, devices)
    screens = _screens(context)
    for screen, line in screens:
        _graphics(context, devices, screen, line)
    _video(context, devices, made, bool(screens))
    for word in context.settings.text("soundhw").split(","):
        if word.strip() in _SOUND:
            add(devices, "sound", model=_SOUND[word.strip()])
        elif word.strip() not in ("", "0"):
            context.warn(f"Left out: the sound card {context.settings.where('soundhw')}.")


def _console(context: Context, devices: Element, made: str, asked: str) -> None:
    words = context.settings.words("serial")
    if made != HVM:
        add(add(devices, "console", type="pty"), "target", type="xen", port="0")
        return
    if [word for word in words if word not in ("pty", "none")]:
        context.warn(f"Left out: a serial port that is no pty {context.settings.where('serial')}.")
    if "pty" in words or asked != HVM:
        add(add(devices, "serial", type="pty"), "target", port="0")
        add(add(devices, "console", type="pty"), "target", type="serial", port="0")


def _inputs(context: Context, devices: Element) -> None:
    settings = context.settings
    settings.flag("usb")  # libvirt adds the controller by itself
    for word in settings.words("usbdevice"):
        if word.startswith("host:"):
            raise UsageError(f"'usbdevice' is not taken: it names hardware of the host {settings.where('usbdevice')}.")
        if word in _INPUTS:
            add(devices, "input", type=word, bus="usb")
        elif word:
            context.warn(f"Left out: a USB device that is none of {', '.join(_INPUTS)} {settings.where('usbdevice')}.")


def _screens(context: Context) -> list[tuple[Settings, str]]:
    """Return the settings of each screen and where they stand: the domain's own, and those of `vfb = [...]`."""
    own = context.settings
    found = []
    enabled = [key for key in ("vnc", "sdl") if own.flag(key)]
    if enabled:
        found.append((own, own.where(enabled[0])))
    for key in _KEYS:
        own.get(key)
    where = own.where("vfb")
    for text in own.words("vfb"):
        found.append((_framebuffer(text, where), where))
    return found


def _framebuffer(text: str, where: str) -> Settings:
    """Return the settings of a word of `vfb = [...]`; nothing of it is quoted, since a password may be in it."""
    settings = Settings()
    for field in filter(None, (field.strip() for field in text.split(","))):
        key, equals, value = (part.strip() for part in field.partition("="))
        if not equals or not key.isidentifier():
            raise UsageError(f"A frame buffer is described by key=value {where}.")
        if key == "type" and value in ("vnc", "sdl"):
            settings.put(value, "1", 0)
        elif key in _KEYS:
            settings.put(key, value, 0)
        elif key not in ("opengl", "vncviewer", "backend", "videoram"):
            # Behind a password it may be the rest of one that has a comma in it.
            named = "What follows a password" if _has_password(settings) else f"'{key[:32]}'"
            raise UsageError(f"{named} is no key of a frame buffer {where}.")
    return settings


def _has_password(settings: Settings) -> bool:
    return settings.has("vncpasswd") or settings.has("vncpassword")


def _graphics(context: Context, devices: Element, screen: Settings, where: str) -> None:
    if screen.flag("sdl"):
        add(devices, "graphics", type="sdl", display=screen.text("display"), xauth=screen.text("xauthority"))
        if not screen.flag("vnc"):
            return
    listen, _, display = screen.text("vnclisten", "127.0.0.1").partition(":")
    if screen.text("vnclisten").count(":") > 1:
        listen, display = screen.text("vnclisten"), ""  # an IPv6 address
    number = screen.number("vncdisplay", -1) if not display else int(display) if display.isdecimal() else -2
    if number == -2 or number > _LAST_DISPLAY:
        raise UsageError(f"A screen's number is a whole number up to {_LAST_DISPLAY} {where}.")
    if number >= 0 and not (screen.has("vncunused") and screen.flag("vncunused")):
        port, automatic = str(_FIRST_PORT + number), "no"
    else:
        port, automatic = "-1", "yes"
    password = screen.text("vncpasswd") or screen.text("vncpassword")
    if context.driver == "QEMU" and len(password.encode("utf-8", "surrogateescape")) > _LONGEST_PASSWORD:
        raise UnsupportedError(f"{context.driver} takes passwords of at most {_LONGEST_PASSWORD} octets {where}.")
    keymap = screen.text("keymap") or context.settings.text("keymap")
    graphics = add(
        devices, "graphics", type="vnc", port=port, autoport=automatic, keymap=keymap, passwd=password, listen=listen
    )
    if listen:
        add(graphics, "listen", type="address", address=listen)


def _video(context: Context, devices: Element, made: str, screens: bool) -> None:
    settings = context.settings
    model = "vga" if settings.flag("stdvga") else settings.choice("vga", "cirrus", _MODELS)
    memory = settings.number("videoram", 0)
    if made == HVM and (screens or settings.has("vga") or settings.flag("stdvga")):
        video = add(add(devices, "video"), "model", type=model)
        if memory and model != "none":
            video.set("vram", str(memory * 1024))
