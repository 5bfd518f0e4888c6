"""DRIVERS.md, read: which verb works with which of libvirt's drivers, and with which words it is refused elsewhere."""

from tests.lab.process import ROOT
from xman import outcome, verbs

PAGE = ROOT / "DRIVERS.md"
DRIVERS = ("test", "QEMU", "LXC", "Xen")
WORKS, REFUSED = "works", "refused"
# What a verb came to, in the terms of the page: (WORKS, "") or (REFUSED, words).
Entry = tuple[str, str]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without the table's own head."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip("` ") for cell in cells] for cells in lines[2:]]


def entries(driver: str) -> dict[str, Entry]:
    """Return what the page says of each verb with `driver`; one that is not in its table works."""
    words = {(verb, name): text for verb, name, text in rows("Refusals")}
    column = 1 + DRIVERS.index(driver)
    told = {cells[0]: cells[column] for cells in rows("Verbs")}
    return {verb: (told.get(verb, WORKS), words.get((verb, driver), "")) for verb in {**verbs.BY_NAME, **told}}


def days() -> dict[str, str]:
    """Return the day of the last run that filled a driver's column, as YYYY-MM-DD."""
    return {cells[0]: cells[1] for cells in rows("Runs")}


def agrees(entry: Entry, found: tuple[int, str]) -> bool:
    """Whether an entry says what was found: an outcome's code, and the message where it was not ok."""
    code, message = found
    if entry[0] == WORKS:
        return code == outcome.OK
    return code == outcome.UNSUPPORTED and entry[1] != "" and entry[1] in message
