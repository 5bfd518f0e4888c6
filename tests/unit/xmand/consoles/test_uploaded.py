"""One image that a client sends (`xmand.consoles.uploaded`), into a volume that a test holds in its hand."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.xman.test_transfer import DIGEST, IMAGE
from tests.unit.xmand.consoles.test_watched import Client
from xman.errors import CredentialsError, HypervisorError, RefusedError, UnreachableError, XmanError
from xman.result import Result
from xmand.consoles import uploaded
from xmand.consoles.uploaded import Uploaded

SOON = 10.0
REMOVED = "What had arrived is removed."


class Volume:
    """It, what writes it, and what reads it back."""

    def __init__(self) -> None:
        self.holds = b""
        self.whole = self.aborted = False

    def add(self, data: bytes) -> None:
        self.holds += data

    def skip(self, length: int) -> None:
        self.holds += bytes(length)

    def end(self) -> None:
        self.whole = True

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        """Nothing is to be closed."""

    def __iter__(self) -> Iterator[bytes]:
        yield self.holds


class Bench:
    """An upload of eight octets, and what was done for it, in order."""

    def __init__(self, volume: Volume | None = None, *, patience: float = SOON, undo: Callable[[], str] | None = None):
        self.volume = volume or Volume()
        self.client = Client()
        self.done: list[str] = []
        self.told: list[Result] = []
        writing: Any = self.volume
        self.served = Uploaded(
            "a",
            8,
            writing,
            lambda: writing,
            done=lambda digest: Result({"sha256": digest}),
            undo=undo or self._undo,
            close=lambda: self.done.append("closed"),
            emit=self.told.append,
            patience=patience,
        )

    def _undo(self) -> str:
        self.done.append("removed")
        return REMOVED

    def run(self, *pieces: bytes, leaves: bool = True, over: Exception | None = None) -> Result:
        """Serve a client that sends these, and ends its input, or does not."""

        async def in_worker(call: Callable[[], object]) -> object:
            return await asyncio.to_thread(call)

        async def play() -> Result:
            serving = asyncio.ensure_future(self.served.serve(self.client, in_worker))
            while self.client.taker is None:
                await asyncio.sleep(0)
            for piece in pieces:
                self.client.taker.take(piece)
            if over is not None:
                self.client.over = over
                self.client.on_end()
            elif leaves:
                self.client.taker.no_more()
            return await serving

        return asyncio.run(play())


def test_what_has_come_whole_is_written_read_back_and_told() -> None:
    bench = Bench()

    result = bench.run(IMAGE[:5], IMAGE[5:33], IMAGE[33:])

    assert bench.volume.holds == b"ab" + bytes(5) + b"c"
    assert (bench.volume.whole, bench.done) == (True, ["closed"])
    assert [told.data for told in bench.told] == [{"sha256": DIGEST.hex()}]
    assert result.notes == (f"8 octets, sha256 {DIGEST.hex()}",)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (IMAGE[:30], "of 8 octets have arrived"),
        (b"", "0 of 8 octets have arrived"),
        (IMAGE[:-1] + b"\0", "digests differ"),
        (b"a stranger's octets", "unknown kind|does not begin"),
    ],
)
def test_what_is_not_whole_is_removed_and_never_made_so(octets: bytes, why: str) -> None:
    bench = Bench()

    with pytest.raises(RefusedError, match=rf"({why}).*{REMOVED}"):
        bench.run(octets)

    assert (bench.volume.whole, bench.volume.aborted) == (False, True)
    assert (bench.done, bench.told) == (["removed", "closed"], [])


def test_a_client_that_says_nothing_is_given_up() -> None:
    bench = Bench(patience=0.0)

    with pytest.raises(RefusedError, match=f"Nothing has arrived for 0 s. {REMOVED}"):
        bench.run(IMAGE[:30], leaves=False)


@pytest.mark.parametrize(
    ("over", "kind"), [(CredentialsError("your ticket expired; run kinit."), CredentialsError), (OSError(), None)]
)
def test_a_stream_that_is_over_leaves_nothing(over: Exception, kind: type[XmanError] | None) -> None:
    bench = Bench()

    with pytest.raises(kind or UnreachableError, match=REMOVED):
        bench.run(IMAGE[:30], over=over)

    assert bench.done == ["removed", "closed"]


def test_a_volume_that_holds_something_else_is_removed() -> None:
    class Forgetful(Volume):
        def __iter__(self) -> Iterator[bytes]:
            yield bytes(8)

    bench = Bench(Forgetful())

    with pytest.raises(HypervisorError, match=f"its digest differs. {REMOVED}"):
        bench.run(IMAGE)

    assert bench.told == []


def test_what_cannot_be_removed_now_is_told() -> None:
    def undo() -> str:
        raise HypervisorError("libvirt does not respond.")

    with pytest.raises(RefusedError, match=r"stays until xmand can remove it \(libvirt does not respond\)"):
        Bench(undo=undo).run(IMAGE[:30])


def test_a_client_that_is_faster_than_the_disk_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded, "_MOST_AHEAD", 4)
    bench = Bench()

    bench.run(IMAGE)

    assert bench.client.more == 1
