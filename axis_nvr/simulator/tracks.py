"""The tracks that a virtual camera sends to one client: video, sound, events.

Media time runs with the reactor's clock from the first PLAY on, through pauses; picture n of a PLAY
is due at start + n / fps and bears exactly that time. A picture that the client is too slow for, or
that a stall swallows, was never coded: the next one takes its place in the GOP, later in time, so
that what arrives can always be decoded.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from axis_nvr.media.units import Codec
from axis_nvr.session.packetizers import metadata
from axis_nvr.session.rtp_sender import RtpSender
from axis_nvr.session.server.description import (
    OfferedTrack,
    aac_track,
    h264_track,
    h265_track,
    metadata_track,
    pcmu_track,
)
from axis_nvr.session.server.srtp import SrtpGate
from axis_nvr.simulator import bitstream
from axis_nvr.simulator.bitstream import VideoBitstream, video_bitstream
from axis_nvr.simulator.event_faults import spoilt
from axis_nvr.simulator.events import EventBoard
from axis_nvr.simulator.fault_path import FaultPath
from axis_nvr.simulator.faults import FaultBoard
from axis_nvr.simulator.pacer import Pacer
from axis_nvr.simulator.stream_request import StreamRequest
from axis_nvr.wire.event_filter import EventFilter
from axis_nvr.wire.notification import EMPTY_DOCUMENT, Notification, build_document

#: Seconds between sender reports; the first goes out with the first packet.
REPORT_SECONDS = 5.0
#: What is later than this is passed over and not sent in a burst, in seconds.
MAX_LATENESS_SECONDS = 1.0
#: Event documents that wait for a client that is too slow; the oldest are given up.
MAX_WAITING_DOCUMENTS = 100


@dataclass(frozen=True, slots=True)
class Camera:
    """What the tracks of all clients share.

    :param utc_us: the camera's wall clock, microseconds since 1970.
    :param random: for what RFC 3550 wants random.
    :param srtp: has the keys, if media is protected.
    """

    pacer: Pacer
    faults: FaultBoard
    events: EventBoard
    utc_us: Callable[[], int]
    random: Random
    cname: str
    srtp: SrtpGate | None = None


class Track:
    """One track of one client, not yet playing.

    :param kind: ``video``, ``audio`` or ``metadata``.
    """

    def __init__(self, camera: Camera, offered: OfferedTrack, kind: str) -> None:
        self.offered = offered
        self.kind = kind
        self.sent = 0
        self.skipped = 0
        self._camera = camera
        self._clock_rate = offered.clock_rate
        self._origin: float | None = None
        self._path: FaultPath | None = None
        self._playing = False
        self._start = 0.0
        self._count = 0
        self.sender = RtpSender(
            offered.payload_type,
            camera.random.getrandbits(32),
            camera.cname,
            camera.random.getrandbits(16),
            camera.random.getrandbits(32),
        )

    def set_up(self, path: FaultPath) -> int:
        """Take the way to the client; returns the synchronisation source."""
        self._path = path
        return self.sender.ssrc

    @property
    def is_set_up(self) -> bool:
        """Whether the client wants this track."""
        return self._path is not None

    def prepare(self, start: float) -> tuple[int, int]:
        """Get ready to play.

        :param start: when, on the reactor's clock: one for all tracks of a client.
        :returns: sequence number and RTP timestamp that it begins with.
        """
        self.pause()
        if self._origin is None:
            self._origin = start
        self._start = start
        self._count = 0
        return self.sender.sequence_number, self.sender.rtp_timestamp(self.ticks(start))

    def play(self) -> None:
        """Begin to send."""
        if self._path is None or self._playing:
            return
        self._playing = True
        self._report(self._start)
        self._camera.pacer.add(self._start + REPORT_SECONDS, self._report)
        self._begin()

    def pause(self) -> None:
        """Send nothing more."""
        self._playing = False
        self._camera.pacer.remove(self._report)
        self._camera.pacer.remove(self._send_next)

    def stop(self) -> None:
        """End."""
        self.pause()
        if self._path is not None:
            self._path.stop()

    def writable(self) -> None:
        """Go on: the client takes more."""

    def ticks(self, moment: float) -> int:
        """Return the media time of a moment on the reactor's clock."""
        jump = self._camera.faults.current("jump-clock")
        jumped = 0.0
        if jump is not None and jump.text("clock") in ("rtp", "both"):
            jumped = jump.number("by")
        assert self._origin is not None
        return round((moment - self._origin + jumped) * self._clock_rate)

    def _begin(self) -> None:
        self._camera.pacer.add(self._start, self._send_next)

    def _report(self, now: float) -> float:
        """Send a sender report."""
        assert self._path is not None
        if self._camera.faults.current("stall", self.kind) is None:
            moment = self._camera.pacer.clock.seconds()
            self._path.send_report(self.sender.report(self._camera.utc_us(), self.ticks(moment)))
        return max(now, self._start) + REPORT_SECONDS

    def _period(self) -> Fraction:
        """Seconds from one frame to the next."""
        raise NotImplementedError

    def _frame(self, limit: int) -> tuple[list[bytes], bool]:
        """Return the payloads of the next frame, and whether the last bears the marker."""
        raise NotImplementedError

    def _taken(self) -> None:
        """Note that the frame was sent."""

    def _send_next(self, now: float) -> float:
        """Send the frame that is due; returns when the next one is."""
        assert self._path is not None
        period = self._period()
        due = self._start + float(self._count * period)
        if now - due > MAX_LATENESS_SECONDS:
            late = int((now - due) / period)
            self.skipped += late
            self._count += late
            due = self._start + float(self._count * period)
        if self._camera.faults.happens("stall", self.kind) is None and self._send(due):
            self.sent += 1
            self._taken()
        else:
            self.skipped += 1
        self._count += 1
        return self._start + float(self._count * period)

    def _send(self, due: float) -> bool:
        """Send the current frame with the time `due`."""
        assert self._path is not None
        payloads, marker = self._frame(self._path.payload_limit)
        # Exact from the start of this PLAY, so that distances do not wander by rounding.
        ticks = self.ticks(self._start) + round((due - self._start) * self._clock_rate)
        jump = self._camera.faults.current("jump-clock")
        single = jump is not None and jump.text("clock") == "frame"
        if jump is not None and single and self._camera.faults.happens("jump-clock"):
            ticks += round(jump.number("by") * self._clock_rate)
        return self._send_packets(self.sender, payloads, ticks, marker)

    def _send_packets(
        self, sender: RtpSender, payloads: list[bytes], ticks: int, marker: bool
    ) -> bool:
        """Send payloads; what the client does not take takes no sequence numbers either."""
        assert self._path is not None
        before = sender.sequence_number, sender.packet_count, sender.octet_count
        if self._path.send(sender.packets(payloads, ticks, marker=marker)):
            return True
        sender.sequence_number, sender.packet_count, sender.octet_count = before
        return False


