"""Kerberos' failures in plain words: each says what to do."""

import re
from pathlib import Path

import pytest

from rxm.remote import messages
from xman import gss
from xman.gss import GssError, kept

REASONS = {value for key, value in vars(gss).items() if key.isupper() and isinstance(value, str)}
REMEDIES = {
    gss.NO_TICKET: r"run kinit\.$",
    gss.EXPIRED: r"run kinit\.$",
    gss.NO_SERVICE: r"Check the name, or create host/FQDN and install its keytab\. \(K says\)$",
    gss.WRONG_KEY: r"Run kinit if its key is new; otherwise renew its keytab\. \(K says\)$",
    gss.CLOCK_SKEW: r"synchronize them by NTP\. \(K says\)$",
    gss.KDC_UNREACHABLE: r"Try again later, or check krb5\.conf\. \(K says\)$",
    gss.REPLAY: r"try again\. \(K says\)$",
}


def test_no_reason_is_forgotten() -> None:
    assert set(REMEDIES) == REASONS - {gss.OTHER}


@pytest.mark.parametrize(("reason", "remedy"), REMEDIES.items())
def test_each_message_has_the_remedy(reason: str, remedy: str) -> None:
    assert re.search(remedy, str(messages.gss_error(GssError(reason, "K says.")))), reason


def test_what_nobody_foresaw_is_told_in_kerberos_words() -> None:
    assert str(messages.gss_error(GssError(gss.OTHER, "K says"))) == "Kerberos failed: K says"


@pytest.mark.parametrize("reason", [gss.NO_TICKET, gss.EXPIRED, gss.WRONG_KEY, gss.OTHER])
def test_a_program_is_not_sent_to_kinit(reason: str) -> None:
    said = str(messages.no_identity(GssError(reason, "K says."), "/etc/slurm.keytab", "slurm@R"))

    assert said == (
        "the client keytab /etc/slurm.keytab gives no ticket for slurm@R; it must exist, be readable by you, and hold"
        " the key that the realm has now. (K says)"
    )


def test_a_keytab_is_not_blamed_for_a_kdc_that_is_away() -> None:
    assert "no KDC" in str(messages.no_identity(GssError(gss.KDC_UNREACHABLE, "K says."), "/etc/slurm.keytab", ""))


def test_whose_ticket_is_missing() -> None:
    said = str(messages.no_identity(GssError(gss.NO_TICKET, "K says."), "", "bob@R"))

    assert said == "you have no Kerberos ticket of bob@R; run kinit bob@R. (K says)"


@pytest.mark.parametrize(
    "reason", [gss.NO_TICKET, gss.EXPIRED, gss.NO_SERVICE, gss.WRONG_KEY, gss.KDC_UNREACHABLE, gss.OTHER]
)
def test_each_message_has_kerberos_own_reason(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    # Nobody's tickets are to be looked at, whoever runs this.
    monkeypatch.setenv("KRB5CCNAME", "FILE:/nonexistent/cache")
    assert "KCM is not there" in str(messages.gss_error(GssError(reason, "KCM is not there.")))


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 s"), (119, "119 s"), (120, "2 min"), (3 * 3600, "3 h"), (49 * 3600, "2 days")]
)
def test_spans(seconds: float, words: str) -> None:
    assert messages.span(seconds) == words


@pytest.mark.parametrize("name", ["NOSUCHTYPE:x", "FILE:{garbage}"])
def test_a_cache_that_cannot_be_used_is_not_mended_by_kinit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xman.gss.tickets")
    (tmp_path / "garbage").write_bytes(b"no tickets")
    cache = name.format(garbage=tmp_path / "garbage")
    monkeypatch.setenv("KRB5CCNAME", cache)

    said = str(messages.gss_error(GssError(gss.NO_TICKET, "K says.")))

    assert said == f"the ticket cache {cache} cannot be used (K says); correct KRB5CCNAME, then run kinit."


def test_a_cache_without_tickets_is_mended_by_kinit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/none")

    said = str(messages.gss_error(GssError(gss.NO_TICKET, "K says.")))

    assert said == "you have no Kerberos ticket (K says); run kinit."


@pytest.mark.parametrize(("cache", "reason"), [("krb5cc_ours", gss.EXPIRED), ("krb5cc_theirs", gss.NO_TICKET)])
def test_tickets_of_a_keytab_that_another_process_dropped_meanwhile_pass_by_themselves(
    monkeypatch: pytest.MonkeyPatch, cache: str, reason: str
) -> None:
    monkeypatch.setattr(kept, "_used", ["/run/rxm/64030/krb5cc_ours"])

    told = messages.gss_error(GssError(gss.NO_TICKET, f"No credentials cache found (filename: /run/rxm/64030/{cache})"))

    assert (told.reason, "try again" in str(told)) == (reason, reason == gss.EXPIRED)
