"""The keys of a keyboard by name, as libvirt's and the kernel's numbers; and pressing them.

Names are the kernel's (linux/input-event-codes.h: KEY_LEFTCTRL, or leftctrl), and those that people and xm's successors
use: `ctrl-alt-del`.
"""

from xman.errors import UnsupportedError, UsageError
from xmand.virt.binding import api
from xmand.virt.domain import Domain

# The kernel's numbers, from 1 on.
_NAMES = """
esc 1 2 3 4 5 6 7 8 9 0 minus equal backspace tab q w e r t y u i o p leftbrace rightbrace enter leftctrl
a s d f g h j k l semicolon apostrophe grave leftshift backslash z x c v b n m comma dot slash rightshift
kpasterisk leftalt space capslock f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 numlock scrolllock
kp7 kp8 kp9 kpminus kp4 kp5 kp6 kpplus kp1 kp2 kp3 kp0 kpdot - zenkakuhankaku 102nd f11 f12 ro katakana hiragana henkan
katakanahiragana muhenkan kpjpcomma kpenter rightctrl kpslash sysrq rightalt linefeed home up pageup left right end
down pagedown insert delete macro mute volumedown volumeup power kpequal kpplusminus pause scale kpcomma hangeul hanja
yen leftmeta rightmeta compose
"""
CODES = {name: code for code, name in enumerate(_NAMES.split(), 1) if name != "-"}
# What else they are called.
_OTHERS = {
    "leftctrl": "ctrl control lctrl strg",
    "rightctrl": "rctrl ctrl_r",
    "leftalt": "alt lalt option",
    "rightalt": "altgr ralt alt_r",
    "leftshift": "shift lshift",
    "rightshift": "rshift shift_r",
    "leftmeta": "meta super win windows cmd",
    "esc": "escape",
    "enter": "ret return",
    "delete": "del",
    "insert": "ins",
    "pageup": "pgup prior",
    "pagedown": "pgdn pgdown next",
    "space": "spc",
    "sysrq": "print printscreen prtsc",
    "backspace": "bksp",
    "capslock": "caps",
    "equal": "equals",
    "dot": "period",
    "compose": "menu",
    "kpenter": "kp_enter",
}
CODES |= {other: CODES[name] for name, others in _OTHERS.items() for other in others.split()}
_PREFIX = "key_"
# libvirt's VIR_DOMAIN_SEND_KEY_MAX_KEYS, which the binding lacks.
MOST_KEYS = 16
# For how long they are held down: a guest that is slow still sees them together.
_HOLD_MILLISECONDS = 100


def codes(words: list[str]) -> list[int]:
    """Return the numbers of the keys in `words`: names, or several with `-` or `+` between. Raises UsageError.

    What is not a key's name is not said again: it may be a password.
    """
    found: list[int] = []
    for word in words:
        for name in word.replace("+", "-").split("-"):
            code = CODES.get(name.lower().removeprefix(_PREFIX))
            if code is None:
                raise UsageError(
                    "One of the keys has an unknown name; names are like ctrl-alt-del, f1 or KEY_LEFTCTRL"
                    " (rxm help send-key)."
                )
            if code not in found:
                found.append(code)
    if len(found) > MOST_KEYS:
        raise UsageError(f"More than {MOST_KEYS} keys cannot be pressed together.")
    return found


def require_keyboard(domain: Domain) -> None:
    """Raise UnsupportedError where its hypervisor presses no keys; asked without pressing one."""
    if domain.container() or domain.on_xen():
        raise UnsupportedError("This host's hypervisor cannot do that: libvirt presses no keys of its guests.")


def press(domain: Domain, numbers: list[int]) -> None:
    """Press keys together, and let go. Raises UnsupportedError, RefusedError and HypervisorError."""
    with domain.change():
        domain.raw.sendKey(api.VIR_KEYCODE_SET_LINUX, _HOLD_MILLISECONDS, numbers, len(numbers), 0)
