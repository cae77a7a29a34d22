"""A block that was not closed, closed: what is kept, what is cut, and stops in the middle of it."""

import errno
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.files import Files
from axis_nvr.storage.repair.block import FinishedBlock, Wanted, finish_block
from axis_nvr.storage.repair.gap_tags import parse_gap_text
from axis_nvr.storage.repair.survey import Unclear
from tests.durability import proves
from tests.storage.making import START_US, Bench, FailingFiles
from tests.storage.repair.making import (
    GAP,
    GROUP_US,
    SECOND,
    Unsynced,
    assert_closed,
    content,
    ends_of_clusters,
    killed,
    write_groups,
)

WANTED = Wanted(start_us=START_US, gaps=(GAP,))


class BlockCase(SynchronousTestCase):
    def setUp(self) -> None:
        bench = killed(self.mktemp(), 3)
        (self.path,) = bench.blocks()
        self.data = self.path.read_bytes()
        self.frames = content(self.path)
        self.ends = ends_of_clusters(self.path)

    def finish(self, data: bytes, wanted: Wanted = WANTED) -> FinishedBlock:
        """Finish a block of these bytes."""
        self.path.write_bytes(data)
        return finish_block(Unsynced(), self.path, wanted)


class FinishTests(BlockCase):
    @proves(
        5, fault="the process is killed", moment="between two groups", outcome="the block is closed"
    )
    def test_an_open_block_is_closed(self) -> None:
        """It gets Duration, Cues, Tags and its size; every frame is there."""
        done = self.finish(self.data)
        assert_closed(self.path)
        self.assertEqual(content(self.path), self.frames)
        self.assertEqual((done.start_us, done.stop_us), (START_US, START_US + 3 * GROUP_US))
        self.assertEqual(done.size_bytes, self.path.stat().st_size)
        end = Gap(done.stop_us, done.stop_us, GapReason.UNCLEAN_STOP)
        self.assertEqual(done.gaps, (GAP, end))
        with BlockReader(Files(), self.path) as block:
            texts = [text for _, text in block.tags()]
        self.assertEqual([parse_gap_text(text) for text in texts], [GAP, end])

    def test_it_is_as_if_its_writer_had_closed_it(self) -> None:
        """Byte for byte the same block, where nothing was lost."""
        bench = Bench(self.mktemp())
        bench.disk.start()
        self.addCleanup(bench.disk.stop)
        recording = bench.open()
        write_groups(bench, recording, 3)
        bench.close(recording)
        (closed,) = bench.blocks()
        self.finish(self.data, Wanted(start_us=START_US, gaps=(GAP,), is_unclean=False))
        self.assertEqual(self.path.read_bytes(), closed.read_bytes())

    @proves(
        5,
        fault="the process is killed",
        moment="behind the close of a block, before its XML",
        outcome="not a byte of it is written, nor its time changed",
    )
    def test_a_whole_block_is_not_touched(self) -> None:
        """Neither bytes nor the time of the last change."""
        self.finish(self.data)
        before = self.path.stat()
        done = finish_block(Files(), self.path, WANTED)
        after = self.path.stat()
        self.assertTrue(done.was_whole)
        self.assertEqual(
            (before.st_mtime_ns, before.st_size, before.st_ino),
            (after.st_mtime_ns, after.st_size, after.st_ino),
        )
        self.assertEqual(done.stop_us, START_US + 3 * GROUP_US)
        self.assertEqual(done.gaps[0], GAP)

    @proves(
        5,
        fault="power is lost",
        moment="at any byte of a group",
        outcome="the block ends with the last whole group",
    )
    def test_cut_anywhere(self) -> None:
        """All whole clusters are kept, nothing of the one that is cut."""
        for size in range(self.ends[0], len(self.data), 7):
            whole = sum(end <= size for end in self.ends)
            done = self.finish(self.data[:size])
            assert_closed(self.path)
            self.assertEqual(content(self.path), self.frames[: 5 * whole])
            self.assertEqual(done.cut_bytes, size - self.ends[whole - 1])

    def test_what_was_cut_is_told_with_its_time(self) -> None:
        """The gap goes up to the last picture that could be seen of it."""
        done = self.finish(self.data[:-10])
        (_, gap) = done.gaps
        self.assertEqual(gap.start_us, START_US + 2 * GROUP_US)
        self.assertEqual(gap.end_us, START_US + 2 * GROUP_US + SECOND)
        self.assertIn("bytes behind the last whole group", gap.detail)

    def test_zeros_at_the_end(self) -> None:
        """A file that is long enough, but was never filled, is cut where its check says so."""
        for zeros in (1, 20, len(self.data) - self.ends[1] - 1):
            self.finish(self.data[:-zeros] + bytes(zeros))
            assert_closed(self.path)
            self.assertEqual(content(self.path), self.frames[:10])

    @proves(
        5,
        fault="power is lost",
        moment="between two groups of one sync, the second kept and the first not",
        outcome="a Void covers the first, the second is kept",
    )
    def test_broken_before_something_good(self) -> None:
        """A broken cluster, its header or what is in it, is covered; those behind it stay."""
        for at in (self.ends[0], self.ends[0] + 30):
            data = bytearray(self.data)
            data[at : at + 4] = bytes(4)
            done = self.finish(bytes(data))
            self.assertEqual(content(self.path), self.frames[:5] + self.frames[10:])
            self.assertEqual(done.holes, 1)
            self.assertEqual(done.gaps[1].reason, GapReason.UNCLEAN_STOP)
            with BlockReader(Files(), self.path) as block:
                self.assertEqual([s.id for s in block.spans()][1], 0xEC)
            self.assertTrue(finish_block(Files(), self.path, WANTED).was_whole)

    def test_only_what_is_known_to_be_good(self) -> None:
        """After a failed sync, what the disk was not sure of is not taken, however whole."""
        wanted = Wanted(start_us=START_US, stop_us=START_US + GROUP_US, good_bytes=self.ends[0])
        done = self.finish(self.data, wanted)
        self.assertEqual(content(self.path), self.frames[:5])
        self.assertEqual(done.stop_us, START_US + GROUP_US)

    def test_nothing_good(self) -> None:
        """A block without a whole cluster is left as it is."""
        for data in (b"", self.data[:20], self.data[: self.ends[0] - 1], bytes(5000)):
            self.assertRaises(Unclear, self.finish, data)
            self.assertEqual(self.path.read_bytes(), data)

    def test_a_long_tail_is_no_group_in_flight(self) -> None:
        """What a stop cannot have left is not cut off."""
        self.path.write_bytes(self.data)
        with self.path.open("r+b") as file:
            file.truncate(1 << 40)  # sparse
        self.assertRaises(Unclear, finish_block, Files(), self.path, WANTED)
        self.assertEqual(self.path.stat().st_size, 1 << 40)

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(st.integers(0, 10_000), st.integers(1, 600), st.randoms(use_true_random=False))
    def test_any_bytes_bent(self, at: int, count: int, random: Random) -> None:
        """However it is bent: closed, or not understood and left; what was good is never lost."""
        data = bytearray(self.data)
        at %= len(data)
        bent = bytes(random.randrange(256) for _ in range(min(count, len(data) - at)))
        data[at : at + len(bent)] = bent
        try:
            self.finish(bytes(data))
        except Unclear:
            self.assertEqual(self.path.read_bytes(), bytes(data))
            return
        assert_closed(self.path)
        starts = [0, *self.ends]
        kept = content(self.path)
        for nth, (begin, end) in enumerate(zip(starts, self.ends, strict=False)):
            if end <= at or begin >= at + len(bent):
                self.assertTrue(set(self.frames[5 * nth : 5 * nth + 5]) <= set(kept))


