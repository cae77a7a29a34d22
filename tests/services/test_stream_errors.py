"""What kind of failure an exception is, and how it is put to people."""

from OpenSSL import SSL
from twisted.internet import defer, error
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import (
    ConfigError,
    LocalProtocolError,
    PeerRefused,
    RemoteProtocolError,
    WireError,
)
from axis_nvr.protocols.failures import MediaMissing, NoAnswer
from axis_nvr.protocols.tls import CertificateRefused
from axis_nvr.services.stream_errors import MAX_WORDS, ErrorKind, kind_of, words_of


class KindTests(SynchronousTestCase):
    def test_exceptions(self) -> None:
        """Each kind of exception that gets up here is told from the others."""
        kinds: list[tuple[BaseException, ErrorKind]] = [
            (ConfigError("no CA"), ErrorKind.CONFIGURATION),
            (error.DNSLookupError("cam.example"), ErrorKind.DNS),
            (error.ConnectionRefusedError(), ErrorKind.CONNECTION),
            (error.NoRouteError(), ErrorKind.CONNECTION),
            (error.ConnectionDone(), ErrorKind.CONNECTION),
            (error.ConnectionLost(), ErrorKind.CONNECTION),
            (error.ConnectionAborted(), ErrorKind.CONNECTION),
            (OSError("no buffers"), ErrorKind.CONNECTION),
            (error.TimeoutError(), ErrorKind.TIMEOUT),
            (error.TCPTimedOutError(), ErrorKind.TIMEOUT),
            (defer.TimeoutError(), ErrorKind.TIMEOUT),
            (CertificateRefused("expired"), ErrorKind.TLS),
            (SSL.Error([("SSL routines", "", "wrong version number")]), ErrorKind.TLS),
            (NoAnswer("DESCRIBE"), ErrorKind.TIMEOUT),
            (MediaMissing("nothing came"), ErrorKind.MEDIA),
            (RemoteProtocolError("nonsense"), ErrorKind.PROTOCOL),
            (WireError("nonsense"), ErrorKind.PROTOCOL),
            (LocalProtocolError("bug"), ErrorKind.INTERNAL),
            (KeyError("bug"), ErrorKind.INTERNAL),
        ]
        for problem, kind in kinds:
            self.assertIs(kind_of(problem), kind, repr(problem))

    def test_refusals(self) -> None:
        """A camera's no is about the account, the moment, the session or what was asked for."""
        kinds = {
            401: ErrorKind.AUTHENTICATION,
            403: ErrorKind.AUTHENTICATION,
            453: ErrorKind.BUSY,
            503: ErrorKind.BUSY,
            454: ErrorKind.PROTOCOL,
            400: ErrorKind.REFUSED,
            404: ErrorKind.REFUSED,
            415: ErrorKind.REFUSED,
            461: ErrorKind.REFUSED,
            551: ErrorKind.REFUSED,
        }
        for status, kind in kinds.items():
            self.assertIs(kind_of(PeerRefused("SETUP", status, "")), kind, status)


class WordsTests(SynchronousTestCase):
    def test_the_cameras_own(self) -> None:
        """A refusal is told in the camera's own words."""
        problem = PeerRefused("DESCRIBE", 400, "Resolution 9x9 not supported")
        self.assertEqual(words_of(problem), "DESCRIBE refused: 400 Resolution 9x9 not supported")

    def test_one_short_line(self) -> None:
        """Words are one line of bounded length, whatever a camera says."""
        words = words_of(PeerRefused("DESCRIBE", 400, "a\r\nb\x1b[31m" + 1000 * "x"))
        self.assertEqual(len(words), MAX_WORDS)
        self.assertTrue(words.isprintable())

    def test_tls(self) -> None:
        """What OpenSSL says is shown without its brackets."""
        problem = SSL.Error([("SSL routines", "", "wrong version number")])
        self.assertEqual(words_of(problem), "TLS: wrong version number")

    def test_the_network(self) -> None:
        """How a connection failed or ended is told in a few words, without Twisted's."""
        for problem, words in (
            (error.ConnectionLost(), "the connection broke off"),
            (error.ConnectionLost(OSError(104, "reset")), "the connection broke off"),
            (error.ConnectionDone(), "the camera ended the connection"),
            (error.ConnectionRefusedError(111, "refused"), "Connection refused"),
            (error.ConnectError(101, "unreachable"), "Network is unreachable"),
            (error.TCPTimedOutError(110, "timed out"), "Connection timed out"),
            (error.TimeoutError(), "no answer"),
            (error.UnknownHostError(), "its host name has no address"),
            (error.DNSLookupError("cam.example"), "DNS lookup failed: cam.example"),
        ):
            self.assertEqual(words_of(problem), words)

    def test_a_bug_of_ours(self) -> None:
        """What nobody expected is told as ours: no camera is blamed for it."""
        words = words_of(KeyError(b"b\x01"))
        self.assertTrue(words.startswith("an error inside the recorder, see its log: KeyError:"))

    def test_no_password(self) -> None:
        """A URL in an error loses its user and password."""
        words = words_of(RemoteProtocolError("redirected to rtsp://root:secret@192.0.2.1/x"))
        self.assertNotIn("secret", words)
