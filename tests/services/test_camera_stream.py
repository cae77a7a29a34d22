"""One stream of a camera, kept going: its states, waits, gaps, status and log."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionDone, DNSLookupError
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError, PeerRefused
from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.units import AccessUnit, Codec, Gap, GapReason, MetadataFormat, VideoFormat
from axis_nvr.protocols.address import CameraAddress, StreamProtocol
from axis_nvr.services.camera_stream import LOOK_SECONDS, CameraStream
from axis_nvr.services.failure_log import REPEAT_LOG_SECONDS
from axis_nvr.services.liveness import SILENCE_SECONDS
from axis_nvr.services.stream_errors import ErrorKind
from axis_nvr.services.stream_plan import StreamPlan
from axis_nvr.services.stream_status import StreamState
from axis_nvr.session.digest import Credentials
from axis_nvr.session.media_track import TrackStatistics
from axis_nvr.session.tracks import TrackDescription

PLAN = StreamPlan(
    "front",
    CameraAddress(
        "rtsp://192.0.2.1/axis-media/media.amp",
        StreamProtocol.RTSPT,
        Credentials("root", "hunter2"),
    ),
)
VIDEO = TrackDescription(0, "video", Codec.H264, 96, 90000, 1, {}, "rtsp://192.0.2.1/0")
EVENTS = replace(VIDEO, index=2, kind="application", codec=Codec.ONVIF_METADATA)
FORMAT = VideoFormat(Codec.H264, b"avcC", 640, 480, Fraction(30))


def unit(utc_us: int, sync: bool = True) -> AccessUnit:
    return AccessUnit(0, utc_us, utc_us * 9 // 100, sync, bytes(1000), FORMAT)


class FakeSession:
    """A session that plays as it is told."""

    def __init__(self, *tracks: TrackDescription) -> None:
        self.tracks = tracks or (VIDEO,)
        self.received = self.lost_packets = 0
        self.encrypted = False
        self.clock_offset_us = 1234
        self.heard: float | None = None
        self.warnings = ("odd",)
        self.urgent: list[bool] = []
        self.closing: Deferred[None] | None = None
        self.aborted: Failure | None = None
        self.unread: list[Callable[[], None]] = []  # what comes with the next read

    def statistics(self) -> dict[int, TrackStatistics]:
        return {
            0: TrackStatistics(
                packets=self.received,
                octets=0,
                lost=self.lost_packets,
                reordered=2,
                duplicates=0,
                foreign=0,
                malformed=0,
                jitter_ms=0.0,
                frames=0,
                discarded_units=0,
                suspected_encrypted=self.encrypted,
                last_unit=None,
                reports=0,
                drift_ppm=0.0,
                timestamp_jumps=0,
            )
        }

    def set_urgent(self, urgent: bool) -> None:
        self.urgent.append(urgent)

    def read_now(self) -> None:
        for take in self.unread:
            take()
        self.unread.clear()

    def close(self) -> Deferred[None]:
        self.closing = Deferred()
        return self.closing

    def abort(self, reason: Failure) -> None:
        self.aborted = reason


class Consumer:
    """Notes the gaps of a buffer."""

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self.units: list[AccessUnit] = []

    def unit_received(self, unit: AccessUnit) -> None:
        self.units.append(unit)

    def gop_closed(self, gop: Any) -> None:
        pass

    def interrupted(self, gap: Gap) -> None:
        self.gaps.append(gap)


class StreamCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.attempts: list[tuple[StreamPlan, Any, Any, Deferred[Any]]] = []
        self.cancelled = 0
        self.consumer = Consumer()
        buffer = GopBuffer()
        buffer.subscribe(self.consumer)  # type: ignore[arg-type]
        self.stream = CameraStream(
            PLAN, buffer, self.open, self.clock, utc=self.clock.seconds, jitter=lambda: 0.0
        )

    def open(self, plan: StreamPlan, deliver: Any, lost: Any) -> Any:
        def cancel(_: Any) -> None:
            self.cancelled += 1

        deferred: Deferred[Any] = Deferred(cancel)
        self.attempts.append((plan, deliver, lost, deferred))
        return deferred

    def play(self, *tracks: TrackDescription) -> FakeSession:
        """Have the newest attempt succeed."""
        session = FakeSession(*tracks)
        self.attempts[-1][3].callback(session)
        return session

    def refuse(self, problem: Exception) -> None:
        """Have the newest attempt fail."""
        self.attempts[-1][3].errback(Failure(problem))

    def lose(self, problem: Exception) -> None:
        """Have the newest session go."""
        self.attempts[-1][2](Failure(problem))

    @property
    def state(self) -> StreamState:
        return self.stream.status.state

    def retry_after(self) -> float | None:
        """How long is waited now."""
        retry_us = self.stream.status.retry_us
        return None if retry_us is None else retry_us / 1e6 - self.clock.seconds()


class Documents:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def began(self) -> None:
        self.told.append("began")

    def document_received(self, unit: AccessUnit) -> None:
        self.told.append(bytes(unit.data).decode())

    def ended(self, words: str) -> None:
        self.told.append(f"ended: {words}")


class ObservedTests(StreamCase):
    def test_each_state_is_told(self) -> None:
        """Who observes hears of each state in turn, `IDLE` when it is over."""
        states: list[StreamState] = []
        self.stream.state_changed = states.append
        self.stream.start()
        session = self.play(VIDEO)
        self.stream.stop()
        assert session.closing is not None
        session.closing.callback(None)
        self.assertEqual(states[:2], [StreamState.CONNECTING, StreamState.PLAYING])
        self.assertEqual(states[-1], StreamState.IDLE)


class DocumentTests(StreamCase):
    """A stream that brings events, alone or beside pictures."""

    def setUp(self) -> None:
        super().setUp()
        self.documents = Documents()
        self.stream = CameraStream(
            replace(PLAN, want_events=True),
            self.stream.buffer,
            self.open,
            self.clock,
            utc=self.clock.seconds,
            jitter=lambda: 0.0,
            documents=self.documents,
        )

    def test_past_the_buffer(self) -> None:
        """Documents go to who wants them and not to the recordings; pictures as ever."""
        self.stream.start()
        session = self.play(VIDEO, EVENTS)
        self.assertEqual(session.urgent, [True])
        self.stream.set_urgent(False)
        self.assertEqual(session.urgent, [True, True])
        deliver = self.attempts[0][1]
        deliver([AccessUnit(2, 1_000_000_000, 0, True, b"<a/>", MetadataFormat())])
        self.assertEqual(self.consumer.units, [])
        deliver([unit(1_000_000_000)])
        self.assertEqual(len(self.consumer.units), 1)
        self.lose(ConnectionDone())
        self.assertEqual(self.documents.told[:2], ["began", "<a/>"])
        self.assertIn("ended: ", self.documents.told[2])
        deliver([AccessUnit(2, 1_000_000_000, 0, True, b"<late/>", MetadataFormat())])
        self.assertEqual(len(self.documents.told), 3)

    def test_wanted(self) -> None:
        """The track that tells of events is fetched where it is wanted, and only there."""
        self.assertTrue(self.stream.plan.wants(EVENTS))
        self.assertFalse(PLAN.wants(EVENTS))
        self.assertFalse(self.stream.plan.wants(replace(EVENTS, codec=None)))

    def test_a_camera_that_has_none(self) -> None:
        """A session without such a track is not taken for one that brings events."""
        self.stream.start()
        self.play(VIDEO)
        self.assertEqual(self.documents.told, [])

    def test_a_camera_that_says_nothing_any_more(self) -> None:
        """A session of events alone ends when the camera does not answer signs of life."""
        self.stream.start()
        session = self.play(EVENTS)
        session.heard = self.clock.seconds()
        self.clock.pump([LOOK_SECONDS] * 14)
        self.assertIsNone(session.aborted, "it is silent, and that is all right")
        self.clock.pump([LOOK_SECONDS] * 2)
        self.assertIsNotNone(session.aborted)


class LifeTests(StreamCase):
    def test_from_start_to_stop(self) -> None:
        """Started it connects and plays; stopped it ends its session and is idle."""
        self.assertIs(self.state, StreamState.IDLE)
        self.stream.start()
        self.stream.start()
        self.assertIs(self.state, StreamState.CONNECTING)
        self.assertEqual(len(self.attempts), 1)
        session = self.play()
        self.assertIs(self.state, StreamState.PLAYING)
        self.stream.start()
        stopped = self.stream.stop()
        self.assertIs(self.state, StreamState.STOPPING)
        self.assertNoResult(stopped)
        assert session.closing is not None
        session.closing.callback(None)
        self.successResultOf(stopped)
        self.assertIs(self.state, StreamState.IDLE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_units_reach_the_buffer(self) -> None:
        """What a session brings is in the buffer."""
        self.stream.start()
        self.play()
        self.attempts[0][1]([unit(1_000_000_000)])
        self.assertEqual(len(self.consumer.units), 1)

    def test_first_drop(self) -> None:
        """After the first drop it connects at once; after the next it waits, ever longer."""
        self.stream.start()
        self.play()
        self.attempts[0][1]([unit(1_000_000_000)])
        self.lose(ConnectionDone())
        self.assertIs(self.state, StreamState.WAITING)
        self.clock.advance(0)
        self.assertEqual(len(self.attempts), 2)
        for expected in (0.5, 1.0, 2.0):
            self.refuse(ConnectError())
            self.assertAlmostEqual(self.retry_after() or 0, expected, places=3)
            self.clock.advance(expected)
        self.assertEqual(len(self.attempts), 5)

    def test_stable_again(self) -> None:
        """Ten good seconds make the next drop a first one."""
        self.stream.start()
        self.refuse(ConnectError())
        self.clock.advance(0.5)
        session = self.play()
        self.attempts[-1][1]([unit(1_000_000_000)])
        for _ in range(6):
            session.received += 1
            self.clock.advance(LOOK_SECONDS)
        self.lose(ConnectionDone())
        self.clock.advance(0)
        self.assertEqual(len(self.attempts), 3)

    def test_gap(self) -> None:
        """A drop interrupts the buffer, from the last unit until now, in words."""
        self.stream.start()
        self.play()
        self.attempts[0][1]([unit(999_000_000)])
        self.clock.advance(1)
        self.lose(ConnectionDone("gone"))
        (gap,) = self.consumer.gaps
        self.assertEqual((gap.start_us, gap.end_us), (999_000_000, 1_001_000_000))
        self.assertIs(gap.reason, GapReason.DISCONNECTED)
        self.clock.advance(0)
        self.refuse(ConnectError())
        self.assertEqual(len(self.consumer.gaps), 1)

    def test_its_own_time(self) -> None:
        """What happens now is where the newest picture is; the time goes on in an outage."""
        self.stream.start()
        session = self.play()
        self.assertIsNone(self.stream.newest_us)
        self.assertEqual(self.stream.media_time(1_000_000_000), 1_000_000_000)
        self.attempts[0][1]([unit(940_000_000)])
        self.clock.advance(0.25)
        self.assertEqual(self.stream.newest_us, 940_000_000)
        self.assertEqual(self.stream.media_time(1_000_250_000), 940_000_000)
        self.assertEqual(self.stream.media_time(999_250_000), 939_000_000)
        take = partial(self.attempts[0][1], [unit(940_200_000)])
        session.unread.append(take)  # what is there by now counts, read or not
        self.assertEqual(self.stream.media_time(1_000_250_000), 940_200_000)
        self.lose(ConnectionDone("gone"))
        self.assertIsNone(self.stream.newest_us)
        self.assertEqual(self.stream.media_time(1_010_250_000), 950_200_000)

    def test_units_that_come_late(self) -> None:
        """What a session still brings while it is ended does not follow the gap."""
        self.stream.start()
        self.play()
        self.attempts[0][1]([unit(999_000_000)])
        self.stream.stop()
        self.attempts[0][1]([unit(999_500_000)])
        self.assertEqual(len(self.consumer.units), 1)
        self.assertEqual(len(self.consumer.gaps), 1)

    def test_wrong_credentials(self) -> None:
        """An account that is refused is not tried on: five minutes, then ever more slowly."""
        self.stream.start()
        self.refuse(PeerRefused("DESCRIBE", 401, "Unauthorized"))
        self.assertIs(self.state, StreamState.LOCKED_OUT)
        self.clock.advance(299)
        self.assertEqual(len(self.attempts), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.attempts), 2)
        self.refuse(PeerRefused("DESCRIBE", 401, "Unauthorized"))
        self.assertAlmostEqual(self.retry_after() or 0, 600, places=3)

    def test_new_credentials_are_tried_at_once(self) -> None:
        """Another configuration ends the wait."""
        self.stream.start()
        self.refuse(PeerRefused("DESCRIBE", 401, "Unauthorized"))
        plan = StreamPlan("front", CameraAddress("rtsp://192.0.2.2/"))
        self.stream.reconfigure(plan)
        self.assertIs(self.attempts[-1][0], plan)
        self.assertEqual((len(self.attempts), self.clock.getDelayedCalls()), (2, []))

    def test_refused_options(self) -> None:
        """Options that are refused are told in the camera's words, and tried again slowly."""
        self.stream.start()
        self.refuse(PeerRefused("DESCRIBE", 400, "Bad resolution"))
        self.assertIs(self.state, StreamState.REFUSED)
        status = self.stream.status
        assert status.last_error is not None
        self.assertIs(status.last_error.kind, ErrorKind.REFUSED)
        self.assertEqual(status.last_error.words, "DESCRIBE refused: 400 Bad resolution")
        self.assertAlmostEqual(self.retry_after() or 0, 60, places=3)

    def test_misconfigured(self) -> None:
        """What cannot work is not tried again until it is configured otherwise."""
        self.stream.start()
        self.refuse(ConfigError("no CA"))
        self.assertIs(self.state, StreamState.MISCONFIGURED)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.stream.reconfigure(PLAN)
        self.assertIs(self.state, StreamState.CONNECTING)

    def test_silence(self) -> None:
        """A camera that sends nothing is dropped and connected again."""
        self.stream.start()
        session = self.play()
        self.clock.pump([LOOK_SECONDS] * int(SILENCE_SECONDS / LOOK_SECONDS))
        assert session.aborted is not None
        self.attempts[-1][2](session.aborted)
        self.assertIs(self.state, StreamState.WAITING)
        assert self.stream.status.last_error is not None
        self.assertIs(self.stream.status.last_error.kind, ErrorKind.MEDIA)

    def test_reconfigured_while_playing(self) -> None:
        """A session that plays is left alone; the next one uses the new plan."""
        self.stream.start()
        self.play()
        plan = StreamPlan("front", CameraAddress("rtsp://192.0.2.2/"))
        self.stream.reconfigure(plan)
        self.assertIs(self.state, StreamState.PLAYING)
        self.lose(ConnectionDone())
        self.clock.advance(1)
        self.assertIs(self.attempts[-1][0], plan)

    def test_reconfigured_while_connecting(self) -> None:
        """An attempt with the old plan is given up; what it still brings is ended."""
        self.stream.start()
        plan = StreamPlan("front", CameraAddress("rtsp://192.0.2.2/"))
        self.stream.reconfigure(plan)
        self.assertEqual((self.cancelled, len(self.attempts)), (1, 2))
        self.assertIs(self.attempts[-1][0], plan)
        self.play()
        self.assertIs(self.state, StreamState.PLAYING)

    def test_an_attempt_that_raises(self) -> None:
        """A bug in an attempt is logged and told from what cameras do."""

        def broken(plan: Any, deliver: Any, lost: Any) -> Any:
            raise KeyError("bug")

        stream = CameraStream(PLAN, GopBuffer(), broken, self.clock)
        stream.start()
        assert stream.status.last_error is not None
        self.assertIs(stream.status.last_error.kind, ErrorKind.INTERNAL)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


