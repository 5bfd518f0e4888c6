"""xm's own ways to look at domains: uptime, vcpu-list, network-list, block-list; and macs, for the site's DHCP."""

import contextlib
from collections.abc import Callable
from typing import Any

from xman import values
from xman.errors import NoSuchDomainError
from xman.result import Result
from xmand.verbs.call import Call
from xmand.verbs.row import Row
from xmand.virt import cards, devices, runs, vcpus
from xmand.virt.domain import Domain, find, find_all


def uptime(call: Call) -> Result:
    """Since when domains run: all that do, or those named."""
    return Result({"domains": _each(call, _run)})


def vcpu_list(call: Call) -> Result:
    """Their virtual CPUs: where each is, for how long it has run, and where it may run."""
    return Result({"domains": _each(call, lambda domain: {"vcpu": vcpus.each(domain)})})


def network_list(call: Call) -> Result:
    """A domain's network interfaces."""
    domain = call.domain()
    return Result({**_identity(domain), "interfaces": devices.interfaces(domain)}, domain=domain.name)


def block_list(call: Call) -> Result:
    """A domain's disks."""
    domain = call.domain()
    return Result({**_identity(domain), "disks": devices.disks(domain)}, domain=domain.name)


def macs(call: Call) -> Result:
    """The addresses of domains' cards, for the site's DHCP: of all domains, or those named."""
    connection, words = call.reader, call.parsed.words("DOMAIN")
    asked = [find(connection, word) for word in words] if words else find_all(connection)
    addresses, rows, left_out = cards.fixed(connection), [], []
    for domain in sorted(asked, key=lambda each: each.name):
        if not call.shown(domain.uuid):
            continue
        with contextlib.suppress(NoSuchDomainError):  # gone since it was listed
            own = [str(one["mac"]).lower() for one in devices.interfaces(domain) if "mac" in one]
            rows += [
                {"name": domain.name, "mac": mac} | ({"ip": addresses[mac]} if mac in addresses else {}) for mac in own
            ]
            if own and not values.is_host_name(domain.name):
                left_out.append(domain.name)
    notes = (
        (f"These names are not valid in DHCP, so their lines have none: {', '.join(left_out)}.",) if left_out else ()
    )
    return Result({"cards": rows}, notes=notes)


def _each(call: Call, facts: Callable[[Domain], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each domain that was asked for; of all, what has gone since it was listed has none."""
    named = bool(call.parsed.words("DOMAIN"))
    rows = []
    for domain in _asked(call):
        try:
            rows.append(_identity(domain) | facts(domain))
        except NoSuchDomainError:
            if named:
                raise
    return rows


def _asked(call: Call) -> list[Domain]:
    """Return the domains named, in that order, else all that run, by name."""
    words = call.parsed.words("DOMAIN")
    if words:
        return [find(call.reader, word) for word in words]
    found = [domain for domain in find_all(call.reader) if call.shown(domain.uuid)]
    return sorted((domain for domain in found if _active(domain)), key=lambda domain: domain.name)


def _active(domain: Domain) -> bool:
    try:
        return domain.active()
    except NoSuchDomainError:  # gone since it was listed
        return False


def _identity(domain: Domain) -> dict[str, Any]:
    return {"name": domain.name, "uuid": domain.uuid, "id": domain.identifier()}


def _run(domain: Domain) -> dict[str, Any]:
    found = runs.facts(domain.raw)
    return {key: found[key] for key in ("started", "uptime_seconds") if key in found}


ROWS = {
    "uptime": Row(uptime),
    "vcpu-list": Row(vcpu_list),
    "block-list": Row(block_list),
    "network-list": Row(network_list),
    "macs": Row(macs),
}
