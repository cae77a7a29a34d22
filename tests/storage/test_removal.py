"""Removing blocks and recordings: what goes, what is refused, and that nothing is half told."""

import errno
import os
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.layout import LOCK_NAME, recording_folder
from axis_nvr.storage.locks_xml import LOCKS_XML
from axis_nvr.storage.removal import (
    EMPTIED,
    Noted,
    emptied_recordings,
    forget_emptied,
    note_blocks,
    note_recordings,
)
from axis_nvr.storage.sweeper import Sweeper
from tests.durability import proves
from tests.storage.faults.fault_files import Call
from tests.storage.faults.losses import crashes
from tests.storage.faults.medium import Medium
from tests.storage.making import START_US
from tests.storage.retention.making import FOLDER, SPACING_US, SmallDisk

DISK_FILES = {LOCK_NAME, "index.db"}


class RemovalCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = SmallDisk()
        self.addCleanup(self.disk.end)

    def note(self, *block_ids: str) -> Noted:
        return note_blocks(self.disk.index, block_ids, self.disk.running())

    def sweep(self) -> Sweeper:
        """Sweep until there is nothing left to try."""
        sweeper = Sweeper(self.disk.files, FOLDER, self.disk.index)
        while sweeper.sweep(3).has_more:
            pass
        return sweeper

    def pending(self) -> list[int]:
        """How many blocks and recordings are noted for removal."""
        tables = ("remove_blocks", "remove_recordings")
        return [self.disk.index.first(f"SELECT COUNT(*) FROM {t}")[0] for t in tables]  # noqa: S608


class BlockTests(RemovalCase):
    def test_the_head_of_a_recording(self) -> None:
        """A block goes from index and disk, with its folder; the recording then starts later."""
        recording = self.disk.record(3)
        first, *rest = self.disk.blocks()
        size_bytes = self.disk.index.first("SELECT filesize FROM blocks")[0]
        self.assertEqual(self.note(first), (1, size_bytes))
        self.assertEqual(self.disk.blocks(), rest)
        self.assertIn(first, self.disk.media())
        self.sweep()
        self.assertEqual(self.disk.media(), rest)
        self.assertEqual(self.pending(), [0, 0])
        (row,) = self.disk.bench.disk.place.index.recordings(recording)
        self.assertEqual(row.start_us, START_US + SPACING_US)
        self.assertEqual(self.disk.findings(), [])

    def test_gaps_before_the_new_start_go(self) -> None:
        """What was missing before the recording's new start is no longer told; the rest is."""
        recording = self.disk.begin()
        for number in range(3):
            at_us = START_US + number * SPACING_US
            self.disk.write(recording, at_us)
            recording.gaps.extend([Gap(at_us, at_us + 9, GapReason.PACKETS_LOST)], 0)
        self.disk.bench.close(recording)
        self.note(self.disk.blocks()[0])
        gaps = list(self.disk.bench.disk.place.index.gaps(recording.recording_id))
        starts = [gap.start_us - START_US for gap in gaps]
        self.assertEqual(starts, [SPACING_US, 2 * SPACING_US])

    def test_the_last_block_takes_its_recording_along(self) -> None:
        """Without a block there is no recording, and nothing of it is left."""
        self.disk.record(2)
        self.note(*self.disk.blocks())
        self.assertEqual(self.pending(), [2, 1])
        self.sweep()
        self.assertEqual(self.pending(), [0, 0])
        self.assertEqual(set(self.disk.files.files()), DISK_FILES & set(self.disk.files.files()))
        self.assertEqual(self.disk.files.list_folder(FOLDER), sorted(DISK_FILES))

    def test_what_is_open_stays(self) -> None:
        """An open block is not removed; the closed ones before it are, while the recording runs."""
        recording = self.disk.begin()
        for number in range(2):
            self.disk.write(recording, START_US + number * SPACING_US)
        closed, still_open = self.disk.blocks()
        self.assertEqual(self.note(closed, still_open).blocks, 1)
        self.sweep()
        self.disk.write(recording, START_US + 2 * SPACING_US)
        self.assertIsNone(self.disk.bench.close(recording))
        self.assertEqual(self.disk.findings(), [])
        self.assertEqual(len(self.disk.blocks()), 2)

    def test_what_is_locked_stays(self) -> None:
        """A block of which a moment is locked is not removed; its neighbours are."""
        recording = self.disk.record(3)
        self.disk.locks.lock(
            recording, START_US + SPACING_US, START_US + SPACING_US + 1, reason="x"
        )
        _, held, _ = blocks = self.disk.blocks()
        self.assertEqual(self.note(*blocks).blocks, 2)
        self.sweep()
        self.assertEqual((self.disk.blocks(), self.disk.media()), ([held], [held]))
        self.assertEqual(self.disk.findings(), [])

    def test_what_is_not_there(self) -> None:
        """A block that is gone already is no error."""
        self.assertEqual(self.note("20240506_070809_A000"), (0, 0))

    def test_a_row_that_names_no_place_of_ours(self) -> None:
        """Names from an index of somebody else never become a path."""
        self.disk.record(1)
        with self.disk.index.transaction():
            self.disk.index.execute("UPDATE blocks SET path = '../../..'")
        self.note(*self.disk.blocks())
        before = self.disk.media()
        self.sweep()
        self.assertEqual(self.pending(), [0, 0])
        self.assertEqual(self.disk.media(), before)

    def test_a_running_recording_without_a_block(self) -> None:
        """It may lose all it has, and goes on; its row stays for what is to come."""
        recording = self.disk.begin()
        self.disk.write(recording, START_US)
        recording.finish()
        recording.sync(0.0)  # its block is closed, and nobody has told the index of the recording
        with self.disk.index.transaction():
            next(iter(recording.index_writes))(self.disk.index)
        recording.index_writes.clear()
        self.assertEqual(self.note(*self.disk.blocks()).blocks, 1)
        self.assertEqual(self.pending(), [1, 0])
        self.assertEqual(emptied_recordings(self.disk.index, self.disk.running()), [])
        with self.disk.index.transaction():
            self.disk.index.execute("UPDATE recordings SET stoptime = starttime")
        self.assertEqual(emptied_recordings(self.disk.index, self.disk.running()), [])
        self.assertEqual(self.pending(), [1, 0], "it is still being written")
        self.assertEqual(emptied_recordings(self.disk.index, ()), [])
        self.assertEqual(self.pending(), [1, 1], "it has ended without a block")
        self.sweep()
        self.assertEqual(self.disk.files.list_folder(FOLDER), sorted(DISK_FILES))

    def test_one_that_is_gone_from_the_index(self) -> None:
        """One that lost its row too may have left a folder, which is named until it is cleared."""
        recording = self.disk.record(1)
        self.note(*self.disk.blocks())
        with self.disk.index.transaction():
            self.disk.index.execute("DELETE FROM remove_recordings")
            self.disk.index.set_state(EMPTIED + recording, "")
        self.sweep()
        self.assertEqual(emptied_recordings(self.disk.index, ()), [recording])
        sweeper = Sweeper(self.disk.files, FOLDER, self.disk.index)
        sweeper.remove_leftovers(recording)
        forget_emptied(self.disk.index, [recording])
        self.assertEqual(emptied_recordings(self.disk.index, ()), [])


