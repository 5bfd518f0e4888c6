"""What `rxmweb check` finds of Kerberos: the portal's key, the realm, and the collector's identity and what it may."""

import os
from collections.abc import Generator, Iterator

import rxm
from rxmweb.check import files
from rxmweb.check.user import own_name
from rxmweb.settings import Collector, Settings
from rxmweb.web.negotiate import NegotiateAcceptor
from xman import keytab
from xman.errors import CredentialsError, UnreachableError, XmanError
from xman.finding import BAD, NOTE, OK, Finding
from xman.gss import KDC_UNREACHABLE, GssError, reasons, trial
from xman.keytab import Key, KeytabError

# So many hosts, or names, are tried.
_FEW = 3
_SECONDS = 10.0
_HOSTS_KEYTAB = "/etc/krb5.keytab"


def keys(settings: Settings) -> list[Key]:
    """Return the keys of the portal's service in its keytab; none where it cannot be read."""
    service = settings.service.partition("@")[0]
    try:
        return [key for key in keytab.read(settings.keytab) if key.principal.partition("/")[0] == service]
    except (KeytabError, OSError):
        return []


def names(settings: Settings) -> list[str]:
    """Return the hosts for which the keytab has a key of the portal's service."""
    return sorted({key.principal.rpartition("@")[0].partition("/")[2] for key in keys(settings)})


def realms(settings: Settings) -> frozenset[str]:
    """Return the realms of these keys."""
    return frozenset(key.principal.rpartition("@")[2] for key in keys(settings))


def sign_on(settings: Settings) -> Iterator[Finding]:
    """Would a browser's ticket be taken?"""
    service, _at, only = settings.service.partition("@")
    if keytab.is_no_file(settings.keytab):
        yield BAD, f"keytab: {settings.keytab} is not a file; move it away, or name the file"
        return
    try:
        NegotiateAcceptor(settings.service, settings.keytab, constrained=settings.constrained)
    except GssError as error:
        remedy = files.unreadable(settings.keytab) or f"add it (kadmin: ktadd -k {settings.keytab} {service}/FQDN)"
        if settings.keytab == _HOSTS_KEYTAB:
            remedy = f"that is the host's; give the portal one that only {own_name()} reads, and name it in keytab"
        yield BAD, f"keytab: {settings.keytab} has no usable key of {service}/FQDN ({error}); {remedy}"
        return
    yield OK, f"keytab: {settings.keytab} has a key of {service}"
    yield from _kept("keytab", settings.keytab, keys(settings))
    yield from _realm(settings)
    for name in [only] if only else names(settings)[:_FEW]:
        try:
            trial.agree(service, name, settings.keytab, f"{service}/{name}")
        except GssError as error:
            if wrong := reasons.configuration(error):
                yield BAD, f"sign-on: {wrong} ({error})"
            elif error.reason == KDC_UNREACHABLE:
                yield NOTE, f"sign-on: not tried, since the KDC did not answer ({error})"
            else:
                yield BAD, f"sign-on: {service}/{name}: {error}. Get its key anew (kadmin: ktadd)"
        else:
            yield OK, f"sign-on: the KDC's ticket for {service}/{name} and the keytab agree"


def _kept(key: str, name: str, found: list[Key]) -> Iterator[Finding]:
    """Is a keytab kept as a secret, and are its keys good ones?"""
    if problem := files.open_to_others(name):
        yield BAD, f"{key}: {problem}"
    for weak in dict.fromkeys((each.principal, each.enctype) for each in found if each.weak):
        yield BAD, f"{key}: {weak[0]} has a key of type {weak[1]}, which is weak; get aes keys, and remove it (ktutil)"


def _realm(settings: Settings) -> Iterator[Finding]:
    try:
        from xman.gss import tickets

        realm = tickets.default_realm()
    except (ImportError, AttributeError, OSError):
        return
    except LookupError:
        realm = ""
    ours = realms(settings)
    if ours and realm not in ours:
        says = f"says {realm}" if realm else "is missing or names no default_realm"
        yield (
            BAD,
            f"realm: krb5.conf {says}, and the keytab's keys are of {', '.join(sorted(ours))}; correct default_realm",
        )


