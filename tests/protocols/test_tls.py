"""What a camera's certificate must stand, in handshakes held in memory."""

from OpenSSL import SSL, crypto
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError
from axis_nvr.protocols.address import CertificateValidation
from axis_nvr.protocols.tls import CameraTlsOptions, CertificateRefused
from tests.protocols.certificates import Issued, issue

OFF, STANDARD, LIMITED = (
    CertificateValidation.OFF,
    CertificateValidation.STANDARD,
    CertificateValidation.LIMITED,
)
CA = issue("Site CA", authority=True)
OTHER_CA = issue("Another CA", authority=True)


class Transport(StringTransport):
    """A transport that tells its protocol when it goes."""

    def abortConnection(self) -> None:  # noqa: N802
        self.disconnecting = True


class Client(Protocol):
    """Notes what it is sent and why it ends."""

    received = b""
    reason: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        self.reason = reason


def handshake(options: CameraTlsOptions, camera: Issued, chain: tuple[Issued, ...] = ()) -> Client:
    """Connect to a camera with this certificate, and have it say hello."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(crypto.X509.from_cryptography(camera.certificate))
    context.use_privatekey(crypto.PKey.from_cryptography_key(camera.key))
    for link in chain:
        context.add_extra_chain_cert(crypto.X509.from_cryptography(link.certificate))
    server = SSL.Connection(context, None)
    server.set_accept_state()
    tls = TLSMemoryBIOFactory(options, True, Factory.forProtocol(Client)).buildProtocol(None)
    transport = Transport()
    client = tls.wrappedProtocol
    assert isinstance(client, Client)
    tls.makeConnection(transport)
    for _ in range(10):
        if to_server := transport.value():
            transport.clear()
            server.bio_write(to_server)
        try:
            server.do_handshake()
            server.send(b"hello")
        except SSL.Error:
            pass
        try:
            to_client = server.bio_read(1 << 16)
        except SSL.WantReadError:
            break
        tls.dataReceived(to_client)
        if transport.disconnecting:
            break
    if transport.disconnecting:
        tls.connectionLost(Failure(Exception("closed")))
    return client


class ValidationTests(SynchronousTestCase):
    def assert_accepted(self, client: Client) -> None:
        self.assertIsNone(client.reason)
        self.assertTrue(client.received.startswith(b"hello"))

    def assert_refused(self, client: Client, words: str) -> None:
        self.assertEqual(client.received, b"")
        assert client.reason is not None
        self.assertIsInstance(client.reason.value, CertificateRefused)
        self.assertIn(words, str(client.reason.value))

    def test_off(self) -> None:
        """Off: any certificate will do, expired and self-made."""
        camera = issue("nobody", age_days=400)
        self.assert_accepted(handshake(CameraTlsOptions("192.0.2.1", OFF), camera))

    def test_standard_wants_chain_and_name(self) -> None:
        """Standard: a chain to a configured CA and the name the camera is configured with."""
        camera = issue("cam", issuer=CA, names=("cam.example",), addresses=("192.0.2.1",))
        ca = OTHER_CA.pem + CA.pem
        for host in ("cam.example", "192.0.2.1"):
            self.assert_accepted(handshake(CameraTlsOptions(host, STANDARD, ca), camera))
        for host in ("other.example", "192.0.2.2", "cam"):
            client = handshake(CameraTlsOptions(host, STANDARD, ca), camera)
            self.assert_refused(client, "none of its names is")
        client = handshake(CameraTlsOptions("cam.example", STANDARD, OTHER_CA.pem), camera)
        self.assert_refused(client, "issuer is not among the configured")

    def test_a_name_only_in_the_common_name(self) -> None:
        """An old certificate without alternative names is taken by its common name."""
        by_name = issue("cam.example", issuer=CA)
        by_address = issue("192.0.2.1", issuer=CA)
        for host, camera in (("CAM.example", by_name), ("192.0.2.1", by_address)):
            self.assert_accepted(handshake(CameraTlsOptions(host, STANDARD, CA.pem), camera))
        for host, camera in (("192.0.2.1", by_name), ("cam.example", by_address)):
            client = handshake(CameraTlsOptions(host, STANDARD, CA.pem), camera)
            self.assert_refused(client, "not for" if host[0] == "1" else "for")

    def test_limited_wants_the_chain_only(self) -> None:
        """Limited: the chain is checked, the name is not."""
        camera = issue("somebody else", issuer=CA)
        self.assert_accepted(handshake(CameraTlsOptions("192.0.2.1", LIMITED, CA.pem), camera))
        stranger = issue("somebody else", issuer=OTHER_CA)
        client = handshake(CameraTlsOptions("192.0.2.1", LIMITED, CA.pem), stranger)
        self.assert_refused(client, "issuer is not among the configured")

    def test_expired(self) -> None:
        """A certificate out of date is refused as such."""
        camera = issue("cam.example", issuer=CA, age_days=60)
        client = handshake(CameraTlsOptions("cam.example", LIMITED, CA.pem), camera)
        self.assert_refused(client, "expired")

    def test_self_signed(self) -> None:
        """A certificate a camera made itself is trusted where it is configured itself."""
        camera = issue("cam.example")
        client = handshake(CameraTlsOptions("cam.example", STANDARD, camera.pem), camera)
        self.assert_accepted(client)
        client = handshake(CameraTlsOptions("cam.example", STANDARD, CA.pem), camera)
        self.assert_refused(client, "self-signed")

    def test_an_intermediate_is_enough(self) -> None:
        """An intermediate authority that is configured is trusted without its root."""
        middle = issue("Middle CA", issuer=CA, authority=True)
        camera = issue("cam.example", issuer=middle)
        client = handshake(CameraTlsOptions("cam.example", LIMITED, middle.pem), camera)
        self.assert_accepted(client)
        client = handshake(CameraTlsOptions("cam.example", LIMITED, CA.pem), camera, (middle,))
        self.assert_accepted(client)

    def test_certificates_that_are_none(self) -> None:
        """A CA file that is no PEM is a configuration error."""
        for ca in (b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\n\xff"):
            with self.assertRaises(ConfigError):
                CameraTlsOptions("cam.example", LIMITED, ca)
