"""Which domain a word names: a name before a UUID before an id, as with xm."""

from typing import Any

import pytest

from xman.errors import NoSuchDomainError, UsageError
from xmand.virt.domain import find

XML = "<domain type='test'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"


def defined(connection: Any, name: str) -> str:
    """Define a domain; return its UUID."""
    return str(connection.defineXML(XML.format(name)).UUIDString())


def test_an_id_names_what_runs_under_it(connection: Any) -> None:
    assert find(connection, "1").name == "test"


def test_a_name_comes_before_an_id(connection: Any) -> None:
    # xman makes no such names; others did.
    uuid = defined(connection, "1")

    assert find(connection, "1").uuid == uuid


def test_a_name_comes_before_a_uuid(connection: Any) -> None:
    other = find(connection, "test").uuid
    uuid = defined(connection, other)

    assert find(connection, other).uuid == uuid


def test_a_uuid_in_capitals(connection: Any) -> None:
    assert find(connection, find(connection, "test").uuid.upper()).name == "test"


def test_an_id_where_it_will_not_do(connection: Any) -> None:
    with pytest.raises(UsageError, match="name it: 'test'"):
        find(connection, "1", allow_id=False)


@pytest.mark.parametrize("word", ["vm9", "99", "99999999999999999999", "6695eb01-f6a4-8304-79aa-000000000000"])
def test_no_such_domain(connection: Any, word: str) -> None:
    with pytest.raises(NoSuchDomainError):
        find(connection, word)
