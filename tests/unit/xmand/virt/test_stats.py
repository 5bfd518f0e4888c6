"""What domains and the host use: what is made of libvirt's answers, and what is left out where it has none."""

import uuid
from typing import Any

import libvirt
import pytest

from tests.lab.published import RESULTS
from xman import result
from xman.errors import HypervisorError
from xman.result import Result
from xmand.virt import host, stats
from xmand.virt.host import host_stats
from xmand.virt.stats import domain_stats

KIB = 1024
SECOND = 10**9


def libvirt_error(code: int = libvirt.VIR_ERR_NO_SUPPORT) -> Exception:
    """Return an error as libvirt raises it."""
    error: Exception = libvirt.libvirtError("libvirt's words")
    # (code, domain, message, level, str1, str2, str3, int1, int2)
    vars(error)["err"] = (code, 0, "libvirt's words", 2, "", "", "", -1, -1)
    return error


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Domain:
    """A stand-in for libvirt's domain, two CPUs and 1 GiB; what a test does not give it, its driver does not have."""

    def __init__(self, stats: dict[str, Any] | None = None, name: str = "vm1") -> None:
        self._name = name
        self.id = 1
        self.stats: dict[str, Any] = {
            "state.state": 1,
            "vcpu.current": 2,
            "balloon.current": 2**20,
            "balloon.maximum": 2**21,
            "cpu.time": 0,
        } | (stats or {})
        # CPU time that each of the following samples adds, in nanoseconds.
        self.uses: list[int] = []
        self.leases: dict[int, Any] = {}
        self.asked: list[int] = []
        self.xml = "<domain><devices/></domain>"
        self.counters: dict[str, Any] = {}

    def name(self) -> str:
        return self._name

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self._name))

    def ID(self) -> int:  # noqa: N802  # libvirt's name
        return self.id

    def info(self) -> list[int]:
        return [1, 2**21, 2**20, 2, self.sample()["cpu.time"]]

    def sample(self) -> dict[str, Any]:
        answer = dict(self.stats)
        self.stats["cpu.time"] += self.uses.pop(0) if self.uses else 0
        return answer

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802  # libvirt's name
        return self.xml

    def interfaceAddresses(self, source: int, _flags: int) -> Any:  # noqa: N802  # libvirt's name
        self.asked.append(source)
        if source not in self.leases:
            raise libvirt_error()
        return self.leases[source]

    def _answer(self, key: str) -> Any:
        if key not in self.counters:
            raise libvirt_error()
        return self.counters[key]

    def memoryStats(self) -> Any:  # noqa: N802  # libvirt's name
        return self._answer("memory")

    def interfaceStats(self, device: str) -> Any:  # noqa: N802  # libvirt's name
        return self._answer(device)

    def blockInfo(self, device: str) -> Any:  # noqa: N802  # libvirt's name
        return self._answer(f"size of {device}")

    def blockStats(self, device: str) -> Any:  # noqa: N802  # libvirt's name
        return self._answer(device)


class Connection:
    """A stand-in for libvirt's connection; `bulk`: whether its driver has the bulk call."""

    def __init__(self, *domains: Domain, bulk: bool = True, kind: str = "QEMU") -> None:
        self.domains = list(domains)
        self.bulk = bulk
        self.kind = kind
        self.cpu: list[dict[str, int]] = []
        self.pools: list[Any] | None = None

    def getType(self) -> str:  # noqa: N802  # libvirt's name
        return self.kind

    def getAllDomainStats(self, _wanted: int, _flags: int) -> list[Any]:  # noqa: N802  # libvirt's name
        return self.domainListGetStats(self.domains, 0, 0)

    def domainListGetStats(self, raws: list[Domain], _wanted: int, _flags: int) -> list[Any]:  # noqa: N802
        if not self.bulk:
            raise libvirt_error()
        return [(raw, raw.sample()) for raw in raws]

    def listAllDomains(self, _flags: int) -> list[Domain]:  # noqa: N802  # libvirt's name
        return list(self.domains)

    def getInfo(self) -> list[Any]:  # noqa: N802  # libvirt's name
        return ["x86_64", 512, 4, 0, 1, 1, 4, 1]

    def getHostname(self) -> str:  # noqa: N802  # libvirt's name
        return "skirit80"

    def getCPUStats(self, _cpu: int) -> dict[str, int]:  # noqa: N802  # libvirt's name
        if not self.cpu:
            raise libvirt_error()
        return self.cpu.pop(0)

    def getMemoryStats(self, _cell: int) -> dict[str, int]:  # noqa: N802  # libvirt's name
        return {"total": 2**20, "free": 2**19}

    def listAllStoragePools(self, _flags: int) -> list[Any]:  # noqa: N802  # libvirt's name
        if self.pools is None:
            raise libvirt_error()
        return self.pools


