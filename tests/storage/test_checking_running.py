"""Checking a disk that is recorded to meanwhile: what changes is not taken for damage."""

from pathlib import Path
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Finding, FindingKind
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index, RecordingRow
from axis_nvr.storage.schema import REBUILD_STATE
from tests.storage.checking_case import SECOND
from tests.storage.making import START_US, Bench, video_gop


class RunningDiskTests(SynchronousTestCase):
    """A disk that is being recorded to."""

    def setUp(self) -> None:
        self.bench = Bench(self.mktemp())
        self.bench.disk.start()
        self.addCleanup(self.bench.disk.stop)
        self.recording = self.bench.open()
        self.bench.write(self.recording, video_gop(START_US))
        self.bench.write(self.recording, video_gop(START_US + 2 * SECOND))
        self.index = Index.open_read_only(self.bench.files, self.bench.folder / "index.db")
        self.addCleanup(self.index.close)

    def check(self, files: Files | None = None) -> list[Finding]:
        given_files = cast(IFiles, files or Files())
        check = DiskCheck(given_files, self.bench.folder, self.index, wait=lambda seconds: None)
        return [found for found in check.run() if isinstance(found, Finding)]

    def test_an_open_block(self) -> None:
        """A block that is being written is well as far as it goes, cut anywhere in its tail."""
        self.assertEqual(self.check(), [])
        (block,) = self.bench.blocks()
        data = block.read_bytes()
        for size in range(len(data) - 20, len(data)):
            block.write_bytes(data[:size])
            self.assertEqual(self.check(), [], size)
        block.write_bytes(data)

    def test_closed_meanwhile(self) -> None:
        """A block that is closed while it is checked is checked as what it is then."""
        bench, recording = self.bench, self.recording

        class Closing(Files):
            def open_read(self, path: Path) -> int:
                if path.suffix == ".mkv" and recording.recording_id in bench.disk.recordings:
                    bench.close(recording)
                return super().open_read(path)

        self.assertEqual(self.check(Closing()), [])

    def test_removed_meanwhile(self) -> None:
        """A block whose row goes, and then its files, while it is checked is no finding."""
        bench, index = self.bench, self.bench.disk.place.index
        bench.close(self.recording)
        (block,) = bench.blocks()

        class Removing(Files):
            def open_read(self, path: Path) -> int:
                if path.suffix == ".mkv" and block.exists():
                    with index.transaction():
                        index.drop_block(block.stem)
                    block.unlink()
                    block.with_suffix(".xml").unlink()
                return super().open_read(path)

        found = [finding.kind for finding in self.check(Removing())]
        self.assertEqual(found, [])

    def test_begun_meanwhile(self) -> None:
        """A recording whose files come before its row, or go again, is no finding."""
        folder, index = self.bench.blocks()[0].parents[2], self.bench.disk.place.index
        names = [f"20240506_070900_000{digit}_ACCC8E012345" for digit in (2, 3)]
        for name in names:
            (folder / name).mkdir()

        def wait(seconds: float) -> None:
            (folder / names[0]).rmdir()
            with index.transaction():
                index.add_recording(RecordingRow(names[1], START_US, None, "", "", "", ""))

        check = DiskCheck(cast(IFiles, Files()), self.bench.folder, self.index, wait=wait)
        self.assertEqual([one for one in check.run() if isinstance(one, Finding)], [])

    def test_rows_that_wait(self) -> None:
        """What the index has not been told yet is no finding: a recorder that is asked tells it."""
        index = self.bench.disk.place.index
        with index.transaction():
            index.set_state(REBUILD_STATE, None)
        self.bench.is_told = False
        more = self.bench.open()
        for at in (400, 800):
            for recording in (self.recording, more):
                self.bench.write(recording, video_gop(START_US + at * SECOND))
        self.bench.close(more)
        kinds = [found.kind for found in self.check()]
        self.assertEqual(kinds, [FindingKind.NOT_INDEXED] * 3, "two blocks and a recording")
        check = DiskCheck(
            cast(IFiles, Files()),
            self.bench.folder,
            self.index,
            wait=lambda seconds: None,
            catch_up=self.bench.disk.catch_up,
        )
        self.assertEqual([one for one in check.run() if isinstance(one, Finding)], [])
