"""The self-made certificate of the HTTPS server, as an Axis device makes one at its first start."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from axis_nvr.services.state_folder import StateFolder

#: Key and certificate, in one private file.
FILE_NAME = "https.pem"
KEY_BITS = 2048
#: How long it is good for, and how long before its end another one is made.
VALID_DAYS = 3650
RENEW_DAYS = 30


def own_certificate(
    state: StateFolder, serial: str, names: Iterable[str], now: datetime | None = None
) -> Path:
    """Return the file with key and certificate; made if there is none, or it ends soon.

    :param serial: stands in the certificate's name.
    :param names: host names and IP addresses the server is reached by.
    :raises ConfigError: the state folder refuses.
    """
    now = now or datetime.now(UTC)
    if _is_good(state.read(FILE_NAME), now):
        return state.path / FILE_NAME
    return state.write(FILE_NAME, _make(serial, list(names), now))


def _is_good(data: bytes, now: datetime) -> bool:
    try:
        serialization.load_pem_private_key(data, password=None)
        certificate = x509.load_pem_x509_certificate(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return now + timedelta(days=RENEW_DAYS) < certificate.not_valid_after_utc


def _make(serial: str, names: list[str], now: datetime) -> bytes:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"axis-nvr {serial}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of clients differ
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _alternatives(names: list[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            if name and name.isascii():
                found.append(x509.DNSName(name))
    return found
