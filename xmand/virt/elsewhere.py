"""What another host has that a domain is to move to, asked of its libvirt; images there, made and removed.

A program of its own (`python -m xmand.virt.elsewhere`), which `xmand.virt.other_host` starts: another host may hang for
good, and a child can be killed; and what it authenticates with, in its environment, is not the daemon's.

It reads what is asked of it as JSON, and answers in JSON: what stands there, what was made, or why not.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from lxml import etree

from xman.errors import HypervisorError, RefusedError, XmanError
from xmand.virt import errors
from xmand.virt.binding import RawConnection, api

# What is asked.
LOOK, MAKE, REMOVE, FIT = "look", "make", "remove", "fit"
# Of what libvirt says where a folder is not there.
_NO_FOLDER = "No such file or directory"


def main() -> int:
    """Answer one question; the exit status is 0 where there is an answer, of whatever kind."""
    asked = json.load(sys.stdin)
    # What libvirt's SASL, and Kerberos behind it, go by.
    os.environ.setdefault("KRB5CCNAME", "MEMORY:")
    for name, value in (("KRB5_CLIENT_KTNAME", asked["keytab"]), ("KRB5_CONFIG", asked["krb5"])):
        if value:
            os.environ[name] = value
    try:
        answer = _answer(asked)
    except XmanError as error:
        answer = {"error": str(error), "code": error.outcome}
    json.dump(answer, sys.stdout)
    return 0


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    with _connected(asked["uri"]) as connection:
        try:
            if asked["what"] == LOOK:
                return {"there": _there(connection, asked["images"])}
            if asked["what"] == FIT:
                return fit(connection, asked)
            if asked["what"] == MAKE:
                return _make(connection, asked["images"])
            return _remove(connection, asked["uuid"], asked["images"])
        except api.libvirtError as error:
            raise HypervisorError(errors.words(error)) from error


@contextlib.contextmanager
def _connected(uri: str) -> Iterator[RawConnection]:
    api.registerErrorHandler(lambda _context, _error: None, None)
    api.virEventRegisterDefaultImpl()
    try:
        connection = api.open(uri)
    except api.libvirtError as error:
        raise HypervisorError(f"its libvirt cannot be reached: {errors.words(error)}") from error
    try:
        yield connection
    finally:
        with contextlib.suppress(api.libvirtError):
            connection.close()


@contextlib.contextmanager
def _pool(connection: RawConnection, folder: str) -> Iterator[Any]:
    """Give libvirt's pool of a folder; where it has none, one that is gone again afterwards."""
    made = None
    try:
        pool = connection.storagePoolLookupByTargetPath(folder)
    except api.libvirtError:
        root = etree.Element("pool", type="dir")
        etree.SubElement(root, "name").text = f"xman-{os.urandom(8).hex()}"
        etree.SubElement(etree.SubElement(root, "target"), "path").text = folder
        try:
            pool = made = connection.storagePoolCreateXML(etree.tostring(root, encoding="unicode"), 0)
        except api.libvirtError as error:
            raise RefusedError(f"no image can be made in {folder} there: {errors.words(error)}") from error
    try:
        pool.refresh(0)
        yield pool
    finally:
        if made is not None:
            with contextlib.suppress(api.libvirtError):
                made.destroy()


def _volume(pool: Any, name: str) -> Any:
    """Return a file of a pool, None where there is none of that name."""
    try:
        return pool.storageVolLookupByName(name)
    except api.libvirtError as error:
        if errors.code_of(error) == api.VIR_ERR_NO_STORAGE_VOL:
            return None
        raise


def _there(connection: RawConnection, images: list[dict[str, Any]]) -> list[str]:
    """Return which of the images stand there already."""
    found = []
    for image in images:
        folder, name = os.path.split(image["path"])
        with _pool(connection, folder) as pool:
            if _volume(pool, name) is not None:
                found.append(image["path"])
    return found


