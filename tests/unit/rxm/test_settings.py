"""rxm.toml: what names no host must not become this machine, or all."""

from pathlib import Path

import pytest

from rxm import settings
from xman.errors import ConfigurationError


@pytest.mark.parametrize("text", ["hosts = []", 'hosts = [""]', 'hosts = ["a", ""]'])
def test_hosts_that_name_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rxm.toml"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match="names no host; leave it out for this machine"):
        settings.load(str(path))


@pytest.mark.parametrize("host", ["", " "])
def test_a_domain_on_no_host(tmp_path: Path, host: str) -> None:
    path = tmp_path / "rxm.toml"
    path.write_text(f'[domains]\nvm1 = "{host}"\n')

    with pytest.raises(ConfigurationError, match="'vm1' is on no host"):
        settings.load(str(path))
