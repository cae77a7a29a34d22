"""What the index is told at once, and what waits for others or for somebody who asks."""

import math
from functools import partial
from threading import Event, Thread
from typing import NoReturn

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage import index_teller
from axis_nvr.storage.files import Files, Space
from axis_nvr.storage.gap_notes import MAX_WAIT_SECONDS
from axis_nvr.storage.index import Index
from axis_nvr.storage.index_news import GATHER_FREE_BYTES, GATHER_SECONDS, IndexNews
from axis_nvr.storage.index_teller import INDEX_RETRY_SECONDS
from axis_nvr.storage.recording import RecordingWriter
from axis_nvr.storage.schema import REBUILD_STATE
from tests.durability import proves
from tests.storage.faults.contract import look_after
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.plots import OTHER_VIDEO
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
        self.assertEqual(news.due, 10.0 + GATHER_SECONDS)
        news.add(13.0, second)
        self.assertEqual((news.due, list(news)), (13.0, [first, second]))
        news.forget(1)
        self.assertEqual((news.due, list(news)), (13.0, [second]))
        news.clear()
        self.assertEqual((news.due, list(news)), (math.inf, []))


class TellingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = Bench(self.mktemp(), is_told=False)
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

    def gaps(self, recording: RecordingWriter) -> list[Gap]:
        """Give the gaps of a recording that the index knows."""
        return list(self.disk.place.index.gaps(recording.recording_id))

    def index(self) -> tuple[int, int, int, int]:
        """Count recordings and blocks, in all and open."""
        index = Index.open_read_only(Files(), self.bench.folder / "index.db")
        try:
            recordings, blocks = list(index.recordings()), list(index.blocks())
        finally:
            index.close()
        still_open = [sum(row.stop_us is None for row in rows) for rows in (recordings, blocks)]
        return len(recordings), len(blocks), still_open[0], still_open[1]