def fit(connection: RawConnection, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what there is in the way of a domain that is to come, and what it would need; nothing is changed.

    Raises RefusedError and libvirt's own error.
    """
    taken = [about for about in ("name", "uuid") if _has(connection, about, asked[about])]
    missing: list[str] = []
    unseen: list[str] = []
    for path in asked["files"]:
        folder, name = os.path.split(path)
        try:
            with _pool(connection, folder) as pool:
                if _volume(pool, name) is None:
                    missing.append(path)
        except (RefusedError, api.libvirtError) as error:
            (missing if _NO_FOLDER in str(error) else unseen).append(path)
    networks = [name for name in asked["networks"] if not _has_network(connection, name)]
    found = {"taken": taken, "missing": missing, "unseen": unseen, "networks": networks, "free": _free(connection)}
    return found | {"cpu": _lacks(connection, asked["cpu"])}


def _lacks(connection: RawConnection, cpu: dict[str, str]) -> str:
    """Return what the processor here cannot do that a guest has, in libvirt's words; empty where it can, or none knows.

    Asked by the flag that makes it an error: only that one names what is missing.
    """
    if not cpu:
        return ""
    try:
        connection.compareHypervisorCPU(
            None, cpu["arch"], None, cpu["type"], cpu["xml"], api.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
        )
    except api.libvirtError as error:
        return errors.words(error) if errors.code_of(error) == api.VIR_ERR_CPU_INCOMPATIBLE else ""
    return ""


def _has(connection: RawConnection, about: str, value: str) -> bool:
    try:
        connection.lookupByName(value) if about == "name" else connection.lookupByUUIDString(value)
    except api.libvirtError as error:
        if errors.code_of(error) == api.VIR_ERR_NO_DOMAIN:
            return False
        raise
    return True


def _has_network(connection: RawConnection, name: str) -> bool:
    try:
        return bool(connection.networkLookupByName(name).isActive())
    except api.libvirtError as error:
        if errors.code_of(error) == api.VIR_ERR_NO_NETWORK:
            return False
        raise


def _free(connection: RawConnection) -> int | None:
    """Return the octets of memory that are left there, what is only a cache among them; None where it does not say."""
    try:
        found = connection.getMemoryStats(api.VIR_NODE_MEMORY_STATS_ALL_CELLS)
    except api.libvirtError:
        return None
    return sum(int(found.get(key, 0)) for key in ("free", "cached", "buffers")) * 1024


def _make(connection: RawConnection, images: list[dict[str, Any]]) -> dict[str, Any]:
    """Make all of them, or none."""
    made: list[dict[str, Any]] = []
    try:
        for image in images:
            folder, _name = os.path.split(image["path"])
            with _pool(connection, folder) as pool:
                pool.createXML(_description(image), 0)
            made.append(image)
    except (api.libvirtError, XmanError) as error:
        words = errors.words(error) if isinstance(error, api.libvirtError) else str(error)
        left = _removed(connection, made)["left"]
        stays = f"; what was made before it stays there: {', '.join(left)}" if left else ""
        raise RefusedError(f"{image['path']} cannot be made there: {words}{stays}") from error
    return {"made": [image["path"] for image in made]}


def _description(image: dict[str, Any]) -> str:
    root = etree.Element("volume", type="file")
    etree.SubElement(root, "name").text = os.path.split(image["path"])[1]
    etree.SubElement(root, "capacity", unit="bytes").text = str(image["capacity"])
    etree.SubElement(root, "allocation", unit="bytes").text = "0"
    target = etree.SubElement(root, "target")
    etree.SubElement(target, "format", type=image["format"])
    etree.SubElement(etree.SubElement(target, "permissions"), "mode").text = "0600"
    return etree.tostring(root, encoding="unicode")


def _remove(connection: RawConnection, uuid: str, images: list[dict[str, Any]]) -> dict[str, Any]:
    """Remove them, unless the domain whose they are is there after all."""
    with contextlib.suppress(api.libvirtError):
        connection.lookupByUUIDString(uuid)
        return {"domain": True, "left": []}
    return {"domain": False} | _removed(connection, images)


def _removed(connection: RawConnection, images: list[dict[str, Any]]) -> dict[str, Any]:
    left = []
    for image in images:
        folder, name = os.path.split(image["path"])
        try:
            with _pool(connection, folder) as pool:
                volume = _volume(pool, name)
                if volume is not None:
                    volume.delete(0)
        except (api.libvirtError, XmanError):
            left.append(image["path"])
    return {"left": left}


if __name__ == "__main__":
    sys.exit(main())
