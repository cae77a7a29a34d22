"""An RTSP server in memory: what it serves, its reactor, and a connection to it."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.protocols.presentation import IDelivery, IPresentation, PlayAnswer, TrackStart
from axis_nvr.protocols.rtp_delivery import MulticastGroup
from axis_nvr.protocols.rtsp_connection import RtspServerProtocol
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.session.server.dialogue import Asked
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.rtsp import Headers, Request, Response, encode, read_message
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
