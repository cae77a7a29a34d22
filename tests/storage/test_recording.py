"""Recordings written batch by batch: what is on the disk after each, and after each failure."""

import errno
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import Codec, Gap, GapReason, MetadataFormat, VideoFormat
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import BlockRow, Index, RecordingRow
from axis_nvr.storage.index_news import GATHER_SECONDS
from axis_nvr.storage.jobs import WriteGop
from axis_nvr.storage.xml import BlockStatus, parse_block, parse_recording
from axis_nvr.wire.matroska_reader import Frame
from tests.storage.making import (
    AUDIO,
    START_US,
    VIDEO,
    Bench,
    FailingFiles,
    gop_of,
    sound_gop,
    unit,
    video_gop,
)

SECOND = 1_000_000


def frames_of(path: Path) -> list[Frame]:
    """All frames of a block; each cluster's check must hold."""
    with BlockReader(Files(), path) as block:
        clusters = [block.read_cluster(span) for span in block.clusters()]
    assert all(cluster.checked for cluster in clusters)
    return [frame for cluster in clusters for frame in cluster.frames]


class RecordingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.files = FailingFiles()
        self.bench = Bench(self.mktemp(), self.files)
        self.bench.disk.start()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.bench.disk._place is not None:
            self.bench.disk.stop()

    def index(self) -> tuple[list[RecordingRow], list[BlockRow]]:
        """What a reader of the index sees now."""
        index = Index.open_read_only(Files(), self.bench.folder / "index.db")
        try:
            return list(index.recordings()), list(index.blocks())
        finally:
            index.close()

    def gaps(self, recording_id: str) -> list[Gap]:
        index = Index.open_read_only(Files(), self.bench.folder / "index.db")
        try:
            return list(index.gaps(recording_id))
        finally:
            index.close()

    def statuses(self) -> list[BlockStatus]:
        """What the blocks' XML says, by name of the block."""
        return [
            parse_block(path.with_suffix(".xml").read_bytes()).status
            for path in self.bench.blocks()
        ]


