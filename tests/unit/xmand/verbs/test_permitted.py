"""What somebody may attach who is not on the list (`xmand.verbs.permitted`): what he might have described as well."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xman.errors import DeniedError
from xmand.settings import Create
from xmand.verbs import permitted


def call(*, listed: bool, paths: tuple[str, ...] = (), describes: bool = True) -> Any:
    """Return a call of somebody."""
    settings = SimpleNamespace(create=Create(paths=paths))
    access = SimpleNamespace(listed_caller=listed, describes=lambda _facts: describes)
    return SimpleNamespace(host=SimpleNamespace(settings=settings), access=access, principal="bob@R", reader=None)


def disk(path: Path) -> str:
    return f'<disk type="file" device="disk"><source file="{path}"/><target dev="vdb" bus="virtio"/></disk>'


def test_who_is_as_good_as_root_may_attach_anything(tmp_path: Path) -> None:
    assert "/etc/shadow" in permitted.device(call(listed=True), disk(Path("/etc/shadow")))


def test_others_may_attach_what_the_configuration_names(tmp_path: Path) -> None:
    inside, outside = tmp_path / "own" / "a", tmp_path / "b"
    inside.parent.mkdir()
    for path in (inside, outside):
        path.write_bytes(bytes(1024))
    allowed = call(listed=False, paths=(str(inside.parent),))

    assert str(inside) in permitted.device(allowed, disk(inside))
    with pytest.raises(DeniedError, match="limited to what this host permits"):
        permitted.device(allowed, disk(outside))
    with pytest.raises(DeniedError, match="You may not create"):
        permitted.device(call(listed=False, paths=(str(inside.parent),), describes=False), disk(inside))
