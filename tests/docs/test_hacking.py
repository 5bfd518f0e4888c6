"""HACKING names what is there: the files of its recipes, the modules of its drawing; and its words are the code's."""

import re
import tokenize

from tests.lab.process import ROOT

HACKING = (ROOT / "HACKING.md").read_text()
# Where a job is a batch job.
OF_BATCH = ("slurm", "migrate.py", "all_or_nothing.py", "evacuation.py", "verbose.py")


def test_its_recipes_name_files_that_are_there() -> None:
    recipes = HACKING.split("## To add")[1]
    named = re.findall(r"`((?:common|xmand|rxm|man|etc|tests)/[\w./-]*)`", recipes)

    assert len(named) > 15
    for path in named:
        assert (ROOT / path).exists(), path


def test_its_drawing_names_modules_that_are_there() -> None:
    drawing = HACKING.split("## The way of one command")[1].split("## Words")[0]
    left = re.findall(r"(?m)^    ([a-z_]+(?:/[a-z_]*)?)(?:, ([a-z_]+))?  ", drawing)
    right = re.findall(r"(?m)(?:-->|<--|  ) {1,}((?:server|dispatch|verbs|virt|audit)/[a-z_]*)", drawing)

    assert left
    assert right
    for name in [word for pair in left for word in pair if word]:
        assert (ROOT / "rxm" / f"{name}.py").exists() or (ROOT / "rxm" / name).is_dir(), name
    for name in right:
        assert (ROOT / "xmand" / f"{name}.py").exists() or (ROOT / "xmand" / name).is_dir(), name


def test_a_job_is_a_batch_job_in_rxm() -> None:
    for path in (ROOT / "rxm").rglob("*.py"):
        if any(part in path.parts for part in OF_BATCH):
            continue
        with path.open("rb") as file:
            names = {token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NAME}
        assert not names & {"job", "jobs", "Job", "Jobs", "_jobs"}, path
