"""A recorder whose recordings are played in memory: real disks, no socket, a clock told to move."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, Gap, GapReason, VideoFormat
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.services.playback.presentations import FEATURES, Playbacks
from axis_nvr.storage.recording import RecordingWriter
from axis_nvr.wire.nal import join_sample
from axis_nvr.wire.ntp import utc_us_from_ntp
from axis_nvr.wire.rtcp import RtcpPacket, parse_compound
from axis_nvr.wire.rtp import parse_extension, parse_packet
from axis_nvr.wire.rtp_extensions import parse_replay
from axis_nvr.wire.rtsp import Response
from tests.services.shelves import Shelves
from tests.simulator.client import HOST, MemoryClient, MemoryTransport
from tests.storage.making import DETAILS, START_US, gop_of, unit
from tests.storage.reading.streams import H264, OTHER_SOUND

STEP_US = 40_000
SECOND_US = 1_000_000
#: Behind a gap of ten seconds.
LATER_US = START_US + 12 * SECOND_US
PATH = "/axis-media/media.amp"
#: Milliseconds that an answer may take.
MAX_WAIT_STEPS = 500


def picture(
    utc_us: int, *, key: bool, gap: Gap | None = None, form: VideoFormat = H264, size: int = 60
) -> AccessUnit:
    """A picture of one NAL unit, whose bytes are its own."""
    nal = (b"\x65" if key else b"\x61") + b"%d" % utc_us + bytes([7]) * size
    return unit(utc_us, sync=key, data=join_sample([nal]), form=form, gap=gap)


def sound(utc_us: int) -> AccessUnit:
    return unit(utc_us, track=1, sync=True, data=b"s%d" % utc_us, form=OTHER_SOUND)


def group(
    start_us: int, pictures: int = 5, *, is_behind_gap: bool = False, sounds: int = 0, **more: Any
) -> Gop:
    """A group of pictures 40 ms apart, with sound in between."""
    gap = None
    if is_behind_gap:
        gap = Gap(start_us - 10_000_000, start_us, GapReason.DISCONNECTED)
    units = [
        picture(start_us + at * STEP_US, key=not at, gap=None if at else gap, **more)
        for at in range(pictures)
    ]
    units += [sound(start_us + 5_000 + at * 20_000) for at in range(sounds)]
    return gop_of(units, start_us + pictures * STEP_US)


def groups(start_us: int, count: int, **more: Any) -> list[Gop]:
    """Groups that follow one another, 200 ms each."""
    return [group(start_us + at * 5 * STEP_US, **more) for at in range(count)]


class Seen(NamedTuple):
    """A unit as a client got it.

    :ivar marks: letters of C, E, D and T.
    :ivar at: when it came, in seconds of the clock.
    """

    track: int
    utc_us: int
    marks: str
    cseq: int
    timestamp: int
    data: bytes
    at: float


class BusyClock(Clock):
    """The clock of a machine that does other things for half a second, once.

    :ivar looks_left: looks at the clock before it does; then nobody counts any more.
    """

    looks_left = -1

    def seconds(self) -> float:
        """Tell what time it has become."""
        if self.looks_left == 0:
            self.rightNow += 0.5
        self.looks_left = max(-1, self.looks_left - 1)
        return self.rightNow


class Cinema:
    """Disks, what is on them, and an RTSP server that plays it.

    :ivar read_seconds: how long each look at a disk takes.
    :ivar most_reading: how many of them there were at a time.
    """

    def __init__(self, folder: str) -> None:
        self.read_seconds = 0.0
        self.reading = self.most_reading = 0
        self.clock = BusyClock()
        self.clock.advance(1000)
        self.shelves = Shelves(folder)
        anything: Any = self.shelves.library
        anything._in_thread = self._in_thread
        self.shelves.open()
        presentations = Playbacks(
            self.shelves.library,
            self.clock,
            utc=lambda: START_US / 1e6 + self.clock.seconds(),
        )
        self.server = RtspServerFactory(self.clock, presentations, options=FEATURES)
        self.camera = self  # what a MemoryClient connects to

    def _in_thread(self, function: Callable[[], Any]) -> "Deferred[Any]":
        if not self.read_seconds:
            return maybeDeferred(function)
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)

        def read() -> Any:
            self.reading -= 1
            return function()

        return deferLater(self.clock, self.read_seconds, read)

    def open(self, start_us: int, *gops: Gop, disk: str = "HDD_DISK") -> RecordingWriter:
        """Begin to record."""
        bench = self.shelves.disks[disk].bench
        writer = bench.open(DETAILS, start_us)
        bench.write(writer, *gops)
        return writer

    def write(self, writer: RecordingWriter, *gops: Gop) -> None:
        """Record more."""
        self.shelves.disks["HDD_DISK"].bench.write(writer, *gops)

    def finish(self, writer: RecordingWriter, *, disk: str = "HDD_DISK") -> None:
        """End a recording."""
        bench = self.shelves.disks[disk].bench
        bench.close(writer)
        bench.tell_index()

    def record(self, gops: Iterable[Gop], disk: str = "HDD_DISK") -> str:
        """Record all of it."""
        made = list(gops)
        writer = self.open(made[0].units[0].utc_us, *made, disk=disk)
        self.finish(writer, disk=disk)
        return writer.recording_id

    def connect(self, limit: int = 1 << 30) -> "Viewer":
        """Connect one more client, which reads as much at a time."""
        return Viewer(self, limit)

    def advance(self, seconds: float, step: float = 0.01) -> None:
        """Let time go on in small steps, as a reactor does."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    def close(self) -> None:
        """End it all."""
        self.server.close()
        self.shelves.close()


