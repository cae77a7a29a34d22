"""The server on transports: answers, tunnels, accounts, slow applications, limits."""

import base64

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred

from axis_nvr.protocols import rtsp_server
from axis_nvr.protocols.admission import FixedAdmission
from axis_nvr.protocols.presentation import IPresentation, PlayAnswer
from axis_nvr.protocols.rtp_delivery import IClientConnection
from axis_nvr.protocols.rtsp_connection import RtspServerProtocol
from axis_nvr.session.server.dialogue import Guard
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.rtsp import Headers, Request, Response, encode, read_message
from tests.protocols.rtsp_serving import TCP, UDP, URL, ServerTestCase, request, responses
from tests.simulator.client import MemoryTransport


class AnswerTests(ServerTestCase):
    def test_describe(self) -> None:
        """A description is opened, written with our address, and closed again."""
        response = self.ask(*self.connect(), "DESCRIBE")
        self.assertEqual(response.body, b"v=0\r\n")
        self.assertEqual(response.headers.get("Content-Base"), f"{URL}/")
        self.assertEqual(self.calls, ["describe at 10.0.0.2", "stopped"])

    def test_the_reply_goes_before_the_media(self) -> None:
        """What a presentation sends at once stands behind the reply to PLAY."""
        _, transport, _ = self.play(TCP)
        data = transport.value()
        read = read_message(data)
        assert read is not None
        self.assertEqual(data[read[1] :], b"$\0\0\6packet")
        assert isinstance(read[0], Response)
        info = read[0].headers.get("RTP-Info")
        self.assertEqual(info, f"url={URL}/stream=0;seq=5;rtptime=6")

    def test_an_application_that_takes_its_time(self) -> None:
        """Requests behind wait; the end of the session meanwhile is no error."""
        waiting: Deferred[IPresentation] = Deferred()
        self.opening = waiting
        protocol, transport = self.connect()
        protocol.dataReceived(request("DESCRIBE") + request("OPTIONS"))
        self.assertEqual(transport.value(), b"")
        waiting.callback(self.presentation)
        self.assertEqual(len(responses(transport)), 2)

    def test_torn_down_while_play_is_prepared(self) -> None:
        """A PLAY that is ready after its session has ended plays nothing."""
        playing: Deferred[PlayAnswer] = Deferred()
        self.presentation.play_answer = playing
        _, transport, session = self.play(UDP)
        other, other_transport = self.connect()
        self.assertEqual(self.ask(other, other_transport, "TEARDOWN", Session=session).status, 200)
        playing.callback(PlayAnswer("npt=now-", []))
        self.assertEqual([r.status for r in responses(transport)], [454])
        self.assertNotIn("started", self.calls)

    def test_expired_while_it_is_opened(self) -> None:
        """A presentation that comes after its session has expired is stopped again."""
        waiting: Deferred[IPresentation] = Deferred()
        self.opening = waiting
        protocol, _ = self.connect()
        protocol.dataReceived(request("SETUP", Transport=TCP))
        self.clock.advance(61)
        waiting.callback(self.presentation)
        self.assertEqual(self.calls, ["stopped"])

    def test_refusals_and_surprises(self) -> None:
        """What the application refuses is told; what it stumbles over is 500 and a log entry."""
        self.opening = RequestRefused(404, "no such thing")
        response = self.ask(*self.connect(), "DESCRIBE")
        self.assertEqual((response.status, response.reason), (404, "no such thing"))
        self.opening = ZeroDivisionError()
        self.assertEqual(self.ask(*self.connect(), "DESCRIBE").status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.ask(*self.connect(), "SETUP", Transport=TCP).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.server.sessions), 0)

    def test_many_requests_at_once(self) -> None:
        """Hundreds of requests in one read are answered without deep recursion."""
        protocol, transport = self.connect()
        protocol.dataReceived(request("DESCRIBE") * 1000)
        self.assertEqual(len(responses(transport)), 1000)

    def test_parameters(self) -> None:
        """Parameters reach the presentation, with a session and without."""
        protocol, transport, session = self.play(UDP)
        responses(transport)
        for headers in ({"Session": session}, {}):
            fields = Headers([("CSeq", "1"), *headers.items()])
            protocol.dataReceived(encode(Request("GET_PARAMETER", URL, fields, b"x\r\n")))
            self.assertEqual(responses(transport)[0].body, b"parameters")


