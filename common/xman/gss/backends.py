"""Which backend rxm uses: MIT's library itself where that is there, else python-gssapi."""

from xman import lowlevel
from xman.gss import OTHER, GssError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from xman.gss import Context

    class Initiator(Protocol):
        """An identity to act as; `known` has principals by `service@host`, of which the DNS is not asked again."""

        known: dict[str, str]

        def context(self, service: str, host: str) -> Context:
            """Return a fresh context towards `service@host` (the principal `service/FQDN` in the host's realm)."""

        def copy_to(self, cache: str) -> None:
            """Put this identity's tickets into another cache, over what was there. Raises GssError."""


# For the tests, and for whoever wants to rule one of them out.
VARIABLE = "RXM_GSS"
DIRECT, PYTHON_GSSAPI = "direct", "python-gssapi"
# Where the tickets go that a client keytab gives and that cannot be kept.
_OWN_CACHE = "MEMORY:xman"


def initiator(client_keytab: str = "", principal: str = "", cache: str = "") -> "Initiator":
    """Return the identity to act as.

    Without arguments it is the default one of the environment (the ticket cache, then `KRB5_CLIENT_KTNAME`).
    `client_keytab` is a file for programs, whose tickets are kept for the next call where there is a place for them;
    `principal` chooses among identities; `cache` is a ticket cache instead of the default one. Raises GssError where
    there is no such identity, or no backend.
    """
    if client_keytab and not cache:
        from xman.gss import kept

        if kept_cache := kept.cache(client_keytab, principal):
            try:
                return initiator(client_keytab, principal, kept_cache)
            except GssError:
                # What is kept is broken, or just being written by another process.
                kept.forget()
        cache = _OWN_CACHE
    chosen = lowlevel.environment(VARIABLE)
    if chosen in ("", DIRECT):
        try:
            from xman.gss import mit_backend

            return mit_backend.Initiator(client_keytab, principal, cache)
        except (ImportError, AttributeError, OSError) as error:
            if chosen:
                raise GssError(OTHER, f"MIT's library cannot be called directly: {error}") from error
    elif chosen != PYTHON_GSSAPI:
        raise GssError(OTHER, f"{VARIABLE} is neither {DIRECT} nor {PYTHON_GSSAPI}")
    lowlevel.installed_packages()
    try:
        from xman.gss import python_gssapi_backend
    except ImportError as error:
        raise GssError(OTHER, f"neither MIT's libgssapi_krb5.so.2 nor python-gssapi is installed: {error}") from error
    return python_gssapi_backend.Initiator(client_keytab, principal, cache)
