"""Whoever follows the links of a page comes to pages that are there for him, whatever he may see and do."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rxmweb import rxm_process
from tests.portal.answers import stand_in
from tests.portal.reports import UUID, domain, job
from tests.portal.test_views import ALICE, BOB, Site

# Who looks at how many of the pages at least.
WHO: dict[str, tuple[dict[str, Any], int]] = {
    "an administrator": ({"principal": ALICE}, 30),
    "the owner of a machine's job": ({"principal": BOB}, 12),
    "who has no ticket here": ({"principal": ALICE, "ticket": False}, 20),
    "nobody": ({"principal": "eve@R"}, 6),
}
_LINK = re.compile(r'(?:href|src|action|hx-get)="(/[^"]*)"')
# Which leads elsewhere, needs a ticket of its own, or is a form's.
_NOT_FOLLOWED = ("/static/", "/sign-on", "/sign-off", "/language/", "/confirm", "/filters")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Hosts that have reported, and a program that answers for them."""
    program = stand_in(tmp_path / "bin")
    monkeypatch.setattr(rxm_process, "_program", lambda: str(program))
    made = Site(tmp_path)
    made.report("h1", domain("vm1", 1, "running", jobs=[job(7, BOB)]), domain("win", 9, "down-bootable", profile=True))
    yield made
    made.engine.dispose()


def kind(path: str) -> str:
    """Return an address without what tells one of many from the others."""
    place, _mark, arguments = path.partition("?")
    return re.sub(rf"h\d|[0-9a-f]{{16}}|{UUID[:24]}\d+", "N", place) + re.sub("=[^&]*", "", arguments)


@pytest.mark.parametrize("who", WHO)
def test_every_link_leads_to_a_page_that_is_there(site: Site, who: str) -> None:
    facts, least = WHO[who]
    client, _session = site.session(**facts)
    left, wrong, known = ["/"], [], {"/"}
    while left:
        path = left.pop()
        answer = client.get(path)
        if answer.status_code >= 400:
            wrong.append(f"{path}: {answer.status_code}")
        for link in map(html.unescape, _LINK.findall(answer.text if answer.mimetype == "text/html" else "")):
            asked = site.app.url_map.bind("localhost").test(link.partition("?")[0], "GET")
            page = asked and not link.startswith(_NOT_FOLLOWED) and not link.endswith("/confirm")
            if page and kind(link) not in known:
                known.add(kind(link))
                left.append(link)

    assert wrong == []
    assert len(known) >= least, sorted(known)