class InterruptedTests(BlockCase):
    """Repair is stopped at each of its calls, and begun again."""

    @proves(
        5,
        fault="the process is killed",
        moment="at any step of a repair",
        outcome="the next repair ends where this one would have",
    )
    def test_each_call_may_be_the_last(self) -> None:
        """Done again, it ends with the same bytes."""
        torn = self.data[:-10]
        self.finish(torn)
        expected = self.path.read_bytes()
        stops = 0
        for operation in ("truncate", "pwrite", "sync"):
            for skip in range(4):
                self.path.write_bytes(torn)
                files = FailingFiles()
                files.fail(operation, skip=skip, error=lambda: OSError(errno.EIO, "I/O error"))
                try:
                    finish_block(files, self.path, WANTED)
                except StorageError:
                    stops += 1
                    self.assertEqual(content(self.path), self.frames[:10])
                finish_block(Files(), self.path, WANTED)
                self.assertEqual(content(self.path), self.frames[:10])
                assert_closed(self.path)
        self.assertEqual(stops, 1 + 2 + 2)
        self.assertEqual(len(expected), self.path.stat().st_size)

    @proves(
        5,
        fault="power is lost",
        moment="while the front is written, by the bytes kept",
        outcome="the front is known again and written anew",
    )
    def test_a_front_that_is_a_mixture(self) -> None:
        """Closed up to any byte and open behind it, or the other way round."""
        self.finish(self.data)
        closed = self.path.read_bytes()
        with BlockReader(Files(), self.path) as block:
            front = block.segment_start + 300
        for at in range(0, front, 9):
            for data in (
                closed[:at] + self.data[at:front] + closed[front:],
                self.data[:at] + closed[at:front] + closed[front:],
            ):
                self.finish(data)
                assert_closed(self.path)
                self.assertEqual(content(self.path), self.frames)
