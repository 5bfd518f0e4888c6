"""The list of administrators: whom it allows, and which files are not to be trusted at all.

The rows were tried against MIT's libkrb5; wherever we allow, MIT with the file present allows as well, and never the
other way round.
"""

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xmand.authorize import k5login
from xmand.authorize.k5login import MOST_LINE_OCTETS, MOST_OCTETS, K5loginError

ALICE = b"alice@EXAMPLE.ORG"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".k5login"


def write(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def problem(path: Path) -> str:
    """Return what is wrong with a list that must not be used."""
    with pytest.raises(K5loginError) as caught:
        k5login.read(str(path))
    before, allowed, after = str(caught.value).partition("; nobody is authorized")
    assert before.startswith(f"{path}: ")
    assert allowed
    return before.removeprefix(f"{path}: ") + after


# --- who is on it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"alice@EXAMPLE.ORG\n",
        b"alice@EXAMPLE.ORG",
        b"bob@EXAMPLE.ORG\nalice@EXAMPLE.ORG\n",
        b"\n\nalice@EXAMPLE.ORG\n\n",
        b"alice@EXAMPLE.ORG\nalice@EXAMPLE.ORG\n",
        b"not a principal\nalice@EXAMPLE.ORG\n",
    ],
    ids=["line", "no-final-newline", "second", "blank-lines", "twice", "after-a-slip"],
)
def test_an_exact_line_allows(file: Path, content: bytes) -> None:
    assert k5login.read(str(write(file, content))).permits(ALICE)


@pytest.mark.parametrize(
    ("content", "principal"),
    [
        (b"alice@EXAMPLE.ORG \n", ALICE),
        (b"alice@EXAMPLE.ORG\t\n", ALICE),
        (b" alice@EXAMPLE.ORG\n", ALICE),
        (b"alice@EXAMPLE.ORG\r\n", ALICE),
        (b"\xef\xbb\xbfalice@EXAMPLE.ORG\n", ALICE),
        (b"alice@EXAMPLE.ORG # x\n", ALICE),
        (b"#alice@EXAMPLE.ORG\n", ALICE),
        (b"# alice@EXAMPLE.ORG\n", b"# alice@EXAMPLE.ORG"),
        (b"#alice@EXAMPLE.ORG\n", b"#alice@EXAMPLE.ORG"),
        (b"alice\n", ALICE),
        (b"alice\n", b"alice"),
        (b"Alice@EXAMPLE.ORG\n", ALICE),
        (b"alice@example.org\n", ALICE),
        (b"*@EXAMPLE.ORG\n", ALICE),
        (b"*\n", ALICE),
        (b"alice@*\n", ALICE),
        (b"alice@EXAMPLE.ORG\n", b"alice/admin@EXAMPLE.ORG"),
        (b"alice/admin@EXAMPLE.ORG\n", ALICE),
        (b"alice@EXAMPLE.ORG\n", b"alice@OTHER.ORG"),
        (b"alice@EXAMPLE.ORG\n", b"alice@EXAMPLE.OR"),
        (b"alice@EXAMPLE.ORG\n", b"lice@EXAMPLE.ORG"),
        (b"alice@EXAMPLE.ORG\n", b"alice@EXAMPLE.ORG\n"),
        (b"alice@EXAMPLE.ORG,bob@EXAMPLE.ORG\n", ALICE),
        (b"al\xc3\xadce@EXAMPLE.ORG\n", b"al\xc3\xadce@EXAMPLE.ORG"),
        (b"\nbob@EXAMPLE.ORG\n", b""),
        (b"alice@EXAMPLE.ORG\x0bbob@EXAMPLE.ORG\n", ALICE),
        (b"bob@EXAMPLE.ORG\ralice@EXAMPLE.ORG\n", ALICE),
    ],
)
def test_anything_else_denies(file: Path, content: bytes, principal: bytes) -> None:
    assert not k5login.read(str(write(file, content))).permits(principal)


def test_every_printable_sign_may_be_in_a_name_and_no_other(file: Path) -> None:
    names = {octet: b"a" + bytes([octet]) + b"b@R" for octet in range(256) if octet not in b"\n\0"}

    access = k5login.read(str(write(file, b"\n".join(names.values()))))

    assert {octet for octet, name in names.items() if access.permits(name)} == set(range(0x21, 0x7F))


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n\n"])
@pytest.mark.parametrize("principal", [ALICE, b"root@EXAMPLE.ORG", b""])
def test_an_empty_list_is_a_valid_nobody(file: Path, content: bytes, principal: bytes) -> None:
    access = k5login.read(str(write(file, content)))

    assert not access.permits(principal)
    assert access.entries == frozenset()
    assert access.warnings == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.lists(st.sampled_from([ALICE, b"\n", b" ", b"#", b"\r", b"@", b"bob", b"\xff", b"*"])).map(b"".join))
