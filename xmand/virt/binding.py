"""libvirt's Python binding; the one module that imports it. The others have its constants and types from here."""

from typing import Any

import libvirt

api = libvirt
# libvirt's own objects, which have no types.
RawConnection = Any
RawDomain = Any
