"""How fast a playback's line goes by: its times on a clock, and on the media clock of RTP.

RTP time runs with the clock from the first PLAY of a session on, whatever is played, so that it
never goes back (RFC 2326 appendix B); each PLAY lays the beginning of its line on it.
"""

from fractions import Fraction

#: What is shown next is shown no earlier than this after what was shown last, in microseconds.
MIN_STEP_US = 1_000


class SessionTime:
    """The line of one session's RTP time, in microseconds since its first PLAY.

    :ivar high_us: the latest time that was given to a unit.
    """

    def __init__(self) -> None:
        self.high_us = -MIN_STEP_US
        self._began: float | None = None

    def at(self, now: float) -> int:
        """Tell what time it is, `now` in seconds of a clock."""
        if self._began is None:
            self._began = now
        return int((now - self._began) * 1_000_000)

    def free_at(self, now: float) -> int:
        """Give the first time from now on that nothing was given yet."""
        return max(self.at(now), self.high_us + MIN_STEP_US)


class Pace:
    """Where the line of one PLAY lies.

    :param rate: how many seconds of the line go by in one.
    """

    def __init__(self, time: SessionTime, rate: Fraction) -> None:
        self._time = time
        self._rate = rate
        self._zero_us = 0
        self._start = 0.0
        self._from_us = 0

    def begin(self, now: float, due_us: int) -> None:
        """Go on from now.

        :param due_us: what is due now, on the line.
        """
        self._zero_us = self._time.free_at(now) - self._scaled(due_us)
        self.wait(now, due_us)

    def wait(self, now: float, due_us: int) -> None:
        """Let a time of the line be now: what was to be sent was not there earlier."""
        self._start, self._from_us = now, due_us

    def when(self, due_us: int) -> float:
        """Tell when something is due, in seconds of the clock."""
        return self._start + self._scaled(due_us - self._from_us) / 1_000_000

    def session_us(self, shown_us: int) -> int:
        """Tell when something is shown, on the session's line."""
        return self._zero_us + self._scaled(shown_us)

    def ticks(self, shown_us: int, clock_rate: int) -> int:
        """Tell when something is shown, on a media clock, and note that it was."""
        session_us = self.session_us(shown_us)
        self._time.high_us = max(self._time.high_us, session_us)
        return session_us * clock_rate // 1_000_000

    def session_now(self, now: float) -> int:
        """Tell what time it is on the session's line, as its units have it."""
        passed_us = int((now - self._start) * 1_000_000)
        return self._zero_us + self._scaled(self._from_us) + passed_us

    def _scaled(self, time_us: int) -> int:
        return time_us * self._rate.denominator // self._rate.numerator
