"""A real Chromium, headless, with the tickets of one person and the policies that make it show and delegate them."""

import contextlib
import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import BrowserContext, Playwright

from tests.lab.kerberos.realm import Realm, without_wrapper
from tests.lab.process import ROOT, need

CHROMIUM = Path("/usr/bin/chromium")
_POLICY = ROOT / "etc" / "browsers" / "chromium-policy.json"


def why_not(realm: Realm) -> str:
    """Return why there can be no browser here; empty where there can."""
    need(CHROMIUM)
    command = [*realm.own_hosts_file(), "true"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        return "no mount namespace can be made for the realm's names"
    return ""


@contextlib.contextmanager
def browser(
    playwright: Playwright,
    realm: Realm,
    directory: Path,
    env: dict[str, str],
    *,
    delegate: bool = True,
    language: str = "en",
    scheme: str = "light",
    script: bool = True,
    width: int = 1280,
    height: int = 860,
    prefix: tuple[str, ...] = (),
) -> Iterator[BrowserContext]:
    """Yield the browser of whose tickets are in `env`; no private window, since those never sign on by themselves."""
    directory.mkdir(parents=True, exist_ok=True)
    program = _wrapper(realm, directory, prefix, delegate=delegate)
    own = without_wrapper(env) | {"HOME": str(directory), "KRB5_KTNAME": "/nonexistent"}
    context = playwright.chromium.launch_persistent_context(
        directory / "profile",
        executable_path=program,
        env=dict(own),
        viewport={"width": width, "height": height},
        locale="cs-CZ" if language == "cs" else "en-GB",
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
        timeout=60_000,
        args=["--no-sandbox"] if os.geteuid() == 0 else [],
    )
    context.set_default_timeout(20_000)
    try:
        yield context
    finally:
        context.close()


def _wrapper(realm: Realm, directory: Path, prefix: tuple[str, ...], *, delegate: bool) -> Path:
    """Write the program that starts Chromium with the realm's names and our policies, in a mount namespace of its own.

    The policies are those that the documentation gives, for this realm's names.
    """
    policy = json.loads(_POLICY.read_text().replace("example.org", "xman.test"))
    if not delegate:
        del policy["AuthNegotiateDelegateAllowlist"]
    policies = directory / "etc-chromium" / "policies" / "managed"
    policies.mkdir(parents=True, exist_ok=True)
    (policies / "xman.json").write_text(json.dumps(policy))
    mount = f"mount --bind {shlex.quote(str(directory / 'etc-chromium'))} /etc/chromium"
    words = [*(prefix or ()), *realm.own_hosts_file(), "sh", "-c", f'{mount} && exec {CHROMIUM} "$@"', "sh"]
    path = directory / "chromium"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)
    return path
