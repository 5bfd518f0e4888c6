"""The notice of maintenance (`xmand.batch.maintenance`): two at the same time are one after the other."""

import threading
from pathlib import Path

from xmand.batch.maintenance import FILE, Maintenance


def test_many_at_the_same_time_are_one_after_the_other(tmp_path: Path) -> None:
    notices = Maintenance(str(tmp_path))
    problems: list[BaseException] = []
    begin = threading.Barrier(8)

    def turn(number: int) -> None:
        try:
            begin.wait()
            for _ in range(20):
                notices.begin(f"reason {number}", "alice@R")
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=turn, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    assert (found := notices.notice()) is not None
    assert found.reason.startswith("reason ")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
