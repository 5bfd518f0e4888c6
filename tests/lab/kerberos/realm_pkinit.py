"""A realm whose KDC gives anonymous tickets (RFC 8062), which takes PKINIT and a certificate of the KDC's."""

import subprocess
from pathlib import Path

REALM = "XMAN.TEST"

# MIT's documentation, "PKINIT configuration": the KDC's certificate names krbtgt/REALM and has the KDC's key usage.
_OPENSSL = f"""\
[req]
distinguished_name = name
prompt = no
x509_extensions = kdc
[name]
CN = kdc
[kdc]
basicConstraints = critical,CA:TRUE
keyUsage = digitalSignature,keyEncipherment,keyAgreement,keyCertSign
extendedKeyUsage = 1.3.6.1.5.2.3.5
subjectKeyIdentifier = hash
subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:kdc_name
[kdc_name]
realm = EXP:0,GeneralString:{REALM}
principal_name = EXP:1,SEQUENCE:kdc_principal
[kdc_principal]
name_type = EXP:0,INTEGER:2
name_string = EXP:1,SEQUENCE:kdc_parts
[kdc_parts]
first = GeneralString:krbtgt
second = GeneralString:{REALM}
"""


def make_certificate(directory: Path) -> tuple[str, str]:
    """Make the KDC's self-signed certificate; return the files of certificate and key."""
    certificate, key, configuration = directory / "kdc.pem", directory / "kdc.key", directory / "openssl.cnf"
    configuration.write_text(_OPENSSL)
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-config",
            str(configuration),
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
    )
    return str(certificate), str(key)