class Pool:
    """A stand-in for a storage pool."""

    def __init__(self, name: str, sizes: tuple[int, int, int] | None = None) -> None:
        self._name = name
        self._sizes = sizes

    def name(self) -> str:
        return self._name

    def isActive(self) -> int:  # noqa: N802  # libvirt's name
        return int(self._sizes is not None)

    def info(self) -> list[int]:
        return [2, *(self._sizes or (0, 0, 0))]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(stats, "time", made)
    monkeypatch.setattr(host, "time", made)
    return made


def one(domain: Domain, **connection: Any) -> dict[str, Any]:
    """Return what is said of one domain."""
    (found,) = domain_stats(Connection(domain, **connection))
    return found


# --- CPU --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize(("used", "percent"), [(0, 0.0), (SECOND // 4, 50.0), (SECOND, 200.0), (3 * SECOND, 200.0)])
def test_the_share_of_half_a_second(bulk: bool, used: int, percent: float) -> None:
    domain = Domain()
    domain.uses = [used]

    assert one(domain, bulk=bulk)["cpu_percent"] == percent


def test_a_domain_restarted_meanwhile_has_no_share() -> None:
    domain = Domain({"cpu.time": 5 * SECOND})
    domain.uses = [-4 * SECOND]

    assert "cpu_percent" not in one(domain)


def test_where_cpu_time_is_the_time_of_day_there_is_no_share(clock: Clock) -> None:
    domain = Domain()
    domain.uses = [SECOND]

    assert "cpu_percent" not in one(domain, kind="TEST")
    assert clock.now == 1000.0


def test_nobody_waits_for_domains_that_are_off(clock: Clock) -> None:
    domain = Domain({"state.state": libvirt.VIR_DOMAIN_SHUTOFF})
    domain.id = -1

    assert "cpu_percent" not in one(domain)
    assert clock.now == 1000.0


# --- one bulk call ----------------------------------------------------------------------------------------------------


def test_memory_is_in_octets() -> None:
    found = one(Domain({"balloon.rss": 100, "balloon.unused": 50}))

    keys = ("memory", "max_memory", "memory_rss", "memory_unused")
    assert [found[key] for key in keys] == [2**30, 2**31, 100 * KIB, 50 * KIB]


def test_devices_of_the_bulk_call() -> None:
    counters = {"rx.bytes": 1, "rx.pkts": 2, "tx.bytes": 3, "tx.pkts": 4, "rx.errs": 5}
    io = {"path": "/a", "capacity": 9, "allocation": 8, "rd.bytes": 4, "rd.reqs": 1, "wr.bytes": 6, "wr.reqs": 2}
    devices = {"net.count": 2, "net.1.name": "vnet0", "block.count": 2, "block.0.name": "vda", "block.1.name": "hdc"}
    devices |= {f"net.1.{key}": value for key, value in counters.items()}

    found = one(Domain(devices | {f"block.0.{key}": value for key, value in io.items()}))

    # The first interface has no name: a user-mode one, of which the host sees nothing.
    assert found["interfaces"] == [{"name": "vnet0", "rx_octets": 1, "rx_packets": 2, "tx_octets": 3, "tx_packets": 4}]
    vda = {"capacity": 9, "allocation": 8, "read_octets": 4, "read_requests": 1, "write_octets": 6, "write_requests": 2}
    assert found["disks"] == [{"name": "vda", "path": "/a"} | vda, {"name": "hdc"}]


def test_domains_are_sorted_by_name() -> None:
    assert [found["name"] for found in domain_stats(Connection(Domain(name="b"), Domain(name="a")))] == ["a", "b"]


def test_a_failure_of_the_bulk_call_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> list[Any]:
        raise libvirt_error(libvirt.VIR_ERR_RPC)

    monkeypatch.setattr(Connection, "domainListGetStats", fail)
    with pytest.raises(HypervisorError):
        domain_stats(Connection(Domain()))


# --- calls for each domain --------------------------------------------------------------------------------------------

