"""Every block of README.md and rxmweb(8) is typed by `make test-fresh WHAT=docs`, or is known not to be."""

import pytest

from tests.tools.fresh.walk import blocks, plan
from tests.tools.fresh.walk.__main__ import script_of, text_of

WRITTEN = [*blocks.readme(), *blocks.page()]
WALKED = {
    release: [step for step in [*plan.BEFORE, *plan.steps(release)] if isinstance(step, plan.Block)]
    for release in ("bookworm", "trixie")
}
# Not one release's alone.
EITHER = [step for steps in WALKED.values() for step in steps]


@pytest.mark.parametrize("block", WRITTEN, ids=lambda block: block.text.splitlines()[0])
def test_a_block_is_walked(block: blocks.Block) -> None:
    said = [step.words for step in EITHER if block.text.startswith(step.words)]

    assert bool(said) != block.text.startswith(plan.NOT_WALKED)


@pytest.mark.parametrize("step", EITHER, ids=lambda step: f"{step.on}-{step.words}")
def test_a_step_is_one_block_and_what_stands_in_is_for_something_in_it(step: plan.Block) -> None:
    block = text_of(step, WRITTEN)

    (written,) = [other for other in WRITTEN if other.text.startswith(step.words)]
    assert all(old in written.text for old, _new in step.instead if step.on != "skirit81")
    assert block.text in script_of(step, block.text)


def test_only_the_portal_comes_another_way_to_an_older_debian() -> None:
    differ = {step.words for step in WALKED["trixie"]} ^ {step.words for step in WALKED["bookworm"]}

    assert differ == {
        "/opt/xman/bin/pip install '.[portal]'",
        "apt install ./.build/deb/python3-xman_*.deb ./.build/deb/rxm_*.deb ./.build/deb/rxmweb_",
        "apt purge rxmweb",
    }


def test_blocks_are_read_as_they_are_written() -> None:
    texts = [block.text for block in WRITTEN]

    assert "xmand --check\n" in texts
    assert any(text.startswith("[authorize]\nmethods") for text in texts)
    assert any(" \\\n  -H 'Accept" in text for text in texts)
