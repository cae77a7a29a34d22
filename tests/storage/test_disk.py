"""The disk as the reactor sees it: Deferreds, states, a queue that fills."""

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Event

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.disk import MAX_FAILED_BATCHES, SLOW_SECONDS, Disk
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.index_news import GATHER_SECONDS
from axis_nvr.storage.jobs import WriteGop
from axis_nvr.storage.layout import LOCK_NAME
from axis_nvr.storage.queue import MAX_RECORDING_GOPS
from axis_nvr.storage.rest import FIRST_REST_SECONDS
from axis_nvr.storage.running_recording import Recording
from axis_nvr.storage.trial import TRIAL_NAME
from axis_nvr.storage.writer import LOOK_SECONDS, DiskWriter
from tests.durability import proves
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
        self.seconds = 0.0
        self.times_broken = 0
        self.disk = Disk(
            "HDD_DISK",
            self.folder,
            SERIAL,
            reactor=Inline(),  # type: ignore[arg-type]
            files=self.files,
            now=lambda: START_US / 1e6,
            digits=Digits(),
            monotonic=lambda: self.seconds,
            start_thread=lambda run, name: None,
        )
        self.disk.observer = self
        self.started = self.disk.start()
        self.disk._start_ended(self.disk._writer.start())
        self.addCleanup(self.stop)

    def state_changed(self, state: DiskState, words: str) -> None:
        self.states.append(state)

    def broken(self) -> None:
        self.times_broken += 1

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
        self.assertIsNone(self.disk._rest.refusal(self.seconds), "groups are taken at once again")

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


