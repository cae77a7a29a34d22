"""What was written is what is read, forward and backward."""

from bisect import bisect_right
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, GapReason
from axis_nvr.storage.reading.cursor import Edge
from axis_nvr.storage.reading.gops import StoredGop
from tests.storage.making import START_US, Bench, sound_gop
from tests.storage.reading.streams import (
    GROUPS,
    SECOND,
    Drawn,
    Readings,
    UnsyncedFiles,
    backward,
    forward,
    make_stream,
    tracks_of,
    units_of,
)


class CursorCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.make_bench()

    def make_bench(self) -> None:
        self.bench = Bench(self.mktemp(), UnsyncedFiles())
        self.bench.disk.start()
        self.readings: Readings | None = None
        self.addCleanup(self.stop, self.bench)

    def stop(self, bench: Bench) -> None:
        if bench.disk._place is not None:
            bench.disk.stop()

    def read(self) -> Readings:
        """What reads the disk from now on."""
        self.readings = Readings(self.bench.folder)
        self.addCleanup(self.readings.close)
        return self.readings

    def record(self, gops: Sequence[Gop], *, is_closed: bool = True) -> str:
        """Record groups, all in one batch."""
        recording = self.bench.open()
        self.assertEqual(self.bench.write(recording, *gops), [None] * len(gops))
        if is_closed:
            self.bench.close(recording)
        return recording.recording_id

    def assert_units(self, found: Sequence[AccessUnit], written: Sequence[AccessUnit]) -> None:
        """Each unit of each track once, in order, to the byte and to the millisecond."""
        tracks, expected = tracks_of(found), tracks_of(written)
        self.assertEqual(set(tracks), set(expected))
        for track, units in expected.items():
            self.assertEqual([u.data for u in tracks[track]], [u.data for u in units])
            self.assertEqual([u.sync for u in tracks[track]], [u.sync for u in units])
            self.assertEqual([u.format for u in tracks[track]], [u.format for u in units])
            for one, other in zip(tracks[track], units, strict=True):
                self.assertLessEqual(abs(one.utc_us - other.utc_us), 500)


class ReadBackTests(CursorCase):
    @settings(max_examples=15, deadline=None)
    @given(st.lists(GROUPS, min_size=1, max_size=12), st.booleans())
    def test_what_is_written_is_read(self, drawn: list[Drawn], is_closed: bool) -> None:
        """B-frames, sound, parts, holes, other formats, closed or still open: all of it."""
        self.make_bench()
        drawn = [one for one in drawn if not one.set_back_us] or [Drawn()]
        gops = make_stream(drawn)
        cursor = self.read().recording(self.record(gops, is_closed=is_closed))
        found = forward(cursor)
        self.assert_units(units_of(found), [unit for gop in gops for unit in gop.units])
        self.assertIs(cursor.next_gop(), Edge.END if is_closed else Edge.LATER)
        self.assertEqual(len(found), len(drawn))
        self.assertTrue(all(gop.starts_at_sync for gop in found))

    @settings(max_examples=15, deadline=None)
    @given(st.lists(GROUPS, min_size=1, max_size=12), st.booleans(), st.booleans())
    def test_backward_is_forward_in_reverse(
        self, drawn: list[Drawn], is_closed: bool, is_device: bool
    ) -> None:
        """Group by group, gaps included, also where the clock was set back."""
        self.make_bench()
        drawn = [Drawn(), Drawn(pause_us=10_000 * SECOND), *drawn]
        is_closed = is_closed or any(one.set_back_us for one in drawn)
        name = self.record(make_stream(drawn), is_closed=is_closed)
        readings = self.read()
        cursor = readings.device() if is_device else readings.recording(name)
        found = forward(cursor)
        self.assertEqual(len(found), len(drawn))
        back = backward(cursor)
        self.assertIs(cursor.previous_gop(), Edge.BEGIN)
        self.assertEqual([self.said(gop) for gop in back], [self.said(gop) for gop in found[::-1]])
        self.assertEqual([self.said(gop) for gop in forward(cursor)], [*map(self.said, found)])

    def said(self, gop: StoredGop) -> object:
        """All that a group says."""
        return (gop.block_id, gop.start_us, gop.end_us, gop.gaps, tuple(gop.units))

    @settings(max_examples=12, deadline=None)
    @given(
        st.lists(GROUPS, min_size=1, max_size=10),
        st.lists(st.integers(-SECOND, 900 * SECOND), min_size=4, max_size=4),
    )
    def test_seeking_is_a_linear_search(self, drawn: list[Drawn], offsets: list[int]) -> None:
        """The group found is the last that begins at or before the time, the first if none does."""
        self.make_bench()
        drawn = [one for one in drawn if not one.set_back_us] or [Drawn()]
        name = self.record(make_stream(drawn))
        cursor = self.read().recording(name)
        starts = [gop.start_us for gop in forward(cursor)]
        for offset in [*offsets, *(start - START_US for start in starts)]:
            at = max(0, bisect_right(starts, START_US + offset) - 1)
            cursor.seek(START_US + offset)
            found = cursor.next_gop()
            assert isinstance(found, StoredGop)
            self.assertEqual(found.start_us, starts[at])
            cursor.seek(START_US + offset, backward=True)
            found = cursor.previous_gop()
            assert isinstance(found, StoredGop)
            self.assertEqual(found.start_us, starts[at])
            before = cursor.previous_gop()
            self.assertEqual(
                before.start_us if isinstance(before, StoredGop) else -1, ([-1, *starts])[at]
            )

    def test_sound_alone(self) -> None:
        """A recording without video has its sound as the main track."""
        gops = [sound_gop(START_US + at * 2 * SECOND, track=0) for at in range(3)]
        found = forward(self.read().recording(self.record(gops)))
        self.assert_units(units_of(found), [unit for gop in gops for unit in gop.units])
        self.assertEqual(len(found), 3)


class GapTests(CursorCase):
    def test_gaps_come_with_what_is_behind_them(self) -> None:
        """A noted gap is told with the first group behind it, and at the unit that follows it."""
        gops = make_stream([Drawn(), Drawn(pause_us=2 * SECOND), Drawn(pause_us=10 * SECOND)])
        found = forward(self.read().recording(self.record(gops)))
        for gop, stored in zip(gops, found, strict=True):
            self.assertEqual(list(stored.gaps), gop.gaps)
            self.assertEqual(stored.units[0].gap, gop.gaps[0] if gop.gaps else None)

    def test_a_hole_that_nobody_noted(self) -> None:
        """Two blocks with nothing between them, and no word of it: the reader says it itself."""
        first, second = make_stream([Drawn(), Drawn(pause_us=30 * SECOND)])
        second.gaps.clear()
        second.units[0] = second.units[0]._replace(gap=None)
        _, behind = forward(self.read().recording(self.record([first, second])))
        (gap,) = behind.gaps
        self.assertEqual(
            (gap.start_us, gap.end_us, gap.reason),
            (first.end_us, second.start_us, GapReason.NOT_RECORDED),
        )

    def test_a_clock_set_back(self) -> None:
        """Pictures of an hour that was twice are all there, block by block."""
        drawn = [Drawn(pictures=2), Drawn(pictures=2, set_back_us=700 * SECOND), Drawn()]
        gops = make_stream(drawn)
        found = forward(self.read().recording(self.record(gops)))
        written = sorted((u.utc_us, u.data) for gop in gops for u in gop.units)
        self.assertEqual(sorted(u.data for u in units_of(found)), sorted(d for _, d in written))
        self.assertIn(GapReason.CLOCK_STEPPED, {gap.reason for gop in found for gap in gop.gaps})
