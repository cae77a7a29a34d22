"""The exchange of RTSP messages: states as the RFC draws them, CSeq, credentials, time limits."""

import itertools
from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import LocalProtocolError, RemoteProtocolError
from axis_nvr.session import rtsp_client
from axis_nvr.session.digest import Authenticator, Credentials, Failure
from axis_nvr.session.rtsp_client import (
    STATELESS,
    Accepted,
    Outcome,
    Refused,
    RtspClient,
    ServerEnded,
    State,
    Unanswered,
)
from axis_nvr.wire.rtsp import Message, Request, Response, read_message
from tests.wire.rtsp_messages import read_messages

INIT, READY, PLAYING = State.INIT, State.READY, State.PLAYING
URI = "rtsp://192.168.0.90/axis-media/media.amp"
AXIS = 'WWW-Authenticate: Digest realm="AXIS_ACCC8E012345", nonce="{nonce}", stale={stale}'

#: The client's table of RFC 2326 §A.1, line by line: state, message sent, next state after 2xx.
#: RECORD and its state are left out: nothing is recorded to a camera. What is not here, the RFC
#: does not allow.
RFC_2326_A_1 = [
    (INIT, "SETUP", READY),
    (INIT, "TEARDOWN", INIT),
    (READY, "PLAY", PLAYING),
    (READY, "TEARDOWN", INIT),
    (READY, "SETUP", READY),
    (PLAYING, "PAUSE", READY),
    (PLAYING, "TEARDOWN", INIT),
    (PLAYING, "PLAY", PLAYING),
    (PLAYING, "SETUP", PLAYING),
]
#: How to get into each state.
WAYS = {INIT: [], READY: ["SETUP"], PLAYING: ["SETUP", "PLAY"]}


class Exchange:
    """A client, and bytes to and from it."""

    def __init__(self, credentials: Credentials | None = None) -> None:
        self.client = RtspClient(Authenticator(credentials, lambda: "c0ffee"), "axis_nvr/test")

    def sent(self) -> list[Message]:
        """Return the messages that the client has sent since."""
        return read_messages(self.client.take_output())

    def request(self) -> Request:
        """Return the only request sent since."""
        (message,) = self.sent()
        assert isinstance(message, Request)
        return message

    def receive(self, text: str, now: float = 0.0) -> list[Outcome]:
        """Give the client one message, with line feeds only."""
        found = read_message((text + "\n\n").encode("latin-1"))
        assert found is not None
        return self.client.receive(found[0], now)

    def ask(self, method: str, reply: str = "200 OK", now: float = 0.0) -> list[Outcome]:
        """Send a request and give the client its answer."""
        self.client.send(method, URI, now)
        cseq = self.request().headers.get("CSeq")
        status, _, headers = reply.partition("\n")
        return self.receive(f"RTSP/1.0 {status}\nCSeq: {cseq}\n{headers}".rstrip(), now)

    def reach(self, methods: Iterable[str]) -> "Exchange":
        """Go through requests that are all accepted."""
        for method in methods:
            self.ask(method, "200 OK\nSession: abc")
        return self


class StateTests(SynchronousTestCase):
    def test_table_of_the_rfc(self) -> None:
        """After a 2xx the state is the one of RFC 2326 §A.1."""
        for state, method, expected in RFC_2326_A_1:
            exchange = Exchange().reach(WAYS[state])
            self.assertIs(exchange.client.state, state)
            (outcome,) = exchange.ask(method, "200 OK\nSession: abc")
            assert isinstance(outcome, Accepted)
            self.assertEqual((outcome.method, outcome.state), (method, expected))
            self.assertIs(exchange.client.state, expected)

    def test_all_else_is_our_bug(self) -> None:
        """What the table does not have is not sent; what changes no state always is."""
        allowed = {(state, method) for state, method, _ in RFC_2326_A_1}
        methods = {method for _, method, _ in RFC_2326_A_1}
        for state, method in itertools.product(WAYS, methods):
            if (state, method) not in allowed:
                client = Exchange().reach(WAYS[state]).client
                self.assertRaises(LocalProtocolError, client.send, method, URI, 0.0)
        for state, method in itertools.product(WAYS, STATELESS):
            exchange = Exchange().reach(WAYS[state])
            exchange.ask(method)
            self.assertIs(exchange.client.state, state)

    def test_errors_change_nothing(self) -> None:
        """4xx and 5xx leave the state, 3xx starts over (RFC 2326 §A.1)."""
        for status, expected in ((400, READY), (454, READY), (500, READY), (302, INIT)):
            exchange = Exchange().reach(["SETUP"])
            (outcome,) = exchange.ask("PLAY", f"{status} No")
            assert isinstance(outcome, Refused)
            self.assertEqual(outcome.response.status, status)
            self.assertIs(exchange.client.state, expected)

    def test_teardown_forgets_the_session(self) -> None:
        """After TEARDOWN no Session header is sent."""
        exchange = Exchange().reach(["SETUP", "PLAY", "TEARDOWN"])
        exchange.client.send("OPTIONS", URI, 0)
        self.assertNotIn("Session", exchange.request().headers)


