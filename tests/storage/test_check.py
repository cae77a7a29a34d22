"""Checking a disk: each kind of damage is found and named."""

import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.check import Finding, check_disk
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from tests.storage.making import START_US, Bench, video_gop

SECOND = 1_000_000


class CheckTests(SynchronousTestCase):
    def setUp(self) -> None:
        bench = Bench(self.mktemp())
        bench.disk.start()
        recording = bench.open()
        for at in range(3):
            bench.write(recording, video_gop(START_US + at * 2 * SECOND))
        bench.close(recording)
        bench.disk.stop()
        self.folder = bench.folder
        self.recording_id = recording.recording_id
        (self.block,) = bench.blocks()
        self.data = bytearray(self.block.read_bytes())

    def check(self) -> list[Finding]:
        index = Index.open_read_only(Files(), self.folder / "index.db")
        try:
            return list(check_disk(Files(), self.folder, index))
        finally:
            index.close()

    def only(self) -> str:
        """The one thing found, which must name recording and block."""
        (finding,) = self.check()
        self.assertEqual(finding.recording_id, self.recording_id)
        self.assertEqual(finding.block_id, self.block.stem)
        return finding.message

    def change_row(self, text: str) -> None:
        connection = sqlite3.connect(self.folder / "index.db")
        connection.execute(text)
        connection.commit()
        connection.close()

    def test_all_well(self) -> None:
        """A disk as it was written has nothing to be found."""
        self.assertEqual(self.check(), [])

    def test_a_flipped_bit(self) -> None:
        """Silent damage is named by recording, block and time; what follows is not blamed."""
        second = self.data.index(b"%d/2" % (START_US + 2 * SECOND))
        self.data[second] ^= 1
        self.block.write_bytes(self.data)
        (finding,) = self.check()
        self.assertIn("CRC-32", finding.message)
        self.assertEqual(finding.utc_us, START_US + 2 * SECOND)
        self.assertIn(f"{self.recording_id}/{self.block.stem} at 2024-05-06T07:08:11", str(finding))

    def test_every_byte_is_watched(self) -> None:
        """Whatever byte is changed behind the EBML header, which has no check, it is found."""
        unwatched = []
        for at in range(0, len(self.data), 7):
            bent = bytearray(self.data)
            bent[at] ^= 0xFF
            self.block.write_bytes(bent)
            if not self.check():
                unwatched.append(at)
        self.assertEqual([at for at in unwatched if at >= self.data.index(b"\x18\x53\x80\x67")], [])

    def test_a_cut_file(self) -> None:
        """A file shorter than the index says is found."""
        self.block.write_bytes(self.data[:-300])
        self.assertIn("bytes long", " ".join(f.message for f in self.check()))

    def test_a_missing_file(self) -> None:
        """The index points at bytes that are not there."""
        self.block.unlink()
        self.assertIn("No such file", self.only())

    def test_missing_xml(self) -> None:
        """A block without its XML, a recording without its own."""
        self.block.with_suffix(".xml").unlink()
        self.assertIn("XML", self.only())
        (self.folder / "20240506/07" / self.recording_id / "recording.xml").unlink()
        self.assertEqual(len(self.check()), 2)

    def test_xml_of_another(self) -> None:
        """XML that contradicts the index."""
        xml = self.block.with_suffix(".xml")
        xml.write_bytes(xml.read_bytes().replace(b"Complete", b"Recording"))
        self.assertIn("Recording", self.only())
        xml.write_bytes(xml.read_bytes().replace(b"<Status>Recording", b"<!DOCTYPE a><Status>"))
        self.assertIn("DOCTYPE", self.only())

    def test_what_the_index_does_not_know(self) -> None:
        """Recordings and blocks that only the files show."""
        stranger = self.block.with_name("20240506_070900_0001.mkv")
        stranger.write_bytes(self.data)
        (self.folder / "20240506/07/20240506_070900_0002_ACCC8E012345").mkdir()
        found = {(f.recording_id[16:20], f.block_id[16:], f.message) for f in self.check()}
        self.assertEqual(
            found, {("A000", "0001", "not in the index"), ("0002", "", "not in the index")}
        )

    def test_an_index_that_leads_astray(self) -> None:
        """A row with a path in it opens no file outside of the disk."""
        self.change_row("UPDATE blocks SET path = '../../../..'")
        self.assertIn("no block id", [finding.message for finding in self.check()])

    def test_times_that_differ(self) -> None:
        """Start times of row, XML and file are the same."""
        self.change_row("UPDATE blocks SET starttime = '2024-05-06T07:08:08.000000Z'")
        messages = " ".join(finding.message for finding in self.check())
        self.assertIn("DateUTC", messages)
        self.assertIn("its XML starts", messages)

    def test_an_unfinished_block(self) -> None:
        """One that waits for repair is told; its good part is checked all the same."""
        self.change_row("INSERT INTO nvr_unfinished SELECT id, 1, 'x' FROM blocks")
        self.assertIn("waits for repair", self.only())

    def test_a_disk_in_use(self) -> None:
        """A block that is being written is well as far as it goes."""
        bench = Bench(self.mktemp())
        bench.disk.start()
        bench.write(bench.open(), video_gop(START_US))
        self.folder = Path(bench.folder)
        self.assertEqual(self.check(), [])
        bench.disk.stop()
