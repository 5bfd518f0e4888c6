"""Which of several identities each host sees: libkrb5's own choice, for however many hosts (k5identity(5))."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Daemon, answer, run_rxm
from tests.lab.kerberos.realm import FQDN, Realm

# Below, and above, the number of hosts from which rxm used to copy tickets.
FEW, MANY = 2, 12


@pytest.fixture(params=["collection", "keyring", "file"])
def two_identities(request: pytest.FixtureRequest, realm: Realm, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home whose ~/.k5identity wants alice for these hosts, in a collection whose primary identity is mallory's."""
    caches = tmp_path / "caches"
    caches.mkdir(mode=0o700)
    names = {"collection": f"DIR:{caches}", "keyring": f"KEYRING:session:{uuid.uuid4().hex}"}
    name = names.get(request.param, f"FILE:{caches}/alone")
    env = realm.env | {"KRB5CCNAME": name, "HOME": str(tmp_path)}
    for principal in ("alice", "mallory") if request.param in names else ("alice",):
        made = answer(["kinit", principal], env, f"{PASSWORD}\n")
        if request.param == "keyring" and "Unknown credential cache type" in made.stderr:
            pytest.skip("this machine's Kerberos has no keyrings")
        assert made.status == 0, made
    (tmp_path / ".k5identity").write_text(f"alice@XMAN.TEST host={FQDN}\n")
    yield env
    # A keyring is the session's, and would stay.
    answer(["kdestroy", "-A"], env)


@pytest.mark.parametrize("hosts", [FEW, MANY])
def test_the_identity_is_the_same_for_however_many_hosts(
    daemon: Daemon, two_identities: dict[str, str], hosts: int
) -> None:
    # That the others are not there costs nothing of the choice for the one that is.
    names = [FQDN, *(f"nowhere{number}.invalid" for number in range(1, hosts))]

    said = run_rxm(two_identities, "-H", ",".join(names), "-p", str(daemon.port), "-j", "ping")

    (told,) = [line for line in said.stdout.splitlines() if f'"host":"{FQDN}"' in line]
    assert '"principal":"alice@XMAN.TEST"' in told, said


@pytest.mark.parametrize(
    ("cache", "reason"),
    [("DIR:/nonexistent/dir", "/nonexistent/dir"), ("NOSUCH:x", "default cache: NOSUCH:x")],
    ids=["no folder", "unknown type"],
)
def test_kerberos_own_reason_is_told(daemon: Daemon, alice: dict[str, str], cache: str, reason: str) -> None:
    said = daemon.rxm(alice | {"KRB5CCNAME": cache}, "ping")

    assert (said.status, reason in said.stderr) == (4, True), said
