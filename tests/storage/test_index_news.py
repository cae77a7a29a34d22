"""What the index is told at once, and what waits a few seconds for others."""

import math
from functools import partial
from typing import NoReturn

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.files import Files, Space
from axis_nvr.storage.index import Index
from axis_nvr.storage.index_news import GATHER_FREE_BYTES, GATHER_SECONDS, IndexNews
from axis_nvr.storage.recording import RecordingWriter
from axis_nvr.storage.schema import REBUILD_STATE
from axis_nvr.storage.writer import INDEX_RETRY_SECONDS
from tests.durability import proves
from tests.storage.faults.contract import look_after
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.recovery import CHORES, live, new_disk
from tests.storage.faults.story import Story, group, promises
from tests.storage.making import START_US, Bench, video_gop

SECOND = 1_000_000
#: Longer than a block, so that another begins with each group.
SPACING_US = 400 * SECOND


class DueTests(SynchronousTestCase):
    def test_the_earliest_says_when(self) -> None:
        """What can wait does, until there is something that cannot."""
        news = IndexNews()
        self.assertEqual(news.due, math.inf)
        first, second = (partial(Index.drop_block, block_id=name) for name in "ab")
        news.add(10.0, first, can_wait=True)
        news.add(12.0, can_wait=True)
        self.assertEqual(news.due, 10.0 + GATHER_SECONDS)
        news.add(13.0, second)
        self.assertEqual((news.due, list(news)), (13.0, [first, second]))
        news.clear()
        self.assertEqual((news.due, len(news)), (math.inf, 0))


class WriterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = Bench(self.mktemp())
        self.disk = self.bench.disk
        self.disk.start()
        self.addCleanup(self.disk.stop)
        self.transactions = 0
        transaction = Index.transaction

        def count(index: Index) -> object:
            self.transactions += 1
            return transaction(index)

        self.patch(Index, "transaction", count)

    def write(self, recording: RecordingWriter, number: int, gaps: tuple[Gap, ...] = ()) -> None:
        gop = video_gop(START_US + number * SPACING_US, gaps=list(gaps))
        self.assertEqual(self.bench.write(recording, gop), [None])

    def index(self) -> tuple[int, int, int, int]:
        """Count recordings and blocks, in all and open."""
        index = Index.open_read_only(Files(), self.bench.folder / "index.db")
        try:
            recordings, blocks = list(index.recordings()), list(index.blocks())
        finally:
            index.close()
        still_open = [sum(row.stop_us is None for row in rows) for rows in (recordings, blocks)]
        return len(recordings), len(blocks), still_open[0], still_open[1]

    def test_a_recording_that_begins_is_found_at_once(self) -> None:
        """And one that ends is closed at once, with all that waited."""
        recording = self.bench.open()
        self.write(recording, 0)
        self.assertEqual(self.index(), (1, 1, 1, 1))
        self.write(recording, 1)
        self.assertEqual(self.index(), (1, 1, 1, 1), "the next block waits")
        self.assertIsNone(self.bench.close(recording))
        self.assertEqual(self.index(), (1, 2, 0, 0))
        self.assertIsNone(self.disk.index_delay())

    def test_blocks_of_many_go_together(self) -> None:
        """What waits goes when the first of it is due, or with one that cannot wait."""
        recordings = [self.bench.open() for _ in range(8)]
        for recording in recordings:
            self.write(recording, 0)
        self.assertEqual(self.transactions, 8)
        for recording in recordings:
            self.write(recording, 1)
            self.bench.monotonic_seconds += 0.1
        self.assertEqual((self.transactions, self.index()), (8, (8, 8, 8, 8)))
        self.assertAlmostEqual(self.disk.index_delay() or 0, GATHER_SECONDS - 0.8)
        self.bench.tell_index()
        self.assertEqual((self.transactions, self.index()), (9, (8, 16, 8, 8)))
        self.write(recordings[0], 2)
        self.write(self.bench.open(), 0)
        self.assertEqual((self.transactions, self.index()), (10, (9, 18, 9, 9)))

    def test_gaps_go_along(self) -> None:
        """A gap that waits takes the transaction that happens anyway."""
        recording = self.bench.open()
        gap = Gap(START_US, START_US + 5, GapReason.PACKETS_LOST, 7)
        self.write(recording, 0)
        self.write(recording, 1, (gap,))
        self.bench.tell_index()
        self.assertEqual(list(self.disk.place.index.gaps(recording.recording_id)), [gap])

    def test_names_that_wait_are_taken(self) -> None:
        """Nobody else gets the name of a block that the index does not know yet."""
        recording = self.bench.open()
        self.write(recording, 0)
        self.write(recording, 1)
        (*_, waiting) = self.bench.blocks()
        self.assertIn(waiting.stem, self.disk.place.reserved)
        self.bench.tell_index()
        self.assertNotIn(waiting.stem, self.disk.place.reserved)

    def test_a_disk_that_is_nearly_full(self) -> None:
        """Nothing waits: what retention may remove is to be known while there is room to tell."""
        recording = self.bench.open()
        self.write(recording, 0)
        self.disk.space = Space(1 << 40, GATHER_FREE_BYTES - 1)
        self.write(recording, 1)
        self.assertEqual((self.index(), self.disk.index_delay()), ((1, 2, 1, 1), None))

    def test_a_group_that_is_not_taken(self) -> None:
        """When something is wrong with the disk, what waits is told while it can be."""
        recording, other = self.bench.open(), self.bench.open()
        self.write(recording, 0)
        self.write(recording, 1)
        self.bench.files.fail("create", ".mkv")
        (outcome,) = self.bench.write(other, video_gop(START_US))
        self.assertIsInstance(outcome, StorageError)
        self.assertEqual(self.index(), (1, 2, 1, 1))

    def test_an_index_that_refuses_is_left_in_peace(self) -> None:
        """It is tried again after a while though nothing else is to be written."""
        recording = self.bench.open()
        self.write(recording, 0)
        self.write(recording, 1)

        def refuse(index: Index) -> NoReturn:
            raise StorageError(StorageErrorKind.LOCKED, self.bench.folder, "busy")

        broken = self.patch(Index, "transaction", refuse)
        self.bench.monotonic_seconds += GATHER_SECONDS
        self.assertEqual(self.disk.index_delay(), 0.0)
        self.disk.process([])
        self.assertEqual(self.disk.index_delay(), INDEX_RETRY_SECONDS)
        broken.restore()
        self.disk.process([])
        self.assertEqual((self.disk.index_delay(), self.index()), (None, (1, 2, 1, 1)))


class CrashTests(SynchronousTestCase):
    @proves(
        2,
        fault="the recorder is killed",
        moment="while the rows of new blocks wait for others, of a recording just begun too",
        outcome="every acknowledged group of every camera is there after the next start",
    )
    def test_while_rows_wait(self) -> None:
        """The index knows one block of each camera; two more each are found in their folders."""
        cameras = ("front", "yard", "door")
        files = FaultFiles(new_disk())
        story = Story(files, CHORES)
        story.start()
        story.do_chores()  # a new disk is not to be rebuilt any more
        self.assertIsNone(story.disk.place.index.state(REBUILD_STATE))
        for camera in cameras:
            story.open(camera)
        for at in (0, 400, 3700):  # the last in the folder of another hour
            story.write_all(*((name, group(at, name=name)) for name in cameras))
        index = story.disk.place.index
        self.assertEqual(len(list(index.blocks())), 3, "the rest waits")
        promised = promises(files.log, len(files.log))
        self.assertEqual(len(promised), 9)
        files.unmount()
        look_after(live(files.log).current(), promised, CHORES).unmount()
