"""access: who may do what where, as this host would decide it now."""

from xman.errors import DeniedError, XmanError
from xman.result import Result
from xmand.authorize import rules
from xmand.verbs.call import Call
from xmand.verbs.row import Row
from xmand.virt import metadata
from xmand.virt.domain import find_all


def access(call: Call) -> Result:
    """Everybody's rules for those on the list and who has the family `audit`; for others their own."""
    asked, whole = str(call.parsed.options.get("principal", "")), call.access.audits()
    if asked and asked != call.principal and not whole:
        raise DeniedError("Only principals on the list, or with the family audit, may see the rights of others.")
    one = call.principal if call.parsed.flag("mine") or not whole else asked
    settings = call.host.settings
    methods = settings.authorize.methods
    entries = call.access.listed.entries if call.access.listed is not None else frozenset[bytes]()
    notes: list[str] = []
    if "k5login" in methods and call.access.listed is None:
        notes.append("The list cannot be used, so it authorizes nobody.")
    groups, unusable = rules.members(settings.authorize.roles if "roles" in methods else {})
    owners: dict[str, list[str]] = {}
    if "owner" in methods:
        owners, missing = _owners(call)
        notes += missing
    found = [rule for rule in rules.rules(settings, entries, groups, owners) if not one or rule.principal == one]
    # Which files a role is made of is for those who see the roles.
    notes += unusable if whole else []
    told: dict[str, object] = {"rules": [rule.told() for rule in found], "whole": not one}
    if "external" in methods:
        told["external"] = settings.authorize.external[0]
        notes.append(f"{settings.authorize.external[0]} decides what none of these allows.")
    return Result(told, notes=tuple(notes))


def _owners(call: Call) -> tuple[dict[str, list[str]], list[str]]:
    """Return the domains of each owner of jobs, as the authorizer `owner` sees it, and what is to be said of it."""
    found: dict[str, list[str]] = {}
    try:
        for domain in find_all(call.reader):
            kept = metadata.read(domain)
            owners = {job.owner for job in kept.jobs if job.start == kept.started}
            if len(owners) == 1:
                found.setdefault(owners.pop(), []).append(domain.name)
    except XmanError as error:
        return found, [f"Owners of jobs are missing: {error}"]
    return found, []


ROWS = {
    "access": Row(access),
}
