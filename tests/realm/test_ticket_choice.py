"""Which of several identities each host sees: libkrb5's own choice, for however many hosts (k5identity(5))."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from k5test.realm import K5Realm

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Daemon, answer, run_rxm
from tests.lab.kerberos.kcm import Kcm
from tests.lab.kerberos.realm import CLIENTS, FQDN, Realm
from tests.lab.process import free_ports

# Below, and above, the number of hosts from which rxm used to copy tickets.
FEW, MANY = 2, 12
OTHER = "OTHER.TEST"


COLLECTIONS = ("DIR", "KEYRING", "KCM")


@pytest.fixture(scope="module")
def kcm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kcm]:
    """A daemon that keeps caches."""
    made = Kcm(tmp_path_factory.mktemp("kcm"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def other_realm() -> Iterator[K5Realm]:
    """Another realm, with bob in it, in which none of our hosts is."""
    made = K5Realm(
        realm=OTHER, portbase=free_ports(10), get_creds=False, create_host=False, create_user=False, krb5_conf=CLIENTS
    )
    made.addprinc(f"bob@{OTHER}", PASSWORD)
    yield made
    made.stop()


def collection(kind: str, env: dict[str, str], directory: Path, kcm: Kcm, more: str = "") -> dict[str, str]:
    """Return the environment of somebody with no tickets yet; `more` stands before the realm's own krb5.conf."""
    caches = directory / "caches"
    caches.mkdir(mode=0o700)
    names = {"DIR": f"DIR:{caches}", "KEYRING": f"KEYRING:session:{uuid.uuid4().hex}", "KCM": "KCM:"}
    config = directory / "more.conf"
    config.write_text(kcm.configuration + more)
    return env | {
        "KRB5CCNAME": names.get(kind, f"FILE:{caches}/alone"),
        "HOME": str(directory),
        "KRB5_CONFIG": f"{config}:{env['KRB5_CONFIG']}",
    }


def kinit(env: dict[str, str], principal: str) -> None:
    """Get a ticket for somebody."""
    made = answer(["kinit", principal], env, f"{PASSWORD}\n")
    if "Unknown credential cache type" in made.stderr and "KEYRING" in env["KRB5CCNAME"]:
        pytest.skip("this machine's Kerberos has no keyrings")
    assert made.status == 0, made


@pytest.fixture(params=[*COLLECTIONS, "FILE"])
def two_identities(request: pytest.FixtureRequest, realm: Realm, kcm: Kcm, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home whose ~/.k5identity wants alice for these hosts, in a collection whose primary identity is mallory's."""
    env = collection(request.param, realm.env, tmp_path, kcm)
    for principal in ("alice", "mallory") if request.param in COLLECTIONS else ("alice",):
        kinit(env, principal)
    (tmp_path / ".k5identity").write_text(f"alice@XMAN.TEST host={FQDN}\n")
    yield env
    # A keyring is the session's, and would stay.
    answer(["kdestroy", "-A"], env)


@pytest.fixture(params=COLLECTIONS)
def two_realms(
    request: pytest.FixtureRequest, realm: Realm, other_realm: K5Realm, kcm: Kcm, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Tickets of two realms in one collection, the other one's the primary; no ~/.k5identity says which."""
    place = f"kdc = 127.0.0.1:{other_realm.portbase}"
    more = f"[realms]\n  {OTHER} = {{\n    {place}\n  }}\n[domain_realm]\n  .xman.test = XMAN.TEST\n"
    env = collection(request.param, realm.env, tmp_path, kcm, more)
    kinit(env, "alice@XMAN.TEST")
    kinit(env, f"bob@{OTHER}")
    yield env
    answer(["kdestroy", "-A"], env)


@pytest.mark.parametrize("hosts", [FEW, MANY])
def test_each_host_sees_who_is_of_its_realm(daemon: Daemon, two_realms: dict[str, str], hosts: int) -> None:
    assert f"bob@{OTHER}" in answer(["klist"], two_realms, "").stdout
    names = [FQDN, *(f"nowhere{number}.invalid" for number in range(1, hosts))]

    said = run_rxm(two_realms, "-H", ",".join(names), "-p", str(daemon.port), "-j", "ping")

    told = [line for line in said.stdout.splitlines() if f'"host":"{FQDN}"' in line]
    assert ['"principal":"alice@XMAN.TEST"' in line for line in told] == [True], said


@pytest.mark.parametrize("hosts", [FEW, MANY])
def test_the_identity_is_the_same_for_however_many_hosts(
    daemon: Daemon, two_identities: dict[str, str], hosts: int
) -> None:
    # That the others are not there costs nothing of the choice for the one that is.
    names = [FQDN, *(f"nowhere{number}.invalid" for number in range(1, hosts))]

    said = run_rxm(two_identities, "-H", ",".join(names), "-p", str(daemon.port), "-j", "ping")

    told = [line for line in said.stdout.splitlines() if f'"host":"{FQDN}"' in line]
    assert ['"principal":"alice@XMAN.TEST"' in line for line in told] == [True], said


@pytest.mark.parametrize(
    ("cache", "reason"),
    [("DIR:/nonexistent/dir", "/nonexistent/dir"), ("NOSUCH:x", "default cache: NOSUCH:x")],
    ids=["no folder", "unknown type"],
)
def test_kerberos_own_reason_is_told(daemon: Daemon, alice: dict[str, str], cache: str, reason: str) -> None:
    said = daemon.rxm(alice | {"KRB5CCNAME": cache}, "ping")

    assert (said.status, reason in said.stderr) == (4, True), said
