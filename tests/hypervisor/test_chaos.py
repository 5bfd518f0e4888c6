"""Faults in random order while somebody works: no wrong answer, nothing lost, nothing twice, nothing left behind."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_broken_images import description
from tests.hypervisor.test_faults import Running
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.process import wait_for
from tests.tools.soak import chance, rounds

_STEPS = 6
_SEED = 2007
_PORT = 4376
_NAME = "tossed"
_TARGETS = {"pause": "paused", "unpause": "running"}
# Longer than anything here takes; a hung libvirtd is given up after the second.
_PATIENCE = 30.0
_LIMITS = "[limits]\nread_seconds = 3\nchange_seconds = 3\n"
_ADMINS = ("alice@XMAN.TEST",)

_CROWD = """\
import socket, sys, time
held = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(60)]
print("there", flush=True)
time.sleep(60)
"""


class Chaos:
    """One xmand on the first host, one QEMU guest that only stands there, and what is known of its state."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._chance = chance(_SEED)
        self._clock = lab.first.directory / "chaos-clock"
        self._set_clock(0)
        # A small disk of its own for the journal, which only the host sees.
        state = lab.first.directory / f"xmand-{_PORT}" / "state"
        self._state = Path(f"/proc/{lab.first.prefix[2]}/root{state}")
        mount = f"mkdir -p {state} && mount -t tmpfs -o size=4m,mode=700 tmpfs {state}"
        subprocess.run([*lab.first.prefix, "sh", "-c", mount], check=True)
        self.daemon = self._start()
        made = self.daemon.rxm(lab.alice, "create", "-", stdin=lab.guest(_NAME).empty_description())
        # The deadlines of this xmand are short for a machine with much to do, and then it may still happen.
        assert made.status in (0, 10), made
        wait_for(lambda: lab.first.virsh("domstate", _NAME).stdout.strip() == "running", _PATIENCE, "the guest's start")
        self.possible = {"running"}

    def _start(self) -> Daemon:
        (library,) = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        env = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        return self._lab.first.xmand(self._lab.realm, admins=_ADMINS, tables=_LIMITS, port=_PORT, env=env)

    def _set_clock(self, seconds: int) -> None:
        """Set xmand's clock so far ahead of the machine's."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._clock)

    def step(self) -> str:
        """Let one fault happen to one command, and judge the answer; return what was done."""
        verb = self._chance.choice(["pause", "unpause", "pause", "unpause", "list"])
        fault: Callable[[str], Answer] = self._chance.choice(
            [
                self._nothing,
                self._libvirtd_dies,
                self._libvirtd_hangs,
                self._xmand_dies,
                self._bad_configuration,
                self._list_away,
                self._syslog_away,
                self._crowd,
                self._guest_stops,
                self._image_breaks,
                self._journal_breaks,
                self._disk_fills,
                self._disk_of_a_guest_breaks,
                self._clock_jumps,
            ]
        )
        answer = fault(verb)
        did = f"{verb} while {fault.__name__}: {answer}"
        self._judge(verb, answer, did)
        return did

    def end(self) -> None:
        """Take the guest away, and see that nothing is left of all this."""
        assert self.daemon.rxm(self._lab.alice, "destroy", _NAME).status in (0, 10)
        wait_for(lambda: self._lab.first.virsh("domstate", _NAME).stdout.strip() != "running", _PATIENCE, "its end")
        assert self.daemon.rxm(self._lab.alice, "delete", _NAME).status in (0, 7)
        assert self.daemon.stop() == 0
        assert "Traceback" not in self.daemon.stderr()
        subprocess.run([*self._lab.first.prefix, "umount", "-l", str(self.daemon.directory / "state")], check=True)

    def _judge(self, verb: str, answer: Answer, did: str) -> None:
        assert answer.status in (0, 3, 4, 5, 6, 8, 10), did
        if verb in _TARGETS:
            if answer.status == 0:
                self.possible = {_TARGETS[verb]}
            elif answer.status == 10:
                self.possible.add(_TARGETS[verb])
        wait_for(lambda: self._seen() != "", _PATIENCE, f"a list after {did}")
        assert self._seen() in self.possible, did
        self.possible = {self._seen()}

    def _seen(self) -> str:
        """Return the guest's state as xmand has it, empty where it cannot be told now."""
        answer = self.daemon.rxm(self._lab.alice, "-j", "list", _NAME)
        return answer.json()["result"]["domains"][0]["state"] if answer.status == 0 else ""

    def _run(self, verb: str) -> Answer:
        return self._begin(verb).answer()

    def _begin(self, verb: str) -> Running:
        return Running(self._lab, self.daemon, verb, _NAME)

    @contextlib.contextmanager
    def _hanging(self, verb: str) -> Iterator[Running]:
        """Give a command that libvirtd does not get to."""
        begun = len(self.daemon.syslog.audit(ev="begin"))
        with self._lab.first.libvirtd_hangs():
            running = self._begin(verb)
            wait_for(lambda: len(self.daemon.syslog.audit(ev="begin")) > begun, _PATIENCE, "the command")
            yield running

    def _nothing(self, verb: str) -> Answer:
        answer = self._run(verb)
        assert answer.status == 0
        return answer

    def _libvirtd_dies(self, verb: str) -> Answer:
        with self._hanging(verb) as running:
            self._lab.first.kill_libvirtd()
            answer = running.answer()
        self._lab.first.start_libvirtd()
        return answer

    def _libvirtd_hangs(self, verb: str) -> Answer:
        late = len(self.daemon.syslog.audit(ev="late", verb=verb))
        with self._hanging(verb) as running:
            answer = running.answer()
        if answer.status == 10:
            wait_for(lambda: len(self.daemon.syslog.audit(ev="late", verb=verb)) > late, _PATIENCE, "its end")
        return answer

    def _xmand_dies(self, verb: str) -> Answer:
        with self._hanging(verb) as running:
            self.daemon.process.kill()
            self.daemon.process.wait()
            answer = running.answer()
        assert "Traceback" not in self.daemon.stderr()
        self.daemon.syslog.close()
        self.daemon = self._start()
        return answer

    def _bad_configuration(self, verb: str) -> Answer:
        good = self.daemon.config.read_text()
        self.daemon.config.write_text(good.replace("listen =", "lissten =") + "\nworkers = 0\n")
        self.daemon.process.send_signal(signal.SIGHUP)
        answer = self._nothing(verb)
        self.daemon.config.write_text(good)
        self.daemon.process.send_signal(signal.SIGHUP)
        return answer

    def _list_away(self, verb: str) -> Answer:
        self.daemon.k5login.unlink()
        answer = self._run(verb)
        self.daemon.allow(*_ADMINS)
        assert answer.status == 5
        return answer

    def _syslog_away(self, verb: str) -> Answer:
        with self.daemon.syslog.gone():
            return self._nothing(verb)

    def _crowd(self, verb: str) -> Answer:
        # The host is in a network of its own: strangers come from there.
        crowd = [*self.daemon.prefix, "python3", "-c", _CROWD, self._lab.first.address, str(_PORT)]
        with subprocess.Popen(crowd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            # While they come, whoever shares their address and has not shown a ticket yet gives way to them.
            assert process.stdout is not None
            assert process.stdout.readline() == b"there\n"
            answer = self._nothing(verb)
            process.kill()
        return answer

    def _guest_stops(self, verb: str) -> Answer:
        """Nobody needs the guest's own process for a list."""
        late = len(self.daemon.syslog.audit(ev="late", verb=verb))
        pid = int((self._lab.first.directory / "run" / "qemu" / f"{_NAME}.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            answer = self._run(verb)
            assert verb != "list" or answer.status == 0, answer
            assert self._seen() in self.possible
        finally:
            os.kill(pid, signal.SIGCONT)
        if answer.status == 10:
            wait_for(lambda: len(self.daemon.syslog.audit(ev="late", verb=verb)) > late, _PATIENCE, "its end")
        return answer

    def _image_breaks(self, verb: str) -> Answer:
        """What cannot be restored is booted, and told."""
        assert self.daemon.rxm(self._lab.alice, "suspend", _NAME).status in (0, 10)
        wait_for(lambda: self._seen() == "shutoff", _PATIENCE, "the suspend")
        (self._lab.first.directory / "lib" / "qemu" / "save" / f"{_NAME}.save").write_bytes(b"")
        resumed = self.daemon.rxm(self._lab.alice, "resume", _NAME)
        if resumed.status == 10:  # a machine with much to do
            wait_for(lambda: self._seen() == "running", _PATIENCE, "what came of the resume")
        else:
            assert (resumed.status, "booted the domain afresh" in resumed.stderr) == (8, True), resumed
        self.possible = {"running"}
        return self._nothing(verb)

    def _journal_breaks(self, verb: str) -> Answer:
        """Nothing is changed until somebody has moved it away, as the message says."""
        assert self.daemon.stop() == 0
        file = self._state / "journal.db"
        # Cut short; after a list nobody has begun a new one yet.
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if file.exists() else b"no journal " * 1000)
        self.daemon = self._start()
        refused = self._run(verb)
        expected = (0, False) if verb == "list" else (3, True)
        assert (refused.status, "Move it away" in refused.stderr) == expected, refused
        for part in file.parent.glob("journal.db*"):
            part.unlink()
        return self._nothing(verb)

    def _disk_fills(self, verb: str) -> Answer:
        """Nothing is changed that cannot be written down; reading goes on, and all is well once there is room."""
        filler = self._state / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        try:
            answer = self._run(verb)
            # A change may yet fit into what the journal has of the disk.
            assert answer.status in ((0,) if verb == "list" else (0, 3)), answer
            self._judge(verb, answer, f"{verb} on a full disk: {answer}")
        finally:
            filler.unlink()
        return self._nothing(verb)

    def _disk_of_a_guest_breaks(self, verb: str) -> Answer:
        """A guest that cannot start for it leaves nothing behind, and costs nobody else anything."""
        guest, image = self._lab.guest("tossed-broken"), self._lab.first.directory / "broken.qcow2"
        image.write_bytes(self._chance.choice([b"", b"QFI\xfb", b"r" * 4096]))
        made = self.daemon.rxm(self._lab.alice, "create", "-", stdin=description(guest, image))
        assert (made.status, made.stderr.count("\n")) in ((8, 1), (10, 1)), made
        wait_for(lambda: guest.name not in self._lab.first.virsh("list", "--all").stdout, _PATIENCE, "nothing of it")
        return self._nothing(verb)

    def _clock_jumps(self, verb: str) -> Answer:
        """Kerberos takes five minutes."""
        self._set_clock(self._chance.choice((-240, 240)))
        try:
            answer = self._nothing(verb)
            self._judge(verb, answer, f"{verb} by a wrong clock: {answer}")
        finally:
            self._set_clock(0)
        return self._nothing(verb)


@pytest.fixture
def chaos(lab: Lab) -> Iterator[Chaos]:
    """The scene."""
    made = Chaos(lab)
    yield made
    made.end()


def test_faults_in_random_order(chaos: Chaos) -> None:
    for _ in rounds("O2", _STEPS):
        print(chaos.step())
