"""A client of the virtual camera in memory: no socket, and a clock that is told to move."""

from collections.abc import Iterator
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from axis_nvr.protocols.rtsp_connection import RtspServerProtocol
from axis_nvr.session.digest import Authenticator
from axis_nvr.simulator.camera import CameraSettings, VirtualCamera
from axis_nvr.wire.rtcp import RtcpPacket, parse_compound
from axis_nvr.wire.rtp import RtpPacket, parse_packet
from axis_nvr.wire.rtsp import Headers, Request, Response, encode, read_message

HOST = "10.0.0.2:554"
NOON = 1_700_000_000.0


class MemoryTransport(StringTransport):
    """A transport that remembers how it ended."""

    aborted = False

    def abortConnection(self) -> None:  # noqa: N802
        self.aborted = True
        self.loseConnection()


class MemoryCamera:
    """A virtual camera on a clock of its own."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        settings.setdefault("seed", 1)
        self.camera = VirtualCamera(
            self.clock, CameraSettings(**settings), wall_clock=lambda: NOON + self.clock.seconds()
        )

    def connect(self) -> "MemoryClient":
        """Connect one more client."""
        return MemoryClient(self)

    def advance(self, seconds: float, step: float = 0.01) -> None:
        """Let time go on in small steps, as a reactor does."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end - 1e-9:
            self.clock.advance(min(step, end - self.clock.seconds()))


class MemoryClient:
    """One RTSP connection, interleaved."""

    def __init__(self, memory: MemoryCamera) -> None:
        self.memory = memory
        protocol = memory.camera.server.buildProtocol(None)
        assert protocol is not None
        self.protocol: RtspServerProtocol = protocol
        self.transport = MemoryTransport()
        self.protocol.makeConnection(self.transport)
        self.authenticator: Authenticator | None = None
        self.cseq = 0
        self.session = ""
        self.frames: list[tuple[int, bytes]] = []
        self.rest = b""
        self.tracks = 0

    def url(self, query: str = "") -> str:
        """The URL of the live stream."""
        return f"rtsp://{HOST}/axis-media/media.amp" + (f"?{query}" if query else "")

    def request(self, method: str, url: str, body: bytes = b"", **headers: str) -> Response:
        """Send a request and read its response; frames before it are kept."""
        self.send(method, url, body, **headers)
        (response,) = self.read()
        return response

    def send(self, method: str, url: str, body: bytes = b"", **headers: str) -> None:
        """Send a request."""
        self.cseq += 1
        fields = Headers([("CSeq", str(self.cseq))])
        if self.session:
            fields.add("Session", self.session)
        for name, value in headers.items():
            fields.set(name.replace("_", "-"), value)
        if self.authenticator is not None:
            answer = self.authenticator.authorization(method, url)
            if answer:
                fields.set("Authorization", answer)
        self.protocol.dataReceived(encode(Request(method, url, fields, body)))

    def read(self) -> list[Response]:
        """Take what the server sent; frames go to `frames`."""
        data = self.rest + self.transport.value()
        self.transport.clear()
        responses = []
        while data:
            if data[0] == 0x24:
                end = 4 + int.from_bytes(data[2:4], "big")
                if len(data) < end:
                    break
                self.frames.append((data[1], data[4:end]))
            else:
                read = read_message(data)
                if read is None:
                    break
                message, end = read
                assert isinstance(message, Response)
                responses.append(message)
            data = data[end:]
        self.rest = data
        return responses

    def set_up(self, query: str = "", tracks: int = 1) -> None:
        """Describe and set up; all must work."""
        assert self.request("DESCRIBE", self.url(query)).status == 200
        suffix = f"?{query}" if query else ""
        for track in range(tracks):
            url = f"rtsp://{HOST}/axis-media/media.amp/stream={track}{suffix}"
            transport = f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
            response = self.request("SETUP", url, Transport=transport)
            assert response.status == 200, response
            self.session = response.headers.get("Session").partition(";")[0]

    def play(self, query: str = "", tracks: int = 1) -> Response:
        """Describe, set up and play."""
        self.set_up(query, tracks)
        response = self.request("PLAY", self.url(query), Range="npt=0.000-")
        assert response.status == 200, response
        return response

    def packets(self, channel: int = 0) -> list[RtpPacket]:
        """The RTP packets of a channel so far."""
        self.read()
        return [parse_packet(data) for where, data in self.frames if where == channel]

    def reports(self, channel: int = 1) -> Iterator[RtcpPacket]:
        """The RTCP packets of a channel so far."""
        self.read()
        for where, data in self.frames:
            if where == channel:
                yield from parse_compound(data)

    def lose(self) -> None:
        """Close the connection from the client's side."""
        from twisted.internet.error import ConnectionDone
        from twisted.python.failure import Failure

        self.protocol.connectionLost(Failure(ConnectionDone()))


def frames_of(packets: list[RtpPacket]) -> list[list[RtpPacket]]:
    """Group packets by timestamp, in order of arrival."""
    groups: list[list[RtpPacket]] = []
    for packet in packets:
        if not groups or groups[-1][0].timestamp != packet.timestamp:
            groups.append([])
        groups[-1].append(packet)
    return groups