class LayoutTests(RecordingCase):
    def test_nothing_before_the_first_group(self) -> None:
        """A recording has an id at once, and files only when there is something in them."""
        recording = self.bench.open()
        self.assertEqual(recording.recording_id, "20240506_070809_A000_ACCC8E012345")
        self.assertEqual(self.index(), ([], []))
        self.bench.close(recording)
        self.assertEqual(list(self.bench.folder.glob("2024*")), [])

    def test_an_open_recording(self) -> None:
        """After the first group: both XML files, both rows, no stop time anywhere."""
        recording = self.bench.open()
        self.assertEqual(self.bench.write(recording, video_gop(START_US)), [None])
        folder = self.bench.folder / "20240506/07" / recording.recording_id
        xml = parse_recording((folder / "recording.xml").read_bytes())
        self.assertEqual((xml.start_us, xml.stop_us, xml.device), (START_US, None, "front"))
        (block,) = self.bench.blocks()
        self.assertEqual(block, folder / "20240506_07/20240506_070809_A001.mkv")
        self.assertEqual(self.statuses(), [BlockStatus.RECORDING])
        (row,), (block_row,) = self.index()
        self.assertEqual((row.start_us, row.stop_us, row.action), (START_US, None, "continuous"))
        self.assertEqual((block_row.start_us, block_row.stop_us), (START_US, None))
        self.assertEqual(block_row.path, "20240506_07")

    def test_a_closed_recording(self) -> None:
        """Stop times everywhere, the block whole, Cues where the clusters are."""
        recording = self.bench.open()
        for at in range(3):
            self.bench.write(recording, video_gop(START_US + at * 2 * SECOND))
        self.assertIsNone(self.bench.close(recording))
        stop_us = START_US + 6 * SECOND
        (row,), (block_row,) = self.index()
        (path,) = self.bench.blocks()
        self.assertEqual((row.stop_us, block_row.stop_us), (stop_us, stop_us))
        self.assertEqual(block_row.size_bytes, path.stat().st_size)
        self.assertEqual(self.statuses(), [BlockStatus.COMPLETE])
        with BlockReader(Files(), path) as block:
            spans = list(block.clusters())
            assert block.info is not None
            self.assertEqual((block.info.date_us, block.info.duration_ms), (START_US, 6000.0))
            self.assertEqual(block.segment_end, path.stat().st_size)
            cues = block.cues()
        assert cues is not None
        self.assertEqual([cue.time_ms for cue in cues], [0, 2000, 4000])
        self.assertEqual(
            [cue.position + block.segment_start for cue in cues], [span.offset for span in spans]
        )

    def test_every_frame_is_there(self) -> None:
        """Bytes, times and key frames as they were given; picture and sound."""
        units = [
            unit(START_US, sync=True, data=b"key"),
            unit(START_US + 20_000, track=1, sync=True, form=AUDIO, data=b"sound"),
            unit(START_US + 40_400, data=b"second"),
        ]
        recording = self.bench.open()
        self.bench.write(recording, gop_of(units))
        found = frames_of(self.bench.blocks()[0])
        self.assertEqual(
            found, [(1, 0, True, b"key"), (2, 20, True, b"sound"), (1, 40, False, b"second")]
        )

    def test_sound_alone(self) -> None:
        """A recording without video: clusters, Cues and a row of its own kind."""
        recording = self.bench.open()
        self.bench.write(recording, sound_gop(START_US), sound_gop(START_US + 2 * SECOND))
        self.bench.close(recording)
        (path,) = self.bench.blocks()
        self.assertEqual(len(frames_of(path)), 40)
        with BlockReader(Files(), path) as block:
            cues = block.cues()
        assert cues is not None
        self.assertEqual([cue.time_ms for cue in cues], [0, 2000])
        (row,), _ = self.index()
        assert row.audio is not None
        self.assertEqual((row.video, row.audio.mime_type), (None, "audio/x-mulaw"))

    def test_metadata_is_left_out(self) -> None:
        """Documents have no place in the layout; a group of them alone writes nothing."""
        document = unit(START_US, track=2, sync=True, form=MetadataFormat(), data=b"<xml/>")
        recording = self.bench.open()
        self.assertEqual(self.bench.write(recording, gop_of([document])), [None])
        self.assertEqual(self.bench.blocks(), [])
        self.bench.write(recording, gop_of([unit(START_US, sync=True), document]))
        self.assertEqual(len(frames_of(self.bench.blocks()[0])), 1)

    def test_names_never_collide(self) -> None:
        """Two recordings that begin in the same second have other digits, recordings and blocks."""
        digits = iter([1, 1, 2, 3, 3, 2, 1, 4])
        self.bench.disk._digits = lambda: next(digits)
        self.bench.disk.stop()
        self.bench.disk.start()
        first, second = self.bench.open(), self.bench.open()
        self.bench.write(first, video_gop(START_US))
        self.bench.write(second, video_gop(START_US))
        self.assertEqual([r.recording_id[16:20] for r in (first, second)], ["0001", "0002"])
        self.assertEqual([path.stem[16:] for path in self.bench.blocks()], ["0001", "0003"])