class WriterTests(TellingCase):
    def test_everything_waits(self) -> None:
        """A recording that begins, its blocks, and that it ends: one transaction for all."""
        recording = self.bench.open()
        self.write(recording, 0)
        self.assertEqual(self.disk._teller.delay(), GATHER_SECONDS)
        self.bench.monotonic_seconds += 1.0
        self.write(recording, 1)
        self.assertIsNone(self.bench.close(recording))
        self.assertEqual((self.transactions, self.index()), (0, (0, 0, 0, 0)))
        self.assertIn(recording.recording_id, self.disk.premises().running())
        self.assertEqual(self.disk._teller.delay(), GATHER_SECONDS - 1)
        self.bench.monotonic_seconds += GATHER_SECONDS
        self.assertEqual(self.disk.process([]), [])
        self.assertEqual((self.transactions, self.index()), (1, (1, 2, 0, 0)))
        self.assertIsNone(self.disk._teller.delay())
        self.assertNotIn(recording.recording_id, self.disk.premises().running())

    def test_blocks_of_many_go_together(self) -> None:
        """What waits goes when the first of it is due, or with one that cannot wait."""
        recordings = [self.bench.open() for _ in range(8)]
        for number in range(2):
            for recording in recordings:
                self.write(recording, number)
        self.assertEqual((self.transactions, self.index()), (0, (0, 0, 0, 0)))
        self.bench.monotonic_seconds += GATHER_SECONDS
        self.write(recordings[0], 2)
        self.assertEqual((self.transactions, self.index()), (1, (8, 17, 8, 8)))
        self.write(recordings[1], 2)
        other = video_gop(START_US + 3 * SPACING_US, form=OTHER_VIDEO)
        self.assertEqual(self.bench.write(recordings[2], other), [None])
        self.assertEqual((self.transactions, self.index()), (2, (8, 19, 8, 8)), "another format")

    def test_not_too_much_waits(self) -> None:
        """There is a bound to it, of all recordings together."""
        self.patch(index_teller, "MAX_GATHERED", 7)
        recordings = [self.bench.open() for _ in range(2)]
        self.write(recordings[0], 0)  # two changes
        self.write(recordings[0], 1)  # three: the end of a block, and the next
        self.assertEqual(self.transactions, 0)
        self.write(recordings[1], 0)
        self.assertEqual((self.transactions, self.index()), (1, (2, 3, 2, 2)))

    def test_the_end_leaves_nothing(self) -> None:
        """A disk that is closed in order knows all."""
        self.write(self.bench.open(), 0)
        self.disk.stop()
        self.assertEqual(self.index(), (1, 1, 0, 0))

    def test_gaps_go_along(self) -> None:
        """A gap that waits takes the transaction that happens anyway."""
        recording = self.bench.open()
        gap = Gap(START_US, START_US + 5, GapReason.PACKETS_LOST, 7)
        self.write(recording, 0, (gap,))
        self.bench.monotonic_seconds += GATHER_SECONDS
        self.disk.process([])
        self.assertEqual(self.gaps(recording), [gap])

    def test_gaps_wait_no_longer_than_a_minute(self) -> None:
        """A gap alone is no transaction before, also of a camera that sends nothing any more."""
        recording = self.bench.open()
        self.write(recording, 0)
        self.disk.catch_up()
        gap = Gap(START_US, START_US + 5, GapReason.PACKETS_LOST, 7)
        self.write(recording, 0, (gap,))
        self.assertEqual((self.disk._teller.delay(), self.gaps(recording)), (MAX_WAIT_SECONDS, []))
        self.bench.monotonic_seconds += MAX_WAIT_SECONDS
        self.disk.process([])
        self.assertEqual(self.gaps(recording), [gap])

    def test_gaps_before_the_first_block(self) -> None:
        """They wait for it: nothing is told of a recording that is not there."""
        recording = self.bench.open()
        self.bench.files.fail("create", ".mkv")
        (outcome,) = self.bench.write(recording, video_gop(START_US))
        self.assertIsInstance(outcome, StorageError)
        self.bench.monotonic_seconds += MAX_WAIT_SECONDS
        self.assertIsNone(self.disk._teller.delay())
        self.disk.catch_up()
        self.assertEqual(self.transactions, 0)
        self.write(recording, 1)
        self.disk.catch_up()
        (gap,) = self.gaps(recording)
        self.assertEqual(gap.reason, GapReason.FULL_DISK)

    def test_names_that_wait_are_taken(self) -> None:
        """Nobody else gets the name of a block that the index does not know yet."""
        recording = self.bench.open()
        self.write(recording, 0)
        (waiting,) = self.bench.blocks()
        self.assertIn(waiting.stem, self.disk.place.reserved)
        self.bench.tell_index()
        self.assertNotIn(waiting.stem, self.disk.place.reserved)
        self.assertTrue(self.disk.place.index.name_taken(waiting.stem))

    def test_a_disk_that_is_nearly_full(self) -> None:
        """Nothing waits: what retention may remove is to be known while there is room to tell."""
        recording = self.bench.open()
        self.disk.space = Space(1 << 40, GATHER_FREE_BYTES - 1)
        self.write(recording, 0)
        self.assertEqual((self.index(), self.disk._teller.delay()), ((1, 1, 1, 1), None))

    def test_a_group_that_is_not_taken(self) -> None:
        """When something is wrong with the disk, what waits is told while it can be."""
        recording, other = self.bench.open(), self.bench.open()
        self.write(recording, 0)
        self.bench.files.fail("create", ".mkv")
        (outcome,) = self.bench.write(other, video_gop(START_US))
        self.assertIsInstance(outcome, StorageError)
        self.assertEqual(self.index(), (1, 1, 1, 1))

    def test_an_index_that_refuses_is_left_in_peace(self) -> None:
        """It is tried again after a while though nothing else is to be written."""
        recording = self.bench.open()
        self.write(recording, 0)

        def refuse(index: Index) -> NoReturn:
            raise StorageError(StorageErrorKind.LOCKED, self.bench.folder, "busy")

        broken = self.patch(Index, "transaction", refuse)
        self.bench.monotonic_seconds += GATHER_SECONDS
        self.assertEqual(self.disk.index_delay(), 0.0)
        self.disk.process([])
        self.assertEqual(self.disk.index_delay(), INDEX_RETRY_SECONDS)
        broken.restore()
        self.disk.process([])
        self.assertEqual((self.disk._teller.delay(), self.index()), (None, (1, 1, 1, 1)))


