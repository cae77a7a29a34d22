"""Cameras that misbehave over real connections: each is dealt with, and none disturbs another."""

import socket
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.units import AccessUnit, Gap
from axis_nvr.protocols.address import CameraAddress, CertificateValidation, StreamProtocol
from axis_nvr.protocols.camera import CameraOpener
from axis_nvr.protocols.tick import TickReader
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.stream_errors import ErrorKind
from axis_nvr.services.stream_plan import StreamPlan
from axis_nvr.services.stream_status import StreamState
from tests.integration.peers import start_gst_server, until

#: How long something that must happen may take, in seconds.
WAIT_SECONDS = 60.0
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
    b"m=audio 0 RTP/AVP 0\r\na=control:track1\r\n"
)


class Consumer:
    """Counts units and gaps."""

    def __init__(self) -> None:
        self.units = 0
        self.gaps: list[Gap] = []

    def unit_received(self, unit: AccessUnit) -> None:
        self.units += 1

    def gop_closed(self, gop: Any) -> None:
        pass

    def interrupted(self, gap: Gap) -> None:
        self.gaps.append(gap)


class Cameras(ServerFactory):
    """Makes cameras that answer by a script, and counts them."""

    noisy = False

    def __init__(self, script: tuple[bytes, ...]) -> None:
        self.script = script
        self.connections = 0

    def buildProtocol(self, addr: Any) -> "Camera":
        self.connections += 1
        return Camera(self.script)


class Camera(Protocol):
    """Answers each request with what its script says, the next each time."""

    def __init__(self, script: tuple[bytes, ...]) -> None:
        self.answers = list(script)

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        if not self.answers:
            return
        cseq = data.partition(b"CSeq: ")[2].partition(b"\r\n")[0]
        answer = self.answers.pop(0)
        if answer == b"RESET":
            self.transport.abortConnection()  # type: ignore[attr-defined]
        else:
            self.transport.write(answer.replace(b"%CSEQ", cseq))


