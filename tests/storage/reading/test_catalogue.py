"""What is known of recordings beyond a list of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from axis_nvr.media.units import GapReason
from axis_nvr.storage.reading.catalogue import (
    HOLE_US,
    Span,
    details,
    device_spans,
    devices,
    events,
    recordings_at,
    sources,
    spans,
    totals,
)
from axis_nvr.storage.recording import RecordingDetails
from tests.storage.making import START_US
from tests.storage.reading.streams import SECOND, Drawn, make_stream
from tests.storage.reading.test_cursor import CursorCase

YARD = RecordingDetails("yard", "device=yard", trigger_type="triggered", trigger_name="motion")
END_US = START_US + 10_000 * SECOND


class CatalogueTests(CursorCase):
    def test_details(self) -> None:
        """Size, number of blocks, gaps and where it ends: what the files show."""
        gops = make_stream([Drawn(), Drawn(pause_us=400 * SECOND), Drawn(pause_us=2 * SECOND)])
        name = self.record(gops)
        told = details(self.read().index, name)
        assert told is not None
        sizes = [path.stat().st_size for path in self.bench.blocks()]
        self.assertEqual((told.blocks, told.size_bytes), (2, sum(sizes)))
        self.assertEqual(told.stop_us, gops[-1].end_us)
        reasons = [gap.reason for gap in told.gaps]
        self.assertEqual(reasons, [GapReason.DISCONNECTED] * 2)
        self.assertEqual((told.locks, told.damage), ((), ()))

    def test_details_of_one_that_runs(self) -> None:
        """It ends where its closed blocks do; one that is not there has no details."""
        gops = make_stream([Drawn(), Drawn(pause_us=400 * SECOND)])
        name = self.record(gops, is_closed=False)
        told = details(self.read().index, name)
        assert told is not None
        self.assertEqual((told.blocks, told.stop_us), (2, gops[0].end_us))
        self.assertIsNone(details(self.read().index, name[:-1] + "0"))

    def test_names(self) -> None:
        """Devices, rules and sources that there are recordings of, and how many there are."""
        self.record(make_stream([Drawn()]))
        second = self.bench.open(YARD)
        self.bench.write(second, *make_stream([Drawn()]))
        index = self.read().index
        self.assertEqual(devices(index), ["front", "yard"])
        self.assertEqual((events(index), sources(index)), (["continuous", "motion"], ["1"]))
        self.assertEqual(totals(index), (2, 2))
        self.assertEqual([f.row.device for f in recordings_at(index, START_US)], ["front", "yard"])
        self.assertEqual([f.row.device for f in recordings_at(index, START_US, "yard")], ["yard"])

    @settings(max_examples=15, deadline=None)
    @given(
        st.lists(st.sampled_from([0, 0, 6, 400]), min_size=1, max_size=8),
        st.booleans(),
        st.tuples(st.integers(0, 900), st.integers(0, 900)).map(sorted),
    )
    def test_spans(self, pauses: list[int], is_closed: bool, part: list[int]) -> None:
        """The time line: all times of which there is media, in all of it and in a part."""
        self.make_bench()
        gops = make_stream([Drawn(pause_us=pause * SECOND) for pause in pauses])
        name = self.record(gops, is_closed=is_closed)
        expected: list[Span] = []
        for gop in gops:
            if expected and gop.start_us - (expected[-1].stop_us or 0) <= HOLE_US:
                expected[-1] = expected[-1]._replace(stop_us=gop.end_us)
            else:
                expected.append(Span(gop.start_us, gop.end_us, name))
        if not is_closed:
            expected[-1] = expected[-1]._replace(stop_us=None)
        index = self.read().index
        self.assertEqual(spans(index, name, 0, END_US), (expected, None))
        self.assertEqual(device_spans(index, "front", 0, END_US), (expected, None))
        begin_us, end_us = (START_US + second * SECOND for second in part)
        found = spans(index, name, begin_us, end_us).spans
        within = [
            span
            for span in expected
            if span.start_us <= end_us and (span.stop_us is None or span.stop_us >= begin_us)
        ]
        self.assertEqual(found, within)
        for gop in gops:
            names = [one.row.recording_id for one in recordings_at(index, gop.start_us)]
            self.assertEqual(names, [name])

    def test_a_long_time_line_comes_in_parts(self) -> None:
        """Each part says where the next one begins; put together they are the whole."""
        gops = make_stream([Drawn(pause_us=30 * SECOND) for _ in range(9)])
        name = self.record(gops)
        index = self.read().index
        found: list[Span] = []
        begin_us: int | None = START_US
        for _ in range(20):
            if begin_us is None:
                break
            part = spans(index, name, begin_us, END_US, limit=2)
            found += part.spans
            begin_us = part.next_us
        self.assertEqual(found, spans(index, name, START_US, END_US).spans)

    def test_a_devices_time_line_in_parts(self) -> None:
        """It ends before the first recording that was not looked at."""
        gops = make_stream([Drawn(pause_us=30 * SECOND) for _ in range(6)])
        names = [self.record(gops[at : at + 2]) for at in (0, 2, 4)]
        index = self.read().index
        part = device_spans(index, "front", START_US, END_US, limit=2)
        self.assertEqual({span.recording_id for span in part.spans}, {names[0]})
        self.assertEqual(part.next_us, gops[2].start_us)
        rest = device_spans(index, "front", gops[2].start_us, END_US)
        self.assertEqual({span.recording_id for span in rest.spans}, set(names[1:]))
        self.assertIsNone(rest.next_us)
