"""The one exception hierarchy.

    XmanError                   outcome       exit status
      UsageError                usage          2
        ConfigurationError      usage          2
      RefusedError              refused        3
        MetadataError           refused        3
      CredentialsError          credentials    4
      DeniedError               denied         5
      UnreachableError          unreachable    6
      NoSuchDomainError         no-such-domain 7
      HypervisorError           hypervisor     8
        ColdBootError           hypervisor     8
      UnknownOutcomeError       unknown       10
      WaitTimeoutError          timeout       11
      UnsupportedError          unsupported   12

Each is expected: it becomes one line for the user and never a traceback. Anything else that is raised is a fault of
ours, outcome `internal`.
"""

from xman import outcome


class XmanError(Exception):
    """An expected failure; its text is the message for the user, without `Error: ` before it."""

    outcome = outcome.INTERNAL
    # A word for programs that act on more than the class: of a CredentialsError, one of `xman.gss`.
    reason = ""


class UsageError(XmanError):
    """Wrong words, or a description that cannot be read."""

    outcome = outcome.USAGE


class ConfigurationError(UsageError):
    """A configuration file that cannot be used; the message names file and key.

    `key` is where the value stands, table by table; empty where it is the file that cannot be read.
    """

    def __init__(self, message: str, key: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.key = key


class RefusedError(XmanError):
    """The state forbids it."""

    outcome = outcome.REFUSED


class MetadataError(RefusedError):
    """The metadata that xman keeps in a domain cannot be read; the message says what to do."""


class CredentialsError(XmanError):
    """Authentication could not be done; `reason` is a word from `xman.gss` for programs and tests."""

    outcome = outcome.CREDENTIALS

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class DeniedError(XmanError):
    """Authenticated, but not allowed."""

    outcome = outcome.DENIED


class UnreachableError(XmanError):
    """No connection, or no answer, and no change was sent."""

    outcome = outcome.UNREACHABLE


class NoSuchDomainError(XmanError):
    """No such domain."""

    outcome = outcome.NO_SUCH_DOMAIN

    def __init__(self, name: str = "", message: str = "") -> None:
        super().__init__(message or f"Domain '{name}' does not exist.")


class HypervisorError(XmanError):
    """libvirt or the hypervisor failed; the message holds its own words."""

    outcome = outcome.HYPERVISOR


class ColdBootError(HypervisorError):
    """A domain was booted afresh in place of being restored: it runs, and what its saved memory held is lost."""


class UnknownOutcomeError(XmanError):
    """A change was sent and its outcome was lost."""

    outcome = outcome.UNKNOWN


class WaitTimeoutError(XmanError):
    """What was waited for did not come in time."""

    outcome = outcome.TIMEOUT


class UnsupportedError(XmanError):
    """This host cannot do it."""

    outcome = outcome.UNSUPPORTED


def of_outcome(code: int, message: str) -> XmanError:
    """Return the error of an outcome that another program reported; an unknown code is an internal fault."""
    kinds = (
        UsageError,
        RefusedError,
        CredentialsError,
        DeniedError,
        UnreachableError,
        HypervisorError,
        UnknownOutcomeError,
        WaitTimeoutError,
        UnsupportedError,
    )
    for kind in kinds:
        if kind.outcome == code:
            return kind(message)
    if code == outcome.NO_SUCH_DOMAIN:
        return NoSuchDomainError(message=message)
    return XmanError(message)
