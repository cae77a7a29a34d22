"""The server on transports: tunnels, datagrams, backpressure, slow applications, limits."""

import base64
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.protocols import rtsp_server
from axis_nvr.protocols.admission import FixedAdmission
from axis_nvr.protocols.presentation import IDelivery, IPresentation, PlayAnswer, TrackStart
from axis_nvr.protocols.rtp_delivery import (
    UDP_PORTS,
    IClientConnection,
    MulticastGroup,
    payload_limit,
)
from axis_nvr.protocols.rtsp_connection import RtspServerProtocol
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.session.server.dialogue import Asked, Guard
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.rtsp import Headers, Request, Response, encode, read_message
from axis_nvr.wire.rtsp_headers import parse_transports
from tests.simulator.client import MemoryTransport

URL = "rtsp://10.0.0.2/axis-media/media.amp"
TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"
UDP = "RTP/AVP;unicast;client_port=6000-6001"


class Port:
    """A UDP port as the reactor returns it."""

    def __init__(self, number: int, protocol: Any) -> None:
        self.number = number
        self.protocol = protocol

    def getHost(self) -> Any:  # noqa: N802
        return type("Address", (), {"host": "10.0.0.2", "port": self.number})

    def stopListening(self) -> None:  # noqa: N802
        self.number = -1