class CutTests(RecordingCase):
    def blocks_after(self, *gops: object) -> list[list[int]]:
        """Write groups, close, and give each block's frame times in milliseconds."""
        recording = self.bench.open()
        for gop in gops:
            self.assertEqual(self.bench.write(recording, gop), [None])  # type: ignore[arg-type]
        self.bench.close(recording)
        self.assertEqual(set(self.statuses()), {BlockStatus.COMPLETE})
        return [[frame.time_ms for frame in frames_of(path)] for path in self.bench.blocks()]

    def test_at_300_seconds(self) -> None:
        """The key frame 300 s after the start begins the next block; they meet without a hole."""
        gops = [video_gop(START_US + at * 2 * SECOND) for at in range(152)]
        blocks = self.blocks_after(*gops)
        self.assertEqual([len(times) for times in blocks], [600, 8])
        _, (first, second) = self.index()
        self.assertEqual(first.stop_us, second.start_us)
        self.assertEqual(second.start_us, START_US + 300 * SECOND)

    def test_never_within_a_group(self) -> None:
        """Parts of a long group stay in its block, be it over 300 s."""
        parts = [
            video_gop(START_US + at * 10 * SECOND, step_us=2_500_000, starts_at_sync=not at)
            for at in range(31)
        ]
        self.assertEqual([len(times) for times in self.blocks_after(*parts)], [124])

    def test_when_the_format_changes(self) -> None:
        """Other parameter sets, another block; a format that only is another object does not."""
        same = replace(VIDEO)
        other = VideoFormat(Codec.H264, b"\x01other", 1280, 720)
        blocks = self.blocks_after(
            video_gop(START_US),
            video_gop(START_US + 2 * SECOND, form=same),
            video_gop(START_US + 4 * SECOND, form=other),
        )
        self.assertEqual([len(times) for times in blocks], [8, 4])
        with BlockReader(Files(), self.bench.blocks()[1]) as block:
            self.assertEqual(block.tracks[0].width, 1280)

    def test_when_sound_comes(self) -> None:
        """A new track begins a block; the recording then is told to have sound."""
        both = gop_of(
            [
                unit(START_US + 2 * SECOND, sync=True),
                unit(START_US + 2_100_000, track=1, sync=True, form=AUDIO),
            ]
        )
        self.assertEqual(len(self.blocks_after(video_gop(START_US), both)), 2)
        (row,), _ = self.index()
        self.assertNotIn(None, (row.audio, row.video))
        folder = self.bench.folder / "20240506/07" / row.recording_id
        xml = parse_recording((folder / "recording.xml").read_bytes())
        self.assertEqual([track.token for track in xml.tracks], ["Video", "Audio"])

    def test_when_sound_goes(self) -> None:
        """A track that falls silent needs no new block."""
        both = gop_of(
            [
                unit(START_US, sync=True),
                unit(START_US + 100_000, track=1, sync=True, form=AUDIO),
            ],
            START_US + 2 * SECOND,
        )
        self.assertEqual(len(self.blocks_after(both, video_gop(START_US + 2 * SECOND))), 1)

    def test_when_the_clock_steps(self) -> None:
        """The group that begins on the new clock begins a block; the gap is in the index."""
        gap = Gap(START_US, START_US + 10, GapReason.CLOCK_STEPPED, detail="10 µs")
        blocks = self.blocks_after(
            video_gop(START_US), video_gop(START_US + 2 * SECOND + 10, gaps=[gap])
        )
        self.assertEqual([len(times) for times in blocks], [4, 4])
        (row,), _ = self.index()
        self.assertEqual(self.gaps(row.recording_id), [gap])

    def test_when_the_clock_steps_within_a_group(self) -> None:
        """That group goes on by the old clock, the next begins a block on the new one."""
        gap = Gap(START_US, START_US, GapReason.CLOCK_STEPPED)
        back_us = -100 * SECOND
        units = [
            unit(START_US, sync=True),
            unit(START_US + 500_000),
            unit(START_US + SECOND + back_us, gap=gap, taken_us=START_US + SECOND),
        ]
        after = video_gop(START_US + 2 * SECOND + back_us)
        blocks = self.blocks_after(gop_of(units, after.start_us), after)
        self.assertEqual(sorted(map(len, blocks)), [3, 4])
        _, rows = self.index()
        self.assertEqual({row.start_us for row in rows}, {START_US, after.start_us})
        self.assertIn([0, 500, 1000], blocks)

    def test_when_time_goes_back(self) -> None:
        """A block's times only go forwards; the recording starts where its earliest block does."""
        earlier_us = START_US - 60 * SECOND
        blocks = self.blocks_after(video_gop(START_US), video_gop(earlier_us))
        self.assertEqual([times[0] for times in blocks], [0, 0])
        (row,), _ = self.index()
        self.assertEqual(row.start_us, earlier_us)
        folder = self.bench.folder / "20240506/07" / row.recording_id
        xml = parse_recording((folder / "recording.xml").read_bytes())
        self.assertEqual((xml.start_us, xml.stop_us), (row.start_us, row.stop_us))

    def test_after_a_long_hole(self) -> None:
        """Players do not show a still for it; a short one stays within the block."""
        blocks = self.blocks_after(
            video_gop(START_US),
            video_gop(START_US + 6 * SECOND),
            video_gop(START_US + 20 * SECOND),
        )
        self.assertEqual([len(times) for times in blocks], [8, 4])
        _, (first, _) = self.index()
        self.assertEqual(first.stop_us, START_US + 8 * SECOND)

    def test_a_group_cut_short_ends_after_its_last_picture(self) -> None:
        """The last picture is shown as long as those before it."""
        units = [unit(START_US + i * 40_000, sync=not i) for i in range(5)]
        self.blocks_after(gop_of(units))
        _, (row,) = self.index()
        self.assertEqual(row.stop_us, START_US + 200_000)

    def test_leading_pictures(self) -> None:
        """Pictures shown before the first key frame move the block's start, not below zero."""
        units = [unit(START_US, sync=True), unit(START_US - 40_000), unit(START_US + 40_000)]
        blocks = self.blocks_after(gop_of(units))
        self.assertEqual(blocks, [[40, 0, 80]])
        _, (row,) = self.index()
        self.assertEqual(row.start_us, START_US - 40_000)


