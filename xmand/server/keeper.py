"""What a connection tells whoever keeps it, and asks him."""

from typing import Protocol, TypeVar

Kept = TypeVar("Kept", contravariant=True)


class Keeper(Protocol[Kept]):
    """Who keeps the connections, and is told what happens in them; `xmand.server.server.Server`."""

    def authenticated(self, connection: Kept, detail: str) -> bool:
        """Return whether there is room for a connection whose client is known now."""

    def holds(self, connection: Kept, octets: int) -> None:
        """So many octets are kept for it, of somebody whose right to anything is not known; it may be closed for it."""

    def owes(self, connection: Kept, octets: int) -> None:
        """So many octets of a reply are kept until its client reads them; it may be closed for it."""

    def began(self, connection: Kept) -> None:
        """A command runs in it now."""

    def ended(self, connection: Kept) -> None:
        """The command has ended, and its reply is sent, or on its way."""

    def left(self, connection: Kept) -> None:
        """The client has gone, though his command may still run."""

    def failed(self, connection: Kept, detail: str, ev: str = "conn") -> None:
        """It did not end as it should have."""

    def closed(self, connection: Kept) -> None:
        """It is over: the socket may be closed."""
