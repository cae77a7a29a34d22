"""The disk as the reactor sees it: Deferreds, states, a queue that fills."""

import errno
from collections.abc import Callable
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.queue import MAX_RECORDING_GOPS
from axis_nvr.storage.running_recording import Recording
from tests.storage.making import DETAILS, SERIAL, START_US, Digits, FailingFiles, video_gop

SECOND = 1_000_000


class Inline:
    """A reactor that calls at once what another thread asks it to."""

    def callFromThread(self, f: Callable[..., object], *args: object) -> None:  # noqa: N802
        f(*args)


class DiskCase(SynchronousTestCase):
    """The writer thread is called by hand: `batch` does what it would do."""

    def setUp(self) -> None:
        self.files = FailingFiles()
        self.folder = Path(self.mktemp()) / "HDD_DISK"
        self.states: list[DiskState] = []
        self.disk = Disk(
            "HDD_DISK",
            self.folder,
            SERIAL,
            reactor=Inline(),  # type: ignore[arg-type]
            files=self.files,
            now=lambda: START_US / 1e6,
            digits=Digits(),
            start_thread=lambda run, name: None,
            state_changed=self.states.append,
        )
        self.started = self.disk.start()
        self.disk._start_ended(self.disk._writer.start())
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.disk._writer._place is not None:
            self.batch()
            self.disk._writer.stop()

    def batch(self) -> None:
        self.disk.run_batch(wait=False)

    def open(self) -> Recording:
        opened = self.disk.open_recording(DETAILS)
        self.batch()
        return self.successResultOf(opened)

    def gaps(self, recording_id: str) -> list[Gap]:
        index = Index.open_read_only(Files(), self.folder / "index.db")
        try:
            return list(index.gaps(recording_id))
        finally:
            index.close()


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
        again = recording.write(video_gop(START_US + 2 * SECOND))
        self.batch()
        self.successResultOf(again)
        self.assertEqual(self.states, [DiskState.OK, DiskState.FULL, DiskState.OK])

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


class ThreadTests(TestCase):
    """With the thread that it really has."""

    def make(self, files: FailingFiles | None = None) -> Disk:
        folder = Path(self.mktemp())
        return Disk("HDD_DISK", folder, SERIAL, reactor=reactor, files=files)  # type: ignore[arg-type]

    def test_from_start_to_stop(self) -> Deferred[None]:
        """Start, record, stop without closing: the recording is whole."""

        async def run() -> None:
            disk = self.make()
            await disk.start()
            self.assertEqual(disk.state, DiskState.OK)
            recording = await disk.open_recording(DETAILS)
            for at in range(5):
                await recording.write(video_gop(START_US + at * 2 * SECOND))
            await disk.stop()
            await disk.stop()
            self.assertEqual(disk.state, DiskState.STOPPED)
            (path,) = disk.folder.rglob("*.mkv")
            with BlockReader(Files(), path) as block:
                self.assertEqual(len(list(block.clusters())), 5)
                self.assertIsNotNone(block.segment_end)
            with self.assertRaises(StorageError):
                await disk.open_recording(DETAILS)

        return Deferred.fromCoroutine(run())

    def test_a_disk_that_cannot_start(self) -> Deferred[None]:
        """Starting fails, what was queued meanwhile fails too, and stopping is easy."""

        async def run() -> None:
            files = FailingFiles()
            files.fail("make_folder", error=lambda: OSError(errno.EROFS, "Read-only file system"))
            disk = self.make(files)
            started = disk.start()
            opened = disk.open_recording(DETAILS)
            with self.assertRaises(StorageError):
                await started
            with self.assertRaises(StorageError):
                await opened
            self.assertEqual(disk.state, DiskState.READ_ONLY)
            await disk.stop()

        return Deferred.fromCoroutine(run())

    def test_never_started(self) -> Deferred[None]:
        """Stopping what never ran is no work, and recording on it is refused."""

        async def run() -> None:
            disk = self.make()
            with self.assertRaises(StorageError):
                await disk.open_recording(DETAILS)
            await disk.stop()

        return Deferred.fromCoroutine(run())
