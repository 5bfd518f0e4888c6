"""What every verb keeps to that changes machines, their devices, disks or volumes: by the table of verbs."""

import inspect
from typing import Any
from unittest.mock import Mock

import pytest

from rxm.strategies import transfer
from tests.unit.xmand.journal.test_verdicts import OK, a_domain, change, judge, with_snapshots
from xman import grammar, verbs
from xman.grammar import Verb
from xman.verbs.batch import BATCH
from xman.verbs.devices import DEVICES
from xman.verbs.launch import LAUNCH
from xman.verbs.storage import STORAGE
from xmand.consoles import uploaded
from xmand.verbs import HANDLERS, JUDGES

_OTHERS = (
    *("rename", "clone", "edit", "label", "assign", "profile", "profile-client", "create", "migrate"),
    *("mem-max", "vcpu-pin", "send-key"),
)
CHANGES = [verb for verb in (*DEVICES, *LAUNCH, *STORAGE, *map(verbs.BY_NAME.get, _OTHERS)) if verb and verb.changes]
# What they name is all that they do, and whether they may is seen when they are asked for.
_PLAIN = {
    *("new", "start", "delete", "suspend", "resume", "autostart", "destroy", "shutdown", "reboot", "pause", "unpause"),
    *("save", "restore", "dump-core", "mem-set", "vcpu-set"),
}
# Where there is nothing, that is what it was to reach.
REACHED_WHERE_NOTHING_IS = {"terminate"}
# An overlay is made in no time, and nothing of it could be counted.
SHORT = {"launch"}
# Those whose progress the event loop tells, or who gets the octets.
SERVED = {"volume-upload": uploaded, "volume-download": transfer}
# Words as they were said.
ASKED: dict[str, dict[str, Any]] = {
    "snapshot": {"NAME": ["then"]},
    "snapshot-delete": {"NAME": ["then"]},
    "block-detach": {"DEV": ["vdb"]},
    "network-detach": {"DEV": ["52:54:00:00:00:02"]},
    "network-attach": {"KEY=VALUE": ["mac"]},
    "rename": {"NEWNAME": ["vm2"]},
    "label": {"KEY=VALUE|KEY-": ["course=os1"]},
    "assign": {"TERMINAL|off": ["term1"]},
    "profile": {"on|off": ["on"]},
    "mem-max": {"MIB": ["2048"]},
}


def said(verb: Verb) -> Any:
    """Return the change as it was written down, and not begun."""
    return change(verb.name, asked=ASKED.get(verb.name))


def test_every_change_of_every_family_is_one_of_these() -> None:
    batch = {verb.name for verb in BATCH if verb.changes}
    others = {verb.name for verb in verbs.VERBS if verb.changes} - {verb.name for verb in CHANGES} - batch

    assert others == _PLAIN
    assert all(any("--dry-run" in option.names for option in verb.options) for verb in BATCH if verb.changes)


@pytest.mark.parametrize("verb", [*CHANGES, verbs.BY_NAME["volume-upload"]], ids=lambda verb: verb.name)
def test_it_can_be_tried_without_a_change(verb: Verb) -> None:
    assert any("--dry-run" in option.names for option in verb.options)
    verdict = judge(change(verb.name, {"dry-run": True}, ASKED.get(verb.name)), "", a_domain())
    assert (verdict.answer.code == OK, verdict.again) == (False, True)


@pytest.mark.parametrize("verb", CHANGES, ids=lambda verb: verb.name)
def test_after_a_crash_it_is_judged_by_what_is_there(verb: Verb) -> None:
    assert verb.name in JUDGES

    verdict = judge(said(verb), "", None)

    # It was written down, nothing came of it, and there is nothing of that name: that is not taken for a success.
    assert (verdict.answer.code == OK) == (verb.name in REACHED_WHERE_NOTHING_IS)
    assert verdict.answer.code == OK or verdict.answer.message.startswith("xmand ended")


@pytest.mark.parametrize("verb", [verb for verb in CHANGES if verb.name in ASKED], ids=lambda verb: verb.name)
def test_where_nothing_has_changed_yet_a_retry_acts(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = with_snapshots(*(["then"] if verb.name == "snapshot-delete" else []))
    domain.raw.XMLDesc.return_value = (
        "<domain><memory>1024</memory><devices><disk><target dev='vdb'/></disk>"
        "<interface><mac address='52:54:00:00:00:02'/></interface></devices></domain>"
    )
    domain.raw.metadata.return_value = "<domain/>"
    domain.description = Mock(return_value=domain.raw.XMLDesc())

    verdict = judge(said(verb), "", domain)

    assert (verdict.answer.code == OK, verdict.again) == (False, True), verdict


@pytest.mark.parametrize(
    "verb",
    [verb for verb in (*CHANGES, *STORAGE) if verb.deadline == grammar.NONE and verb.name not in SHORT],
    ids=lambda verb: verb.name,
)
def test_one_that_may_take_long_tells_how_far_it_is(verb: Verb) -> None:
    module = SERVED.get(verb.name) or inspect.getmodule(HANDLERS[verb.name])

    assert module is not None
    assert "progress" in inspect.getsource(module)