class CatchUpTests(TellingCase):
    """Whoever asks sees all; what was told for them needs not be synced to be safe."""

    def test_who_asks_sees_all(self) -> None:
        """What waits is told when somebody asks, and not a second time."""
        recording = self.bench.open()
        self.write(recording, 0)
        self.write(recording, 1)
        self.disk.catch_up()
        self.assertEqual((self.transactions, self.index()), (1, (1, 2, 1, 1)))
        self.disk.catch_up()
        self.bench.monotonic_seconds += GATHER_SECONDS
        self.disk.process([])
        self.assertEqual(self.transactions, 1)
        self.assertIsNone(self.bench.close(recording))
        self.disk.catch_up()
        self.assertEqual(self.index(), (1, 2, 0, 0))

    def test_who_asks_for_recordings(self) -> None:
        """A list of recordings shows no blocks and gaps, and does not have them told."""
        catch_up = self.disk.premises().catch_up
        recording = self.bench.open()
        self.write(recording, 0)
        catch_up(recordings_only=True)
        self.assertEqual((self.transactions, self.index()), (1, (1, 1, 1, 1)))
        self.write(recording, 1, (Gap(START_US, START_US + 5, GapReason.PACKETS_LOST, 7),))
        catch_up(recordings_only=True)
        self.assertEqual((self.transactions, self.index()), (1, (1, 1, 1, 1)))
        self.bench.close(recording)
        catch_up(recordings_only=True)
        self.assertEqual((self.transactions, self.index()), (2, (1, 2, 0, 0)))

    def test_in_another_thread(self) -> None:
        """It is done by whoever asks, while the writer goes on; nothing is told twice or lost."""
        recordings = [self.bench.open() for _ in range(4)]
        gaps = [Gap(START_US + at, START_US + at, GapReason.PACKETS_LOST, at) for at in range(6)]
        is_over = Event()

        def ask() -> None:
            while not is_over.wait(0.002):
                self.disk.catch_up()

        threads = [Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(6):
            for recording in recordings:
                self.write(recording, number, (gaps[number],))
        is_over.set()
        for thread in threads:
            thread.join()
        self.disk.catch_up()
        self.assertEqual(self.index(), (4, 24, 4, 4))
        for recording in recordings:
            self.assertEqual(self.gaps(recording), gaps)

    def test_an_index_that_refuses_who_asks(self) -> None:
        """Who asks is shown what is there, and does not hold up the writer, nor ask on and on."""
        self.write(self.bench.open(), 0)
        tries = []

        def refuse(index: Index) -> NoReturn:
            tries.append(index)
            raise StorageError(StorageErrorKind.LOCKED, self.bench.folder, "busy")

        broken = self.patch(Index, "transaction", refuse)
        self.disk.catch_up()
        self.disk.catch_up()
        self.assertEqual(len(tries), 1)
        broken.restore()
        self.bench.monotonic_seconds += INDEX_RETRY_SECONDS
        self.disk.catch_up()
        self.assertEqual(self.index(), (1, 1, 1, 1))

    def test_a_disk_that_is_closed(self) -> None:
        """Asking comes too late there, and does no harm."""
        self.write(self.bench.open(), 0)
        catch_up = self.disk.catch_up
        self.disk.stop()
        catch_up()


class CrashTests(SynchronousTestCase):
    @proves(
        2,
        fault="the recorder is killed",
        moment="while the rows of many recordings and blocks wait",
        outcome="every acknowledged group of every camera is there after the next start",
    )
    def test_while_rows_wait(self) -> None:
        """The index knows one camera's recording and not the other's; blocks of neither but one."""
        cameras = ("front", "yard", "door")
        files = FaultFiles(new_disk())
        story = Story(files, CHORES)
        story.start()
        story.do_chores()  # a new disk is not to be rebuilt any more
        self.assertIsNone(story.disk.place.index.state(REBUILD_STATE))
        story.open("front")
        story.write(group(0, name="front"))
        story.disk.catch_up()
        for camera in cameras[1:]:
            story.open(camera)
        for number in range(1, 9):  # blocks in the folders of three hours
            at = 900 * number
            story.write_all(*((name, group(at, name=name)) for name in cameras))
        story.close("door")
        index = story.disk.place.index
        self.assertEqual((len(list(index.recordings())), len(list(index.blocks()))), (1, 1))
        promised = promises(files.log, len(files.log))
        self.assertEqual(len(promised), 26)
        files.unmount()
        look_after(live(files.log).current(), promised, CHORES).unmount()

    @proves(
        8,
        fault="the recorder is killed",
        moment="while gaps, and the rows of the blocks that tell them, wait",
        outcome="the gaps of blocks that have ended are in the index after the next start",
    )
    def test_gaps_of_blocks_that_ended(self) -> None:
        """A block's tags tell them, be its row there, open, or not there at all."""
        gaps = [
            Gap(START_US + at * SECOND, START_US + (at + 1) * SECOND, GapReason.PACKETS_LOST, at)
            for at in (1, 401)
        ]
        files = FaultFiles(new_disk())
        story = Story(files, CHORES)
        story.start()
        story.do_chores()
        story.open()
        story.write(group(0))
        story.disk.catch_up()
        story.note_gap(gaps[0])
        story.write(group(400, gaps=[gaps[1]]))
        story.write(group(800))
        name = story.recording().recording_id
        self.assertEqual(list(story.disk.place.index.gaps(name)), [])
        files.unmount()
        again = Story(look_after(live(files.log).current(), [], CHORES))
        again.start()
        found = [gap for gap in again.disk.place.index.gaps(name) if gap in gaps]
        again.files.unmount()
        self.assertEqual(found, gaps)
