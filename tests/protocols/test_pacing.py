"""Datagrams in small bursts."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.protocols.pacing import BURST_BYTES, PERIOD_SECONDS, PacedSender

PACKET = bytes(1024)
IN_A_BURST = BURST_BYTES // len(PACKET)


class PacedSenderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sent: list[bytes] = []
        self.resumed: list[float] = []
        self.sender = PacedSender(
            self.clock, self.sent.append, lambda: self.resumed.append(self.clock.seconds())
        )

    def test_small_frames_go_at_once(self) -> None:
        """What fits a burst waits for nothing and leaves no timer."""
        self.assertTrue(self.sender.send([b"one", b"two"]))
        self.assertEqual(self.sent, [b"one", b"two"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_large_frame_goes_in_bursts(self) -> None:
        """In order, all of it, no more than a burst in each period; the next one is refused."""
        packets = [number.to_bytes(4, "big") + PACKET[4:] for number in range(3 * IN_A_BURST)]
        self.assertTrue(self.sender.send(packets))
        for bursts in (1, 2):
            self.assertEqual(len(self.sent), bursts * IN_A_BURST)
            self.assertFalse(self.sender.send([b"next"]))
            self.assertEqual(self.resumed, [])
            self.clock.advance(PERIOD_SECONDS)
        self.assertEqual(self.sent, packets)
        self.assertEqual(len(self.resumed), 1)

    def test_who_was_not_refused_is_not_called(self) -> None:
        """A frame that goes out slowly is nobody's business unless somebody came meanwhile."""
        self.sender.send([PACKET] * (2 * IN_A_BURST))
        self.clock.advance(PERIOD_SECONDS)
        self.assertEqual((len(self.sent), self.resumed), (2 * IN_A_BURST, []))

    def test_silence_saves_up_one_burst(self) -> None:
        """And no more than one."""
        self.sender.send([PACKET] * IN_A_BURST)
        self.clock.advance(60.0)
        self.sender.send([PACKET] * (2 * IN_A_BURST))
        self.assertEqual(len(self.sent), 2 * IN_A_BURST)

    def test_what_needs_more_gets_more(self) -> None:
        """A stream of ten times the first rate is soon sent in time, and stays so."""
        frame = [PACKET] * (IN_A_BURST * 10)
        waiting, late = 0, []
        for number in range(600):
            waiting += 1
            while waiting and self.sender.send(frame):
                waiting -= 1
            if number >= 500:
                late.append(waiting)
            self.clock.advance(PERIOD_SECONDS)
        self.assertLessEqual(max(late), 1)

    def test_a_start_does_not_need_more(self) -> None:
        """What a viewer of 4 Mbit/s begins with, a megabyte at once, is sent at the first rate."""
        frames = [[PACKET] * 16 for _ in range(60)]
        while frames:
            if self.sender.send(frames[0]):
                frames.pop(0)
            else:
                self.clock.advance(PERIOD_SECONDS)
        self.assertEqual(self.sender.burst_bytes, BURST_BYTES)
        for _ in range(100):  # and then a picture each 33 ms
            self.clock.advance(0.033)
            self.assertTrue(self.sender.send([PACKET] * 16))
        self.assertEqual(self.sender.burst_bytes, BURST_BYTES)

    def test_closed(self) -> None:
        """Nothing is sent any more."""
        self.sender.send([PACKET] * (3 * IN_A_BURST))
        self.sender.close()
        self.clock.advance(60.0)
        self.assertEqual((len(self.sent), self.clock.getDelayedCalls()), (IN_A_BURST, []))
