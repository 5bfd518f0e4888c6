"""One domain: what it is, and the changes that verbs make to it, each read back before it is believed."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from lxml import etree

from xman import escape, values
from xman.errors import (
    HypervisorError,
    NoSuchDomainError,
    UnknownOutcomeError,
    UnsupportedError,
    UsageError,
    XmanError,
)
from xmand.system import mounts
from xmand.virt import driver, errors, sources
from xmand.virt.binding import RawConnection, RawDomain, api
from xmand.virt.driver import changing, lost
from xmand.virt.errors import Translating, code_of, reading

KIB = 1024

# virDomainState, in its order, in the words of the results.
STATES = ("nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended")
PAUSED = "paused"
# Xen's guests that have nothing to do are blocked, those that wait for a CPU in no state.
RUNNING_STATES = ("running", "blocked", "nostate")
# How long a container that was killed may take until libvirt has seen its end.
_ENDS_SECONDS = 2.0


class Domain:
    """A domain that was found; `name` is as libvirt has it."""

    def __init__(self, raw: RawDomain) -> None:
        self.raw = raw
        self._connection = raw.connect()
        self._change_sent = False
        self.name = str(raw.name())
        self.uuid = str(raw.UUIDString())

    # --- what it is ------------------------------------------------------------------------------------------------

    def state(self) -> tuple[str, int]:
        """Return the state's name and libvirt's number for its reason."""
        state, reason = self.numbers()
        return STATES[state] if state < len(STATES) else "nostate", reason

    def numbers(self) -> tuple[int, int]:
        """Return libvirt's numbers for its state and the reason of that."""
        with reading(self.name):
            state, reason = self.raw.state()
        return int(state), int(reason)

    def active(self) -> bool:
        """Whether it runs, or would if it were not paused."""
        with reading(self.name):
            return bool(self.raw.isActive())

    def identifier(self) -> int | None:
        """Its numeric id, None while it is off."""
        with reading(self.name):
            number = int(self.raw.ID())
        return None if number < 0 else number

    def on_xen(self) -> bool:
        """Whether this is a host of Xen's."""
        with reading(self.name):
            return bool(self._connection.getType() == driver.XEN)

    def on_qemu(self) -> bool:
        """Whether QEMU runs it."""
        with reading(self.name):
            return bool(self._connection.getType() == driver.QEMU)

    def privileged(self) -> bool:
        """Whether it is Xen's Domain-0, the host itself: only its size may be changed."""
        with reading(self.name):
            return self.on_xen() and bool(self.raw.ID() == 0)

    def paravirtual(self) -> bool:
        """Whether it is a PV guest of Xen's, whose paging is Xen's own; PVH and HVM guests have a machine's."""
        with reading(self.name):
            return self.on_xen() and self.raw.OSType() in ("xen", "linux")

    def arriving(self) -> bool:
        """Whether a migration has begun to bring it here, and its guest is not here yet."""
        with reading(self.name):
            return is_arriving(self.raw)

    def persistent(self) -> bool:
        """Whether libvirt keeps its description while it is off."""
        with reading(self.name):
            return bool(self.raw.isPersistent())

    def description(self, *, inactive: bool = False) -> str:
        """Return libvirt's XML, without secrets: as it is, or (`inactive`) as it will be when it is started again."""
        with reading(self.name):
            return str(self.raw.XMLDesc(api.VIR_DOMAIN_XML_INACTIVE if inactive else 0))

    def container(self) -> bool:
        """Whether it is a container (LXC), which has neither balloon nor power button."""
        with reading(self.name):
            return bool(self._connection.getType() == "LXC")

    def memory(self) -> tuple[int, int]:
        """Return the memory it has and the most it may have, in octets."""
        with reading(self.name):
            _state, most, current, _vcpus, _time = self.raw.info()
            if self.container():
                # There info() tells what is used, not what was granted.
                current = memory_kib(self.raw.XMLDesc(0))
        return int(current) * KIB, int(most) * KIB

    def vcpus(self) -> tuple[int, int]:
        """Return the virtual CPUs it has and the most it may have. Raises UnsupportedError (LXC)."""
        scope = api.VIR_DOMAIN_AFFECT_LIVE if self.active() else api.VIR_DOMAIN_AFFECT_CONFIG
        with reading(self.name):
            return int(self.raw.vcpusFlags(scope)), int(self.raw.vcpusFlags(scope | api.VIR_DOMAIN_VCPU_MAXIMUM))

    def max_vcpus(self) -> int:
        """Return the most virtual CPUs it may have now, or when it is started where it is off; one call."""
        scope = api.VIR_DOMAIN_AFFECT_CONFIG if self.raw.ID() < 0 else api.VIR_DOMAIN_AFFECT_LIVE
        with reading(self.name):
            return int(self.raw.vcpusFlags(scope | api.VIR_DOMAIN_VCPU_MAXIMUM))

    # --- changing it ------------------------------------------------------------------------------------------------

    def lost_means_unknown(self) -> Translating:
        """Around what follows a change as well: once one was sent, a lost libvirt leaves its outcome unknown."""

        def unknown(error: HypervisorError) -> XmanError | None:
            if self._change_sent and lost(self._connection):
                return UnknownOutcomeError(f"libvirt was lost after changing '{self.name}': {error}")
            return None

        return Translating(HypervisorError, unknown)

    def beside(self) -> "Domain":
        """Return it as it is to be asked while a call blocks (`driver.beside`). Raises HypervisorError."""
        other = driver.beside(self._connection)
        return self if other is self._connection else find(other, self.uuid)

    def change(self) -> Translating:
        """Around a call of libvirt's that changes it: errors in our words."""
        self._change_sent = True
        return changing(self._connection, self.name)

    # --- its life --------------------------------------------------------------------------------------------------

    def start(self, *, paused: bool = False, anew: bool = False) -> None:
        """Start what is defined, or restore what was suspended. Raises UnsupportedError where `paused` cannot be.

        With `anew` its firmware (UEFI) knows nothing of earlier runs.
        """
        text = self.description() if self.on_qemu() else ""
        flags = api.VIR_DOMAIN_START_PAUSED if paused else 0
        if anew and "<nvram" in text:
            flags |= api.VIR_DOMAIN_START_RESET_NVRAM
        with files_of_disks(text), self.change(), unsupported_flags(bool(flags)):
            self.raw.createWithFlags(flags)
        if not self.active():
            raise HypervisorError(
                f"Domain '{self.name}' does not run, although libvirt said so; its guest may have ended at once."
            )

    def undefine(self) -> None:
        """Forget what was defined."""
        with self.change():
            self.raw.undefine()

    def pause(self) -> None:
        """Stop its CPUs. Raises UnsupportedError for a container where libvirt has no way to."""

        def unsupported(error: api.libvirtError) -> XmanError | None:
            if code_of(error) == api.VIR_ERR_OPERATION_FAILED and self.container() and not mounts.freezer():
                return UnsupportedError(
                    "This host's hypervisor cannot do that: libvirt pauses a container by the freezer of the first"
                    f" version of control groups, and this host has the second alone. ({errors.words(error)})"
                )
            return None

        with self.change(), Translating(api.libvirtError, unsupported):
            self.raw.suspend()
        self._expect(PAUSED)

    def unpause(self) -> None:
        """Let its CPUs go on."""
        with self.change():
            self.raw.resume()
        if self.state()[0] not in RUNNING_STATES:
            raise self.not_so(f"is {self.state()[0]}, not running")

    def destroy(self) -> None:
        """Stop it at once."""
        before = self.identifier()
        try:
            with self.change():
                self.raw.destroy()
        except HypervisorError:
            # LXC's driver (libvirt 11.3) may fail over control groups that vanish with what it has just killed.
            if not (self.container() and self._ends_soon()):
                raise
        try:
            # Somebody else may have started it again.
            still = before is not None and self.active() and self.identifier() == before
        except NoSuchDomainError:  # a transient one
            return
        if still:
            raise self.not_so("still runs")

    def not_so(self, what: str) -> HypervisorError:
        """Return the error for a success of libvirt's that is none: `what` it is, or does, nevertheless."""
        return HypervisorError(f"Domain '{self.name}' {what}, although libvirt said so.")

    def ask_shutdown(self) -> None:
        """Ask the guest to shut itself down; libvirt's success says only that it was asked."""
        with self.change():
            # A container's init may know no other way; libvirt's default ones do nothing there, and report success.
            self.raw.shutdownFlags(api.VIR_DOMAIN_SHUTDOWN_SIGNAL if self.container() else 0)

    def ask_reboot(self) -> None:
        """Ask the guest to restart itself; libvirt's success says only that it was asked."""
        with self.change():
            self.raw.reboot(api.VIR_DOMAIN_REBOOT_SIGNAL if self.container() else 0)

    def _ends_soon(self) -> bool:
        """Wait a moment for its end; return whether that came."""
        end = time.monotonic() + _ENDS_SECONDS
        while time.monotonic() < end:
            try:
                if not self.active():
                    return True
            except NoSuchDomainError:  # libvirt forgets a transient one with its end
                return True
            time.sleep(0.05)
        return False

    def _expect(self, wanted: str) -> None:
        state, _reason = self.state()
        if state != wanted:
            raise self.not_so(f"is {state}, not {wanted}")


