"""The server's end of an RTSP dialogue, laid beside RFC 2326 and the answers of Axis devices."""

from collections.abc import Iterator
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.session.server.challenger import Challenger
from axis_nvr.session.server.dialogue import IDLE_TIMEOUT_SECONDS, Asked, RtspServer, SessionClosed
from axis_nvr.session.server.guard import DigestGuard, single_user
from axis_nvr.session.server.request_reader import (
    MAX_REQUEST_BODY_BYTES,
    MAX_WAITING_BYTES,
    InterleavedFrame,
)
from axis_nvr.session.server.sessions import PLAYING, READY, RequestRefused, SessionTable
from axis_nvr.wire.rtsp import MAX_HEAD_BYTES, Headers, Request, Response, encode, read_message
from axis_nvr.wire.rtsp_headers import Transport

URL = "rtsp://10.0.0.2:554/axis-media/media.amp?fps=25"
TRACK = "rtsp://10.0.0.2:554/axis-media/media.amp/stream=0?fps=25"
TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


def session_ids() -> Iterator[str]:
    return (f"{n:016x}" for n in count(1))


def request(method: str, uri: str = URL, **headers: str) -> bytes:
    """Write a request; underscores in names of headers stand for hyphens; ``body`` is one."""
    fields, body = Headers([("CSeq", "1")]), headers.pop("body", "").encode()
    for name, value in headers.items():
        fields.set(name.replace("_", "-"), value)
    return encode(Request(method, uri, fields, body))


class ServerTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        ids = session_ids()
        self.sessions = SessionTable(lambda: next(ids), limit=2)
        self.server = RtspServer(self.sessions)
        self.now = 0.0

    def responses(self) -> list[Response]:
        """What the server has answered since the last look."""
        data, found = self.server.take_output(), []
        while data:
            read = read_message(data)
            assert read is not None
            message, end = read
            assert isinstance(message, Response)
            found.append(message)
            data = data[end:]
        return found

    def status(self, data: bytes) -> int:
        """Send something that gets one answer at once."""
        self.server.receive(data, self.now)
        (response,) = self.responses()
        return response.status

    def asked(self, data: bytes) -> Asked:
        """Send something that the application has to answer."""
        self.server.receive(data, self.now)
        events = self.server.take_events()
        assert len(events) == 1, events
        assert isinstance(events[0], Asked)
        return events[0]

    def play(self) -> str:
        """Set a session up and play it; returns its id."""
        setup = self.asked(request("SETUP", TRACK, Transport=TCP))
        assert setup.session is not None
        setup.session.tracks[0] = Transport()
        self.server.accept(setup, self.now)
        session_id = setup.session.session_id
        self.server.accept(self.asked(request("PLAY", Session=session_id)), self.now)
        self.responses()
        return session_id


