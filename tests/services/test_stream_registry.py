"""Streams are shared: who asks for the same gets the same, and the last one switches it off."""

from dataclasses import replace

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.config import CameraConfig
from axis_nvr.errors import ConfigError
from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.stream_options import StreamOptions
from axis_nvr.media.units import AccessUnit, Codec, VideoFormat
from axis_nvr.services.stream_registry import StreamLease, StreamRegistry, StreamRequest

AXIS = CameraConfig("front", address="192.168.0.90")
OTHER = CameraConfig("yard", url="rtsp://192.168.0.91/live")
VIDEO = VideoFormat(Codec.H264, b"avcC", 640, 360)


class FakeStream:
    def __init__(self, request: StreamRequest) -> None:
        self.request = request
        self.buffer = GopBuffer()
        self.log: list[str] = []
        self.stopping: Deferred[None] = succeed(None)

    def start(self) -> None:
        self.log.append("start")

    def stop(self) -> Deferred[None]:
        self.log.append("stop")
        return self.stopping


class RegistryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.made: list[FakeStream] = []
        self.registry = StreamRegistry([AXIS, OTHER], self.make)

    def make(self, request: StreamRequest) -> FakeStream:
        self.made.append(FakeStream(request))
        return self.made[-1]

    def acquire(self, text: str, *, pre_buffer: bool = False) -> StreamLease[FakeStream]:
        options = StreamOptions.parse(text)
        return self.registry.acquire(self.registry.request(options, pre_buffer=pre_buffer))

    def test_the_same_stream_is_shared(self) -> None:
        """Two who ask for the same options, in whatever order, have one session."""
        one = self.acquire("device=front&fps=25&audio=0")
        two = self.acquire("audio=0&fps=25&device=front")
        self.assertIs(one.stream, two.stream)
        self.assertEqual(one.stream.log, ["start"])

    def test_other_options_or_cameras_are_other_streams(self) -> None:
        """What the camera would send otherwise is not shared."""
        texts = ("device=front", "device=front&fps=25", "device=yard", "device=yard&audio=1")
        streams = {id(self.acquire(text).stream) for text in texts}
        streams.add(id(self.acquire("device=front", pre_buffer=True).stream))
        self.assertEqual(len(streams), 5)

    def test_a_camera_given_by_url_is_sent_no_options(self) -> None:
        """Options of its recordings make no other stream of it, as it never sees them."""
        one, two = self.acquire("device=yard&fps=25"), self.acquire("device=yard&fps=5")
        self.assertIs(one.stream, two.stream)
        self.assertEqual(one.stream.request.sent_options, "")

    def test_the_same_with_and_without_a_pre_buffer(self) -> None:
        """Shared where the camera is sent the same: the modes are given, or nothing is sent."""
        given = "device=front&videozgopmode=fixed&videozfpsmode=fixed"
        for text in (given, "device=yard"):
            plain, looking_back = self.acquire(text), self.acquire(text, pre_buffer=True)
            self.assertIs(plain.stream, looking_back.stream)
            self.assertEqual(plain.stream.buffer.pre_event_seconds, 0.0)

    def test_who_wants_most_decides(self) -> None:
        """The buffer reaches as far back as the longest of all shares, and follows them."""
        request = self.registry.request(StreamOptions.parse("device=yard"))
        plain = self.registry.acquire(request)
        buffer = plain.stream.buffer
        self.assertIsNone(buffer.pre_event_seconds)
        five = self.registry.acquire(request, pre_event_seconds=5)
        ten = self.registry.acquire(request, pre_event_seconds=10)
        self.assertEqual(buffer.pre_event_seconds, 10)
        ten.release()
        self.assertEqual(buffer.pre_event_seconds, 5)
        five.want(30)
        self.assertEqual(buffer.pre_event_seconds, 30)
        for number in range(4):
            buffer.push(AccessUnit(0, number * 1_000_000, 0, True, b"picture", VIDEO))
        self.assertEqual(len(buffer.buffered()), 3)
        five.release()
        five.want(60)
        self.assertIsNone(buffer.pre_event_seconds)
        self.assertEqual(buffer.buffered(), [], "nobody looks back any more")
        self.assertEqual(plain.stream.log, ["start"])

    def test_a_camera_that_moves(self) -> None:
        """Streams of it that run are told, and nobody else's; new ones are its new self's."""
        renewed: list[StreamRequest] = []
        self.registry = StreamRegistry(
            [AXIS, OTHER], self.make, lambda stream, request: renewed.append(request)
        )
        one = self.acquire("device=front")
        self.acquire("device=yard")
        moved = replace(AXIS, address="192.168.0.99")
        self.registry.know("front", AXIS)
        self.registry.know("front", moved)
        self.assertEqual([request.camera for request in renewed], [moved])
        self.assertIs(self.acquire("device=front").stream, one.stream)
        self.registry.know("front", None)
        self.assertRaises(ConfigError, self.acquire, "device=front")
        self.assertEqual(one.stream.log, ["start"])

    def test_the_last_one_stops_it(self) -> None:
        """A stream runs until nobody has a share; a share is given back once."""
        one, two = self.acquire("device=front"), self.acquire("device=front")
        self.successResultOf(one.release())
        self.successResultOf(one.release())
        self.assertEqual(one.stream.log, ["start"])
        self.successResultOf(two.release())
        self.assertEqual(one.stream.log, ["start", "stop"])
        self.assertEqual(self.registry.streams, [])

    def test_after_the_last_one_the_next_is_the_first(self) -> None:
        """A stream that was stopped is made anew."""
        self.acquire("device=front").release()
        self.assertEqual(self.acquire("device=front").stream.log, ["start"])
        self.assertEqual(len(self.made), 2)

    def test_stop_stops_all(self) -> None:
        """Everything stops at the end, and the end is told when it has come."""
        lease = self.acquire("device=front")
        self.acquire("device=yard")
        self.made[0].stopping = Deferred()
        done = self.registry.stop()
        self.assertNoResult(done)
        self.made[0].stopping.callback(None)
        self.successResultOf(done)
        self.assertEqual([stream.log[-1] for stream in self.made], ["stop", "stop"])
        self.successResultOf(lease.release())

    def test_a_stop_that_fails_is_told_and_done(self) -> None:
        """An error while stopping does not keep the recorder from ending."""
        lease = self.acquire("device=front")
        lease.stream.stopping = Deferred()
        done = lease.release()
        lease.stream.stopping.errback(ValueError("no"))
        self.successResultOf(done)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_an_unknown_device_is_refused(self) -> None:
        """The sentence names the device and the ones there are; nothing is created."""
        error = self.assertRaises(ConfigError, self.acquire, "device=back")
        self.assertIn("'back'", str(error))
        self.assertIn("front, yard", str(error))
        self.assertEqual(self.made, [])

    def test_nothing_asked_for_is_refused(self) -> None:
        """Neither pictures nor sound is no stream."""
        error = self.assertRaises(ConfigError, self.acquire, "device=front&video=0")
        self.assertIn("neither video nor audio", str(error))
