"""Screen and sound: vnc, spice, sdl, vfb, vga, soundhw (xm.cfg(5), xl.cfg(5))."""

from xml.etree.ElementTree import Element

from xman.errors import UsageError
from xmand.formats.boot import HVM
from xmand.formats.context import Context, add
from xmand.formats.dialect import XL
from xmand.formats.keyvalues import Settings, whole

_FIRST_PORT = 5900
_LAST_DISPLAY = 65535 - _FIRST_PORT
# Of VNC's own authentication (RFC 6143, 7.2.2); libvirt refuses longer ones for QEMU.
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
_PASSWORDS = ("vncpasswd", "vncpassword")
_LISTEN = "vnclisten"
# Of frame buffers, and of nothing here; the last three `xm list --long` says of one that is there.
_PASSED_OVER = ("opengl", "vncviewer", "backend", "videoram", "serial", "monitor", "uuid", "location", "other_config")
_MODELS = {"": "", "cirrus": "cirrus", "stdvga": "vga", "qxl": "qxl", "none": "none"}
# The least MiB of each that libvirt's driver for Xen starts a guest with.
_LEAST_MIB = {"cirrus": 8, "vga": 16, "qxl": 128}
# What QEMU's `all` comes to in libvirt's own converter.
_ALL_CARDS = ("sb16", "es1370")
_SOUND = {"ac97": "ac97", "es1370": "es1370", "sb16": "sb16", "hda": "ich6", "ich6": "ich6", "pcspk": "pcspk"}


def write(context: Context, devices: Element, made: str, asked: str) -> None:
    """Write the screen and sound. Raises UsageError and UnsupportedError."""
    screen, line = None, ""
    with context.going_on():
        screen, line = _screen(context, asked)
        if screen is not None:
            _graphics(context, devices, screen, line)
    with context.going_on():
        spice = _spice(context, devices)
        _video(context, devices, made == HVM, asked == HVM, screen is not None or spice)
    with context.going_on():
        _sound(context, devices)


def _sound(context: Context, devices: Element) -> None:
    word = context.settings.text("soundhw").strip()
    for card in _ALL_CARDS if word in ("all", "1") else [name.strip() for name in word.split(",")]:
        if card in _SOUND:
            add(devices, "sound", model=_SOUND[card])
        elif card not in ("", "0"):
            context.leave_out(f"the sound card {context.settings.where('soundhw')}")


def _screen(context: Context, asked: str) -> tuple[Settings | None, str]:
    """Return the settings of the one screen and where they stand, None where there is none.

    The guest has one VNC server: for xl an HVM guest's is what its own keys say, and others' is the first of
    `vfb = [...]`. What only the other place says, such as the password, holds as well. xl's HVM guests have one also
    where nothing is said.
    """
    own = context.settings
    for key in _KEYS:
        own.get(key)
    where = own.where("vfb")
    words = own.words("vfb")
    buffers = [_framebuffer(context, text, where) for text in words]
    for _ in buffers[1:]:
        context.leave_out(f"a second screen {where}")
    enabled = [key for key in ("vnc", "sdl") if own.flag(key)]
    spoken = own.has("vnc") or own.has("sdl") or own.flag("nographic") or own.flag("spice")
    usual = context.theirs == XL and asked == HVM and not spoken
    if buffers and (asked != HVM or not enabled):
        buffer = buffers[0]
        if asked == HVM:
            _fill(buffer, own)
        return (buffer if buffer.flag("vnc") or buffer.flag("sdl") else None), where
    if not enabled and not usual:
        return None, ""
    merged = Settings()
    _fill(merged, own)
    for buffer in buffers[:1]:
        _fill(merged, buffer)
    if usual:
        merged.put("vnc", "1", 0)
    return merged, own.where(enabled[0]) if enabled else own.where("vnc")


def _fill(screen: Settings, other: Settings) -> None:
    """Take from another place what a screen does not say itself."""
    password = _has_password(screen)
    for key in _KEYS:
        value = other.peek(key)
        if value not in (None, "") and not screen.has(key) and not (password and key in _PASSWORDS):
            screen.put(key, value, 0)
    if other.peek(_LISTEN) == "" and screen.peek(_LISTEN) is None:
        screen.put(_LISTEN, "", 0)


def _framebuffer(context: Context, text: str, where: str) -> Settings:
    """Return the settings of a word of `vfb = [...]`; nothing of it is quoted, since a password may be in it."""
    settings = Settings()
    for field in filter(None, (field.strip() for field in text.split(","))):
        key, equals, value = (part.strip() for part in field.partition("="))
        if not equals and context.theirs == XL and not _has_password(settings):
            context.leave_out(f"a frame buffer's {field[:32]} {where}")
            continue
        if not equals or not key.isidentifier():
            raise UsageError(f"A frame buffer is described by key=value {where}.")
        if key == "type" and value in ("vnc", "sdl"):
            settings.put(value, "1", 0)
        elif key in _KEYS:
            settings.put(key, value, 0)
        elif context.theirs == XL and not _has_password(settings):
            # xl passes over what it does not know; xm does not.
            if key not in _PASSED_OVER and (key, value) != ("type", "vfb"):
                context.leave_out(f"a frame buffer's {key[:32]} {where}")
        elif key not in _PASSED_OVER:
            # Behind a password it may be the rest of one that has a comma in it.
            named = "What follows a password" if _has_password(settings) else f"'{key[:32]}'"
            raise UsageError(f"{named} is not a key of a frame buffer {where}.")
    if not settings.has("vnc") and not settings.has("sdl"):
        settings.put("vnc", "1", 0)
    return settings


