"""A continuous recording: opened, fed, kept going, given up and begun again, ended."""

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.units import AccessUnit, Gap, GapReason
from axis_nvr.services.recording_feed import MAX_KEPT_GOPS, Allowance, RecordingSink
from axis_nvr.services.recording_job import RecordingJob
from tests.services.recording_jobs import (
    OUTAGE,
    START_US,
    VIDEO,
    FakeRecording,
    Heard,
    closed,
    no_disk,
    too_slow,
)


class JobTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.buffer = GopBuffer()
        self.allowance = Allowance()
        self.opening: list[Deferred[RecordingSink]] = []
        self.job = RecordingJob("front", self.buffer, self.open, self.clock, self.allowance)
        self.seconds = 0

    def open(self) -> Deferred[RecordingSink]:
        self.opening.append(Deferred())
        return self.opening[-1]

    def opened(self, recording_id: str = "one") -> FakeRecording:
        """Let the recording open that was asked for last."""
        recording = FakeRecording(recording_id)
        self.opening[-1].callback(recording)
        return recording

    def push(self, gops: int = 1, size: int = 100) -> None:
        """Close so many groups of one second (the first call opens one more)."""
        for _ in range(gops):
            at_us = START_US + self.seconds * 1_000_000
            self.buffer.push(AccessUnit(0, at_us, 0, True, bytes(size), VIDEO))
            self.seconds += 1

    def started(self) -> FakeRecording:
        self.job.start()
        recording = self.opened()
        self.push()
        return recording

    def test_who_observes_hears_of_each_recording(self) -> None:
        """When it is opened, and when it is whole or given up; never of one that did not open."""
        heard = Heard()
        self.job = RecordingJob("front", self.buffer, self.open, self.clock, self.allowance, heard)
        self.job.start()
        self.opening[-1].errback(no_disk())
        self.assertEqual(heard.told, [])
        self.clock.advance(1.0)
        one = self.opened("one")
        self.push(2)
        one.acknowledgements.pop().errback(closed())
        self.assertEqual(heard.told, ["one began"])
        assert one.closing is not None
        one.closing.errback(closed())
        self.assertEqual(heard.told, ["one began", "one ended"])
        self.clock.advance(2.0)
        two = self.opened("two")
        stopped = self.job.stop()
        self.assertEqual(heard.told[2:], ["two began"])
        two.acknowledge(len(two.acknowledgements))
        assert two.closing is not None
        two.closing.callback(None)
        self.assertEqual(heard.told[2:], ["two began", "two ended"])
        self.successResultOf(stopped)

    def test_groups_are_written_as_they_close(self) -> None:
        """Each closed group is written once, in order, and counted when it is durable."""
        recording = self.started()
        self.push(2)
        self.assertEqual(recording.seconds, [0, 1])
        status = self.job.status
        self.assertEqual((status.under_way_gops, status.under_way_bytes), (2, 200))
        recording.acknowledge(2)
        status = self.job.status
        self.assertEqual((status.state, status.recording_id), ("recording", "one"))
        self.assertEqual((status.counts.written_gops, status.counts.written_bytes), (2, 200))
        self.assertEqual(status.counts.last_end_us, START_US + 2_000_000)
        self.assertEqual((status.under_way_gops, status.under_way_bytes), (0, 0))
        self.assertEqual(self.allowance.used_bytes, 0)

    def test_gaps_of_groups_are_counted(self) -> None:
        """Packets lost within a group count as a gap of the recording once it is durable."""
        recording = self.started()
        lost = Gap(START_US, START_US, GapReason.PACKETS_LOST, 3)
        self.buffer.push(AccessUnit(0, START_US + 1, 0, False, b"P", VIDEO, lost))
        self.push(1)
        self.assertEqual(recording.gops[0].gaps, [lost])
        recording.acknowledge()
        self.assertEqual(self.job.status.counts.gaps, 1)
        self.assertEqual(recording.gaps, [], "the group itself tells the disk")

    def test_what_comes_while_it_opens_is_kept(self) -> None:
        """Groups that close before the disk has opened the recording are its first ones."""
        self.job.start()
        self.push(1)
        self.buffer.interrupt(OUTAGE)
        self.push(3)
        recording = self.opened()
        self.assertEqual(recording.seconds, [0, 1, 2])
        self.assertEqual([gap.reason for gap in recording.gaps], [GapReason.DISCONNECTED])

    def test_a_reconnect_is_a_gap_in_the_same_recording(self) -> None:
        """The camera comes and goes; the recording stays one and notes the whole outage."""
        recording = self.started()
        self.buffer.interrupt(OUTAGE)
        self.buffer.interrupt(OUTAGE)
        self.assertEqual(recording.gaps, [], "how long it is, is not known yet")
        self.seconds = 30
        self.push(2)
        self.assertEqual(recording.gaps, [replace(OUTAGE, end_us=START_US + 30_000_000)])
        self.assertEqual(recording.seconds, [0, 30])
        self.assertEqual(len(self.opening), 1)

    def test_an_outage_that_does_not_end_is_noted_at_the_end(self) -> None:
        """A recording that ends while the camera is away says so."""
        recording = self.started()
        self.buffer.interrupt(OUTAGE)
        self.job.stop()
        self.assertEqual(recording.gaps, [OUTAGE])

    def test_what_the_disk_does_not_take(self) -> None:
        """A group that is refused is counted; the recording goes on, and notes the gap itself."""
        recording = self.started()
        with capturedLogs() as events:
            self.push(3)
            recording.acknowledgements.pop(0).errback(Failure(too_slow()))
            recording.acknowledgements.pop(0).errback(Failure(too_slow()))
            self.assertTrue(self.job.status.is_dropping)
            recording.acknowledge()
        self.assertFalse(self.job.status.is_dropping)
        self.push()
        self.assertEqual(recording.seconds, [0, 1, 2, 3])
        self.assertEqual(recording.gaps, [])
        status = self.job.status
        self.assertEqual((status.state, status.counts.dropped_gops), ("recording", 2))
        self.assertEqual((status.under_way_gops, status.under_way_bytes), (1, 100))
        self.assertEqual([event["log_level"] for event in events], [LogLevel.critical])
        self.assertIn("from 2023-11-14T22:13:20.000000Z on are lost", formatEvent(events[0]))

    def test_a_slow_disk_does_not_stall_another_recording(self) -> None:
        """Two jobs on a stream: one whose disk sleeps leaves the other alone."""
        self.started()
        fast = FakeRecording("two")
        other = RecordingJob("other", self.buffer, self.open, self.clock, self.allowance)
        other.start()
        self.opening[-1].callback(fast)
        for _ in range(20):
            self.push()
            fast.acknowledge()
        self.assertEqual(len(fast.gops), 20)

    def test_what_is_kept_for_a_disk_has_a_bound(self) -> None:
        """The first groups are kept, whole; the others are one gap of the recording that opens."""
        self.job.start()
        self.push(MAX_KEPT_GOPS + 4)
        self.assertTrue(self.job.status.is_dropping)
        recording = self.opened()
        self.assertEqual(recording.seconds, list(range(MAX_KEPT_GOPS)))
        first_lost_us = START_US + MAX_KEPT_GOPS * 1_000_000
        expected = Gap(first_lost_us, first_lost_us + 3_000_000, GapReason.FAILED_DISK)
        self.assertEqual(recording.gaps, [expected])
        self.assertEqual(self.allowance.used_bytes, 0)

    def test_all_recordings_share_an_allowance(self) -> None:
        """At the common bound a recording may still keep one group."""
        self.allowance.limit_bytes = 150
        self.job.start()
        self.push(4)
        self.assertEqual(self.allowance.used_bytes, 100)
        recording = self.opened()
        self.assertEqual(recording.seconds, [0])
        self.assertEqual(self.allowance.used_bytes, 0)

    def test_a_part_without_its_beginning_is_dropped_too(self) -> None:
        """After a dropped first part the parts that follow it are of no use."""
        self.job.start()
        self.push(MAX_KEPT_GOPS + 2)
        self.assertEqual(self.job.status.counts.dropped_gops, 1)
        self.buffer.flush()  # the rest of the open group follows as a part
        self.buffer.push(AccessUnit(0, START_US + 99_000_000, 0, False, b"P", VIDEO))
        self.buffer.flush()
        recording = self.opened()
        self.assertEqual(recording.seconds, list(range(MAX_KEPT_GOPS)))

    def test_a_closed_disk_is_waited_for(self) -> None:
        """The recording is given up, another one is begun, and nothing acknowledged is missing."""
        recording = self.started()
        self.push(2)
        recording.acknowledge()
        recording.acknowledgements.pop().errback(Failure(closed()))
        status = self.job.status
        self.assertEqual((status.state, status.failures), ("waiting", 1))
        self.assertTrue(status.last_error.endswith("/disk: the disk is closed"), status.last_error)
        self.assertIsNotNone(recording.closing)
        self.push(2)
        self.clock.advance(1.0)
        self.assertEqual(self.job.status.state, "opening")
        again = self.opened("two")
        self.push()
        (gap,) = again.gaps
        self.assertEqual((gap.start_us, gap.end_us), (START_US + 1_000_000, START_US + 2_000_000))
        self.assertEqual(gap.reason, GapReason.FAILED_DISK)
        self.assertEqual(again.seconds, [2, 3, 4], "what came while it was away was kept")
        self.assertEqual(self.job.status.recording_id, "two")
        self.assertEqual(self.allowance.used_bytes, 0)

    def test_what_a_lost_recording_noted_is_told_again(self) -> None:
        """Groups refused just before the disk was closed are a gap of the next recording."""
        recording = self.started()
        self.push(2)
        recording.acknowledgements.pop(0).errback(Failure(no_disk()))
        recording.acknowledgements.pop(0).errback(Failure(closed()))
        self.clock.advance(1.0)
        again = self.opened("two")
        expected = Gap(START_US, START_US + 2_000_000, GapReason.FAILED_DISK)
        self.assertEqual(again.gaps, [expected])

    def test_waits_double(self) -> None:
        """A disk that stays away is asked less and less often, at last each minute."""
        self.job.start()
        waits = []
        for _ in range(9):
            self.opening[-1].errback(Failure(no_disk()))
            asked = len(self.opening)
            waited = 0.0
            while len(self.opening) == asked:
                self.clock.advance(0.5)
                waited += 0.5
            waits.append(waited)
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_a_disk_that_takes_nothing_is_asked_less_and_less(self) -> None:
        """A recording that opens and cannot be written to does not shorten the wait."""
        self.job.start()
        waits = []
        for number in range(4):
            recording = self.opened(str(number))
            self.push(2)
            recording.acknowledgements[0].errback(Failure(closed()))
            asked, waited = len(self.opening), 0.0
            while len(self.opening) == asked:
                self.clock.advance(0.5)
                waited += 0.5
            waits.append(waited)
        self.assertEqual(waits, [1, 2, 4, 8])
        recording = self.opened("well again")
        self.push(3)
        recording.acknowledge()
        recording.acknowledgements[0].errback(Failure(closed()))
        self.clock.advance(1.0)
        self.assertEqual(self.job.status.state, "opening")

    def test_the_last_pictures_are_recorded(self) -> None:
        """A stop hands on the open group, ends the recording, and is done when that is."""
        recording = self.started()
        self.push(1)
        done = self.job.stop()
        self.assertEqual(recording.seconds, [0, 1])
        self.assertNoResult(done)
        self.assertEqual(self.job.status.state, "closing")
        assert recording.closing is not None
        recording.closing.callback(None)
        self.successResultOf(done)
        self.assertEqual(self.job.status.state, "idle")
        self.assertEqual(self.buffer.consumers, ())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_while_opening(self) -> None:
        """The recording that opens late is ended, with what came meanwhile."""
        self.job.start()
        self.push(2)
        done = self.job.stop()
        recording = self.opened()
        self.assertEqual(recording.seconds, [0, 1])
        assert recording.closing is not None
        recording.closing.callback(None)
        self.successResultOf(done)

    def test_stopped_while_a_disk_is_away(self) -> None:
        """Nothing is waited for, nothing is left behind."""
        self.job.start()
        self.opening[-1].errback(Failure(no_disk()))
        self.successResultOf(self.job.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(self.job.stop())

    def test_stopped_while_opening_fails(self) -> None:
        """A failure after the stop ends it."""
        self.job.start()
        done = self.job.stop()
        self.opening[-1].errback(Failure(no_disk()))
        self.successResultOf(done)

    def test_an_end_that_fails_is_an_end(self) -> None:
        """A recording that cannot be ended well is told in the log, and the stop is done."""
        recording = self.started()
        done = self.job.stop()
        assert recording.closing is not None
        recording.closing.errback(Failure(no_disk()))
        self.successResultOf(done)
        self.assertIn("no such folder", self.job.status.last_error)
