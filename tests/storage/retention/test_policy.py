"""The rules of retention: how much must be free, what is too old, and when to wait."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.files import Space
from axis_nvr.storage.retention.patience import (
    CLOCK_SECONDS,
    CLOCK_STEP_SECONDS,
    SETTLE_SECONDS,
    ClockWatch,
    Settling,
)
from axis_nvr.storage.retention.policy import CEILING, FLOOR_BYTES, RESERVE_SECONDS, Rules
from axis_nvr.storage.retention.rate import SPACING_SECONDS, WINDOWS_SECONDS, RateMeter

GB = 10**9
DAY_US = 86_400 * 10**6


class RoomTests(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(st.integers(1, 10**15), st.floats(0, 1, width=32), st.integers(1, 99), st.floats(0, 1e9))
    def test_the_reserve(self, total: int, free: float, level: int, rate: float) -> None:
        """It keeps the level, and takes the ingest of some minutes, or a part of a small disk."""
        space = Space(total, int(total * free))
        rules = Rules(level_percent=level)
        reserve = rules.reserve_bytes(space, rate)
        self.assertGreaterEqual(reserve, total * (100 - level) // 100)
        self.assertLessEqual(reserve, max(total * (100 - level) / 100, total * CEILING) + 1)
        if total * CEILING >= max(FLOOR_BYTES, rate * RESERVE_SECONDS):
            self.assertGreaterEqual(reserve, FLOOR_BYTES)
            self.assertGreaterEqual(reserve + 1, rate * RESERVE_SECONDS)
        missing = rules.missing_bytes(space, rate)
        self.assertEqual(missing, max(0, reserve - space.free_bytes))

    def test_one_gigabit_a_second(self) -> None:
        """At 1 Gbit/s a disk keeps free what five minutes of it take."""
        self.assertEqual(Rules().reserve_bytes(Space(400 * GB, 0), 0), 20 * GB)
        self.assertEqual(Rules().reserve_bytes(Space(400 * GB, 0), 125e6), int(37.5 * GB))

    def test_by_hand(self) -> None:
        """With the policy none neither room nor age is a reason."""
        rules = Rules(is_automatic=False, max_age_days=1, group_seconds={"g": 1})
        self.assertEqual(rules.missing_bytes(Space(100, 0), 0), 0)
        self.assertIsNone(rules.too_old_us(DAY_US))
        self.assertEqual(rules.too_old_of_groups(DAY_US), {})

    def test_a_disk_that_does_not_tell(self) -> None:
        """A file system that says it has no room at all is not emptied."""
        self.assertEqual(Rules().missing_bytes(Space(0, 0), 0), 0)


class AgeTests(SynchronousTestCase):
    def test_days_and_seconds(self) -> None:
        """A disk's age is in days, a group's in seconds; 0 is no limit."""
        rules = Rules(max_age_days=2, group_seconds={"a": 3600, "b": 0, "": 7})
        self.assertEqual(rules.too_old_us(10 * DAY_US), 8 * DAY_US)
        self.assertEqual(rules.too_old_of_groups(DAY_US), {"a": DAY_US - 3600 * 10**6})
        self.assertIsNone(Rules().too_old_us(DAY_US))


class RateTests(SynchronousTestCase):
    def test_a_steady_rate(self) -> None:
        """What is written steadily is measured, also soon after the start."""
        meter = RateMeter()
        self.assertEqual(meter.bytes_per_second(), 0)
        for second in range(2000):
            meter.note(second * 1000, second)
            if second >= SPACING_SECONDS:
                self.assertAlmostEqual(meter.bytes_per_second(), 1000)
        self.assertLess(len(meter._figures), WINDOWS_SECONDS[-1] / SPACING_SECONDS + 3)

    def test_a_burst_and_a_rest(self) -> None:
        """The rate rises within a minute, and falls only over ten."""
        meter, written = RateMeter(), 0
        for second in range(1000):
            written += 0 if second < 900 else 6000
            meter.note(written, second)
        self.assertAlmostEqual(meter.bytes_per_second(), 6000)
        for second in range(1000, 1200):
            meter.note(written, second)
        self.assertAlmostEqual(meter.bytes_per_second(), 600_000 / 600, delta=20)

    def test_looks_far_apart(self) -> None:
        """Two looks that are further apart than the windows give the rate between them."""
        meter = RateMeter()
        meter.note(0, 0)
        meter.note(5_000_000, 5000)
        self.assertEqual(meter.bytes_per_second(), 1000)


class PatienceTests(SynchronousTestCase):
    def test_room_that_shows_late(self) -> None:
        """What was removed is waited for, until it shows or for some seconds."""
        settling = Settling()
        self.assertTrue(settling.is_over(0, 1e6))
        settling.expect(100, 50, 1e6)
        self.assertFalse(settling.is_over(110, 1e6 + 1))
        self.assertTrue(settling.is_over(130, 1e6 + 2))
        self.assertTrue(settling.is_over(110, 1e6 + 3), "it showed once, and was taken again")
        settling.expect(100, 50, 1e6)
        self.assertTrue(settling.is_over(0, 1e6 + SETTLE_SECONDS))

    def test_a_clock_that_steps(self) -> None:
        """A clock is believed after some minutes without a step; drifting is no step."""
        watch = ClockWatch()
        self.assertFalse(watch.is_believed(0))
        watch.look(5e9, 0)
        self.assertFalse(watch.is_believed(CLOCK_SECONDS - 1))
        self.assertTrue(watch.is_believed(CLOCK_SECONDS))
        for minute in range(1, 100):
            watch.look(5e9 + minute * 61, minute * 60)
        self.assertTrue(watch.is_believed(6000))
        watch.look(5e9 + 99 * 61 + 60 + CLOCK_STEP_SECONDS + 1, 6000)
        self.assertFalse(watch.is_believed(6000 + CLOCK_SECONDS - 1))
        self.assertTrue(watch.is_believed(6000 + CLOCK_SECONDS))
