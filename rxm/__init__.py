"""rxm: the command, and the Python API behind it.

import rxm

with rxm.connect("skirit80.example.org") as host:
    host.call("pause", "vm1")                       # the result as a dict, or an exception of xman.errors
    for domain in host.call("list")["domains"]:
        print(domain["name"], domain["state"])
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rxm.client import Client


def connect(
    host: str,
    port: int = 4373,
    service: str = "host",
    timeout: float | None = 30.0,
    client_keytab: str = "",
    principal: str = "",
    max_age: float = 0.0,
) -> "Client":
    """Connect to `host`'s xmand and authenticate, within `timeout` seconds.

    Keep it open for what is asked again and again. `max_age`: how old, in seconds, what verbs that look say may be.
    The identity is the environment's ticket, or one got with `client_keytab`. Raises CredentialsError and
    UnreachableError (`xman.errors`).
    """
    from rxm.client import Client
    from rxm.remote.connection import initiator
    from rxm.remote.deadline import Deadline

    client = Client(host, port, service, initiator(client_keytab, principal), Deadline(timeout))
    client.max_age = max_age
    return client