def collector(settings: Settings) -> Iterator[Finding]:
    """Ask the first hosts as the collector will, since a ticket is got when it is used."""
    chosen = settings.collector
    if not (yield from _identity(chosen)):
        return
    asked = settings.host_names()[:_FEW]
    answering = 0
    for host in asked:
        try:
            answering += yield from _asked(settings, host)
        except CredentialsError as error:
            yield BAD, f"collector: {_whose(chosen)}: {error}"
            return
    if asked and not answering:
        yield (
            BAD,
            f"collector: no host answers of those asked ({', '.join(asked)}), port {settings.port}; is port right?",
        )


def _whose(chosen: Collector) -> str:
    """Return whom it asks as, before a ticket says it."""
    if not chosen.client_keytab:
        return "the tickets of its environment (KRB5CCNAME)"
    return chosen.principal or f"the first principal of {chosen.client_keytab}"


def _identity(chosen: Collector) -> Generator[Finding, None, bool]:
    """Has it a key to ask with? Return whether it can ask."""
    if not chosen.client_keytab:
        if not {"KRB5CCNAME", "KRB5_CLIENT_KTNAME"} & os.environ.keys():
            yield NOTE, "collector.client_keytab: none, and the portal's units have no tickets of their own; set it"
        return True
    if keytab.is_no_file(chosen.client_keytab):
        yield BAD, f"collector.client_keytab: {chosen.client_keytab} is not a file; move it away, or name the file"
        return False
    if problem := files.unreadable(chosen.client_keytab):
        yield BAD, f"collector.client_keytab: {problem}"
        yield BAD, "collector: no host was asked, since there is no key to ask with"
        return False
    found, problem = _of(chosen.client_keytab, chosen.principal)
    if problem:
        yield BAD, f"collector.client_keytab: {problem}"
        return False
    yield from _kept("collector.client_keytab", chosen.client_keytab, found)
    return True


def _asked(settings: Settings, host: str) -> Generator[Finding, None, bool]:
    """Ask a host for what the collector asks for; return whether it answered. Raises CredentialsError."""
    chosen = settings.collector
    whose = _whose(chosen)
    try:
        with rxm.connect(
            host,
            port=settings.port,
            service=settings.host_service,
            timeout=_SECONDS,
            client_keytab=chosen.client_keytab,
            principal=chosen.principal,
        ) as connection:
            whose = connection.principal
            # What it will ask for.
            connection.call("state")
            connection.call("stats", "--host")
            may = connection.call("ping")["verbs"]
    except UnreachableError as error:
        yield NOTE, f"collector: {host}: {error}"
        return False
    except CredentialsError:
        # It would be the same with every host.
        raise
    except XmanError as error:
        needed = f'"{whose}" = ["show", "host", "state"]'
        yield BAD, f"collector: {host}: {error} There, under [authorize.principals]: {needed}"
        return True
    yield OK, f"collector: {host} answers {whose}"
    if "delete" in may:
        yield NOTE, f"collector: {host} lets {whose} delete domains; show, host and state are enough for it"
    return True


def _of(name: str, principal: str) -> tuple[list[Key], str]:
    """Return the keys of the collector's keytab, and what is wrong with them."""
    try:
        found = keytab.read(name)
    except (KeytabError, OSError) as error:
        return [], f"{error}; get one by kadmin's ktadd"
    mine = [key for key in found if principal in ("", key.principal, key.principal.rpartition("@")[0])]
    if not found:
        return [], f"{name} has no key; add one (kadmin: ktadd)"
    if not mine:
        whose = ", ".join(sorted({key.principal for key in found})[:_FEW])
        return [], f"{name} has no key of {principal}, which principal names, but of {whose}"
    return mine, ""