class StopTests(StreamCase):
    def test_while_waiting(self) -> None:
        """A stream that waits stops at once."""
        for problem in (DNSLookupError(), PeerRefused("SETUP", 400, ""), ConfigError()):
            self.stream.start()
            self.refuse(problem)
            self.successResultOf(self.stream.stop())
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertIs(self.state, StreamState.IDLE)

    def test_while_connecting(self) -> None:
        """An attempt is cancelled."""
        self.stream.start()
        stopped = self.stream.stop()
        self.assertEqual(self.cancelled, 1)
        self.successResultOf(stopped)
        self.assertIs(self.state, StreamState.IDLE)

    def test_an_attempt_that_succeeds_nevertheless(self) -> None:
        """A session that opens too late is ended, and then the stream is idle."""

        def uncancellable(plan: Any, deliver: Any, lost: Any) -> Any:
            deferred: Deferred[Any] = Deferred(lambda d: d.callback(session))
            return deferred

        session = FakeSession()
        stream = CameraStream(PLAN, GopBuffer(), uncancellable, self.clock)
        stream.start()
        stopped = stream.stop()
        assert session.closing is not None
        session.closing.callback(None)
        self.successResultOf(stopped)

    def test_idle(self) -> None:
        """A stream that never ran is stopped as it is; a stop is repeatable."""
        self.successResultOf(self.stream.stop())
        self.stream.start()
        session = self.play()
        both = [self.stream.stop(), self.stream.stop()]
        assert session.closing is not None
        session.closing.callback(None)
        for stopped in both:
            self.successResultOf(stopped)

    def test_cancelled(self) -> None:
        """Who does not wait for the stop any more does not hold it up."""
        self.stream.start()
        session = self.play()
        stopped = self.stream.stop()
        stopped.cancel()
        self.failureResultOf(stopped, CancelledError)
        assert session.closing is not None
        session.closing.callback(None)
        self.assertIs(self.state, StreamState.IDLE)

    def test_started_while_stopping(self) -> None:
        """Wanted again before it has stopped, it stops first and connects then."""
        self.stream.start()
        session = self.play()
        stopped = self.stream.stop()
        self.stream.start()
        self.assertEqual(len(self.attempts), 1)
        assert session.closing is not None
        session.closing.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(len(self.attempts), 2)
        self.assertIs(self.state, StreamState.CONNECTING)

    def test_what_a_stopped_session_says_late(self) -> None:
        """A session that is being ended is not missed."""
        self.stream.start()
        session = self.play()
        stopped = self.stream.stop()
        self.lose(ConnectionDone())
        self.assertIs(self.state, StreamState.STOPPING)
        assert session.closing is not None
        session.closing.callback(None)
        self.successResultOf(stopped)
        self.assertIsNone(self.stream.status.last_error)


