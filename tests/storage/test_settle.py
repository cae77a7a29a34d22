"""After a kill: what an earlier run left open is told honestly, and its files are left alone."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.block_reader import measure
from axis_nvr.storage.files import Files
from axis_nvr.storage.settle import DOUBTFUL_BYTES
from tests.storage.making import START_US, Bench, video_gop

SECOND = 1_000_000


class KilledTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.mktemp()
        bench = Bench(self.folder)
        bench.disk.start()
        self.recording = bench.open()
        self.sizes = []
        for at in range(3):
            bench.write(self.recording, video_gop(START_US + at * 2 * SECOND))
            self.sizes.append(bench.blocks()[0].stat().st_size)
        (self.block,) = bench.blocks()
        self.xml = self.block.with_suffix(".xml").read_bytes()
        bench.disk.place.index.close()  # as far as the disk can tell, the process died here
        bench.disk._unlock()

    def restart(self) -> Bench:
        bench = Bench(self.folder)
        self.settled = bench.disk.start()
        self.addCleanup(bench.disk.stop)
        return bench

    def test_rows_are_closed(self) -> None:
        """Recording and block stop with the last picture; the block is noted as unfinished."""
        index = self.restart().disk.place.index
        self.assertEqual(self.settled, [self.recording.recording_id])
        (row,), (block,) = index.recordings(), index.blocks()
        self.assertEqual(row.stop_us, START_US + 5_500_000)
        self.assertEqual(block.stop_us, START_US + 5_500_000)
        self.assertEqual((block.size_bytes, block.unfinished), (self.sizes[2], self.sizes[2]))
        self.assertEqual(self.block.with_suffix(".xml").read_bytes(), self.xml)

    def test_a_cut_tail_is_not_counted(self) -> None:
        """Half a cluster at the end is no part of the block."""
        self.block.write_bytes(self.block.read_bytes()[:-10])
        (block,) = self.restart().disk.place.index.blocks()
        self.assertEqual((block.unfinished, block.stop_us), (self.sizes[1], START_US + 3_500_000))

    def test_zeros_after_a_power_cut(self) -> None:
        """A file that is long enough, but was never filled, is seen by its check."""
        data = bytearray(self.block.read_bytes())
        data[-10:] = bytes(10)
        self.block.write_bytes(data)
        (block,) = self.restart().disk.place.index.blocks()
        self.assertEqual(block.unfinished, self.sizes[1])

    def test_a_block_without_its_file(self) -> None:
        """The index points at no bytes that are not there."""
        self.block.unlink()
        index = self.restart().disk.place.index
        self.assertEqual((list(index.recordings()), list(index.blocks())), ([], []))

    def test_a_new_recording_after_it(self) -> None:
        """The disk goes on as if nothing had happened; the settled recording stays as it is."""
        bench = self.restart()
        recording = bench.open()
        bench.write(recording, video_gop(START_US + 60 * SECOND))
        bench.close(recording)
        rows = list(bench.disk.place.index.recordings())
        self.assertEqual(len({row.recording_id for row in rows}), 2)
        self.assertEqual(self.block.stat().st_size, self.sizes[2])

    def test_only_doubtful_clusters_are_read(self) -> None:
        """What was synced long ago is walked over, not read."""
        data = bytearray(self.block.read_bytes())
        data[self.sizes[0] + 40] ^= 0xFF  # in the second cluster
        self.block.write_bytes(data)
        extent = measure(Files(), self.block, self.sizes[2] - self.sizes[1])
        self.assertEqual(extent.good_bytes, self.sizes[2])
        extent = measure(Files(), self.block, DOUBTFUL_BYTES)
        self.assertEqual(extent.good_bytes, self.sizes[0])

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(st.integers(0, 10_000), st.booleans())
    def test_any_end_is_measured(self, at: int, flip: bool) -> None:
        """Cut anywhere or bent anywhere: a whole number of clusters, or none and an error."""
        data = bytearray(self.block.read_bytes())
        at %= len(data)
        if flip:
            data[at] ^= 0x55
        else:
            del data[at:]
        path = self.block.with_name("bent.mkv")
        path.write_bytes(data)
        try:
            extent = measure(Files(), path, DOUBTFUL_BYTES)
        except StorageError as error:
            self.assertEqual(error.kind, StorageErrorKind.CORRUPT)
        else:
            self.assertIn(extent.good_bytes, self.sizes)


class LockTests(SynchronousTestCase):
    def test_a_disk_has_one_writer(self) -> None:
        """A second recorder on the same folder is refused, and works once the first has gone."""
        folder = self.mktemp()
        first, second = Bench(folder), Bench(folder)
        first.disk.start()
        error = self.assertRaises(StorageError, second.disk.start)
        self.assertEqual(error.kind, StorageErrorKind.LOCKED)
        first.disk.stop()
        second.disk.start()
        second.disk.stop()
