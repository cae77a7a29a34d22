"""Recordings as Matroska files: what is in them, where, and what becomes of what is broken."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.formats import h264_format
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, GapReason
from axis_nvr.services.export.content import NothingToExport, parameter_sets
from axis_nvr.wire.ebml import iterate_elements
from axis_nvr.wire.matroska_elements import Id
from axis_nvr.wire.matroska_reader import parse_tags
from tests.media.test_formats import WYZE
from tests.services.export.exporting import Store, joined, read_back
from tests.storage.making import START_US, gop_of, video_gop
from tests.storage.reading.streams import GROUPS, SECOND, Drawn, make_stream

#: The same, but for a number in its PPS.
OTHER_H264 = h264_format(WYZE[:1], [WYZE[1] + b"\x55\x80"])


def times_and_data(units: Sequence[AccessUnit]) -> list[tuple[int, bytes]]:
    return sorted((unit.utc_us // 1000, bytes(unit.data)) for unit in units)


class MatroskaFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = Store(self.mktemp())
        self.addCleanup(self.store.close)

    def export(self, recording_id: str = "", **more: int | str | None) -> bytes:
        """All of a file, after it was made sure that its length was told right."""
        made = self.store.matroska(self.store.content(recording_id, **more))  # type: ignore[arg-type]
        data = joined(made.pieces())
        self.assertEqual(len(data), made.size_bytes)
        return data

    def frames(self, data: bytes) -> list[tuple[int, bytes]]:
        found = read_back(Path(self.mktemp()), data)
        return sorted((frame[0] // 1000, frame[2]) for some in found.values() for frame in some)

    def tags(self, data: bytes) -> list[tuple[str, str]]:
        segment = next(one for one in iterate_elements(data) if one.id == Id.SEGMENT)
        (tags,) = (one for one in iterate_elements(segment.data) if one.id == Id.TAGS)
        return parse_tags(tags.data)

    def test_every_frame_and_its_time(self) -> None:
        """All pictures and sounds of all blocks are in the file, at the time they were taken."""
        drawn = [Drawn(5, sounds=3), Drawn(4), Drawn(3, pause_us=400 * SECOND, sounds=2)] * 3
        name = self.store.record(make_stream(drawn))
        content = self.store.content(name)
        self.assertGreater(len(content.placed), 1)
        frames = self.frames(self.export(name))
        wanted = times_and_data(self.store.units(name))
        self.assertEqual([data for _, data in frames], [data for _, data in wanted])
        for (found, _), (taken, _) in zip(frames, wanted, strict=True):
            self.assertLessEqual(abs(found - taken), 1)

    def test_any_range(self) -> None:
        """Any range is what stands there in the whole file, and making it again gives the same."""
        name = self.store.record(make_stream([Drawn(5, sounds=3)] * 8))
        content = self.store.content(name)
        made = self.store.matroska(content)
        whole = joined(made.pieces())
        again = self.store.matroska(self.store.content(name))
        self.assertEqual((again.etag, joined(again.pieces())), (made.etag, whole))
        for start in range(0, len(whole), 37):
            for end in (start + 1, start + 500, len(whole)):
                end = min(end, len(whole))
                self.assertEqual(joined(made.pieces(start, end)), whole[start:end])

    def test_etag_tells_ranges_of_time_apart(self) -> None:
        """Another range of time is another file."""
        name = self.store.record(make_stream([Drawn(5)] * 4))
        etags = {self.store.matroska(self.store.content(name)).etag}
        later_us = START_US + 250_000
        etags.add(self.store.matroska(self.store.content(name, start_us=later_us)).etag)
        etags.add(self.store.matroska(self.store.content(name, stop_us=later_us)).etag)
        self.assertEqual(len(etags), 3)

    def test_begins_at_the_key_frame_before(self) -> None:
        """A range begins with the key frame before its start, and ends with its last group."""
        name = self.store.record(make_stream([Drawn(5)] * 4))  # groups of 200 ms
        content = self.store.content(name, START_US + 350_000, START_US + 410_000)
        (placed,) = content.placed
        self.assertEqual(len(placed.part.groups), 2)
        self.assertLess(abs(content.start_us - START_US - 200_000), 1000)
        self.assertLess(abs(content.end_us - START_US - 600_000), 1000)

    def test_a_range_outside(self) -> None:
        """A range before or behind a recording gives its first or its last group."""
        name = self.store.record(make_stream([Drawn(5)] * 4))
        before = self.store.content(name, START_US - 9 * SECOND, START_US - 8 * SECOND)
        behind = self.store.content(name, START_US + 8 * SECOND, START_US + 9 * SECOND)
        self.assertLess(abs(before.start_us - START_US), 1000)
        self.assertLess(abs(behind.start_us - START_US - 600_000), 1000)
        for content in (before, behind):
            self.assertEqual(sum(len(placed.part.groups) for placed in content.placed), 1)

    def test_no_such_recording(self) -> None:
        """Of nothing there is no file."""
        with self.assertRaises(NothingToExport):
            self.store.content("20240506_070809_A000_ACCC8E012345")

    def test_what_is_still_recorded(self) -> None:
        """Of a recording that runs all is there that is on the disk."""
        name = self.store.record(make_stream([Drawn(5)] * 3), closed=False)
        frames = self.frames(self.export(name))
        self.assertEqual(len(frames), 15)
        self.assertLess(abs(self.store.content(name).duration_us - 600_000), 1000)

    def test_groups_of_all_lengths(self) -> None:
        """Where key frames were lost the last group is longer or shorter than those before it."""
        for pictures in ((5, 30), (30, 5), (5, 5, 30, 5)):
            gops, end_us = [], START_US
            for count in pictures:
                gops.append(video_gop(end_us, frames=count, step_us=40_000))
                end_us += count * 40_000
            name = self.store.record(gops, closed=False)
            self.assertLess(abs(self.store.content(name).end_us - end_us), 2000)

    def test_other_parameter_sets(self) -> None:
        """Pictures of one codec are one track; key frames carry their sets if these change."""
        name = self.store.record(self.changing())
        content = self.store.content(name)
        self.assertEqual([track.changes for track in content.tracks], [True])
        path = Path(self.mktemp())
        (frames,) = read_back(path, self.export(name)).values()
        keys = [data for _, key, data in frames if key]
        entries = [placed.part.head.tracks[0] for placed in content.placed]
        self.assertEqual(len(entries), 3)
        for data, entry in zip(keys, entries, strict=True):
            self.assertTrue(parameter_sets(entry))
            self.assertTrue(data.startswith(parameter_sets(entry)))
        plain = [bytes(unit.data) for unit in self.store.units(name) if unit.sync]
        for data, unit in zip(keys, plain, strict=True):
            self.assertTrue(data.endswith(unit))

    def changing(self) -> list[Gop]:
        """A camera that has other parameter sets for a while."""
        gops = make_stream([Drawn(3)] * 3)
        gops[1].units = [unit._replace(format=OTHER_H264) for unit in gops[1].units]
        return gops

    def test_another_codec_is_another_track(self) -> None:
        """H.265 after H.264 does not get into the track of H.264."""
        name = self.store.record(make_stream([Drawn(3), Drawn(3, is_other=True), Drawn(3)]))
        found = read_back(Path(self.mktemp()), self.export(name))
        self.assertEqual([len(frames) for frames in found.values()], [6, 3])

    def test_gaps_are_told(self) -> None:
        """What is missing stands in the tags, with why."""
        name = self.store.record(make_stream([Drawn(3), Drawn(3, pause_us=6 * SECOND), Drawn(3)]))
        data = self.export(name)
        told = [text for tag, text in self.tags(data) if tag == "GAP"]
        self.assertEqual(len(told), 1)
        self.assertIn("disconnected 3 no route", told[0])

    def test_a_clock_that_was_set_back(self) -> None:
        """The file's time goes on; by how much it is wrong from there on stands in the tags."""
        slow = Drawn(5, step_us=500_000)
        drawn = [slow] * 4 + [Drawn(5, set_back_us=5 * SECOND)] + [Drawn(5)]
        name = self.store.record(make_stream(drawn))
        data = self.export(name)
        frames = read_back(Path(self.mktemp()), data)
        times = [frame[0] for some in frames.values() for frame in some if frame[1]]
        self.assertEqual(times, sorted(times))
        self.assertIn("TIME_SHIFT", [tag for tag, _ in self.tags(data)])

    def test_a_damaged_cluster(self) -> None:
        """What is broken is Void: the rest is where it was, and the length is what was told."""
        name = self.store.record(make_stream([Drawn(5)] * 6))
        content = self.store.content(name)
        group = content.placed[0].part.groups[2]
        (path,) = self.store.bench.blocks()
        whole = bytearray(path.read_bytes())
        whole[group.offset + 60] ^= 1
        path.write_bytes(whole)
        frames = self.frames(self.export(name))
        self.assertEqual(len(frames), 25)
        self.assertEqual(len(self.store.problems), 1)
        self.assertIn("CRC-32", self.store.problems[0][1])

    def test_a_block_removed_meanwhile(self) -> None:
        """A block that is removed while it is exported leaves a hole, and the rest is whole."""
        name = self.store.record(make_stream([Drawn(5), Drawn(5, pause_us=400 * SECOND)]))
        made = self.store.matroska(self.store.content(name))
        self.store.bench.blocks()[0].unlink()
        data = joined(made.pieces())
        self.assertEqual(len(data), made.size_bytes)
        self.assertEqual(len(self.frames(data)), 5)

    def test_a_block_that_is_gone(self) -> None:
        """A block that is not there is told as a gap."""
        name = self.store.record(make_stream([Drawn(5), Drawn(5, pause_us=400 * SECOND)]))
        self.store.bench.blocks()[0].unlink()
        content = self.store.content(name)
        self.assertEqual(len(content.placed), 1)
        self.assertIn(GapReason.REMOVED, [gap.reason for gap in content.gaps])

    def test_two_recordings_of_a_moment(self) -> None:
        """Of a device each picture is there once, though two recordings have it."""
        gops = make_stream([Drawn(5)] * 10)
        self.store.record(gops[:6])
        self.store.record(gops[3:])
        frames = self.frames(self.export(device="front"))
        wanted = times_and_data([unit for gop in gops for unit in gop.units])
        self.assertEqual([data for _, data in frames], [data for _, data in wanted])

    def test_a_recording_that_ended_within_a_group(self) -> None:
        """Where another one has the whole group it is there whole, and once."""
        gops = make_stream([Drawn(5)] * 8)
        cut = gop_of(gops[4].units[:2], gops[4].units[1].utc_us)
        self.store.record([*gops[:4], cut])
        self.store.record(gops[3:])
        frames = self.frames(self.export(device="front"))
        wanted = times_and_data([unit for gop in gops for unit in gop.units])
        self.assertEqual([data for _, data in frames], [data for _, data in wanted])

    def test_recordings_with_a_hole_between_them(self) -> None:
        """What was not recorded between two recordings is a gap, and time goes on right."""
        gops = make_stream([Drawn(5), Drawn(5), Drawn(5, pause_us=60 * SECOND)])
        self.store.record(gops[:2])
        self.store.record(gops[2:])
        content = self.store.content(device="front")
        self.assertTrue(any(gap.end_us - gap.start_us > 59 * SECOND for gap in content.gaps))
        frames = self.frames(self.export(device="front"))
        self.assertLess(abs(frames[10][0] - gops[2].start_us // 1000), 2)


class AnyRecordingTests(SynchronousTestCase):
    @settings(max_examples=25, deadline=None)
    @given(st.lists(GROUPS, min_size=1, max_size=6), st.data())
    def test_is_what_the_disk_holds(self, drawn: list[Drawn], data: st.DataObject) -> None:
        """Whatever was recorded: frames, their order of time, the length, any range."""
        with tempfile.TemporaryDirectory() as folder:
            store = Store(f"{folder}/disk")
            name = store.record(make_stream(drawn))
            made = store.matroska(store.content(name))
            whole = joined(made.pieces())
            self.assertEqual(len(whole), made.size_bytes)
            start = data.draw(st.integers(0, len(whole) - 1))
            end = data.draw(st.integers(start + 1, len(whole)))
            self.assertEqual(joined(made.pieces(start, end)), whole[start:end])
            frames = read_back(Path(folder) / "export.mkv", whole)
            found = sorted(frame[2] for some in frames.values() for frame in some)
            wanted = sorted(bytes(unit.data) for unit in store.units(name))
            self.assertEqual(found, wanted)
            self.assertEqual(store.problems, [])
            store.close()