class StatusTests(StreamCase):
    def test_playing(self) -> None:
        """Rates, counts, tracks, the camera's clock and what is odd."""
        self.stream.start()
        session = self.play()
        session.received, session.lost_packets = 100, 3
        for n in range(60):
            self.attempts[-1][1]([unit(1_000_000_000 + n * 33_333)])
        self.clock.advance(LOOK_SECONDS)
        status = self.stream.status
        self.assertEqual((status.bitrate, status.fps), (240_000, 30.0))
        self.assertEqual(
            (status.packets_received, status.packets_lost, status.packets_reordered), (100, 3, 2)
        )
        (track,) = status.tracks
        self.assertEqual((track.codec, track.width, track.height), ("h264", 640, 480))
        self.assertEqual((status.clock_offset_us, status.warnings), (1234, ("odd",)))
        self.assertEqual((status.device, status.protocol), ("front", StreamProtocol.RTSPT))

    def test_encrypted(self) -> None:
        """A stream that looks encrypted is warned of."""
        self.stream.start()
        self.play().encrypted = True
        self.assertIn("encrypt", self.stream.status.warnings[-1])

    def test_counts_of_all_sessions(self) -> None:
        """Counts go on over sessions, and returns are counted."""
        self.stream.start()
        self.play().received = 10
        self.lose(ConnectionDone())
        self.clock.advance(1)
        self.play().received = 5
        status = self.stream.status
        self.assertEqual((status.packets_received, status.reconnects), (15, 1))

    def test_urgent(self) -> None:
        """Urgency holds over sessions."""
        self.stream.set_urgent(True)
        self.stream.start()
        session = self.play()
        self.stream.set_urgent(False)
        self.assertEqual(session.urgent, [True, False])


