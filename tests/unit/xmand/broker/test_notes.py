"""Unit tests of what outlives xmand: who has come and is not confirmed, and who has left."""

from pathlib import Path

import pytest

from xman.errors import RefusedError
from xmand.broker.arrivals import Arrival, Arrivals
from xmand.system.notes import this_boot

UUID = "6b2c1d4e-0000-4000-8000-00000000aaaa"
ARRIVAL = Arrival("1", "vm1", UUID, "hv1.xman.test", stays_paused=False, existed=False)


def test_a_copy_waits_for_its_source_over_a_restart(tmp_path: Path) -> None:
    arrivals = Arrivals(str(tmp_path))
    arrivals.begin(ARRIVAL)
    arrivals.arrived(ARRIVAL, 7)

    again = Arrivals(str(tmp_path))

    found = again.unconfirmed(UUID, 7, "paused")
    assert found is not None
    assert (found.source, found.boot) == ("hv1.xman.test", this_boot())
    # Another run of the same domain, and one that somebody let go on.
    assert again.unconfirmed(UUID, 8, "paused") is None
    assert again.unconfirmed(UUID, 7, "running") is None
    again.forget(UUID)
    assert Arrivals(str(tmp_path)).get(UUID) is None


def test_another_host_cannot_bring_it_meanwhile(tmp_path: Path) -> None:
    arrivals = Arrivals(str(tmp_path))
    arrivals.begin(ARRIVAL)

    with pytest.raises(RefusedError, match="not confirmed"):
        arrivals.begin(Arrival("2", "vm1", UUID, "hv3.xman.test", stays_paused=False, existed=False))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"id": 1}', '{"number": "x"}'])
def test_a_damaged_note_still_holds_the_copy(tmp_path: Path, content: str) -> None:
    (tmp_path / "arrivals").mkdir()
    (tmp_path / "arrivals" / f"{UUID}.json").write_text(content)

    assert Arrivals(str(tmp_path)).unconfirmed(UUID, 7, "paused") is not None
