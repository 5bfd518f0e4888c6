"""MIT krb5's C libraries, called directly; the only module that touches ctypes.

rxm starts anew for every command, and `import gssapi` alone costs it more than interpreter, handshake and answer
together. `import ctypes` would still be a quarter of its time, so what is used here is `_ctypes`, the C half of it: the
names that `ctypes/__init__.py` itself is made of, the same in every Python from 3.11 on. Where one is missing, or the
library is, importing this module raises ImportError or OSError, and `initiators` takes python-gssapi.

Sources: RFC 2744 (GSSAPI's C bindings); gssapi_ext.h and krb5.h of MIT krb5.
"""

from _ctypes import FUNCFLAG_CDECL, FUNCFLAG_PYTHONAPI, CFuncPtr, Structure, _SimpleCData, addressof, byref, dlopen
from _ctypes import _string_at_addr as _address_of_string_at  # type: ignore[attr-defined]  # stubs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    _Simple = _SimpleCData[Any]
else:
    _Simple = _SimpleCData

__all__ = ["addressof", "byref"]  # passed on


class UInt(_Simple):
    """OM_uint32, and krb5.h's unsigned numbers."""

    _type_ = "I"


class Int(_Simple):
    """A C int, and krb5_int32."""

    _type_ = "i"


class Size(_Simple):
    """size_t."""

    _type_ = "L"


class Pointer(_Simple):
    """Any pointer: `value` is an address, or None."""

    _type_ = "P"


class Text(_Simple):
    """A `const char *` into bytes, which it keeps alive."""

    _type_ = "z"


class Object(_Simple):
    """An object of Python's."""

    _type_ = "O"


class Taken(Structure):
    """A gss_buffer_desc that the library fills and owns."""

    _fields_ = (("length", Size), ("value", Pointer))


class Given(Structure):
    """A gss_buffer_desc, or a gss_OID_set_desc's relative, over octets of ours, which it keeps alive."""

    _fields_ = (("length", Size), ("value", Text))


class Oid(Structure):
    """gss_OID_desc."""

    _fields_ = (("length", UInt), ("elements", Text))


class OidSet(Structure):
    """gss_OID_set_desc; of one element, for which its address does as the array."""

    _fields_ = (("count", Size), ("elements", Pointer))


class KeyValue(Structure):
    """gss_key_value_element_desc."""

    _fields_ = (("key", Text), ("value", Text))


class KeyValues(Structure):
    """gss_key_value_set_desc."""

    _fields_ = (("count", UInt), ("elements", Pointer))


class KeyBlock(Structure):
    """krb5_keyblock."""

    _fields_ = (("magic", Int), ("enctype", Int), ("length", UInt), ("contents", Pointer))


class Data(Structure):
    """krb5_data."""

    _fields_ = (("magic", Int), ("length", UInt), ("data", Pointer))


class GivenData(Structure):
    """krb5_data over octets of ours, which it keeps alive."""

    _fields_ = (("magic", Int), ("length", UInt), ("data", Text))


class Ticket(Structure):
    """krb5_creds; times in seconds since 1970, in 32 bits of which MIT uses the sign as well."""

    _fields_ = (
        ("magic", Int),
        ("client", Pointer),
        ("server", Pointer),
        ("key", KeyBlock),
        ("authtime", UInt),
        ("starttime", UInt),
        ("endtime", UInt),
        ("renew_till", UInt),
        ("is_skey", UInt),
        ("flags", Int),
        ("addresses", Pointer),
        ("ticket", Data),
        ("second", Data),
        ("authdata", Pointer),
    )


class KdcError(Structure):
    """The beginning of krb5_error: a KRB-ERROR, with the time of whoever sent it."""

    _fields_ = (("magic", Int), ("ctime", UInt), ("cusec", Int), ("susec", Int), ("stime", UInt), ("error", UInt))