class LogTests(StreamCase):
    def test_no_password(self) -> None:
        """Neither log nor status nor any repr shows the password."""
        with capturedLogs() as events:
            self.stream.start()
            self.refuse(PeerRefused("DESCRIBE", 401, "no"))
            self.clock.advance(300)
            self.play()
            self.lose(ConnectionDone())
        shown = [formatEvent(event) for event in events] + [repr(self.stream.status), repr(PLAN)]
        self.assertTrue(any("authentication" in text for text in shown))
        self.assertNotIn("hunter2", "".join(shown))
        self.assertNotIn("hunter2", repr(events))

    def test_levels(self) -> None:
        """What mends itself is a warning, what needs a person an error."""
        for problem, level in (
            (ConnectError(), LogLevel.warn),
            (PeerRefused("DESCRIBE", 401, "no"), LogLevel.error),
        ):
            self.setUp()
            with capturedLogs() as events:
                self.stream.start()
                self.refuse(problem)
            self.assertEqual([event["log_level"] for event in events], [level])

    def test_the_same_again(self) -> None:
        """The same failure again and again is told once in a while."""
        with capturedLogs() as events:
            self.stream.start()
            while self.clock.seconds() < 1000 + REPEAT_LOG_SECONDS + 60:
                self.refuse(ConnectError())
                self.clock.advance(self.retry_after() or 0)
        self.assertEqual(len(events), 2)
        with capturedLogs() as events:
            self.refuse(DNSLookupError("cam.example"))
        self.assertEqual(len(events), 1)
