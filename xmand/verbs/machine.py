"""What somebody wants to launch: held against what this host has for that, and made: its disks, its definition."""

import contextlib
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from xman import times, values
from xman.errors import DeniedError, RefusedError, UnknownOutcomeError, UsageError, XmanError, of_outcome
from xman.metadata import Instance, Metadata
from xmand.authorize.roles import filled, this_host
from xmand.batch.patterns import matches
from xmand.launch import begun, keys, seed
from xmand.launch.begun import Begun
from xmand.launch.machines import Machines
from xmand.launch.seed import Seed
from xmand.verbs.call import Call
from xmand.verbs.volumes import uploading
from xmand.virt import definition, description, disk_users, image_pools, images, launched, pools
from xmand.virt.binding import RawConnection
from xmand.virt.contents import Reading
from xmand.virt.domain import Domain
from xmand.virt.driver import CHANGE, LONG
from xmand.virt.errors import reading
from xmand.virt.image_pools import Image
from xmand.virt.qemu_log import LOGS
from xmand.virt.uploads import key

# What a machine gets where neither its owner nor what stands beside its image says anything.
_MEMORY = 1 << 30
_VCPUS = 1
# Less does not even start.
_LEAST_MEMORY = 32 * values.MIB
# Of an image's name for people.
_MOST_TITLE = 128
_EFI = "efi"
_FIRMWARE = ("bios", _EFI)


@dataclass(frozen=True)
class Beside:
    """What stands beside an image, in NAME.toml: what people call it, the least memory it needs, and its firmware."""

    title: str = ""
    memory: int = 0
    firmware: str = ""


class Wanted:
    """What is to be launched, its words read and held against what its owner may have. Raises XmanError."""

    def __init__(self, call: Call) -> None:
        self._call = call
        options, self.name = call.parsed.options, call.parsed.text("NAME")
        values.check_new_name(self.name)
        self._keys = tuple(keys.public(str(options["ssh-key"]))) if "ssh-key" in options else ()
        self._user_data = str(options.get("user-data", ""))
        until = _until(options["until"]) if "until" in options else None
        self._require_name()
        self._network = self._chosen_network()
        self._image = self._chosen_image(call.parsed.text("IMAGE"))
        self._beside = beside(call.writer, self._image)
        self.uuid = call.new_uuid()
        least = self._image.volume.capacity
        disk = values.memory(str(options["disk"])) if "disk" in options else least
        if disk < least:
            raise RefusedError(
                f"--disk is smaller than the disk of '{self._image.name}' ({least // values.MIB} MiB);"
                " what is beyond would be lost."
            )
        memory = values.memory(str(options["memory"])) if "memory" in options else max(_MEMORY, self._beside.memory)
        least = max(_LEAST_MEMORY, self._beside.memory)
        if memory < least:
            raise RefusedError(f"'{self._image.name}' needs {least // values.MIB} MiB of memory at least.")
        vcpus = options.get("vcpus", _VCPUS)
        assert isinstance(vcpus, int)  # noqa: S101  # the table says so
        self.instance = Instance(
            id=f"i-{self.uuid.replace('-', '')[:17]}",
            owner=call.principal,
            image=self._image.name,
            pool=call.host.settings.launch.pool or self._image.pool,
            memory=memory,
            vcpus=vcpus,
            disk=disk,
            launched=int(time.time()),
            until=until,
        )
        self.begun = Begun(self.uuid, self.name, self.instance.pool)

    def said(self) -> tuple[str, ...]:
        """Return what is to be said of what its owner gave."""
        if not seed.passed_over(self._user_data):
            return ()
        return ("--user-data begins with nothing that cloud-init knows (#cloud-config, #!): its guest ignores it.",)

    def _require_name(self) -> None:
        call = self._call
        if call.access.listed_caller:
            return
        patterns = call.host.settings.launch.names
        allowed = filled(patterns, call.principal, this_host())
        if not matches(self.name, allowed):
            raise DeniedError(
                f"You may call a machine {' or '.join(allowed) or 'nothing'} here, but not '{self.name}'."
            )

    def _chosen_network(self) -> str:
        networks = self._call.host.settings.launch.networks
        wanted = str(self._call.parsed.options.get("network", networks[0] if networks else ""))
        if wanted and wanted not in networks:
            has = f"it has {', '.join(networks)}" if networks else "it has none"
            raise RefusedError(f"This host does not allow machines on the network '{wanted[:64]}'; {has} ([launch]).")
        return wanted

    def _chosen_image(self, name: str) -> Image:
        call, settings = self._call, self._call.host.settings.launch
        image_pools.refresh(call.writer, settings.pools)
        found = {image.name: image for image in offered(call, call.writer)}
        if name not in found:
            near = ", ".join(sorted(found)[:8]) or "none"
            asleep = "".join(
                f" The storage pool '{pool}' is not active here."
                for pool in image_pools.unusable(call.writer, settings.pools)
            )
            raise RefusedError(f"This host has no image '{name[:64]}'; it has {near}.{asleep}")
        image = found[name]
        self._require_still(image)
        if _leads_on(call.writer, image):
            raise RefusedError(
                f"The image '{name}' refers to another file of the host, perhaps on purpose; an administrator can"
                " make one that stands for itself (qemu-img convert)."
            )
        return image

    def _require_still(self, image: Image) -> None:
        """Raise RefusedError for an image that somebody changes, or may: a guest makes of it whatever it likes."""
        call, name = self._call, image.name
        uses = [use for use in disk_users.users(call.writer, image.volume.path) if use.writes and not use.above]
        writers = {use.name for use in uses if use.at_work}
        if writers:
            raise RefusedError(
                f"Domain '{min(writers)}' writes to the image '{name}'; what is launched from it would be damaged."
            )
        # An administrator knows of the machine that an image was prepared in.
        if uses and not call.access.listed_caller:
            raise RefusedError(
                f"The image '{name}' is the disk of a domain that is off, which may change it; an administrator can"
                " delete that domain, or launch from it."
            )

    def reserved(self) -> contextlib.AbstractContextManager[None]:
        """Count it as its owner's meanwhile. Raises RefusedError."""
        call = self._call
        limit = None if call.access.listed_caller else call.host.settings.launch
        return machines(call).reserved(call.writer, self.uuid, self.instance, limit, call.host.locks, call.deadline)

    def made(self) -> Domain:
        """Make its disks and define it; where that fails nothing of it is left."""
        call, notes, pool = self._call, machines(self._call).notes, self.instance.pool
        connection = call.host.driver.connection(LONG)
        if notes.of(self.uuid) is not None:
            # The same request has begun it before, and xmand ended.
            begun.settle(connection, self.begun)
        notes.note(self.begun)
        call.record.intends(self.name, self.uuid)
        try:
            # Against whoever deletes the image meanwhile: he sees who has it from then on.
            image = key(self._image.pool, self._image.name)
            with call.host.locks.hold(image, call.verb.name, call.deadline, "volume"):
                disk = image_pools.overlay(
                    connection, pool, image_pools.own(self.uuid, image_pools.DISK), self._image, self.instance.disk
                )
            told_ = Seed(
                self.instance.id,
                self.name,
                self._keys,
                self._user_data,
                launched.mac(self.uuid) if self._network else "",
            )
            seed_path = image_pools.put(
                connection, pool, image_pools.own(self.uuid, image_pools.SEED), seed.image(told_)
            )
            machine = launched.Machine(
                self.name,
                self.uuid,
                self.instance.memory,
                self.instance.vcpus,
                disk,
                seed_path,
                self._network,
                _EFI if self._beside.firmware == _EFI else "",
                Metadata(instance=self.instance),
            )
            domain = definition.defined(call.writer, self._logged(machine), None, autostart=False)
        except UnknownOutcomeError:  # it may be defined; `keeper` finds out
            raise
        except XmanError as error:
            raise nothing_left(call, self.begun, error) from error
        # Now they are the domain's.
        notes.forget(self.uuid)
        return domain

    def _logged(self, machine: launched.Machine) -> description.Description:
        arch, kind = launched.host_kind(self._call.writer, self._call.host.settings.launch.kvm)
        found = launched.described(machine, arch, kind)
        with reading():
            system = str(self._call.writer.getURI()).endswith("/system")
        keeps = self._call.host.settings.console.log and system and Path(LOGS).is_dir()
        return description.with_console_log(found, LOGS) if keeps else found


