"""block-attach, block-detach, block-resize, network-attach, network-detach, cd-insert, cd-eject.

Each holds now, where the domain runs, and from its next start on, where it is kept; what it says was read back.
"""

import contextlib
from collections.abc import Iterator, Mapping

from xman.errors import RefusedError, UnsupportedError, UsageError, XmanError
from xman.result import Result
from xman.values import MIB
from xmand.formats import one_device
from xmand.journal import verdicts
from xmand.verbs import permitted
from xmand.verbs.call import Call
from xmand.verbs.row import Row, told
from xmand.virt import attaching, cards, disk_users, lifecycle, pools, snapshots, volumes
from xmand.virt.attaching import Found
from xmand.virt.binding import api
from xmand.virt.domain import Domain
from xmand.virt.driver import XEN
from xmand.virt.errors import code_of, reading

_DRIVES = ("cdrom", "floppy")
Facts = Mapping[str, object]
Notes = tuple[str, ...]


def block_attach(call: Call) -> Result:
    """Give a domain one more disk."""
    words = [call.parsed.text(name) for name in ("UNAME", "DEV", "MODE") if call.parsed.text(name)]
    with call.changing() as domain:
        attaching.require_machine(domain, "")
        attaching.require_changeable(domain)
        call.require_answering(domain)
        made = one_device.disk(_driver(domain), words, hvm=_hvm(domain))
        element = attaching.parsed(permitted.device(call, made.xml))
        target, path = _target(element), attaching.place(element)
        pick = attaching.disk(target)
        before = attaching.find(domain, pick)
        _require_the_same(domain, before, target, path)
        data = {"target": target, "source": path}
        if _everywhere(domain, before):
            return _result(call, domain, data, notes=(f"Domain '{domain.name}' already has it.",))
        block = element.get("type") == "block"
        if domain.container() and not block:
            raise UnsupportedError(
                "This host's hypervisor cannot do that: a container's disks are block devices of the host's."
            )
        disk_users.check_place(path, block=block)
        if not words[0].startswith("raw:"):
            disk_users.check_format(path, _format(element))
        # Another domain's may be attached at the same time, and neither would see the other.
        with call.host.locks.hold(disk_users.key(path), call.verb.name, call.deadline, "disk"):
            if before.any is None:
                shares, writes = element.find("shareable") is not None, element.find("readonly") is None
                off = disk_users.require_free(call.writer, domain, path, writes=writes, shares=shares)
                also = (f"Off, and with the same disk: {', '.join(off)}.",) if off else ()
            else:
                also = ()
            if not call.parsed.flag("dry-run"):
                attaching.attach(domain, attaching.text(element), pick, before)
        return _result(call, domain, data, changed=True, notes=(*made.notes, *also, *lifecycle.not_yet(domain)))


def block_detach(call: Call) -> Result:
    """Take a disk from a domain."""
    word = call.parsed.text("DEV")
    with call.changing() as domain:
        attaching.require_machine(domain, "")
        attaching.require_changeable(domain)
        call.require_answering(domain)
        pick = attaching.disk(word)
        found = attaching.find(domain, pick)
        element = _there(domain, found, "disk", word)
        target = _target(element)
        if element.get("device") in _DRIVES and found.live is not None:
            raise RefusedError(f"{target} is a drive, which a running guest cannot lose; cd-eject ejects its medium.")
        told: tuple[str, ...] = ()
        if found.live is not None and not call.parsed.flag("force"):
            points = attaching.mounted_in_guest(domain, target)
            if points is None and domain.on_qemu():
                told = (f"No agent in the guest can tell whether {target} is mounted there.",)
            if points:
                raise RefusedError(
                    f"The guest of '{domain.name}' has {target} mounted at {', '.join(points)}; unmount it there first."
                    " --force detaches it anyway."
                )
        data = {"target": target, "source": attaching.place(element)}
        return _detached(call, domain, found, pick, data, target, told)


def network_attach(call: Call) -> Result:
    """Give a domain one more network interface."""
    words = call.parsed.words("KEY=VALUE")
    with call.changing() as domain:
        attaching.require_machine(domain, "")
        attaching.require_changeable(domain)
        call.require_answering(domain)
        made = one_device.interface(_driver(domain), words, hvm=_hvm(domain))
        element = attaching.parsed(permitted.device(call, made.xml))
        address = attaching.mac(element)
        if not address:
            # Ours, or it would have another one at its next start.
            address = cards.new_mac(_driver(domain))
            attaching.set_mac(element, address)
        if int(address[:2], 16) & 1:
            raise UsageError(f"'{address}' is a multicast address; a card's own has an even first octet.")
        pick = attaching.interface(address)
        before = attaching.find(domain, pick)
        data = {"mac": address}
        if _everywhere(domain, before):
            return _result(call, domain, data, notes=(f"Domain '{domain.name}' already has it.",))
        if not call.parsed.flag("dry-run"):
            attaching.attach(domain, attaching.text(element), pick, before)
        return _result(call, domain, data, changed=True, notes=(*made.notes, *lifecycle.not_yet(domain)))


