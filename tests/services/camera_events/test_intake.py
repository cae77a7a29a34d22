"""Documents that come faster than they can be afforded."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.camera_events.intake import (
    BURST_DOCUMENTS,
    DOCUMENTS_PER_SECOND,
    MAX_WAITING,
    MAX_WAITING_BYTES,
    Intake,
    event_of,
)
from axis_nvr.vapix.websocket.event_messages import notify
from axis_nvr.wire.notification import Operation
from tests.services.camera_events.documents import BY_HAND, NOW_US, VMD_FIRST, document, state

AREA = "tns1:RuleEngine/tnsaxis:VideoMotionDetection/motion"


def area(number: int, value: str) -> bytes:
    return document(state(AREA, value, source=(("areaid", str(number)),)))


class EventTests(SynchronousTestCase):
    def test_the_same_event(self) -> None:
        """Time, operation and data tell no event from another; topic and source do."""
        at_first = document(state(operation=Operation.INITIALIZED, utc_us=NOW_US - 5))
        self.assertEqual(event_of(at_first), event_of(document(state(value="0"))))
        self.assertNotEqual(event_of(document(state(VMD_FIRST))), event_of(document(state())))
        self.assertNotEqual(event_of(area(1, "1")), event_of(area(2, "1")))

    def test_messages(self) -> None:
        """The same of messages that come by WebSocket."""
        told = state(source=(("a", "1"),))
        first, again = notify(told), notify(told._replace(utc_us=NOW_US + 1_000_000, data=()))
        self.assertEqual(event_of(first.encode()), event_of(again.encode()))
        other = notify(state(source=(("a", "2"),))).encode()
        self.assertNotEqual(event_of(first.encode()), event_of(other))
        turned = b'{"data": {}, "source": {}}'
        self.assertEqual(event_of(turned), turned)

    def test_what_stands_for_itself(self) -> None:
        """Two events in one document, data before the source, or no data: like nothing else."""
        two = document(state(), state(VMD_FIRST))
        turned = BY_HAND.replace(b"<tt:Source></tt:Source>", b"").replace(
            b"</tt:Data>", b"</tt:Data><tt:Source/>"
        )
        for data in (two, turned, b"<a/>", b""):
            self.assertEqual(event_of(data), data)


class IntakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.taken: list[bytes] = []
        self.intake = Intake(self.taken.append, self.clock)

    def test_the_usual_case(self) -> None:
        """A few events a second are handed on at once, and no timer runs."""
        for second in range(60):
            self.intake.push(area(second, "1"))
            self.assertEqual(len(self.taken), second + 1)
            self.clock.advance(0.2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_flood_of_few_events(self) -> None:
        """Ten thousand a second: few are read, each event ends in its last state, in order."""
        for count in range(10_000):
            self.intake.push(area(count % 4, str(count // 4 % 2)))
            if count % 100 == 99:
                self.clock.advance(0.01)
        self.assertLess(len(self.taken), BURST_DOCUMENTS + 2 * DOCUMENTS_PER_SECOND)
        for number in range(4):
            self.intake.push(area(number, "0"))
        self.clock.pump([0.1] * 5)
        last = {event_of(data): data for data in self.taken}
        self.assertEqual(set(last.values()), {area(number, "0") for number in range(4)})
        self.assertEqual(self.intake.dropped, 0)
        self.assertEqual(len(self.taken) + self.intake.coalesced, 10_004)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_flood_of_many_events(self) -> None:
        """What is always new is given up, oldest first, and counted."""
        for number in range(BURST_DOCUMENTS + MAX_WAITING + 100):
            self.intake.push(area(number, "1"))
        self.assertGreater(self.intake.dropped, 0)
        waiting = BURST_DOCUMENTS + MAX_WAITING + 100 - len(self.taken) - self.intake.dropped
        self.assertEqual(waiting, MAX_WAITING)
        self.clock.pump([0.1] * 30)
        self.assertEqual(self.taken[-1], area(BURST_DOCUMENTS + MAX_WAITING + 99, "1"))

    def test_large_documents(self) -> None:
        """They cost by their size, and what waits of them is bounded in bytes."""
        large = [bytes([number]) * (MAX_WAITING_BYTES // 3) for number in range(20)]
        for data in large:
            self.intake.push(data)
        at_once = len(self.taken)
        self.assertLess(at_once, 8)
        self.assertEqual(self.intake.dropped, len(large) - at_once - 3)

    def test_cleared(self) -> None:
        """What waits can be forgotten, and its timer with it."""
        for number in range(BURST_DOCUMENTS + 10):
            self.intake.push(area(number, "1"))
        self.intake.clear()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        count = len(self.taken)
        self.clock.advance(10)
        self.intake.push(area(0, "0"))
        self.assertEqual(len(self.taken), count + 1)

    def test_cleared_while_taking(self) -> None:
        """Who takes a document may clear the rest."""
        for number in range(BURST_DOCUMENTS + 10):
            self.intake.push(area(number, "1"))
        self.intake._take = lambda data: self.intake.clear()
        self.clock.advance(1.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
