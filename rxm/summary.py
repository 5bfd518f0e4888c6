"""What has become of many targets, on one line. Pure."""

from xman import outcome


def text(codes: list[int], targets: int) -> str:
    """Return how many of `targets` ended in which class, `codes` being those that were begun: `998 ok, 2 denied`."""
    parts = [f"{codes.count(code)} {outcome.class_name(code)}" for code in sorted(set(codes))]
    if targets > len(codes):
        parts.append(f"{targets - len(codes)} not begun")
    return f"Of {targets}: {', '.join(parts)}."
