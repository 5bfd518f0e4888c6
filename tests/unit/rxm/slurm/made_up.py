"""A Slurm and an rxm that answer as they are told, and remember what was asked for: for tests."""

from typing import Any

from rxm.slurm import tools
from rxm.slurm.settings import Settings
from xman import result
from xman.result import Result

ENV = {
    "SLURM_JOB_ID": "4711",
    "SLURM_JOB_USER": "alice",
    "SLURM_JOB_NODELIST": "vm[1-2]",
    "SLURM_JOB_PARTITION": "low",
}


START = "job-start --id 4711 --owner alice -- vm1 vm2"
CLAIM = "job-claim --id 4711 -- vm1 vm2"
RELEASE = "job-claim --id 4711 --release -- vm1 vm2"


def ok(verb: str = "job-start", domain: str | None = "vm1", **data: Any) -> dict[str, Any]:
    """Return the object of a success."""
    return result.succeeded("skirit80", verb, Result(data, domain=domain), 0)


def failed(code: int, domain: str = "vm1") -> dict[str, Any]:
    """Return the object of a failure."""
    return result.failed("skirit80", "job-start", domain, code, f"what happened to {domain}")


class Tools(tools.Tools):
    """Answers as told, and remembers what was asked for."""

    def __init__(self, answers: dict[str, list[dict[str, Any]]], squeue: str | None = "", **settings: Any) -> None:
        object.__setattr__(self, "settings", Settings(**settings))
        self.__dict__ |= {"answers": answers, "squeue": squeue, "asked": [], "said": []}

    def rxm(self, *words: str, patient: bool = False) -> list[dict[str, Any]]:
        self.__dict__["asked"].append(" ".join(words))
        known: dict[str, list[dict[str, Any]]] = {"job-claim": [ok("job-claim")]} | self.__dict__["answers"]
        return next((known[word] for word in words if word in known), [])

    def slurm(self, *words: str) -> str | None:
        self.__dict__["asked"].append(" ".join(words))
        squeue: str | None = self.__dict__["squeue"]
        return squeue

    def detached(self, *words: str) -> None:
        self.__dict__["asked"].append(" ".join(("xman-slurm", *words)))

    def say(self, text: str, severity: int = 0) -> None:
        self.__dict__["said"].append(text)

    @property
    def asked(self) -> list[str]:
        """What was run, in its order."""
        return list(self.__dict__["asked"])


class Clock:
    """Stands for `time`: sleeping is what makes it go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