def answer(status: bytes = b"200 OK", body: bytes = b"", *fields: bytes) -> bytes:
    head = [b"RTSP/1.0 " + status, b"CSeq: %CSEQ", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join([*head, b"", body])


def free_port() -> int:
    """Find a port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


PLAYING = (
    answer(),
    answer(b"200 OK", SDP, b"Content-Type: application/sdp"),
    answer(b"200 OK", b"", b"Session: 12345678", b"Transport: RTP/AVP/TCP;interleaved=0-1"),
    answer(),
)


class StreamCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.opener = CameraOpener(reactor, TickReader(reactor))
        self.streams: list[CameraStream] = []

    def tearDown(self) -> Any:
        return gatherResults([stream.stop() for stream in self.streams])

    def start(
        self, port: int, *, audio: bool = False, **options: Any
    ) -> tuple[CameraStream, Consumer]:
        """Start a stream of a camera on a port of the loopback."""
        protocol = StreamProtocol(options.pop("protocol", "rtspt"))
        address = CameraAddress(f"rtsp://127.0.0.1:{port}/stream", protocol, **options)
        plan = StreamPlan("front", address, want_video=not audio, want_audio=audio)
        consumer = Consumer()
        buffer = GopBuffer()
        buffer.subscribe(consumer)  # type: ignore[arg-type]

        def open_session(plan: StreamPlan, deliver: Any, lost: Any) -> Any:
            return self.opener.open(plan.address, plan.wants, deliver, lost)

        stream = CameraStream(plan, buffer, open_session, reactor, jitter=lambda: 0.0)
        self.streams.append(stream)
        stream.start()
        return stream, consumer

    def serve(self, *script: bytes) -> tuple[int, Cameras]:
        """Start a camera that answers by a script."""
        cameras = Cameras(script)
        return self.listen(cameras), cameras

    def listen(self, factory: ServerFactory) -> int:
        port: Any = cast(Any, reactor).listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def error_of(self, stream: CameraStream) -> tuple[ErrorKind, str]:
        """Wait until a stream has failed, and tell how."""
        await until(lambda: stream.status.last_error is not None, WAIT_SECONDS)
        error = stream.status.last_error
        assert error is not None
        return error.kind, error.words


class KindTests(StreamCase):
    async def test_what_went_wrong_is_told_apart(self) -> None:
        """Each kind of failure is told from the others, with its words and its wait."""
        closed = free_port()
        challenge = b'WWW-Authenticate: Digest realm="x", nonce="y"'
        unauthorized = answer(b"401 Unauthorized", b"", challenge)
        web_page = b"HTTP/1.0 200 OK\r\n\r\n"
        cases: list[tuple[int, dict[str, Any], ErrorKind, StreamState]] = [
            (closed, {}, ErrorKind.CONNECTION, StreamState.WAITING),
            (self.serve(b"RESET")[0], {}, ErrorKind.CONNECTION, StreamState.WAITING),
            (
                self.serve(answer(), answer(b"400 No such resolution"))[0],
                {},
                ErrorKind.REFUSED,
                StreamState.REFUSED,
            ),
            (
                self.serve(answer(), answer(b"453 Not Enough Bandwidth"))[0],
                {},
                ErrorKind.BUSY,
                StreamState.WAITING,
            ),
            (
                self.serve(answer(), unauthorized)[0],
                {},
                ErrorKind.AUTHENTICATION,
                StreamState.LOCKED_OUT,
            ),
            (self.serve(*PLAYING[:2])[0], {}, ErrorKind.MEDIA, StreamState.WAITING),
            (
                self.serve(web_page)[0],
                {},
                ErrorKind.PROTOCOL,
                StreamState.WAITING,
            ),
            (
                self.serve(web_page)[0],
                {"protocol": "rtsps"},
                ErrorKind.TLS,
                StreamState.WAITING,
            ),
            (
                closed,
                {"validation": CertificateValidation.LIMITED, "ca": b"any"},
                ErrorKind.CONFIGURATION,
                StreamState.MISCONFIGURED,
            ),
        ]
        streams = [self.start(port, **options)[0] for port, options, _, _ in cases]
        for stream, (_, _, kind, state) in zip(streams, cases, strict=True):
            found, words = await self.error_of(stream)
            self.assertEqual(found, kind, words)
            if stream.status.state is not StreamState.CONNECTING:
                self.assertEqual(stream.status.state, state, words)

    async def test_no_storm(self) -> None:
        """A camera that refuses an account, or its options, is asked once."""
        unauthorized = answer(b"401 Unauthorized", b"", b'WWW-Authenticate: Basic realm="x"')
        for script in ((answer(), unauthorized), (answer(), answer(b"404 Not Found"))):
            port, factory = self.serve(*script)
            stream, _ = self.start(port)
            await self.error_of(stream)
            await deferLater(reactor, 0.8, lambda: None)
            self.assertEqual(factory.connections, 1)


class HostileTests(StreamCase):
    async def test_one_does_not_disturb_another(self) -> None:
        """While cameras send garbage of every sort, a good one loses nothing."""
        peer = await start_gst_server(self, reactor, "--source", "h264")
        good, consumer = self.start(peer.port)
        await until(lambda: consumer.units > 5, WAIT_SECONDS)
        garbage = [
            bytes(range(256)) * 4000,
            b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 100000,
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 99999999999\r\n\r\n",
            b"$\0\xff\xff" * 100000,
            b"\r\n" * 200000,
            b"GET / HTTP/1.1\r\n\r\n" * 1000,
            b"A" * 2000000,
        ]
        bad = [self.start(self.serve(data)[0], audio=True)[0] for data in garbage]
        bad += [
            self.start(self.serve(*PLAYING[:3], PLAYING[3] + data)[0], audio=True)[0]
            for data in garbage
        ]
        before = consumer.units
        await deferLater(reactor, 3.0, lambda: None)
        self.assertGreater(consumer.units - before, 60)
        self.assertEqual(consumer.gaps, [])
        self.assertEqual((good.status.packets_lost, good.status.last_error), (0, None))
        for stream in bad:
            error = stream.status.last_error
            self.assertTrue(error is None or error.kind is not ErrorKind.INTERNAL, error)


class ReturnTests(StreamCase):
    async def test_a_camera_that_restarts(self) -> None:
        """A camera that goes and comes back is played again, with one gap in between."""
        peer = await start_gst_server(self, reactor, "--source", "h264")
        stream, consumer = self.start(peer.port)
        await until(lambda: consumer.units > 10, WAIT_SECONDS)
        await peer.stop()
        await until(lambda: len(consumer.gaps) == 1, WAIT_SECONDS)
        before = consumer.units
        await start_gst_server(self, reactor, "--source", "h264", "--port", str(peer.port))
        await until(lambda: consumer.units > before + 10, WAIT_SECONDS)
        status = stream.status
        self.assertEqual((status.reconnects, len(consumer.gaps)), (1, 1))
        assert status.last_error is not None
        self.assertIs(status.last_error.kind, ErrorKind.CONNECTION)

    async def test_stopped_in_any_state(self) -> None:
        """A stop ends a stream at whatever moment it comes."""
        peer = await start_gst_server(self, reactor, "--source", "h264")
        for delay in (0, 0.01, 0.05, 0.1, 0.3):
            stream, _ = self.start(peer.port)
            await deferLater(reactor, delay, lambda: None)
            stopping: Deferred[None] = stream.stop()
            await stopping.addTimeout(WAIT_SECONDS, reactor)
            self.assertIs(stream.status.state, StreamState.IDLE)
