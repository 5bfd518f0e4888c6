"""Which console is meant (`xmand.virt.consoles`), by libvirt's descriptions of QEMU and of containers."""

import itertools
import os
import subprocess
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.process import wait_for
from xman.errors import HypervisorError, RefusedError, UnsupportedError, UsageError
from xmand.virt.binding import api
from xmand.virt.consoles import Console, Line, Lines, choose, consoles, held, while_running
from xmand.virt.description import Description, with_console_log

QEMU = """<domain type='qemu'><devices>
<serial type='pty'><source path='/dev/pts/3'/><log file='/var/log/libvirt/qemu/u.log' append='on'/>
<target port='0'/><alias name='serial0'/></serial>
<serial type='file'><source path='/x'/><target port='1'/><alias name='serial1'/></serial>
<console type='pty' tty='/dev/pts/3'><source path='/dev/pts/3'/><target type='serial' port='0'/>
<alias name='serial0'/></console>
<console type='pty'><target type='virtio' port='1'/><alias name='console1'/></console>
</devices></domain>"""


def test_the_first_console_is_the_first_serial_port_once_more() -> None:
    assert consoles(QEMU) == [
        Console("serial0", "pty", "/var/log/libvirt/qemu/u.log", "/dev/pts/3", "serial0"),
        Console("console1", "pty", "", "", "console1"),
        Console("serial1", "file", "", "", "serial1"),
    ]


def test_off_the_names_are_those_it_will_have() -> None:
    off = (
        "<domain><devices><serial type='pty'><target port='0'/></serial>"
        "<console type='pty'><target type='serial' port='0'/></console></devices></domain>"
    )

    assert consoles(off) == [Console("serial0", "pty", "")]


@pytest.mark.parametrize("text", ["<domain/>", "<domain><devices/></domain>"])
def test_none_is_said_so(text: str) -> None:
    with pytest.raises(UnsupportedError, match="'vm1' has no console; its description needs <console type='pty'/>"):
        choose("vm1", consoles(text))


XEN = """<domain type='xen' id='3'><devices>
<console type='pty' tty='/dev/pts/1'><source path='/dev/pts/1'/><target type='xen' port='0'/></console>
<console type='pty' tty='/dev/pts/2'><source path='/dev/pts/2'/><target type='xen' port='1'/></console>
</devices></domain>"""


def test_xens_have_no_aliases_not_even_while_they_run() -> None:
    found = consoles(XEN)

    assert found[0] == Console("console0", "pty", "", "/dev/pts/1", "")
    assert while_running(found, choose("vm1", found)) == found[0]


def test_of_xens_the_first_alone_can_be_opened() -> None:
    found = consoles(XEN)

    with pytest.raises(UnsupportedError, match="opens a domain's first console only, here 'console0'"):
        while_running(found, found[1])


def test_what_has_an_alias_only_while_it_runs_is_opened_by_that() -> None:
    assert while_running(consoles(QEMU), Console("console1", "pty", "")).alias == "console1"


def test_of_several_one_is_chosen_by_its_alias() -> None:
    assert choose("vm1", consoles(QEMU), "console1").name == "console1"


def test_an_unknown_alias_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="has no console 'tty9'; it has serial0, console1, serial1"):
        choose("vm1", consoles(QEMU), "tty9")


def test_without_a_choice_it_is_the_first_that_can_be_opened() -> None:
    first_is_a_file = [Console("serial0", "file", ""), Console("serial1", "pty", "")]

    assert choose("vm1", first_is_a_file).name == "serial1"


@pytest.mark.parametrize("kind", ["file", "unix", "tcp", "null", "spicevmc"])
def test_what_libvirt_cannot_open_is_said_before_it_is_tried(kind: str) -> None:
    with pytest.raises(UnsupportedError, match=f"is of the kind '{kind}'"):
        choose("vm1", [Console("serial0", kind, "")])


# --- what libvirt is to keep ---------------------------------------------------------------------------------------

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"


def logged(devices: str, uuid: str = UUID) -> str:
    """Return the devices of a description once a log was asked for."""
    text = f"<domain><name>vm1</name><devices>{devices}</devices></domain>"
    made = with_console_log(Description("vm1", uuid, text), "/log").xml
    return made.removeprefix("<domain><name>vm1</name><devices>").removesuffix("</devices></domain>")


@pytest.mark.parametrize("kind", ["serial", "console"])
def test_the_first_pty_is_kept_in_a_file_of_the_domains_own(kind: str) -> None:
    made = logged(f"<serial type='file'/><{kind} type='pty'/><{kind} type='pty'/>")

    assert made.count("<log ") == 1
    assert f'<{kind} type="pty"><log file="/log/{UUID}-{kind}.log" append="on"/></{kind}>' in made


