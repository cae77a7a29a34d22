"""A recording that begins with what a pre-buffer held: in order, in bursts, within bounds."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, GapReason
from axis_nvr.services import recording_feed as module
from axis_nvr.services.recording_feed import BURST_GOPS, MAX_KEPT_GOPS, Allowance
from axis_nvr.services.recording_job import RecordingJob
from tests.services.recording_jobs import OUTAGE, START_US, VIDEO, closed, too_slow
from tests.services.recording_jobs import FakeRecording as Fake


class HeadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.set_up()

    def set_up(self) -> None:
        self.clock = Clock()
        self.buffer = GopBuffer(10_000)
        self.allowance = Allowance()
        self.opening: list[Deferred[Fake]] = []
        opened: object = self.open
        assert callable(opened)
        self.job = RecordingJob("front", self.buffer, opened, self.clock, self.allowance)
        self.seconds = 0

    def open(self) -> "Deferred[Fake]":
        self.opening.append(Deferred())
        return self.opening[-1]

    def opened(self) -> Fake:
        recording = Fake("one")
        self.opening[-1].callback(recording)
        return recording

    def push(self, gops: int, size: int = 100) -> None:
        """Close so many groups of one second (the first call opens one more)."""
        for _ in range(gops):
            at_us = START_US + self.seconds * 1_000_000
            self.buffer.push(AccessUnit(0, at_us, 0, True, bytes(size), VIDEO))
            self.seconds += 1

    def begin(self, held: int, size: int = 100) -> list[Gop]:
        """Begin with so many groups from the buffer."""
        self.push(held + 1, size)
        before = self.buffer.since(START_US)
        self.job.start(before)
        return before

    def test_before_what_comes(self) -> None:
        """The groups held come first, then what came while it opened, then the rest."""
        self.begin(3)
        self.push(2)
        recording = self.opened()
        self.push(1)
        self.assertEqual(recording.seconds, [0, 1, 2, 3, 4, 5])
        self.assertEqual(recording.gaps, [])

    def test_more_than_is_kept_for_a_disk(self) -> None:
        """However many groups were held, as many again are kept while the disk is not ready."""
        self.begin(50)
        self.push(MAX_KEPT_GOPS + 3)
        recording = self.opened()
        for _ in range(60):
            recording.acknowledge(min(5, len(recording.acknowledgements)))
        self.assertEqual(recording.seconds, list(range(50 + MAX_KEPT_GOPS)))
        (gap,) = recording.gaps
        self.assertEqual(gap.start_us, START_US + (50 + MAX_KEPT_GOPS) * 1_000_000)
        self.assertEqual(self.allowance.used_bytes, 0)

    def test_in_bursts(self) -> None:
        """The disk has a burst at a time; what comes meanwhile follows behind, with its gaps."""
        self.begin(3 * BURST_GOPS)
        recording = self.opened()
        self.assertEqual(len(recording.gops), BURST_GOPS)
        self.buffer.interrupt(OUTAGE)
        self.push(2)
        self.assertEqual(len(recording.gops), BURST_GOPS)
        for _ in range(3 * BURST_GOPS):
            recording.acknowledge()
        held = 3 * BURST_GOPS
        self.assertEqual(recording.seconds, list(range(held + 2)))
        self.assertEqual([gap.reason for gap in recording.gaps], [GapReason.DISCONNECTED])

    def test_bursts_are_bounded_in_bytes_too(self) -> None:
        """Large groups go a few at a time."""
        self.patch(module, "BURST_BYTES", 350)
        self.begin(10)
        recording = self.opened()
        self.assertEqual(len(recording.gops), 4)

    def test_a_disk_that_stays_behind(self) -> None:
        """When the bound is reached the disk is given everything, and refuses what it must."""
        self.begin(BURST_GOPS + 1)
        recording = self.opened()
        self.push(MAX_KEPT_GOPS)
        self.assertEqual(len(recording.gops), BURST_GOPS)
        self.push(1)
        self.assertEqual(recording.seconds, list(range(BURST_GOPS + 1 + MAX_KEPT_GOPS + 1)))

    def test_ended_at_once(self) -> None:
        """A recording that is to end while its head is on the way ends behind it."""
        self.begin(2 * BURST_GOPS)
        recording = self.opened()
        done = self.job.stop()
        self.assertIsNone(recording.closing)
        for _ in range(BURST_GOPS + 1):
            recording.acknowledge()
        self.assertEqual(recording.seconds, list(range(2 * BURST_GOPS + 1)))
        assert recording.closing is not None
        recording.closing.callback(None)
        self.successResultOf(done)

    def test_refused_on_the_way(self) -> None:
        """A refused group does not stop the others; a closed disk ends it, and a stop too."""
        self.begin(2 * BURST_GOPS)
        recording = self.opened()
        with_error = recording.acknowledgements.pop(0)
        with_error.errback(Failure(too_slow()))
        self.assertEqual(len(recording.gops), BURST_GOPS + 1)
        done = self.job.stop()
        recording.acknowledgements.pop(0).errback(Failure(closed()))
        assert recording.closing is not None
        recording.closing.callback(None)
        self.successResultOf(done)
        for left in recording.acknowledgements:
            left.errback(Failure(closed()))
        self.assertEqual(self.job.status.counts.dropped_gops, 2 * BURST_GOPS + 1)
        self.assertEqual(self.allowance.used_bytes, 0)

    def test_the_newest_within_the_allowance(self) -> None:
        """Where all recordings may keep no more, the oldest groups are left out, and noted."""
        self.allowance.limit_bytes = 350
        self.begin(6)
        recording = self.opened()
        self.assertEqual(recording.seconds, [3, 4, 5])
        (gap,) = recording.gaps
        self.assertEqual((gap.start_us, gap.end_us), (START_US, START_US + 3_000_000))
        self.assertEqual(gap.reason, GapReason.BUFFER_FULL)

    def test_from_a_key_frame_on(self) -> None:
        """What follows a group's lost beginning is not recorded, and is no failure of the disk."""
        self.buffer.push(AccessUnit(0, START_US, 0, True, b"I", VIDEO))
        self.buffer.flush()
        self.buffer.push(AccessUnit(0, START_US + 40_000, 0, False, b"P", VIDEO))
        self.job.start()
        recording = self.opened()
        self.seconds = 1
        self.push(2)
        self.assertEqual(recording.seconds, [1])
        self.assertEqual(self.job.status.counts.dropped_gops, 0)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.sampled_from(["push", "ack", "open"]), max_size=120), st.integers(0, 40))
    def test_whatever_the_order(self, steps: list[str], held: int) -> None:
        """Groups come and are acknowledged in any order: what is written is in order, once."""
        self.set_up()
        self.begin(held)
        recordings: list[Fake] = []
        for step in steps:
            if step == "open" and not recordings:
                recordings.append(self.opened())
            elif step == "push":
                self.push(1)
            elif step == "ack" and recordings and recordings[0].acknowledgements:
                recordings[0].acknowledge()
        for recording in recordings or [self.opened()]:
            while recording.acknowledgements:
                recording.acknowledge()
            written = recording.seconds
            self.assertEqual(written, sorted(set(written)))
            lost = self.job.status.counts.dropped_gops
            self.assertEqual(len(written) + lost, self.seconds - 1)
        self.assertEqual((self.job.status.under_way_gops, self.allowance.used_bytes), (0, 0))
