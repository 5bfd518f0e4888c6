"""All domains at once: how many calls that costs, what is made of the answers, and libvirt's own test driver."""

import collections
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.lab.published import RESULTS
from xman import result
from xman.errors import HypervisorError, NoSuchDomainError
from xman.result import Result
from xmand.virt import errors
from xmand.virt.domain import STATES
from xmand.virt.listing import details, list_domains, list_one

KIB = 1024
SECOND = 10**9


def libvirt_error(code: int) -> Exception:
    """Return an error as libvirt raises it."""
    error: Exception = libvirt.libvirtError("libvirt's words")
    # (code, domain, message, level, str1, str2, str3, int1, int2)
    vars(error)["err"] = (code, 0, "libvirt's words", 2, "", "", "", -1, -1)
    return error


class Domain:
    """A stand-in for libvirt's domain; what would be a call to libvirtd is counted."""

    def __init__(self, calls: "collections.Counter[str]", name: str, number: int = 1, state: int = 1) -> None:
        self.calls = calls
        self._name = name
        self._id = number
        self.facts = [state, 2048 * KIB, 1024 * KIB, 2, 12 * SECOND]
        self.problem: Exception | None = None

    def name(self) -> str:
        return self._name

    def UUID(self) -> bytes:  # noqa: N802  # libvirt's name
        return uuid.uuid5(uuid.NAMESPACE_DNS, self._name).bytes

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self._name))

    def ID(self) -> int:  # noqa: N802  # libvirt's name
        return self._id

    def info(self) -> list[int]:
        self.calls["info"] += 1
        if self.problem is not None:
            raise self.problem
        return self.facts

    def qemu_stats(self) -> dict[str, int]:
        """Return what QEMU's bulk call says of it: no processor time for one that is off."""
        state, most, current, vcpus, nanoseconds = self.facts
        stats = {"state.state": state, "state.reason": 1, "balloon.current": current, "balloon.maximum": most}
        stats |= {"vcpu.current": vcpus, "vcpu.maximum": vcpus}
        return stats if state == libvirt.VIR_DOMAIN_SHUTOFF else stats | {"cpu.time": nanoseconds}


class Connection:
    """A stand-in for libvirt's connection, that counts its calls."""

    def __init__(self) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.domains: list[Domain] = []
        self.problem: Exception | None = None
        # QEMU knows everything, others only the state.
        self.complete = True

    def add(self, name: str, number: int = 1, state: int = 1) -> Domain:
        """Let there be a domain."""
        self.domains.append(Domain(self.calls, name, number, state))
        return self.domains[-1]

    def getAllDomainStats(self, _wanted: int, _flags: int) -> list[tuple[Domain, dict[str, int]]]:  # noqa: N802
        self.calls["getAllDomainStats"] += 1
        if self.problem is not None:
            raise self.problem
        return [(d, d.qemu_stats() if self.complete else {"state.state": d.facts[0]}) for d in self.domains]

    def listAllDomains(self, _flags: int) -> list[Domain]:  # noqa: N802
        self.calls["listAllDomains"] += 1
        return list(self.domains)


@pytest.fixture
def connection() -> Connection:
    return Connection()


# --- calls ------------------------------------------------------------------------------------------------------------


def test_a_thousand_domains_of_qemu_cost_one_call(connection: Connection) -> None:
    for number in range(1000):
        connection.add(f"vm{number}", number=number + 1)

    domains = list_domains(connection)

    assert len(domains) == 1000
    assert connection.calls == {"getAllDomainStats": 1}


def test_domains_of_qemu_that_are_off_cost_no_call_more(connection: Connection) -> None:
    connection.add("on")
    connection.add("off", number=-1, state=libvirt.VIR_DOMAIN_SHUTOFF)

    list_domains(connection)

    assert connection.calls == {"getAllDomainStats": 1}


def test_a_driver_that_knows_states_only_costs_one_call_for_each(connection: Connection) -> None:
    connection.complete = False
    for number in range(5):
        connection.add(f"vm{number}")

    assert len(list_domains(connection)) == 5
    assert connection.calls == {"getAllDomainStats": 1, "info": 5}


