"""`events`: a line for each, with the time here, the domain's name (`-` where it is about libvirt), the event."""

from typing import Any

from xman import times


def events(data: dict[str, Any]) -> str:
    """Return the lines."""
    return "".join(f"{_line(event)}\n" for event in data["events"])


def _line(event: dict[str, Any]) -> str:
    detail = f" ({event['detail']})" if event.get("detail") else ""
    return f"{times.local(event['at'])} {event.get('domain', '-')} {event['event']}{detail}"
