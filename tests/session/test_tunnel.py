"""RTSP through HTTP: what is sent on the two connections, and what their answers lead to."""

import contextlib
from base64 import b64decode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import NvrError, PeerRefused, RemoteProtocolError, WireError
from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.session.tunnel import MAX_ATTEMPTS, MAX_UNCONFIRMED_BYTES, Step, TunnelClient
from axis_nvr.wire.rtsp import Request, parse_head

URL = "rtsp://192.0.2.1:8080/axis-media/media.amp?fps=25"
OK = b"HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n"
CHALLENGE = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\n"
    b'WWW-Authenticate: Digest realm="AXIS_1", nonce="n1", algorithm=MD5, qop="auth"\r\n'
    b'WWW-Authenticate: Basic realm="AXIS_1"\r\n\r\n<html>'
)


ACCOUNT = Credentials("root", "secret")


def tunnel(account: Credentials | None = ACCOUNT) -> TunnelClient:
    """Make a client, with an account or without."""
    authenticator = Authenticator(account, lambda: "c") if account else None
    return TunnelClient(URL, "cookie-1", authenticator, "axis_nvr")


def read(data: bytes) -> tuple[Request, bytes]:
    """Read a request of the tunnel's, and what follows its head."""
    head, _, rest = data.partition(b"\r\n\r\n")
    request = parse_head(head + b"\r\n\r\n")
    assert isinstance(request, Request)
    return request, rest


class DownTests(SynchronousTestCase):
    def test_the_request(self) -> None:
        """GET asks for path and query of the stream, with the cookie."""
        request, rest = read(tunnel().down_request())
        self.assertEqual((request.method, request.version), ("GET", "HTTP/1.0"))
        self.assertEqual(request.uri, "/axis-media/media.amp?fps=25")
        self.assertEqual(request.headers.get("Host"), "192.0.2.1:8080")
        self.assertEqual(request.headers.get("x-sessioncookie"), "cookie-1")
        self.assertEqual(request.headers.get("Accept"), "application/x-rtsp-tunnelled")
        self.assertEqual(request.headers.get("User-Agent"), "axis_nvr")
        self.assertEqual((rest, "Authorization" in request.headers), (b"", False))

    def test_open(self) -> None:
        """Behind a 200 the RTSP bytes begin, wherever the reads were cut."""
        data = OK + b"RTSP/1.0 200 OK\r\n"
        for cut in range(len(OK)):
            client = tunnel()
            client.down_request()
            self.assertEqual(client.receive_down(data[:cut]), (Step.WAIT, b""))
            self.assertEqual(client.receive_down(data[cut:]), (Step.OPEN, b"RTSP/1.0 200 OK\r\n"))

    def test_credentials_are_asked_for(self) -> None:
        """A 401 is answered once, by Digest, on another connection."""
        client = tunnel()
        client.down_request()
        self.assertEqual(client.receive_down(CHALLENGE), (Step.AGAIN, b""))
        request, _ = read(client.down_request())
        answer = request.headers.get("Authorization")
        self.assertTrue(answer.startswith("Digest "))
        self.assertIn('uri="/axis-media/media.amp?fps=25"', answer)
        self.assertNotIn("secret", answer)
        self.assertEqual(client.receive_down(OK), (Step.OPEN, b""))

    def test_wrong_credentials(self) -> None:
        """A second 401 is final: accounts are locked by trying on."""
        client = tunnel(Credentials("root", "wrong"))
        client.down_request()
        client.receive_down(CHALLENGE)
        client.down_request()
        with self.assertRaises(PeerRefused) as caught:
            client.receive_down(CHALLENGE.replace(b"n1", b"n2"))
        self.assertEqual((caught.exception.method, caught.exception.status), ("GET", 401))

    def test_no_account(self) -> None:
        """Without an account the first 401 is final."""
        client = tunnel(None)
        client.down_request()
        with self.assertRaises(PeerRefused):
            client.receive_down(CHALLENGE)

    def test_refused(self) -> None:
        """Any other status is a refusal, in the server's words."""
        client = tunnel()
        client.down_request()
        with self.assertRaisesRegex(PeerRefused, "GET refused: 404 No such stream"):
            client.receive_down(b"HTTP/1.0 404 No such stream\r\n\r\n")

    def test_a_web_page(self) -> None:
        """A web server that answers with a page is no tunnel."""
        client = tunnel()
        client.down_request()
        with self.assertRaises(RemoteProtocolError):
            client.receive_down(b"HTTP/1.0 200 OK\r\nContent-Type: text/html; x\r\n\r\n<html>")

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(
        st.binary(max_size=200), st.sampled_from([b"", OK[:40], CHALLENGE[:60], CHALLENGE[:140]])
    )
    def test_anything(self, data: bytes, start: bytes) -> None:
        """Whatever comes, no other error than ours is raised, in either direction."""
        client = tunnel()
        client.down_request()
        for receive in (client.receive_down, client.receive_up):
            with contextlib.suppress(NvrError):
                receive(start + data)

    def test_no_end(self) -> None:
        """A head without an end is cut off."""
        client = tunnel()
        client.down_request()
        with self.assertRaises(WireError):
            for _ in range(100):
                client.receive_down(b"x" * 1000)


