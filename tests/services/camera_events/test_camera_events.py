"""Whose events are listened to, by which session, and what the recorder tells of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.config import CameraConfig, EventsConfig
from axis_nvr.errors import PeerRefused
from axis_nvr.media.units import AccessUnit, Codec, MetadataFormat, UnitSink
from axis_nvr.protocols.failures import MediaMissing
from axis_nvr.services.camera_events.camera_events import CameraEvents
from axis_nvr.services.camera_events.ear import ALONE_SECONDS
from axis_nvr.services.camera_events.event_plan import events_opener
from axis_nvr.services.camera_events.listener import CONFIRM_SECONDS, LOST_SECONDS
from axis_nvr.services.camera_events.motion_topics import MotionTopics
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.motion_relay import MotionRelay
from axis_nvr.services.plans import camera_address
from axis_nvr.services.stream_plan import StreamPlan
from axis_nvr.services.stream_status import StreamState
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.wire.notification import Operation
from tests.services.camera_events.documents import NOW_US, document, state

TOPIC = "tnsaxis:UniversalMotionDetection"
FRONT = CameraConfig("front", "192.0.2.1", username="root", password="pass", events=True)
YARD = CameraConfig("yard", url="rtsp://192.0.2.2/live", motion=("onvif",), events=True)
WEBSOCKET = "/vapix/ws-data-stream?sources=events"
TRACK = TrackDescription(0, "application", Codec.ONVIF_METADATA, 98, 90000, 1, {}, "rtsp://h/0")


class FakeSession:
    """A session of events."""

    tracks = (TRACK,)
    heard = None
    clock_offset_us = None
    warnings: tuple[str, ...] = ()

    def __init__(self, attempt: "Attempt") -> None:
        self.attempt = attempt
        self.is_open = True

    def statistics(self) -> dict[int, Any]:
        return {}

    def set_urgent(self, urgent: bool) -> None:
        self.attempt.urgent = urgent

    def read_now(self) -> None:
        pass

    def close(self) -> "Deferred[None]":
        self.is_open = False
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def abort(self, reason: Failure) -> None:
        raise AssertionError(reason)


class Attempt:
    """One attempt to open a session, and what it became."""

    def __init__(self, plan: StreamPlan, deliver: UnitSink, lost: Callable[..., None]) -> None:
        self.plan, self.deliver, self.lost = plan, deliver, lost
        self.opened: Deferred[Any] = Deferred()
        self.session = FakeSession(self)
        self.urgent = False

    @property
    def arguments(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.plan.address.url).query)

    def play(self, *values: str) -> None:
        """Begin, and tell the state of motion, as it was and as it becomes."""
        self.opened.callback(self.session)
        for number, value in enumerate(values):
            self.tell(value, Operation.CHANGED if number else Operation.INITIALIZED)

    def tell(self, value: str, operation: Operation = Operation.CHANGED) -> None:
        data = document(state(value=value, operation=operation))
        self.deliver([AccessUnit(0, 0, 0, True, data, MetadataFormat())])


class EventsCase(SynchronousTestCase):
    config = EventsConfig()
    has_websocket = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.attempts: list[Attempt] = []
        self.connected: list[tuple[str, StreamState]] = []
        self.bus = EventBus(self.utc_us)
        self.told: list[tuple[str, str, str]] = []
        self.bus.subscribe(
            lambda n: self.told.append((dict(n.source)["device"], str(n.operation), n.data[0][1]))
        )
        self.relay = MotionRelay(self.bus, TOPIC)
        self.events = self.make()
        self.events.startService()

    def make(self) -> CameraEvents:
        return CameraEvents(
            events_opener(self.open, self.open if self.has_websocket else None),
            self.relay,
            self.config,
            self.clock,
            self.utc_us,
            self.tell_of,
        )

    def tell_of(self, stream: CameraStream, device: str) -> None:
        stream.state_changed = lambda state: self.connected.append((device, state))

    def utc_us(self) -> int:
        return NOW_US + int(self.clock.seconds() * 1e6)

    def open(self, plan: StreamPlan, deliver: Any, lost: Any) -> Any:
        self.attempts.append(Attempt(plan, deliver, lost))
        return self.attempts[-1].opened

    def state(self) -> StreamState:
        (report,) = self.events.reports
        assert report.status is not None
        return report.status.state

    def refuse(self, problem: Exception) -> None:
        self.attempts[-1].opened.errback(Failure(problem))

    def states(self) -> dict[str, str]:
        return {dict(s.source)["device"]: s.data[0][1] for s in self.bus.states()}


class OwnSessionTests(EventsCase):
    def test_a_device_with_events(self) -> None:
        """Its session asks for events alone; its motion is told as the recorder's own event."""
        self.events.change("front", FRONT)
        (attempt,) = self.attempts
        self.assertEqual(attempt.arguments["video"], ["0"])
        self.assertEqual(attempt.arguments["event"], ["on"])
        self.assertIn("axis:CameraApplicationPlatform//.", attempt.arguments["eventtopic"][0])
        self.assertTrue(attempt.plan.wants(TRACK))
        self.assertEqual(self.told, [("front", "Initialized", "0")])
        attempt.play("0", "1", "0")
        self.assertTrue(attempt.urgent)
        self.assertEqual(self.told[1:], [("front", "Changed", "1"), ("front", "Changed", "0")])

    def test_a_device_without(self) -> None:
        """Nobody connects to a device whose events are off, and it is not told of."""
        self.events.change("front", replace(FRONT, events=False))
        self.events.change("back", None)
        self.assertEqual((self.attempts, self.told), ([], []))

    def test_switched_off(self) -> None:
        """Events switched off, or the device deleted: its session ends, its event is deleted."""
        for change in (replace(FRONT, events=False), None):
            self.events.change("front", FRONT)
            attempt = self.attempts[-1]
            attempt.play("0", "1")
            self.events.change("front", change)
            self.assertFalse(attempt.session.is_open)
            self.assertEqual(self.told[-1], ("front", "Deleted", "1"))
            attempt.tell("0")
            self.assertEqual(self.states(), {})

    def test_changed(self) -> None:
        """Another address or password is used at once; what does not matter changes nothing."""
        self.events.change("front", FRONT)
        self.attempts[0].play("0", "1")
        self.events.change("front", FRONT)
        self.events.change("front", replace(FRONT, ca=b"PEM"))
        self.assertEqual(len(self.attempts), 1)
        self.events.change("front", replace(FRONT, password="other"))
        self.assertFalse(self.attempts[0].session.is_open)
        self.assertEqual(self.states(), {"front": "0"})
        self.attempts[1].play("1")
        self.assertEqual(self.states(), {"front": "1"})
        self.events.change("front", replace(FRONT, certvalidation="standard", ca=b"A"))
        self.events.change("front", replace(FRONT, certvalidation="standard", ca=b"B"))
        self.assertEqual(len(self.attempts), 4)
        self.assertNotIn("Deleted", [operation for _, operation, _ in self.told])

    def test_a_camera_by_url(self) -> None:
        """Its own stream is asked for, and of that only the track of events."""
        self.events.change("yard", YARD)
        self.assertEqual(self.attempts[0].plan.address.url, YARD.url)
        self.assertFalse(self.attempts[0].plan.want_video)

    def test_always_by_tcp(self) -> None:
        """Events do not come in datagrams, whatever the pictures do."""
        self.events.change("front", replace(FRONT, protocol="rtspu"))
        self.assertEqual(self.attempts[0].plan.address.protocol, "rtspt")

    def test_before_the_start(self) -> None:
        """Devices that are known before the recorder starts are listened to from its start on."""
        events = self.make()
        events.change("front", FRONT)
        self.assertEqual((len(self.attempts), self.states()), (0, {"front": "0"}))
        events.startService()
        self.assertEqual(len(self.attempts), 1)

    def test_stopped(self) -> None:
        """Stopped, all sessions end and no timer is left."""
        self.events.change("front", FRONT)
        self.events.change("yard", YARD)
        self.attempts[0].play("1")
        self.attempts[1].play("0")
        self.successResultOf(self.events.stopService())
        self.assertFalse(any(attempt.session.is_open for attempt in self.attempts))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_several_devices(self) -> None:
        """Each has its own state and session; nonsense of one is no matter of another."""
        self.events.change("front", FRONT)
        self.events.change("back", replace(FRONT, id="back"))
        for attempt in self.attempts:
            attempt.play("0")
        unit = AccessUnit(0, 0, 0, True, b"VMD", MetadataFormat())
        self.attempts[0].deliver([unit])
        self.attempts[1].tell("1")
        self.assertEqual(self.states(), {"front": "0", "back": "1"})
        front, back = self.events.reports
        self.assertEqual((front.nonsense, back.nonsense), (1, 0))
        self.assertEqual((front.is_moving, back.is_moving), (False, True))
        self.assertEqual((front.notifications, back.notifications), (1, 2))


