"""Screens of QEMU's guests: pictures, VNC through the wire, and who may look at or type to what."""

import contextlib
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.hypervisor.conftest import Lab
from tests.lab.clients import rfb
from tests.lab.hosts.daemon import answer as run
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import end, start, wait_for
from xman import pictures

# No listener anywhere.
SCREEN = "<graphics type='vnc'><listen type='none'/></graphics>"
MODULE = "screened"


@pytest.fixture(scope="module")
def guest(lab: Lab) -> Iterator[Guest]:
    """One guest with a screen for all that only look."""
    made = Guest(MODULE, lab.first.directory, screen=SCREEN)
    answer = lab.rxm("create", "-", stdin=made.description())
    assert answer.status == 0, answer
    made.wait_until_up()
    yield made
    lab.rxm("-q", "destroy", MODULE)
    lab.rxm("-q", "delete", MODULE)


def command(lab: Lab, *words: str) -> list[str]:
    """Return rxm's words, for one that goes on."""
    daemon = lab.xmand
    return [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port), *words]


@contextlib.contextmanager
def stdio(
    lab: Lab, *words: str, env: dict[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", rfb.Viewer]]:
    """Run `rxm vnc --stdio`, and give it with a viewer at it."""
    program = start(
        command(lab, "vnc", "--stdio", *words),
        env=env or lab.alice,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    reads, writes = program.stdout.fileno(), program.stdin.fileno()
    with contextlib.ExitStack() as ends:
        ends.callback(end, program)
        yield program, rfb.Viewer(lambda count: os.read(reads, count), lambda data: os.write(writes, data))


@pytest.fixture(scope="module", autouse=True)
def dismissed(lab: Lab, guest: Guest) -> Iterator["subprocess.Popen[bytes]"]:
    """Somebody who looks, and was taken off the list: it is read again twice a minute, while others are tried here."""
    lab.realm.add_principal("screens-carol", PASSWORD)
    carol = lab.realm.kinit("screens-carol", PASSWORD, "screens-carol")
    lab.xmand.allow("alice@XMAN.TEST", "screens-carol@XMAN.TEST")
    try:
        with stdio(lab, guest.name, env=carol) as (program, viewer):
            viewer.handshake()
            lab.xmand.allow("alice@XMAN.TEST")
            yield program
    finally:
        lab.xmand.allow("alice@XMAN.TEST")


def test_a_picture_has_the_screens_size(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    file = tmp_path / "screen.png"

    answer = lab.rxm("screenshot", "--output", str(file), guest.name)

    assert (answer.status, answer.stdout, answer.stderr) == (0, "", "")
    with stdio(lab, guest.name) as (_program, viewer):
        viewer.handshake()
        assert pictures.size(file.read_bytes()) == viewer.size


def test_a_viewer_on_standard_input_and_output_sees_the_screen(lab: Lab, guest: Guest) -> None:
    with stdio(lab, guest.name) as (program, viewer):
        viewer.handshake()
        points = viewer.picture()
        assert program.stdin is not None
        program.stdin.close()

        assert program.wait(20) == 0
    width, height = viewer.size
    assert len(points) == 4 * width * height
    # The firmware has written something.
    assert len(set(struct.iter_unpack("<I", points))) > 1
    assert viewer.types == (1,)


def test_a_viewer_at_a_socket_sees_it(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    path = tmp_path / "s"
    program = start(command(lab, "vnc", "--socket", str(path), guest.name), env=lab.alice, stderr=subprocess.PIPE)
    try:
        wait_for(path.exists, 30, "the socket")
        assert path.stat().st_mode & 0o177 == 0
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(30)
                sock.connect(str(path))
                viewer = rfb.at(sock)
                viewer.handshake()
                assert viewer.picture()
    finally:
        end(program)


def leave(program: "subprocess.Popen[bytes]") -> int:
    """End a viewer on standard input, and return rxm's exit status."""
    assert program.stdin is not None
    program.stdin.close()
    return program.wait(30)


def told(lab: Lab, guest: Guest, words: str) -> list[dict[str, str]]:
    """Return what the audit says of the ends of viewers, where it begins with `words`."""
    lines = lab.xmand.syslog.audit(ev="end", verb="vnc", dom=guest.name, princ="alice@XMAN.TEST")
    return [line for line in lines if line["detail"].startswith(words)]


def test_many_formats_and_json(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    file = tmp_path / "screen.ppm"
    assert lab.rxm("screenshot", "--output", str(file), guest.name).status == 0
    assert file.read_bytes().startswith(b"P6\n")

    result = lab.rxm("-j", "screenshot", guest.name).json()["result"]

    assert (result["width"], result["height"]) == pictures.size(file.read_bytes())
    assert lab.rxm("screenshot", "--output", str(tmp_path / "screen.jpeg"), guest.name).status == 2
    assert lab.rxm("screenshot", "--output", "/nonexistent/screen.png", guest.name).status == 3
    assert [path.name for path in tmp_path.iterdir()] == ["screen.ppm"]


def test_keys_of_a_viewer_reach_the_guest_and_the_audit_says_who_typed_and_never_what(lab: Lab, guest: Guest) -> None:
    with stdio(lab, guest.name) as (program, viewer):
        viewer.handshake()
        viewer.key(ord("j"))  # the kernel's key 36
        wait_for(lambda: 36 in guest.pressed(), 30, "the key")
        assert leave(program) == 0

    wait_for(lambda: bool(told(lab, guest, "input=yes")), 20, "the audit")
    (*_, line) = told(lab, guest, "input=yes")
    logged = lab.rxm("-j", "log", guest.name).json()["result"]["entries"]
    assert re.fullmatch(r"input=yes, \d+ s, \d+ octets out, \d+ in: left", line["detail"])
    assert line["princ"] == "alice@XMAN.TEST"
    assert any((entry["verb"], entry["class"]) == ("vnc", "ok") for entry in logged)


def test_who_may_only_look_does_not_type(lab: Lab, guest: Guest) -> None:
    before = guest.pressed()
    with stdio(lab, "--view-only", guest.name) as (looks, viewer), stdio(lab, guest.name) as (types, typist):
        viewer.handshake()
        viewer.key(ord("x"))
        assert viewer.picture()
        typist.handshake()
        typist.key(ord("k"))  # 37
        wait_for(lambda: 37 in guest.pressed(), 30, "the other's key")
        assert (leave(looks), leave(types)) == (0, 0)

    assert 45 not in guest.pressed()[len(before) :]
    wait_for(lambda: bool(told(lab, guest, "input=no")), 20, "the audit")


def test_who_wants_it_alone_throws_nobody_out(lab: Lab, guest: Guest) -> None:
    with stdio(lab, guest.name) as (_first, one), stdio(lab, guest.name) as (_second, other):
        one.handshake()
        other.handshake(shared=False)

        assert other.picture()
        assert one.picture()


def test_a_viewer_that_writes_much_before_it_reads_loses_nothing(lab: Lab, guest: Guest) -> None:
    """Trap 4: neither side may wait for the other."""
    with stdio(lab, guest.name) as (program, viewer):
        viewer.handshake()
        wanted = struct.pack(">BBHHHH", 3, 0, 0, 0, *viewer.size) * 50_000

        assert program.stdin is not None
        program.stdin.write(wanted)
        program.stdin.flush()

        assert all(viewer.picture() for _ in range(3))


def test_the_domain_ends_while_its_viewer_writes(lab: Lab, own_name: str) -> None:
    """Trap 5: the end of the reply, and what is still typed, cross."""
    made = Guest(own_name, lab.first.directory, screen=SCREEN)
    assert lab.rxm("create", "-", stdin=made.empty_description()).status == 0
    try:
        with stdio(lab, own_name) as (program, viewer):
            viewer.handshake()
            writing = threading.Thread(target=write_until_it_ends, args=(viewer,), daemon=True)
            writing.start()
            assert lab.rxm("destroy", own_name).status == 0
            assert program.wait(30) == 0
            writing.join(30)
            assert not writing.is_alive()
    finally:
        lab.rxm("-q", "destroy", own_name)
        lab.rxm("-q", "delete", own_name)


def write_until_it_ends(viewer: rfb.Viewer) -> None:
    """Press keys as long as somebody takes them."""
    with contextlib.suppress(OSError):
        while True:
            viewer.key(ord("a"))


def test_two_at_one_socket_see_it_at_the_same_time(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    path = tmp_path / "s"
    program = start(command(lab, "vnc", "--socket", str(path), guest.name), env=lab.alice, stderr=subprocess.PIPE)
    try:
        wait_for(path.exists, 30, "the socket")
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            viewers = []
            for sock in (first, second):
                sock.settimeout(30)
                sock.connect(str(path))
                viewers.append(rfb.at(sock))
                viewers[-1].handshake()
            assert all(viewer.picture() for viewer in viewers)
    finally:
        end(program)


def test_a_viewer_is_started_and_rxm_ends_with_it(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    program = tmp_path / "viewer"
    program.write_text(
        f"#!{sys.executable}\nimport socket, sys\nsock = socket.socket(socket.AF_UNIX)\nsock.connect(sys.argv[1])\n"
        "print(sock.recv(12).decode(), oct(__import__('os').stat(sys.argv[1]).st_mode & 0o777), sys.argv[1])\n"
    )
    program.chmod(0o755)
    environment = lab.alice | {"XDG_RUNTIME_DIR": str(tmp_path)}

    answer = lab.xmand.rxm(environment, "vnc", "--viewer", str(program), guest.name)

    assert answer.status == 0, answer
    assert answer.stdout.startswith("RFB 003.008\n 0o600 ")
    assert not list((tmp_path / "rxm").iterdir())
    assert (tmp_path / "rxm").stat().st_mode & 0o777 == 0o700


def test_a_port_of_this_machine_is_warned_of(lab: Lab, guest: Guest) -> None:
    answer = lab.rxm("vnc", "--port", "5999", guest.name)
    assert (answer.status, "every user of this machine" in answer.stderr) == (2, True)

    program = start(command(lab, "vnc", "--yes", "--port", "5999", guest.name), env=lab.alice, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: bool(listening(lab, 5999)), 30, "the port")
        assert listening(lab, 5999) == ["127.0.0.1:5999"]
    finally:
        end(program)


def listening(lab: Lab, port: int) -> list[str]:
    """Return where something listens at a port, in the hosts' network."""
    shown = subprocess.run([*lab.first.prefix, "ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    return [line.split()[3] for line in shown.splitlines() if line.split()[3].endswith(f":{port}")]


def test_nothing_listens_anywhere_for_a_screen(lab: Lab, guest: Guest) -> None:
    """Of what QEMU has for the guest there is no listening socket on any network."""
    with stdio(lab, guest.name) as (_program, viewer):
        viewer.handshake()
        shown = subprocess.run([*lab.first.prefix, "ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout

    assert not [line for line in shown.splitlines() if "qemu" in line]


def test_who_is_not_on_the_list_sees_nothing(lab: Lab, guest: Guest) -> None:
    lab.realm.add_principal("screens-mallory", PASSWORD)
    mallory = lab.realm.kinit("screens-mallory", PASSWORD, "screens-mallory")

    answers = [
        lab.xmand.rxm(mallory, *words, guest.name) for words in (("vnc", "--stdio"), ("screenshot", "--output", "-"))
    ]

    assert [(answer.status, answer.stdout) for answer in answers] == [(5, ""), (5, "")]


def test_who_is_taken_off_the_list_loses_it(dismissed: "subprocess.Popen[bytes]") -> None:
    assert dismissed.wait(90) == 5
    assert dismissed.stderr is not None
    assert "list" in dismissed.stderr.read().decode()


def test_it_ends_with_the_ticket(lab: Lab, guest: Guest) -> None:
    # Of whatever length the machine allows to be of use before its end.
    for seconds in (8, 16, 32, 64, 128):
        brief = lab.realm.kinit("alice", PASSWORD, "screens-brief", "-l", f"{seconds}s")
        with stdio(lab, guest.name, env=brief) as (program, viewer):
            try:
                viewer.handshake()
            except (OSError, EOFError, AssertionError, struct.error, IndexError):
                continue
            status = program.wait(seconds + 60)
            assert program.stderr is not None
            said = program.stderr.read().decode()
            assert (status, "ticket" in said) == (4, True), said
            return
    pytest.fail("no ticket was there long enough")


def test_it_lasts_when_libvirtd_dies_and_ends_with_the_domain(lab: Lab, own_name: str) -> None:
    made = Guest(own_name, lab.first.directory, screen=SCREEN)
    assert lab.rxm("create", "-", stdin=made.empty_description()).status == 0
    try:
        with stdio(lab, own_name) as (program, viewer):
            viewer.handshake()
            lab.first.kill_libvirtd()
            try:
                assert viewer.picture()
            finally:
                lab.first.start_libvirtd()
            assert lab.rxm("destroy", own_name).status == 0
            assert program.wait(30) == 0
            assert program.stderr is not None
            assert f"{own_name} ended." in program.stderr.read().decode()
        off = lab.rxm("vnc", "--stdio", own_name)
        assert (off.status, "not running" in off.stderr) == (3, True)
        off = lab.rxm("screenshot", own_name)
        assert (off.status, "not running" in off.stderr) == (3, True)
    finally:
        lab.rxm("-q", "destroy", own_name)
        lab.rxm("-q", "delete", own_name)


def test_a_libvirtd_that_hangs_gives_no_picture_and_takes_nothing_else_along(lab: Lab, guest: Guest) -> None:
    with lab.first.libvirtd_hangs():
        answer = lab.rxm("-t", "3", "screenshot", guest.name)
        assert answer.status in (6, 8), answer
        assert lab.rxm("ping").status == 0

    wait_for(lambda: lab.rxm("-j", "screenshot", guest.name).status == 0, 60, "a picture again")


@pytest.mark.parametrize(("words", "codes"), [(("ctrl-alt-f5",), [29, 56, 63]), (("KEY_LEFTSHIFT", "KEY_Z"), [42, 44])])
def test_keys_are_pressed_together(lab: Lab, guest: Guest, words: tuple[str, ...], codes: list[int]) -> None:
    before = len(guest.pressed())

    answer = lab.rxm("send-key", guest.name, *words)

    assert (answer.status, answer.stdout) == (0, "")
    wait_for(lambda: guest.pressed()[before:] == codes, 30, "the keys")


def test_what_keys_were_pressed_is_not_written_down(lab: Lab, guest: Guest) -> None:
    assert lab.rxm("send-key", guest.name, "KEY_SCROLLLOCK").status == 0

    entries = lab.rxm("-j", "log", guest.name).json()["result"]["entries"]
    kept = (lab.xmand.directory / "state").rglob("*")
    state = b"".join(path.read_bytes() for path in kept if path.is_file())

    assert any((entry["verb"], entry["class"]) == ("send-key", "ok") for entry in entries)
    assert not [line for line in (*lab.xmand.syslog.lines(), str(entries)) if "SCROLLLOCK" in line]
    assert b"SCROLLLOCK" not in state


def test_a_domain_without_a_screen_is_told(lab: Lab, own_name: str) -> None:
    made = Guest(own_name, lab.first.directory)
    assert lab.rxm("create", "-", stdin=made.empty_description()).status == 0
    try:
        for words in (("screenshot",), ("vnc", "--stdio")):
            answer = lab.rxm(*words, own_name)
            assert (answer.status, "has no screen" in answer.stderr) == (12, True), answer
    finally:
        lab.rxm("-q", "destroy", own_name)
        lab.rxm("-q", "delete", own_name)


def test_a_screen_on_a_network_is_told_and_kept_off_it_where_the_host_says_so(lab: Lab, own_name: str) -> None:
    everywhere = "<graphics type='vnc' port='5977'><listen type='address' address='0.0.0.0'/></graphics>"
    made = Guest(own_name, lab.first.directory, screen=everywhere)
    private = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables='[screen]\nlisten = "none"\n', port=4391)
    try:
        assert lab.rxm("create", "-", stdin=made.empty_description()).status == 0
        assert listening(lab, 5977) == ["0.0.0.0:5977"]
        (shown,) = lab.rxm("-j", "list", "-l", own_name).json()["result"]["domains"]
        assert shown["open_screens"] == ["vnc 0.0.0.0:5977"]
        assert "vnc 0.0.0.0:5977" in lab.rxm("list", "-l", own_name).stdout
        checked = run([*lab.first.prefix, "xmand", "--check", "-c", str(private.config)], lab.realm.env)
        assert f"{own_name} (vnc 0.0.0.0:5977)" in checked.stdout
        assert lab.rxm("destroy", own_name).status == 0

        created = private.rxm(lab.alice, "create", "-", stdin=made.empty_description())

        assert (created.status, "listens on no network" in created.stderr) == (0, True), created
        assert listening(lab, 5977) == []
        assert "open_screens" not in private.rxm(lab.alice, "-j", "list", "-l", own_name).stdout
        assert private.rxm(lab.alice, "-j", "screenshot", own_name).status == 0
    finally:
        lab.rxm("-q", "destroy", own_name)
        lab.rxm("-q", "delete", own_name)
        assert private.stop() == 0


def test_a_screen_of_xms_files_listens_nowhere_either(lab: Lab, own_name: str) -> None:
    private = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables='[screen]\nlisten = "none"\n', port=4391)
    file = f"name = '{own_name}'\nmemory = 64\nbuilder = 'hvm'\nvnc = 1\nvnclisten = '0.0.0.0'\n"
    try:
        shown = private.rxm(lab.alice, "create", "--dry-run", "--convert", "-", stdin=file)
        kept = lab.rxm("create", "--dry-run", "--convert", "-", stdin=file)
    finally:
        assert private.stop() == 0

    assert (shown.status, kept.status) == (0, 0), shown
    assert ('type="none"' in shown.stdout, "0.0.0.0" in shown.stdout) == (True, False)
    assert ('type="none"' in kept.stdout, "0.0.0.0" in kept.stdout) == (False, True)