class RequestTests(SynchronousTestCase):
    def test_headers(self) -> None:
        """Each request has the next CSeq and says who we are, OPTIONS too (quirk 22)."""
        exchange = Exchange()
        for cseq in ("1", "2", "3"):
            exchange.client.send("OPTIONS", "*", 0, [("X", "y")])
            headers = list(exchange.request().headers)
            self.assertEqual(headers, [("CSeq", cseq), ("User-Agent", "axis_nvr/test"), ("X", "y")])

    def test_bytes(self) -> None:
        """A request with a body, byte for byte."""
        client = Exchange().client
        client.send("SET_PARAMETER", URI, 0, body=b"Renew-Stream: yes\r\n")
        self.assertEqual(
            client.take_output(),
            b"SET_PARAMETER rtsp://192.168.0.90/axis-media/media.amp RTSP/1.0\r\n"
            b"CSeq: 1\r\nUser-Agent: axis_nvr/test\r\nContent-Length: 19\r\n\r\n"
            b"Renew-Stream: yes\r\n",
        )
        self.assertEqual(client.take_output(), b"")

    def test_too_many(self) -> None:
        """Requests that wait for an answer are bounded."""
        client = Exchange().client
        for _ in range(rtsp_client.MAX_IN_FLIGHT):
            client.send("OPTIONS", URI, 0)
        self.assertRaises(LocalProtocolError, client.send, "OPTIONS", URI, 0)


class SessionTests(SynchronousTestCase):
    def test_session_on_options(self) -> None:
        """Every request after SETUP names the session, OPTIONS too (quirk 3: live555 proxy)."""
        exchange = Exchange()
        exchange.ask("SETUP", "200 OK\nSession: kt6D2PGchRHkcd1b;timeout=30")
        for method in ("OPTIONS", "GET_PARAMETER", "PLAY"):
            exchange.client.send(method, URI, 0)
            self.assertEqual(exchange.request().headers.get("Session"), "kt6D2PGchRHkcd1b")
        self.assertEqual(exchange.client.session_timeout_seconds, 30)

    def test_session_id_that_changes(self) -> None:
        """The identifier of the first SETUP counts (quirk 9: H264DVR 1.0)."""
        exchange = Exchange()
        exchange.ask("SETUP", "200 OK\nSession: 11111111")
        exchange.ask("SETUP", "200 OK\nSession: 22222222;timeout=90")
        exchange.client.send("PLAY", URI, 0)
        self.assertEqual(exchange.request().headers.get("Session"), "11111111")
        self.assertEqual(exchange.client.session_timeout_seconds, 90)

    def test_late_session(self) -> None:
        """A session that is first named in the answer to PLAY is used from there on."""
        exchange = Exchange()
        exchange.ask("SETUP")
        exchange.ask("PLAY", "200 OK\nSession: 33333333")
        self.assertEqual(exchange.client.session_id, "33333333")
        self.assertEqual(exchange.client.session_timeout_seconds, 60)

    def test_nonsense(self) -> None:
        """A Session header without an identifier breaks the protocol."""
        self.assertRaises(RemoteProtocolError, Exchange().ask, "SETUP", "200 OK\nSession: ;x")


class MatchingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange()

    def send(self, *methods: str) -> None:
        for method in methods:
            self.exchange.client.send(method, URI, 0)

    def answered(self, *lines: str) -> list[str]:
        """The methods that one response answers."""
        outcomes = self.exchange.receive("\n".join(["RTSP/1.0 200 OK", *lines]))
        return [o.method for o in outcomes if isinstance(o, Accepted)]

    def test_spellings(self) -> None:
        """The CSeq counts in any case and with any spaces (quirk 22: Longse, Herospeed)."""
        for line in ("CSeq: {}", "Cseq: {} ", "CSEQ:{}", "cseq :\t{}", "CSeq: 0{}"):
            exchange = Exchange()
            exchange.client.send("OPTIONS", URI, 0)
            (outcome,) = exchange.receive(f"RTSP/1.0 200 OK\n{line.format(1)}")
            self.assertIsInstance(outcome, Accepted, line)

    def test_no_cseq(self) -> None:
        """A response without a CSeq, or with nonsense, answers the oldest request."""
        for lines in ((), ("CSeq: x",), ("CSeq:",)):
            self.send("OPTIONS", "DESCRIBE")
            self.assertEqual(self.answered(*lines), ["OPTIONS"])
            self.exchange.client.abandon()

    def test_zero(self) -> None:
        """CSeq 0 answers the only request there is (quirk 22: Foscam C1)."""
        self.send("OPTIONS")
        self.assertEqual(self.answered("Cseq: 0"), ["OPTIONS"])

    def test_skipped(self) -> None:
        """Requests before the one that is answered go unanswered."""
        self.send("OPTIONS", "GET_PARAMETER", "DESCRIBE")
        outcomes = self.exchange.receive("RTSP/1.0 200 OK\nCSeq: 3")
        self.assertEqual(
            [(type(o), o.method) for o in outcomes if not isinstance(o, ServerEnded)],
            [(Unanswered, "OPTIONS"), (Unanswered, "GET_PARAMETER"), (Accepted, "DESCRIBE")],
        )

    def test_strays(self) -> None:
        """Answers to nothing are ignored, up to a limit (quirk 6: live555 up to 2017.06.04)."""
        self.send("OPTIONS")
        for _ in range(rtsp_client.MAX_STRAY_RESPONSES):
            self.assertEqual(self.answered("CSeq: 4711"), [])
        self.assertEqual(self.answered("CSeq: 1"), ["OPTIONS"])
        self.assertEqual(self.exchange.client.stray_responses, rtsp_client.MAX_STRAY_RESPONSES)
        self.assertRaises(RemoteProtocolError, self.answered, "CSeq: 1")

    def test_continue(self) -> None:
        """100 Continue is no answer, and gives the answer its full time again."""
        self.send("OPTIONS")
        self.assertEqual(self.exchange.receive("RTSP/1.0 100 Continue\nCSeq: 1", now=14), [])
        self.assertEqual(self.exchange.client.next_timeout(), 29)
        self.assertEqual(self.answered("CSeq: 1"), ["OPTIONS"])

    def test_empty_reason(self) -> None:
        """A response without a reason phrase is one (quirk 22)."""
        self.send("OPTIONS")
        (outcome,) = self.exchange.receive("RTSP/1.0 200\nCSeq: 1")
        self.assertIsInstance(outcome, Accepted)

    def test_http(self) -> None:
        """A web server at the other end is told as such."""
        self.send("OPTIONS")
        for text in ("HTTP/1.1 400 Bad Request", "GET / HTTP/1.1"):
            self.assertRaises(RemoteProtocolError, self.exchange.receive, text)


class AuthenticationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange(Credentials("root", "hemmelig"))

    def challenged(self, nonce: str, stale: str = "FALSE") -> list[Outcome]:
        """Answer the last request with a challenge."""
        cseq = self.exchange.request().headers.get("CSeq")
        challenge = AXIS.format(nonce=nonce, stale=stale)
        return self.exchange.receive(f"RTSP/1.0 401 Unauthorized\nCSeq: {cseq}\n{challenge}")

    def test_answered(self) -> None:
        """A challenged request goes out again, under a new CSeq, and keeps its tag."""
        tag = self.exchange.client.send("DESCRIBE", URI, 0, [("Accept", "application/sdp")])
        self.assertEqual(self.challenged("n1"), [])
        request = self.exchange.request()
        self.assertEqual(request.headers.get("CSeq"), "2")
        self.assertEqual(request.headers.get("Accept"), "application/sdp")
        self.assertIn('nonce="n1"', request.headers.get("Authorization"))
        (outcome,) = self.exchange.receive("RTSP/1.0 200 OK\nCSeq: 2")
        assert isinstance(outcome, Accepted)
        self.assertEqual(outcome.tag, tag)

    def test_remembered(self) -> None:
        """After one challenge every request carries an answer."""
        self.exchange.client.send("DESCRIBE", URI, 0)
        self.challenged("n1")
        self.exchange.receive("RTSP/1.0 200 OK\nCSeq: 2")
        self.exchange.sent()
        self.exchange.client.send("OPTIONS", URI, 0)
        self.assertIn("Digest", self.exchange.request().headers.get("Authorization"))

    def test_wrong(self) -> None:
        """Two refusals of one request are final: nothing is sent again."""
        self.exchange.client.send("DESCRIBE", URI, 0)
        self.challenged("n1")
        (outcome,) = self.challenged("n2")
        assert isinstance(outcome, Refused)
        self.assertEqual(outcome.failure, Failure.WRONG_CREDENTIALS)
        self.assertEqual(self.exchange.sent(), [])
        self.assertIsNone(self.exchange.client.next_timeout())

    def test_nonce_that_changes(self) -> None:
        """A running session whose nonce grows old goes on (quirk 5: Axis M5525).

        The camera sends a plain 401 with a new nonce and ``stale=FALSE`` after 150 s.
        """
        self.exchange.client.send("SETUP", URI, 0)
        self.challenged("n1")
        self.exchange.receive("RTSP/1.0 200 OK\nCSeq: 2\nSession: abc")
        self.exchange.sent()
        for round_number in range(10):
            self.exchange.client.send("GET_PARAMETER", URI, 150 * round_number)
            self.assertEqual(self.challenged(f"later{round_number}"), [])
            request = self.exchange.request()
            self.assertIn(f'nonce="later{round_number}"', request.headers.get("Authorization"))
            cseq = request.headers.get("CSeq")
            (outcome,) = self.exchange.receive(f"RTSP/1.0 200 OK\nCSeq: {cseq}")
            self.assertIsInstance(outcome, Accepted)

    def test_stale_for_ever(self) -> None:
        """A server that finds every nonce stale is not asked for ever."""
        self.exchange.client.send("DESCRIBE", URI, 0)
        for number in range(rtsp_client.MAX_ATTEMPTS - 1):
            self.assertEqual(self.challenged(f"n{number}", "TRUE"), [])
        (outcome,) = self.challenged("last", "TRUE")
        assert isinstance(outcome, Refused)
        self.assertEqual(outcome.failure, Failure.NEVER_SATISFIED)

    def test_no_credentials(self) -> None:
        """Without credentials, or without a known scheme, a 401 is final at once."""
        for credentials, header, expected in (
            (None, "WWW-Authenticate: Basic", Failure.NO_CREDENTIALS),
            (Credentials("a", "b"), "WWW-Authenticate: NTLM", Failure.UNKNOWN_SCHEME),
            (Credentials("a", "b"), "X: y", Failure.UNKNOWN_SCHEME),
        ):
            (outcome,) = Exchange(credentials).ask("DESCRIBE", f"401 No\n{header}")
            assert isinstance(outcome, Refused)
            self.assertEqual(outcome.failure, expected)

    def test_digest_in_the_second_header(self) -> None:
        """Digest is answered where Basic is offered before it."""
        self.exchange.client.send("DESCRIBE", URI, 0)
        self.exchange.sent()
        self.exchange.receive(
            'RTSP/1.0 401 Unauthorized\nCSeq: 1\nWWW-Authenticate: Basic realm="r"\n'
            'WWW-Authenticate: Digest realm="r", nonce="n"'
        )
        self.assertIn("Digest ", self.exchange.request().headers.get("Authorization"))

    def test_next_nonce(self) -> None:
        """A nonce that an answer brings is used for the next request."""
        self.exchange.client.send("DESCRIBE", URI, 0)
        self.challenged("n1")
        self.exchange.receive('RTSP/1.0 200 OK\nCSeq: 2\nAuthentication-Info: nextnonce="n2"')
        self.exchange.sent()
        self.exchange.client.send("OPTIONS", URI, 0)
        self.assertIn('nonce="n2"', self.exchange.request().headers.get("Authorization"))

    def test_never_shown(self) -> None:
        """Nothing that is shown or raised holds the password, in clear or in base64."""
        self.exchange.client.send("DESCRIBE", URI, 0)
        self.exchange.sent()
        self.exchange.receive("RTSP/1.0 401 No\nCSeq: 1\nWWW-Authenticate: Basic")
        request = self.exchange.request()
        self.assertIn("cm9vdDpoZW1tZWxpZw==", request.headers.get("Authorization"))
        error = self.assertRaises(RemoteProtocolError, self.exchange.client.time_out, 100)
        for shown in (repr(request), str(error), repr(error), repr(self.exchange.client)):
            self.assertNotIn("hemmelig", shown)
            self.assertNotIn("cm9vdD", shown)