class TunnelTests(ServerTestCase):
    def half(self, method: str, cookie: str = "c") -> tuple[RtspServerProtocol, MemoryTransport]:
        protocol, transport = self.connect()
        head = Headers([("x-sessioncookie", cookie)])
        protocol.dataReceived(encode(Request(method, "/x", head, version="HTTP/1.0")))
        return protocol, transport

    def test_a_session_through_it(self) -> None:
        """Requests come up in base64, replies and media go down plain; both end together."""
        down, down_transport = self.half("GET")
        self.assertTrue(down_transport.value().startswith(b"HTTP/1.0 200 OK\r\n"))
        down_transport.clear()
        up, up_transport = self.half("POST")
        text = base64.b64encode(request("SETUP", Transport=TCP))
        for place in range(0, len(text), 7):
            up.dataReceived(text[place : place + 7])
        (response,) = responses(down_transport)
        session = response.headers.get("Session").partition(";")[0]
        up.dataReceived(base64.b64encode(request("PLAY", Session=session)))
        self.assertTrue(down_transport.value().endswith(b"$\0\0\6packet"))
        self.assertEqual(up_transport.value(), b"")
        down.connectionLost()
        self.assertEqual(self.calls[-1], "stopped")
        self.assertTrue(up_transport.aborted)

    def test_the_upward_half_may_be_opened_again(self) -> None:
        """The POST may end and come again; what comes up on the GET means nothing."""
        down, transport = self.half("GET")
        up, _ = self.half("POST")
        up.connectionLost()
        again, _ = self.half("POST")
        transport.clear()
        down.dataReceived(request("OPTIONS"))
        again.dataReceived(base64.b64encode(request("OPTIONS")))
        self.assertEqual(len(responses(transport)), 1)

    def test_halves_that_do_not_fit(self) -> None:
        """A POST without a GET, a second GET, no base64: the connection ends."""
        _, transport = self.half("POST")
        self.assertTrue(transport.value().startswith(b"HTTP/1.0 404"))
        self.assertTrue(transport.disconnecting)
        self.half("GET")
        _, transport = self.half("GET")
        self.assertTrue(transport.value().startswith(b"HTTP/1.0 400"))
        up, transport = self.half("POST")
        up.dataReceived(b"!!!!")
        self.assertTrue(transport.disconnecting)

    def test_a_full_tunnel_is_not_read(self) -> None:
        """When the downward half is full the upward half is not read either."""
        down, _ = self.half("GET")
        _, up_transport = self.half("POST")
        down.pauseProducing()
        self.assertEqual(up_transport.producerState, "paused")
        down.resumeProducing()
        self.assertEqual(up_transport.producerState, "producing")

    def test_datagrams_do_not_fit_into_it(self) -> None:
        """Within a tunnel UDP is refused with 461."""
        _, transport = self.half("GET")
        transport.clear()
        up, _ = self.half("POST")
        up.dataReceived(base64.b64encode(request("SETUP", Transport=UDP)))
        self.assertEqual(responses(transport)[0].status, 461)

    def test_refused_by_http(self) -> None:
        """Who may not open a tunnel is told so by HTTP."""

        def check(message: Request) -> None:
            raise RequestRefused(401, headers=[("WWW-Authenticate", 'Digest realm="x"')])

        self.make_server(admission=FixedAdmission(tunnel_check=check))
        _, transport = self.half("GET")
        self.assertTrue(transport.value().startswith(b"HTTP/1.0 401 Unauthorized\r\n"))
        self.assertIn(b"WWW-Authenticate", transport.value())


class SecureTests(ServerTestCase):
    def test_media_does_not_leave_tls(self) -> None:
        """Who asked for TLS gets no datagrams in clear; TCP within it is fine."""
        self.patch(RtspServerProtocol, "is_secure", True)
        for transport, status in ((UDP, 461), (TCP, 200), (f"{UDP},{TCP}", 200)):
            protocol, wire = self.connect()
            protocol.dataReceived(request("SETUP", Transport=transport))
            (response,) = responses(wire)
            self.assertEqual(response.status, status)
            self.assertNotIn("client_port", response.headers.get("Transport"))


class Names:
    """Lets everybody in, in the name that the request gives."""

    def guard(self, connection: IClientConnection) -> Guard:
        def let_in(asked: Request, session: object, now: float) -> None:
            connection.account = asked.headers.get("X-Name")

        return let_in

    def tunnel(self, asked: Request, connection: IClientConnection) -> str:
        return asked.headers.get("X-Name")


