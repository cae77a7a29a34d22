"""All recordings of a device as one: each moment once."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from axis_nvr.media.gop import Gop
from axis_nvr.storage.reading.gops import StoredGop
from tests.storage.making import START_US
from tests.storage.reading.streams import (
    SECOND,
    Drawn,
    backward,
    forward,
    make_stream,
    units_of,
)
from tests.storage.reading.test_cursor import CursorCase

#: From which group to which a recording goes, of a stream of twenty.
SLICES = st.tuples(st.integers(0, 18), st.integers(1, 20)).map(lambda s: (s[0], s[0] + s[1]))
PAUSES = st.lists(st.sampled_from([0, 0, 0, 3, 400]), min_size=20, max_size=20)


class DeviceTests(CursorCase):
    def stream(self, pauses: list[int], shift_us: int = 0) -> list[Gop]:
        """Twenty groups of a second each, with sound; seconds of pause before each."""
        drawn = [
            Drawn(pictures=5, step_us=SECOND // 5, sounds=2, pause_us=pause * SECOND)
            for pause in pauses
        ]
        return make_stream(drawn, START_US + shift_us)

    def said(self, gops: list[StoredGop]) -> list[object]:
        return [
            (g.recording_id, g.start_us, g.end_us, g.gaps, g.fresh_from_us, g.fresh_until_us)
            for g in gops
        ]

    @settings(max_examples=25, deadline=None)
    @given(PAUSES, st.lists(SLICES, min_size=1, max_size=5), st.booleans())
    def test_one_stream_in_several_recordings(
        self, pauses: list[int], slices: list[tuple[int, int]], is_closed: bool
    ) -> None:
        """Whatever overlaps whatever: every picture and sound that any has, and none twice."""
        self.make_bench()
        gops = self.stream(pauses)
        for begin, end in slices:
            self.record(gops[begin:end], is_closed=is_closed)
        cursor = self.read().device()
        found = forward(cursor)
        recorded = {at for begin, end in slices for at in range(begin, min(end, 20))}
        wanted = sorted(bytes(u.data) for at in recorded for u in gops[at].units)
        if is_closed:
            self.assertEqual(sorted(bytes(u.data) for u in units_of(found)), wanted)
        starts = [gop.start_us for gop in found]
        self.assertEqual(starts, sorted(starts))
        self.assertEqual(self.said(backward(cursor)), self.said(found)[::-1])

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.tuples(SLICES, st.integers(0, 999)), min_size=2, max_size=4))
    def test_streams_whose_groups_begin_elsewhere(
        self, slices: list[tuple[tuple[int, int], int]]
    ) -> None:
        """Where one recording goes on for another, pictures go on without a step back in time."""
        self.make_bench()
        covered: list[tuple[int, int]] = []
        for (begin, end), shift in slices:
            gops = self.stream([0] * 20, shift * 1000)[begin:end]
            self.record(gops)
            covered.append((gops[0].start_us, gops[-1].end_us))
        cursor = self.read().device()
        found = forward(cursor)
        for before, after in pairwise(found):
            if before.recording_id != after.recording_id:
                last = max((u.utc_us for u in units_of([before])), default=0)
                first = min((u.utc_us for u in units_of([after])), default=last)
                self.assertLessEqual(last, first)
        shown = sorted(u.utc_us for u in units_of(found) if not u.track)
        for start_us, end_us in covered:  # no picture is further from the next than in the stream
            inside = [t for t in shown if start_us <= t + 1000 and t < end_us]
            steps = [b - a for a, b in zip([start_us, *inside], [*inside, end_us], strict=True)]
            # sound stands 7 ms behind its picture, and times in a block are whole milliseconds
            self.assertLessEqual(max(steps), 2 * SECOND // 5 + 8000, (slices, covered, shown))
        self.assertEqual(self.said(backward(cursor)), self.said(found)[::-1])

    def test_the_older_recording_shows_what_both_have(self) -> None:
        """The other one takes over where it ends, in the middle of a group if need be."""
        gops = self.stream([0] * 20)
        first = self.record(gops[:10])
        second = self.record(gops[5:])
        found = forward(self.read().device())
        self.assertEqual([g.recording_id for g in found], [first] * 10 + [second] * 10)

    def test_another_device(self) -> None:
        """What is of another device is not shown."""
        self.record(self.stream([0] * 20))
        self.assertEqual(forward(self.read().device("yard")), [])
