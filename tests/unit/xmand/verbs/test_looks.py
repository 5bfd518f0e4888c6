"""uptime and vcpu-list (`xmand.verbs.looks`) where a domain goes while they look."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.host_standin import host_of, waited_for
from xman import arguments, verbs
from xman.errors import NoSuchDomainError
from xmand.authorize import Access
from xmand.verbs import looks
from xmand.verbs.call import Call
from xmand.virt import runs, vcpus


def domain(name: str, *, goes: bool = False) -> Any:
    """Return one that runs; `goes`: it is there no more once it is asked for its id."""

    def identifier() -> int:
        if goes:
            raise NoSuchDomainError(name)
        return 7

    return SimpleNamespace(name=name, uuid=f"uuid-{name}", active=lambda: True, identifier=identifier, raw=None)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two domains, of which the second one goes."""
    both = {"stays": domain("stays"), "goes": domain("goes", goes=True)}
    monkeypatch.setattr(looks, "find_all", lambda _connection: list(both.values()))
    monkeypatch.setattr(looks, "find", lambda _connection, name: both[name])
    monkeypatch.setattr(runs, "facts", lambda _raw: {})
    monkeypatch.setattr(vcpus, "each", lambda _domain: [])
    monkeypatch.setattr(Call, "reader", None)


def asked(verb: str, *words: str) -> list[str]:
    """Return the names in the answer of a verb."""
    parsed = arguments.parse(verbs.BY_NAME[verb], list(words))
    call = Call(host_of(None), "alice@R", Access(frozenset()), parsed, 0.0, lambda _text: None)
    done = waited_for(looks.ROWS[verb].handler(call))
    return [one["name"] for one in done.data["domains"]]


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("verb", ["uptime", "vcpu-list"])
def test_of_all_one_that_has_gone_costs_its_own_row_only(verb: str) -> None:
    assert asked(verb) == ["stays"]


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("verb", ["uptime", "vcpu-list"])
def test_one_that_was_named_and_has_gone_is_told(verb: str) -> None:
    with pytest.raises(NoSuchDomainError):
        asked(verb, "goes")
