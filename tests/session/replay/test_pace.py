"""Where a playback's line lies on a clock, and on that of RTP."""

from fractions import Fraction

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.replay.pace import MIN_STEP_US, Pace, SessionTime

SECOND = 1_000_000


class PaceTests(SynchronousTestCase):
    def test_real_time(self) -> None:
        """A second of the line takes one."""
        pace = Pace(SessionTime(), Fraction(1))
        pace.begin(100.0, 0)
        self.assertEqual(pace.when(3 * SECOND), 103.0)
        self.assertEqual(pace.ticks(3 * SECOND, 90_000), 270_000)
        self.assertEqual(pace.session_now(102.5), 2_500_000)

    def test_other_rates(self) -> None:
        """RTP time is that of presentation: faster, and slower."""
        for rate, seconds in ((Fraction(4), 0.75), (Fraction(1, 2), 6.0)):
            pace = Pace(SessionTime(), rate)
            pace.begin(100.0, 0)
            self.assertEqual(pace.when(3 * SECOND), 100 + seconds)
            self.assertEqual(pace.session_us(3 * SECOND), seconds * SECOND)

    def test_what_was_waited_for(self) -> None:
        """It is due when it is there; RTP time goes on as recorded."""
        pace = Pace(SessionTime(), Fraction(1))
        pace.begin(100.0, 0)
        pace.wait(108.0, 5 * SECOND)
        self.assertEqual(pace.when(6 * SECOND), 109.0)
        self.assertEqual(pace.session_us(6 * SECOND), 6 * SECOND)

    def test_one_play_after_another(self) -> None:
        """RTP time runs with the clock, through pauses, and is never given twice."""
        time = SessionTime()
        pace = Pace(time, Fraction(1))
        pace.begin(100.0, 0)
        pace.ticks(2 * SECOND, 90_000)
        second = Pace(time, Fraction(1))
        second.begin(101.0, 500 * SECOND)  # sooner than what was sent is shown
        self.assertEqual(second.session_us(500 * SECOND), 2 * SECOND + MIN_STEP_US)
        pace.begin(150.0, 3 * SECOND)
        self.assertEqual(pace.session_us(3 * SECOND), 50 * SECOND)