def memory_kib(description: str) -> int:
    """Return the memory that a description grants; libvirt writes it in KiB."""
    root = etree.fromstring(description.encode())
    return int(root.findtext("currentMemory") or root.findtext("memory") or 0)


def find(connection: RawConnection, word: str, allow_id: bool = True) -> Domain:
    """Return the domain that `word` names: by name, by UUID, by id, in that order; or by its name as it is shown.

    Raises NoSuchDomainError; UsageError for an id where `allow_id` is false (ids are used again).
    """
    domain = _lookup(connection.lookupByName, word, word)
    if domain is None and values.is_uuid(word):
        domain = _lookup(connection.lookupByUUIDString, word, word)
    if domain is None and values.is_number(word) and int(word) < 2**31:
        domain = _lookup(connection.lookupByID, int(word), word)
        if domain is not None and not allow_id:
            raise UsageError(f"'{word}' is an id, which may soon be another domain's; name it: '{domain.name}'.")
    if domain is None and "\\" in word:
        # As a name that is not printable was shown.
        shown = [each for each in find_all(connection) if escape.line(each.name) == word]
        domain = shown[0] if len(shown) == 1 else None
    if domain is None:
        raise NoSuchDomainError(word)
    return domain


def find_all(connection: RawConnection) -> list[Domain]:
    """Return all domains, running or not."""
    with reading():
        return [Domain(raw) for raw in connection.listAllDomains(0)]