def test_what_a_dry_run_shows_has_it_on_a_line_of_its_own() -> None:
    made = logged('<serial type="pty">\n  <target port="0"/>\n</serial>')

    assert made == (
        f'<serial type="pty">\n  <target port="0"/>\n  <log file="/log/{UUID}-serial.log" append="on"/>\n</serial>'
    )


@pytest.mark.parametrize(
    ("devices", "uuid"),
    [
        ("", UUID),
        ("<serial type='file'/>", UUID),
        ("<serial type='pty'/>", ""),
        ("<serial type='pty'><log file='/mine'/></serial>", UUID),
        ("<serial type='file'><log file='/mine'/></serial><console type='pty'/>", UUID),
    ],
)
def test_what_cannot_be_kept_or_is_already_stays_as_it_was(devices: str, uuid: str) -> None:
    assert logged(devices, uuid) == devices


# --- what is typed ----------------------------------------------------------------------------------------------------


class Stream:
    """A stream of libvirt's that prints nothing."""

    def eventRemoveCallback(self) -> None:  # noqa: N802
        """Nothing is called back."""

    def abort(self) -> None:
        """It is over."""


class Typed:
    """A line to a terminal whose other end is the guest's."""

    def __init__(self, terminal: str) -> None:
        self.rooms = 0
        self.ends: list[str] = []
        self.line = Line(
            Stream(), terminal, heard=lambda _data: None, ended=self.ends.append, room=self._room, forget=lambda _: None
        )

    def _room(self) -> None:
        self.rooms += 1


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What libvirt's event loop is asked to watch, in the place of that loop."""
    asked: list[Any] = []

    def watch(*words: Any) -> int:
        asked.append(words)
        return len(asked)

    monkeypatch.setattr(api, "virEventAddHandle", watch)
    monkeypatch.setattr(api, "virEventRemoveHandle", lambda _watch: None)
    return asked


@pytest.fixture
def guest() -> Iterator[tuple[int, str]]:
    """The guest's end of a terminal, and the name of ours."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_what_is_typed_goes_into_the_terminal(guest: tuple[int, str]) -> None:
    typed = Typed(guest[1])

    assert typed.line.write(b"alice\r") == 6

    assert os.read(guest[0], 100) == b"alice\r"
    typed.line.close()


def test_a_guest_that_does_not_read_has_what_it_has_room_for(guest: tuple[int, str], watched: list[Any]) -> None:
    typed = Typed(guest[1])

    taken = [typed.line.write(bytes(16_384)) for _ in range(100)]

    assert 0 < sum(taken) < 200_000
    assert taken[-1] == 0
    assert len(watched) == 1
    os.read(guest[0], 65_536)
    watched[0][2](1, 0, 0, None)
    assert typed.rooms == 1
    wait_for(lambda: typed.line.write(bytes(16)) > 0, 5, "room for more")
    typed.line.close()


def test_a_terminal_that_is_gone_ends_the_line_in_words(watched: list[Any]) -> None:
    typed = Typed("/dev/pts/nowhere")

    assert typed.line.write(b"x") == 0

    assert typed.ends == ["nothing can be typed into its terminal /dev/pts/nowhere: No such file or directory"]
    assert typed.line.write(b"x") == 0


def test_a_file_that_a_description_names_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("")
    for path in (str(tmp_path / "passwd"), f"/dev/pts/../..{tmp_path}/passwd", ""):
        typed = Typed(path)

        assert typed.line.write(b"root::0:0:::\n") == 0

        assert "Inappropriate ioctl" in typed.ends[0]
    assert (tmp_path / "passwd").read_text() == ""


def test_what_is_typed_after_the_guest_is_gone_is_shown_to_nobody_else() -> None:
    """Until libvirt has told of the end, the next terminal of the host may be called as the guest's was."""
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    typed = Typed(name)
    os.close(ours)
    os.close(theirs)
    others = [os.openpty()]
    while os.ttyname(others[-1][1]) != name and len(others) < 20:
        others.append(os.openpty())
    try:
        assert typed.line.write(b"s3cret") == 0
        for master, _slave in others:
            os.set_blocking(master, False)
            with pytest.raises(BlockingIOError):
                os.read(master, 100)
        assert "Input/output error" in typed.ends[0]
    finally:
        for master, slave in others:
            os.close(master)
            os.close(slave)