class ServerRequestTests(SynchronousTestCase):
    def answer(self, text: str) -> tuple[Response, list[Outcome]]:
        """What the client answers to a request of the server, and makes of it."""
        exchange = Exchange().reach(["SETUP", "PLAY"])
        outcomes = exchange.receive(text)
        (message,) = exchange.sent()
        assert isinstance(message, Response)
        return message, outcomes

    def test_signs_of_life(self) -> None:
        """A server that asks whether we live gets 200 and its own CSeq."""
        for method in ("OPTIONS", "GET_PARAMETER"):
            response, outcomes = self.answer(f"{method} {URI} RTSP/1.0\nCSeq: 77")
            self.assertEqual((response.status, outcomes), (200, []))
            self.assertEqual(response.headers.get("CSeq"), "77")
            self.assertEqual(response.headers.get("Session"), "abc")

    def test_not_implemented(self) -> None:
        """Everything else gets 501, and the session goes on."""
        for method in ("ANNOUNCE", "SET_PARAMETER", "RECORD", "X-OWN"):
            response, outcomes = self.answer(f"{method} {URI} RTSP/1.0\nCSeq: 1")
            self.assertEqual((response.status, outcomes), (501, []))
            self.assertIn("OPTIONS", response.headers.get("Allow"))

    def test_the_end(self) -> None:
        """TEARDOWN, an announced end of stream and REDIRECT end the session."""
        for text, location in (
            (f"TEARDOWN {URI} RTSP/1.0\nCSeq: 1", ""),
            (f'ANNOUNCE {URI} RTSP/1.0\nCSeq: 1\nx-notice: 2101 "End-of-Stream Reached"', ""),
            (f"REDIRECT {URI} RTSP/1.0\nCSeq: 1\nLocation: rtsp://other/", "rtsp://other/"),
        ):
            response, (outcome,) = self.answer(text)
            assert isinstance(outcome, ServerEnded)
            self.assertEqual((response.status, outcome.location), (200, location))

    def test_flood(self) -> None:
        """A server that asks without end is left."""
        exchange = Exchange()
        limit = rtsp_client.MAX_SERVER_REQUESTS_PER_MINUTE
        for number in range(3 * limit):
            exchange.receive("OPTIONS * RTSP/1.0\nCSeq: 1", now=number * 60 / limit)
        exchange = Exchange()
        for _ in range(limit):
            exchange.receive("OPTIONS * RTSP/1.0\nCSeq: 1")
        text = "OPTIONS * RTSP/1.0\nCSeq: 1"
        self.assertRaises(RemoteProtocolError, exchange.receive, text, 59.9)


class TimeTests(SynchronousTestCase):
    def test_silence(self) -> None:
        """A server that does not answer within the limit has broken the protocol."""
        client = Exchange().client
        client.send("DESCRIBE", URI, 100)
        self.assertEqual(client.next_timeout(), 115)
        self.assertEqual(client.time_out(114.9), [])
        error = self.assertRaises(RemoteProtocolError, client.time_out, 115)
        self.assertIn("DESCRIBE (CSeq 1)", str(error))

    def test_silence_that_does_not_matter(self) -> None:
        """A request that is not essential is forgotten, and its late answer ignored."""
        exchange = Exchange()
        tag = exchange.client.send("GET_PARAMETER", URI, 0, essential=False, timeout=5)
        self.assertEqual(exchange.client.time_out(5), [Unanswered(tag, "GET_PARAMETER")])
        self.assertIsNone(exchange.client.next_timeout())
        self.assertEqual(exchange.receive("RTSP/1.0 200 OK\nCSeq: 1"), [])