class Function(CFuncPtr):
    """A function of GSSAPI that may ask the network: it returns its major code, and other threads run meanwhile."""

    _flags_ = FUNCFLAG_CDECL
    _restype_ = UInt


class ShortFunction(CFuncPtr):
    """One that asks nobody, and keeps Python's lock: where threads wait for that, it costs more than the call."""

    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_PYTHONAPI
    _restype_ = UInt


class Krb5Function(CFuncPtr):
    """A function of libkrb5: it returns its error code, or nothing that counts."""

    _flags_ = FUNCFLAG_CDECL
    _restype_ = Int


class _StringAt(CFuncPtr):
    """ctypes' own `string_at`, at an address that it tells."""

    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_PYTHONAPI
    _restype_ = Object


class Library:
    """A shared library with its functions as attributes.

    `prototypes` has for each function the kinds of its arguments, a letter each: `p` any pointer, `u` OM_uint32, `i`
    int. Raises OSError and AttributeError where the library, or a function in it, is missing.
    """

    def __init__(self, name: str, prototypes: dict[str, str], returns: type[CFuncPtr]) -> None:
        self._handle = dlopen(name, 0)
        self.add(prototypes, returns)

    def add(self, prototypes: dict[str, str], returns: type[CFuncPtr]) -> None:
        """Add functions of another kind. Raises AttributeError."""
        for function, letters in prototypes.items():
            found = returns((function, self))  # type: ignore[arg-type]  # any object with a _handle will do
            found.argtypes = [_KINDS[letter] for letter in letters]
            setattr(self, function, found)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """One of the functions."""


_KINDS: dict[str, type] = {"p": Pointer, "u": UInt, "i": Int}

gss = Library(
    "libgssapi_krb5.so.2",
    {
        "gss_acquire_cred_from": "ppupipppp",
        "gss_canonicalize_name": "pppp",
        "gss_init_sec_context": "pppppuupppppp",
        "gss_store_cred_into": "ppipuuppp",
    },
    Function,
)
gss.add(
    {
        "gss_delete_sec_context": "ppp",
        "gss_display_name": "pppp",
        "gss_display_status": "puippp",
        "gss_import_name": "pppp",
        "gss_release_buffer": "pp",
        "gss_release_cred": "pp",
        "gss_release_name": "pp",
        "gss_inquire_context": "ppppppppp",
        "gss_unwrap": "pppppp",
        "gss_wrap": "ppiuppp",
    },
    ShortFunction,
)
_string_at = _StringAt(_address_of_string_at)
_string_at.argtypes = [Pointer, Int]


def octets_at(address: int | None, length: int) -> bytes:
    """Return a copy of the octets at `address`."""
    octets: bytes = _string_at(address, length) if address and length else b""
    return octets


def krb5() -> Library:
    """Return libkrb5, which only few commands need. Raises OSError and AttributeError where it is missing."""
    return Library(
        "libkrb5.so.3",
        {
            "krb5_cc_close": "pp",
            "krb5_cc_default": "pp",
            "krb5_cc_end_seq_get": "ppp",
            "krb5_cc_get_principal": "ppp",
            "krb5_cc_get_full_name": "ppp",
            "krb5_cc_initialize": "ppp",
            "krb5_cc_next_cred": "pppp",
            "krb5_cc_resolve": "ppp",
            "krb5_cc_start_seq_get": "ppp",
            "krb5_cc_store_cred": "ppp",
            "krb5_free_context": "p",
            "krb5_free_cred_contents": "pp",
            "krb5_free_error": "pp",
            "krb5_free_principal": "pp",
            "krb5_free_string": "pp",
            "krb5_free_unparsed_name": "pp",
            "krb5_free_default_realm": "pp",
            "krb5_get_default_realm": "pp",
            "krb5_init_context": "p",
            "krb5_rd_error": "ppp",
            "krb5_unparse_name": "ppp",
        },
        Krb5Function,
    )
