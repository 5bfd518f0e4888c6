"""What a GSSAPI failure means, by its numbers. The same for every backend, so that users read the same words.

Sources: RFC 2744 section 3.9.1 (major codes), RFC 4120 section 7.5.9 and MIT krb5's krb5.h (minor codes).
"""

import errno

from xman import lowlevel
from xman.gss import CLOCK_SKEW, EXPIRED, KDC_UNREACHABLE, NO_SERVICE, NO_TICKET, OTHER, REPLAY, WRONG_KEY, GssError

# Routine errors stand in the upper half of a major code.
_NO_CRED = 7
_CREDENTIALS_EXPIRED = 11
_ROUTINE_SHIFT = 16
_ROUTINE_MASK = 0xFF

# MIT's minor codes: the ERROR_TABLE_BASE_krb5 of krb5.h, plus the error numbers of RFC 4120 (below 128) and MIT's own.
_KRB5_BASE = -1765328384
_REASONS = {
    _KRB5_BASE + 1: EXPIRED,  # KDC_ERR_NAME_EXP
    _KRB5_BASE + 6: NO_TICKET,  # KDC_ERR_C_PRINCIPAL_UNKNOWN
    _KRB5_BASE + 7: NO_SERVICE,  # KDC_ERR_S_PRINCIPAL_UNKNOWN
    _KRB5_BASE + 31: WRONG_KEY,  # KRB_AP_ERR_BAD_INTEGRITY
    _KRB5_BASE + 32: EXPIRED,  # KRB_AP_ERR_TKT_EXPIRED
    _KRB5_BASE + 33: CLOCK_SKEW,  # KRB_AP_ERR_TKT_NYV: a ticket from the future
    _KRB5_BASE + 34: REPLAY,  # KRB_AP_ERR_REPEAT
    _KRB5_BASE + 35: WRONG_KEY,  # KRB_AP_ERR_NOT_US
    _KRB5_BASE + 37: CLOCK_SKEW,  # KRB_AP_ERR_SKEW
    _KRB5_BASE + 41: WRONG_KEY,  # KRB_AP_ERR_MODIFIED
    _KRB5_BASE + 44: WRONG_KEY,  # KRB_AP_ERR_BADKEYVER
    _KRB5_BASE + 45: WRONG_KEY,  # KRB_AP_ERR_NOKEY
    _KRB5_BASE + 141: NO_TICKET,  # KRB5_CC_NOTFOUND
    _KRB5_BASE + 154: KDC_UNREACHABLE,  # KRB5_REALM_UNKNOWN: krb5.conf and the DNS name no KDC
    _KRB5_BASE + 156: KDC_UNREACHABLE,  # KRB5_KDC_UNREACH
    _KRB5_BASE + 181: WRONG_KEY,  # KRB5_KT_NOTFOUND
    _KRB5_BASE + 195: NO_TICKET,  # KRB5_FCC_NOFILE
    _KRB5_BASE + 220: KDC_UNREACHABLE,  # KRB5_REALM_CANT_RESOLVE
}

# Where libkrb5 looks unless it is told otherwise.
_FILE = "/etc/krb5.conf"
# What is wrong with krb5.conf, and what mends it: asking again does not.
_CONFIGURATION = {
    _KRB5_BASE + 135: "{file} cannot be read; make it, or correct KRB5_CONFIG",  # KRB5_CONFIG_CANTOPEN
    _KRB5_BASE + 136: "{file} has a mistake in it; correct it",  # KRB5_CONFIG_BADFORMAT
    # KRB5_REALM_UNKNOWN
    _KRB5_BASE + 154: "neither {file} nor the DNS names a KDC for {realm}; add it under [realms], or correct the realm",
    # KRB5_CONFIG_NODEFREALM
    _KRB5_BASE + 224: "{file} names no default realm; set default_realm under [libdefaults], or name the realm as well",
}

# Heimdal counts as MIT does where both have a code, but means something else by some.
_HEIMDAL_REASONS = {
    _KRB5_BASE + 141: EXPIRED,  # KRB5_CC_NOTFOUND: a cache whose tickets it overlooks, since they have expired
    errno.ENOENT: NO_TICKET,  # the cache's file; MIT has KRB5_FCC_NOFILE
}


def reason_of(major: int, minor: int, *, heimdal: bool = False) -> str:
    """Return the reason (a constant of `xman.gss`) of a failure's two codes, as the C functions give them."""
    number = _signed(minor)
    reason = (_HEIMDAL_REASONS.get(number) if heimdal else None) or _REASONS.get(number)
    if reason is not None:
        return reason
    routine = major >> _ROUTINE_SHIFT & _ROUTINE_MASK
    return {_CREDENTIALS_EXPIRED: EXPIRED, _NO_CRED: NO_TICKET}.get(routine, OTHER)


def configuration(error: GssError) -> str:
    """Return what is wrong with krb5.conf, and its remedy; empty where it is not to blame."""
    words = _CONFIGURATION.get(_signed(error.code))
    if words is None:
        return ""
    file = lowlevel.environment("KRB5_CONFIG") or _FILE
    # MIT's own words: Cannot find KDC for realm "EXAMPLE.ORG".
    _before, _quote, behind = str(error).partition('"')
    realm = behind.partition('"')[0]
    return words.format(file=file, realm=f"the realm {realm}" if realm else "the realm")


def _signed(minor: int) -> int:
    # A minor code is the unsigned view of a signed 32-bit number.
    return minor - 2**32 if minor >= 2**31 else minor