class UdpClock(Clock):
    """A reactor with a clock and UDP ports, some of them taken."""

    def __init__(self, taken: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.taken = taken
        self.ports: list[Port] = []
        self.groups: list[Any] = []
        self.has_interface = True

    def listenUDP(self, port: int, protocol: Any, interface: str = "") -> Port:  # noqa: N802
        if port in self.taken:
            raise CannotListenError(interface, port, OSError())
        self.ports.append(Port(port, protocol))
        transport: Any = FakeDatagramTransport()
        transport.setTTL = self.groups.append
        transport.setOutgoingInterface = self.set_outgoing_interface
        protocol.transport = transport
        return self.ports[-1]

    def set_outgoing_interface(self, address: str) -> Deferred[None]:
        self.groups.append(address)
        return succeed(None) if self.has_interface else fail(OSError("no such address"))

    listenMulticast = listenUDP  # noqa: N815


class Presentation:
    """A presentation that does what it is told and remembers what was asked."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.deliveries: dict[int, IDelivery] = {}
        self.play_answer: PlayAnswer | Deferred[PlayAnswer] = PlayAnswer(
            "npt=now-", [TrackStart(0, 5, 6)]
        )

    def describe(self, url: PresentationUrl, address: str) -> bytes:
        self.calls.append(f"describe at {address}")
        return b"v=0\r\n"

    def set_up(self, track: int, delivery: IDelivery) -> int:
        if track > 1:
            raise RequestRefused(404)
        self.deliveries[track] = delivery
        return 0xABC

    def play(self, asked: Asked) -> PlayAnswer | Deferred[PlayAnswer]:
        return self.play_answer

    def started(self) -> None:
        self.calls.append("started")
        for delivery in self.deliveries.values():
            delivery.send([b"packet"])

    def pause(self) -> None:
        self.calls.append("paused")

    def parameters(self, asked: Asked) -> bytes:
        return b"parameters"

    def writable(self) -> None:
        self.calls.append("writable")

    def receiver_report(self, track: int, data: bytes) -> None:
        self.calls.append(f"report {track} {data.decode()}")

    def stop(self) -> None:
        self.calls.append("stopped")


class ServerTestCase(SynchronousTestCase):
    multicast: MulticastGroup | None = None

    def setUp(self) -> None:
        self.clock = UdpClock()
        self.calls: list[str] = []
        self.presentation = Presentation(self.calls)
        self.opening: IPresentation | Deferred[IPresentation] | Exception = self.presentation
        self.make_server()

    def make_server(self, **options: Any) -> None:
        self.server = RtspServerFactory(self.clock, self, **options)

    def open(self, url: PresentationUrl) -> IPresentation | Deferred[IPresentation]:
        if isinstance(self.opening, Exception):
            raise self.opening
        return self.opening

    def connect(self) -> tuple[RtspServerProtocol, MemoryTransport]:
        protocol = self.server.buildProtocol(None)
        assert protocol is not None
        transport = MemoryTransport()
        transport.peerAddr = type("Address", (), {"host": "10.0.0.9", "port": 1})
        transport.hostAddr = type("Address", (), {"host": "10.0.0.2", "port": 554})
        protocol.makeConnection(transport)
        return protocol, transport

    def ask(
        self, protocol: RtspServerProtocol, transport: MemoryTransport, method: str, **headers: str
    ) -> Response:
        protocol.dataReceived(request(method, **headers))
        (response,) = responses(transport)
        return response

    def set_up(self, offered: str) -> tuple[RtspServerProtocol, MemoryTransport, Response]:
        protocol, transport = self.connect()
        response = self.ask(protocol, transport, "SETUP", Transport=offered)
        return protocol, transport, response

    def play(self, offered: str) -> tuple[RtspServerProtocol, MemoryTransport, str]:
        protocol, transport, response = self.set_up(offered)
        session = response.headers.get("Session").partition(";")[0]
        protocol.dataReceived(request("PLAY", Session=session))
        return protocol, transport, session


def request(method: str, uri: str = URL, **headers: str) -> bytes:
    return encode(Request(method, uri, Headers([("CSeq", "1"), *headers.items()])))


def responses(transport: MemoryTransport) -> list[Response]:
    data, found = transport.value(), []
    transport.clear()
    while data:
        read = read_message(data)
        assert read is not None
        assert isinstance(read[0], Response)
        found.append(read[0])
        data = data[read[1] :]
    return found


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


class InterleavedTests(ServerTestCase):
    def test_pause_and_teardown(self) -> None:
        """PAUSE and TEARDOWN reach the presentation; the connection ends behind the answer."""
        protocol, transport, session = self.play(TCP)
        transport.clear()
        self.assertEqual(self.ask(protocol, transport, "PAUSE", Session=session).status, 200)
        self.assertEqual(self.ask(protocol, transport, "TEARDOWN", Session=session).status, 200)
        self.assertEqual(self.calls, ["started", "paused", "stopped"])
        self.assertTrue(transport.disconnecting)

    def test_a_client_that_does_not_keep_up(self) -> None:
        """While the transport is full frames are turned away and nothing is read."""
        protocol, transport, _ = self.play(TCP)
        delivery = self.presentation.deliveries[0]
        transport.clear()
        protocol.pauseProducing()
        self.assertFalse(delivery.send([b"a"]))
        delivery.send_report(b"r")
        self.assertEqual((transport.value(), transport.producerState), (b"", "paused"))
        protocol.resumeProducing()
        self.assertIn("writable", self.calls)
        self.assertTrue(delivery.send([b"a", b"bc"]))
        delivery.send_report(b"r")
        self.assertEqual(transport.value(), b"$\0\0\1a$\0\0\2bc$\1\0\1r")

    def test_reports_of_the_client(self) -> None:
        """Frames on the RTCP channel reach their track."""
        protocol, _, _ = self.play(TCP)
        protocol.dataReceived(b"$\1\0\3abc$\0\0\3rtp")
        self.assertIn("report 0 abc", self.calls)
        self.assertNotIn("report 0 rtp", self.calls)

    def test_the_connection_ends(self) -> None:
        """The session ends with the connection that carries it, and no timer is left."""
        protocol, _, _ = self.play(TCP)
        protocol.connectionLost()
        self.assertEqual(self.calls[-1], "stopped")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_channels(self) -> None:
        """Channels are those asked for, else the next free ones; odd ones are refused."""
        for offered, expected in (
            ("RTP/AVP/TCP;unicast;interleaved=4-5", (4, 5)),
            ("RTP/AVP/TCP;unicast;interleaved=4", (4, 5)),
            ("RTP/AVP/TCP;unicast", (0, 1)),
        ):
            _, _, response = self.set_up(offered)
            (transport,) = parse_transports(response.headers.get("Transport"))
            self.assertEqual((transport.interleaved, transport.ssrc), (expected, 0xABC))
            self.assertEqual(transport.mode, "PLAY")
        self.assertEqual(self.set_up("RTP/AVP/TCP;unicast;interleaved=255")[2].status, 461)
        self.assertEqual(self.set_up("RTP/AVP/TCP;unicast;interleaved=3-3")[2].status, 461)

    def test_disconnected_by_the_presentation(self) -> None:
        """Behind `disconnect` nothing more is written."""
        _, transport, _ = self.play(TCP)
        delivery = self.presentation.deliveries[0]
        delivery.send_partly(b"0123456789", 4)
        delivery.disconnect()
        self.assertFalse(delivery.send([b"more"]))
        self.assertTrue(transport.value().endswith(b"$\0\0\x0a0123"))
        self.assertTrue(transport.disconnecting)


class DatagramTests(ServerTestCase):
    def written(self, number: int) -> list[tuple[bytes, Any]]:
        transport: Any = self.clock.ports[number].protocol.transport
        return list(transport.written)

    def test_to_the_client_and_nobody_else(self) -> None:
        """Packets go to the host of the RTSP connection, whatever ``destination`` says."""
        _, _, response = self.set_up(f"{UDP};destination=192.168.9.9")
        (transport,) = parse_transports(response.headers.get("Transport"))
        self.assertEqual(transport.client_port, (6000, 6001))
        self.assertEqual(transport.server_port, (50000, 50001))
        delivery = self.presentation.deliveries[0]
        self.assertTrue(delivery.send([b"a", b"b"]))
        delivery.send_report(b"r")
        delivery.send_partly(b"0123", 2)
        to = ("10.0.0.9", 6000)
        self.assertEqual(self.written(0), [(b"a", to), (b"b", to), (b"01", to)])
        self.assertEqual(self.written(1), [(b"r", ("10.0.0.9", 6001))])

    def test_reports_keep_the_session(self) -> None:
        """Receiver reports from the client's port are signs of life; others are ignored."""
        self.play(UDP)
        rtcp = self.clock.ports[1].protocol
        self.clock.advance(50)
        rtcp.datagramReceived(b"abc", ("10.0.0.9", 6001))
        rtcp.datagramReceived(b"xyz", ("10.0.0.8", 6001))
        self.assertEqual(self.calls, ["started", "report 0 abc"])
        self.clock.advance(50)
        self.assertEqual(len(self.server.sessions), 1)
        self.clock.advance(11)
        self.assertEqual(len(self.server.sessions), 0)
        self.assertEqual(self.calls[-1], "stopped")

    def test_it_survives_its_connection(self) -> None:
        """A session with datagrams goes on without its connection, until it is silent."""
        protocol, _, session = self.play(UDP)
        protocol.connectionLost()
        self.assertEqual(len(self.server.sessions), 1)
        other, transport = self.connect()
        self.assertEqual(self.ask(other, transport, "OPTIONS", Session=session).status, 200)
        self.clock.advance(61)
        self.assertEqual(len(self.server.sessions), 0)

    def test_taken_ports(self) -> None:
        """The first pair that is free is used; 503 when there is none."""
        self.clock.taken = (50000, 50003)
        _, _, response = self.set_up(UDP)
        (transport,) = parse_transports(response.headers.get("Transport"))
        self.assertEqual(transport.server_port, (50004, 50005))
        self.clock.taken = tuple(UDP_PORTS)
        self.make_server()
        self.assertEqual(self.set_up(UDP)[2].status, 503)

    def test_multicast_only_where_there_is_a_group(self) -> None:
        """Without a group 461; with one the reply names it, and one client's packets go out."""
        self.assertEqual(self.set_up("RTP/AVP;multicast")[2].status, 461)
        self.make_server(multicast=MulticastGroup("239.1.1.1", 5000, interface="10.0.0.2"))
        _, _, response = self.set_up("RTP/AVP;multicast")
        (transport,) = parse_transports(response.headers.get("Transport"))
        self.assertTrue(transport.multicast)
        self.assertEqual(
            (transport.destination, transport.port, transport.ttl), ("239.1.1.1", (5000, 5001), 5)
        )
        first = self.presentation.deliveries[0]
        first_protocol = self.server.connections[-1]
        first.send([b"a"])
        self.set_up("RTP/AVP;multicast")
        second = self.presentation.deliveries[0]
        self.assertIsNot(first, second)
        second.send([b"b"])
        self.assertEqual(self.written(-2), [(b"a", ("239.1.1.1", 5000))])
        self.assertTrue(first_protocol.transport.connected)
        first.close()  # type: ignore[attr-defined]
        second.send([b"c"])
        second.send_report(b"r")
        self.assertEqual(self.written(-2)[1:], [(b"c", ("239.1.1.1", 5000))])
        self.assertEqual(self.written(-1), [(b"r", ("239.1.1.1", 5001))])
        self.assertEqual(set(self.clock.groups), {5, "10.0.0.2"})

    def test_packet_sizes(self) -> None:
        """1400 bytes where nothing else is asked for, and never more than the transport takes."""
        self.assertEqual(payload_limit(None, 65535), 1388)
        self.assertEqual(payload_limit(64000, 1472), 1460)
        self.assertEqual(payload_limit(500, 1472), 488)


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
