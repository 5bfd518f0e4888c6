"""What `rxmweb check` finds of the portal's certificate, as a browser would that trusts whoever signed it."""

import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

from rxmweb.check import files
from rxmweb.settings import Settings
from xman import keytab
from xman.finding import BAD, NOTE, OK, Finding

# A handshake of TLS takes less.
_TURNS = 10
_SOON_DAYS = 7
_WORDS = {
    "KEY_VALUES_MISMATCH": "the key is not the certificate's; name the one that it was made with",
    "NO_START_LINE": "they are not in PEM (-----BEGIN ...); convert them (openssl x509, openssl pkey)",
    "EE_KEY_TOO_SMALL": "its key is too short for browsers; make one of 2048 bits or more",
    "CA_MD_TOO_WEAK": "it is signed by a digest that browsers refuse; get a new one",
}


def check(settings: Settings, names: list[str]) -> Iterator[Finding]:
    """Look at it for `https://NAME` of each of `names`, the portal's own."""
    paths = (settings.certificate, settings.key)
    if odd := [path for path in paths if keytab.is_no_file(path)]:
        yield BAD, f"certificate: {', '.join(odd)} is not a file; move it away, or name the file"
        return
    if problems := [problem for path in paths if (problem := files.unreadable(path))]:
        for problem in problems:
            yield BAD, f"certificate: {problem}"
        return
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asked = []
    try:
        # Nobody is there to be asked for a passphrase when the portal starts.
        serving.load_cert_chain(*paths, password=lambda: str(asked.append(True) or ""))  # type: ignore[func-returns-value]
    except (OSError, ssl.SSLError) as error:
        words = _WORDS.get(getattr(error, "reason", None) or "", error.strerror or str(error))
        if asked:
            words = (
                f"the key has a passphrase, which nobody could enter; store it without (openssl pkey -in {paths[1]})"
            )
        yield BAD, f"certificate: {', '.join(paths)}: {words}"
        return
    if problem := files.open_to_others(settings.key):
        yield BAD, f"certificate: {problem}"
    seen = {name: _shown(serving, settings.certificate, name) for name in names or [socket.getfqdn()]}
    good = next((name for name, (problem, _days) in seen.items() if not problem), None)
    if good is None:
        name, (problem, _days) = next(iter(seen.items()))
        yield BAD, f"certificate: {settings.certificate}: {problem}, for https://{name}; get one for this name"
    elif seen[good][1] < _SOON_DAYS:
        yield NOTE, f"certificate: {settings.certificate}, for {good}, ends in {seen[good][1]:.0f} days; get a new one"
    else:
        yield OK, f"certificate: {settings.certificate}, for {good}"


def _shown(serving: ssl.SSLContext, certificate: str, name: str) -> tuple[str, float]:
    """Return what a browser that trusts its issuer would say of it at https://NAME, empty if nothing; and its days."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Whoever signed it: only its dates and names are looked at.
    asking.load_verify_locations(certificate)
    asking.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = asking.wrap_bio(to_client, to_server, server_hostname=name)
    for _turn in range(_TURNS):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message, 0.0
            except ssl.SSLError:  # the other end said why
                continue
    told: dict[str, Any] = client.getpeercert() or {}
    until = ssl.cert_time_to_seconds(told["notAfter"]) if "notAfter" in told else float("inf")
    return "", (until - time.time()) / 86_400