class DialogueTests(ServerTestCase):
    def test_options_tells_what_axis_devices_tell(self) -> None:
        """OPTIONS is answered with the methods and the name that Axis devices send."""
        self.server.receive(request("OPTIONS", "*"), self.now)
        (response,) = self.responses()
        self.assertEqual(response.headers.get("Server"), "GStreamer RTSP server")
        self.assertEqual(
            response.headers.get("Public"),
            "OPTIONS, DESCRIBE, ANNOUNCE, GET_PARAMETER, PAUSE, PLAY, RECORD, SETUP,"
            " SET_PARAMETER, TEARDOWN",
        )
        self.assertEqual(response.headers.get("CSeq"), "1")

    def test_a_session_from_setup_to_teardown(self) -> None:
        """The states follow RFC 2326 §A.2; every answer repeats the session and its timeout."""
        setup = self.asked(request("SETUP", TRACK, Transport=TCP))
        self.assertEqual((setup.url.track, setup.url.url), (0, URL))
        self.assertEqual(setup.transports[0].interleaved, (0, 1))
        session = setup.session
        assert session is not None
        session.tracks[0] = setup.transports[0]
        self.server.accept(setup, self.now, headers=[("Transport", TCP)])
        self.assertEqual(session.state, READY)
        (response,) = self.responses()
        self.assertEqual(response.headers.get("Session"), f"{session.session_id};timeout=60")
        play = self.asked(request("PLAY", Session=session.session_id, Range="npt=0.000-"))
        assert play.range is not None
        self.assertEqual(play.range.start_us, 0)
        self.server.accept(play, self.now)
        self.assertEqual(session.state, PLAYING)
        self.server.accept(self.asked(request("PAUSE", Session=session.session_id)), self.now)
        self.assertEqual(session.state, READY)
        self.responses()
        self.server.receive(request("TEARDOWN", Session=session.session_id), self.now)
        self.assertEqual(self.server.take_events(), [SessionClosed(session)])
        (response,) = self.responses()
        self.assertEqual((response.status, response.headers.get("Connection")), (200, "close"))
        self.assertTrue(self.server.closing)
        self.assertEqual(len(self.sessions), 0)

    def test_methods_out_of_place_are_refused(self) -> None:
        """455 for what a state does not allow, and for a second SETUP of a track."""
        setup = self.asked(request("SETUP", TRACK, Transport=TCP))
        assert setup.session is not None
        setup.session.tracks[0] = Transport()
        self.server.accept(setup, self.now)
        self.responses()
        named = {"Session": setup.session.session_id}
        self.assertEqual(self.status(request("PAUSE", **named)), 455)
        self.assertEqual(self.status(request("SETUP", TRACK, Transport=TCP, **named)), 455)
        self.server.accept(self.asked(request("PLAY", **named)), self.now)
        self.responses()
        second = TRACK.replace("stream=0", "stream=1")
        self.assertEqual(self.status(request("SETUP", second, Transport=TCP, **named)), 455)

    def test_sessions_that_are_not(self) -> None:
        """454 without a session where one is needed, and for an unknown one anywhere."""
        for method in ("PLAY", "PAUSE", "TEARDOWN"):
            self.assertEqual(self.status(request(method)), 454)
        for method in ("PLAY", "OPTIONS", "GET_PARAMETER", "DESCRIBE"):
            self.assertEqual(self.status(request(method, Session="0000")), 454)

    def test_what_is_not_understood(self) -> None:
        """Versions, methods, features, transports, ranges and URLs have their own codes."""
        self.assertEqual(self.status(b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n"), 505)
        self.assertEqual(self.status(b"OPTIONS * RTSP/1.0\r\n\r\n"), 400)
        self.assertEqual(self.status(request("REDIRECT")), 501)
        self.assertEqual(self.status(request("RECORD")), 405)
        self.assertEqual(self.status(request("SETUP", TRACK, Transport="MP2T/H2221")), 461)
        self.assertEqual(self.status(request("DESCRIBE", "http://a/b")), 400)
        session_id = self.play()
        self.assertEqual(self.status(request("PLAY", Session=session_id, Range="eons=1-")), 457)

    def test_a_probe_of_old_clients(self) -> None:
        """``Require: com.axis.parameters-in-header`` gets 551 and what is unsupported."""
        tag = "com.axis.parameters-in-header"
        self.server.receive(request("SET_PARAMETER", Require=tag, RenewStream="yes"), self.now)
        (response,) = self.responses()
        self.assertEqual((response.status, response.headers.get("Unsupported")), (551, tag))

    def test_empty_parameters_keep_alive(self) -> None:
        """GET_PARAMETER and SET_PARAMETER without a body are answered at once."""
        session_id = self.play()
        for method in ("GET_PARAMETER", "SET_PARAMETER", "OPTIONS"):
            self.assertEqual(self.status(request(method, Session=session_id)), 200)

    def test_parameters_go_to_the_application(self) -> None:
        """A body is for the application to read."""
        asked = self.asked(request("SET_PARAMETER", body="Renew-Stream: yes\r\n"))
        self.server.refuse(asked, RequestRefused(451), self.now)
        (response,) = self.responses()
        self.assertEqual((response.status, response.reason), (451, "Parameter Not Understood"))

    def test_requests_wait_for_the_one_before(self) -> None:
        """Answers come in the order of the requests, however long the application takes."""
        data = request("DESCRIBE", CSeq="1") + request("OPTIONS", CSeq="2")
        asked = self.asked(data)
        self.assertTrue(self.server.waiting)
        self.assertEqual(self.responses(), [])
        self.server.accept(asked, self.now, body=b"v=0\r\n")
        found = [(r.headers.get("CSeq"), r.body) for r in self.responses()]
        self.assertEqual(found, [("1", b"v=0\r\n"), ("2", b"")])

    def test_an_answer_too_many_is_nothing(self) -> None:
        """A request is answered once."""
        asked = self.asked(request("DESCRIBE"))
        self.server.accept(asked, self.now)
        self.server.refuse(asked, RequestRefused(500), self.now)
        self.assertEqual([r.status for r in self.responses()], [200])

    def test_blocksize(self) -> None:
        """``Blocksize`` limits packets, but not to nothing."""
        for text, expected in (("64000", 64000), ("1", 256), ("x", None), ("9" * 12, None)):
            asked = self.asked(request("SETUP", TRACK, Transport=TCP, Blocksize=text))
            self.assertEqual(asked.blocksize, expected)
            self.server.refuse(asked, RequestRefused(404), self.now)

    def test_intercepted(self) -> None:
        """What the interceptor refuses is refused before anything else is looked at."""

        def intercept(message: Request) -> None:
            raise RequestRefused(503, "busy")

        self.server = RtspServer(self.sessions, intercept=intercept)
        self.assertEqual(self.status(request("OPTIONS")), 503)


class SessionTests(ServerTestCase):
    def test_no_more_than_the_limit(self) -> None:
        """Beyond the limit 453; a refused SETUP leaves no session behind."""
        first = self.asked(request("SETUP", TRACK, Transport=TCP))
        self.server.refuse(first, RequestRefused(404), self.now)
        self.assertEqual(len(self.sessions), 0)
        self.responses()
        self.play()
        self.play()
        self.assertEqual(self.status(request("SETUP", TRACK, Transport=TCP)), 453)

    def test_silence_ends_a_session(self) -> None:
        """After the timeout it is gone; any request that names it renews it."""
        session_id = self.play()
        self.now = 59.0
        self.assertEqual(self.status(request("OPTIONS", Session=session_id)), 200)
        self.assertEqual(self.sessions.next_timeout(), 119.0)
        self.assertEqual(self.sessions.expire(118.9), [])
        (ended,) = self.sessions.expire(119.0)
        self.assertEqual(ended.session_id, session_id)
        self.now = 119.0
        self.assertEqual(self.status(request("PLAY", Session=session_id)), 454)
        self.assertIsNone(self.sessions.next_timeout())

    def test_an_answer_after_the_end(self) -> None:
        """A session that ends while the application thinks is no error."""
        session_id = self.play()
        asked = self.asked(request("PAUSE", Session=session_id))
        self.sessions.expire(1000.0)
        self.server.accept(asked, self.now)
        self.assertEqual(self.responses()[0].status, 200)


class GuardTests(ServerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.challenger = Challenger("AXIS_ACCC8E012345", b"k" * 16)
        secret_of = single_user(Credentials("root", "pass"), "AXIS_ACCC8E012345")
        guard = DigestGuard(self.challenger, secret_of)
        self.server = RtspServer(self.sessions, guard=guard)

    def challenged(self, data: bytes) -> str:
        self.server.receive(data, self.now)
        (response,) = self.responses()
        self.assertEqual(response.status, 401)
        return response.headers.get("WWW-Authenticate")

    def test_options_needs_no_credentials(self) -> None:
        """OPTIONS passes, DESCRIBE is challenged in exactly the form of Axis devices."""
        self.assertEqual(self.status(request("OPTIONS")), 200)
        challenge = self.challenged(request("DESCRIBE"))
        form = r'^Digest realm="AXIS_ACCC8E012345", nonce="[0-9a-f]{44}", stale=FALSE$'
        self.assertRegex(challenge, form)

    def test_the_right_password_passes(self) -> None:
        """Our own client gets in, with the request's URI and with that of the presentation."""
        client = Authenticator(Credentials("root", "pass"))
        client.challenge([self.challenged(request("DESCRIBE"))])
        for method, uri, named in (("DESCRIBE", URL, URL), ("SETUP", TRACK, TRACK)):
            answer = client.authorization(method, named) or ""
            headers = {"Transport": TCP, "Authorization": answer}
            asked = self.asked(request(method, uri, **headers))
            if asked.session is not None:
                asked.session.tracks[0] = Transport()
            self.server.accept(asked, self.now)
        session_id = next(iter(self.sessions)).session_id
        second = TRACK.replace("stream=0", "stream=1")
        answer = client.authorization("SETUP", URL) or ""
        self.asked(
            request("SETUP", second, Transport=TCP, Session=session_id, Authorization=answer)
        )

    def test_the_wrong_password_does_not(self) -> None:
        """Wrong names and passwords get another challenge, and no session comes of them."""
        for username, password in (("root", "wrong"), ("nobody", "pass")):
            client = Authenticator(Credentials(username, password))
            client.challenge([self.challenged(request("DESCRIBE"))])
            answer = client.authorization("SETUP", TRACK) or ""
            self.challenged(request("SETUP", TRACK, Transport=TCP, Authorization=answer))
        self.assertEqual(len(self.sessions), 0)

    def test_an_old_nonce_is_told_from_a_wrong_password(self) -> None:
        """After its lifetime a nonce gets ``stale=TRUE``."""
        client = Authenticator(Credentials("root", "pass"))
        client.challenge([self.challenged(request("DESCRIBE"))])
        self.now = 301.0
        answer = client.authorization("DESCRIBE", URL) or ""
        self.assertIn("stale=TRUE", self.challenged(request("DESCRIBE", Authorization=answer)))


class BytesTests(ServerTestCase):
    def test_cut_anywhere(self) -> None:
        """However the bytes are cut, the same requests and frames come out."""
        stream = (
            request("OPTIONS", CSeq="1")
            + b"$\1\0\3rtc"
            + b"\r\n"
            + request("GET_PARAMETER", CSeq="2")
            + encode(Response(200, headers=Headers([("CSeq", "9")]), body=b"passed over"))
            + request("DESCRIBE", CSeq="3")
        )
        for size in (1, 2, 7, len(stream)):
            self.server = RtspServer(self.sessions)
            for place in range(0, len(stream), size):
                self.server.receive(stream[place : place + size], self.now)
            frame, asked = self.server.take_events()
            self.assertEqual(frame, InterleavedFrame(1, b"rtc"))
            assert isinstance(asked, Asked)
            self.assertEqual(asked.method, "DESCRIBE")
            self.assertEqual([r.headers.get("CSeq") for r in self.responses()], ["1", "2"])

    def test_garbage_ends_the_connection(self) -> None:
        """What is no request gets 400, and nothing behind it is read."""
        for garbage in (b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"x" * MAX_HEAD_BYTES):
            self.server = RtspServer(self.sessions)
            self.assertEqual(self.status(garbage), 400)
            self.assertTrue(self.server.closing)
            self.server.receive(request("OPTIONS"), self.now)
            self.assertEqual(self.responses(), [])

    def test_bodies_and_backlogs_are_bounded(self) -> None:
        """A long body, and a client that talks on while it should wait, are cut off."""
        length = str(MAX_REQUEST_BODY_BYTES + 1)
        self.assertEqual(self.status(request("SET_PARAMETER", Content_Length=length)), 400)
        self.server = RtspServer(self.sessions)
        self.asked(request("DESCRIBE"))
        self.server.receive(bytes(MAX_WAITING_BYTES), self.now)
        self.assertFalse(self.server.closing)
        self.server.receive(b"x", self.now)
        self.assertTrue(self.server.closing)

    def test_silence_is_noticed(self) -> None:
        """The connection tells when it is idle for too long."""
        self.server.start(5.0)
        self.assertEqual(self.server.next_timeout(), 5.0 + IDLE_TIMEOUT_SECONDS)

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=60),
                st.sampled_from(
                    [
                        request("OPTIONS"),
                        request("DESCRIBE"),
                        request("SETUP", TRACK, Transport=TCP),
                        request("PLAY", Session="0000000000000001"),
                        request("TEARDOWN", Session="0000000000000001"),
                        request("SETUP", TRACK, Transport="RTP/AVP;;;=,=;client_port=x"),
                        request("DESCRIBE", "rtsp://[::1/%0d%0a?a=%0d%0a&=&&%%"),
                        request("PLAY", "rtsp://a/b/stream=999?\xff", Range="npt=-"),
                        b"$\0\0\1",
                        b"\r\n",
                    ]
                ),
            ),
            max_size=12,
        ),
        st.booleans(),
    )
    def test_hostile_bytes(self, pieces: list[bytes], answer: bool) -> None:
        """Whatever a client sends, nothing is raised and what is answered is RTSP."""
        server, self.server = RtspServer(self.sessions), self.server
        for piece in pieces:
            server.receive(piece, self.now)
            for event in server.take_events():
                if isinstance(event, Asked):
                    if answer and event.session is not None:
                        event.session.tracks[0] = Transport()
                        server.accept(event, self.now, headers=[("Content-Base", event.url.url)])
                    else:
                        server.refuse(event, RequestRefused(404), self.now)
        output = server.take_output()
        while output:
            read = read_message(output)
            assert read is not None
            output = output[read[1] :]