class GapTests(RecordingCase):
    def test_the_block_tells_its_gaps(self) -> None:
        """Without the index the file itself says what is missing, each gap once."""
        gap = Gap(START_US, START_US + 5, GapReason.PACKETS_LOST, 7, "seq 5 to 11")
        units = [unit(START_US, sync=True, gap=gap), unit(START_US + 40_000)]
        recording = self.bench.open()
        recording.gaps.extend([gap], 0)
        self.bench.write(recording, gop_of(units, gaps=[gap]))
        self.bench.close(recording)
        with BlockReader(Files(), self.bench.blocks()[0]) as block:
            tags = block.tags()
        text = "2024-05-06T07:08:09.012345Z/2024-05-06T07:08:09.012350Z packets-lost 7 seq 5 to 11"
        self.assertEqual(tags, [("GAP", text)])
        self.assertEqual(self.gaps(recording.recording_id), [gap])

    def test_their_number_is_bounded(self) -> None:
        """A camera that loses packets all day does not fill the memory."""
        recording = self.bench.open()
        gaps = [Gap(i, i + 1, GapReason.PACKETS_LOST, 1) for i in range(1500)]
        self.bench.write(recording, video_gop(START_US))
        recording.gaps.extend(gaps, 0)
        self.bench.close(recording)
        told = self.gaps(recording.recording_id)
        self.assertEqual((len(told), sum(gap.lost_packets for gap in told)), (1000, 1500))


class WriteCountTests(RecordingCase):
    def test_one_write_and_one_sync_for_each_group(self) -> None:
        """In the middle of a block nothing else is written at all."""
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        self.files.calls.clear()
        for at in range(1, 50):
            self.bench.write(recording, video_gop(START_US + at * 2 * SECOND))
        operations = [operation for operation, _ in self.files.calls]
        self.assertEqual(operations, ["writev", "sync"] * 49)

    def test_one_sync_for_each_batch(self) -> None:
        """Groups of one recording that waited together are synced together."""
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        self.files.calls.clear()
        self.bench.write(recording, *(video_gop(START_US + at * 2 * SECOND) for at in range(1, 6)))
        self.assertEqual([o for o, _ in self.files.calls], ["writev"] * 5 + ["sync"])

    def test_a_cut_costs_four_writes_more(self) -> None:
        """Cues, the front, and an XML file for each of both blocks."""
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        self.files.calls.clear()
        self.bench.write(recording, video_gop(START_US + 60 * SECOND))
        self.assertEqual(self.files.count("writev", ".mkv"), 2)
        self.assertEqual(self.files.count("pwrite", ".mkv"), 1)
        self.assertEqual(self.files.count("writev", ".tmp"), 2)

    def test_very_many_frames_are_one_write_too(self) -> None:
        """More pieces than a gathered write takes are joined first."""
        recording = self.bench.open()
        gop = video_gop(START_US, frames=2000, step_us=1000)
        self.files.calls.clear()
        self.assertEqual(self.bench.write(recording, gop), [None])
        self.assertEqual(self.files.count("writev", ".mkv"), 1)
        self.assertEqual(len(frames_of(self.bench.blocks()[0])), 2000)


