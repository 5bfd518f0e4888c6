"""Domain descriptions for the tests."""


def for_test_driver(name: str, memory_mib: int = 512, vcpus: int = 4) -> str:
    """Return a description that libvirt's test driver takes."""
    return (
        f"<domain type='test'><name>{name}</name><memory unit='MiB'>{memory_mib}</memory>"
        f"<vcpu current='1'>{vcpus}</vcpu><os><type>hvm</type></os></domain>"
    )
