"""``check --repair``: what can be mended is, nothing is lost by it, and the rest is told."""

import os
import sqlite3
from pathlib import Path
from typing import cast

from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Finding, FindingKind
from axis_nvr.storage.checking.mending import DiskMender, finish_open
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.repair import strays
from tests.durability import proves
from tests.storage.checking_case import SECOND, SEGMENT, DiskOfOneBlock
from tests.storage.damage import damage_of
from tests.storage.making import START_US, Bench, video_gop


class MendingTests(DiskOfOneBlock):
    def mend(self) -> list[Finding]:
        """Mend the disk; give what was found."""
        files = cast(IFiles, Files())
        index = Index.open(files, self.folder / "index.db", START_US)
        try:
            premises = Premises(files, self.folder, index, lambda: START_US / 1e6, lambda: ())
            finish_open(premises)
            check = DiskCheck(files, self.folder, index, mender=DiskMender(premises))
            return [found for found in check.run() if isinstance(found, Finding)]
        finally:
            index.close()

    def assert_mended(self, *kinds: str) -> None:
        """All that is found is of these kinds, is mended, and is then no more."""
        findings = self.mend()
        self.assertEqual({str(finding.kind) for finding in findings}, set(kinds))
        self.assertEqual([finding for finding in findings if not finding.mended], [])
        self.assertEqual(self.check(), [])

    def rows(self) -> list[tuple[object, ...]]:
        """The rows of recordings and blocks."""
        connection = sqlite3.connect(self.folder / "index.db")
        try:
            blocks = connection.execute(
                "SELECT filename, path, starttime, stoptime, filesize FROM blocks"
            )
            recordings = connection.execute(
                "SELECT filename, path, starttime, stoptime FROM recordings"
            )
            return [*blocks, *recordings]
        finally:
            connection.close()

    def test_nothing_to_mend(self) -> None:
        """A disk that is well is not written to."""
        before = {
            path: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in self.folder.rglob("2*.*")
            if path.is_file()
        }
        self.assert_mended()
        for path, (data, changed) in before.items():
            self.assertEqual((path.read_bytes(), path.stat().st_mtime_ns), (data, changed))

    @proves(4, fault="XML lost or wrong", moment="any", outcome="made anew from media and index")
    def test_xml(self) -> None:
        """XML that is missing, damaged or wrong is written anew as it was."""
        xml, recording = self.xml.read_bytes(), self.recording_xml.read_bytes()
        self.xml.unlink()
        self.recording_xml.unlink()
        self.assert_mended("xml-missing")
        self.assertEqual(self.xml.read_bytes(), xml)
        self.xml.write_bytes(b"<no")
        self.recording_xml.write_bytes(b"")
        self.assert_mended("xml-damaged")
        self.assertEqual(self.xml.read_bytes(), xml)
        self.xml.write_bytes(xml.replace(b"Complete", b"Recording"))
        self.recording_xml.write_bytes(recording.replace(b":15.012345Z", b":16.012345Z"))
        self.assert_mended("xml-differs")
        self.assertEqual(self.recording_xml.read_bytes(), recording)
        self.recording_xml.write_bytes(recording.replace(b"A000", b"B000"))
        self.assert_mended("xml-differs")
        self.assertEqual(self.recording_xml.read_bytes(), recording)

    @proves(4, fault="a row is wrong", moment="any", outcome="made to agree with the file")
    def test_rows_that_differ(self) -> None:
        """Rows are made to agree with the file."""
        before = self.rows()
        self.change_row(
            "UPDATE blocks SET filesize = 7, starttime = '2024-05-06T07:08:08.000000Z',"
            " stoptime = '2024-05-06T07:08:07.000000Z'"
        )
        self.assert_mended(
            "size-differs",
            "time-differs",
            "xml-differs",
            "stop-before-start",
            "time-disorder",
        )
        self.assertEqual(self.rows(), before)

    def test_a_recording_whose_times_differ(self) -> None:
        """A recording begins and ends with its blocks."""
        before = self.rows()
        self.change_row("UPDATE recordings SET starttime = '2024-05-06T07:08:08.000000Z'")
        findings = self.mend()
        self.assertEqual([finding for finding in findings if not finding.mended], [])
        self.assertEqual(self.rows(), before)

    @proves(4, fault="a row is lost", moment="any", outcome="taken in again")
    def test_what_the_index_does_not_know(self) -> None:
        """A block, and a whole recording, are taken in as they were."""
        before = self.rows()
        self.change_row("DELETE FROM blocks", "DELETE FROM recordings")
        findings = self.mend()
        self.assertEqual([finding for finding in findings if not finding.mended], [])
        self.assertEqual(self.check(), [])
        self.assertEqual(self.rows(), before)

    def test_leftovers(self) -> None:
        """What holds no media and belongs to nothing is removed, in old recordings too."""
        self.patch(strays, "NEWEST_ROWS", 0)  # as if many had been written since
        names = [f".{self.xml.name}.tmp", "20240506_070900_0001.xml"]
        for name in names:
            self.block.with_name(name).write_bytes(b"x")
        self.recording_xml.with_name(".recording.xml.tmp").write_bytes(b"")
        self.assert_mended("leftover")

    @proves(8, fault="a file vanished", moment="check --repair", outcome="a gap in its place")
    def test_a_row_without_file(self) -> None:
        """A row whose file is gone goes too, and a gap says what is missing."""
        data = self.block.read_bytes()
        other = self.block.with_name("20240506_070809_B000.mkv")
        other.write_bytes(data)
        other.with_suffix(".xml").write_bytes(self.xml.read_bytes().replace(b"A001", b"B000"))
        self.mend()
        self.block.unlink()
        findings = self.mend()
        self.assertIn(FindingKind.FILE_MISSING, [finding.kind for finding in findings])
        connection = sqlite3.connect(self.folder / "index.db")
        gaps = connection.execute(
            "SELECT start_us, end_us, reason, detail FROM nvr_gaps"
        ).fetchall()
        connection.close()
        gone = f"the file of block {self.block.stem} is gone"
        self.assertEqual(gaps, [(START_US, START_US + 6 * SECOND, "damaged", gone)])
        self.assertEqual(self.check(), [])

    def test_an_unfinished_block(self) -> None:
        """A block that waits for repair is finished."""
        good = str(self.clusters[2])
        text = "INSERT INTO nvr_unfinished SELECT id, GOOD, 'x' FROM blocks"
        self.change_row(text.replace("GOOD", good))
        self.block.write_bytes(self.data[: self.clusters[2] + 30])
        self.assertEqual([finding for finding in self.mend() if not finding.mended], [])
        self.assertEqual(self.check(), [])
        self.assertTrue(self.block.read_bytes()[self.clusters[0] :].startswith(b"\x1f\x43\xb6\x75"))

    def test_a_truncated_file(self) -> None:
        """A file that lost its end is finished behind its last whole cluster."""
        self.block.write_bytes(self.data[: self.clusters[2] + 30])
        self.assertEqual([finding for finding in self.mend() if not finding.mended], [])
        self.assertEqual(self.check(), [])

    def test_ends_and_front(self) -> None:
        """Cues, Tags and what stands before Tracks are written anew where clusters are whole."""
        cues = self.data.rindex(b"\x1c\x53\xbb\x6b")
        good = bytes(self.data)
        segment = self.data.index(SEGMENT)
        for at in (0, 2, 10, self.data.index(b"matroska"), segment + 1, segment + 10, cues + 40):
            self.flip(at)
            self.assertEqual([f for f in self.mend() if not f.mended], [], at)
            self.assertEqual(self.check(), [], at)
            clusters = self.block.read_bytes()[self.clusters[0] : cues]
            self.assertEqual(clusters, good[self.clusters[0] : cues])
            self.data = bytearray(self.block.read_bytes())

    @proves(6, fault="a bit flips in a picture", moment="check --repair", outcome="noted, kept")
    def test_damage_stays_and_is_noted(self) -> None:
        """Damaged media are left as they are; the index says what readers pass over."""
        self.flip(self.clusters[1] + 50)
        bent = bytes(self.data)
        (finding,) = self.mend()
        self.assertEqual((finding.kind, finding.mended), (FindingKind.CLUSTER_DAMAGED, ""))
        self.assertEqual(self.block.read_bytes(), bent)
        index = Index.open_read_only(cast(IFiles, Files()), self.folder / "index.db")
        losses = damage_of(index, self.block.stem)
        index.close()
        self.assertEqual(losses, [finding.loss])

    def test_what_cannot_be_mended(self) -> None:
        """A row that is nonsense is told and left."""
        self.change_row("UPDATE blocks SET path = '../..'")
        self.assertIn(("bad-row", ""), [(str(f.kind), f.mended) for f in self.mend()])

    def test_no_media_is_ever_removed(self) -> None:
        """Whatever is wrong with papers and rows, the media's clusters stay byte for byte."""
        clusters = bytes(self.data[self.clusters[0] : self.data.rindex(b"\x1c\x53\xbb\x6b")])
        self.xml.unlink()
        os.unlink(self.recording_xml)
        self.change_row("UPDATE blocks SET filesize = 0", "DELETE FROM recordings WHERE 0")
        self.mend()
        self.assertIn(clusters, self.block.read_bytes())


class UncleanTests(DiskOfOneBlock):
    def test_an_open_recording(self) -> None:
        """What an unclean stop left open is closed first."""
        bench = Bench(self.mktemp())
        bench.disk.start()
        bench.write(bench.open(), video_gop(START_US))
        self.folder = Path(bench.folder)
        self.addCleanup(bench.disk.stop)  # never stopped before: as if it had died
        MendingTests.mend(self)  # type: ignore[arg-type]
        self.assertEqual(self.check(), [])
        connection = sqlite3.connect(self.folder / "index.db")
        query = "SELECT COUNT(*) FROM blocks WHERE stoptime IS NULL"
        self.assertEqual(connection.execute(query).fetchone(), (0,))
        connection.close()