class LossTests(EventsCase):
    def setUp(self) -> None:
        super().setUp()
        self.events.change("front", FRONT)
        self.attempts[0].play("0", "1")

    def test_back_at_once(self) -> None:
        """A session that drops is opened again at once, and what moves goes on moving."""
        self.attempts[0].lost(Failure(ConnectionDone()))
        self.clock.advance(0)
        self.attempts[1].play("1")
        self.clock.advance(20)
        self.assertEqual(self.told[1:], [("front", "Changed", "1")])

    def test_gone_for_good(self) -> None:
        """A camera that is lost ends its motion, and is tried on and on."""
        self.attempts[0].lost(Failure(ConnectionDone()))
        for _ in range(20):
            if not self.attempts[-1].opened.called:
                self.attempts[-1].opened.errback(Failure(ConnectionDone()))
            self.clock.advance(LOST_SECONDS / 10)
        self.assertEqual(self.states(), {"front": "0"})
        self.assertGreater(len(self.attempts), 3)
        self.assertIn(("front", StreamState.PLAYING), self.connected)
        self.assertEqual(self.connected[-1][0], "front")
        self.assertIsNot(self.connected[-1][1], StreamState.PLAYING)
        (report,) = self.events.reports
        self.assertFalse(report.is_heard)

    def test_back_without_its_motion(self) -> None:
        """What is not told again five seconds after the reconnection is over."""
        self.attempts[0].lost(Failure(ConnectionDone()))
        self.clock.advance(0)
        self.attempts[1].opened.callback(self.attempts[1].session)
        self.clock.advance(CONFIRM_SECONDS - 0.5)
        self.assertEqual(self.states(), {"front": "1"})
        self.clock.advance(1)
        self.assertEqual(self.states(), {"front": "0"})


