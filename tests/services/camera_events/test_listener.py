"""What is heard of one camera, over sessions that come and go."""

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, MetadataFormat
from axis_nvr.services.camera_events.listener import (
    CONFIRM_SECONDS,
    LOST_SECONDS,
    CameraListener,
    EventSession,
)
from axis_nvr.services.camera_events.motion_topics import MotionTopics
from axis_nvr.vapix.websocket.event_messages import notify
from axis_nvr.wire.notification import EMPTY_DOCUMENT, MAX_DOCUMENT_BYTES, Operation
from tests.services.camera_events.documents import NOW_US, VMD_FIRST, document, state

INITIALIZED = Operation.INITIALIZED
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE tt:MetadataStream [<!ENTITY a "VMD">'
    b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b'<tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema">&b;</tt:MetadataStream>'
)


class ListenerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.start = self.clock.seconds()
        self.told: list[tuple[bool, int]] = []
        self.listener = CameraListener(
            "front",
            MotionTopics(["vmd"]),
            lambda active, utc_us: self.told.append((active, utc_us)),
            self.clock,
            self.utc_us,
        )
        self.session = self.listener.session()
        self.session.began()

    def utc_us(self) -> int:
        return NOW_US + int(self.clock.seconds() * 1e6)

    def push(self, *documents: bytes, session: EventSession | None = None) -> None:
        for data in documents:
            unit = AccessUnit(2, 0, 0, True, data, MetadataFormat())
            (session or self.session).document_received(unit)

    def moves(self) -> list[bool]:
        return [active for active, _ in self.told]


class MotionTests(ListenerCase):
    def test_told_at_once(self) -> None:
        """Motion is told within the call that brings the document, with the camera's time."""
        self.push(EMPTY_DOCUMENT, document(state(value="0", operation=INITIALIZED)))
        self.assertEqual(self.told, [])
        self.push(document(state(utc_us=NOW_US - 40_000)))
        self.push(document(state(VMD_FIRST)), document(state()))
        self.push(document(state(value="0")))
        self.assertEqual(self.told, [(True, NOW_US - 40_000)])
        self.push(document(state(VMD_FIRST, "0", utc_us=NOW_US + 900_000)))
        self.assertEqual(self.told[1:], [(False, NOW_US + 900_000)])

    def test_active_when_the_session_begins(self) -> None:
        """What moves already counts from now on, however long ago it began."""
        self.push(document(state(operation=INITIALIZED, utc_us=NOW_US - 3_600_000_000)))
        self.assertEqual(self.told, [(True, NOW_US)])
        self.push(document(state(operation=INITIALIZED, utc_us=NOW_US)))
        self.assertEqual(len(self.told), 1, "repeated, it is no edge")

    def test_changed_without_having_been_told(self) -> None:
        """A change of what is unknown is as good as its beginning."""
        self.push(document(state()))
        self.assertEqual(self.moves(), [True])

    def test_clocks(self) -> None:
        """A camera's clock that is far off is not believed, and time never goes back."""
        self.push(document(state(utc_us=NOW_US + 61_000_000)))
        self.assertEqual(self.told, [(True, NOW_US)])
        self.push(document(state(value="0", utc_us=0)))
        self.push(document(state(utc_us=NOW_US + 30_000_000)))
        self.push(document(state(value="0", utc_us=NOW_US + 20_000_000)))
        self.assertEqual(
            [utc_us - NOW_US for _, utc_us in self.told], [0, 0, 30_000_000] * 1 + [30_000_000]
        )

    def test_several_in_one_document(self) -> None:
        """All notifications of a document count, in their order."""
        self.push(document(state(), state(value="0"), state()))
        self.assertEqual(self.moves(), [True, False, True])
        self.assertEqual(self.listener.notifications, 3)


class MessageTests(ListenerCase):
    """Events that come by WebSocket."""

    def tell(self, value: str, utc_us: int) -> None:
        self.push(notify(state(value=value, operation=None, utc_us=utc_us)).encode())

    def test_states_and_changes(self) -> None:
        """Nobody says what is new: what comes at the beginning counts from now on."""
        self.tell("0", NOW_US - 50_000_000)
        self.tell("1", NOW_US - 40_000_000)
        self.assertEqual(self.told, [(True, NOW_US)])
        self.clock.advance(CONFIRM_SECONDS)
        self.tell("0", NOW_US + 4_000_000)
        self.assertEqual(self.told[1:], [(False, NOW_US + 4_000_000)])

    def test_nonsense(self) -> None:
        """Messages that make no sense are counted; those about other things are not read."""
        for data in (b'{"VMD', b'{"VMD": 1, "method": "events:notify"}', b"[VMD]"):
            self.push(data)
        self.push(b'{"something": "else"}')
        self.assertEqual((self.listener.nonsense, self.told), (3, []))