def test_a_driver_without_the_bulk_call_is_asked_for_the_list(connection: Connection) -> None:
    connection.problem = libvirt_error(libvirt.VIR_ERR_NO_SUPPORT)
    for number in range(5):
        connection.add(f"vm{number}")

    assert len(list_domains(connection)) == 5
    assert connection.calls == {"getAllDomainStats": 1, "listAllDomains": 1, "info": 5}


def several(count: int, domains: int) -> list[Connection]:
    """Return connections to the same host, whose driver knows states only."""
    connections = [Connection() for _ in range(count)]
    for connection in connections:
        connection.complete = False
        for number in range(domains):
            connection.add(f"vm{number:04}").facts[2] = number
    return connections


def test_one_call_for_each_of_many_domains_is_shared_out() -> None:
    first, *others = several(4, 1000)

    domains = list_domains(first, lambda: others)

    assert [(domain["name"], domain["memory"]) for domain in domains] == [
        (f"vm{number:04}", number * KIB) for number in range(1000)
    ]
    assert [connection.calls["info"] for connection in (first, *others)] == [250] * 4


def test_a_few_domains_are_not_shared_out() -> None:
    (first,) = several(1, 20)

    assert len(list_domains(first, lambda: pytest.fail("asked for more connections"))) == 20


def test_a_domain_that_has_vanished_meanwhile_is_not_listed() -> None:
    first, other = several(2, 100)
    del other.domains[51]

    assert "vm0051" not in [domain["name"] for domain in list_domains(first, lambda: [other])]


def test_a_failure_of_another_connection_is_not_hidden() -> None:
    first, other = several(2, 100)
    other.domains[51].problem = libvirt_error(libvirt.VIR_ERR_RPC)

    with pytest.raises(HypervisorError, match="libvirt's words"):
        list_domains(first, lambda: [other])


def test_another_failure_of_the_bulk_call_is_not_hidden(connection: Connection) -> None:
    connection.problem = libvirt_error(libvirt.VIR_ERR_RPC)

    with pytest.raises(HypervisorError, match="libvirt's words"):
        list_domains(connection)
    assert connection.calls == {"getAllDomainStats": 1}


# --- what is made of it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("complete", [True, False])
def test_a_running_domain(connection: Connection, complete: bool) -> None:
    connection.complete = complete
    domain = connection.add("vm1", number=7)

    assert list_domains(connection) == [
        {
            "name": "vm1",
            "uuid": domain.UUIDString(),
            "id": 7,
            "state": "running",
            "memory": 2**30,
            "vcpus": 2,
            "cpu_seconds": 12.0,
        }
    ]


@pytest.mark.parametrize("complete", [True, False])
def test_a_domain_that_is_off_has_neither_id_nor_time(connection: Connection, complete: bool) -> None:
    connection.complete = complete
    connection.add("vm1", number=-1, state=libvirt.VIR_DOMAIN_SHUTOFF)

    (found,) = list_domains(connection)

    assert (found["id"], found["state"], found["cpu_seconds"]) == (None, "shutoff", 0.0)


@pytest.mark.parametrize(
    ("constant", "state"),
    [
        ("VIR_DOMAIN_NOSTATE", "nostate"),
        ("VIR_DOMAIN_RUNNING", "running"),
        ("VIR_DOMAIN_BLOCKED", "blocked"),
        ("VIR_DOMAIN_PAUSED", "paused"),
        ("VIR_DOMAIN_SHUTDOWN", "shutdown"),
        ("VIR_DOMAIN_SHUTOFF", "shutoff"),
        ("VIR_DOMAIN_CRASHED", "crashed"),
        ("VIR_DOMAIN_PMSUSPENDED", "pmsuspended"),
    ],
)
def test_the_words_for_states_are_in_libvirts_order(constant: str, state: str) -> None:
    assert STATES[getattr(libvirt, constant)] == state


def test_a_state_of_a_later_libvirt_is_none_that_we_know(connection: Connection) -> None:
    connection.add("vm1", state=len(STATES))

    assert list_domains(connection)[0]["state"] == "nostate"


def test_processor_time_is_to_a_tenth_of_a_second(connection: Connection) -> None:
    connection.add("vm1").facts[4] = 5_068_640_000_000

    assert list_domains(connection)[0]["cpu_seconds"] == 5068.6


