"""What went wrong with Kerberos or the network, in plain words and with a remedy."""

from xman import gss
from xman.errors import CredentialsError
from xman.gss import GssError

_WORDS = {
    gss.NO_TICKET: "you have no Kerberos ticket; run kinit.",
    gss.EXPIRED: "your ticket expired; run kinit.",
    gss.NO_SERVICE: "the realm has no key for this host's service; is the name right? ({detail})",
    gss.WRONG_KEY: "the host's key is not the one that your ticket is for; its keytab must be renewed, or your"
    " ticket is older than the key: run kinit. ({detail})",
    gss.CLOCK_SKEW: "this machine's clock and the host's differ too much for Kerberos; set them by NTP. ({detail})",
    gss.KDC_UNREACHABLE: "no KDC of the realm answers; try later, or look at krb5.conf. ({detail})",
    gss.REPLAY: "the host has seen this authentication before; try again. ({detail})",
    gss.OTHER: "Kerberos failed: {detail}",
}


def gss_error(error: GssError) -> CredentialsError:
    """Return the message for a failed authentication."""
    detail = str(error).rstrip(".")
    return CredentialsError(_WORDS.get(error.reason, _WORDS[gss.OTHER]).format(detail=detail))