class VideoTrack(Track):
    """The moving test card, in the GOP length asked for."""

    def __init__(self, camera: Camera, request: StreamRequest) -> None:
        assert request.video is not None
        self._request = request
        self._rate = Fraction(request.fps)
        self._stream = video_bitstream(request.video, request.width, request.height)
        self._stream = self._asked = self._stream.at_rate(self._rate)
        describe = h264_track if request.video is Codec.H264 else h265_track
        super().__init__(camera, describe(self._stream.parameter_sets, self._rate), "video")
        self._picture = 0
        self._odd = False

    def prepare(self, start: float) -> tuple[int, int]:
        """Get ready to play, beginning with an intra picture."""
        self.renew()
        return super().prepare(start)

    def renew(self) -> None:
        """Let the next picture be an intra picture."""
        if self._picture:
            self._picture = 0
            self._odd = not self._odd

    def _period(self) -> Fraction:
        return 1 / self._rate

    def _frame(self, limit: int) -> tuple[list[bytes], bool]:
        wanted = self._wanted()
        if wanted is not self._stream:
            self._stream = wanted
            self.renew()
        return self._stream.payloads(self._picture, limit, odd=self._odd), True

    def _taken(self) -> None:
        self._picture += 1
        if self._picture >= self._request.key_frame_interval:
            self._picture = 0
            self._odd = not self._odd

    def _wanted(self) -> VideoBitstream:
        """The video that was asked for, or the one that a fault puts in its place."""
        fault = self._camera.faults.current("change-parameter-sets")
        if fault is None:
            return self._asked
        names = [f"{width}x{height}" for width, height in bitstream.RESOLUTIONS]
        place = bitstream.RESOLUTIONS.index((self._asked.width, self._asked.height))
        name = fault.text("resolution") or names[(place + 1) % len(names)]
        width, height = bitstream.RESOLUTIONS[names.index(name)]
        if (width, height) == (self._stream.width, self._stream.height):
            return self._stream
        self._camera.faults.happens("change-parameter-sets")
        return video_bitstream(self._asked.codec, width, height).at_rate(self._rate)