class RecordingTests(RemovalCase):
    def test_a_whole_recording(self) -> None:
        """All of a recording goes at once from the index, and then from the disk."""
        kept = self.disk.record(1)
        recording = self.disk.record(40, at_us=START_US + 60_000_000)
        self.disk.locks.unlock(self.disk.locks.lock(recording, reason="x").token)
        self.assertEqual(note_recordings(self.disk.index, FOLDER, [recording], ()), [None])
        self.assertEqual((self.pending(), len(self.disk.blocks())), ([40, 1], 1))
        self.sweep()
        self.assertEqual(self.disk.findings(), [])
        self.assertFalse(self.disk.files.exists(recording_folder(FOLDER, recording)))
        self.assertTrue(self.disk.files.exists(recording_folder(FOLDER, kept)))

    def refused(self, recording: str, words: str) -> StorageErrorKind:
        running = self.disk.running()
        (error,) = note_recordings(self.disk.index, FOLDER, [recording], running)
        assert error is not None
        self.assertIn(words, str(error))
        self.assertEqual(self.pending(), [0, 0])
        kind: StorageErrorKind = error.kind
        return kind

    def test_what_is_refused(self) -> None:
        """A lock on any span, a recording that runs and one that is not there are refused."""
        locked = self.disk.record(2)
        self.disk.locks.lock(locked, START_US, START_US + 1, reason="theft", owner="Ann")
        self.assertIs(self.refused(locked, "locked by Ann: theft"), StorageErrorKind.LOCKED)
        recording = self.disk.begin(at_us=START_US + 1_000_000)
        self.disk.write(recording, START_US + 1_000_000)
        running = recording.recording_id
        self.assertIs(self.refused(running, "is being recorded"), StorageErrorKind.LOCKED)
        self.assertIs(self.refused("other", "no recording"), StorageErrorKind.ABSENT)

    def test_what_is_not_ours_stays(self) -> None:
        """A file that somebody put into a recording's folder stays, and the folder with it."""
        recording = self.disk.record(1)
        folder = recording_folder(FOLDER, recording)
        self.disk.files.close(self.disk.files.create(folder / "notes.txt"))
        note_recordings(self.disk.index, FOLDER, [recording], ())
        self.sweep()
        self.assertEqual(self.disk.files.list_folder(folder), ["notes.txt"])
        self.assertEqual(self.pending(), [0, 0])