def _lookup(look_up: Any, key: object, word: str) -> Domain | None:
    try:
        with reading(word):
            return Domain(look_up(key))
    except NoSuchDomainError:
        return None


def unsupported_flags(used: bool) -> Translating:
    """Around a call with flags that not every driver knows (`used`): libvirt calls those an invalid argument."""

    def unsupported(error: api.libvirtError) -> XmanError | None:
        if used and errors.code_of(error) == api.VIR_ERR_INVALID_ARG:
            return UnsupportedError(f"This host's hypervisor cannot do that: {errors.words(error)}")
        return None

    return Translating(api.libvirtError, unsupported)


def create_transient(connection: RawConnection, name: str, xml: str, *, paused: bool) -> Domain:
    """Start a domain that libvirt forgets when it stops."""
    flags = api.VIR_DOMAIN_START_VALIDATE | (api.VIR_DOMAIN_START_PAUSED if paused else 0)
    with reading():
        files = xml if connection.getType() == driver.QEMU else ""
    with files_of_disks(files), changing(connection, name), unsupported_flags(paused):
        return Domain(connection.createXML(xml, flags))


@contextlib.contextmanager
def files_of_disks(xml: str) -> Iterator[None]:
    """Around a start of QEMU's: refused where libvirt would never come back; its failure tells of broken images."""
    if xml:
        sources.require_files(xml)
    try:
        yield
    except HypervisorError as error:
        raise (sources.explained(xml, error) if xml else error) from error.__cause__


def define(connection: RawConnection, name: str, xml: str) -> Domain:
    """Define the domain `name`; libvirt validates the description by its own schema. Raises UsageError and others."""
    with changing(connection, name):
        return Domain(connection.defineXMLFlags(xml, api.VIR_DOMAIN_DEFINE_VALIDATE))


REASON = "arriving by migration"
_REASONS = (api.VIR_DOMAIN_PAUSED_MIGRATION, api.VIR_DOMAIN_PAUSED_STARTING_UP)


def is_arriving(raw: RawDomain) -> bool:
    """Whether `raw` is one. Raises libvirt's error."""
    state, reason = raw.state()
    if state != api.VIR_DOMAIN_PAUSED or reason not in _REASONS:
        return False
    try:
        raw.jobStats()
    except api.libvirtError as error:
        # "only available on the source host": the one sign of it. A job on the source has figures.
        return code_of(error) == int(api.VIR_ERR_OPERATION_UNSUPPORTED)
    return False


# A guest that is well answers its monitor much sooner.
_HELD_MILLISECONDS = 500


def is_held(raw: RawDomain) -> bool:
    """Whether somebody has waited for this guest's monitor for a while: libvirt 11.3 describes it only after him."""
    return held_milliseconds(raw) >= _HELD_MILLISECONDS


def held_milliseconds(raw: RawDomain) -> int:
    """Return for how long somebody has waited for this guest's monitor, or worked with it; this call never waits."""
    try:
        state, _details, milliseconds = raw.controlInfo()
    except api.libvirtError:  # it is off, or its driver has no monitors
        return 0
    return 0 if state == api.VIR_DOMAIN_CONTROL_OK else int(milliseconds)