class AacTrack(Track):
    """The bundled sound as AAC."""

    def __init__(self, camera: Camera) -> None:
        offered = aac_track(bitstream.AAC_CONFIG, bitstream.AAC_SAMPLE_RATE, channels=1)
        super().__init__(camera, offered, "audio")
        self._place = 0

    def _period(self) -> Fraction:
        return Fraction(bitstream.AAC_FRAME_SAMPLES, bitstream.AAC_SAMPLE_RATE)

    def _frame(self, limit: int) -> tuple[list[bytes], bool]:
        return bitstream.aac_payloads(self._place, limit), True

    def _taken(self) -> None:
        self._place = (self._place + 1) % len(bitstream.aac_frames())


class G711Track(Track):
    """The bundled sound as G.711 µ-law."""

    def __init__(self, camera: Camera) -> None:
        super().__init__(camera, pcmu_track(), "audio")
        self._place = 0

    def _period(self) -> Fraction:
        return Fraction(bitstream.G711_PACKET_SAMPLES, bitstream.G711_SAMPLE_RATE)

    def _frame(self, limit: int) -> tuple[list[bytes], bool]:
        # The marker begins a talkspurt (RFC 3551 §4.1): the first packet, as nothing was silent.
        return [bitstream.g711_payloads()[self._place]], self.sent == 0

    def _taken(self) -> None:
        self._place = (self._place + 1) % len(bitstream.g711_payloads())


class MetadataTrack(Track):
    """Events, sent when they happen.

    :param event_filter: which of them.
    """

    def __init__(self, camera: Camera, event_filter: EventFilter) -> None:
        super().__init__(camera, metadata_track(), "metadata")
        self._filter = event_filter
        self._leave: Callable[[], None] = lambda: None
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING_DOCUMENTS)

    def pause(self) -> None:
        """Send nothing more, and forget what waits."""
        super().pause()
        self._leave()
        self._waiting.clear()

    def writable(self) -> None:
        """Send what has waited."""
        while self._waiting and self._send_document(self._waiting[0]):
            self._waiting.popleft()

    def _begin(self) -> None:
        """Tell the state of everything, then what changes."""
        bus = self._camera.events.bus
        self._waiting.append(EMPTY_DOCUMENT)
        if self._camera.faults.happens("no-initial-events") is None:
            for state in bus.states():
                self._tell(state)
        self._leave = bus.subscribe(self._tell)
        self.writable()

    def _tell(self, notification: Notification) -> None:
        if self._filter.matches(notification):
            document = build_document([notification], self._camera.events.uuid)
            fault = self._camera.faults.happens("spoil-events")
            self._waiting.append(spoilt(document, fault.text("how")) if fault else document)
            self.writable()

    def _send_document(self, document: bytes) -> bool:
        assert self._path is not None
        if self._camera.faults.happens("stall", self.kind):
            return False
        payloads = metadata.packetize(document, self._path.payload_limit)
        ticks = self.ticks(self._camera.pacer.clock.seconds())
        if not self._send_packets(self.sender, payloads, ticks, marker=True):
            return False
        self.sent += 1
        return True


def make_tracks(camera: Camera, request: StreamRequest) -> list[Track]:
    """Make the tracks that a URL asks for: video, sound, events, in this order."""
    tracks: list[Track] = []
    if request.video is not None:
        tracks.append(VideoTrack(camera, request))
    if request.audio is not None:
        tracks.append(AacTrack(camera) if request.audio is Codec.AAC else G711Track(camera))
    if request.event_filter is not None:
        tracks.append(MetadataTrack(camera, request.event_filter))
    return tracks
