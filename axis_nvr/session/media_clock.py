"""A media clock: the line from the ticks of a track to microseconds of some wall clock.

::

    µs │                        ╱ 3. then by the corrected rate
       │                    ╱‾
       │                ╱‾     2. bent, until the error is made up for
       │         ╱‾‾
       │     ╱‾  1. as before, for all ticks that may have been asked for
       └────────────┬──────────┬──────────── ticks
                 begin        end

The line is turned without ever leaping or running backwards, and only where no time has been told
yet, so the time of a tick is one and the same, in whatever order ticks are asked for. Only
`MediaClock.restart` leaps.
"""

from axis_nvr.session.drift_estimator import Correction

#: The clock may be off by this much and is followed smoothly, in parts per million.
MAX_DRIFT_PPM = 10_000.0

#: How much more than its rate the line turns to make up for an error, in parts per million: two
#: seconds are wrong by a millisecond at most.
SLEW_PPM = 500.0

#: Beyond `MAX_DRIFT_PPM` a clock runs at another pace than declared. It is believed when two
#: intervals, each of at least this many seconds and with this many microseconds of error, show it
#: alike, to within this part of the deviation. One without such an error ends after a minute.
MIN_PACE_SECONDS = 4.0
MIN_PACE_ERROR_US = 250_000
MAX_PACE_SECONDS = 60.0
PACE_TOLERANCE = 0.1

#: A clock slower or faster than declared by more than this factor is not believed.
MAX_PACE_FACTOR = 4.0

_ALWAYS = 1 << 80  # ticks


class Segment:
    """A straight piece of the line.

    :ivar begin: its first tick.
    :ivar end: the first tick behind it.
    :ivar ticks: a point on it, with its time in microseconds; the time of any other tick t is
        ``time_us + round((t - ticks) * slope)``.
    :ivar slope: microseconds for each tick.
    """

    __slots__ = ("begin", "end", "slope", "ticks", "time_us")

    def __init__(self, begin: int, end: int, ticks: int, time_us: int, slope: float) -> None:
        self.begin = begin
        self.end = end
        self.ticks = ticks
        self.time_us = time_us
        self.slope = slope

    def at(self, ticks: int) -> int:
        """Tell the time of a tick, as if the piece had no ends."""
        return self.time_us + round((ticks - self.ticks) * self.slope)


#: No tick is on it.
NOWHERE = Segment(0, 0, 0, 0, 0.0)


class MediaClock:
    """Maps ticks to microseconds.

    :param clock_rate: ticks in a second, as declared.
    :ivar anchored: it has been told one moment at least.
    """

    __slots__ = ("_clock_rate", "_nominal", "_pace", "_pace_from", "_segments", "anchored")

    def __init__(self, clock_rate: int) -> None:
        self.anchored = False
        self._clock_rate = clock_rate
        self._nominal = 1e6 / clock_rate  # µs for each tick, as declared or measured
        self._segments = [Segment(-_ALWAYS, _ALWAYS, 0, 0, self._nominal)]
        self._pace_from: tuple[int, int] | None = None  # the moment the pace was last measured at
        self._pace: float | None = None  # actual tick / declared tick, up to it

    def at(self, ticks: int) -> int:
        """Tell the time of a tick."""
        return self.segment(ticks).at(ticks)

    def segment(self, ticks: int) -> Segment:
        """Give the piece of the line that a tick is on."""
        for segment in reversed(self._segments):
            if ticks >= segment.begin:
                break
        return segment

    @property
    def target(self) -> Segment:
        """The piece that the line ends up on."""
        return self._segments[-1]

    @property
    def drift_ppm(self) -> float:
        """How much slower than declared the clock runs."""
        return (self.target.slope * self._clock_rate / 1e6 - 1) * 1e6

    def restart(self, ticks: int, time_us: int) -> None:
        """Pass through a moment from now on, whatever was before; the rate stays."""
        self.anchored = True
        self._segments = [Segment(-_ALWAYS, _ALWAYS, ticks, time_us, self.target.slope)]

    def bend(self, told: int, untold: int, newest: int, correction: Correction) -> None:
        """Turn onto a better line.

        :param told: the tick before which no time is asked for any more.
        :param untold: the tick from which on none has been asked for: here the line turns.
        :param newest: the tick that the correction's offset is for.
        """
        target, most = self.target, MAX_DRIFT_PPM * 1e-6
        drift = target.slope / self._nominal - 1 + correction.drift_ppm * 1e-6
        slope = self._nominal * (1 + max(-most, min(drift, most)))
        here_us = self.at(untold)
        wanted_us = target.at(newest) + correction.offset_us + (untold - newest) * slope
        error_us = wanted_us - here_us
        slew_ticks = max(round(abs(error_us) / (slope * SLEW_PPM * 1e-6)), 1)
        slewed_us = here_us + round(slew_ticks * slope + error_us)
        self._segments = [s for s in self._segments if s.end > told and s.begin < untold]
        self._segments[-1].end = untold
        end = untold + slew_ticks
        self._segments += [
            Segment(untold, end, untold, here_us, (slewed_us - here_us) / slew_ticks),
            Segment(end, _ALWAYS, end, slewed_us, slope),
        ]

    def forget_pace(self) -> None:
        """Measure no pace across this point: the ticks begin anew."""
        self._pace_from = self._pace = None

    def learn_pace(self, ticks: int, time_us: int, is_wrong: bool) -> bool:
        """Measure the pace at a known moment, and take it over if it is steady but wrong.

        There are cameras that stamp 25 pictures a second and deliver 21: their clock is slow by a
        sixth, which is not drift.

        :param is_wrong: the line missed the moment by more than drift can explain.
        :returns: whether it was taken over: `restart` at that moment.
        """
        if self._pace_from is None:
            self._pace_from = ticks, time_us
            return False
        since, then_us = self._pace_from
        seconds = (ticks - since) / self._clock_rate
        declared_us = (ticks - since) * self._nominal
        is_clear = abs(time_us - then_us - declared_us) >= MIN_PACE_ERROR_US
        if seconds < (MIN_PACE_SECONDS if is_clear else MAX_PACE_SECONDS):
            return False
        last, pace = self._pace, (time_us - then_us) / declared_us
        self._pace_from, self._pace = (ticks, time_us), pace
        deviation = abs(pace - 1)
        if (
            is_wrong
            and is_clear
            and last is not None
            and deviation > MAX_DRIFT_PPM * 1e-6
            and abs(pace - last) <= PACE_TOLERANCE * deviation
            and 1 / MAX_PACE_FACTOR <= pace <= MAX_PACE_FACTOR
        ):
            self._nominal *= pace
            self._pace = 1.0
            self._segments = [Segment(-_ALWAYS, _ALWAYS, ticks, time_us, self._nominal)]
            return True
        return False
