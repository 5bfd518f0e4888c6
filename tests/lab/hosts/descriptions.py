"""Domain descriptions for the tests."""


def for_test_driver(name: str, memory_mib: int = 512, vcpus: int = 4) -> str:
    """Return a description that libvirt's test driver takes."""
    return (
        f"<domain type='test'><name>{name}</name><memory unit='MiB'>{memory_mib}</memory>"
        f"<vcpu current='1'>{vcpus}</vcpu><os><type>hvm</type></os></domain>"
    )


# What libvirt's test driver reads from a file of the test's own; what it makes up by itself all of a process share.
HOST_WITH_A_POOL = """\
<node>
  <pool type='dir'><name>default-pool</name><target><path>/default-pool</path></target></pool>
</node>
"""
