"""xman's element in a domain's metadata: the one place that reads and writes it."""

from collections.abc import Callable

from xman.errors import HypervisorError, MetadataError
from xman.metadata import NAMESPACE, PREFIX, Metadata
from xmand.virt import metadata_xml
from xmand.virt.domain import Domain
from xmand.virt.driver import RawDomain, api, code_of, reading

_ELEMENT = api.VIR_DOMAIN_METADATA_ELEMENT
_LIVE = api.VIR_DOMAIN_AFFECT_LIVE
_CONFIG = api.VIR_DOMAIN_AFFECT_CONFIG


def read(domain: Domain) -> Metadata:
    """Return what is known of the present run where it is active, of the next one otherwise.

    Raises MetadataError where the element cannot be read; NoSuchDomainError and HypervisorError.
    """
    return read_raw(domain.raw, domain.name)


def read_raw(raw: RawDomain, name: str) -> Metadata:
    """Do as `read`, for a domain as libvirt has it."""
    return _parse(_text(raw, name, api.VIR_DOMAIN_AFFECT_CURRENT), name)


def update(domain: Domain, change: Callable[[Metadata], Metadata]) -> Metadata:
    """Replace the element by what `change` makes of it, read back, and return it.

    To be called under the domain's lock. Where the domain runs and is kept, both descriptions get it, the kept one
    without what is about the present run. Raises what `read` does, RefusedError and UnknownOutcomeError.
    """
    active, persistent = domain.active(), domain.persistent()
    new = change(read(domain))
    if active:
        _write(domain, new, _LIVE)
    if persistent:
        _write(domain, new.for_next_run(), _CONFIG)
    return new if active else new.for_next_run()


def _write(domain: Domain, metadata: Metadata, scope: int) -> None:
    """Write the element, where it is not so already."""
    wanted = metadata_xml.serialise(metadata) if metadata != Metadata() else None
    present = _text(domain.raw, domain.name, scope)
    if wanted is None and present is None:
        return
    if wanted is not None and present is not None and _same(present, metadata):
        return
    with domain.change():
        # One scope at a time: what they hold differs.
        domain.raw.setMetadata(_ELEMENT, wanted, PREFIX, NAMESPACE, scope)
    if not _same(_text(domain.raw, domain.name, scope), metadata):
        raise HypervisorError(f"The metadata of '{domain.name}' is not what was written, although libvirt said so.")


def _text(raw: RawDomain, name: str, scope: int) -> str | None:
    with reading(name):
        try:
            return str(raw.metadata(_ELEMENT, NAMESPACE, scope))
        except api.libvirtError as error:
            # A driver that knows no metadata has none.
            if code_of(error) in (api.VIR_ERR_NO_DOMAIN_METADATA, api.VIR_ERR_NO_SUPPORT):
                return None
            raise


def _same(text: str | None, metadata: Metadata) -> bool:
    try:
        return _parse(text, "") == metadata
    except MetadataError:
        return False


def _parse(text: str | None, name: str) -> Metadata:
    if text is None:
        return Metadata()
    try:
        return metadata_xml.parse(text)
    except MetadataError as error:
        raise MetadataError(
            f"The xman metadata of domain '{name}' is damaged: {error}."
            f" Somebody else wrote it; virsh metadata {name} {NAMESPACE} --remove drops it."
        ) from error