class SessionTests(ListenerCase):
    def test_reconnected(self) -> None:
        """Motion goes on over a reconnection if it is told again; a short loss is no end."""
        self.push(document(state()))
        self.session.ended("gone")
        self.clock.advance(LOST_SECONDS - 1)
        self.session.began()
        self.push(document(state(operation=INITIALIZED)))
        self.clock.advance(60)
        self.assertEqual(self.moves(), [True])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_told_again(self) -> None:
        """What a session has not told after five seconds is gone."""
        self.push(document(state()))
        self.session.ended("gone")
        self.session.began()
        self.push(document(state(VMD_FIRST, "0", INITIALIZED)))
        self.clock.advance(CONFIRM_SECONDS - 0.1)
        self.assertEqual(self.moves(), [True])
        self.clock.advance(0.2)
        self.assertEqual(self.moves(), [True, False])
        self.assertEqual(self.listener.states, 1)

    def test_lost(self) -> None:
        """A camera that stays away ends its motion, and that is said."""
        self.push(document(state()))
        with capturedLogs() as logs:
            self.session.ended("it was cut off")
            self.session.ended("and cannot be reached")
            self.clock.advance(LOST_SECONDS - 0.1)
            self.assertEqual(self.moves(), [True])
            self.clock.advance(0.2)
        self.assertEqual(self.told[1:], [(False, self.utc_us())])
        self.assertEqual([e["words"] for e in logs if "words" in e], ["it was cut off"])
        self.assertEqual(self.listener.states, 0)

    def test_documents_before_the_session(self) -> None:
        """Documents that come along with the answer to PLAY belong to the session."""
        self.push(document(state()))
        self.session.ended("gone")
        self.push(document(state(operation=INITIALIZED)))
        self.session.began()
        self.clock.advance(60)
        self.assertEqual(self.moves(), [True])

    def test_two_sessions(self) -> None:
        """Told by two sessions it is told once; it is lost with the last of them."""
        changes: list[bool] = []
        self.listener.sessions_changed = lambda: changes.append(self.listener.is_heard)
        other = self.listener.session()
        self.push(document(state()))
        other.began()
        self.push(document(state(operation=INITIALIZED)), session=other)
        self.session.ended("gone")
        self.clock.advance(60)
        self.assertEqual((self.moves(), changes), ([True], []))
        other.ended("gone")
        self.clock.advance(60)
        self.assertEqual((self.moves(), changes), ([True, False], [False]))

    def test_stopped(self) -> None:
        """Stopped, nothing is told any more and nothing is left to happen."""
        self.push(*(document(state(value=str(count % 2))) for count in range(500)))
        count = len(self.told)
        self.listener.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.told), count)


class NonsenseTests(ListenerCase):
    def test_counted(self) -> None:
        """Whatever makes no sense is counted, told once in a while, and harms nothing."""
        good = document(state())
        nonsense = [
            b"VMD",
            b"",
            b"   ",
            bytes(range(256)),
            good[: len(good) // 2],
            good[:-9],
            EMPTY_DOCUMENT[:-2],
            BOMB,
            b"<html><body>VMD</body></html>",
            good.replace(b"<tt:Event>", b"<tt:Event>" + b"<a>" * 100 + b"</a>" * 100),
            good.replace(b"<tt:Event>", b"<tt:Event>" + b" " * MAX_DOCUMENT_BYTES),
            b"<tt:MetadataStream>" * 200_000 + b"VMD",
        ]
        with capturedLogs() as logs:
            for count, data in enumerate(nonsense, 1):
                self.push(data)
                self.assertEqual(self.listener.nonsense, count, data[:80])
                self.clock.advance(20)
        self.assertEqual(self.told, [])
        warnings = [event for event in logs if event["log_level"] is LogLevel.warn]
        self.assertEqual(len(warnings), 1)
        self.push(good)
        self.assertEqual(self.moves(), [True])

    def test_a_flood(self) -> None:
        """Ten thousand events in a second end in the last state, and few of them are told."""
        for count in range(10_000):
            self.push(document(state(value=str(count % 2))))
            if count % 100 == 99:
                self.clock.advance(0.01)
        self.push(document(state(value="0")))
        self.clock.pump([0.1] * 5)
        self.assertFalse(self.listener.is_moving)
        self.assertLess(len(self.told), 1000)
        self.assertGreater(self.listener.passed_over, 9_000)

    def test_a_bug_of_ours(self) -> None:
        """What is raised while a document is dealt with ends no session, and is in the log."""
        self.listener._told = lambda active, utc_us: 1 / 0  # type: ignore[assignment]
        self.push(document(state()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.push(document(state(value="0")))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
