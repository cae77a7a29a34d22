"""What a disk that fails does to itself, and how it is well again."""

import errno
import sqlite3

from twisted.internet.defer import Deferred

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import GapReason
from axis_nvr.storage.disk_health import SLOW_SECONDS
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.index import Index
from axis_nvr.storage.index_news import GATHER_SECONDS
from axis_nvr.storage.queue import MAX_RECORDING_GOPS
from axis_nvr.storage.rest import FIRST_REST_SECONDS
from axis_nvr.storage.running_recording import Recording
from axis_nvr.storage.writer import LOOK_SECONDS
from tests.durability import proves
from tests.storage.disk_case import DiskCase
from tests.storage.making import START_US, video_gop

SECOND = 1_000_000


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

    def test_a_disk_that_vanishes_while_nobody_records(self) -> None:
        """It is looked for all the same: who wants to record is to know before."""
        self.folder.rename(self.folder.with_name("away"))
        self.addCleanup(self.folder.with_name("away").rename, self.folder)
        self.seconds += LOOK_SECONDS
        self.assertLess(self.disk._writer.index_delay(), LOOK_SECONDS)
        self.batch()
        self.assertEqual((self.states[-1], self.times_broken), (DiskState.ABSENT, 1))

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