class RefusalTests(EventsCase):
    def setUp(self) -> None:
        super().setUp()
        self.events.change("front", FRONT)

    def test_wrong_credentials(self) -> None:
        """A camera is not hammered with an account that it refuses."""
        self.refuse(PeerRefused("DESCRIBE", 401, "Unauthorized"))
        self.assertIs(self.state(), StreamState.LOCKED_OUT)
        self.clock.pump([10.0] * 29)
        self.assertEqual(len(self.attempts), 1)
        self.flushLoggedErrors()

    def test_a_filter_that_is_refused(self) -> None:
        """A camera that does not take the filter is asked without it, in the same attempt."""
        self.refuse(PeerRefused("DESCRIBE", 400, "Bad Request"))
        self.assertNotIn("eventtopic", self.attempts[1].arguments)
        self.assertEqual(self.attempts[1].arguments["event"], ["on"])
        self.attempts[1].play("1")
        self.assertEqual(self.states(), {"front": "1"})

    def test_refused_altogether(self) -> None:
        """One that refuses events as such is asked again in a minute, not in a second."""
        self.refuse(PeerRefused("DESCRIBE", 400, "Bad Request"))
        self.refuse(PeerRefused("DESCRIBE", 400, "Bad Request"))
        self.assertIs(self.state(), StreamState.REFUSED)
        self.clock.pump([1.0] * 59)
        self.assertEqual(len(self.attempts), 2)

    def test_no_events(self) -> None:
        """So with one that has no such track."""
        self.refuse(MediaMissing("none of the tracks is wanted"))
        self.assertIs(self.state(), StreamState.REFUSED)
        self.clock.pump([1.0] * 59)
        self.assertEqual(len(self.attempts), 1)

    def test_no_session_left(self) -> None:
        """One that has no session left is not asked without the filter, but soon again."""
        self.refuse(PeerRefused("SETUP", 453, "Not Enough Bandwidth"))
        self.assertEqual(len(self.attempts), 1)
        self.clock.pump([1.0] * 12)
        self.assertEqual(len(self.attempts), 2)