def test_a_console_is_held_where_libvirts_note_of_it_names_a_process_that_lives(tmp_path: Path) -> None:
    description = (
        "<domain><devices><serial type='pty'><source path='/dev/pts/7'/><alias name='serial0'/></serial>"
        "<serial type='pty'><source path='/dev/pts/8'/><alias name='serial1'/></serial></devices></domain>"
    )
    assert held(description, tmp_path) == []
    assert held(description, tmp_path / "nowhere") == []
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / "LCK.._pts_7").write_text(f"{os.getpid():10d}\n")
    (tmp_path / "LCK.._pts_8").write_text(f"{gone.pid:10d}\n")
    (tmp_path / "LCK.._pts_9").write_text("nonsense")

    assert held(description, tmp_path) == ["serial0"]


# --- opening one ------------------------------------------------------------------------------------------------------


class Refusing:
    """What stands for a connection, its domain and its stream: opening a console fails with one of libvirt's codes."""

    def __init__(self, kind: str, code: int) -> None:
        self._kind, self._code = kind, code

    def connection(self, _purpose: str) -> "Refusing":
        return self

    def getType(self) -> str:  # noqa: N802
        return self._kind

    def lookupByUUIDString(self, _uuid: str) -> "Refusing":  # noqa: N802
        return self

    def isActive(self) -> bool:  # noqa: N802
        return True

    def XMLDesc(self) -> str:  # noqa: N802
        return QEMU

    def newStream(self, _flags: int) -> "Refusing":  # noqa: N802
        return self

    def openConsole(self, *_words: object) -> None:  # noqa: N802
        error = api.libvirtError("")
        error.err = (self._code, 0, "Couldn't create lock file: No such file or directory", 2, "", None, None, 0, 0)
        raise error


def opened(kind: str, code: int, *, force: bool = False) -> None:
    """Try to open a console."""
    anything: Any = Refusing(kind, code)
    domain: Any = type("Named", (), {"name": "vm1", "uuid": UUID})
    wanted = consoles(QEMU)[0]
    Lines(anything).open(domain, wanted, force=force, heard=print, ended=print, room=print)


def test_a_console_that_somebody_has_is_refused() -> None:
    with pytest.raises(RefusedError, match="in use outside xman; --force takes it"):
        opened("QEMU", api.VIR_ERR_OPERATION_FAILED)


def test_where_libvirt_cannot_note_who_has_a_console_the_folder_is_named() -> None:
    """Trap 24."""
    with pytest.raises(HypervisorError, match=r"directory[.] libvirt notes in /var/lock who has"):
        opened("QEMU", api.VIR_ERR_SYSTEM_ERROR)


class Opening(Refusing):
    """A connection that opens a console, and is lost before anybody could be told."""

    def __init__(self) -> None:
        super().__init__("QEMU", 0)

    def openConsole(self, *_words: object) -> None:  # noqa: N802
        """It is open."""

    def registerCloseCallback(self, *_words: object) -> None:  # noqa: N802
        """Nobody is called back any more."""

    def eventAddCallback(self, *_words: object) -> None:  # noqa: N802
        """Nothing comes."""

    def isAlive(self) -> bool:  # noqa: N802
        return False


def test_a_libvirt_that_was_lost_while_one_was_opened_ends_it() -> None:
    ends: list[str] = []
    anything: Any = Opening()
    domain: Any = type("Named", (), {"name": "vm1", "uuid": UUID})

    Lines(anything).open(domain, consoles(QEMU)[0], force=False, heard=print, ended=ends.append, room=print)

    assert ends == ["libvirt was lost"]


class Watched(Opening):
    """Another connection, which takes one callback, as libvirt's do."""

    def __init__(self) -> None:
        super().__init__()
        self._told = False

    def registerCloseCallback(self, *_words: object) -> None:  # noqa: N802
        assert not self._told, "A close callback is already registered"
        self._told = True

    def isAlive(self) -> bool:  # noqa: N802
        return True

    def eventRemoveCallback(self) -> None:  # noqa: N802
        """Nothing comes."""

    def abort(self) -> None:
        """It is closed."""


def test_threads_open_consoles_in_turns_each_over_a_connection_of_its_own() -> None:
    turns = itertools.cycle([Watched(), Watched()])
    anything: Any = type("InTurns", (), {"connection": lambda *_words: next(turns)})()
    domain: Any = type("Named", (), {"name": "vm1", "uuid": UUID})
    lines = Lines(anything)
    ends: list[str] = []

    for _ in range(4):
        lines.open(domain, consoles(QEMU)[0], force=False, heard=print, ended=ends.append, room=print).close()

    assert ends == []


def test_a_container_needs_no_such_folder() -> None:
    with pytest.raises(HypervisorError) as raised:
        opened("LXC", api.VIR_ERR_SYSTEM_ERROR)

    assert "/var/lock" not in str(raised.value)
