"""libvirt's errors in our words: of which class each is, by its code."""

import threading
from collections.abc import Callable
from typing import Any

from xman.errors import HypervisorError, NoSuchDomainError, RefusedError, UnsupportedError, UsageError, XmanError
from xmand.virt.binding import api

UNSUPPORTED = {
    api.VIR_ERR_NO_SUPPORT,
    api.VIR_ERR_ARGUMENT_UNSUPPORTED,
    api.VIR_ERR_CONFIG_UNSUPPORTED,
    api.VIR_ERR_OPERATION_UNSUPPORTED,
}
ABSENT = {api.VIR_ERR_NO_DOMAIN, api.VIR_ERR_NO_DOMAIN_METADATA}
_BAD_DESCRIPTION = {
    api.VIR_ERR_XML_ERROR,
    api.VIR_ERR_XML_DETAIL,
    api.VIR_ERR_NO_NAME,
    api.VIR_ERR_OS_TYPE,
    api.VIR_ERR_NO_OS,
    api.VIR_ERR_XML_INVALID_SCHEMA,
}
_REFUSED = {
    api.VIR_ERR_OPERATION_INVALID,
    api.VIR_ERR_OPERATION_DENIED,
    api.VIR_ERR_DOM_EXIST,
    api.VIR_ERR_OPERATION_TIMEOUT,
    api.VIR_ERR_RESOURCE_BUSY,
    api.VIR_ERR_HOOK_SCRIPT_FAILED,
}

# What libvirt reported last, by thread (`error`).
reported = threading.local()


class Translating:
    """Around a block: lets out what `translate` makes of an error of `kind`, the error itself where that is None.

    Not a generator: from Python 3.13 on, an error that a generator turns into another one holds itself (by the
    generator's frame, and its caller's), and with it a lost connection, until Python's collector comes by.
    """

    def __init__(
        self,
        kind: type[Exception],
        translate: Callable[[Any], Exception | None],
        finally_do: Callable[[], None] = lambda: None,
    ) -> None:
        self._kind = kind
        self._translate = translate
        self._finally_do = finally_do

    def __enter__(self) -> None:
        """Nothing has to be done before."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        ours = None
        try:
            ours = self._translate(error) if isinstance(error, self._kind) else None
            if ours is not None:
                raise ours from error
        finally:
            self._finally_do()
            del ours, error


def reading(name: str = "") -> Translating:
    """Turn libvirt's errors into ours around calls that change nothing; `name` is the domain's, as asked for."""
    return Translating(api.libvirtError, lambda error: translate(error, name))


def translate(error: api.libvirtError, name: str = "") -> XmanError:
    """Return the error of ours for one of libvirt's: by its code, never by its text, which differs between drivers."""
    code = code_of(error)
    if code == api.VIR_ERR_NO_DOMAIN:
        return NoSuchDomainError(name) if name else HypervisorError(words(error))
    if code in UNSUPPORTED:
        return UnsupportedError(f"This host's hypervisor cannot do that: {words(error)}")
    if code in _BAD_DESCRIPTION:
        return UsageError(words(error))
    if code in _REFUSED:
        return RefusedError(words(error))
    return HypervisorError(words(error))


def code_of(error: BaseException | None) -> int:
    """Return libvirt's code behind an error of ours (its `__cause__`), 0 where libvirt was not the cause."""
    return int(_complete(error).get_error_code() or 0) if isinstance(error, api.libvirtError) else 0


def words(error: api.libvirtError) -> str:
    """Return libvirt's own words, on one line."""
    return " ".join(str(_complete(error).get_error_message() or error).split())


def _complete(error: api.libvirtError) -> api.libvirtError:
    """Return the error with what libvirt reported, in this thread, before it was raised.

    The binding asks for that only afterwards. A libvirt object that Python frees in between, in whatever thread the
    collector happens to run, makes libvirt forget the last error of that thread.
    """
    if error.err is None:
        error.err = getattr(reported, "error", None)
    return error