class UpTests(SynchronousTestCase):
    def test_requests_in_base64(self) -> None:
        """POST announces its conventional length; each write is base64 by itself."""
        client = tunnel()
        request, rest = read(client.up_request())
        self.assertEqual((request.method, request.version), ("POST", "HTTP/1.0"))
        self.assertEqual(request.headers.get("x-sessioncookie"), "cookie-1")
        self.assertEqual(request.headers.get("Content-Length"), "32767")
        self.assertEqual(rest, b"")
        for data in (b"OPTIONS", b"DESCRIBE"):
            self.assertEqual(b64decode(client.send(data), validate=True), data)

    def test_the_account_comes_along(self) -> None:
        """Once GET was challenged, POST answers unasked, for its own method."""
        client = tunnel()
        client.receive_down(CHALLENGE)
        down, _ = read(client.down_request())
        up, _ = read(client.up_request())
        self.assertIn("nc=00000001", down.headers.get("Authorization"))
        self.assertIn("nc=00000002", up.headers.get("Authorization"))

    def test_a_challenge_to_post(self) -> None:
        """A 401 to POST opens another one, which repeats what was sent behind the first."""
        client = tunnel()
        client.up_request()
        client.send(b"OPTIONS")
        client.send(b"DESCRIBE")
        self.assertIs(client.receive_up(CHALLENGE), Step.AGAIN)
        request, rest = read(client.up_request())
        self.assertIn("Authorization", request.headers)
        self.assertEqual((rest, b64decode(client.waiting())), (b"", b"OPTIONSDESCRIBE"))
        with self.assertRaises(PeerRefused):
            client.receive_up(CHALLENGE)

    def test_what_has_arrived_is_not_repeated(self) -> None:
        """Something came down: what was sent up before has arrived."""
        client = tunnel()
        client.up_request()
        client.send(b"OPTIONS")
        self.assertTrue(client.unconfirmed)
        client.confirm()
        self.assertFalse(client.unconfirmed)
        self.assertEqual(client.waiting(), b"")

    def test_an_early_answer_is_no_matter(self) -> None:
        """Servers that answer POST with a 200 at once are left alone."""
        client = tunnel()
        client.up_request()
        self.assertIs(client.receive_up(b"HTTP/1.0 200 OK\r\n\r\n"), Step.OPEN)
        self.assertIs(client.receive_up(b"HTTP/1.0 200"), Step.WAIT)
        self.assertIs(client.receive_up(b" OK\r\n\r\n"), Step.OPEN)

    def test_closed_again_and_again(self) -> None:
        """Posts that lead nowhere come to an end; one that did is the first again."""
        client = tunnel()
        for _ in range(MAX_ATTEMPTS):
            client.up_request()
        with self.assertRaises(RemoteProtocolError):
            client.up_request()
        client.confirm()
        client.up_request()

    def test_nothing_comes_back(self) -> None:
        """What is kept for repeating has a bound."""
        client = tunnel()
        client.send(bytes(MAX_UNCONFIRMED_BYTES))
        with self.assertRaises(RemoteProtocolError):
            client.send(b"x")