def network_detach(call: Call) -> Result:
    """Take a network interface from a domain."""
    word = call.parsed.text("DEV")
    with call.changing() as domain:
        attaching.require_machine(domain, "")
        attaching.require_changeable(domain)
        call.require_answering(domain)
        element = _there(domain, attaching.find(domain, attaching.interface(word)), "network interface", word)
        # By its address from here on: what is left has other numbers.
        pick = attaching.interface(attaching.mac(element))
        return _detached(call, domain, attaching.find(domain, pick), pick, {"mac": attaching.mac(element)}, word)


def block_resize(call: Call) -> Result:
    """Let a disk be larger; never smaller."""
    word, wanted = call.parsed.text("DEV"), call.parsed.number("SIZE")
    with call.changing() as domain:
        attaching.require_machine(domain, "disks whose size libvirt changes")
        attaching.require_changeable(domain)
        if _driver(domain) == XEN and domain.active():
            raise UnsupportedError(
                "This host's hypervisor cannot do that: libvirt changes the size of a Xen guest's disks only while it"
                " is off."
            )
        call.require_answering(domain)
        found = attaching.find(domain, attaching.disk(word))
        element = _there(domain, found, "disk", word)
        target = _target(element)
        if element.get("device", "disk") != "disk" or element.find("readonly") is not None:
            raise RefusedError(f"The disk {target} of '{domain.name}' cannot be written; its size is not changed.")
        live = found.live is not None
        if not live:
            snapshots.require_not_saved(domain)
        volume = None if live else _volume(call, domain, attaching.place(element))
        if volume is not None:
            pools.require_in_place(call.writer, volume.path())
        before = attaching.capacity(domain, target) if volume is None else volume.capacity()
        facts: dict[str, object] = {"target": target, "requested": wanted, "before": before}
        if wanted < before:
            raise RefusedError(
                f"The disk {target} of '{domain.name}' has {before // MIB} MiB; what is beyond that would be lost."
            )
        if wanted == before:
            return _result(call, domain, facts, notes=(f"It has {before // MIB} MiB already.",))
        reached = before
        if not call.parsed.flag("dry-run"):
            reached = attaching.grow(domain, target, wanted) if volume is None else volume.grow(wanted)
            if reached < wanted:
                raise domain.not_so(f"has a disk {target} of {reached // MIB} MiB")
        return _result(call, domain, facts | {"reached": reached}, changed=True, notes=lifecycle.not_yet(domain))


def cd_insert(call: Call) -> Result:
    """Put a medium into a drive, in the place of what is in it."""
    path = call.parsed.text("FILE")
    permitted.whole_path(path)
    with _drive(call, call.parsed.text("DEV")) as (domain, found, element):
        xml = permitted.medium(call, element, path)
        path = attaching.place(attaching.parsed(xml))
        with call.host.locks.hold(disk_users.key(path), call.verb.name, call.deadline, "disk"):
            return _medium(call, domain, found, xml, path)


def cd_eject(call: Call) -> Result:
    """Take the medium out of a drive."""
    with _drive(call, call.parsed.text("DEV")) as (domain, found, element):
        return _medium(call, domain, found, attaching.with_medium(element, "", block=False), "")


@contextlib.contextmanager
def _drive(call: Call, word: str) -> Iterator[tuple[Domain, Found, attaching.Element]]:
    """Give the domain, locked, and its drive `word`, or the only one that it has."""
    with call.changing() as domain:
        attaching.require_machine(domain, "drives")
        if _driver(domain) == XEN and not _hvm(domain):
            raise UnsupportedError("This host's hypervisor cannot do that: of Xen's guests only HVM has drives.")
        attaching.require_changeable(domain)
        call.require_answering(domain)
        if not word:
            drives = attaching.drives(domain)
            if len(drives) != 1:
                has = f"drives {', '.join(drives)}; name one" if drives else "no drive"
                raise RefusedError(f"Domain '{domain.name}' has {has}.")
            (word,) = drives
        found = attaching.find(domain, attaching.disk(word))
        element = _there(domain, found, "drive", word)
        if element.get("device") not in _DRIVES:
            raise RefusedError(f"{_target(element)} of '{domain.name}' is a disk, not a drive; use block-detach.")
        yield domain, found, element


