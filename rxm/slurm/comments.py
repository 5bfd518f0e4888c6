"""What a job's `AdminComment` says that we did to it, and have to undo; pure."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

# In front of the reason of a node, and in the comment of a job: it is ours, and we undo it.
MARK = "xman: "
_SUSPENDED = "suspended"
_LEFT_OUT = "left out "
# In front of what others wrote, where we have something to say.
_BEHIND = " | "


@dataclass(frozen=True)
class Comment:
    """Whether we suspended it; and which nodes are left out for it since they refused it, each until when (epoch)."""

    suspended: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    # What somebody else had written there.
    others: str = ""

    def __str__(self) -> str:
        """As it is written: `xman: suspended; left out vm1@1764412345,vm2@1764412350 | what others wrote`."""
        parts = [_SUSPENDED] if self.suspended else []
        if self.left_out:
            parts.append(_LEFT_OUT + ",".join(f"{node}@{until}" for node, until in sorted(self.left_out.items())))
        return _BEHIND.join(filter(None, (MARK + "; ".join(parts) if parts else "", self.others)))

    def over(self, now: float, longest: float) -> set[str]:
        """Return the nodes that need not be left out any more: also where the clock was set back by more than that."""
        return {node for node, until in self.left_out.items() if not 0 < until - now <= longest}


def of(text: str) -> Comment:
    """Return what is said in a comment; what we did not write says nothing, and is kept."""
    if not text.startswith(MARK):
        return Comment(others="" if text == "(null)" else text)
    suspended, left_out = False, {}
    ours, _, others = text.removeprefix(MARK).partition(_BEHIND)
    for part in ours.strip().split("; "):
        if part == _SUSPENDED:
            suspended = True
        elif part.startswith(_LEFT_OUT):
            for word in part.removeprefix(_LEFT_OUT).split(","):
                node, _, until = word.partition("@")
                with contextlib.suppress(ValueError):
                    left_out[node] = int(until)
    return Comment(suspended, left_out, others)
