"""The list of administrators against MIT's own krb5_kuserok(3): whom we allow, MIT with the file present allows.

libkrb5 is asked through ctypes, here only: its answer where the file is absent is what our own reader is there for.
"""

import ctypes
import ctypes.util
import os
import pwd
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import overwrite
from tests.tools.soak import chance, rounds
from xmand.authorize import k5login
from xmand.server import identity

USER = pwd.getpwuid(os.geteuid()).pw_name
REALM = "XMAN.TEST"
NAMES = (
    "alice@XMAN.TEST",
    "alice/admin@XMAN.TEST",
    "Alice@XMAN.TEST",
    "alice@OTHER.TEST",
    "root@XMAN.TEST",
    "#alice@XMAN.TEST",
    "a@XMAN.TEST",
    "*@XMAN.TEST",
    "alice@",
    f"{USER}@{REALM}",
)
# What lists are made of: whole names, and what slips into files.
PIECES = (
    *(name.encode() for name in NAMES),
    b"\n",
    b"\n",
    b"\n",
    b" ",
    b"\t",
    b"\r",
    b"\0",
    b"#",
    b"\xef\xbb\xbf",
    b"\xff",
    b"@",
    b"alice",
    b"XMAN.TEST",
    b"x" * 8189,
    b"\\",
    b"/",
    b"\x1b[31m",
    b"*",
)


class Mit:
    """libkrb5, told to look for lists in a directory of ours."""

    def __init__(self, directory: Path) -> None:
        self._library = ctypes.CDLL("libkrb5.so.3")
        configuration = directory / "krb5.conf"
        configuration.write_text(f"[libdefaults]\ndefault_realm = {REALM}\nk5login_directory = {directory}\n")
        before = os.environ.get("KRB5_CONFIG")
        os.environ["KRB5_CONFIG"] = str(configuration)
        try:
            self._context = ctypes.c_void_p()
            assert self._library.krb5_init_context(ctypes.byref(self._context)) == 0
        finally:
            os.environ.pop("KRB5_CONFIG")
            os.environ |= {} if before is None else {"KRB5_CONFIG": before}
        self.file = directory / USER

    def close(self) -> None:
        """Free the context."""
        self._library.krb5_free_context(self._context)

    def allows(self, name: str) -> tuple[bool, bytes]:
        """Return whether MIT lets `name` be our user, and the name as MIT writes it."""
        principal, text = ctypes.c_void_p(), ctypes.c_char_p()
        assert self._library.krb5_parse_name(self._context, name.encode(), ctypes.byref(principal)) == 0
        try:
            assert self._library.krb5_unparse_name(self._context, principal, ctypes.byref(text)) == 0
            written = bytes(text.value or b"")
            self._library.krb5_free_unparsed_name(self._context, text)
            return bool(self._library.krb5_kuserok(self._context, principal, USER.encode())), written
        finally:
            self._library.krb5_free_principal(self._context, principal)


@pytest.fixture(scope="module")
def mit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mit]:
    made = Mit(tmp_path_factory.mktemp("lists"))
    yield made
    made.close()


def ours(path: Path, name: bytes) -> bool:
    """Return whether we allow `name`."""
    if identity.refuse(name, True):
        return False
    try:
        return k5login.read(str(path)).permits(name)
    except k5login.K5loginError:
        return False


@given(content=st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
@example(content=b"alice@XMAN.TEST\0garbage\n")
@example(content=b"x" * 8200 + b"\nalice@XMAN.TEST\n")
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whom_we_allow_mit_allows(mit: Mit, content: bytes) -> None:
    mit.file.write_bytes(content)
    mit.file.chmod(0o600)

    for name in NAMES:
        theirs, written = mit.allows(name)
        allowed = ours(mit.file, written)
        assert theirs or not allowed, (content, name)


def test_of_many_lists_none_allows_whom_mit_would_not(mit: Mit) -> None:
    """The same without hypothesis, for very many of them."""
    asked, allowed = [(name, mit.allows(name)[1]) for name in NAMES], 0
    made = chance(20071121)
    mit.file.write_bytes(b"")
    mit.file.chmod(0o600)
    for _ in rounds("C1", 300):
        content = b"".join(made.choices(PIECES, k=made.randrange(12)))
        overwrite(mit.file, content)
        try:
            found = k5login.read(str(mit.file))
        except k5login.K5loginError:
            continue
        for name, written in asked:
            if found.permits(written) and not identity.refuse(written, True):
                allowed += 1
                assert mit.allows(name)[0], (content, name)
    assert allowed, "a list that allows nobody proves nothing"


@given(names=st.lists(st.sampled_from(NAMES[:5]), max_size=5))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_a_plain_list_both_say_the_same(mit: Mit, names: list[str]) -> None:
    mit.file.write_text("".join(f"{name}\n" for name in names))
    mit.file.chmod(0o600)

    for name in NAMES[:5]:
        assert ours(mit.file, name.encode()) == mit.allows(name)[0] == (name in names)


def test_where_there_is_no_list_mit_allows_and_we_do_not(mit: Mit) -> None:
    """Why krb5_kuserok is not asked."""
    mit.file.unlink(missing_ok=True)
    namesake = f"{USER}@{REALM}"

    assert mit.allows(namesake)[0]
    assert not ours(mit.file, namesake.encode())


def test_a_list_that_is_replaced_all_the_time_is_never_read_wrongly(tmp_path: Path) -> None:
    """alice is on every version, bob on every other one, eve on none."""
    path, done = tmp_path / "list", threading.Event()

    def replace() -> None:
        for number in range(150):
            new = tmp_path / "new"
            new.write_text("alice@XMAN.TEST\n" + ("bob@XMAN.TEST\n" * (number % 2)))
            new.chmod(0o600)
            new.rename(path)
            time.sleep(0.005)
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    while not path.exists():
        time.sleep(0.001)
    answers = []
    while not done.is_set():
        found = k5login.read(str(path))
        answers.append((found.permits(b"alice@XMAN.TEST"), found.permits(b"eve@XMAN.TEST")))
    writer.join()

    assert set(answers) == {(True, False)}