def _has_password(settings: Settings) -> bool:
    return settings.has("vncpasswd") or settings.has("vncpassword")


def _graphics(context: Context, devices: Element, screen: Settings, where: str) -> None:
    if screen.flag("sdl"):
        add(devices, "graphics", type="sdl", display=screen.text("display"), xauth=screen.text("xauthority"))
        if not screen.flag("vnc"):
            return
    place, options, _ = _listen(context, screen, where).partition(",")
    if options:  # such as websocket: QEMU's, to which xl hands over the word as it is
        context.leave_out(f"what stands behind the comma in vnclisten {where}")
    listen, _, display = place.partition(":")
    if place.count(":") > 1:
        listen, display = place, ""  # an IPv6 address
    number = screen.number("vncdisplay", -1) if not display else whole(display)
    if number is None or number > _LAST_DISPLAY:
        raise UsageError(f"A screen's number is a whole number up to {_LAST_DISPLAY} {where}.")
    if number >= 0 and not (screen.has("vncunused") and screen.flag("vncunused")):
        port, automatic = str(_FIRST_PORT + number), "no"
    else:
        port, automatic = "-1", "yes"
    password = screen.text("vncpasswd") or screen.text("vncpassword")
    octets = password.encode("utf-8", "surrogateescape")
    if context.driver == "QEMU" and len(octets) > _LONGEST_PASSWORD:
        # As Xen does, since VNC knows no more of it.
        password = octets[:_LONGEST_PASSWORD].decode("utf-8", "ignore")
        context.warn(f"Of VNC's password the first {_LONGEST_PASSWORD} octets count, as on Xen {where}.")
    keymap = screen.text("keymap") or context.settings.text("keymap")
    graphics = add(
        devices, "graphics", type="vnc", port=port, autoport=automatic, keymap=keymap, passwd=password, listen=listen
    )
    if listen:
        add(graphics, "listen", type="address", address=listen)


def _listen(context: Context, screen: Settings, where: str) -> str:
    """Return where the screen is served: to xl an empty address is all of the host's, to xm it says nothing."""
    if context.theirs == XL and screen.peek(_LISTEN) == "":
        context.warn(f"The screen is served on all of the host's addresses, by xl's vnclisten = '' {where}.")
        return "0.0.0.0"  # noqa: S104
    return screen.text(_LISTEN, "127.0.0.1")


def _spice(context: Context, devices: Element) -> bool:
    """Write xl's spice screen; return whether there is one."""
    settings = context.settings
    names = [name for name in settings.names() if name.startswith("spice")]
    if not settings.flag("spice"):
        for name in names:
            settings.get(name)
        return False
    port, tls = settings.number("spiceport", 0), settings.number("spicetls_port", 0)
    listen = settings.text("spicehost", "127.0.0.1")
    open_to_all = settings.flag("spicedisable_ticketing")
    password = "" if open_to_all else settings.text("spicepasswd")
    graphics = add(
        devices,
        "graphics",
        type="spice",
        port=str(port or -1),
        tlsPort=str(tls) if tls else "",
        autoport="no" if port or tls else "yes",
        passwd=password,
        listen=listen,
    )
    if listen:
        add(graphics, "listen", type="address", address=listen)
    if settings.flag("spice_clipboard_sharing"):
        add(graphics, "clipboard", copypaste="yes")
    if settings.has("spiceagent_mouse"):
        add(graphics, "mouse", mode="client" if settings.flag("spiceagent_mouse") else "server")
    if settings.flag("spicevdagent") and not context.xen:
        add(add(devices, "channel", type="spicevmc"), "target", type="virtio", name="com.redhat.spice.0")
    for name in ("spiceusbredirection", "spice_image_compression", "spice_streaming_video"):
        if settings.text(name) not in ("", "0"):
            context.leave_out(f"{name} {settings.where(name)}")
    return True


def _video(context: Context, devices: Element, hvm: bool, asked_hvm: bool, screens: bool) -> None:
    """Write the graphics card: an HVM guest of Xen's has one whether or not anybody sees its screen."""
    settings = context.settings
    model = settings.choice("vga", "", _MODELS) or ("vga" if settings.flag("stdvga") else "cirrus")
    settings.flag("stdvga")
    memory = settings.number("videoram", 0)
    # Where there is a screen xl passes over `nographic`.
    none = model == "none" or (settings.flag("nographic") and not settings.has("vga") and not screens)
    if not hvm or not (screens or asked_hvm):
        return
    if none and context.xen:
        # Its driver for Xen knows no such card: there is none where none is described, and no screen.
        if screens:
            context.leave_out(f"a screen without a graphics card {settings.where('vga')}")
        return
    if none and not settings.has("vga"):
        return
    if context.xen and 0 < memory < _LEAST_MIB[model]:
        memory = _LEAST_MIB[model]
        context.warn(f"The graphics card has {memory} MiB, the least that it can have {settings.where('videoram')}.")
    video = add(add(devices, "video"), "model", type=model)
    if memory and model != "none":
        video.set("vram", str(memory * 1024))
