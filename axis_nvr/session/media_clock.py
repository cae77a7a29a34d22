"""A media clock: the line from the ticks of a track to microseconds of some wall clock.

::

    µs │                      ╱ 3. then by the rate alone
       │                  ╱‾
       │              ╱‾     2. bent, until the error is made up for
       │       ╱‾‾
       │   ╱‾  1. before the last change
       └──────────┬──────────┬──────────── ticks
               anchor     slew_end

The line passes through moments that somebody knows (a sender report, a quick arrival). It turns
towards them without ever leaping or running backwards; only `MediaClock.restart` leaps.
"""

from collections.abc import Sequence

#: The clock may be off by this much and is followed smoothly, in parts per million.
MAX_DRIFT_PPM = 10_000.0

#: (Noise of one moment / usual drift)², in s²: 1 ms and 200 ppm. Few moments in a short time say
#: little about the rate, and by this much less.
RATE_CAUTION = 25.0

#: Beyond that drift a clock runs at another pace than declared. It is believed when two intervals
#: of at least this many seconds show it alike, to within this part of the deviation.
MIN_PACE_SECONDS = 4.0
PACE_TOLERANCE = 0.1

#: A clock slower or faster than declared by more than this factor is not believed.
MAX_PACE_FACTOR = 4.0


class MediaClock:
    """Maps ticks to microseconds.

    :param clock_rate: ticks in a second, as declared.
    :ivar anchored: it has been told one moment at least.
    """

    __slots__ = (
        "_anchor_ticks",
        "_anchor_us",
        "_clock_rate",
        "_nominal",
        "_pace",
        "_pace_from",
        "_slew_end",
        "_slew_end_us",
        "_slope",
        "_slope_after",
        "anchored",
    )

    def __init__(self, clock_rate: int) -> None:
        self.anchored = False
        self._clock_rate = clock_rate
        self._nominal = 1e6 / clock_rate  # µs for each tick, as declared or measured
        # Time is anchor_us at anchor_ticks; from there it goes on by slope up to slew_end, by
        # slope_after behind it and before the anchor.
        self._anchor_ticks = 0
        self._anchor_us = 0
        self._slope = self._slope_after = self._nominal
        self._slew_end = 0
        self._slew_end_us = 0.0
        self._pace_from: tuple[int, int] | None = None  # the moment the pace was last measured at
        self._pace: float | None = None  # actual tick / declared tick, up to it

    def at(self, ticks: int) -> int:
        """Tell the time of a tick."""
        if ticks >= self._slew_end:
            return round(self._slew_end_us + (ticks - self._slew_end) * self._slope_after)
        behind = ticks - self._anchor_ticks
        return self._anchor_us + round(behind * (self._slope if behind > 0 else self._slope_after))

    def restart(self, ticks: int, time_us: int) -> None:
        """Pass through a moment from now on, whatever was before; the rate stays."""
        self.anchored = True
        self._anchor_ticks, self._anchor_us = ticks, time_us
        self._slew_end, self._slew_end_us = ticks, time_us

    def forget_pace(self) -> None:
        """Measure no pace across this point: the ticks begin anew."""
        self._pace_from = self._pace = None

    def learn_pace(self, ticks: int, time_us: int, is_wrong: bool) -> None:
        """Measure the pace at a known moment, and take it over if it is steady but wrong.

        There are cameras that stamp 25 pictures a second and deliver 21: their clock is slow by a
        sixth, which is not drift.

        :param is_wrong: the line missed the moment by more than drift can explain.
        """
        if self._pace_from is not None:
            since, then_us = self._pace_from
            if ticks - since < MIN_PACE_SECONDS * self._clock_rate:
                return
            last, pace = self._pace, (time_us - then_us) / ((ticks - since) * self._nominal)
            deviation = abs(pace - 1)
            if (
                is_wrong
                and last is not None
                and deviation > MAX_DRIFT_PPM * 1e-6
                and abs(pace - last) <= PACE_TOLERANCE * deviation
                and 1 / MAX_PACE_FACTOR <= pace <= MAX_PACE_FACTOR
            ):
                self._nominal *= pace
                pace = 1.0
            self._pace = pace
        self._pace_from = ticks, time_us

    def turn_towards(
        self, moments: Sequence[tuple[int, int]], pivot: int | None, slew_ppm: float
    ) -> None:
        """Turn onto the line through known moments.

        :param moments: ticks and microseconds, at least one.
        :param pivot: the tick up to which time has been told and stays; None if none has.
        :param slew_ppm: how much more than its rate the line may bend, in parts per million.
        """
        ticks, time_us, slope = self._fit(moments)
        self._slope_after = slope
        if pivot is None:
            self.restart(ticks, round(time_us))
            return
        target_us = time_us + (pivot - ticks) * slope
        here_us = self.at(pivot) if self.anchored else round(target_us)
        error_us = target_us - here_us
        slew_ticks = round(abs(error_us) / (slope * slew_ppm * 1e-6))
        self.restart(pivot, here_us)
        self._slope = slope + error_us / slew_ticks if slew_ticks else slope
        self._slew_end = pivot + slew_ticks
        self._slew_end_us = target_us + slew_ticks * slope

    @property
    def drift_ppm(self) -> float:
        """How much slower than declared the clock runs."""
        return (self._slope_after * self._clock_rate / 1e6 - 1) * 1e6

    def _fit(self, moments: Sequence[tuple[int, int]]) -> tuple[int, float, float]:
        """Lay a line through moments, its rate drawn towards the nominal one if they are few.

        :returns: a point of it (ticks, µs) and its slope, in µs for each tick.
        """
        ticks, time_us = moments[-1]
        seconds = [(t - ticks) / self._clock_rate for t, _ in moments]
        errors = [us - time_us - (t - ticks) * self._nominal for t, us in moments]
        middle, error = sum(seconds) / len(moments), sum(errors) / len(moments)
        covariance = sum((x - middle) * y for x, y in zip(seconds, errors, strict=True))
        drift_ppm = covariance / (sum((x - middle) ** 2 for x in seconds) + RATE_CAUTION)
        drift_ppm = max(-MAX_DRIFT_PPM, min(drift_ppm, MAX_DRIFT_PPM))
        return ticks, time_us + error - drift_ppm * middle, self._nominal * (1 + drift_ppm * 1e-6)
