"""The portal in Chromium over real QEMU: a machine is launched and terminated, and its parts are changed."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import PASSWORD
from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_launch import IMAGE, KEY, Site, nothing_left, read, site
from tests.lab.clients.browser import browser, why_not
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for

__all__ = ["nothing_left", "site"]

# A page on a machine with much to do is late, and no less right.
expect.set_options(timeout=30_000)
_TRIES = 5


@pytest.fixture(scope="module")
def portal(lab: Lab, site: Site) -> Iterator[Portal]:
    """A portal on the first host, in which lena sees what is hers, and alice everything."""
    made = Portal(
        lab.realm,
        lab.first.directory / "portal-machines",
        hosts=(lab.first.name,),
        port=site.xmand.port,
        name=lab.first.name,
        env={"KRB5CCNAME": lab.alice["KRB5CCNAME"]},
        prefix=lab.first.prefix,
        listen=lab.first.address,
        readers=("alice@XMAN.TEST",),
        # What is older than three of these takes no new machine: on a busy host it is not to be a matter of seconds.
        interval=15.0,
    )
    yield made
    made.stop()
    assert "Traceback" not in made.said()


@pytest.fixture
def page(lab: Lab, portal: Portal, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in the browser of the person that a test names."""
    if reason := why_not(lab.realm):
        pytest.skip(reason)
    who = request.param
    person = lab.realm.kinit(who, PASSWORD, f"machines-{who}", "-f")
    with (
        sync_playwright() as started,
        browser(started, lab.realm, portal.directory / who, person, prefix=lab.first.prefix) as opened,
    ):
        opened.set_default_timeout(60_000)
        yield opened.pages[0]


def show(page: Page, portal: Portal, path: str) -> None:
    """Show a page, signed on: a Chromium that has just started may not have loaded Kerberos yet."""
    for _ in range(_TRIES):
        answer = page.goto(f"{portal.url}{path}")
        if answer is not None and answer.status != 401:
            break


def there(page: Page, portal: Portal, path: str, name: str) -> None:
    """Show a page until it has a link of that name: what a host lets one do, and has, is known a moment later."""

    def seen() -> bool:
        show(page, portal, path)
        return page.get_by_role("link", name=name).count() > 0

    wait_for(seen, 120, f"{name} on {path}")


def done(page: Page) -> None:
    """Wait for the end of the action that is shown."""
    expect(page.locator(".standing")).to_contain_text("done", timeout=60_000)


@pytest.mark.parametrize("page", ["lena"], indirect=True)
def test_a_machine_is_launched_and_terminated_by_whose_it_is(site: Site, portal: Portal, page: Page) -> None:
    there(page, portal, "/images", f"Launch {IMAGE}")
    expect(page.locator("tbody tr")).to_contain_text("0 of 2 machines")
    page.get_by_role("link", name=f"Launch {IMAGE}").click()
    for label, value in (("Name", "lena-page"), ("Memory", "64"), ("End it after", "7d")):
        page.get_by_label(label).fill(value)
    page.get_by_label("Public keys").fill(f"{KEY}\n")
    page.get_by_label("User data").fill("#cloud-config\npackages: [vim]\n")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("main")).to_contain_text("Nothing has been made yet")
    assert "lena-page" not in site.names()

    page.get_by_role("button", name="Launch it on").click()
    done(page)

    (seed,) = site.folder.glob("xman-*-seed.iso")
    found = read(seed)
    assert found["user-data"] == "#cloud-config\npackages: [vim]\n"
    assert json.loads(found["meta-data"])["public-keys"] == [KEY]
    there(page, portal, "/", "lena-page")
    expect(page.locator("tbody tr")).to_contain_text("ends in")
    page.get_by_role("link", name="lena-page").click()
    expect(page.locator("dl.facts")).to_contain_text(f"from the image {IMAGE}")
    # The host is asked what the new machine's owner may: until it has answered there are fewer buttons, elsewhere.
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("button", name="Terminate").click()
    done(page)
    assert "lena-page" not in site.names()
    assert site.files() == set()


@pytest.mark.parametrize("page", ["alice"], indirect=True)
def test_a_machines_parts_are_changed_on_its_page(site: Site, portal: Portal, page: Page) -> None:
    made = site.launched("lena", "lena-parts")
    machine = f"/machines/{made['uuid']}"
    medium, extra = site.folder / "medium.iso", site.folder / "extra.qcow2"
    medium.write_bytes(b"\0" * 65_536)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", extra, "4M"], check=True)
    there(page, portal, "/", "lena-parts")
    seed = site.folder / f"xman-{made['uuid']}-seed.iso"

    def asked(button: str, **fields: str) -> None:
        show(page, portal, machine)
        page.get_by_role("button", name=button).first.click()
        for label, value in fields.items():
            page.get_by_label(label).fill(value)
        page.locator("#confirm p.buttons button").click()
        done(page)

    try:
        show(page, portal, machine)
        drives = page.locator("#of-drives")
        expect(drives).to_contain_text(str(seed))
        asked("Eject")
        show(page, portal, machine)
        expect(drives).to_contain_text("empty")
        asked("Insert a medium", Medium=str(medium))
        asked("Make larger", Size="16")
        asked("Add a disk", **{"Disk": f"qcow2:{extra}", "Its name in the guest": "vdz"})
        asked("Take a snapshot", Snapshot="before")

        show(page, portal, machine)
        expect(drives).to_contain_text(str(medium))
        expect(page.locator("#of-disks")).to_contain_text(str(extra))
        expect(page.locator("#of-snapshots")).to_contain_text("before")
        disk = subprocess.run(
            ["qemu-img", "info", "-U", "--output=json", site.folder / f"xman-{made['uuid']}.qcow2"],
            check=True,
            capture_output=True,
        ).stdout
        facts = json.loads(disk)
        assert facts["virtual-size"] == 16 << 20
        assert [one["name"] for one in facts["snapshots"]] == ["before"]
    finally:
        assert site.rxm("alice", "terminate", "lena-parts").status == 0
        for path in (medium, extra):
            path.unlink()