def _medium(call: Call, domain: Domain, found: Found, xml: str, path: str) -> Result:
    places = {attaching.place(element) for element in (found.live, found.kept) if element is not None}
    target = _target(attaching.parsed(xml))
    data = {"target": target} | ({"source": path} if path else {})
    if places == {path}:
        return _result(call, domain, data, notes=(f"The drive {target} {'has it already' if path else 'is empty'}.",))
    was = sorted(places - {"", path})
    notes = (f"It had {', '.join(was)}.",) if was else ()
    if path:
        permitted.require_unwritten(call, path)
    if not call.parsed.flag("dry-run"):
        _change_medium(call, domain, found, xml)
        now = attaching.find(domain, attaching.disk(target))
        left = {attaching.place(element) for element in (now.live, now.kept) if element is not None}
        if left != {path}:
            raise domain.not_so(f"has {', '.join(sorted(left - {path})) or 'nothing'} in {target}")
    return _result(call, domain, data, changed=True, notes=(*notes, *lifecycle.not_yet(domain)))


def _change_medium(call: Call, domain: Domain, found: Found, xml: str) -> None:
    try:
        attaching.change(domain, xml, found, force=call.parsed.flag("force"))
    except XmanError as error:
        # libvirt has waited five seconds for the tray.
        if found.live is not None and code_of(error.__cause__) == api.VIR_ERR_OPERATION_FAILED:
            text = str(error).rstrip(".")
            raise RefusedError(
                f"The guest keeps the tray shut ({text}); unmount the medium there. --force opens it anyway."
            ) from error
        raise


def _detached(
    call: Call, domain: Domain, found: Found, pick: attaching.Pick, data: Facts, what: str, notes: tuple[str, ...] = ()
) -> Result:
    if not call.parsed.flag("dry-run"):
        attaching.detach(domain, pick, found, what)
    return _result(call, domain, data, changed=True, notes=(*notes, *lifecycle.not_yet(domain)))


def _result(call: Call, domain: Domain, data: Facts, *, changed: bool = False, notes: tuple[str, ...] = ()) -> Result:
    dry = call.parsed.flag("dry-run")
    facts = {**data, "live": domain.active(), "kept": domain.persistent(), "dry_run": dry}
    if dry and changed:
        when = [word for word, so in (("now", domain.active()), ("from its next start on", domain.persistent())) if so]
        notes = (f"This would be done to '{domain.name}', {' and '.join(when)}.", *notes)
    return Result(facts, changed=changed and not dry, domain=domain.name, notes=notes)


def _there(domain: Domain, found: Found, what: str, word: str) -> attaching.Element:
    if found.any is None:
        known = attaching.names(domain, "interface" if what.startswith("network") else "disk")
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise RefusedError(f"Domain '{domain.name}' has no {what} '{word[:64]}'; {has}.")
    return found.any


def _volume(call: Call, domain: Domain, path: str) -> volumes.Volume:
    """Return the volume that is a disk of a domain which is off. Raises RefusedError where it is in no pool."""
    try:
        return volumes.at(call.writer, path, domain)
    except RefusedError:
        pools.look_beside(call.writer, path)
        return volumes.at(call.writer, path, domain)


def _require_the_same(domain: Domain, before: Found, target: str, path: str) -> None:
    for element in (before.live, before.kept):
        if element is not None and attaching.place(element) != path:
            has = attaching.place(element) or "a drive"
            raise RefusedError(f"{target} of '{domain.name}' is {has} already; name another DEV.")


def _everywhere(domain: Domain, found: Found) -> bool:
    return (found.live is not None or not domain.active()) and (found.kept is not None or not domain.persistent())


def _target(element: attaching.Element) -> str:
    target = element.find("target")
    return "" if target is None else str(target.get("dev"))


def _format(element: attaching.Element) -> str:
    kind = element.find("driver")
    return "raw" if kind is None else str(kind.get("type", "raw"))


def _driver(domain: Domain) -> str:
    with reading(domain.name):
        return str(domain.raw.connect().getType())


def _hvm(domain: Domain) -> bool:
    with reading(domain.name):
        return str(domain.raw.OSType()) == "hvm"


ROWS = {
    # Whoever asks again finds out what is there already.
    "block-attach": Row(block_attach, verdicts.harmless_again, told("defined")),
    "block-detach": Row(block_detach, verdicts.disk_detached, told("defined")),
    "block-resize": Row(block_resize, verdicts.harmless_again, told("defined")),
    "network-attach": Row(network_attach, verdicts.interface_attached, told("defined")),
    "network-detach": Row(network_detach, verdicts.interface_detached, told("defined")),
    "cd-insert": Row(cd_insert, verdicts.harmless_again, told("defined")),
    "cd-eject": Row(cd_eject, verdicts.harmless_again, told("defined")),
}
