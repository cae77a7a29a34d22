"""The disk as the reactor sees it: Deferreds, states, a queue that fills."""

import errno

from twisted.internet.defer import CancelledError

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.disk_health import MAX_FAILED_BATCHES
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.queue import MAX_RECORDING_GOPS
from axis_nvr.storage.rest import FIRST_REST_SECONDS
from axis_nvr.storage.trial import TRIAL_NAME
from tests.storage.disk_case import DiskCase
from tests.storage.making import DETAILS, START_US, video_gop

SECOND = 1_000_000


class RecordingTests(DiskCase):
    def test_acknowledged_once_it_is_durable(self) -> None:
        """A group's Deferred waits for the batch, and fires when the index has its block."""
        self.successResultOf(self.started)
        recording = self.open()
        self.assertTrue(recording.recording_id.startswith("20240506_070809_A000"))
        written = recording.write(video_gop(START_US))
        self.assertNoResult(written)
        self.batch()
        self.assertIsNone(self.successResultOf(written))
        self.assertEqual(self.files.count("sync", ".mkv"), 1)
        status = self.disk.status()
        self.assertEqual((status.written_gops, status.recordings), (1, 1))
        self.assertGreater(status.free_bytes, 0)

    def test_the_name_may_be_earlier_than_now(self) -> None:
        """A recording with a pre-buffer is called after its first picture."""
        opened = self.disk.open_recording(DETAILS, start_us=START_US - 10 * SECOND)
        self.batch()
        recording = self.successResultOf(opened)
        self.assertTrue(recording.recording_id.startswith("20240506_070759"))

    def test_a_failure_is_told(self) -> None:
        """The group's Deferred fails, the disk says how it is, and is well again after a write."""
        recording = self.open()
        self.files.fail("writev", ".mkv")
        written = recording.write(video_gop(START_US))
        self.batch()
        error = self.failureResultOf(written, StorageError).value
        self.assertEqual(error.kind, StorageErrorKind.FULL)
        self.assertEqual(self.disk.state, DiskState.FULL)
        status = self.disk.status()
        self.assertEqual((status.failed_gops, status.state), (1, DiskState.FULL))
        self.assertIn("No space left", status.last_error)
        self.seconds += FIRST_REST_SECONDS
        again = recording.write(video_gop(START_US + 2 * SECOND))
        self.batch()
        self.successResultOf(again)
        self.assertEqual(self.states, [DiskState.OK, DiskState.FULL, DiskState.OK])

    def test_tried_out(self) -> None:
        """A full disk that nobody writes to any more is found well again, and nothing is left."""
        recording = self.open()
        self.files.fail("writev", ".mkv")
        recording.write(video_gop(START_US)).addErrback(lambda failure: None)
        self.batch()
        self.assertEqual(self.disk.state, DiskState.FULL)
        for errors, state in ((1, DiskState.FULL), (0, DiskState.OK)):
            if errors:
                self.files.fail("writev", TRIAL_NAME)
            tried = self.disk.try_out()
            self.batch()
            self.assertIsNone(self.successResultOf(tried))
            self.assertIs(self.disk.state, state)
            self.assertFalse((self.folder / TRIAL_NAME).exists())
        self.assertIsNone(self.disk._health.refusal(), "groups are taken at once again")

    def test_tried_out_again_and_again(self) -> None:
        """A disk that fails each trial is closed and opened again, as by groups that fail."""
        for number in range(MAX_FAILED_BATCHES):
            self.assertEqual(self.times_broken, 0, number)
            self.files.fail("sync", TRIAL_NAME, error=lambda: OSError(errno.EIO, "error"))
            self.disk.try_out()
            self.batch()
        self.assertEqual((self.disk.state, self.times_broken), (DiskState.FAILED, 1))
        self.disk.stop()
        self.successResultOf(self.disk.try_out())

    def test_a_bug_does_not_end_the_thread(self) -> None:
        """What nobody foresaw fails the batch, is logged, and the next batch is written."""
        recording = self.open()
        self.files.fail("writev", ".mkv", error=lambda: ZeroDivisionError("a bug"))
        written = recording.write(video_gop(START_US))
        self.batch()
        self.failureResultOf(written, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        again = recording.write(video_gop(START_US + 2 * SECOND))
        self.batch()
        self.successResultOf(again)

    def test_cancelling_takes_nothing_back(self) -> None:
        """A cancelled Deferred stays silent; the group is written all the same."""
        recording = self.open()
        written = recording.write(video_gop(START_US))
        written.cancel()
        self.failureResultOf(written, CancelledError)
        self.batch()
        self.assertEqual(self.disk.status().written_gops, 1)

    def test_closing(self) -> None:
        """It goes behind what was given; each caller is told; nothing can be added."""
        recording = self.open()
        written = recording.write(video_gop(START_US))
        first, second = recording.close(), recording.close()
        self.batch()
        for outcome in (written, first, second, recording.close()):
            self.assertIsNone(self.successResultOf(outcome))
        self.failureResultOf(recording.write(video_gop(START_US)), StorageError)
        self.assertEqual(self.disk.status().recordings, 0)

    def test_a_gap(self) -> None:
        """A lost connection leaves a record."""
        recording = self.open()
        recording.write(video_gop(START_US))
        gap = Gap(START_US, START_US + 5, GapReason.DISCONNECTED, detail="timeout")
        recording.note_gap(gap)
        recording.close()
        self.batch()
        self.assertEqual(self.gaps(recording.recording_id), [gap])


class SlowDiskTests(DiskCase):
    def test_whole_groups_are_dropped(self) -> None:
        """Over the limit the newest group goes, with all its parts, and leaves a gap."""
        recording = self.open()
        taken = [
            recording.write(video_gop(START_US + at * 2 * SECOND))
            for at in range(MAX_RECORDING_GOPS)
        ]
        late_us = START_US + MAX_RECORDING_GOPS * 2 * SECOND
        dropped = video_gop(late_us)
        self.failureResultOf(recording.write(dropped), StorageError)
        self.assertEqual(self.disk.status().queued_gops, MAX_RECORDING_GOPS)
        self.batch()
        for outcome in taken:
            self.successResultOf(outcome)
        part = video_gop(late_us + 2 * SECOND, starts_at_sync=False)
        self.failureResultOf(recording.write(part), StorageError)
        recording.write(video_gop(late_us + 4 * SECOND))
        recording.close()
        self.batch()
        expected = Gap(late_us, late_us + 4 * SECOND, GapReason.SLOW_DISK)
        self.assertEqual(self.gaps(recording.recording_id), [expected])
        self.assertEqual((recording.dropped_gops, self.disk.status().dropped_gops), (2, 2))

    def test_a_gap_at_the_end(self) -> None:
        """What was dropped last is told when the recording is closed."""
        recording = self.open()
        for at in range(MAX_RECORDING_GOPS + 1):
            recording.write(video_gop(START_US + at * 2 * SECOND)).addErrback(lambda f: None)
        recording.close()
        self.batch()
        (gap,) = self.gaps(recording.recording_id)
        self.assertEqual(gap.reason, GapReason.SLOW_DISK)
