"""Checking a disk: each kind of damage is found and named."""

import random
import sqlite3
from pathlib import Path
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AudioFormat, Codec, Gap, GapReason
from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Finding, FindingKind, Looked, Loss
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index
from tests.durability import proves
from tests.storage.checking_case import CLUSTER, SECOND, SEGMENT, DiskOfOneBlock, FailingReads
from tests.storage.making import AUDIO, START_US, Bench, gop_of, sound_gop, unit, video_gop


class CheckTests(DiskOfOneBlock):
    def test_all_well(self) -> None:
        """A disk as it was written has nothing to be found, and all of it was read."""
        self.assertEqual(self.check(), [])
        end = self.data.rindex(b"\x1c\x53\xbb\x6b")
        self.assertEqual(self.looked, Looked(1, end - self.clusters[0]))
        self.assertEqual(self.waits, [])

    @proves(6, fault="a bit flips in a picture", moment="any", outcome="named with its time")
    def test_a_flipped_bit(self) -> None:
        """Silent damage is named by recording, block and time; what follows is not blamed."""
        self.flip(self.data.index(b"%d/2" % (START_US + 2 * SECOND)))
        finding = self.only()
        size = self.clusters[2] - self.clusters[1]
        loss = Loss(START_US + 2 * SECOND, START_US + 4 * SECOND, self.clusters[1], size)
        self.assertEqual((finding.kind, finding.loss), (FindingKind.CLUSTER_DAMAGED, loss))
        self.assertIn("CRC-32", finding.message)
        self.assertIn(f"{self.recording_id}/{self.block.stem} at 2024-05-06T07:08:11", str(finding))

    @proves(6, fault="a bit flips", moment="any byte of a block", outcome="found")
    def test_every_byte_is_watched(self) -> None:
        """Whatever byte of a block is changed, it is found."""
        unwatched = []
        for at in range(0, len(self.data), 5):
            bent = bytearray(self.data)
            bent[at] ^= 1 << at % 8
            self.block.write_bytes(bent)
            if not self.check():
                unwatched.append(at)
        self.assertEqual(unwatched, [])

    def test_regions(self) -> None:
        """Each part of a block has its kind of finding."""
        info, tracks = self.data.index(b"\x15\x49\xa9\x66"), self.data.rindex(b"\x16\x54\xae\x6b")
        cues, segment = self.data.rindex(b"\x1c\x53\xbb\x6b"), self.data.index(SEGMENT)
        for region, at, kind in (
            ("the EBML header", 10, FindingKind.FRONT_DAMAGED),
            ("DocType", self.data.index(b"matroska"), FindingKind.FRONT_DAMAGED),
            ("the Segment's size", segment + 8, FindingKind.FRONT_DAMAGED),
            ("SeekHead", info - 30, FindingKind.FRONT_DAMAGED),
            ("Info", info + 30, FindingKind.FRONT_DAMAGED),
            ("Tracks", tracks + 40, FindingKind.FRONT_DAMAGED),
            ("the ID of Tracks' CRC-32", tracks + 12, FindingKind.FRONT_DAMAGED),
            ("a cluster's ID", self.clusters[1] + 1, FindingKind.CLUSTER_DAMAGED),
            ("a cluster's size", self.clusters[1] + 10, FindingKind.CLUSTER_DAMAGED),
            ("a CRC-32's ID", self.clusters[1] + 12, FindingKind.CLUSTER_DAMAGED),
            ("a CRC-32", self.clusters[1] + 15, FindingKind.CLUSTER_DAMAGED),
            ("a cluster's time", self.clusters[1] + 27, FindingKind.CLUSTER_DAMAGED),
            ("a frame's head", self.clusters[1] + 33, FindingKind.CLUSTER_DAMAGED),
            ("a frame", self.clusters[2] - 2, FindingKind.CLUSTER_DAMAGED),
            ("Cues", cues + 40, FindingKind.CUES_DAMAGED),
            ("the ID of Cues", cues + 1, FindingKind.CUES_DAMAGED),
        ):
            self.flip(at)
            self.assertIn(kind, [finding.kind for finding in self.check()], region)
            self.flip(at)

    @proves(6, fault="a bit flips in a cluster's length", moment="any", outcome="the rest is found")
    def test_clusters_behind_damage_are_found(self) -> None:
        """What stands behind a cluster whose ID or length is damaged is checked, and well."""
        size = self.clusters[2] - self.clusters[1]
        loss = Loss(START_US + 2 * SECOND, START_US + 4 * SECOND, self.clusters[1], size)
        for at, mask in ((0, 1), (3, 0x80), (8, 0x40), (9, 4), (10, 1), (11, 1), (11, 0x80)):
            self.flip(self.clusters[1] + at, mask)
            losses = [finding.loss for finding in self.check() if finding.loss is not None]
            self.assertEqual(losses, [loss], at)
            self.flip(self.clusters[1] + at, mask)

    def test_an_unreadable_part(self) -> None:
        """A disk that does not give a cluster's bytes: the others are checked."""
        begin = self.clusters[1] + 40
        findings = self.check(FailingReads((begin, begin + 4)))
        self.assertEqual([finding.kind for finding in findings], [FindingKind.UNREADABLE])
        self.assertIsNotNone(findings[0].loss)
        begin = self.clusters[1]
        findings = self.check(FailingReads((begin, begin + 4)))
        self.assertIn(FindingKind.CLUSTER_DAMAGED, [finding.kind for finding in findings])
        findings = self.check(FailingReads((0, 10)))
        self.assertIn("Input/output error", findings[0].message)

    def test_a_cut_file(self) -> None:
        """A file shorter than the index says is found, and what is lost with it."""
        self.block.write_bytes(self.data[: self.clusters[2] + 50])
        kinds = self.kinds()
        for kind in ("size-differs", "front-damaged", "cluster-damaged", "cues-damaged"):
            self.assertIn(kind, kinds)
        (loss,) = [finding.loss for finding in self.check() if finding.loss is not None]
        self.assertEqual(loss.start_us, START_US + 3_500_000)
        self.assertEqual(loss.end_us, START_US + 6 * SECOND)

    def test_an_empty_file(self) -> None:
        """Nothing of a block is left."""
        self.block.write_bytes(b"")
        self.assertEqual(self.only().kind, FindingKind.FRONT_DAMAGED)

    @proves(3, fault="a file vanished", moment="any", outcome="named with its time")
    def test_a_missing_file(self) -> None:
        """The index points at bytes that are not there."""
        self.block.unlink()
        finding = self.only()
        self.assertEqual(finding.kind, FindingKind.FILE_MISSING)
        loss = Loss(START_US, START_US + 6 * SECOND, 0, len(self.data))
        self.assertEqual(finding.loss, loss)

    def test_missing_xml(self) -> None:
        """A block without its XML, a recording without its own."""
        self.xml.unlink()
        self.assertEqual(self.only().kind, FindingKind.XML_MISSING)
        self.recording_xml.unlink()
        self.assertEqual(self.kinds(), ["xml-missing", "xml-missing"])

    def test_damaged_xml(self) -> None:
        """XML that cannot be read, or must not be."""
        self.recording_xml.write_bytes(b"<Recording")
        self.assertEqual(self.kinds(), ["xml-damaged"])
        xml = self.xml.read_bytes()
        self.xml.write_bytes(xml.replace(b"<Status>", b"<!DOCTYPE a><Status>"))
        self.assertEqual(self.kinds(), ["xml-damaged", "xml-damaged"])

    def test_xml_that_contradicts(self) -> None:
        """XML of another block, with another status, other times."""
        block, recording = self.xml.read_bytes(), self.recording_xml.read_bytes()
        for path, data, old, new in (
            (self.xml, block, b"Complete", b"Recording"),
            (self.xml, block, b"20240506_", b"20240507_"),
            (self.xml, block, b":09.012345Z", b":09.012346Z"),
            (self.xml, block, b":15.012345Z", b":15.012346Z"),
            (self.recording_xml, recording, b"A000", b"B000"),
            (self.recording_xml, recording, b":09.012345Z", b":10.012345Z"),
            (self.recording_xml, recording, b":15.012345Z", b":16.012345Z"),
        ):
            self.assertIn(old, data)
            path.write_bytes(data.replace(old, new))
            self.assertEqual(set(self.kinds()), {"xml-differs"}, new)
            path.write_bytes(data)

    def test_what_the_index_does_not_know(self) -> None:
        """Recordings and blocks that only the files show, seen twice before they are told."""
        stranger = self.block.with_name("20240506_070900_0001.mkv")
        stranger.write_bytes(self.data)
        self.recording_xml.parent.with_name("20240506_070900_0002_ACCC8E012345").mkdir()
        found = {(f.recording_id[16:20], f.block_id[16:], f.kind) for f in self.check()}
        kind = FindingKind.NOT_INDEXED
        self.assertEqual(found, {("A000", "0001", kind), ("0002", "", kind)})
        self.assertEqual(len(self.waits), 1)

    def test_while_the_index_is_made_anew(self) -> None:
        """What is not in the index yet is told in one line."""
        self.change_row("INSERT INTO nvr_state VALUES ('rebuild', '')", "DELETE FROM blocks")
        self.assertEqual(self.kinds(), ["no-blocks", "index-incomplete"])

    def test_leftovers(self) -> None:
        """Files that were to take another's place; XML without its block."""
        self.block.with_name(f".{self.xml.name}.tmp").write_bytes(b"")
        self.recording_xml.with_name(".recording.xml.tmp").write_bytes(b"")
        self.block.with_name("20240506_070900_0001.xml").write_bytes(b"")
        self.assertEqual(self.kinds(), ["leftover"] * 3)

    def test_an_index_that_leads_astray(self) -> None:
        """A row with a path or a name in it that leads elsewhere opens no file."""
        for text in (
            "UPDATE blocks SET path = '../../../..'",
            "UPDATE blocks SET filename = '../../../../etc/passwd'",
            "UPDATE recordings SET filename = '../../../../etc/passwd'",
        ):
            self.change_row(text)
            self.assertIn("bad-row", self.kinds(), text)

    def test_rows_of_nonsense(self) -> None:
        """What a row says need not be of its kind."""
        for text in (
            "UPDATE blocks SET filesize = 'much'",
            "UPDATE blocks SET filesize = -1",
            "UPDATE blocks SET starttime = 'yesterday'",
            "UPDATE blocks SET starttime = x'00'",
            "UPDATE blocks SET stoptime = NULL, starttime = NULL",
            "UPDATE blocks SET recording_id = 77",
            "UPDATE recordings SET starttime = 'now', stoptime = NULL",
        ):
            self.change_row(text)
            self.assertIn("bad-row", self.kinds(), text)

    def test_times_that_differ(self) -> None:
        """Start times of row, XML and file are the same."""
        self.change_row("UPDATE blocks SET starttime = '2024-05-06T07:08:08.000000Z'")
        self.assertEqual(set(self.kinds()), {"time-differs", "xml-differs"})

    def test_stop_before_start(self) -> None:
        """Neither block nor recording stops before it starts."""
        self.change_row(
            "UPDATE blocks SET stoptime = '2024-05-06T07:00:00.000000Z'",
            "UPDATE recordings SET stoptime = '2024-05-06T07:00:00.000000Z'",
        )
        self.assertEqual(self.kinds().count("stop-before-start"), 2)

    def test_frames_behind_the_stop(self) -> None:
        """A block has no frames far behind its stop time."""
        self.change_row("UPDATE blocks SET stoptime = starttime")
        self.assertIn("xml-differs", self.kinds())
        (finding,) = (f for f in self.check() if f.kind is FindingKind.TIME_DISORDER)
        self.assertIn(f"at byte {self.clusters[2]} has frames behind", finding.message)

    def test_frames_out_of_order(self) -> None:
        """A cluster is not earlier than the one before it."""
        first, second, third = self.clusters
        swapped = self.data[second:third] + self.data[first:second]
        self.data[first : first + len(swapped)] = swapped
        self.block.write_bytes(self.data)
        self.assertIn("time-disorder", self.kinds())

    def test_an_unfinished_block(self) -> None:
        """One that waits for repair is told; its good part is checked all the same."""
        good = str(self.clusters[2])
        self.change_row(
            "INSERT INTO nvr_unfinished SELECT id, GOOD, 'x' FROM blocks".replace("GOOD", good)
        )
        self.assertEqual(self.only().kind, FindingKind.UNFINISHED)
        self.flip(self.clusters[1] + 50)
        self.assertEqual(self.kinds(), ["unfinished", "cluster-damaged"])

    def test_a_recording_without_blocks(self) -> None:
        """A recording has a block."""
        self.change_row("DELETE FROM blocks")
        self.assertEqual(self.kinds(), ["no-blocks", "not-indexed"])

    def test_a_damaged_index(self) -> None:
        """Damage within the database is told."""
        path = self.folder / "index.db"
        data = bytearray(path.read_bytes())
        rows = data.index(self.block.stem.encode())  # in a page of the table or its index
        page = rows // 4096 * 4096
        data[page : page + 8] = random.Random(3).randbytes(8)
        path.write_bytes(data)
        try:
            self.assertIn("index-damaged", self.kinds())
        except Exception as error:  # or it cannot be read at all
            self.assertIn("malformed", str(error))

    def test_quick(self) -> None:
        """Without reading pictures, what stands around them is checked."""
        self.flip(self.clusters[1] + 50)
        self.assertEqual(self.kinds(reads_media=False), [])
        self.assertEqual(self.looked, Looked(1, 0))
        self.block.write_bytes(self.data[:-1])
        self.assertIn("size-differs", self.kinds(reads_media=False))

    @settings(max_examples=30, deadline=None)
    @given(st.data())
    def test_random_damage(self, data: st.DataObject) -> None:
        """Whatever stands in a block, the check ends and finds something."""
        bent = bytearray(self.data)
        for _ in range(data.draw(st.integers(1, 8))):
            at = data.draw(st.integers(0, len(bent) - 1))
            kind = data.draw(st.sampled_from(("set", "cut", "double", "zero", "cluster")))
            if kind == "set":
                bent[at] = data.draw(st.integers(0, 255))
            elif kind == "cut":
                del bent[at : at + data.draw(st.integers(1, 60))]
            elif kind == "double":
                bent[at:at] = bent[at : at + 40]
            elif kind == "zero":
                bent[at : at + 64] = bytes(len(bent[at : at + 64]))
            else:
                bent[at:at] = CLUSTER + bytes([1, 0, 0, 0, 0, 0, data.draw(st.integers(0, 255)), 9])
            if not bent:
                bent = bytearray(b"\0")
        self.block.write_bytes(bent)
        self.assertEqual(bool(self.check()), bent != self.data)


