"""What TLS asks of a camera's certificate.

Cameras come with a certificate of their own making, so the web's rule, any authority the platform
trusts, is of no use. Trusted are the certificates configured for the camera and nothing else: a
CA, an intermediate one, or the camera's own. The name is looked for in the subject alternative
names and, as these certificates are often older than that rule, in the common name where a
certificate has no alternative names at all.

Other servers, to which messages are sent, may have a certificate of the web's authorities: what the
platform trusts counts for them beside what is configured.
"""

from collections.abc import Callable
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto
from service_identity.exceptions import CertificateError, VerificationError
from service_identity.hazmat import (
    DNS_ID,
    CertificatePattern,
    DNSPattern,
    IPAddress_ID,
    verify_service_identity,
)
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.errors import ConfigError, NvrError
from axis_nvr.protocols.address import CertificateValidation

#: The largest number of certificates taken for one camera.
MAX_CA_CERTIFICATES = 1000
#: The errors of chain validation that have an everyday cause (x509_vfy.h).
CHAIN_ERRORS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed and not among the configured CA certificates",
    19: "its chain ends in a certificate that is not among the configured CA certificates",
    20: "its issuer is not among the configured CA certificates",
    21: "its issuer is not among the configured CA certificates",
    23: "it was revoked",
    26: "it is not made for a server",
}


class CertificateRefused(NvrError):
    """We refuse a camera's certificate: the message says why."""


@implementer(IOpenSSLClientConnectionCreator)
class CameraTlsOptions:
    """Makes the TLS side of connections to one camera.

    :param host: the name or address the camera is configured with.
    :param validation: what its certificate must stand.
    :param ca: the certificates trusted, PEM, any number.
    :raises ConfigError: `ca` cannot be read, or is empty though needed.
    """

    #: Whose certificate it is, in a refusal.
    peer = "camera"

    def __init__(self, host: str, validation: CertificateValidation, ca: bytes = b"") -> None:
        self._host = host
        self._validation = validation
        self._context: SSL.Context = CertificateOptions(verify=False).getContext()
        if validation is not CertificateValidation.OFF:
            self._trust(ca)

    def _trust(self, ca: bytes) -> None:
        try:
            trusted = x509.load_pem_x509_certificates(ca)
        except ValueError:
            raise ConfigError("the CA certificates of the camera are not PEM")
        store = self._context.get_cert_store()
        assert store is not None
        for certificate in trusted[:MAX_CA_CERTIFICATES]:
            store.add_cert(crypto.X509.from_cryptography(certificate))
        # what is configured is trusted as it stands, not only if it is a root
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)

    def clientConnectionForTLS(self, tls_protocol: Any) -> SSL.Connection:
        """Make one connection for Twisted's TLS layer."""
        connection = SSL.Connection(self._context, None)
        if not (isIPAddress(self._host) or isIPv6Address(self._host)):
            connection.set_tlsext_host_name(self._host.encode("idna"))
        if self._validation is not CertificateValidation.OFF:
            connection.set_verify(
                SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verifier(tls_protocol)
            )
        return connection

    def _verifier(self, tls_protocol: Any) -> Callable[[Any, crypto.X509, int, int, int], bool]:
        """Make the callback that OpenSSL asks about each certificate of a chain."""

        def verify(_: Any, certificate: crypto.X509, error: int, depth: int, good: int) -> bool:
            try:
                refusal = self._refusal(certificate, error, depth, bool(good))
            except Exception as surprise:  # what is raised in here, OpenSSL would lose
                refusal = f"it cannot be read: {surprise}"
            if refusal:
                words = f"the {self.peer}'s certificate is refused: {refusal}"
                tls_protocol.failVerification(Failure(CertificateRefused(words)))
            return not refusal

        return verify

    def _refusal(self, certificate: crypto.X509, error: int, depth: int, good: bool) -> str:
        """Say what is wrong with a certificate, or nothing."""
        if not good:
            return CHAIN_ERRORS.get(error, f"validation error {error} at depth {depth}")
        if depth or self._validation is CertificateValidation.LIMITED:
            return ""
        return name_mismatch(certificate, self._host)


class ServerTlsOptions(CameraTlsOptions):
    """Makes the TLS side of connections to a server that messages are sent to.

    :param ca: certificates trusted beside those of the platform, PEM; may be empty.
    """

    peer = "server"

    def _trust(self, ca: bytes) -> None:
        self._context.set_default_verify_paths()
        if ca:
            super()._trust(ca)


def name_mismatch(certificate: crypto.X509, host: str) -> str:
    """Compare the names in a certificate with `host`.

    :returns: what is wrong, or an empty string.

    Source: RFC 9525 §6; for the common name RFC 6125 §6.4.4.
    """
    is_address = isIPAddress(host) or isIPv6Address(host)
    patterns: list[CertificatePattern] = list(extract_patterns(certificate))
    if not patterns:
        common_name = certificate.get_subject().CN or ""
        if is_address or common_name.lower() == host.lower():
            same = common_name.lower() == host.lower()
            return "" if same else f"it is for {common_name!r}, not for {host!r}"
        try:
            patterns = [DNSPattern.from_bytes(common_name.encode())]
        except CertificateError:
            return f"it is for {common_name!r}, not for {host!r}"
    identity = IPAddress_ID(host) if is_address else DNS_ID(host)
    try:
        verify_service_identity(patterns, [identity], [])
    except VerificationError:
        return f"none of its names is {host!r}"
    return ""
