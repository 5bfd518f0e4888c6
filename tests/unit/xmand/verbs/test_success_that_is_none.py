"""libvirt reports success and has done nothing: each verb reads back what it reports."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.unit.xmand.verbs.test_states_and_verbs import WORDS, Bench
from xman import outcome
from xmand.virt import size


class Liar:
    """libvirt's object of a domain, or its connection, of which some calls do nothing and say it was done."""

    def __init__(self, real: Any, lies: set[str]) -> None:
        self._real, self._lies = real, lies

    def __getattr__(self, name: str) -> Any:
        if name in self._lies:
            return lambda *_words: 0
        if name.startswith("lookupBy"):
            return lambda key: Liar(getattr(self._real, name)(key), self._lies)
        if name == "listAllDomains":
            return lambda *flags: [Liar(raw, self._lies) for raw in self._real.listAllDomains(*flags)]
        if name == "getAllDomainStats":
            return lambda *words: [
                (Liar(raw, self._lies), of_it) for raw, of_it in self._real.getAllDomainStats(*words)
            ]
        return getattr(self._real, name)


class LyingBench(Bench):
    """A host whose libvirt lies."""

    lies: ClassVar[set[str]] = set()

    def connection(self, _purpose: str) -> Any:
        return Liar(self._connection, self.lies)


# verb, condition, the calls that do nothing, the state it is in still, words of what is said
LIES = [
    ("start", "off", {"createWithFlags"}, "shutoff", "does not run, although libvirt said so"),
    ("start", "saved", {"createWithFlags"}, "shutoff", "although libvirt said so"),
    ("resume", "saved", {"createWithFlags"}, "shutoff", "although libvirt said so"),
    ("defrost", "saved", {"createWithFlags"}, "shutoff", "although libvirt said so"),
    ("pause", "running", {"suspend"}, "running", "is running, not paused, although"),
    ("unpause", "paused", {"resume"}, "paused", "is paused, not running, although"),
    ("destroy", "running", {"destroy"}, "running", "still runs, although"),
    ("destroy", "paused", {"destroy"}, "paused", "still runs, although"),
    ("delete", "off", {"undefineFlags"}, "shutoff", "is still defined, although"),
    ("delete", "saved", {"undefineFlags"}, "shutoff", "is still defined, although"),
    ("suspend", "running", {"managedSave"}, "running", "was not saved, although"),
    ("save", "running", {"save"}, "running", "was not saved, although"),
    ("autostart", "off", {"setAutostart"}, "shutoff", "is not started with its host, although"),
    ("rename", "off", {"rename"}, "shutoff", "is not called e, although"),
    ("mem-set", "off", {"setMemoryFlags"}, "shutoff", "another size from its next start on, although"),
    ("mem-set", "running", {"setMemoryFlags"}, "running", "another size from its next start on, although"),
    ("vcpu-set", "off", {"setVcpusFlags"}, "shutoff", "another number of CPUs from its next start on, although"),
    ("vcpu-set", "running", {"setVcpusFlags"}, "running", "another number of CPUs from its next start on, although"),
    ("vcpu-pin", "running", {"pinVcpuFlags", "pinVcpu"}, "running", "has its virtual CPUs elsewhere, although"),
]


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LyingBench]:
    verb, found, lies, *_rest = request.param
    monkeypatch.setattr(size, "SETTLE_SECONDS", 0.1)
    made = LyingBench(tmp_path / "node.xml", found, job=verb == "defrost")
    monkeypatch.setattr(LyingBench, "lies", lies)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("bench", "verb", "after", "words"),
    [(lie, lie[0], *lie[3:]) for lie in LIES],
    indirect=["bench"],
    ids=[f"{lie[0]}-{lie[1]}" for lie in LIES],
)
def test_it_is_told_for_what_it_is(bench: LyingBench, verb: str, after: str, words: str) -> None:
    code, said, _result = bench.run(verb, "d", *WORDS.get(verb, []))

    assert (code, words in said) == (outcome.HYPERVISOR, True), said
    assert bench.state() == after


@pytest.mark.parametrize("bench", [("start", "saved", {"managedSaveRemove"})], indirect=True, ids=["discard-saved"])
def test_saved_memory_that_is_still_there(bench: LyingBench) -> None:
    code, said, _result = bench.run("start", "--discard-saved", "d")

    assert (code, said) == (outcome.HYPERVISOR, "Domain 'd' still has its saved memory, although libvirt said so.")
    assert bench.state() == "shutoff"
