"""The alert rules, judged by Prometheus' own promtool: Debian's, only unpacked."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.process import ROOT
from xmand.metrics import families
from xmand.report.look import Seen

PROMTOOL = ROOT / ".build" / "prometheus" / "usr" / "bin" / "promtool"
RULES = ROOT / "etc" / "prometheus" / "xman.rules.yml"
CASES = ROOT / "tests" / "data" / "alerts.yml"
NAMES = re.findall(r"- alert: (\w+)", RULES.read_text())


def promtool(*words: str | Path) -> str:
    """Return what promtool says; fails where it is not content."""
    done = subprocess.run([PROMTOOL, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_promtool_takes_every_rule() -> None:
    assert f"SUCCESS: {len(NAMES)} rules found" in promtool("check", "rules", RULES)


def test_alerts_fire_when_they_should_and_not_before() -> None:
    assert "SUCCESS" in promtool("test", "rules", CASES)


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_seen_firing_and_quiet(name: str) -> None:
    cases = re.split(r"\n +- (?=\{?alertname: )", CASES.read_text())

    quiet = ["exp_alerts: []" in case for case in cases if re.match(rf"\{{?alertname: {name}\b", case)]
    assert set(quiet) == {True, False}


def test_promtool_finds_nothing_wrong_with_what_a_host_says() -> None:
    keys = [{"principal": "host/h@R", "kvno": 2, "enctype": "a"}]
    pools = [{"name": 'a "b" \\', "active": True, "capacity": 9, "available": 5}]
    condition = {"state": "up", "domains": 1, "running": 1, "total_memory": 9, "free_memory": 1, "keys": keys}
    listed = {"sha256": "ab", "entries": 1, "age_seconds": 2}
    more = {"pools": pools, "list": listed, "memory_errors": {"corrected": 1}}
    text = families.text(Seen({"domains": [{"state": "free"}]}, "", condition | more), 1000.0, "0.2", 0)

    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