class BoundedTransport(MemoryTransport):
    """A transport whose client takes so many bytes, and more when it has read them."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.value()) > self.limit and self.producer is not None:
            self.producer.pauseProducing()


class Viewer(MemoryClient):
    """A client that plays recordings over one connection.

    :ivar log: answers and frames in the order in which they came, with when that was.
    """

    def __init__(self, cinema: Cinema, limit: int) -> None:
        anything: Any = cinema
        super().__init__(anything)
        self.transport = BoundedTransport(limit)
        self.protocol.makeConnection(self.transport)
        self.cinema = cinema
        self.query = ""
        self.path = PATH
        self.log: list[tuple[float, Response | tuple[int, bytes]]] = []
        self._seen: list[Seen] = []
        self._looked_at = 0

    def url(self, query: str = "") -> str:
        return f"rtsp://{HOST}{self.path}?{query or self.query}"

    def request(self, method: str, url: str, body: bytes = b"", **headers: str) -> Response:
        """Send a request and wait for its response; frames before it are kept."""
        self.send(method, url, body, **headers)
        for _ in range(MAX_WAIT_STEPS):
            if found := self.read():
                (response,) = found
                return response
            self.cinema.clock.advance(0.001)
        raise AssertionError(f"no answer to {method}")

    def read(self) -> list[Response]:
        """Take what came, and let more come."""
        now, count = self.cinema.clock.seconds(), len(self.frames)
        before = self.transport.value()
        found = super().read()
        arrived: list[tuple[float, Response | tuple[int, bytes]]]
        arrived = [(now, frame) for frame in self.frames[count:]]
        if before.startswith(b"RTSP"):
            arrived = [*((now, one) for one in found), *arrived]
        else:
            arrived = [*arrived, *((now, one) for one in found)]
        self.log += arrived
        if self.transport.producer is not None and before:
            self.protocol.resumeProducing()
        return found

    def open(self, query: str, tracks: int = 1, path: str = PATH, **headers: str) -> Response:
        """Describe and set up."""
        self.query, self.path = query, path
        described = self.request("DESCRIBE", self.url())
        for track in range(tracks if described.status == 200 else 0):
            url = f"rtsp://{HOST}{path}/stream={track}?{query}"
            transport = f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
            response = self.request("SETUP", url, b"", Transport=transport, **headers)
            assert response.status == 200, response
            self.session = response.headers.get("Session").partition(";")[0]
        return described

    def start(self, **headers: str) -> Response:
        """Send PLAY; what came before its answer is read first."""
        self.read()
        return self.request("PLAY", self.url(), b"", **headers)

    def drain(self, times: int = 10_000) -> None:
        """Read as long as something comes without time going on."""
        for _ in range(times):
            before = len(self.log)
            self.read()
            if len(self.log) == before:
                return

    def watch(self, seconds: float, step: float = 0.01) -> None:
        """Let time go on and read meanwhile."""
        self.read()
        for _ in range(round(seconds / step)):
            self.cinema.clock.advance(step)
            self.read()

    def seen(self) -> list[Seen]:
        """The units that came so far; needs the replay extension."""
        self.read()
        for at, one in self.log[self._looked_at :]:
            if isinstance(one, Response) or one[0] % 2:
                continue
            packet = parse_packet(one[1])
            replay = parse_replay(parse_extension(one[1]))
            payload = bytes(packet.payload)
            if replay is None:
                last = self._seen[-1]
                self._seen[-1] = last._replace(data=last.data + payload)
                continue
            letters = (
                ("C", replay.clean_point),
                ("E", replay.end_of_section),
                ("D", replay.discontinuity),
                ("T", replay.terminal),
            )
            marks = "".join(letter for letter, is_set in letters if is_set)
            utc_us = utc_us_from_ntp(replay.ntp_64)
            place = one[0] // 2
            self._seen.append(
                Seen(place, utc_us, marks, replay.cseq, packet.timestamp, payload, at)
            )
        self._looked_at = len(self.log)
        return list(self._seen)

    def numbers(self, track: int = 0) -> list[int]:
        """The sequence numbers of the packets that came so far."""
        self.read()
        return [
            parse_packet(one[1]).sequence_number
            for _, one in self.log
            if not isinstance(one, Response) and one[0] == 2 * track
        ]

    def reports_of(self, track: int = 0) -> list[RtcpPacket]:
        """What RTCP said of a track."""
        self.read()
        packets: list[RtcpPacket] = []
        for _, one in self.log:
            if not isinstance(one, Response) and one[0] == 2 * track + 1:
                packets += parse_compound(one[1])
        return packets


def times(seen: Iterable[Seen], since_us: int = START_US) -> list[int]:
    """When units were taken, in milliseconds since a time."""
    return [(one.utc_us - since_us) // 1000 for one in seen]


class PlaybackTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.cinema = Cinema(self.mktemp())
        self.addCleanup(self.cinema.close)

    def assert_near(self, found: float, wanted: float, by: float) -> None:
        self.assertLessEqual(abs(found - wanted), by, (found, wanted))

    def assert_counted(self, viewer: Viewer) -> None:
        """No sequence number is left out or comes twice."""
        numbers = viewer.numbers()
        wanted = [(numbers[0] + at) & 0xFFFF for at in range(len(numbers))]
        self.assertEqual(numbers, wanted)

    def record(self, **more: Any) -> str:
        """Two sections of two seconds, ten seconds apart."""
        later = groups(LATER_US, 10, **more)
        later[0] = group(LATER_US, is_behind_gap=True, **more)
        return self.cinema.record([*groups(START_US, 10, **more), *later])

    def viewer(self, recording: str, more: str = "", tracks: int = 1, **headers: str) -> Viewer:
        viewer = self.cinema.connect()
        query = f"recordingid={recording}&onvifreplayext=1{more}"
        self.assertEqual(viewer.open(query, tracks, **headers).status, 200)
        return viewer

    def fetch(self, recording: str, **headers: str) -> tuple[Any, Viewer]:
        """Play as fast as it goes."""
        viewer = self.viewer(recording)
        response = viewer.start(**{"Rate_Control": "no", **headers})
        viewer.drain()
        return response, viewer
