"""Finding what may go: in the right order, without looking at the whole disk."""

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.retention import candidates
from axis_nvr.storage.retention.candidates import Hunt, Page, oldest_of_group
from tests.storage.making import START_US
from tests.storage.retention.making import SECOND, SPACING_US, SmallDisk


def ids(pages: Iterable[Page]) -> list[str]:
    """The blocks on all pages."""
    return [candidate.block_id for page in pages for candidate in page]


class HuntTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = SmallDisk()
        self.addCleanup(self.disk.end)
        self.patch(candidates, "PAGE_ROWS", 3)
        self.hunt = Hunt(self.disk.index)

    def test_oldest_first(self) -> None:
        """Closed blocks come in the order of their start, whatever recording they are of."""
        self.disk.record(4)
        self.disk.record(4, at_us=START_US + 60 * SECOND)
        running = self.disk.begin(at_us=START_US + 90 * SECOND)
        for number in range(4):
            self.disk.write(running, START_US + 90 * SECOND + number * SPACING_US)
        blocks = self.disk.blocks()
        self.assertEqual(ids(self.hunt.oldest()), blocks[:-1])
        self.assertEqual(ids(self.hunt.oldest(START_US + SPACING_US)), blocks[:3])

    def test_what_is_locked_is_passed_over(self) -> None:
        """Locked blocks are left out; those before and behind a span are not."""
        recording = self.disk.record(9)
        span = (START_US + 2 * SPACING_US, START_US + 4 * SPACING_US)
        self.disk.locks.lock(recording, *span, reason="x")
        blocks = self.disk.blocks()
        self.assertEqual(ids(self.hunt.oldest()), blocks[:2] + blocks[4:])

    def test_the_locked_beginning_is_remembered(self) -> None:
        """A beginning that is all locked is not looked at again, until a lock is taken away."""
        recording = self.disk.record(30)
        lock = self.disk.locks.lock(recording, None, START_US + 20 * SPACING_US, reason="x")
        blocks = self.disk.blocks()
        self.assertEqual(ids(self.hunt.oldest()), blocks[20:])
        again = list(self.hunt.oldest())
        self.assertEqual((ids(again), len(again)), (blocks[20:], 4))
        self.disk.locks.unlock(lock.token)
        self.assertEqual(ids(self.hunt.oldest()), blocks)

    def test_open_blocks_are_not_forgotten(self) -> None:
        """A block that was open when it was passed over is found once it is closed."""
        running = self.disk.begin()
        self.disk.write(running, START_US)
        self.disk.record(3, at_us=START_US + SECOND)
        blocks = self.disk.blocks()
        self.assertEqual(ids(self.hunt.oldest()), blocks[1:])
        self.disk.bench.close(running)
        self.assertEqual(ids(self.hunt.oldest()), blocks)

    def test_groups(self) -> None:
        """Of a group its own recordings are searched, in the order of their start."""
        self.disk.record(2)
        first = self.disk.record(4, "g", at_us=START_US + SECOND)
        second = self.disk.record(2, "g", at_us=START_US + 2 * SECOND)
        self.disk.record(2, "h", at_us=START_US + 3 * SECOND)
        found = [c for page in oldest_of_group(self.disk.index, "g", 2**52) for c in page]
        self.assertEqual([c.recording_id for c in found], [first] * 4 + [second] * 2)
        self.assertEqual(len(ids(oldest_of_group(self.disk.index, "g", START_US + 3 * SECOND))), 2)
        self.disk.locks.lock(first, reason="x")
        self.assertEqual(len(ids(oldest_of_group(self.disk.index, "g", 2**52))), 2)


class ScaleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = SmallDisk()
        self.addCleanup(self.disk.end)

    def plan(self, index: Index, query: str, *values: object) -> str:
        rows = index.query(f"EXPLAIN QUERY PLAN {query}", *values)
        return "\n".join(row[3] for row in rows)

    def test_no_search_looks_at_the_whole_disk(self) -> None:
        """Each query goes by an index from its place on, sorts nothing and scans nothing."""
        time = utc_text(START_US)
        for query, values in (
            (candidates._OLDEST, (time, 1, time, 9)),
            (candidates._OF_GROUP, ("g", time, 1, time, 9)),
            (candidates._OF_RECORDING, (1, time, 1, time, 9)),
        ):
            plan = self.plan(self.disk.index, query, *values)
            self.assertNotIn("SCAN", plan)
            self.assertNotIn("TEMP B-TREE", plan)
            first = plan.splitlines()[0]
            self.assertRegex(first, r"INDEX .*starttime.*[<>]", query)
