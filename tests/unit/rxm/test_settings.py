"""rxm.toml: its defaults, every key, what is wrong in it, and which file is read (`rxm.settings`)."""

from pathlib import Path

import pytest

import rxm.settings
from xman.errors import ConfigurationError

# DESIGN, "Configuration": rxm.toml.
RXM_DEFAULTS = {
    "hosts": "",
    "groups": {},
    "domains": {},
    "port": 4373,
    "service": "host",
    "fanout": 64,
    "client_keytab": "",
    "principal": "",
    "connect_seconds": 10.0,
    "portal": "",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "x.toml"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the machine's own files out, and return where rxm looks for the user's."""
    monkeypatch.setattr(rxm.settings, "SYSTEM_PATH", str(tmp_path / "system.toml"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "xman" / "rxm.toml"


def as_dict(settings: rxm.settings.Settings) -> dict[str, object]:
    """Return every setting by its name."""
    return {name: getattr(settings, name) for name in settings.__slots__}


def test_rxm_has_the_published_defaults(nowhere: Path) -> None:
    assert as_dict(rxm.settings.load("")) == RXM_DEFAULTS


def test_every_key_of_rxm_toml_is_read(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(
        """
        hosts = ["skirit80", "@cluster"]
        port = 1
        service = "xman"
        fanout = 2
        client_keytab = "/k"
        principal = "slurm/ctl"
        connect_seconds = 2.5
        portal = "https://p:1"
        [groups]
        cluster = "skirit[81-84]"
        [domains]
        "vm[1-2]" = "skirit80"
        """
    )

    assert as_dict(rxm.settings.load(str(file))) == {
        "hosts": "skirit80,@cluster",
        "groups": {"cluster": "skirit[81-84]"},
        "domains": {"vm[1-2]": "skirit80"},
        "port": 1,
        "service": "xman",
        "fanout": 2,
        "client_keytab": "/k",
        "principal": "slurm/ctl",
        "connect_seconds": 2.5,
        "portal": "https://p:1",
    }
    assert capsys.readouterr() == ("", "")


def test_the_users_file_comes_before_the_systems(nowhere: Path) -> None:
    Path(rxm.settings.SYSTEM_PATH).write_text("port = 1\n")
    assert rxm.settings.load("").port == 1

    nowhere.parent.mkdir(parents=True)
    nowhere.write_text("port = 2\n")
    assert rxm.settings.load("").port == 2


def test_without_xdg_config_home_the_users_file_is_under_home(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(nowhere.parent))
    path = nowhere.parent / ".config" / "xman" / "rxm.toml"
    path.parent.mkdir(parents=True)
    path.write_text("port = 3\n")

    assert rxm.settings.load("").port == 3


def test_an_empty_environment_as_schedulers_give_is_fine(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME", raising=False)

    assert rxm.settings.load("").port == 4373


def test_rxm_goes_on_with_unknown_keys_and_says_so(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("colour = 1\n")

    rxm.settings.load(str(file))

    assert capsys.readouterr() == ("", f"rxm: {file}: colour: not known to this release\n")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('hosts = "skirit80"', "hosts"),
        ("port = 0", "port"),
        ("port = 65536", "port"),
        ("fanout = true", "fanout"),
        ("portal = 'http://p'", "portal"),
        ("portal = 'https://a@b'", "portal"),
        ("[groups]\nall = 1", "groups.all"),
        ("[domains]\nvm1 = ['a']", "domains.vm1"),
    ],
)
def test_a_wrong_type_in_rxm_toml_names_file_and_key(file: Path, line: str, key: str) -> None:
    file.write_text(line)

    with pytest.raises(ConfigurationError) as caught:
        rxm.settings.load(str(file))

    assert str(caught.value).startswith(f"{file}: {key}: expected ")


def test_a_named_rxm_toml_must_be_there(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"x\.toml: no such file$"):
        rxm.settings.load(str(file))


@pytest.mark.parametrize("text", ["hosts = []", 'hosts = [""]', 'hosts = ["a", ""]'])
def test_hosts_that_name_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rxm.toml"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match="names no host; leave it out for this machine"):
        rxm.settings.load(str(path))


@pytest.mark.parametrize("host", ["", " "])
def test_a_domain_on_no_host(tmp_path: Path, host: str) -> None:
    path = tmp_path / "rxm.toml"
    path.write_text(f'[domains]\nvm1 = "{host}"\n')

    with pytest.raises(ConfigurationError, match="'vm1' is on no host"):
        rxm.settings.load(str(path))
