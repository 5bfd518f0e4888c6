"""libvirt's connections and its event loop; its errors as ours, also where the binding has lost what libvirt said."""

import contextlib
import gc
import threading
import weakref
from collections.abc import Callable

import libvirt
import pytest

from tests.lab.process import wait_for
from tests.unit.xmand.dispatch.test_dispatcher import SOON
from xman.errors import NoSuchDomainError, XmanError
from xmand.virt import driver, errors
from xmand.virt.driver import ASIDE, CHANGE, CONSOLE, LONG, Driver, beside, changing
from xmand.virt.errors import Translating, reading


class LostConnection:
    """One of a libvirtd that has gone."""

    def isAlive(self) -> bool:  # noqa: N802  # libvirt's name
        return False


@pytest.fixture
def error() -> libvirt.libvirtError:
    """libvirt's error for a domain that is not there."""
    connection = Driver("test:///default", lambda _line: None).connection(CHANGE)
    with pytest.raises(libvirt.libvirtError) as raised:
        connection.lookupByName("nowhere")
    return raised.value


def test_code_and_words(error: libvirt.libvirtError) -> None:
    assert errors.code_of(error) == libvirt.VIR_ERR_NO_DOMAIN
    assert errors.words(error).startswith("Domain not found")
    assert isinstance(errors.translate(error, "nowhere"), NoSuchDomainError)


def test_an_error_that_libvirt_has_forgotten_is_still_known(error: libvirt.libvirtError) -> None:
    said = errors.words(error)
    error.err = None  # a domain was freed in this thread before the binding asked

    assert isinstance(errors.translate(error, "nowhere"), NoSuchDomainError)
    assert (errors.code_of(error), errors.words(error)) == (libvirt.VIR_ERR_NO_DOMAIN, said)


@pytest.mark.parametrize("around", [reading, lambda: changing(LostConnection(), "vm1")])
def test_an_error_in_our_words_holds_nothing_when_it_is_gone(around: Callable[[], Translating]) -> None:
    """Not until Python's collector comes by: the connection has descriptors."""
    connection = LostConnection()
    gone = weakref.ref(connection)

    def call(_connection: LostConnection) -> None:
        with around():
            raise libvirt.libvirtError("lost")

    gc.disable()
    try:
        with contextlib.suppress(XmanError):
            call(connection)
        del connection
        assert gone() is None
    finally:
        gc.enable()


def test_what_is_not_libvirts_has_no_code() -> None:
    assert errors.code_of(ValueError()) == 0
    assert errors.code_of(None) == 0


def test_what_a_change_set_off_is_told_at_once_though_the_event_loop_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Driver("test:///default", lambda _line: None).connection(CHANGE)
    told = threading.Event()
    number = connection.domainEventRegisterAny(
        None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *_facts: told.set(), None
    )
    monkeypatch.setattr(driver, "_REST_SECONDS", 600.0)
    try:
        domain = connection.lookupByName("test")
        # The first may end a short rest; whatever rest comes before the second is a long one.
        for change in (domain.suspend, domain.resume):
            told.clear()
            with changing(connection, "test"):
                change()
            assert told.wait(SOON)
    finally:
        connection.domainEventDeregisterAny(number)
        monkeypatch.undo()
        driver._changed.set()


class Recorded:
    """What is asked of libvirt's binding, in order; and a connection that is opened."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keepalive: tuple[int, int] = (0, 0)

    def note(self, what: str) -> Callable[..., None]:
        """Return what notes a call as `what`."""
        return lambda *_words: self.asked.append(what)

    def open(self, _uri: str | None) -> "Recorded":
        self.asked.append("open")
        return self

    def setKeepAlive(self, interval: int, count: int) -> None:  # noqa: N802
        self.keepalive = (interval, count)

    def getURI(self) -> str:  # noqa: N802
        return "qemu:///system"

    def isAlive(self) -> bool:  # noqa: N802
        return True


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """A binding of which nothing was asked yet; the real loop, if it runs, goes on."""
    made = Recorded()
    for name, what in (("virEventRegisterDefaultImpl", "loop"), ("virEventAddTimeout", "tick")):
        monkeypatch.setattr(libvirt, name, made.note(what))
    monkeypatch.setattr(libvirt, "registerErrorHandler", lambda *_words: None)
    monkeypatch.setattr(libvirt, "open", made.open)
    monkeypatch.setattr(driver, "_event_loop_runs", False)
    monkeypatch.setattr(driver, "_run_events", made.note("turns"))
    return made


def test_libvirts_event_loop_is_there_before_anything_is_opened(recorded: Recorded) -> None:
    """Trap 3: of a connection that was opened before, no stream brings anything, ever."""
    made = Driver("", lambda _line: None)
    wait_for(lambda: "turns" in recorded.asked, SOON, "the loop's thread")
    assert recorded.asked == ["loop", "tick", "turns"]

    made.connection(CONSOLE)

    assert recorded.asked[3:] == ["open"]


def test_a_libvirtd_that_stands_still_is_found_out_within_twelve_seconds(recorded: Recorded) -> None:
    """Trap 1: nothing else ends a console then. libvirt counts one interval more than it was told."""
    Driver("", lambda _line: None).connection(CONSOLE)

    interval, count = recorded.keepalive
    assert 0 < interval * (count + 1) < 12


def test_while_a_call_blocks_another_connection_is_asked(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded.asked == []
    monkeypatch.setattr(libvirt, "open", lambda _uri: Recorded())
    made = Driver("", lambda _line: None)
    blocked = made.connection(LONG)

    assert beside(blocked) is made.connection(ASIDE) is not blocked


def test_within_our_own_process_there_is_nothing_beside() -> None:
    made = Driver("test:///default", lambda _line: None)
    blocked = made.connection(LONG)

    assert beside(blocked) is blocked
