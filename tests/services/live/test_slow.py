"""Viewers that do not keep up."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.live.viewer import MAX_LAG_US
from tests.services.live.harness import H264, PICTURE_US, Client, Recorder, timestamps

#: Pictures within the lag that is allowed.
LAG_PICTURES = MAX_LAG_US // PICTURE_US


class SlowViewerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.recorder = Recorder()
        self.stream = self.recorder.record("device=front")
        self.addCleanup(self.recorder.end)

    def watch(self) -> Client:
        client = self.recorder.connect()
        client.play("device=front")
        client.read()
        return client

    def test_a_short_stop_costs_nothing(self) -> None:
        """What came meanwhile is sent, in order, all of it."""
        sent = self.stream.group(1)
        client = self.watch()
        client.protocol.pauseProducing()
        sent += self.stream.group(LAG_PICTURES - 5)
        self.assertEqual(len(client.pictures()), 1)
        client.protocol.resumeProducing()
        sent.append(self.stream.picture())
        self.assertEqual(client.pictures(), sent)

    def test_who_lags_misses_whole_groups(self) -> None:
        """It goes on with a key frame, no number is missing, and others miss nothing."""
        sent = self.stream.group(1)
        slow, other = self.watch(), self.watch()
        slow.protocol.pauseProducing()
        for _ in range(20):
            sent += self.stream.group(50)
        slow.protocol.resumeProducing()
        received = slow.pictures()
        after = received[1:]
        self.assertEqual(after, sent[-len(after) :])
        self.assertEqual(sent.index(after[0]) % 50, 1)  # the first of a group
        self.assertLessEqual(len(after), 2 + LAG_PICTURES)
        numbers = [packet.sequence_number for packet in slow.packets()]
        self.assertEqual(numbers, [(numbers[0] + n) & 0xFFFF for n in range(len(numbers))])
        self.assertEqual(other.pictures(), sent)
        times = timestamps(other.packets())
        self.assertEqual(len(times), len(sent))

    def test_what_waits_is_bounded(self) -> None:
        """Long groups too: without a key frame in reach nothing waits but the next one."""
        self.stream.group(1)
        slow = self.watch()
        slow.protocol.pauseProducing()
        for _ in range(5 * LAG_PICTURES):
            self.stream.picture()
        slow.protocol.resumeProducing()
        slow.pictures()
        held = len(slow.pictures())
        self.stream.picture()
        self.assertEqual(len(slow.pictures()), held)
        sent = self.stream.group(2)
        self.assertEqual(slow.pictures()[-2:], sent)

    def test_a_slow_start(self) -> None:
        """A group that is longer than the lag allowed is sent to who begins with it."""
        sent = self.stream.group(2 * LAG_PICTURES)
        client = self.recorder.connect()
        client.set_up("device=front")
        client.transport.clear()
        client.protocol.pauseProducing()
        client.request_only("PLAY", client.url("device=front"))
        sent.append(self.stream.picture())
        client.protocol.resumeProducing()
        client.read()
        self.assertEqual(client.slices(), [*H264.parameter_sets, *sent])
