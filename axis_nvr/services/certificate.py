"""Self-made certificates: of the HTTPS server, as an Axis device makes one, and of exports."""

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

#: Key and certificate, in one private file: those of the server, and those that sign exports.
FILE_NAME = "https.pem"
EXPORT_FILE_NAME = "export.pem"
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
    alternatives = x509.SubjectAlternativeName(_alternatives(list(names)))
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return _kept(state, FILE_NAME, f"axis-nvr {serial}", [alternatives, server], now)


def export_certificate(state: StateFolder, serial: str, now: datetime | None = None) -> bytes:
    """Return key and certificate that sign exports; made if there are none, or they end soon.

    What was signed with an earlier one stays valid: each export carries its certificate.

    :raises ConfigError: the state folder refuses.
    """
    signs = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    _kept(state, EXPORT_FILE_NAME, f"axis-nvr {serial} exports", [signs], now)
    return state.read(EXPORT_FILE_NAME)


def _kept(
    state: StateFolder,
    file_name: str,
    name: str,
    extensions: Iterable[x509.ExtensionType],
    now: datetime | None,
) -> Path:
    now = now or datetime.now(UTC)
    if _is_good(state.read(file_name), now):
        return state.path / file_name
    return state.write(file_name, _make(name, extensions, now))


def _is_good(data: bytes, now: datetime) -> bool:
    try:
        serialization.load_pem_private_key(data, password=None)
        certificate = x509.load_pem_x509_certificate(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return now + timedelta(days=RENEW_DAYS) < certificate.not_valid_after_utc


def _make(name: str, extensions: Iterable[x509.ExtensionType], now: datetime) -> bytes:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of clients differ
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
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