class FaultTests(RemovalCase):
    @proves(
        9,
        fault="a file cannot be removed (EACCES)",
        moment="while blocks are removed",
        outcome="it stays noted and is told; all others go; it goes once that is healed",
    )
    def test_what_cannot_be_removed(self) -> None:
        """One file that stays holds up nothing else, and is not tried again and again."""
        self.disk.record(8)
        blocks = self.disk.blocks()

        def refuse(call: Call) -> None:
            if call.operation == "remove" and call.name == f"{blocks[2]}.mkv":
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))

        self.disk.files.injector = refuse
        self.note(*blocks)
        sweeper = self.sweep()
        self.assertEqual(list(sweeper.stuck), [blocks[2]])
        self.assertIs(sweeper.stuck[blocks[2]].kind, StorageErrorKind.READ_ONLY)
        self.assertEqual(self.disk.media(), [blocks[2]])
        self.assertEqual(self.pending(), [1, 1])
        calls = len(self.disk.files.calls)
        self.assertEqual(sweeper.sweep(3), (0, False, None))
        self.assertNotIn("remove", [call.operation for call in self.disk.files.calls[calls:]])
        self.disk.files.injector = None
        sweeper.try_again()
        while sweeper.sweep(3).has_more:
            pass
        self.assertEqual((self.pending(), self.disk.media()), ([0, 0], []))

    def test_an_error_is_told_once(self) -> None:
        """The sweep that meets an error tells it, those after it do not."""
        self.disk.record(1)

        def refuse(call: Call) -> None:
            if call.operation == "sync_folder":
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        self.disk.files.injector = refuse
        self.note(*self.disk.blocks())
        sweeper = Sweeper(self.disk.files, FOLDER, self.disk.index)
        error = sweeper.sweep(3).error
        assert error is not None
        self.assertIn("sync a folder", str(error))
        self.assertIsNone(sweeper.sweep(3).error)
        self.assertEqual(self.pending(), [1, 1])

    def test_another_disk_is_mounted(self) -> None:
        """Files that are not there because their disk is not are not taken for removed."""
        self.disk.record(1)
        self.note(*self.disk.blocks())
        sweeper = Sweeper(self.disk.files, FOLDER, self.disk.index)
        self.disk.files.rename(FOLDER, FOLDER.with_name("moved"))
        self.assertRaises(StorageError, sweeper.sweep, 3)
        self.disk.files.make_folder(FOLDER)
        error = self.assertRaises(StorageError, sweeper.sweep, 3)
        self.assertIs(error.kind, StorageErrorKind.ABSENT)
        self.assertEqual(self.pending(), [1, 1])

    @proves(
        3,
        fault="power cut",
        moment="at any step of removing blocks and recordings",
        outcome="after the next start what was noted is gone, the rest is whole",
    )
    def test_a_crash_at_any_step(self) -> None:
        """However far a removal came and whatever of it was lost, it is brought to its end."""
        gone, kept = self.disk.record(2), self.disk.record(2, at_us=START_US + 30_000_000)
        self.disk.locks.lock(kept, START_US + SPACING_US + 30_000_000, reason="x")
        before = len(self.disk.files.log)
        oldest = self.disk.blocks()[:3]
        self.note(oldest[0], oldest[1])
        self.sweep()
        note_recordings(self.disk.index, FOLDER, [gone], ())
        self.sweep()
        held = self.disk.blocks()
        begin = Medium()
        for operation in self.disk.files.log[:before]:
            begin.apply(operation)
        tried = 0
        for _, medium in crashes(begin, self.disk.files.log[before:], Random(3), samples=6):
            disk = SmallDisk(medium, digits=0xB000)
            sweeper = Sweeper(disk.files, FOLDER, disk.index)
            while sweeper.sweep(3).has_more:
                pass
            self.assertEqual(disk.findings(), [])
            self.assertLessEqual(set(held), set(disk.blocks()))
            self.assertEqual(disk.media(), disk.blocks())
            self.assertIn(LOCKS_XML, disk.files.files())
            disk.end()
            tried += 1
        self.assertGreater(tried, 20)