class WebSocketTests(EventsCase):
    has_websocket = True

    def test_by_websocket(self) -> None:
        """A camera may be told to be asked over WebSocket, in TLS if its protocol has that."""
        cameras: list[tuple[dict[str, Any], str]] = [
            ({}, "ws://192.0.2.1:80"),
            ({"port": 554}, "ws://192.0.2.1:80"),
            ({"protocol": "rtsph", "port": 8080}, "ws://192.0.2.1:8080"),
            ({"protocol": "rtspsh"}, "wss://192.0.2.1:443"),
            ({"protocol": "rtsps"}, "wss://192.0.2.1:443"),
            ({"address": "2001:db8::1"}, "ws://[2001:db8::1]:80"),
        ]
        for options, url in cameras:
            camera = replace(FRONT, events_by="websocket", **options)
            self.events.change("front", camera)
            address = self.attempts[-1].plan.address
            self.assertEqual(address.url, url + WEBSOCKET)
            self.assertEqual(address.protocol, "rtspsh" if url.startswith("wss") else "rtsph")
            self.assertEqual(address.host, camera.address)

    def test_over_websocket_instead(self) -> None:
        """Refused over RTSP, or without a session left, a camera is asked over WebSocket."""
        for problem in (
            PeerRefused("SETUP", 453, "Not Enough Bandwidth"),
            MediaMissing("none of the tracks is wanted"),
        ):
            self.events.change("front", None)
            self.events.change("front", FRONT)
            self.refuse(problem)
            plan = self.attempts[-1].plan
            self.assertEqual(plan.address.url, "ws://192.0.2.1:80" + WEBSOCKET)
            self.assertEqual(plan.topics, MotionTopics(["vmd"]).filter)
            self.attempts[-1].play("1")
            self.assertEqual(self.states(), {"front": "1"})

    def test_not_over_websocket_either(self) -> None:
        """What counts then is what was said over RTSP; a wrong account is tried nowhere else."""
        self.events.change("front", replace(FRONT, password="x"))
        self.refuse(PeerRefused("SETUP", 453, "Not Enough Bandwidth"))
        self.refuse(ConnectError())
        self.assertIs(self.state(), StreamState.WAITING)
        (report,) = self.events.reports
        assert report.status is not None
        assert report.status.last_error is not None
        self.assertIn("453", report.status.last_error.words)
        count = len(self.attempts)
        self.clock.pump([1.0] * 12)
        self.refuse(PeerRefused("DESCRIBE", 401, "Unauthorized"))
        self.assertEqual(len(self.attempts), count + 1)
        self.flushLoggedErrors()


