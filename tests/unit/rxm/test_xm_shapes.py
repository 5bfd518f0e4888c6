"""What xm and xl printed, of domains as a host tells them."""

import pytest

from rxm.xm import shapes


@pytest.mark.parametrize(
    ("affinity", "xm", "xl"),
    [([0, 1, 2, 3], "any cpu", "all / all"), ([1, 3], "1,3", "1,3 / all"), ([], "no cpus", "none / all")],
)
def test_where_a_cpu_may_run(affinity: list[int], xm: str, xl: str) -> None:
    one = {"number": 0, "cpu": 1, "state": "running", "cpu_seconds": 1.0, "affinity": affinity}
    domains = [{"name": "vm1", "id": 3, "vcpu": [one]}]

    for program, where, heading in (("xm", xm, "CPU Affinity"), ("xl", xl, "Affinity (Hard / Soft)")):
        header, row = shapes.vcpus(program, domains, 4).splitlines()
        assert header.endswith(f"Time(s) {heading}")
        assert row.split()[:6] == ["vm1", "3", "0", "1", "r--", "1.0"]
        assert row.endswith(f" {where}")


def test_the_tables_of_cpus_and_nodes() -> None:
    nodes = [
        {
            "node": 0,
            "memory": 4 << 30,
            "free": 1 << 30,
            "distances": [10, 20],
            "cpus": [{"cpu": 0, "core": 0, "socket": 0}],
        },
        {"node": 1, "memory": 4 << 30, "distances": [20, 10], "cpus": [{"cpu": 1, "core": 0, "socket": 1}]},
    ]

    text = shapes.with_topology("nr_cpus                : 2\nxen_major              : 4\n", nodes)

    assert text == (
        "nr_cpus                : 2\n"
        "cpu_topology           :\n"
        "cpu:    core    socket     node\n"
        "  0:       0        0        0\n"
        "  1:       0        1        1\n"
        "numa_info              :\n"
        "node:    memsize    memfree    distances\n"
        "   0:      4096       1024      10,20\n"
        "   1:      4096          0      20,10\n"
        "xen_major              : 4\n"
    )