def machines(call: Call) -> Machines:
    """Return those of this daemon."""
    assert call.host.machines is not None  # noqa: S101  # every daemon has them
    return call.host.machines


def nothing_left(call: Call, what: Begun, error: XmanError) -> XmanError:
    """Remove the disks of a machine that is not there; return the error, saying where that failed as well."""
    try:
        begun.settle(call.host.driver.connection(CHANGE), what)
    except XmanError as second:
        return of_outcome(
            error.outcome, f"{error} What was made of its disks is removed later: {str(second).rstrip('.')}."
        )
    machines(call).notes.forget(what.uuid)
    return error


def offered(call: Call, connection: RawConnection) -> list[Image]:
    """Return the images that may be launched here, and are whole. Raises HypervisorError."""
    settings = call.host.settings.launch
    # Before they are listed: one that is whole meanwhile is there the next time.
    halves = uploading(call)
    found = image_pools.images(connection, settings.pools, lambda name: matches(name, settings.images))
    return [image for image in found if (image.pool, image.name) not in halves]


def beside(connection: RawConnection, image: Image) -> Beside:
    """Return what stands beside an image; what cannot be read there says nothing."""
    try:
        told_ = tomllib.loads(image_pools.sidecar(connection, image))
        memory = values.memory(str(told_["memory"])) if "memory" in told_ else 0
    except (
        ValueError,
        RecursionError,
        UsageError,
    ):  # no TOML, deeper than Python goes, a number of thousands of digits
        return Beside()
    firmware = str(told_.get("firmware", ""))
    return Beside(str(told_.get("title", ""))[:_MOST_TITLE], memory, firmware if firmware in _FIRMWARE else "")


def _leads_on(connection: RawConnection, image: Image) -> bool:
    """Return whether opening the image opens another file, by what it says itself: libvirt would follow it."""
    volume = pools.named(connection, image.pool).volume(image.name)
    pieces = Reading(volume, min(images.HEAD, image.volume.octets))
    try:
        head = b"".join(bytes(piece) if isinstance(piece, int) else piece for piece in pieces)
    finally:
        pieces.close()
    return images.of_octets(head).leads_on


def _until(word: object) -> int:
    try:
        return int(times.until(str(word), time.time()))
    except ValueError as error:
        raise UsageError(f"--until: {error}.") from error
