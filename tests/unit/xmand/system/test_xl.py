"""Xen's own tool (`xmand.system.xl`), with a stand-in: what is asked and taken, and what its failures become."""

from pathlib import Path

import pytest

from tests.lab.process import ROOT
from xman import fields
from xman.errors import HypervisorError, UnsupportedError
from xmand.system import children, xl

# What xl(1) of Xen 4.17 printed on a host.
INFO = (ROOT / "tests" / "data" / "xl-info.txt").read_text()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs are looked up: a folder of the test's own, in which there is none yet."""
    monkeypatch.setattr(children, "PATH", str(tmp_path))
    return tmp_path


def install(tools: Path, script: str) -> None:
    """Let `xl` be a shell script."""
    (tools / "xl").write_text(f"#!/bin/sh\n{script}\n")
    (tools / "xl").chmod(0o755)


def test_info_takes_the_known_fields_and_no_other(tools: Path) -> None:
    (tools / "answer").write_text(f"{INFO}later_field            : 1\n")
    install(tools, f'[ "$*" = info ] && cat {tools}/answer')

    assert xl.info() == {
        "hw_caps": "178bf3fd:80002001:20100800:00000007:00000000:00000000:00000000:00000000",
        "xen_extra": ".7",
        "xen_caps": "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64",
        "xen_scheduler": "credit2",
        "xen_pagesize": 4096,
        "platform_params": "virt_start=0xffff800000000000",
        "xen_changeset": "",
        "xen_commandline": "console=com1 loglvl=info dom0_mem=512M,max:512M",
        "cc_compiler": "x86_64-linux-gnu-gcc (Debian 12.2.0-14+deb12u1) 12.2.0",
        "cc_compile_by": "pkg-xen-devel",
        "cc_compile_domain": "lists.example.org",
        "cc_compile_date": "Wed Nov  4 16:52:28 UTC 2026",
    }


def test_every_field_that_is_taken_is_shown() -> None:
    assert set(xl.INFO_FIELDS) <= {field.key for field in fields.labelled("info")}


def test_lines_that_are_no_fields_are_passed_over(tools: Path) -> None:
    install(tools, "printf 'WARNING: xen_caps\\n\\nxen_pagesize : many\\n: 1\\n'")

    assert xl.info() == {"xen_pagesize": "many"}


@pytest.mark.parametrize(
    ("script", "lacks"),
    [
        ("echo 'virt_caps : pv hvm hap gnttab-v1 gnttab-v2'", True),
        ("echo 'virt_caps : pv hvm hap shadow gnttab-v1'", False),
        ("echo 'virt_caps : hvm hvm_directio'", False),
        ("echo 'xen_major : 4'", False),
        ("exit 1", False),
    ],
    ids=["Debian's", "built with it", "before 4.13", "no word of it", "xl cannot ask"],
)
def test_only_a_xen_that_says_so_is_without_shadow_paging(tools: Path, script: str, lacks: bool) -> None:
    install(tools, script)

    assert xl.without_shadow_paging() is lacks


def test_without_xl_nothing_is_known_of_shadow_paging(tools: Path) -> None:
    assert not (tools / "xl").exists()
    assert xl.without_shadow_paging() is False


@pytest.mark.parametrize(("clear", "words"), [(False, "dmesg"), (True, "dmesg -c")])
def test_dmesg_asks_for_the_buffer(tools: Path, clear: bool, words: str) -> None:
    install(tools, f"""[ "$*" = "{words}" ] && printf '(XEN) one\\n(XEN) tw\\377\\n'""")

    assert xl.dmesg(clear=clear) == ["(XEN) one", "(XEN) tw\ufffd"]


def test_without_xens_tools(tools: Path) -> None:
    with pytest.raises(UnsupportedError, match=f"This host has no Xen tools: there is no program xl in {tools}"):
        xl.dmesg(clear=False)


def test_a_failure_has_its_words(tools: Path) -> None:
    install(tools, "echo 'xencall: error: no handle' >&2; echo more >&2; exit 1")

    with pytest.raises(HypervisorError, match=r"^xl dmesg -c failed \(1\): xencall: error: no handle$"):
        xl.dmesg(clear=True)


def test_a_failure_without_words(tools: Path) -> None:
    install(tools, "exit 3")

    with pytest.raises(HypervisorError, match=r"^xl info failed \(3\): it said nothing$"):
        xl.info()


def test_who_does_not_answer_is_not_waited_for(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xl, "SECONDS", 0.2)
    install(tools, "exec sleep 1000")

    with pytest.raises(HypervisorError, match=r"^xl info: .*/xl was not done in time\.$"):
        xl.info()