class HealingTests(DiskCase):
    """What a disk that fails does to itself, and how it is well again."""

    def write(self, recording: Recording, number: int) -> Deferred[None]:
        return recording.write(video_gop(START_US + number * 2 * SECOND))

    def error_of(self, written: Deferred[None]) -> StorageError:
        error = self.failureResultOf(written, StorageError).value
        assert isinstance(error, StorageError)
        return error

    @proves(
        8,
        fault="a full disk",
        moment="while recording",
        outcome="whole groups are refused and noted as gaps; recording goes on when there is room",
    )
    def test_a_full_disk_rests(self) -> None:
        """It is tried once after each rest, not by each group; the time lost is one gap."""
        recording = self.open()
        self.write(recording, 0)
        self.batch()
        self.files.fail("writev", ".mkv")
        written = self.write(recording, 1)
        self.batch()
        self.assertEqual(self.error_of(written).kind, StorageErrorKind.FULL)
        writes = self.files.count("writev")
        for number in (2, 3):
            refused = self.error_of(self.write(recording, number))
            self.assertEqual(refused.kind, StorageErrorKind.FULL)
        self.assertEqual(self.files.count("writev"), writes)
        self.seconds += FIRST_REST_SECONDS
        written = self.write(recording, 4)
        self.batch()
        self.successResultOf(written)
        self.assertEqual(self.states, [DiskState.OK, DiskState.FULL, DiskState.OK])
        recording.close()
        self.batch()
        gaps = [(it.start_us, it.end_us, it.reason) for it in self.gaps(recording.recording_id)]
        tried, refused_us = START_US + 2 * SECOND, START_US + 4 * SECOND
        expected = [(tried, refused_us), (refused_us, START_US + 8 * SECOND)]
        self.assertEqual(gaps, [(*times, GapReason.FULL_DISK) for times in expected])
        self.assertEqual(self.times_broken, 0, "opening it again would heal nothing")

    @proves(
        2,
        fault="a sync that fails",
        moment="at a group of a block that others are in",
        outcome="that group is a gap, the same recording goes on in a new block",
    )
    def test_a_failed_sync_is_a_gap_in_a_recording_that_goes_on(self) -> None:
        """One bad sync costs its group only: the disk does not rest, nothing is opened again."""
        recording = self.open()
        self.write(recording, 0)
        self.batch()
        self.files.fail("sync", ".mkv", error=lambda: OSError(errno.EIO, "Input/output error"))
        written = self.write(recording, 1)
        self.batch()
        self.assertEqual(self.error_of(written).kind, StorageErrorKind.FAILED)
        written = self.write(recording, 2)
        self.batch()
        self.successResultOf(written)
        recording.close()
        self.batch()
        (gap,) = self.gaps(recording.recording_id)
        found = (gap.start_us, gap.end_us, gap.reason)
        self.assertEqual(
            found, (START_US + 2 * SECOND, START_US + 4 * SECOND, GapReason.FAILED_DISK)
        )
        self.assertEqual(self.times_broken, 0)
        self.assertEqual(len(list(self.folder.rglob("*.mkv"))), 2)

    def test_a_disk_that_never_works_is_opened_again(self) -> None:
        """After some batches in a row that failed, with rests between them, once."""
        recording = self.open()
        for number in range(8):
            self.files.fail("create", ".mkv", error=lambda: OSError(errno.EIO, "I/O error"))
            self.write(recording, number).addErrback(lambda failure: None)
            self.batch()
            self.seconds += 20
        self.assertEqual(self.times_broken, 1)
        self.assertEqual(self.states[-1], DiskState.FAILED)

    @proves(
        2,
        fault="a file system that turns read-only",
        moment="while recording",
        outcome="the state is read-only; the disk is closed and opened again until it is well",
    )
    def test_a_read_only_disk_is_opened_again(self) -> None:
        """A file system that found an error turns read-only, and stays so until it is mounted."""
        recording = self.open()
        self.write(recording, 0)
        self.batch()
        self.files.fail("writev", ".mkv", error=lambda: OSError(errno.EROFS, "Read-only"))
        self.error_of_batch(recording, 1, StorageErrorKind.READ_ONLY)
        self.assertEqual((self.states[-1], self.times_broken), (DiskState.READ_ONLY, 1))

    @proves(
        2,
        fault="the disk's files belong to another user",
        moment="while recording, and at start",
        outcome="the state is read-only, the message says what to look at, it is tried again",
    )
    def test_a_disk_of_another_user(self) -> None:
        """Permission denied is told in words that help."""
        recording = self.open()
        self.files.fail("create", ".mkv", error=lambda: OSError(errno.EACCES, "Permission denied"))
        written = self.write(recording, 0)
        self.batch()
        self.assertIn("Permission denied; the user that the", str(self.error_of(written)))
        self.assertEqual((self.states[-1], self.times_broken), (DiskState.READ_ONLY, 1))

    def error_of_batch(self, recording: Recording, number: int, kind: StorageErrorKind) -> None:
        written = self.write(recording, number)
        self.batch()
        self.assertEqual(self.error_of(written).kind, kind)

    @proves(
        2,
        fault="the disk is unmounted",
        moment="while recording",
        outcome="the state is absent; nothing is written to the empty mount point",
    )
    def test_a_disk_that_vanishes(self) -> None:
        """It is seen though open files still take bytes, within some seconds."""
        recording = self.open()
        self.write(recording, 0)
        self.batch()
        away = self.folder.with_name("away")
        self.folder.rename(away)
        self.folder.mkdir()
        self.addCleanup(away.rename, self.folder)
        self.addCleanup(self.folder.rmdir)
        self.seconds += LOOK_SECONDS
        self.write(recording, 1).addErrback(lambda failure: None)
        self.batch()
        self.assertEqual((self.states[-1], self.times_broken), (DiskState.ABSENT, 1))
        self.assertEqual(list(self.folder.iterdir()), [])

    @proves(
        4,
        fault="somebody removes the index",
        moment="while recording",
        outcome="it is seen within seconds; the disk is opened again and the index made anew",
    )
    def test_an_index_that_vanishes(self) -> None:
        """SQLite goes on writing to a file without a name; we do not."""
        recording = self.open()
        self.write(recording, 0)
        self.batch()
        for path in self.folder.glob("index.db*"):
            path.unlink()
        self.seconds += LOOK_SECONDS
        written = self.write(recording, 1)
        self.batch()
        self.successResultOf(written)
        self.assertEqual((self.states[-1], self.times_broken), (DiskState.CORRUPT, 1))

    @proves(
        4,
        fault="the index turns corrupt",
        moment="when a block begins",
        outcome="recording goes on into blocks; the disk is opened again and the index made anew",
    )
    def test_a_corrupt_index(self) -> None:
        """The error of SQLite is told, and the observer has the disk opened again."""
        recording = self.open()
        self.write(recording, 0)
        self.batch()
        broken = sqlite3.DatabaseError("database disk image is malformed")
        broken.sqlite_errorname = "SQLITE_CORRUPT"

        def refuse(*args: object, **more: object) -> None:
            raise broken

        self.patch(Index, "close_block", refuse)
        written = recording.write(video_gop(START_US + 400 * SECOND))
        self.batch()
        self.successResultOf(written)
        self.assertEqual(self.states[-1], DiskState.OK, "it was not told yet")
        self.seconds += GATHER_SECONDS
        self.batch()
        self.assertEqual((self.states[-1], self.times_broken), (DiskState.CORRUPT, 1))
        self.assertEqual(len(list(self.folder.rglob("*.mkv"))), 2, "its bytes are there")
        recording._writer.index_writes.clear()

    def test_closed_while_recording(self) -> None:
        """A disk that is closed says so: another recording is needed; ending this one is easy."""
        recording = self.open()
        self.disk._queue.close()
        self.assertEqual(self.error_of(self.write(recording, 0)).kind, StorageErrorKind.CLOSED)
        self.successResultOf(recording.close())

    def test_a_slow_disk_is_well_again_by_itself(self) -> None:
        """The state says slow while groups are refused, and some seconds longer."""
        recording = self.open()
        for number in range(MAX_RECORDING_GOPS + 1):
            self.write(recording, number).addErrback(lambda failure: None)
        self.assertEqual(self.states[-1], DiskState.SLOW)
        self.batch()
        self.assertEqual(self.states[-1], DiskState.SLOW)
        self.seconds += SLOW_SECONDS
        self.write(recording, MAX_RECORDING_GOPS + 2)
        self.batch()
        self.assertEqual(self.states[-1], DiskState.OK)
        self.assertEqual(self.times_broken, 0)


