"""Blocks that are known to be long enough with a group: they end in the write of that group."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError
from axis_nvr.media.gop import MAX_GOP_BYTES, Gop
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.xml import BlockStatus, parse_block
from tests.storage.making import START_US, Bench, video_gop

SECOND = 1_000_000


def at(seconds: float, duration_seconds: float = 2.0) -> Gop:
    """A group of four pictures."""
    step_us = int(duration_seconds * SECOND) // 4
    return video_gop(START_US + int(seconds * SECOND), step_us=step_us)


class LastGroupTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = Bench(self.mktemp())
        self.files = self.bench.files
        self.bench.disk.start()
        self.addCleanup(self.bench.disk.stop)
        self.recording = self.bench.open()
        self.write(at(0), at(4), at(8))
        for seconds in range(12, 296, 4):
            self.write(at(seconds, 4))
        self.files.calls.clear()

    def write(self, *gops: Gop) -> None:
        """Write groups, each of which is taken."""
        self.assertEqual(self.bench.write(self.recording, *gops), [None] * len(gops))

    def statuses(self) -> list[BlockStatus]:
        """What the XML of each block says, by name."""
        return [
            parse_block(it.with_suffix(".xml").read_bytes()).status for it in self.bench.blocks()
        ]

    def test_it_is_one_write(self) -> None:
        """Cues go out with the last group: the block costs the front, and the XML."""
        self.write(at(296, 4))
        self.assertEqual(self.statuses(), [BlockStatus.COMPLETE])
        self.assertEqual(self.files.count("writev", ".mkv"), 1)
        self.assertEqual(self.files.count("pwrite", ".mkv"), 1)
        self.assertEqual(self.files.count("writev", ".tmp"), 1)
        self.assertEqual(self.files.count("sync", ".mkv"), 1)
        self.write(at(300))
        self.assertEqual(self.statuses(), [BlockStatus.COMPLETE, BlockStatus.RECORDING])

    def test_the_block_is_whole(self) -> None:
        """Its Cues know every group, and its Duration ends with the last."""
        self.write(at(296, 4))
        with BlockReader(self.files, self.bench.blocks()[0]) as block:
            positions = [span.offset - block.segment_start for span in block.clusters()]
            self.assertEqual([cue.position for cue in block.cues() or ()], positions)
            self.assertEqual(block.info and block.info.duration_ms, 300_000)
            self.assertEqual(block.segment_end, block.size_bytes)

    def test_its_last_gap_is_told(self) -> None:
        """A gap of the last group is in this block's tags, and not in the next one's."""
        gap = Gap(START_US + 296 * SECOND, START_US + 297 * SECOND, GapReason.PACKETS_LOST, 3)
        self.write(replace(at(296, 4), gaps=[gap]), at(300))
        self.bench.close(self.recording)
        told = []
        for path in self.bench.blocks():
            with BlockReader(self.files, path) as block:
                told.append(len(block.tags()))
        self.assertEqual(told, [1, 0])

    def test_not_before_more_of_the_same_group(self) -> None:
        """What may be followed by another part of it does not end a block."""
        for last in (
            at(296, 12),  # so long that it went out in parts
            replace(at(296, 4), size_bytes=MAX_GOP_BYTES),
            replace(at(296, 4), complete=False),
            at(294, 3.9),
        ):
            recording = self.bench.open()
            for gop in (at(0), at(4), *(at(s, 4) for s in range(8, 296, 4)), last):
                self.bench.write(recording, gop)
            part = replace(at(last.end_us / SECOND - START_US / SECOND), starts_at_sync=False)
            self.assertEqual(self.bench.write(recording, part), [None])
            self.bench.close(recording)

    def blocks_after_failure(self, operation: str) -> list[int]:
        """Let an operation of the last group fail; give how many groups each block has then."""
        self.files.fail(operation, ".mkv")
        (outcome,) = self.bench.write(self.recording, at(296, 4))
        self.assertIsInstance(outcome, StorageError)
        self.write(at(300))
        self.assertIsNone(self.bench.close(self.recording))
        counts = []
        for path in self.bench.blocks():
            with BlockReader(self.files, path) as block:
                counts.append(len([block.read_cluster(span) for span in block.clusters()]))
        return counts

    def test_the_write_fails(self) -> None:
        """The group is lost as any other, and the block closed behind the one before."""
        self.assertEqual(self.blocks_after_failure("writev"), [74, 1])
        self.assertEqual(self.statuses(), [BlockStatus.COMPLETE] * 2)

    def test_the_front_cannot_be_written(self) -> None:
        """The group is taken back whole: it was not acknowledged."""
        self.assertEqual(self.blocks_after_failure("pwrite"), [74, 1])
        self.assertEqual(self.statuses(), [BlockStatus.COMPLETE] * 2)

    def test_the_sync_fails(self) -> None:
        """What is not known to be durable is cut off, and the block left for repair."""
        self.assertEqual(self.blocks_after_failure("sync"), [74, 1])
        self.assertEqual(self.statuses(), [BlockStatus.RECORDING, BlockStatus.COMPLETE])
