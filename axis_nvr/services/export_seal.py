"""Signing an export, and verifying one: RSA-PSS over every byte of the file.

The scheme is that of the ONVIF Export File Format: SHA-256, MGF1 with SHA-256, a salt of 20 bytes.
Anybody can verify it with nothing but openssl; how, tells the guide.

Source: ONVIF Export File Format 26.06 §6; RFC 8017 §8.1; RFC 4055 §3.1.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from axis_nvr.errors import ConfigError, WireError
from axis_nvr.wire.onvif_export import Read, Seal, SealedFile, read_seals

#: Bytes of salt (§6: the default of RFC 4055).
SALT_BYTES = 20
#: Bytes read at once while a file is hashed.
READ_BYTES = 1 << 20
#: The smallest modulus that is believed, in bits.
MIN_MODULUS_BITS = 2048

Progress = Callable[[int, int], None]


class Sealer:
    """Signs exports with a key of the recorder.

    :param pem: private RSA key and certificate.
    :raises ConfigError: they are not in it.
    """

    def __init__(self, pem: bytes) -> None:
        try:
            key = serialization.load_pem_private_key(pem, None)
            certificate = x509.load_pem_x509_certificate(pem)
        except ValueError as error:
            raise ConfigError(f"the key for exports cannot be read: {error}") from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ConfigError("the key for exports is no RSA key")
        self._key = key
        self.certificate = certificate.public_bytes(serialization.Encoding.DER)
        self.signature_bytes = key.key_size // 8

    def sign(self, digest: bytes) -> bytes:
        """Sign the SHA-256 of a file whose signature is zero."""
        return self._key.sign(digest, _padding(SALT_BYTES), utils.Prehashed(hashes.SHA256()))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of checking one signature.

    :param is_valid: no bit that it covers has changed since.
    :param covers_all: nothing stands in the file that it does not cover.
    :param subject: whom the certificate names; whether to trust it is not for us to say.
    :param fingerprint: SHA-256 of the certificate, in hexadecimal.
    """

    is_valid: bool
    covers_all: bool
    subject: str
    fingerprint: str
    problem: str = ""


def verify(
    read: Read, size_bytes: int, progress: Progress = lambda done, total: None
) -> tuple[SealedFile, list[Verdict]]:
    """Check all signatures of an export.

    :param progress: told bytes hashed and to be hashed.
    :raises WireError: it is no export.
    """
    sealed = read_seals(read, size_bytes)
    total = sum(seal.end for seal in sealed.seals)
    verdicts, done = [], 0
    for seal in sealed.seals:
        digest = hashlib.sha256()
        for piece in _covered(read, seal):
            digest.update(piece)
            done += len(piece)
            progress(done, total)
        verdicts.append(_verdict(seal, digest.digest(), size_bytes))
    return sealed, verdicts


def _covered(read: Read, seal: Seal) -> Iterator[bytes]:
    """Give the bytes that a signature covers, as they were when it was made."""
    place = 0
    for start, patch in seal.patches():
        yield from _range(read, place, start)
        yield patch
        place = start + len(patch)
    yield from _range(read, place, seal.end)


def _range(read: Read, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = read(start, min(READ_BYTES, end - start))
        if not piece:
            raise WireError("the file ends before its signature does", offset=start)
        yield piece
        start += len(piece)


def _verdict(seal: Seal, digest: bytes, size_bytes: int) -> Verdict:
    covers_all = seal.end == size_bytes
    fingerprint = hashlib.sha256(seal.certificate).hexdigest()
    try:
        certificate = x509.load_der_x509_certificate(seal.certificate)
        key: Any = certificate.public_key()
        subject = certificate.subject.rfc4514_string()
    except (ValueError, UnsupportedAlgorithm) as error:
        return Verdict(False, covers_all, "", fingerprint, f"no certificate: {error}")
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MIN_MODULUS_BITS:
        return Verdict(False, covers_all, subject, fingerprint, "the key is not RSA of 2048 bits")
    try:
        key.verify(
            seal.signature,
            digest,
            _padding(padding.PSS.AUTO),
            utils.Prehashed(hashes.SHA256()),
        )
    except InvalidSignature:
        problem = "the file was changed, or was signed with another key"
        return Verdict(False, covers_all, subject, fingerprint, problem)
    return Verdict(True, covers_all, subject, fingerprint)


def _padding(salt: Any) -> padding.PSS:
    return padding.PSS(padding.MGF1(hashes.SHA256()), salt)
