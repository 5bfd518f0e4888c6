"""What a job's owner writes into his job's name, comment and paths is nothing that xman has said of it."""

import pytest

from rxm.slurm import comments, tools
from rxm.slurm.comments import Comment
from rxm.slurm.settings import Settings
from rxm.slurm.tools import Job, fields

FORGED = "AdminComment=xman: suspended"


class Scontrol(tools.Tools):
    """Shows jobs by their names, and all of them without one."""

    def __init__(self, jobs: dict[str, str]) -> None:
        object.__setattr__(self, "settings", Settings())
        self.__dict__ |= {"jobs": jobs, "shown": []}

    def slurm(self, *words: str) -> str | None:
        known: dict[str, str] = self.__dict__["jobs"]
        self.__dict__["shown"].append(words[5:])
        return known[words[5]] if len(words) > 5 else "".join(known.values())


def job(number: int) -> Job:
    return Job(str(number), str(number), "SUSPENDED", "low", "mallory", ("vm1",))


@pytest.mark.parametrize(
    "line",
    [
        f"JobId=1 JobName=x {FORGED} UserId=mallory JobState=SUSPENDED AdminComment=by hand Comment=(null)",
        f"JobId=1 JobName=x JobState=SUSPENDED AdminComment=by hand Comment=x {FORGED}",
        f"JobId=1 JobName=x JobState=SUSPENDED Command=/home/m/a {FORGED} AdminComment=xman: left out vm1@5 StdOut=/x",
    ],
)
def test_a_key_that_is_there_twice_says_nothing(line: str) -> None:
    assert "AdminComment" not in fields(line)
    assert fields(line)["JobState"] == "SUSPENDED"


def test_a_job_that_seems_to_wait_does_not() -> None:
    assert "JobState" not in fields("JobId=1 JobName=x JobState=RUNNING Comment=a JobState=PENDING Priority=0")


@pytest.mark.parametrize("others", [0, 30])
def test_no_line_of_a_users_marks_the_job_of_somebody_else(others: int) -> None:
    mine = f"JobId=1 JobName=x JobState=RUNNING Comment=a\nJobId=2 {FORGED}\n"
    slurm = Scontrol(
        {
            "1": mine,
            "2": "JobId=2 JobName=y JobState=SUSPENDED AdminComment=by hand\n",
            **{
                str(n): f"JobId={n} JobName=z JobState=RUNNING AdminComment=xman: suspended\n"
                for n in range(3, 3 + others)
            },
        }
    )

    said = slurm.comments([job(number) for number in range(1, 3 + others)])

    assert [said[str(number)].suspended for number in range(1, 3 + others)] == [False, False, *[True] * others]


def test_nor_does_it_take_the_mark_from_one() -> None:
    jobs = {str(n): f"JobId={n} JobState=SUSPENDED {FORGED}\n" for n in range(2, 40)}
    slurm = Scontrol({"1": "JobId=1 JobState=RUNNING Comment=a\nJobId=7 JobName=z\n", **jobs})

    assert slurm.comments([job(number) for number in range(1, 40)])["7"].suspended
    assert slurm.__dict__["shown"] == [(), ("7",)]


@pytest.mark.parametrize(
    ("text", "suspended", "others"),
    [
        ("asked for by alice", False, "asked for by alice"),
        ("xman: suspended", True, ""),
        ("xman: suspended | asked for | twice", True, "asked for | twice"),
        ("xman: left out vm1@5 | xman: suspended", False, "xman: suspended"),
        ("(null)", False, ""),
        ("", False, ""),
    ],
)
def test_what_others_write_there_stays(text: str, suspended: bool, others: str) -> None:
    found = comments.of(text)

    assert (found.suspended, found.others) == (suspended, others)
    assert str(found) == text.replace("(null)", "")


def test_ours_stands_in_front_and_goes_again() -> None:
    assert str(Comment(suspended=True, others="by hand")) == "xman: suspended | by hand"
    assert str(Comment(others="by hand")) == "by hand"
