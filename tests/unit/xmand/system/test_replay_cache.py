"""Kerberos' replay cache (`xmand.system.replay_cache`): found switched off in each of the ways there are."""

import os
from pathlib import Path

import pytest

from xman.errors import ConfigurationError
from xmand.system import replay_cache


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in ("KRB5RCACHENAME", "KRB5RCACHETYPE", "KRB5RCACHEDIR"):
        monkeypatch.setenv(key, "")
    monkeypatch.setenv("KRB5_CONFIG", str(tmp_path / "krb5.conf"))


def test_it_is_kept_in_the_run_directory(tmp_path: Path) -> None:
    replay_cache.use(str(tmp_path / "run"))

    assert os.environ["KRB5RCACHEDIR"] == str(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("name", "value"), [("KRB5RCACHENAME", "none:"), ("KRB5RCACHETYPE", "none")])
def test_the_environment_may_not_switch_it_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match="KRB5RCACHENAME"):
        replay_cache.use(str(tmp_path / "run"))


@pytest.mark.parametrize("where", ["krb5.conf", "included", "krb5.conf.d/site"])
def test_krb5_conf_may_not_switch_it_off(tmp_path: Path, where: str) -> None:
    (tmp_path / "krb5.conf.d").mkdir()
    (tmp_path / "krb5.conf").write_text(f"include {tmp_path}/included\nincludedir {tmp_path}/krb5.conf.d\n")
    with (tmp_path / where).open("a") as file:
        file.write("[libdefaults]\n  default_rcache_name = none:\n")

    with pytest.raises(ConfigurationError, match=f"{where}: default_rcache_name"):
        replay_cache.use(str(tmp_path / "run"))


def test_krb5_conf_may_say_where_else(tmp_path: Path) -> None:
    (tmp_path / "krb5.conf").write_text(
        f"include {tmp_path}/krb5.conf\n[libdefaults]\n# default_rcache_name = none:\ndefault_rcache_name = dfl:\n"
    )

    replay_cache.use(str(tmp_path / "run"))


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="run_dir: "):
        replay_cache.use(str(tmp_path / "file" / "run"))
