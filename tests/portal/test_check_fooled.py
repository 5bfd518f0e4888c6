"""Ways to fool `rxmweb check`: each is what a start, a browser or the collector would stumble over, and is told."""

import os
import shutil
import sqlite3
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from rxmweb import check
from rxmweb.check import certificate, database, files, kerberos, parts, user
from rxmweb.settings import Collector, Proxy, Settings
from tests.lab.portal.portal import make_certificate
from xman import keytab
from xman.finding import BAD, NOTE
from xman.keytab import Key

KEYS = [Key("HTTP/portal.example.org@EXAMPLE.ORG", 2, "aes256-cts-hmac-sha1-96")]


def told(found: object, kind: str, *words: str) -> None:
    """Assert that one of the findings is of this kind, and has these words."""
    lines = list(found)  # type: ignore[call-overload]
    assert [line for one, line in lines if one == kind and all(word in line for word in words)], lines


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    """The keys of every keytab."""
    found = list(KEYS)
    monkeypatch.setattr(keytab, "read", lambda _name: found)
    return found


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be read or written: the user of the check may be root, who may always."""
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)


def test_a_file_of_another_user(tmp_path: Path, denied: None) -> None:
    path = tmp_path / "key.pem"
    path.touch()

    assert f"{user.own_name()} cannot read {path}; chown {user.own_name()} it" in files.unreadable(str(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert files.unreadable(f"FILE:{tmp_path}/x").startswith(f"{tmp_path}/x does not exist; create it")


@pytest.mark.parametrize(("mode", "problem"), [(0o600, False), (0o640, False), (0o644, True), (0o660, True)])
def test_a_secret_that_others_reach(tmp_path: Path, mode: int, problem: bool) -> None:
    path = tmp_path / "keytab"
    path.touch()
    path.chmod(mode)

    assert bool(files.open_to_others(str(path))) == problem


def test_a_directory_that_others_can_change(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    told([files.writable("run_dir", str(tmp_path))], BAD, "can be changed by others", "chmod 700")


def test_a_directory_of_another_user(tmp_path: Path, denied: None) -> None:
    told([files.writable("run_dir", str(tmp_path))], BAD, "cannot be written by this user")


# --- the user ---------------------------------------------------------------------------------------------------------

BECOME = """
import os, sys
from pathlib import Path
from rxmweb.check import user
user._UNITS = (Path(sys.argv[1]),)
print(user.become(), os.geteuid(), os.getegid())
"""


def become(unit: Path, text: str) -> str:
    """Return what is said where root looks and the unit has this text, and who looks then."""
    unit.write_text(text)
    unit.parent.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", BECOME, str(unit)], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_looks_as_the_user_of_the_units(tmp_path: Path) -> None:
    unit = tmp_path / "rxmweb.service"

    said = become(unit, "[Service]\nUser=root\nUser=nobody\n")
    unknown = become(unit, "[Service]\nUser=xman-no-such-user\n")

    assert said.startswith(f"('ok', 'user: nobody, as whom {unit} runs the portal') ")
    assert " 0 " not in said
    assert unknown.startswith("('BAD', 'user: ")
    assert "useradd --system xman-no-such-user" in unknown
    assert become(unit, "[Service]\nUser=root\n") == "None 0 0"


# --- the database -----------------------------------------------------------------------------------------------------


def test_a_database_in_memory() -> None:
    for dsn in ("sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"):
        told([database.check(dsn)], BAD, "in memory")


def test_a_database_by_a_relative_path() -> None:
    told([database.check("sqlite:///portal.db")], BAD, "'portal.db' is relative", "sqlite:////")


def test_a_database_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    told([database.check(f"sqlite:///{tmp_path}/fifo")], BAD, "is not a file")
    told([database.check(f"sqlite:///{tmp_path}")], BAD, "is not a file")


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
def test_a_part_of_the_database_that_is_anothers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    for name in ("portal.db", f"portal.db{end}"):
        (tmp_path / name).touch()
    theirs, access = f"{tmp_path}/portal.db{end}", os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != theirs and access(path, mode))

    told([database.check(f"sqlite:///{tmp_path}/portal.db")], BAD, theirs, "chown it")


def test_a_database_of_a_later_release(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "portal.db") as made:
        made.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        made.execute("INSERT INTO alembic_version VALUES ('9999')")
    made.close()

    told([database.check(f"sqlite:///{tmp_path}/portal.db")], NOTE, "a later release", "9999")


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    told([database.check("postgresql://a@localhost/b")], BAD, "install python3-psycopg")


# --- Kerberos ---------------------------------------------------------------------------------------------------------


def test_a_keytab_that_everybody_reads_and_a_weak_key(tmp_path: Path) -> None:
    path = tmp_path / "keytab"
    path.touch(0o644)
    path.chmod(0o644)
    weak = Key("HTTP/x@R", 1, "arcfour-hmac")

    found = list(kerberos._kept("keytab", str(path), [*KEYS, weak, weak]))

    told(found, BAD, "readable by users other")
    told(found, BAD, "HTTP/x@R has a key of type arcfour-hmac, which is weak")
    assert len(found) == 2


def test_the_hosts_keytab_is_not_the_portals() -> None:
    told(kerberos.sign_on(Settings(service="nosuchservice")), BAD, "that is the host's; give the portal one")


def test_krb5_conf_of_another_realm(monkeypatch: pytest.MonkeyPatch, keys: list[Key]) -> None:
    tickets = pytest.importorskip("xman.gss.tickets")
    monkeypatch.setattr(tickets, "default_realm", lambda: "OTHER.ORG")
    told(kerberos._realm(Settings()), BAD, "krb5.conf says OTHER.ORG", "are of EXAMPLE.ORG")

    def none() -> str:
        raise LookupError

    monkeypatch.setattr(tickets, "default_realm", none)
    told(kerberos._realm(Settings()), BAD, "krb5.conf is missing or names no default_realm")


def collector(tmp_path: Path, principal: str = "", name: str = "keytab") -> list[tuple[str, str]]:
    """Return what is found of the collector of a portal to which all hosts report."""
    (tmp_path / "keytab").touch(0o600)
    chosen = Collector(client_keytab=f"{tmp_path}/{name}", principal=principal)
    return list(kerberos.collector(Settings(collector=chosen)))


def test_a_collectors_keytab_where_no_host_is_asked(tmp_path: Path, keys: list[Key]) -> None:
    told(collector(tmp_path, name="nosuch"), BAD, "does not exist")
    told(collector(tmp_path, "rxmweb/portal"), BAD, "no key of rxmweb/portal", "but of HTTP/portal.example.org@")
    assert collector(tmp_path, "HTTP/portal.example.org") == []
    keys.clear()
    told(collector(tmp_path), BAD, "has no key; add one")


def test_a_collectors_keytab_that_is_none(tmp_path: Path) -> None:
    told(collector(tmp_path), BAD, "is not a keytab", "get one by kadmin's ktadd")


def test_a_collector_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KRB5CCNAME", "KRB5_CLIENT_KTNAME"):
        monkeypatch.delenv(name, raising=False)

    told(kerberos.collector(Settings()), NOTE, "the portal's units have no tickets of their own; set it")


# --- what the configuration says --------------------------------------------------------------------------------------


def test_a_key_in_the_table_before_it() -> None:
    assert check._remedy("/etc/xman/rxmweb.toml: collector.readers").startswith("readers belongs to no table: move it")
    assert check._remedy("/etc/xman/rxmweb.toml: collector.x") == "remove it or correct its spelling"
    assert check._remedy("/etc/xman/rxmweb.toml: reader") == "remove it or correct its spelling"


def test_a_realm_in_small_letters(keys: list[Key]) -> None:
    accepting = Collector(accepters=("carol@example.org",))
    settings = Settings(readers=("alice@example.org", "bob@EXAMPLE.ORG", "*"), collector=accepting)

    found = list(check._people(settings))

    told(found, BAD, "readers: 'alice@example.org' is nobody: the realm is called EXAMPLE.ORG")
    told(found, BAD, "collector.accepters: 'carol@example.org' is nobody")
    assert len(found) == 2


def test_hosts_without_an_address_behind_those_that_are_asked() -> None:
    some = Settings(hosts=("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "no such", "nor this"))

    told(check._names(some), NOTE, "2 of 6 have no address: no such, nor this; correct")
    told(check._names(Settings(hosts=("no such",))), BAD, "1 of 1")
    assert list(check._names(Settings(hosts=("127.0.0.1",)))) == []


def test_a_proxys_secret_that_everybody_reads(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    secret.chmod(0o644)

    found = list(check._proxy(Settings(proxy=Proxy(user_header="X", secret_file=str(secret)))))

    told(found, BAD, f"proxy.secret_file: {secret} is readable by users other")
    told(found, NOTE, "proxy.cache_header: none")


# --- certificates -----------------------------------------------------------------------------------------------------


def of_certificate(directory: Path) -> list[tuple[str, str]]:
    """Return what is found of the certificate there."""
    settings = Settings(certificate=f"{directory}/certificate.pem", key=f"{directory}/key.pem")
    return list(certificate.check(settings, ["portal.example.org"]))


def openssl(*words: str, cwd: Path) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *words], cwd=cwd, check=True, capture_output=True)


def test_a_key_with_a_passphrase_is_not_asked_for(tmp_path: Path) -> None:
    make_certificate(tmp_path, "portal.example.org")
    openssl("pkey", "-in", "key.pem", "-aes256", "-passout", "pass:x", "-out", "locked.pem", cwd=tmp_path)
    (tmp_path / "locked.pem").replace(tmp_path / "key.pem")

    told(of_certificate(tmp_path), BAD, "the key has a passphrase", "openssl pkey")


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    make_certificate(tmp_path, "portal.example.org")
    make_certificate(tmp_path / "other", "portal.example.org")
    shutil.copy(tmp_path / "other" / "key.pem", tmp_path)

    told(of_certificate(tmp_path), BAD, "the key is not the certificate's")


def test_a_certificate_in_another_format(tmp_path: Path) -> None:
    make_certificate(tmp_path, "portal.example.org")
    openssl("x509", "-in", "certificate.pem", "-outform", "DER", "-out", "der", cwd=tmp_path)
    (tmp_path / "der").replace(tmp_path / "certificate.pem")

    told(of_certificate(tmp_path), BAD, "certificate: ")


def test_both_files_of_a_certificate_are_missing(tmp_path: Path) -> None:
    found = of_certificate(tmp_path)

    assert [line.partition("; ")[0] for _kind, line in found] == [
        f"certificate: {tmp_path}/certificate.pem does not exist",
        f"certificate: {tmp_path}/key.pem does not exist",
    ]


def test_a_certificate_that_ends_soon(tmp_path: Path) -> None:
    make_certificate(tmp_path, "portal.example.org")
    openssl(
        *("req", "-x509", "-key", "key.pem", "-days", "3", "-subj", "/CN=portal.example.org"),
        *("-addext", "subjectAltName=DNS:portal.example.org", "-out", "certificate.pem"),
        cwd=tmp_path,
    )

    told(of_certificate(tmp_path), NOTE, "ends in ", "get a new one")


# --- the installation -------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of what the portal has beside its modules."""
    folder = Path(str(resources.files("rxmweb")))
    for name in ("templates", "static", "locale"):
        shutil.copytree(folder / name, tmp_path / name)
    return tmp_path


def test_a_whole_installation(installed: Path) -> None:
    assert list(parts.check(installed)) == []
    assert list(parts.check()) == []


@pytest.mark.parametrize(
    "name", ["templates/table.html", "templates/macros.html", "static/portal.js", "locale/cs.po", "templates", "static"]
)
def test_a_part_that_is_missing(installed: Path, name: str) -> None:
    path = installed / name
    path.rename(installed / "elsewhere")

    told(parts.check(installed), BAD, name.partition("/")[0], "Install it anew")


def test_a_template_that_is_damaged(installed: Path) -> None:
    (installed / "templates" / "table.html").write_text("{% if %}")

    told(parts.check(installed), BAD, "templates/table.html is damaged")


def test_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rxmweb.web.serve", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    told(parts.check(), BAD, "uvicorn", "pip's xman[portal]")
