"""The administrative mode of a profile on real QEMU, where its clients or the profile itself are not simply off."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_profiles import Laboratory, write
from tests.hypervisor.test_profiles import pool as pool
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import wait_for

PORT = 4399
# Both of Debian's releases have them there.
CODE, VARIABLES = (f"/usr/share/OVMF/OVMF_{what}_4M.fd" for what in ("CODE", "VARS"))
UEFI = f"<loader readonly='yes' type='pflash'>{CODE}</loader><nvram template='{VARIABLES}'/></os>"


class Booting(Laboratory):
    """Its machines boot, and shut down when their power button is pressed."""

    def description(self) -> str:
        """Return the machine's, without its disk."""
        return self.guest().description()

    def guest(self) -> Guest:
        """Return it; its clients say what they say where it does."""
        return Guest(self.name, self.host.directory)

    def patient(self, seconds: int) -> Daemon:
        """Start one more xmand, which waits so long for guests that are to shut down."""
        patience = (sys.executable, "-m", "tests.lab.faults.patience", str(seconds))
        admins = ("alice@XMAN.TEST",)
        return self.host.xmand(self.lab.realm, admins=admins, port=PORT, name=f"patient-{seconds}", under=patience)


class Uefi(Laboratory):
    """Its machines have UEFI's firmware."""

    def description(self) -> str:
        """Return the machine's, without its disk."""
        return super().description().replace("</os>", UEFI)


@pytest.fixture
def laboratory(lab: Lab, pool: str, own_name: str, request: pytest.FixtureRequest) -> Iterator[Laboratory]:
    """One of the test's own kind."""
    kind: type[Laboratory] = getattr(request, "param", Laboratory)
    made = kind(lab, own_name)
    made.make()
    yield made
    made.unmake()
    wait_for(lambda: made.volumes() == {made.base.name}, 60, "the end of its clients' disks")
    made.base.unlink()


@pytest.mark.parametrize("laboratory", [Booting], indirect=True)
def test_who_runs_is_shut_down_in_order_or_else_ended(laboratory: Booting) -> None:
    profile, guest = laboratory.name, laboratory.guest()
    client = laboratory.client()
    laboratory.done("start", client)
    guest.wait_until_up()
    patient = laboratory.patient(1000)

    hears = patient.rxm(laboratory.lab.alice, "-j", "start", "--paused", "--evict", profile)
    laboratory.done("destroy", profile)
    # Both xmands make the disks of a client that has ended anew: libvirt refuses what comes in between.
    wait_for(lambda: laboratory.rxm("start", client).status == 0, 60, "the client's disks")
    assert patient.stop() == 0
    impatient = laboratory.patient(0)
    cut = impatient.rxm(laboratory.lab.alice, "-j", "start", "--paused", "--evict", profile)

    assert (hears.status, cut.status) == (0, 0), (hears, cut)
    assert f"Evicted from '{profile}': {client} was shut down." in hears.json()["notes"]
    assert f"Evicted from '{profile}': {client} was destroyed." in cut.json()["notes"]
    laboratory.refused(("start", client), "is running and being changed")
    assert impatient.stop() == 0


def test_a_profile_goes_back_to_no_former_state_while_clients_have_its_disks(laboratory: Laboratory) -> None:
    profile, client, file = laboratory.name, laboratory.client(), f"{laboratory.name}.save"
    laboratory.done("start", "--paused", profile)
    laboratory.done("save", profile, file)
    laboratory.done("snapshot", profile, "then")
    before = laboratory.digest()
    laboratory.done("start", "--paused", client)

    for words in (("snapshot-revert", profile, "then"), ("snapshot-revert", "--dry-run", profile, "then")):
        laboratory.refused(words, "is in use by its clients", f"{client} (paused)")
    laboratory.refused(("restore", "--paused", file), "is in use by its clients", f"{client} (paused)")
    assert laboratory.digest() == before

    laboratory.done("destroy", client)
    # As the administrator changed it since.
    write(laboratory.base, 7)
    laboratory.done("snapshot-revert", profile, "then")
    laboratory.done("start", "--paused", client)
    laboratory.done("destroy", client)
    laboratory.done("restore", "--paused", file)
    laboratory.refused(("start", client), "is running and being changed")


def test_a_client_goes_back_to_nothing_that_it_was(laboratory: Laboratory) -> None:
    client = laboratory.client()
    assert laboratory.host.virsh("snapshot-create-as", client, "then").status == 0

    for words in (("snapshot-revert", client, "then"), ("snapshot-revert", "--dry-run", client, "then")):
        laboratory.refused(words, "is reset at each start", "what it went back to")

    # A file of its memory, which libvirt made past us.
    laboratory.done("snapshot-delete", client, "then")
    laboratory.done("start", "--paused", client)
    file = laboratory.lab.xmand.directory / "state" / "saved" / f"{client}.save"
    file.parent.mkdir(exist_ok=True)
    assert laboratory.host.virsh("save", client, str(file)).status == 0
    laboratory.refused(("restore", file.name), "its disks are not those that were saved with")


@pytest.mark.parametrize("laboratory", [Uefi], indirect=True)
def test_what_its_firmware_was_told_is_gone_with_what_was_written(laboratory: Laboratory) -> None:
    client = laboratory.client()
    laboratory.done("start", "--paused", client)
    path = laboratory.xml(client).findtext("os/nvram")
    assert path is not None
    laboratory.done("destroy", client)
    variables = Path(path.replace("/var/lib/libvirt", str(laboratory.host.directory / "lib")))
    first = hashlib.sha256(variables.read_bytes()).hexdigest()
    # As a guest does that lets its firmware boot from the network from now on.
    variables.write_bytes(bytes(len(variables.read_bytes())))

    laboratory.done("start", "--paused", client)

    assert hashlib.sha256(variables.read_bytes()).hexdigest() == first
    assert first == hashlib.sha256(Path(VARIABLES).read_bytes()).hexdigest()
    # The profile's own stay, as its disk does.
    laboratory.done("destroy", client)
    laboratory.done("start", "--paused", laboratory.name)
    own = variables.with_name(f"{laboratory.name}_VARS.fd")
    laboratory.done("destroy", laboratory.name)
    own.write_bytes(b"\1" * own.stat().st_size)
    laboratory.done("start", "--paused", laboratory.name)
    assert own.read_bytes()[:2] == b"\1\1"


def test_a_host_shows_for_which_laboratories_it_is_and_takes_their_profiles_alone(laboratory: Laboratory) -> None:
    profile, lab = laboratory.name, laboratory.lab
    tables = '[host]\nlabs = ["@economy", "@stats"]\n'
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=tables, port=PORT, name="labs")

    marked = daemon.rxm(lab.alice, "profile", profile, "on", "--labs", "@stats")
    told = daemon.rxm(lab.alice, "-j", "profiles").json()["result"]
    other = daemon.rxm(lab.alice, "profile", profile, "on", "--labs", "@physics")
    made = daemon.rxm(lab.alice, "profile-client", profile, f"{profile}-1")
    started = daemon.rxm(lab.alice, "start", "--paused", f"{profile}-1")

    assert marked.status == 0, marked
    assert (told["labs"], [row["labs"] for row in told["profiles"] if row["profile"] == profile]) == (
        ["economy", "stats"],
        [["stats"]],
    )
    assert (other.status, "is for physics" in other.stderr) == (3, True), other
    assert (made.status, started.status) == (0, 0), (made, started)
    assert daemon.stop() == 0
