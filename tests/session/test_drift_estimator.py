"""The estimator of a clock's line: what it corrects, and what it leaves alone."""

from collections.abc import Sequence
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.drift_estimator import MAX_MOMENTS, DriftEstimator

RATE = 90_000
US_PER_TICK = 1e6 / RATE


class DriftEstimatorTests(SynchronousTestCase):
    def estimator(self, errors_us: Sequence[float], seconds: float = 5.0) -> DriftEstimator:
        """One moment each so many seconds, off by the errors given."""
        estimator = DriftEstimator(RATE)
        for n, error_us in enumerate(errors_us):
            at = n * seconds
            estimator.add(round(at * RATE), round(at * 1e6 + error_us))
        return estimator

    def test_exact_moments(self) -> None:
        """Three that agree to the microsecond show their offset, five their drift."""
        self.assertIsNone(self.estimator([20_000] * 2).correct(0, 0, US_PER_TICK))
        correction = self.estimator([20_000] * 3).correct(0, 0, US_PER_TICK)
        self.assertEqual(correction, (20_000, 0.0))
        correction = self.estimator([n * 1_000 for n in range(5)]).correct(0, 0, US_PER_TICK)
        assert correction is not None
        self.assertLess(abs(correction.drift_ppm - 200), 10)
        self.assertLess(abs(correction.offset_us - 4_000), 1)

    def test_noise_is_left_alone(self) -> None:
        """Moments that are off by 50 ms at random seldom move a right line, and not by much."""
        random, corrections = Random(1), []
        for _ in range(100):
            estimator = self.estimator([random.gauss(0, 50_000) for _ in range(MAX_MOMENTS)])
            corrections.append(estimator.correct(0, 0, US_PER_TICK))
            self.assertTrue(30_000 < estimator.noise_us < 80_000, estimator.noise_us)
        moved = [correction for correction in corrections if correction is not None]
        self.assertLess(len(moved), 5)
        self.assertTrue(all(abs(correction.drift_ppm) < 600 for correction in moved))

    def test_outliers_move_nothing(self) -> None:
        """One in four is off by 90 ms: the offset is that of the others."""
        errors = [2_000 + 90_000 * (n % 4 == 1) + n % 3 for n in range(MAX_MOMENTS)]
        correction = self.estimator(errors).correct(0, 0, US_PER_TICK)
        self.assertTrue(correction is None or abs(correction.offset_us - 2_000) < 100)

    def test_close_moments_count_once(self) -> None:
        """Moments of the same half second share their error: one is kept."""
        self.assertEqual(len(self.estimator([0.0] * 10, seconds=0.01)), 1)
        self.assertEqual(len(self.estimator([0.0] * 100)), MAX_MOMENTS)

    def test_place(self) -> None:
        """Before the first unit the median of the moments is its line."""
        estimator = self.estimator([100_000, 0, -33_000])
        self.assertEqual(estimator.place(US_PER_TICK), (10 * RATE, 10_000_000))
        estimator.move(RATE)
        self.assertEqual(estimator.place(US_PER_TICK), (11 * RATE, 10_000_000))
