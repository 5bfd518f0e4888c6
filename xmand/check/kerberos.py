"""What `xmand --check` finds of Kerberos: the keytab, the realm, and whether a first client would be let in."""

import contextlib
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from xman import keytab
from xman.errors import ConfigurationError
from xman.finding import BAD, NOTE, OK, Finding
from xman.gss import CLOCK_SKEW, KDC_UNREACHABLE, GssError, reasons, trial
from xman.keytab import KeytabError
from xmand import daemon
from xmand.check import files
from xmand.settings import Settings
from xmand.system import replay_cache

# Of the keytab's names of this host, so many are tried.
_MOST_TRIED = 4


def keys(settings: Settings) -> Iterator[Finding]:
    path = settings.keytab
    if problem := files.usable("keytab", path):
        yield BAD, problem
        return
    daemon.acceptor(settings)
    yield OK, f"keytab: {path} has a key for {settings.service}"
    if Path(path).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield BAD, f"keytab: {path} is readable by users other than its owner; chmod 600 it, and give the host new keys"
    try:
        found = keytab.read(path)
    except KeytabError as error:
        yield NOTE, f"keytab: {error}; its encryption types could not be looked at"
        return
    ours = [key for key in found if key.principal.split("@")[0].split("/")[0] == settings.service]
    yield from _names(settings, sorted({key.principal for key in ours}))
    for key in ours:
        if key.weak:
            yield (
                BAD,
                (
                    f"keytab: {key.principal} has a key of type {key.enctype}, which is weak; get aes keys,"
                    " and remove it (ktutil)"
                ),
            )


def _names(settings: Settings, principals: list[str]) -> Iterator[Finding]:
    """Would a caller that names this host get a ticket for one of these keys?"""
    hosts = {principal.rpartition("@")[0].partition("/")[2] for principal in principals}
    if hosts and not any(is_here(host) for host in hosts):
        names = ", ".join(sorted(hosts))
        yield (
            BAD,
            (
                f"keytab: its keys are for {names}, which is not this host ({socket.getfqdn()});"
                f" add the key of {settings.service}/{socket.getfqdn()}, or mend the DNS"
            ),
        )
    realms = {principal.rpartition("@")[2] for principal in principals}
    try:
        from xman.gss import tickets

        realm = tickets.default_realm()
    except (ImportError, AttributeError, OSError):
        return
    except LookupError:
        yield (
            BAD,
            "realm: krb5.conf is missing or names no default_realm; set it to one of " + ", ".join(sorted(realms)),
        )
        return
    if realms and realm not in realms:
        yield (
            BAD,
            (
                f"realm: krb5.conf says {realm}, the keytab's keys are of {', '.join(sorted(realms))};"
                " correct default_realm, or get keys of this realm"
            ),
        )
    else:
        yield OK, f"realm: {realm}"


def is_here(host: str) -> bool:
    """Whether a name is an address of this host."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return host.lower() in (socket.gethostname().lower(), socket.getfqdn().lower())
    for family, kind, protocol, _name, address in found:
        with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as sock:
            sock.bind(address)
            return True
    return False


def first_client(settings: Settings) -> Iterator[Finding]:
    """Be one: with a ticket that the KDC gives now for a key of the keytab, which may be older than the KDC's."""
    try:
        if files.usable("keytab", settings.keytab):
            return
        replay_cache.require_on()
        ours = sorted({key.principal for key in keytab.read(settings.keytab)})
    except (KeytabError, ConfigurationError):  # which the check of the keys, or that of the replay cache, says
        return
    # A machine's account of Active Directory: there the service's names are no clients.
    account = next((principal for principal in ours if "$@" in principal), "")
    names = [principal for principal in ours if principal.split("/")[0] == settings.service and "/" in principal]
    here = [principal for principal in names if is_here(principal.rpartition("@")[0].partition("/")[2])]
    told = set[str]()
    for principal in here[:_MOST_TRIED]:
        finding = _tried(settings, principal, account or principal)
        # The clock and the KDC are the same for all of them.
        if finding[1] not in told:
            yield finding
        told.add(finding[1])


def _tried(settings: Settings, principal: str, client: str) -> Finding:
    host = principal.rpartition("@")[0].partition("/")[2]
    try:
        trial.agree(settings.service, host, settings.keytab, client)
    except GssError as error:
        return _refused(principal, error)
    return OK, f"first client: the KDC's ticket for {principal} and the keytab agree"


def _refused(principal: str, error: GssError) -> Finding:
    if wrong := reasons.configuration(error):
        return BAD, f"first client: {wrong} ({error})"
    if error.reason == KDC_UNREACHABLE:
        return NOTE, f"first client: not tried, since the KDC did not answer ({error})"
    if error.reason == CLOCK_SKEW:
        return BAD, f"first client: this host's clock and the KDC's differ too much ({error}); set it, by NTP"
    return (
        BAD,
        (
            f"first client: {principal}: {error}. The keytab's key is not the KDC's, or the KDC does not know it:"
            " get it anew (kadmin: ktadd); or permitted_enctypes of krb5.conf leaves its type out"
        ),
    )