class OwnerTests(SynchronousTestCase):
    """Who has a disk, and who had it."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())

    def writer(self, serial: str = SERIAL) -> DiskWriter:
        return DiskWriter(
            Files(),
            self.folder,
            serial=serial,
            product="axis_nvr test",
            zone=None,
            digits=Digits(),
            now=lambda: START_US / 1e6,
            monotonic=lambda: 0.0,
        )

    @proves(
        2,
        fault="two recorders on one disk",
        moment="at start",
        outcome="the second does not touch it, and names the first by serial, process and host",
    )
    def test_two_recorders(self) -> None:
        """The second is told whose it is, and may have it when the first has let go of it."""
        first, second = self.writer(), self.writer("ACCC8EFFFFFF")
        first.start()
        error = self.assertRaises(StorageError, second.start)
        self.assertEqual(error.kind, StorageErrorKind.LOCKED)
        self.assertIn(f"{SERIAL} process {os.getpid()} on host ", str(error))
        first.stop()
        second.start()
        self.assertEqual(second.last_serial, SERIAL)
        second.stop()

    @proves(
        4,
        fault="a disk of another recorder",
        moment="at start",
        outcome="its recordings stay, new ones carry this recorder's serial, and it is said",
    )
    def test_a_disk_of_another_recorder(self) -> None:
        """The disk is used; who had it before is known; names tell the recordings apart."""
        for serial in (SERIAL, "ACCC8EFFFFFF"):
            writer = self.writer(serial)
            writer.start()
            recording = writer.open_recording(DETAILS, START_US)
            writer.process([WriteGop(recording, video_gop(START_US))])
            writer.stop()
        self.assertEqual(writer.last_serial, SERIAL)
        index = Index.open_read_only(Files(), self.folder / "index.db")
        serials = {row.recording_id[-12:] for row in index.recordings()}
        index.close()
        self.assertEqual(serials, {SERIAL, "ACCC8EFFFFFF"})

    def test_a_lock_file_is_believed_in_part(self) -> None:
        """What is no serial number and words is nobody."""
        for text in (b"", b"\x00" * 256, b"accc8e012345 x\n", b"ACCC8E012345 \x1b[31m\n"):
            self.folder.mkdir(exist_ok=True)
            (self.folder / LOCK_NAME).write_bytes(text)
            writer = self.writer()
            writer.start()
            self.assertEqual(writer.last_serial, "")
            writer.stop()

    def test_a_full_disk_can_be_opened(self) -> None:
        """There must be a way to make room on it: who uses it is not written down then."""
        files = FailingFiles()
        files.fail("pwrite", error=lambda: OSError(errno.ENOSPC, "No space left on device"))
        writer = DiskWriter(
            files,
            self.folder,
            serial=SERIAL,
            product="axis_nvr test",
            zone=None,
            digits=Digits(),
            now=lambda: START_US / 1e6,
            monotonic=lambda: 0.0,
        )
        writer.start()
        writer.stop()
        self.assertEqual(files.count("pwrite"), 1)


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

    @proves(
        8,
        fault="a disk that hangs, then works again",
        moment="while recording",
        outcome="bounded memory, whole groups dropped and noted, no restart needed",
    )
    def test_a_disk_that_hangs(self) -> Deferred[None]:
        """While a sync hangs groups wait up to the bound; then all goes on by itself."""

        class Hanging(FailingFiles):
            def __init__(self) -> None:
                super().__init__()
                self.may_go_on, self.hangs = Event(), Event()
                self.may_go_on.set()

            def sync(self, fd: int) -> None:
                if not self.may_go_on.is_set():
                    self.hangs.set()
                    self.may_go_on.wait(60)
                super().sync(fd)

        async def run() -> None:
            files = Hanging()
            disk = self.make(files)
            await disk.start()
            recording = await disk.open_recording(DETAILS)
            await recording.write(video_gop(START_US))
            files.may_go_on.clear()
            taken = [recording.write(video_gop(START_US + 2 * SECOND))]
            await deferToThread(files.hangs.wait, 60)
            taken += [
                recording.write(video_gop(START_US + at * 2 * SECOND))
                for at in range(2, MAX_RECORDING_GOPS + 1)
            ]
            self.assertGreater(disk.status().busy_seconds, 0)
            for at in (1, 2):  # the queue is full
                late = video_gop(START_US + (MAX_RECORDING_GOPS + at) * 2 * SECOND)
                with self.assertRaises(StorageError) as raised:
                    await recording.write(late)
                self.assertEqual(raised.exception.kind, StorageErrorKind.SLOW)
            self.assertEqual(disk.state, DiskState.SLOW)
            self.assertEqual(disk.status().queued_gops, MAX_RECORDING_GOPS)
            files.may_go_on.set()
            for written in taken:
                await written
            again = START_US + (MAX_RECORDING_GOPS + 3) * 2 * SECOND
            await recording.write(video_gop(again))
            await recording.close()
            await disk.stop()
            index = Index.open_read_only(Files(), disk.folder / "index.db")
            gaps = list(index.gaps(recording.recording_id))
            index.close()
            self.assertEqual(gaps, [Gap(again - 4 * SECOND, again, GapReason.SLOW_DISK)])

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
