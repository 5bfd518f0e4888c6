"""Debian's packages in fresh roots: they install with what Debian has, xmand starts, rxm works, purge purges.

Run by `make test-deb`, as root.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import xman
from rxm import launcher
from tests.conftest import PASSWORD
from tests.deb.conftest import WITHOUT_PORTAL, Debian
from tests.lab.hosts.daemon import START_SECONDS
from tests.lab.kerberos.realm import FQDN, Realm, without_wrapper
from tests.lab.process import end, wait_for

MODULES = "/usr/lib/python3/dist-packages"


def deb(debs: list[Path], package: str) -> Path:
    """Return the file of one of our packages."""
    (found,) = [path for path in debs if path.name.startswith(f"{package}_")]
    return found


@pytest.fixture(scope="module")
def debian(
    fresh: Callable[[], Path], debs: list[Path], realm: Realm, tmp_path_factory: pytest.TempPathFactory
) -> Debian:
    """A fresh root with all our packages, and with the realm's files under the same names."""
    env = realm.kinit("alice", PASSWORD, "deb")
    made = Debian(fresh(), without_wrapper(env))
    made.env["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    for path in (env["KRB5_CONFIG"], env["KRB5CCNAME"].removeprefix("FILE:"), realm.keytab):
        made.path(path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, made.path(path))
    made.path("/etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.0.2 {FQDN} skirit80\n")
    made.install(debs)
    return made


@pytest.fixture(scope="module")
def port(debian: Debian, realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """xmand in it, with libvirt's test driver and alice on its list."""
    k5login = debian.path("/root/.k5login")
    k5login.write_text("alice@XMAN.TEST\n")
    k5login.chmod(0o600)
    debian.path("/etc/xman/xmand.toml").write_text(
        f'listen = ["127.0.0.2:0"]\nkeytab = "{realm.keytab}"\nlibvirt_uri = "test:///default"\nsyslog = "none"\n'
    )
    stderr = tmp_path_factory.mktemp("xmand") / "stderr"
    started = debian.start("xmand", "--foreground", stderr=stderr)
    wait_for(lambda: "listens on" in stderr.read_text() or started.poll() is not None, START_SECONDS, "xmand's start")
    found = re.search(r"listens on \S*:(\d+)", stderr.read_text())
    assert found is not None, stderr.read_text()
    yield int(found[1])
    assert end(started) == 0


def test_rxm_needs_python3_gssapi_only(debs: list[Path]) -> None:
    command = ["dpkg-deb", "-f", str(deb(debs, "rxm")), "Depends"]
    fields = subprocess.run(command, capture_output=True, text=True, check=True)

    assert {word.split()[0] for word in fields.stdout.split(",")} == {"python3-xman", "python3-gssapi", "python3:any"}


def test_the_portal_is_built_where_debian_has_what_it_needs(debs: list[Path], release: str) -> None:
    names = {path.name.split("_")[0] for path in debs}

    assert names == {"python3-xman", "rxm", "xman-xm", "xmand"} | (set() if release in WITHOUT_PORTAL else {"rxmweb"})


def test_rxm_works(debian: Debian, port: int) -> None:
    found = debian.run("rxm", "-H", FQDN, "-p", str(port), "list")

    assert found.status == 0, found
    assert found.stdout.splitlines()[1].startswith("test ")


@pytest.mark.parametrize("backend", ["direct", "python-gssapi"])
def test_either_backend_works_with_debians_libraries(debian: Debian, port: int, backend: str) -> None:
    found = debian.run("env", f"RXM_GSS={backend}", "rxm", "-H", FQDN, "-p", str(port), "ping")

    assert found.status == 0, found
    assert "alice@XMAN.TEST" in found.stdout


def test_scripts_written_for_xm_find_it(debian: Debian) -> None:
    for program in ("xm", "xl"):
        done = debian.run(f"/usr/lib/xman-xm/{program}", "no-such-verb")

        # Theirs was 1 for whatever failed; rxm's own is 2 for such a word.
        assert done.status == 1, done


def test_ranges_work(debian: Debian, port: int) -> None:
    assert debian.run("rxm", "-H", "skirit[80-80].xman.test", "-p", str(port), "list").status == 0


def test_a_change_works(debian: Debian, port: int) -> None:
    found = debian.run("rxm", "-H", FQDN, "-p", str(port), "-j", "pause", "test")

    assert found.json()["changed"] is True


def test_the_portal_starts_with_debians_libraries(debian: Debian, release: str) -> None:
    """It finds no host yet, and says so: everything that it imports is there."""
    if release in WITHOUT_PORTAL:
        assert not debian.path("/usr/bin/rxmweb").exists()
        return

    found = debian.run("rxmweb", "check")

    assert found.status == 2, found
    assert "Traceback" not in found.stderr


def test_the_modules_are_compiled_at_installation(debian: Debian) -> None:
    modules = debian.path(f"{MODULES}/rxm")

    assert list((modules / "__pycache__").glob("cli.*.pyc"))
    assert (modules / launcher.FILE).is_file()


def test_a_build_tells_which_it_is(debian: Debian) -> None:
    version = debian.must("dpkg-query", "-W", "-f", "${Version}", "rxm")

    assert re.fullmatch(re.escape(xman.__version__) + r"\+\d{14}\.g[0-9a-f]{10}(\.dirty)?", version)
    assert debian.must("rxm", "--version") == f"rxm {version}\n"


def test_no_package_has_a_conffile(debian: Debian) -> None:
    assert not debian.must("dpkg-query", "-W", "-f", "${Conffiles}", "python3-xman", "rxm", "xmand").strip()


def test_a_first_installation_makes_the_configuration_from_the_example(debian: Debian) -> None:
    assert (
        debian.path("/etc/xman/rxm.toml").read_text() == debian.path("/usr/share/doc/rxm/examples/rxm.toml").read_text()
    )


def test_what_the_pages_name_is_there(debian: Debian) -> None:
    pages = debian.path("/usr/share/man").glob("man*/*")
    ours = [page for page in pages if page.name.startswith(("rxm", "xman"))]
    text = "".join(debian.must("zcat", f"/{page.relative_to(debian.root)}") for page in ours)
    named = {word.replace("\\-", "-") for word in re.findall(r"/usr/share/(?:doc|xman)[^ ,)\n]*", text)}

    assert named
    assert not [name for name in named if not debian.path(name).exists()]


def test_units_are_not_enabled(debian: Debian) -> None:
    assert not list(debian.path("/etc/systemd/system").rglob("xmand*"))


def test_a_removal_ends_what_runs_and_an_upgrade_restarts_it(debs: list[Path], tmp_path: Path) -> None:
    for package in {"xmand", "rxmweb"} & {path.name.split("_")[0] for path in debs}:
        subprocess.run(["dpkg-deb", "-e", deb(debs, package), tmp_path / package], check=True)

        assert "deb-systemd-invoke stop" in (tmp_path / package / "prerm").read_text()
        assert "_dh_action=restart" in (tmp_path / package / "postinst").read_text()


def test_nothing_is_left_when_they_are_purged(fresh: Callable[[], Path], debs: list[Path]) -> None:
    debian = Debian(fresh())
    before = {path for path in debian.root.rglob("*") if not path.is_relative_to(debian.path("/var/lib/dpkg"))}
    debian.install(debs)
    for name in {"xmand", "rxmweb"} & {path.name.split("_")[0] for path in debs}:
        debian.path(f"/var/lib/{name}").mkdir()
        debian.path(f"/var/lib/{name}/what-it-wrote.db").touch()

    debian.purge(debs)

    after = {path for path in debian.root.rglob("*") if not path.is_relative_to(debian.path("/var/lib/dpkg"))}
    left = {str(path.relative_to(debian.root)) for path in after - before}
    assert not {name for name in left if re.search(r"xman|rxm", name)}