def test_the_list_is_sorted_by_name_as_xms(connection: Connection) -> None:
    for name in ("vm2", "b", "Z", "vm10", "a"):
        connection.add(name)

    assert [domain["name"] for domain in list_domains(connection)] == ["Z", "a", "b", "vm10", "vm2"]


@pytest.mark.parametrize("bulk", [None, libvirt.VIR_ERR_NO_SUPPORT])
def test_a_domain_that_vanished_meanwhile_is_left_out(connection: Connection, bulk: int | None) -> None:
    connection.complete = False
    connection.problem = libvirt_error(bulk) if bulk else None
    connection.add("gone").problem = libvirt_error(libvirt.VIR_ERR_NO_DOMAIN)
    connection.add("there")

    assert [domain["name"] for domain in list_domains(connection)] == ["there"]


def test_a_domain_that_cannot_be_asked_is_no_missing_one(connection: Connection) -> None:
    connection.complete = False
    connection.add("vm1").problem = libvirt_error(libvirt.VIR_ERR_OPERATION_FAILED)

    with pytest.raises(HypervisorError):
        list_domains(connection)


def test_one_domain_is_listed_as_all_are(connection: Connection) -> None:
    domain = connection.add("vm1", number=7)

    assert [list_one(domain)] == list_domains(connection)


def test_one_domain_that_vanished_does_not_exist(connection: Connection) -> None:
    domain = connection.add("vm1")
    domain.problem = libvirt_error(libvirt.VIR_ERR_NO_DOMAIN)

    with pytest.raises(NoSuchDomainError, match="Domain 'vm1' does not exist"):
        list_one(domain)


# --- libvirt's test driver, in this process ---------------------------------------------------------------------------


NODE = """
<node>
  <domain type='test'>
    <name>test</name>
    <memory>8192</memory>
    <currentMemory>2048</currentMemory>
    <vcpu>2</vcpu>
    <os><type>hvm</type></os>
  </domain>
</node>
"""


@pytest.fixture
def default() -> Iterator[Any]:
    """The driver's own host, which all of this process share: to be looked at only."""
    opened = libvirt.open("test:///default")
    yield opened
    opened.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Any]:
    """A host like that, which can be changed."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)  # it would print on our stderr
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    opened = libvirt.open(f"test://{node}")
    yield opened
    opened.close()


def test_the_test_driver_has_one_domain_that_runs(default: Any) -> None:
    (found,) = list_domains(default)

    assert (found["name"], found["id"], found["state"], found["memory"], found["vcpus"]) == (
        "test",
        1,
        "running",
        2 * 2**30,
        2,
    )


def test_what_is_listed_fits_the_schema(default: Any) -> None:
    domain = default.lookupByName("test")

    for domains in (list_domains(default), [list_one(domain) | details(domain)]):
        RESULTS.validate(result.succeeded("h", "list", Result({"domains": domains}), 0))


def test_domains_that_are_off_are_listed_too(own: Any) -> None:
    own.lookupByName("test").destroy()
    own.defineXML("<domain type='test'><name>a</name><memory>1024</memory><os><type>hvm</type></os></domain>")

    assert [(domain["name"], domain["id"], domain["state"]) for domain in list_domains(own)] == [
        ("a", None, "shutoff"),
        ("test", None, "shutoff"),
    ]


def test_details_tell_more_of_one_domain(own: Any) -> None:
    domain = own.lookupByName("test")
    domain.suspend()

    assert details(domain) == {
        "max_memory": 8 * 2**20,
        "persistent": True,
        "reason": "user",
        "max_vcpus": 2,
        "autostart": False,
    }


def test_a_domain_of_the_own_that_is_gone_does_not_exist(own: Any) -> None:
    domain = own.lookupByName("test")
    domain.destroy()
    domain.undefine()

    assert list_domains(own) == []
    with pytest.raises(NoSuchDomainError):
        list_one(domain)
    with pytest.raises(NoSuchDomainError):
        details(domain)


def test_errors_are_told_apart_by_their_code() -> None:
    error = libvirt_error(libvirt.VIR_ERR_NO_DOMAIN)

    assert errors.code_of(error) == libvirt.VIR_ERR_NO_DOMAIN
    assert errors.code_of(ValueError()) == 0
    assert errors.code_of(None) == 0