class WithVideoTests(EventsCase):
    config = EventsConfig(with_video=True)

    def setUp(self) -> None:
        super().setUp()
        self.events.change("front", FRONT)
        self.passenger = self.events.passenger("front")

    def bring(self, value: str) -> None:
        data = document(state(value=value))
        self.passenger.document_received(AccessUnit(2, 0, 0, True, data, MetadataFormat()))

    def test_with_the_pictures(self) -> None:
        """While a stream of pictures brings events no session is opened for them."""
        self.passenger.began()
        self.bring("1")
        self.assertEqual(self.states(), {"front": "1"})
        self.clock.pump([1.0] * 60)
        self.assertEqual(self.attempts, [])
        (report,) = self.events.reports
        self.assertEqual((report.status, report.is_heard), (None, True))

    def test_alone(self) -> None:
        """Without pictures it has a session of its own, until pictures come."""
        self.clock.advance(ALONE_SECONDS - 1)
        self.assertEqual(self.attempts, [])
        self.clock.advance(1)
        self.attempts[0].play("1")
        self.passenger.began()
        self.assertFalse(self.attempts[0].session.is_open)
        self.bring("1")
        self.clock.advance(60)
        self.assertEqual(self.states(), {"front": "1"})
        self.passenger.ended("the recording has ended")
        self.clock.advance(LOST_SECONDS)
        self.assertEqual(self.states(), {"front": "0"})
        self.clock.advance(ALONE_SECONDS - LOST_SECONDS)
        self.attempts[1].play("1")
        self.assertEqual(self.states(), {"front": "1"})

    def test_two_streams(self) -> None:
        """Two streams of one camera tell the same once; the last that goes ends it."""
        other = self.events.passenger("front")
        self.passenger.began()
        other.began()
        self.bring("1")
        self.passenger.ended("")
        self.clock.advance(60)
        self.assertEqual(self.states(), {"front": "1"})
        other.ended("")
        self.clock.advance(LOST_SECONDS)
        self.assertEqual(self.states(), {"front": "0"})

    def test_switched_off_and_on(self) -> None:
        """A stream that goes on while events are switched off and on is heard again."""
        self.passenger.began()
        self.bring("1")
        self.events.change("front", None)
        self.bring("0")
        self.assertEqual(self.states(), {})
        self.events.change("front", FRONT)
        self.bring("1")
        self.assertEqual(self.states(), {"front": "1"})
        self.passenger.ended("")
        self.events.change("front", None)
        self.passenger.ended("")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_asked_for(self) -> None:
        """An Axis camera is asked for events too, in its URL; of another the track is fetched."""
        plan = StreamPlan("front", camera_address(FRONT, "fps=25"))
        both = self.events.add_to(plan, FRONT)
        self.assertIn("?fps=25&event=on&eventtopic=onvif%3A", both.address.url)
        self.assertTrue(both.want_video and both.wants(TRACK))
        yard = StreamPlan("yard", camera_address(YARD, ""))
        self.assertEqual(self.events.add_to(yard, YARD), replace(yard, want_events=True))
        silent = replace(FRONT, events_with_video=False)
        self.assertEqual(self.events.add_to(plan, silent), plan)

    def test_pictures_come_first(self) -> None:
        """A camera that refuses both together is asked for pictures alone, in the same attempt."""
        plan = StreamPlan("front", camera_address(FRONT, "fps=25"))
        opener = events_opener(self.open)
        opener(self.events.add_to(plan, FRONT), lambda units: None, lambda reason: None)
        self.attempts[0].opened.errback(Failure(PeerRefused("DESCRIBE", 400, "Bad Request")))
        self.assertEqual(self.attempts[1].plan, plan)
        opening = opener(plan, lambda units: None, lambda reason: None)
        self.attempts[2].opened.errback(Failure(PeerRefused("DESCRIBE", 400, "Bad Request")))
        self.failureResultOf(opening, PeerRefused)
        self.assertEqual(len(self.attempts), 3)

    def test_as_a_camera_says(self) -> None:
        """What a camera says for itself comes before what is said for all."""
        self.assertFalse(self.events.with_video(replace(FRONT, events_with_video=False)))
        self.assertFalse(self.events.with_video(replace(FRONT, events=False)))
