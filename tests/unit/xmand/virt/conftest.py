"""What tests of libvirt's side share: a hypervisor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

HOST = """<node>
  <domain type='test'><name>test</name><memory>1024</memory><os><type>hvm</type></os></domain>
</node>"""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Any]:
    """A hypervisor of the test's own, on which the domain `test` runs, with the id 1.

    test:///default would be one for all of this process that has it open.
    """
    node = tmp_path / "node.xml"
    node.write_text(HOST)
    opened = libvirt.open(f"test://{node}")
    yield opened
    opened.close()