DEVICES = (
    "<domain><devices>"
    "<disk><source file='/a'/><target dev='vda'/></disk><disk><target dev='hdc'/></disk>"
    "<interface type='bridge'><target dev='vif1'/></interface><interface type='user'/>"
    "</devices></domain>"
)


def test_devices_where_there_is_no_bulk_call() -> None:
    domain = Domain()
    domain.xml = DEVICES
    domain.counters = {
        "memory": {"rss": 100},
        "vif1": (1, 2, 0, 0, 3, -1, 0, 0),
        "size of vda": (9, 8, 8),
        "vda": (1, 2, 3, 4, -1),
    }

    found = one(domain, bulk=False)

    assert (found["memory_rss"], "memory_unused" in found) == (100 * KIB, False)
    assert found["interfaces"] == [{"name": "vif1", "rx_octets": 1, "rx_packets": 2, "tx_octets": 3}]
    io = {"read_octets": 2, "read_requests": 1, "write_octets": 4, "write_requests": 3}
    assert found["disks"] == [{"name": "vda", "path": "/a", "capacity": 9, "allocation": 8} | io, {"name": "hdc"}]


def test_a_driver_that_knows_next_to_nothing() -> None:
    domain = Domain()
    domain.xml = DEVICES

    found = one(domain, bulk=False)

    assert found["interfaces"] == [{"name": "vif1"}]
    assert found["disks"] == [{"name": "vda", "path": "/a"}, {"name": "hdc"}]
    assert found["addresses"] == []


# --- addresses --------------------------------------------------------------------------------------------------------

LEASE = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE
ARP = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP
LEASED = {"vnet0": {"hwaddr": "52:54:00:00:00:01", "addrs": [{"addr": "192.0.2.7", "prefix": 24, "type": 0}]}}


def test_leases_come_first() -> None:
    domain = Domain()
    domain.leases = {LEASE: LEASED, ARP: {}}

    assert one(domain)["addresses"] == [
        {"address": "192.0.2.7", "prefix": 24, "mac": "52:54:00:00:00:01", "source": "lease"}
    ]
    assert domain.asked == [LEASE]


@pytest.mark.parametrize("leases", [{}, {LEASE: {}}, {LEASE: {"vnet0": {"hwaddr": "", "addrs": None}}}])
def test_else_the_arp_table_and_never_the_agent(leases: dict[int, Any]) -> None:
    domain = Domain()
    domain.leases = leases | {ARP: {"vnet0": {"hwaddr": None, "addrs": [{"addr": "192.0.2.8", "prefix": 0}]}}}

    assert one(domain)["addresses"] == [{"address": "192.0.2.8", "source": "arp"}]
    assert domain.asked == [LEASE, ARP]


# --- the host ---------------------------------------------------------------------------------------------------------


def test_the_share_of_all_cpus() -> None:
    connection = Connection()
    connection.cpu = [
        {"user": 10, "kernel": 10, "idle": 100, "iowait": 0},
        {"user": 40, "kernel": 20, "idle": 150, "iowait": 10},
    ]

    assert host_stats(connection)["cpu_percent"] == 40.0


@pytest.mark.parametrize("cpu", [[], [{"user": 1, "idle": 1}, {"user": 1, "idle": 1}]])
def test_a_driver_whose_clock_stands_still_has_no_share(cpu: list[dict[str, int]]) -> None:
    connection = Connection()
    connection.cpu = cpu

    assert "cpu_percent" not in host_stats(connection)


def test_pools() -> None:
    connection = Connection()
    connection.pools = [Pool("old"), Pool("default", (9, 5, 4))]

    found = host_stats(connection)

    assert found["pools"] == [
        {"name": "default", "active": True, "capacity": 9, "allocation": 5, "available": 4},
        {"name": "old", "active": False},
    ]
    assert (found["total_memory"], found["free_memory"]) == (2**30, 2**29)


def test_a_host_without_a_storage_driver_has_no_pools() -> None:
    assert "pools" not in host_stats(Connection())


# --- libvirt's test driver, in this process ---------------------------------------------------------------------------


def test_what_the_test_driver_says_fits_the_schema() -> None:
    connection = libvirt.openReadOnly("test:///default")
    libvirt.registerErrorHandler(lambda _context, _error: None, None)  # it would print on our stderr
    for data in ({"domains": domain_stats(connection)}, {"host": host_stats(connection)}):
        RESULTS.validate(result.succeeded("h", "stats", Result(data), 0))
    connection.close()
