"""Which of libvirt's errors stand in the message buffer (`xmand.virt.driver`)."""

import time

import libvirt
import pytest

from xmand.virt import driver


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def subject(lines: list[str]) -> driver.Driver:
    """A driver that has opened nothing."""
    return driver.Driver("test:///default", lines.append)


def fails(subject: driver.Driver, code: int, text: str = "words") -> None:
    """Let libvirt report an error."""
    subject._log_error(None, (code, 0, text, 2, "", "", "", -1, -1))


@pytest.mark.parametrize(
    "code", [libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_DOMAIN_METADATA, libvirt.VIR_ERR_NO_SUPPORT]
)
def test_what_is_found_out_by_trying_is_no_news(subject: driver.Driver, lines: list[str], code: int) -> None:
    fails(subject, code)

    assert lines == []


def test_the_same_error_again_and_again_is_told_now_and_then(
    subject: driver.Driver, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(3):
        fails(subject, libvirt.VIR_ERR_SYSTEM_ERROR, "no socket")
    fails(subject, libvirt.VIR_ERR_SYSTEM_ERROR, "another")
    fails(subject, libvirt.VIR_ERR_SYSTEM_ERROR, "no socket")
    now += 601.0
    fails(subject, libvirt.VIR_ERR_SYSTEM_ERROR, "no socket")

    assert [line.rpartition(": ")[2] for line in lines] == ["no socket", "another", "no socket", "no socket"]
