"""A client and a service in one process, to find out before the first real client comes whether it would be let in."""

import os
import tempfile

from xman.gss.python_gssapi_backend import Acceptor, Initiator


def agree(service: str, host: str, keytab: str, client: str) -> None:
    """Get a ticket for `service/host` from the KDC as `client`, by its key in `keytab`, and show it to that keytab.

    Nothing is kept: neither tickets nor the replay cache of the service are touched. Raises GssError where the KDC and
    the keytab do not agree.
    """
    before = {name: os.environ.get(name) for name in ("KRB5RCACHEDIR", "KRB5RCACHENAME")}
    with tempfile.TemporaryDirectory(prefix="xman-trial") as directory:
        os.environ.pop("KRB5RCACHENAME", None)
        os.environ["KRB5RCACHEDIR"] = directory
        try:
            asking = Initiator(keytab, client, f"FILE:{directory}/tickets").context(service, host)
            serving = Acceptor(service, keytab).context()
            token = asking.step(None)
            while not (asking.complete and serving.complete):
                answer = serving.step(token)
                token = asking.step(answer) if answer is not None and not asking.complete else None
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
