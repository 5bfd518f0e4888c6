"""edit: another description in the place of the one that is kept, if that is still the one it was made of."""

from xman.errors import RefusedError, UsageError
from xman.result import Result
from xmand.journal import verdicts
from xmand.verbs import permitted
from xmand.verbs.call import Call
from xmand.verbs.row import Row, told
from xmand.virt import definition, description, disk_users, lifecycle, schema
from xmand.virt.domain import Domain

_DIGITS = frozenset("0123456789abcdef")


def edit(call: Call) -> Result:
    """Define what FILE says. `--was` is the SHA-256 of the description that it was made of."""
    was = str(call.parsed.options.get("was", ""))
    if len(was) != 64 or not _DIGITS.issuperset(was):
        raise UsageError("--was takes the SHA-256 of what describe --inactive printed: 64 hexadecimal digits.")
    if not (text := call.parsed.text("FILE")):
        raise UsageError("FILE, the new description, is missing.")
    # Whose name it is, is seen below.
    asked = description.parse(text, known=True)
    with call.changing() as domain:
        _require_kept(domain)
        if definition.digest(domain) != was:
            raise RefusedError(
                f"The description of '{domain.name}' was changed meanwhile, so nothing is replaced; look at it as it is"
                f" now (rxm describe --inactive {domain.name}), and edit that."
            )
        wanted = permitted.permitted(call, _the_same_domain(domain, asked), kept=True)
        if domain.on_qemu():
            disk_users.require_no_base(call.writer, disk_users.written(call.writer, wanted.xml), domain.uuid)
        before = definition.kept(domain)
        new, notes = definition.in_place_of(before, wanted)
        data: dict[str, object] = {"name": domain.name, "uuid": domain.uuid, "dry_run": call.parsed.flag("dry-run")}
        if call.parsed.flag("dry-run"):
            if why := schema.why_not(new):
                raise UsageError(f"libvirt's schema does not allow the description: {why}.")
            return Result(data, domain=domain.name, notes=("The description would be replaced.", *notes))
        call.record.intends(domain.name, domain.uuid, replaces=True)
        definition.replace(domain, new)
        if definition.kept(domain) == before:
            return Result(data, domain=domain.name, notes=("The new description is the same as before.", *notes))
        if domain.active():
            notes = (f"'{domain.name}' is running; this takes effect at its next start.", *notes)
        return Result(data, changed=True, domain=domain.name, notes=notes)


def _require_kept(domain: Domain) -> None:
    if not domain.persistent():
        raise RefusedError(f"Domain '{domain.name}' is transient: no description of it is kept.")
    if lifecycle.suspended(domain):
        raise RefusedError(
            f"Domain '{domain.name}' is suspended, and goes on by the description that it was saved with; resume it, or"
            f" drop its saved memory (rxm start --discard-saved {domain.name})."
        )


def _the_same_domain(domain: Domain, asked: description.Description) -> description.Description:
    if asked.name != domain.name:
        raise UsageError(
            f"The description is one of '{asked.name[:64]}'; rxm rename gives '{domain.name}' another name."
        )
    if asked.uuid not in ("", domain.uuid):
        raise UsageError(f"The UUID of '{domain.name}' is {domain.uuid}; it stays.")
    return description.with_uuid(asked, domain.uuid)


ROWS = {
    "edit": Row(edit, verdicts.edited, told("defined")),
}