class FailureTests(RecordingCase):
    def assert_kind(self, outcomes: list[object], *kinds: StorageErrorKind | None) -> None:
        found = [o.kind if isinstance(o, StorageError) else o for o in outcomes]
        self.assertEqual(found, list(kinds))

    def test_a_full_disk(self) -> None:
        """The block is closed behind its last group; the next group begins another."""
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        self.files.fail("writev", ".mkv")
        outcomes = self.bench.write(recording, video_gop(START_US + 2 * SECOND))
        self.assert_kind(outcomes, StorageErrorKind.FULL)
        self.assertEqual(self.statuses(), [BlockStatus.COMPLETE])
        self.assertEqual(len(frames_of(self.bench.blocks()[0])), 4)
        self.assert_kind(self.bench.write(recording, video_gop(START_US + 4 * SECOND)), None)
        self.assertEqual([len(frames_of(path)) for path in self.bench.blocks()], [4, 4])
        self.bench.close(recording)
        self.assertEqual(set(self.statuses()), {BlockStatus.COMPLETE})

    def test_a_write_cut_in_the_middle(self) -> None:
        """What a full disk took of a cluster is cut off again."""

        class Tearing(FailingFiles):
            tear = False

            def writev(self, fd: int, pieces: Sequence[bytes]) -> int:
                if not self.tear:
                    return super().writev(fd, pieces)
                self.tear = False
                self.fail("writev")
                return os.write(fd, b"".join(pieces)[:40])

        files = Tearing()
        self.bench = Bench(self.mktemp(), files)
        self.bench.disk.start()
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        files.tear = True
        outcomes = self.bench.write(recording, video_gop(START_US + 2 * SECOND))
        self.assert_kind(outcomes, StorageErrorKind.FULL)
        self.bench.close(recording)
        (path,) = self.bench.blocks()
        self.assertEqual(len(frames_of(path)), 4)
        with BlockReader(Files(), path) as block:
            self.assertEqual(block.segment_end, path.stat().st_size)

    def test_a_failed_sync_is_not_tried_again(self) -> None:
        """The group is not acknowledged, its bytes are cut off, another block begins."""
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        good_bytes = self.bench.blocks()[0].stat().st_size
        self.files.fail("sync", ".mkv", error=lambda: OSError(errno.EIO, "Input/output error"))
        outcomes = self.bench.write(recording, video_gop(START_US + 2 * SECOND))
        self.assert_kind(outcomes, StorageErrorKind.FAILED)
        self.assertEqual(self.files.count("sync", "A001.mkv"), 2)
        (path,) = self.bench.blocks()
        self.assertEqual(path.stat().st_size, good_bytes)
        _, (row,) = self.index()
        self.assertEqual((row.unfinished, row.size_bytes), (good_bytes, good_bytes))
        self.assertEqual(row.stop_us, START_US + 2 * SECOND)
        self.assert_kind(self.bench.write(recording, video_gop(START_US + 4 * SECOND)), None)
        self.assertEqual(len(self.bench.blocks()), 2)

    def test_all_of_a_batch_fail_with_their_file(self) -> None:
        """Groups that share a sync share its failure; other recordings do not."""
        first, second = self.bench.open(), self.bench.open()
        self.bench.write(first, video_gop(START_US))
        self.files.fail("sync", "A002.mkv")
        outcomes = self.bench.disk.process(
            [
                WriteGop(first, video_gop(START_US + 2 * SECOND)),
                WriteGop(second, video_gop(START_US)),
                WriteGop(first, video_gop(START_US + 4 * SECOND)),
            ]
        )
        self.assert_kind(outcomes, StorageErrorKind.FULL, None, StorageErrorKind.FULL)

    def test_the_first_write_fails(self) -> None:
        """No file, no folder and no row are left of a block that never was."""
        self.files.fail("writev", ".mkv")
        recording = self.bench.open()
        self.assert_kind(self.bench.write(recording, video_gop(START_US)), StorageErrorKind.FULL)
        self.assertEqual((self.bench.blocks(), self.index()), ([], ([], [])))
        self.assertIsNone(self.bench.close(recording))
        self.assertEqual(list(self.bench.folder.rglob("*_ACCC*")), [])

    def test_the_rest_of_a_lost_group_is_refused(self) -> None:
        """Without its beginning nothing can decode it; the next key frame is taken again."""
        self.files.fail("writev", ".mkv")
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        part = video_gop(START_US + 2 * SECOND, starts_at_sync=False)
        self.assert_kind(self.bench.write(recording, part), StorageErrorKind.FAILED)
        self.assert_kind(self.bench.write(recording, video_gop(START_US + 4 * SECOND)), None)

    def test_xml_that_cannot_be_written(self) -> None:
        """A block without its XML does not count: the group is reported as not stored."""
        for name in (".recording.xml.tmp", "A001.xml.tmp"):
            self.bench = Bench(self.mktemp(), FailingFiles())
            self.bench.disk.start()
            self.bench.files.fail("writev", name)
            recording = self.bench.open()
            outcomes = self.bench.write(recording, video_gop(START_US))
            self.assert_kind(outcomes, StorageErrorKind.FULL)
            self.assertEqual((self.bench.blocks(), self.index()), ([], ([], [])))
            outcomes = self.bench.write(recording, video_gop(START_US + 2 * SECOND))
            self.assert_kind(outcomes, None)
            self.bench.disk.stop()
            self.assertEqual(self.index()[0][0].start_us, START_US + 2 * SECOND)

    def test_cues_that_do_not_fit(self) -> None:
        """A block that cannot be closed keeps its clusters and is noted as unfinished."""
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        good_bytes = self.bench.blocks()[0].stat().st_size
        self.files.fail("writev", ".mkv")
        self.assertIsInstance(self.bench.close(recording), StorageError)
        self.assertEqual(self.bench.blocks()[0].stat().st_size, good_bytes)
        (row,), (block_row,) = self.index()
        self.assertEqual(block_row.unfinished, good_bytes)
        self.assertEqual(row.stop_us, START_US + 2 * SECOND)

    def test_an_index_that_cannot_be_written(self) -> None:
        """When it is due, groups are refused; what it missed is told with the next batch."""
        self.bench = Bench(self.mktemp(), is_told=False)
        self.bench.disk.start()
        recording = self.bench.open()
        self.assert_kind(self.bench.write(recording, video_gop(START_US)), None)
        self.bench.monotonic_seconds += GATHER_SECONDS
        other = sqlite3.connect(self.bench.folder / "index.db", isolation_level=None)
        self.bench.disk.place.index._connection.execute("PRAGMA busy_timeout=1")
        other.execute("BEGIN IMMEDIATE")
        outcomes = self.bench.write(recording, video_gop(START_US + 2 * SECOND))
        self.assert_kind(outcomes, StorageErrorKind.LOCKED)
        other.execute("ROLLBACK")
        other.close()
        self.assertEqual(self.index(), ([], []))
        self.assert_kind(self.bench.write(recording, video_gop(START_US + 4 * SECOND)), None)
        _, (row,) = self.index()
        self.assertEqual(row.start_us, START_US)

    def test_another_disk_in_its_place(self) -> None:
        """When the folder is no longer the one that was opened, nothing is written to it."""
        recording = self.bench.open()
        self.bench.write(recording, video_gop(START_US))
        away = self.bench.folder.with_name("away")
        self.bench.folder.rename(away)
        self.bench.folder.mkdir()
        outcomes = self.bench.write(recording, video_gop(START_US + 60 * SECOND))
        self.assert_kind(outcomes, StorageErrorKind.ABSENT)
        self.assertEqual(list(self.bench.folder.iterdir()), [])
        self.bench.folder.rmdir()
        away.rename(self.bench.folder)


class BatchTests(RecordingCase):
    def test_all_files_are_on_their_way_before_the_first_is_waited_for(self) -> None:
        """The disk has the files of a batch together; one alone is just synced."""
        recordings = [self.bench.open() for _ in range(3)]
        self.files.calls.clear()
        self.bench.disk.process([WriteGop(it, video_gop(START_US)) for it in recordings])
        names = [path.name for path in self.bench.blocks()]
        order = [call for call in self.files.calls if call[1] in names and call[0] != "create"]
        operations = [operation for operation, _ in order if operation != "pwrite"]
        self.assertEqual(operations, ["writev"] * 3 + ["start_writing"] * 3 + ["sync"] * 3)
        self.files.calls.clear()
        self.bench.disk.process([WriteGop(recordings[0], video_gop(START_US + 2 * SECOND))])
        self.assertEqual(self.files.count("start_writing"), 0)
