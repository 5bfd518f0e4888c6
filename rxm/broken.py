"""Why a connection failed, in plain words."""

import _socket


def why(error: Exception, port: int) -> str:
    """Return what an error of the socket, or of the session on it, says to the user."""
    if isinstance(error, TimeoutError):
        return "no answer in time."
    if isinstance(error, EOFError):
        return "the host closed the connection."
    if isinstance(error, _socket.gaierror):
        return f"the name cannot be resolved ({error.strerror})."
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on port {port}: is xmand running?"
    if isinstance(error, OSError):
        return f"{error.strerror or error}."
    return f"{error}."