def test_whoever_is_allowed_stands_on_a_line_as_mit_reads_it(file: Path, content: bytes) -> None:
    access = k5login.read(str(write(file, content)))

    assert access.entries <= set(content.split(b"\n"))


# --- slips ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"alice@EXAMPLE.ORG ", "holds white space or an octet that is not ASCII"),
        (b"alice@EXAMPLE.ORG\r", "holds white space or an octet that is not ASCII"),
        (b"\xef\xbb\xbfalice@EXAMPLE.ORG", "holds white space or an octet that is not ASCII"),
        (b"alice@EXAMPLE.ORG # x", "holds white space or an octet that is not ASCII"),
        (b"# alice@EXAMPLE.ORG", "looks like a comment, and .k5login has none"),
        (b"alice", "names no realm"),
        (b"alice\\@EXAMPLE.ORG", "names no realm"),
    ],
)
def test_a_slip_is_reported_with_its_line_number(file: Path, line: bytes, what: str) -> None:
    access = k5login.read(str(write(file, b"bob@EXAMPLE.ORG\n\n" + line + b"\ncarol@EXAMPLE.ORG\n")))

    assert access.warnings == (f"{file}: line 3 {what}, so it authorizes nobody",)
    assert access.entries == {b"bob@EXAMPLE.ORG", b"carol@EXAMPLE.ORG"}


def test_two_principals_on_a_line_are_reported(file: Path) -> None:
    access = k5login.read(str(write(file, b"alice@EXAMPLE.ORG,bob@EXAMPLE.ORG\n")))

    assert access.warnings == (f"{file}: line 1 has more than one '@'; write one principal on a line",)
    assert not access.permits(ALICE)


def test_an_enterprise_name_is_no_slip(file: Path) -> None:
    access = k5login.read(str(write(file, b"alice\\@example.com@EXAMPLE.ORG\n")))

    assert access.warnings == ()


def test_every_slip_is_reported(file: Path) -> None:
    access = k5login.read(str(write(file, b"alice\n# x\nalice@EXAMPLE.ORG\nbob\n")))

    assert [warning.split()[2] for warning in access.warnings] == ["1", "2", "4"]


# --- files that are not to be trusted ---------------------------------------------------------------------------------


def test_an_absent_file_denies_everyone(file: Path) -> None:
    """MIT would allow root@REALM here."""
    assert problem(file) == "No such file or directory"


def test_an_absent_directory_denies_everyone(tmp_path: Path) -> None:
    assert problem(tmp_path / "absent" / ".k5login") == "No such file or directory"


def test_a_symbolic_link_denies_everyone(file: Path, tmp_path: Path) -> None:
    file.symlink_to(write(tmp_path / "list", ALICE))

    assert problem(file) == "Too many levels of symbolic links"


def test_a_dangling_symbolic_link_denies_everyone(file: Path, tmp_path: Path) -> None:
    """MIT would allow root@REALM here."""
    file.symlink_to(tmp_path / "absent")

    assert problem(file) == "Too many levels of symbolic links"


def test_a_directory_denies_everyone(file: Path) -> None:
    file.mkdir(mode=0o700)

    assert problem(file) == "is not a regular file"


def test_a_fifo_denies_everyone_and_is_not_waited_for(file: Path) -> None:
    os.mkfifo(file, 0o600)

    assert problem(file) == "is not a regular file"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o664, 0o666, 0o622, 0o777])
def test_a_file_that_others_can_write_denies_everyone(file: Path, mode: int) -> None:
    assert problem(write(file, ALICE, mode)) == f"is writable by others (mode {mode:04o}); run chmod go-w"


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o644, 0o755])
def test_a_file_that_others_can_only_read_is_fine(file: Path, mode: int) -> None:
    assert k5login.read(str(write(file, ALICE, mode))).permits(ALICE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses_file_denies_everyone(file: Path) -> None:
    write(file, ALICE)
    os.chown(file, 1234, 0)

    assert problem(file) == "is owned by uid 1234, not by root"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"alice@EXAMPLE.ORG\0garbage\n", 1),
        (b"\0", 1),
        (b"alice@EXAMPLE.ORG\n\0\nbob@EXAMPLE.ORG\n", 2),
        (b"alice@EXAMPLE.ORG\nbob@EXAMPLE.ORG\n\0", 3),
    ],
)
def test_a_nul_octet_denies_everyone(file: Path, content: bytes, line: int) -> None:
    """MIT would allow the first row, and read the lines behind a NUL differently from what they look like."""
    assert problem(write(file, content)) == f"line {line} holds a NUL octet"