class AccountTests(ServerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.played: list[tuple[str, str, str]] = []
        self.make_server(
            admission=Names(),
            played=lambda asked, connection: self.played.append(
                (asked.url.path, connection.account, connection.client_host)
            ),
        )

    def half(self, method: str, name: str) -> tuple[RtspServerProtocol, MemoryTransport]:
        protocol, transport = self.connect()
        head = Headers([("x-sessioncookie", "c"), ("X-Name", name)])
        protocol.dataReceived(encode(Request(method, "/x", head, version="HTTP/1.0")))
        return protocol, transport

    def set_up_and_play(
        self, up: RtspServerProtocol, down: MemoryTransport, encoded: bool = False
    ) -> None:
        session = ""
        for method in ("SETUP", "PLAY", "PAUSE", "PLAY"):
            headers = {"Transport": TCP} if method == "SETUP" else {"Session": session}
            asked = request(method, **{"X-Name": "vera", **headers})
            down.clear()
            up.dataReceived(base64.b64encode(asked) if encoded else asked)
            self.assertIn(b"RTSP/1.0 200", down.value())
            session = down.value().partition(b"Session: ")[2].partition(b";")[0].decode()

    def test_who_plays_what(self) -> None:
        """It is told once for each session: what, who, from where."""
        self.set_up_and_play(*self.connect())
        self.assertEqual(self.played, [("/axis-media/media.amp", "vera", "10.0.0.9")])

    def test_a_tunnel_is_its_owners(self) -> None:
        """Nobody may speak in the tunnel of another account; what it plays its owner plays."""
        _, down = self.half("GET", "olga")
        _, stranger = self.half("POST", "vera")
        self.assertTrue(stranger.value().startswith(b"HTTP/1.0 404"))
        up, _ = self.half("POST", "olga")
        self.set_up_and_play(up, down, encoded=True)
        self.assertEqual(self.played[0][1], "olga")

    def test_admitted_by_others(self) -> None:
        """Whom the HTTP server let in is asked nothing, and speaks RTSP from the first byte."""
        protocol = self.server.build_admitted("10.0.0.9", "adam")
        assert protocol is not None
        transport = MemoryTransport()
        protocol.makeConnection(transport)
        self.set_up_and_play(protocol, transport)
        self.assertEqual(self.played[0][1], "adam")
        transport.clear()
        protocol.dataReceived(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(transport.value().startswith(b"RTSP/1.0 505"))


class LimitTests(ServerTestCase):
    def test_connections_of_one_address(self) -> None:
        """One address cannot take all the room."""
        self.patch(rtsp_server, "MAX_ADDRESS_CONNECTIONS", 1)
        first, _ = self.connect()
        peer = IPv4Address("TCP", "10.0.0.9", 2)
        self.assertIsNone(self.server.buildProtocol(peer))
        self.assertIsNone(self.server.build_admitted("10.0.0.9", "adam"))
        self.assertIsNotNone(self.server.buildProtocol(IPv4Address("TCP", "10.0.0.8", 2)))
        first.connectionLost()
        self.assertIsNotNone(self.server.buildProtocol(peer))

    def test_connections(self) -> None:
        """Beyond the limit connections are closed at once."""
        self.patch(rtsp_server, "MAX_CONNECTIONS", 2)
        first, _ = self.connect()
        self.connect()
        self.assertIsNone(self.server.buildProtocol(None))
        first.connectionLost()
        self.assertIsNotNone(self.server.buildProtocol(None))

    def test_silence_before_the_first_byte(self) -> None:
        """A connection that never says anything does not stay, nor half a tunnel."""
        _, transport = self.connect()
        half, half_transport = self.connect()
        half.dataReceived(b"GET /")
        self.clock.advance(60.2)
        self.assertTrue(transport.aborted)
        self.assertTrue(half_transport.aborted)

    def test_the_end(self) -> None:
        """Closing the server ends sessions and connections and gives ports and timers back."""
        _, transport, _ = self.play(UDP)
        self.server.stopFactory()
        self.assertTrue(transport.aborted)
        self.assertEqual([port.number for port in self.clock.ports], [-1, -1])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.calls[-1], "stopped")

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=40),
                st.sampled_from(
                    [
                        request("SETUP", Transport=TCP),
                        request("SETUP", Transport=UDP),
                        request("DESCRIBE"),
                        b"GET / HTTP/1.0\r\nx-sessioncookie: c\r\n\r\n",
                        b"POST / HTTP/1.0\r\nx-sessioncookie: c\r\n\r\n",
                        b"GET ",
                        base64.b64encode(request("OPTIONS")),
                        b"$\1\0\1a",
                    ]
                ),
            ),
            max_size=8,
        )
    )
    def test_hostile_bytes(self, pieces: list[bytes]) -> None:
        """Whatever comes, on two connections in turn, nothing is raised or left behind."""
        self.make_server()
        both = [self.connect(), self.connect()]
        for place, piece in enumerate(pieces):
            both[place % 2][0].dataReceived(piece)
        for protocol, _ in both:
            protocol.connectionLost()
        self.server.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
