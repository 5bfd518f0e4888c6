"""`python3 -m tests.tools.fresh.walk RELEASE`: in a fresh Debian, as root, do what README.md and rxmweb(8) say.

Each block is typed as it stands, on the machine that it is for: two hosts, one from packages and one by pip, a portal,
and a person's desk. The first block that fails, or does not show what it should, ends it.
"""

import sys
import time
from pathlib import Path

from tests.tools.fresh.walk import blocks, plan
from tests.tools.fresh.walk.machine import FailedError, Machine, connect


def text_of(step: plan.Block, written: list[blocks.Block]) -> blocks.Block:
    """Return the one block that begins as a step says, with what stands in for something."""
    (found,) = [block for block in written if block.text.startswith(step.words)]
    text = found.text
    for old, new in step.instead:
        text = text.replace(old, new)
    return found._replace(text=text)


def script_of(step: plan.Block, text: str) -> str:
    """Return what a step types: the block, or what its reader does who writes it into a file."""
    if not step.file:
        return text
    return f"mkdir -p {Path(step.file).parent}; cat >>{step.file} <<'BLOCK'\n{text}BLOCK\n"


def walk(steps: list[plan.Block | plan.Site], machines: dict[str, Machine], written: list[blocks.Block]) -> None:
    """Do each step. Raises FailedError."""
    for step in steps:
        if isinstance(step, plan.Site):
            where, text, script = "what the site does", f"{step.why}\n", step.script
        else:
            where, text = text_of(step, written)
            script = script_of(step, text)
        print(f"--- {step.on}: {where}\n{text}", end="", flush=True)
        began = time.monotonic()
        typed = step if isinstance(step, plan.Block) else plan.Block(step.on, "")
        said = machines[step.on].types(script, user=typed.user, answers=typed.answers)
        print(f"    {time.monotonic() - began:.0f} s", flush=True)
        if missing := [word for word in typed.shows if word not in said]:
            raise FailedError(f"{missing} not shown in:\n{said}")


def main(release: str) -> None:
    """Walk; exits with 1 and what was said where a block does not do it."""
    written = [*blocks.readme(), *blocks.page()]
    machines = {plan.BUILD: Machine(plan.BUILD)}
    began = time.monotonic()
    try:
        walk(plan.BEFORE, machines, written)
        connect()
        machines |= {name: Machine(name, address) for name, address in plan.MACHINES.items()}
        walk(plan.steps(release), machines, written)
    except FailedError as error:
        sys.exit(f"walk: stopped here: {error}")
    print(f"walk: README.md and rxmweb(8) do what they say on {release}, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1])