class ReferenceTests(SynchronousTestCase):
    def test_every_kind_is_in_the_reference(self) -> None:
        """What programs go by is written down."""
        reference = (Path(__file__).parents[2] / "docs/reference/check.md").read_text()
        for kind in FindingKind:
            self.assertIn(f"| `{kind}` |", reference)


class OverlapTests(SynchronousTestCase):
    """Two blocks of one recording."""

    def setUp(self) -> None:
        bench = Bench(self.mktemp())
        bench.disk.start()
        recording = bench.open()
        bench.write(recording, video_gop(START_US))
        bench.write(recording, video_gop(START_US + 30 * SECOND))
        bench.close(recording)
        bench.disk.stop()
        self.folder = bench.folder
        self.blocks = bench.blocks()

    def overlaps(self, *changes: str) -> list[Finding]:
        connection = sqlite3.connect(self.folder / "index.db")
        for change in changes:
            connection.execute(change)
        connection.commit()
        connection.close()
        index = Index.open_read_only(cast(IFiles, Files()), self.folder / "index.db")
        check = DiskCheck(cast(IFiles, Files()), self.folder, index)
        found = [one for one in check.run() if isinstance(one, Finding)]
        index.close()
        return [finding for finding in found if finding.kind is FindingKind.OVERLAP]

    def test_overlap(self) -> None:
        """A block that begins before the one before it has ended, unless the clock stepped."""
        self.assertEqual(self.overlaps(), [])
        late = "UPDATE blocks SET stoptime = '2024-05-06T07:09:00Z' WHERE id = 1"
        (finding,) = self.overlaps(late)
        self.assertEqual(finding.block_id, self.blocks[1].stem)
        noted = f"VALUES (1, {START_US}, {START_US + 30 * SECOND}, 'clock-stepped', 0, '')"
        columns = "recording_id, start_us, end_us, reason, lost_packets, detail"
        self.assertEqual(self.overlaps(f"INSERT INTO nvr_gaps ({columns}) {noted}"), [])


