"""Folders and files that go while they are recorded to."""

import shutil
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import GapReason
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import BlockRow, Index, RecordingRow
from axis_nvr.storage.recording import RecordingWriter
from tests.durability import proves
from tests.storage.making import START_US, Bench, video_gop

SECOND = 1_000_000


class VanishedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = Bench(self.mktemp())
        self.bench.disk.start()
        self.recording = self.bench.open()
        self.addCleanup(self.bench.disk.stop)

    def write(self, second: int, recording: RecordingWriter | None = None) -> object:
        (outcome,) = self.bench.write(
            recording or self.recording, video_gop(START_US + second * SECOND)
        )
        return outcome

    def rows(self) -> tuple[list[RecordingRow], list[BlockRow]]:
        index = Index.open_read_only(Files(), self.bench.folder / "index.db")
        try:
            return list(index.recordings()), list(index.blocks())
        finally:
            index.close()

    def folder_of(self, recording: RecordingWriter) -> Path:
        (folder,) = self.bench.folder.rglob(recording.recording_id)
        return folder

    @proves(
        3,
        fault="rm -rf of a recording's folder",
        moment="while it is recorded",
        outcome="its rows go, the group is a gap, the recording goes on in a new folder",
    )
    def test_the_folder_of_a_recording(self) -> None:
        """What was in it is gone, and nothing names it; what comes after is there, XML and all."""
        self.assertIsNone(self.write(0))
        folder = self.folder_of(self.recording)
        shutil.rmtree(folder)
        outcome = self.write(2)
        assert isinstance(outcome, StorageError)
        self.assertEqual(outcome.kind, StorageErrorKind.FAILED)
        self.assertIn("somebody removed the block", str(outcome))
        self.assertEqual(self.rows()[1], [])
        self.assertIsNone(self.write(4))
        (row,), (block,) = self.rows()
        self.assertEqual((block.start_us, row.stop_us), (START_US + 4 * SECOND, None))
        self.assertTrue((folder / "recording.xml").exists())
        self.assertIsNone(self.bench.close(self.recording))
        self.assertEqual([path.stem for path in self.bench.blocks()], [block.block_id])
        index = Index.open_read_only(Files(), self.bench.folder / "index.db")
        gaps = [(gap.start_us, gap.end_us, gap.reason) for gap in index.gaps(row.recording_id)]
        index.close()
        lost = (START_US + 2 * SECOND, START_US + 4 * SECOND, GapReason.FAILED_DISK)
        self.assertEqual(gaps, [lost])

    def test_the_folder_of_a_recording_that_ends(self) -> None:
        """A recording of which nothing is left is not left in the index."""
        self.write(0)
        shutil.rmtree(self.folder_of(self.recording))
        self.write(2)
        self.assertIsNone(self.bench.close(self.recording))
        self.assertEqual(self.rows(), ([], []))

    @proves(
        2,
        fault="an empty day or hour folder is removed",
        moment="between two blocks",
        outcome="the writer makes it again",
    )
    def test_empty_folders(self) -> None:
        """Retention removes what is empty, also what a new block is about to go into."""
        self.write(0)
        self.bench.close(self.recording)
        for path in self.bench.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        again = self.bench.open()
        self.assertIsNone(self.write(2, again))
        self.assertEqual(len(self.bench.blocks()), 1)

    @proves(
        3,
        fault="an open block is moved away, or another file put in its place",
        moment="while recording",
        outcome="the group is not acknowledged; recording goes on in a new block",
    )
    def test_another_file_in_its_place(self) -> None:
        """Bytes that go to a file of another name are not acknowledged."""
        self.write(0)
        (path,) = self.bench.blocks()
        path.rename(path.with_suffix(".away"))
        path.write_bytes(b"something else")
        outcome = self.write(2)
        assert isinstance(outcome, StorageError)
        self.assertIn("another file has taken the name", str(outcome))
        self.assertEqual(path.read_bytes(), b"something else")
        self.assertIsNone(self.write(4))

    def test_a_recording_whose_row_is_gone(self) -> None:
        """When all its blocks were removed and it with them, the next block brings it back."""
        self.write(0)
        index = self.bench.disk.place.index
        (block,) = self.rows()[1]
        with index.transaction():
            index.drop_block(block.block_id)
            index.drop_recording(self.recording.recording_id)
        self.write(400)
        self.bench.tell_index()
        (row,), (block,) = self.rows()
        self.assertEqual(block.recording_id, row.recording_id)
