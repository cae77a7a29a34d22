"""Searching for recordings."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index, RecordingRow
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.reading.catalogue import count_recordings
from axis_nvr.storage.reading.running import Place, running_at
from axis_nvr.storage.reading.search import Search, count, find, place_of
from tests.storage.making import START_US
from tests.storage.reading.rows import MINUTE_US, Drawn, fill

#: Minutes that meet the ends of hours, days and months.
MINUTES = st.one_of(
    st.integers(0, 200), st.sampled_from([0, 51, 52, 53, 1011, 1012, 36_000, 36_900, 80_000])
)
DRAWN = st.builds(
    Drawn,
    start=MINUTES,
    length=st.one_of(st.none(), st.integers(0, 100), st.sampled_from([1440, 3000, 50_000])),
    device=st.sampled_from(["front", "yard"]),
    event=st.sampled_from(["continuous", "motion"]),
    group=st.sampled_from(["", "g1"]),
)
SEARCHES = st.builds(
    Search,
    start_us=st.one_of(st.none(), MINUTES.map(lambda m: START_US + m * MINUTE_US)),
    stop_us=st.one_of(st.none(), MINUTES.map(lambda m: START_US + m * MINUTE_US)),
    device=st.sampled_from([None, None, "front", "absent"]),
    event=st.sampled_from([None, None, "motion"]),
    action=st.sampled_from([None, None, "motion"]),
    recording_type=st.sampled_from([None, None, "triggered"]),
    source=st.sampled_from([None, None, "1"]),
    group=st.sampled_from([None, None, "", "g1"]),
    running=st.sampled_from([None, None, True, False]),
    locked=st.sampled_from([None, None, True, False]),
    newest_first=st.booleans(),
)


def is_match(search: Search, row: RecordingRow, locked: set[str]) -> bool:
    """What a search means, said plainly."""
    assert row.start_us is not None
    asked = (
        (search.device, row.device),
        (search.event, row.event),
        (search.action, row.action),
        (search.recording_type, row.recording_type),
        (search.source, row.source),
        (search.group, row.group),
        (search.running, row.stop_us is None),
        (search.locked, row.recording_id in locked),
    )
    ends_late = search.start_us is None or row.stop_us is None or row.stop_us >= search.start_us
    begins_early = search.stop_us is None or row.start_us <= search.stop_us
    return ends_late and begins_early and all(a is None or a == b for a, b in asked)


def expected(search: Search, rows: list[RecordingRow], locked: set[str]) -> list[str]:
    """Every row looked at, and sorted."""
    found = [(r.start_us, at, r) for at, r in enumerate(rows) if is_match(search, r, locked)]
    found.sort(key=lambda one: one[:2], reverse=search.newest_first)
    return [row.recording_id for _, _, row in found]


class SearchTests(SynchronousTestCase):
    @contextmanager
    def disk(self, drawn: list[Drawn]) -> Iterator[tuple[Index, list[RecordingRow], set[str]]]:
        """An index in which every third recording is locked."""
        path = Path(self.mktemp())
        index, rows = fill(path, drawn)
        locked = {row.recording_id for row in rows[::3]}
        with index.transaction():
            for name in locked:
                index.execute(
                    "INSERT INTO nvr_locks SELECT ?, id, NULL, NULL, 'me', '', 0 FROM recordings"
                    " WHERE filename = ?",
                    name,
                    name,
                )
        index.close()
        reader = Index.open_read_only(Files(), path)
        try:
            yield reader, rows, locked
        finally:
            reader.close()

    def pages(self, index: Index, search: Search, limit: int) -> list[list[str]]:
        pages: list[list[str]] = []
        after: Place | None = None
        while after is not None or not pages:
            page = find(index, search, limit, after)
            pages.append([found.row.recording_id for found in page.found])
            after = page.next
        return pages

    @settings(max_examples=40, deadline=None)
    @given(st.lists(DRAWN, max_size=25), st.lists(SEARCHES, min_size=4, max_size=4))
    def test_finds_what_a_look_at_every_row_finds(
        self, drawn: list[Drawn], searches: list[Search]
    ) -> None:
        """Pages of three, put together, are all that match, once and in order; so is the count."""
        with self.disk(drawn) as (index, rows, locked):
            for search in searches:
                pages = self.pages(index, search, 3)
                wanted = expected(search, rows, locked)
                self.assertEqual([name for page in pages for name in page], wanted)
                self.assertTrue(all(len(page) == 3 for page in pages[:-1]))
                self.assertEqual(count(index, search), len(wanted))
                for number in range(1, len(wanted) + 2):
                    place = place_of(index, search, number)
                    self.assertEqual(place is None, number > len(wanted))
                    if place is not None:
                        rest = find(index, search, after=place).found
                        self.assertEqual([f.row.recording_id for f in rest], wanted[number:])

    @settings(max_examples=30, deadline=None)
    @given(st.lists(DRAWN, max_size=25), st.lists(MINUTES, min_size=3, max_size=3))
    def test_running_at_a_moment(self, drawn: list[Drawn], minutes: list[int]) -> None:
        """Whatever ends of hours, days and months lie between its start and that moment."""
        with self.disk(drawn) as (index, _, _):
            for minute in minutes:
                wanted = {
                    at
                    for at, one in enumerate(drawn, 1)
                    if one.start <= minute
                    and (one.length is None or one.start + one.length >= minute)
                }
                found = running_at(index, START_US + minute * MINUTE_US)
                self.assertEqual({place.number for place in found}, wanted)

    def test_each_search_is_served_by_an_index(self) -> None:
        """No search walks through a table or sorts what it found, those of few rows apart."""
        with self.disk([Drawn(0, 1)]) as (index, _, _):
            for more in ({}, {"start_us": START_US, "stop_us": START_US}):
                for name in ("device", "group", "event", "source", "action", "recording_type"):
                    for search in (Search(**more), Search(**more, **{name: "x"})):  # type: ignore[arg-type]
                        plan = self.plan(index, search)
                        self.assertNotIn("TEMP B-TREE", plan)
                        self.assertNotRegex(plan, r"SCAN (?!.*INDEX)")

    def plan(self, index: Index, search: Search) -> str:
        """How SQLite goes about a search."""
        texts: list[str] = []
        connection = index._connection

        class Asking:
            def execute(self, text: str, values: tuple[object, ...] = ()) -> object:
                rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", values)
                texts.extend(row[3] for row in rows)
                return connection.execute(text, values)

        index._connection = Asking()
        try:
            find(index, search, 10, Place("2030", 5))
        finally:
            index._connection = connection
        return "\n".join(texts)

    def test_what_is_said_of_a_recording(self) -> None:
        """The row as it was written, and whether it is locked."""
        with self.disk([Drawn(0, 5, group="g1"), Drawn(7, None)]) as (index, rows, _):
            first, second = find(index, Search(newest_first=False)).found
            self.assertEqual([first.row, second.row], rows)
            self.assertEqual((first.locked, second.locked), (True, False))

    def test_a_start_that_moves(self) -> None:
        """When old blocks go, the recording starts later, and its device's list follows."""
        path = Path(self.mktemp())
        index, rows = fill(path, [Drawn(0, 100), Drawn(10, 5)])
        self.addCleanup(index.close)
        first, second = (row.recording_id for row in rows)
        with index.transaction():
            for minute in (0, 20):
                stamp = f"20240506_07{minute:02}00_B00{minute // 20}"
                index.add_block(first, stamp, START_US + minute * MINUTE_US)
            index.drop_block("20240506_070000_B000")
        for search in (Search(), Search(device="front"), Search(group="")):
            found = find(index, search).found
            self.assertEqual([one.row.recording_id for one in found], [first, second])

    @settings(max_examples=30, deadline=None)
    @given(st.lists(DRAWN, max_size=12), st.lists(st.tuples(st.integers(0, 11), MINUTES)))
    def test_counts_follow_what_changes(
        self, drawn: list[Drawn], changes: list[tuple[int, int]]
    ) -> None:
        """Whatever comes, goes, or starts later; and they are made anew for an older index."""
        path = Path(self.mktemp())
        index, _ = fill(path, drawn)
        self.addCleanup(index.close)
        with index.transaction():
            for number, minute in changes:
                if minute % 2:
                    index.execute("DELETE FROM recordings WHERE id = ?", number)
                else:
                    start = utc_text(START_US + minute * MINUTE_US)
                    index.execute(
                        "UPDATE recordings SET stoptime = NULL, starttime = ? WHERE id = ?",
                        start,
                        number,
                    )
        kept = self.counts(index)
        with index.transaction():
            index.execute("UPDATE nvr_counts SET recordings = 77")
            for name in ("added", "moved", "removed"):
                index.execute(f"DROP TRIGGER nvr_counts_{name}")
        index._connection.execute("PRAGMA user_version=2")
        again = Index.open(Files(), path, START_US)
        self.addCleanup(again.close)
        self.assertEqual(self.counts(again), kept)
        (number,) = again.first("SELECT COUNT(*) FROM recordings")
        self.assertEqual(kept.get("", 0), number)
        hours = "SELECT substr(starttime, 1, 13), COUNT(*) FROM recordings GROUP BY 1"
        self.assertEqual({h: n for h, n in kept.items() if h}, dict(again.query(hours)))
        self.assertEqual(count_recordings(again), number)

    def counts(self, index: Index) -> dict[str, int]:
        return dict(index.query("SELECT hour, recordings FROM nvr_counts"))

    def test_times_of_another_writer(self) -> None:
        """A time that is none is told as none; the others are found all the same."""
        path = Path(self.mktemp())
        index, _ = fill(path, [Drawn(0, 5)])
        self.addCleanup(index.close)
        with index.transaction():
            index.execute("UPDATE recordings SET stoptime = 'tomorrow'")
        (found,) = find(index, Search()).found
        self.assertEqual((found.row.start_us, found.row.stop_us), (START_US, None))
