"""What is known of recordings beyond a list of them."""

from axis_nvr.media.units import GapReason
from axis_nvr.storage.reading.catalogue import count_recordings, events, gaps_of, sources
from axis_nvr.storage.reading.search import Search, find
from axis_nvr.storage.recording import RecordingDetails
from tests.storage.reading.streams import SECOND, Drawn, make_stream
from tests.storage.reading.test_cursor import CursorCase

YARD = RecordingDetails("yard", "device=yard", trigger_type="triggered", trigger_name="motion")


class CatalogueTests(CursorCase):
    def test_names(self) -> None:
        """Rules and sources that there are recordings of, and how many there are."""
        self.record(make_stream([Drawn()]))
        second = self.bench.open(YARD)
        self.bench.write(second, *make_stream([Drawn()]))
        index = self.read().index
        self.assertEqual((events(index), sources(index)), (["continuous", "motion"], ["1"]))
        self.assertEqual(count_recordings(index), 2)

    def test_gaps(self) -> None:
        """All of a recording, or those of a range: what ends behind its start, up to its end."""
        gops = make_stream([Drawn(), *(Drawn(pause_us=pause * SECOND) for pause in (5, 400, 3))])
        name = self.record(gops)
        index = self.read().index
        number = find(index, Search(recording_id=name)).found[0].number
        gaps = list(gaps_of(index, number))
        self.assertEqual([gap.reason for gap in gaps], [GapReason.DISCONNECTED] * 3)
        ends = [gap.end_us for gap in gaps]
        self.assertEqual(list(gaps_of(index, number, ends[0], ends[1])), gaps[1:2])
        self.assertEqual(list(gaps_of(index, number, stop_us=ends[0] - 1)), [])
