"""A recorder's RTSP server in memory: streams that are pushed by hand, clients on transports."""

from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from axis_nvr.config import CameraConfig
from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.formats import h264_format, h265_format
from axis_nvr.media.units import AccessUnit, AudioFormat, Codec, Format, VideoFormat
from axis_nvr.protocols.address import StreamProtocol
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_presentation import EventStreams
from axis_nvr.services.live.feeds import LiveFeeds
from axis_nvr.services.live.presentations import RecorderPresentations
from axis_nvr.services.stream_errors import StreamError
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from axis_nvr.services.stream_status import StreamState, StreamStatus, TrackStatus
from axis_nvr.wire.nal import join_sample
from axis_nvr.wire.rtcp import Bye, SenderReport
from axis_nvr.wire.rtp import RtpPacket
from axis_nvr.wire.rtsp import Headers, Request, encode
from tests.session.depacketizers import payloads
from tests.simulator.client import MemoryClient

#: The wall clock when a test begins, microseconds since 1970.
START_US = 1_700_000_000_000_000
PICTURE_US = 40_000
H264 = h264_format([payloads.H264_SPS], [payloads.H264_PPS])
OTHER_H264 = h264_format([payloads.OTHER_H264_SPS], [payloads.OTHER_H264_PPS])
H265 = h265_format([payloads.H265_VPS], [payloads.H265_SPS], [payloads.H265_PPS])
AAC = AudioFormat(Codec.AAC, bytes.fromhex("1408"), 16000, 1)
CAMERAS = (
    CameraConfig("front", address="192.0.2.1"),
    CameraConfig("yard", url="rtsp://192.0.2.2/live"),
)


@dataclass
class Stream:
    """A stream that plays what is pushed."""

    request: StreamRequest
    state: StreamState = StreamState.PLAYING
    kinds: tuple[str, ...] = ("video",)
    error: StreamError | None = None
    urgent: bool = False
    calls: list[str] = field(default_factory=list)
    buffer: GopBuffer = field(default_factory=GopBuffer)
    now_us: int = START_US
    pictures: int = 0

    def __hash__(self) -> int:
        return id(self)

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> Deferred[None]:
        self.calls.append("stop")
        return succeed(None)

    def set_urgent(self, urgent: bool) -> None:
        self.urgent = urgent

    @property
    def status(self) -> StreamStatus:
        tracks = tuple(TrackStatus(index, kind) for index, kind in enumerate(self.kinds))
        return StreamStatus(
            self.request.camera.id,
            StreamProtocol.RTSPT,
            self.state,
            0,
            last_error=self.error,
            tracks=tracks if self.state is StreamState.PLAYING else (),
        )

    def picture(
        self, *, key: bool = False, size: int = 30, form: Format = H264, step_us: int = PICTURE_US
    ) -> bytes:
        """Push the next picture; returns its slice."""
        self.now_us += step_us
        self.pictures += 1
        start = payloads.IDR if key else payloads.P
        slice_ = start + self.pictures.to_bytes(4, "big") + b"\x11" * (size - 7)
        data = join_sample([slice_])
        self.buffer.push(AccessUnit(0, self.now_us, self.pictures, key, data, form))
        return slice_

    def group(self, count: int, **options: Any) -> list[bytes]:
        """Push a key picture and some behind it; returns their slices."""
        return [self.picture(key=not number, **options) for number in range(count)]

    def sound(self, data: bytes = b"sound") -> None:
        """Push a frame of sound."""
        self.buffer.push(AccessUnit(1, self.now_us, self.now_us, True, data, AAC))


class Recorder:
    """A recorder's RTSP server."""

    def __init__(self, **options: Any) -> None:
        self.clock: Clock = options.pop("clock", None) or Clock()
        self.streams: list[Stream] = []
        self.prototype: dict[str, Any] = {}
        self.registry: StreamRegistry[Any] = StreamRegistry(CAMERAS, self._make)
        self.feeds = LiveFeeds(self.registry, self.clock)
        self.bus = EventBus(self.utc_us)
        self.events = EventStreams(self.bus, "uuid", self.clock, self.utc_us)
        self.presentations = RecorderPresentations(
            self.feeds,
            self.events,
            options.pop("playbacks", None),
            self.clock,
            self.utc_us,
            cname="recorder",
            random=Random(5),
        )
        self.server = RtspServerFactory(self.clock, self.presentations, **options)

    def utc_us(self) -> int:
        return START_US + round(self.clock.seconds() * 1e6)

    def _make(self, request: StreamRequest) -> Stream:
        self.streams.append(Stream(request, **self.prototype))
        return self.streams[-1]

    def record(self, options: str, *, pre_buffer: bool = False) -> Stream:
        """Have a stream running, as a recording has."""
        from axis_nvr.media.stream_options import StreamOptions

        request = self.registry.request(StreamOptions.parse(options), pre_buffer=pre_buffer)
        stream: Stream = self.registry.acquire(request).stream
        return stream

    def connect(self) -> "Client":
        return Client(self)

    def end(self) -> None:
        """End everything; nothing may be left to do."""
        self.feeds.stop()
        self.events.stop()
        self.server.close()


class Client(MemoryClient):
    """A client of it."""

    def __init__(self, recorder: Recorder) -> None:
        memory: Any = SimpleNamespace(camera=SimpleNamespace(server=recorder.server))
        super().__init__(memory)

    def request_only(self, method: str, url: str) -> None:
        """Send a request whose response is read later."""
        fields = Headers([("CSeq", "99"), ("Session", self.session)])
        self.protocol.dataReceived(encode(Request(method, url, fields)))

    def slices(self, channel: int = 0) -> list[bytes]:
        """The NAL units that were received, of pictures that go into a packet each."""
        return [bytes(packet.payload) for packet in self.packets(channel)]

    def pictures(self, channel: int = 0) -> list[bytes]:
        """The same without parameter sets."""
        sets = {*H264.parameter_sets, *OTHER_H264.parameter_sets}
        return [unit for unit in self.slices(channel) if unit not in sets]

    def byes(self, channel: int = 1) -> list[str]:
        """The reasons of the BYEs that came."""
        return [packet.reason for packet in self.reports(channel) if isinstance(packet, Bye)]

    def sender_reports(self, channel: int = 1) -> list[SenderReport]:
        """The sender reports that came."""
        return [packet for packet in self.reports(channel) if isinstance(packet, SenderReport)]


def timestamps(packets: list[RtpPacket]) -> list[int]:
    """The RTP timestamps of packets, each once."""
    return list(dict.fromkeys(packet.timestamp for packet in packets))


def is_video(format_: Format) -> bool:
    return isinstance(format_, VideoFormat)