def test_the_numbers_are_mits_buffer_and_a_mebibyte() -> None:
    assert (MOST_LINE_OCTETS, MOST_OCTETS) == (8190, 1_048_576)


def test_a_line_longer_than_mits_buffer_denies_everyone(file: Path) -> None:
    content = ALICE + b"\n" + b"x" * (MOST_LINE_OCTETS + 1) + b"\n"

    assert problem(write(file, content)) == f"line 2 is longer than {MOST_LINE_OCTETS} octets"


def test_a_line_as_long_as_that_is_fine(file: Path) -> None:
    name = b"x" * (MOST_LINE_OCTETS - 2) + b"@R"

    assert k5login.read(str(write(file, name + b"\n" + ALICE))).permits(name)


def test_a_file_larger_than_the_limit_denies_everyone(file: Path) -> None:
    line = ALICE + b"\n"
    content = line * (MOST_OCTETS // len(line) + 1)

    assert problem(write(file, content)) == f"is larger than {MOST_OCTETS} octets"


def test_a_file_as_large_as_the_limit_is_fine(file: Path) -> None:
    content = ALICE + b"\n" * (MOST_OCTETS - len(ALICE))

    assert k5login.read(str(write(file, content))).permits(ALICE)


# --- changes ----------------------------------------------------------------------------------------------------------


def test_every_reading_is_of_the_file_as_it_is_now(file: Path) -> None:
    write(file, ALICE)
    first = k5login.read(str(file))

    write(file, b"bob@EXAMPLE.ORG\n")
    second = k5login.read(str(file))

    assert first.permits(ALICE)
    assert not second.permits(ALICE)
    assert first.sha256 != second.sha256


def test_a_file_that_was_replaced_while_it_was_read_is_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file, ALICE)
    plain_read = os.read

    def read_while_replacing(descriptor: int, length: int) -> bytes:
        monkeypatch.setattr(os, "read", plain_read)
        write(file.with_name("new"), b"bob@EXAMPLE.ORG\n").rename(file)
        return plain_read(descriptor, length)

    monkeypatch.setattr(os, "read", read_while_replacing)

    assert k5login.read(str(file)).entries == {b"bob@EXAMPLE.ORG"}


def test_a_file_that_never_holds_still_denies_everyone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file, ALICE)
    plain_read = os.read
    monkeypatch.setattr(k5login, "_TRY_SECONDS", 0.0)

    def read_while_replacing(descriptor: int, length: int) -> bytes:
        write(file.with_name("new"), ALICE).rename(file)
        return plain_read(descriptor, length)

    monkeypatch.setattr(os, "read", read_while_replacing)

    assert problem(file) == "changes while it is read (replace it by renaming)"


def test_a_file_that_is_being_rewritten_is_tried_for_a_tenth_of_a_second(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, ALICE)
    slept: list[float] = []
    monkeypatch.setattr(k5login.time, "sleep", slept.append)  # type: ignore[attr-defined]
    monkeypatch.setattr(os, "read", lambda _descriptor, _length: b"")

    assert problem(file).startswith("changes while it is read"), "less was read than there is"
    assert slept == [0.03] * 3


def test_no_descriptor_is_left_open(file: Path) -> None:
    write(file, ALICE)
    before = os.listdir("/proc/self/fd")  # noqa: PTH208

    for _time in range(5):
        k5login.read(str(file))
    file.chmod(0o666)
    problem(file)

    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208


def test_a_reading_cannot_be_altered(file: Path) -> None:
    with pytest.raises(FrozenInstanceError):
        k5login.read(str(write(file, ALICE))).entries = frozenset()  # type: ignore[misc]


def test_a_file_that_was_removed_while_it_was_read_denies_everyone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file, ALICE)
    plain_read = os.read

    def read_while_removing(descriptor: int, length: int) -> bytes:
        file.unlink(missing_ok=True)
        return plain_read(descriptor, length)

    monkeypatch.setattr(os, "read", read_while_removing)

    assert problem(file) == "No such file or directory"


def test_hash_and_age_say_which_version_is_in_force(file: Path) -> None:
    write(file, b"abc")
    os.utime(file, (1_000_000, 1_000_000))

    access = k5login.read(str(file))

    assert access.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert access.modified == 1_000_000