class SoundBlocksTests(SynchronousTestCase):
    """What a camera and its clock may do is nothing to be found."""

    def check(self, *gops: Gop) -> list[Finding]:
        bench = Bench(self.mktemp())
        bench.disk.start()
        recording = bench.open()
        for gop in gops:
            self.assertEqual(bench.write(recording, gop), [None])
        bench.close(recording)
        bench.disk.stop()
        files = cast(IFiles, Files())
        index = Index.open_read_only(files, bench.folder / "index.db")
        check = DiskCheck(files, bench.folder, index, wait=lambda seconds: None)
        found = [one for one in check.run() if isinstance(one, Finding)]
        index.close()
        return found

    def test_sound(self) -> None:
        """Sound alone, and sound whose file is of another version."""
        opus = AudioFormat(Codec.OPUS, b"", 48000, 2, 0)
        for form in (AUDIO, opus):
            gops = [sound_gop(START_US + at * 2 * SECOND, form=form) for at in range(3)]
            self.assertEqual(self.check(*gops), [], form)

    def test_pictures_in_decoding_order(self) -> None:
        """Pictures are stored as they are decoded, not as they are shown."""
        gops = []
        for at in range(3):
            begin = START_US + at * 2 * SECOND
            order = enumerate((0, 3, 1, 2, 6, 4, 5))
            units = [unit(begin + k * 250_000, sync=not n, data=b"x%d" % k) for n, k in order]
            gops.append(gop_of(units, begin + 2 * SECOND))
        self.assertEqual(self.check(*gops), [])

    def test_a_long_group_and_gaps(self) -> None:
        """A group of several clusters; a block with Tags."""
        gap = Gap(START_US, START_US + 5, GapReason.PACKETS_LOST, 7, "words")
        self.assertEqual(self.check(video_gop(START_US, frames=200, gaps=[gap])), [])

    def test_a_clock_that_is_set_back(self) -> None:
        """Blocks go back in time, by much and by little."""
        hour = 3600 * SECOND
        back = Gap(START_US + 2 * SECOND, START_US - hour, GapReason.CLOCK_STEPPED)
        gops = (video_gop(START_US), video_gop(START_US - hour, gaps=[back]))
        self.assertEqual(self.check(*gops), [])
        self.assertEqual(self.check(video_gop(START_US), video_gop(START_US + SECOND)), [])
