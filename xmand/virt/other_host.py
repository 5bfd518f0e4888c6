"""Asking the libvirt of another host, by a program that can be killed (`xmand.virt.elsewhere`)."""

import json
import os
import sys
from typing import Any

from xman import outcome
from xman.errors import HypervisorError, of_outcome
from xmand.system import children

# To reach the other host's libvirt and make, or remove, some files there.
_SECONDS = 60.0
_MOST_OCTETS = 1 << 20
# The daemon finds its modules in places of its own, which an isolated Python is told.
_PROGRAM = (
    "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from xmand.virt.elsewhere import main; sys.exit(main())"
)


def ask(host: str, uri: str, keytab: str, what: str, **about: Any) -> dict[str, Any]:
    """Return the answer of `host`, whose libvirt is at `uri`, to `what` (of `elsewhere`) `about` something.

    `keytab` says who asks. Blocks for a minute at most. Raises RefusedError and HypervisorError, both naming the host.
    """
    asked = {"what": what, "uri": uri, "keytab": keytab, "krb5": os.environ.get("KRB5_CONFIG", "")} | about
    argv = [sys.executable, "-I", "-c", _PROGRAM, ":".join(path for path in sys.path if path)]
    try:
        done = children.run(argv, stdin=json.dumps(asked).encode(), seconds=_SECONDS, most_octets=_MOST_OCTETS)
    except children.LateError as error:
        raise HypervisorError(f"{host}: its libvirt does not answer.") from error
    except children.ChildError as error:
        raise HypervisorError(f"{host}: {error}.") from error
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise HypervisorError(f"{host}: {done.complaint() or 'its libvirt could not be asked'}.") from error
    if "error" in answer:
        text = f"{host}: {answer['error'].rstrip('.')}."
        raise of_outcome(outcome.REFUSED if answer["code"] == outcome.REFUSED else outcome.HYPERVISOR, text)
    return answer
