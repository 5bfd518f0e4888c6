"""MIT's and Heimdal's Kerberos in each place where either can be: KDC, daemon, client."""

from collections.abc import Iterator

import pytest

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos import heimdal
from tests.lab.kerberos.heimdal import HeimdalRealm
from tests.lab.kerberos.realm import Realm

MIT, HEIMDAL = "mit", "heimdal"
# KDC, daemon, client. All of MIT's is what every other test has.
_PLACES = [
    (MIT, HEIMDAL, HEIMDAL),
    (MIT, MIT, HEIMDAL),
    (MIT, HEIMDAL, MIT),
    (HEIMDAL, MIT, MIT),
    (HEIMDAL, HEIMDAL, HEIMDAL),
]


class Place:
    """A daemon of one make, in a realm of one make, and how a client of one make gets its tickets."""

    def __init__(self, realm: Realm, daemon: Daemon, client: str) -> None:
        self.realm = realm
        self.daemon = daemon
        self.client = client

    def kinit(self, who: str, cache: str, *arguments: str) -> dict[str, str]:
        """Get a ticket of `who`'s with the client's own kinit; return the environment that uses it."""
        if self.client == HEIMDAL:
            return heimdal.kinit(self.realm, who, PASSWORD, cache, *arguments)
        return self.realm.kinit(who, PASSWORD, cache, *arguments)

    def cache(self, name: str) -> dict[str, str]:
        """Return the environment of a client whose cache is called `name`."""
        env = self.realm.cache(name)
        return heimdal.programs(env) if self.client == HEIMDAL else env


@pytest.fixture(scope="module")
def heimdal_realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    """The realm of the other tests, with Heimdal's KDC."""
    made = HeimdalRealm(tmp_path_factory.mktemp("heimdal"))
    for name in ("alice", "mallory"):
        made.add_principal(name, PASSWORD)
    yield made
    made.stop()


@pytest.fixture(scope="module", params=_PLACES, ids=lambda place: "kdc {}, xmand {}, rxm {}".format(*place))
def place(
    request: pytest.FixtureRequest, realm: Realm, heimdal_realm: Realm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Each combination in turn."""
    kdc, server, client = request.param
    if HEIMDAL in (server, client) and (reason := heimdal.why_not()):
        pytest.skip(reason)
    chosen = heimdal_realm if kdc == HEIMDAL else realm
    env = heimdal.programs({}) if server == HEIMDAL else {}
    daemon = Daemon(chosen, tmp_path_factory.mktemp("xmand"), admins=("alice@XMAN.TEST",), env=env)
    yield Place(chosen, daemon, client)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


@pytest.fixture
def daemon_is_heimdals(place: Place) -> bool:
    """Whether the daemon of this combination uses Heimdal's libraries, as the kernel sees it."""
    with open(f"/proc/{place.daemon.process.pid}/maps") as maps:  # noqa: PTH123
        return "libheimbase" in maps.read()
