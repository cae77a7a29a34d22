"""How far back recordings reach, and how long a disk has room."""

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import NvrError
from axis_nvr.services.disk_reach import LOOK_SECONDS, WAIT_SECONDS, DiskReaches
from axis_nvr.services.status import DiskReport, ReachReport
from axis_nvr.storage.reading.reach import Reach
from axis_nvr.storage.reading.reader import Reader
from axis_nvr.storage.retention.policy import Rules
from axis_nvr.storage.schema import REBUILD_STATE
from tests.services.shelves import Shelves
from tests.storage.making import START_US
from tests.storage.reading.streams import UnsyncedFiles

GB = 10**9
DAY_US = 86_400 * 10**6
DISK = DiskReport("HDD_DISK", "/srv/nvr", "ok", free_bytes=600 * GB, total_bytes=1000 * GB)


class ReachTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.shelves = Shelves(self.mktemp())
        self.addCleanup(self.shelves.close)
        self.clock = Clock()
        self.rules = Rules()
        self.began_us = START_US
        self.reaches = DiskReaches(
            self.shelves.library,
            UnsyncedFiles(),
            lambda disk_id: self.rules,
            self.clock,
            lambda: self.began_us / 1e6 + self.clock.seconds(),
        )
        self.shelves.put("HDD_DISK")
        self.disk = self.shelves.disks["HDD_DISK"]

    def taken_in(self) -> None:
        """Have it known that the index has all there is."""
        index = self.disk.premises.index
        with index.transaction():
            index.set_state(REBUILD_STATE, None)

    def look(self, disk: DiskReport = DISK) -> ReachReport:
        self.successResultOf(Deferred.fromCoroutine(self.reaches.look()))
        return self.reaches.of(disk)

    def written(self) -> int:
        return sum(path.stat().st_size for path in self.disk.bench.folder.rglob("*.mkv"))

    def test_since_when_and_how_fast(self) -> None:
        """From the oldest block on; at the rate of all that was written since the start."""
        self.disk.record(START_US - DAY_US)
        old_bytes = self.written()
        self.disk.open(START_US + 5 * 10**6)
        self.taken_in()
        self.clock.advance(100)
        reach = self.look()
        self.assertTrue(reach.is_known)
        self.assertEqual(reach.since_us, START_US - DAY_US)
        rate = (self.written() - old_bytes) / 100
        self.assertEqual(reach.bytes_per_day, int(rate * 86_400))
        spare = 600 * GB - 50 * GB  # five hundredths of the disk are kept free
        self.assertAlmostEqual(reach.seconds_to_full or 0, spare / rate, places=3)
        self.assertEqual((reach.kept_free_bytes, reach.is_automatic), (50 * GB, True))

    def test_the_rate_is_of_a_day_at_most(self) -> None:
        """What was recorded before the last day does not count."""
        self.disk.record(START_US + 5 * 10**6)
        before_bytes = self.written()
        self.disk.record(START_US + 2 * DAY_US)
        self.taken_in()
        self.clock.advance(86_400 * 2.5)
        reach = self.look()
        self.assertEqual(reach.bytes_per_day, self.written() - before_bytes)

    def test_too_early(self) -> None:
        """In the first minute there is no rate; when the oldest began is known."""
        self.disk.record(START_US)
        self.taken_in()
        self.clock.advance(59)
        reach = self.look()
        self.assertEqual((reach.since_us, reach.bytes_per_day), (START_US, None))
        self.assertIsNone(reach.seconds_to_full)

    def test_nothing_recorded(self) -> None:
        """An empty disk is known to be empty, and never gets full."""
        self.taken_in()
        self.clock.advance(100)
        reach = self.look()
        self.assertEqual((reach.is_known, reach.since_us), (True, None))
        self.assertEqual((reach.bytes_per_day, reach.seconds_to_full), (0, None))

    def test_not_looked_at_all_the_time(self) -> None:
        """A second look within a minute costs nothing; then what is new is seen."""
        self.taken_in()
        self.assertIsNone(self.look().since_us)
        self.disk.record(START_US)
        self.clock.advance(LOOK_SECONDS - 1)
        self.assertIsNone(self.look().since_us)
        self.clock.advance(1)
        self.assertEqual(self.look().since_us, START_US)

    def test_an_index_that_is_made_anew(self) -> None:
        """What is oldest in it may not be the oldest: nothing is said."""
        self.disk.record(START_US)
        self.clock.advance(100)
        reach = self.look()
        self.assertEqual((reach.is_known, reach.bytes_per_day), (False, None))

    def test_a_disk_that_goes_and_comes(self) -> None:
        """It is not known while it is away, and looked at when it is back."""
        self.disk.record(START_US)
        self.taken_in()
        self.assertTrue(self.look().is_known)
        self.successResultOf(self.shelves.take("HDD_DISK"))
        self.assertFalse(self.look().is_known)
        self.shelves.put("HDD_DISK")
        self.assertTrue(self.look().is_known)

    def test_a_disk_that_hangs(self) -> None:
        """Whoever asks waits for a second; it is not asked again before it has answered."""
        asked: list[Deferred[Any]] = []

        def ask(*_: object, **__: object) -> Deferred[Any]:
            asked.append(Deferred())
            return asked[-1]

        self.patch(Reader, "ask", ask)
        for _ in range(2):
            waiting = Deferred.fromCoroutine(self.reaches.look())
            self.clock.advance(WAIT_SECONDS)
            self.successResultOf(waiting)
            self.clock.advance(LOOK_SECONDS)
        self.assertEqual(len(asked), 1)
        asked[0].errback(NvrError("it is gone"))
        self.assertFalse(self.reaches.of(DISK).is_known)
        self.assertNoResult(Deferred.fromCoroutine(self.reaches.look()))
        asked[1].callback(Reach(START_US, 0))
        self.assertEqual(self.reaches.of(DISK).since_us, START_US)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_when_it_is_full(self) -> None:
        """By what retention goes by: level, limit, age, or nothing at all."""
        self.disk.open(START_US + 5 * 10**6)
        self.taken_in()
        self.clock.advance(100)
        rate = self.written() / 100

        def seconds(rules: Rules, free_bytes: int = 600 * GB) -> float | None:
            self.rules = rules
            self.clock.advance(LOOK_SECONDS)
            self.clock.rightNow = 100.0
            self.reaches._looks.clear()
            return self.look(replace(DISK, free_bytes=free_bytes)).seconds_to_full

        self.assertEqual(seconds(Rules(), 50 * GB + int(rate * 599)), 0.0)
        self.assertEqual(round(seconds(Rules(), 50 * GB + int(rate * 601)) or 0), 601)
        manual = Rules(is_automatic=False, max_age_days=30)
        self.assertEqual(round(seconds(manual, int(rate * 60)) or 0), 60)
        self.assertEqual(seconds(manual, 0), 0.0)
        limited = Rules(limit_bytes=self.written() + int(rate * 5000))
        self.assertEqual(round(seconds(limited) or 0), 5000)
        self.assertIsNone(seconds(Rules(max_age_days=7000)))
        self.assertIsNotNone(seconds(Rules(max_age_days=7000), 50 * GB + int(rate * 10**8)))
        unknown = self.reaches.of(replace(DISK, free_bytes=0, total_bytes=0))
        self.assertIsNone(unknown.seconds_to_full)
