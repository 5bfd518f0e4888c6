"""volume-upload, volume-download: images from and to where the client is."""

import contextlib
import time

from xman import values
from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, UsageError, XmanError
from xman.result import Result
from xmand.consoles.downloaded import Downloaded
from xmand.consoles.uploaded import Uploaded
from xmand.journal import verdicts
from xmand.verbs.call import Call
from xmand.verbs.row import Row
from xmand.verbs.volumes import require_image, require_whole, row
from xmand.virt import pools, volume_users
from xmand.virt.contents import Reading, Writing
from xmand.virt.pools import Pool
from xmand.virt.uploads import Upload, Uploads
from xmand.virt.volumes import RAW, Volume


def upload(call: Call) -> Uploaded | Result:
    """Make a volume of what the client sends; nothing is written over.

    Raises UsageError where the client does not say how long that is, or that it sends anything.
    """
    dry = call.parsed.flag("dry-run")
    if not (call.parsed.flag("input") or dry) or "octets" not in call.parsed.options:
        raise UsageError("The file comes as a stream; use rxm volume-upload, or see xman-protocol(7).")
    uploads = call.host.uploads
    if uploads is None:
        raise HypervisorError("This xmand takes no images.")
    name, octets = call.parsed.text("VOLUME"), values.whole(str(call.parsed.options["octets"]))
    pools.check_name(name)
    if not 0 < octets < 1 << 63:
        raise UsageError("An image must have at least one octet.")
    with contextlib.ExitStack() as stack:
        connection = call.host.driver.another()
        stack.callback(call.host.driver.give_back, connection)
        pool = pools.named(connection, call.parsed.text("POOL"))
        begun = Upload(pool.name, name, octets)
        # Nobody waits for hours: who has a volume for so long says so at once.
        until = min(call.deadline, time.monotonic() + call.host.settings.limits.read_seconds)
        stack.enter_context(call.host.locks.hold(begun.key, call.verb.name, until, "volume"))
        pool.check(name, octets, RAW, None)
        if dry:
            return _would(call, pool, begun)
        volume, writing = _empty(uploads, begun, pool)
        return Uploaded(
            name,
            octets,
            writing,
            lambda: Reading(volume, octets),
            done=lambda digest: _done(uploads, begun, pool, digest),
            undo=lambda: _remove(uploads, begun, volume),
            close=stack.pop_all().close,
            emit=call.emit,
            patience=call.host.settings.limits.stall_seconds,
        )


def _empty(uploads: Uploads, begun: Upload, pool: Pool) -> tuple[Volume, Writing]:
    """Make the volume that is to be written; where that fails nothing is left of it."""
    uploads.begin(begun)
    try:
        volume = pool.create(begun.name, begun.octets, RAW)
    except UnknownOutcomeError:  # it is looked after
        raise
    except XmanError:
        uploads.end(begun)
        raise
    writing = Writing(volume, begun.octets)
    try:
        if volume.facts().kind != "file":
            writing.blank()
    except XmanError:
        _remove(uploads, begun, volume)
        raise
    return volume, writing


def _would(call: Call, pool: Pool, begun: Upload) -> Result:
    """Say what would be made. Whether there is room only the image tells: its holes may take none."""
    told = {"pool": pool.name, "volume": begun.name, "octets": begun.octets}
    call.emit(Result(told | {"available": pool.facts().get("available", 0), "dry_run": True}))
    return Result()


def _done(uploads: Uploads, begun: Upload, pool: Pool, digest: str) -> Result:
    # What it is, libvirt finds out when it looks at the pool anew.
    pool.refresh()
    facts = pool.volume(begun.name).facts()
    uploads.end(begun)
    told = {"volume" if key == "name" else key: value for key, value in row(pool, facts).items()}
    return Result(told | {"octets": begun.octets, "sha256": digest, "dry_run": False}, changed=True)


def _remove(uploads: Uploads, begun: Upload, volume: Volume) -> str:
    """Remove what was made; return what to say of that. Raises XmanError: then it is looked after."""
    volume.delete()
    uploads.end(begun)
    return "What had arrived is removed."


def download(call: Call) -> Downloaded:
    """Send what a volume holds. Raises RefusedError where a guest writes to it: it would be half of one thing."""
    name = call.parsed.text("VOLUME")
    with contextlib.ExitStack() as stack:
        connection = call.host.driver.another()
        stack.callback(call.host.driver.give_back, connection)
        pool = pools.named(connection, call.parsed.text("POOL"))
        volume = pool.volume(name)
        facts = volume.facts()
        require_image(facts)

        def check() -> None:
            writers = [
                user.name for user in volume_users.of_domains(call.reader, pool.name, name, facts.path) if user.writes
            ]
            if writers:
                raise RefusedError(
                    f"The domain '{writers[0]}' runs and writes to '{name}', so a copy would be inconsistent; shut it"
                    " down first."
                )

        check()
        require_whole(call, pool.name, name)
        return Downloaded(facts.octets, Reading(volume, facts.octets), check=check, close=stack.pop_all().close)


ROWS = {
    "volume-upload": Row(upload, verdicts.ended_with_us),
    "volume-download": Row(download),
}
