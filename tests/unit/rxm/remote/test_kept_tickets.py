"""Where tickets for services may be kept (`rxm.remote.kept_tickets`), and beside what nothing is put into a file."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from rxm.remote import kept_tickets
from rxm.remote.kept_tickets import Kept
from xman.gss import kept, tickets

# What tells one ticket for tickets from all others.
OURS, ANOTHER = "0a" * 32, "0b" * 32


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """$XDG_RUNTIME_DIR, of somebody whose tickets are in a file."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(kept, "_RUN", str(tmp_path / "run"))
    monkeypatch.setattr(tickets, "default_cache", lambda: "FILE:/tmp/krb5cc_1000")
    monkeypatch.setattr(tickets, "fingerprint", lambda _cache: OURS)
    return runtime / "rxm"


def written(found: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it keep a ticket."""

    def save(_caches: list[str], target: str, _without: Callable[[str, bytes], bool]) -> None:
        Path(target.removeprefix("FILE:")).write_bytes(b"tickets")

    monkeypatch.setattr(tickets, "services", lambda _cache: [b"host/a@XMAN.TEST"])
    monkeypatch.setattr(tickets, "save", save)
    found.save(["MEMORY:xman-0"], "MEMORY:others", lambda _cache, _service: False, renewed=False)


def test_beside_a_file_they_are_kept_in_the_runtime_directory(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Kept("MEMORY:all", "")
    written(found, monkeypatch)

    assert Path(found.path).parent == own
    assert [str(path) for path in own.iterdir()] == [found.path]
    assert stat.S_IMODE(own.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "cache", ["KCM:1000", "KEYRING:persistent:1000:krb", "MEMORY:own", "DIR::/run/user/1000/krb5cc/tkt", "API:1"]
)
def test_what_is_in_memory_is_never_put_into_a_file(own: Path, monkeypatch: pytest.MonkeyPatch, cache: str) -> None:
    monkeypatch.setattr(tickets, "default_cache", lambda: cache)

    found = Kept("MEMORY:all", "")
    written(found, monkeypatch)

    assert found.path == ""
    assert not own.exists() or list(own.iterdir()) == []


def test_without_a_runtime_directory_nothing_is_kept_beside_a_file(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    (tmp_path / "run").mkdir()

    assert Kept("MEMORY:all", "").path == ""
    assert list((tmp_path / "run").iterdir()) == []


def test_for_a_keytab_they_are_kept_in_what_the_package_made(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    (tmp_path / "run").mkdir()
    found = Kept("MEMORY:all", "/etc/slurm.keytab")
    written(found, monkeypatch)

    place = tmp_path / "run" / str(os.geteuid())
    assert Path(found.path).parent == place
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert Path(found.path).exists()


@pytest.mark.parametrize("how", ["open to others", "a link", "no directory"])
def test_a_place_that_is_not_ones_own_is_not_used(own: Path, tmp_path: Path, how: str) -> None:
    if how == "open to others":
        own.mkdir()
        own.chmod(0o755)
    elif how == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        own.symlink_to(tmp_path / "elsewhere")
    else:
        own.write_text("")

    assert Kept("MEMORY:all", "").path == ""


def test_another_ticket_for_tickets_drops_them(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Kept("MEMORY:all", "")
    written(before, monkeypatch)
    monkeypatch.setattr(tickets, "fingerprint", lambda _cache: ANOTHER)

    after = Kept("MEMORY:all", "")

    assert after.path != before.path
    assert list(own.iterdir()) == []


def test_no_ticket_for_tickets_keeps_nothing(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_cache: str) -> str:
        raise LookupError

    monkeypatch.setattr(tickets, "fingerprint", none)

    assert Kept("MEMORY:all", "").path == ""


def test_what_is_forgotten_is_gone_and_that_of_others_stays(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(Kept("MEMORY:all", ""), monkeypatch)
    written(Kept("MEMORY:all", "/etc/slurm.keytab"), monkeypatch)

    kept_tickets.forget("")

    (left,) = own.iterdir()
    assert str(left) == Kept("MEMORY:all", "/etc/slurm.keytab").path
