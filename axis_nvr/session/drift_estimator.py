"""What the moments known of a media clock say about its line, and how surely.

A moment is a tick of which the wall clock is known: from a sender report, or a quick arrival. Good
cameras know it to a microsecond. Others make their reports from when a packet was *sent*, with
B-frames before their turn, and each is off by up to 150 ms while the ticks are perfect. Which sort
it is shows in the moments themselves: how far they lie from their own line is their noise, and

- the offset of n moments is uncertain by about noise / √n,
- their rate by about noise / (√n · length of time).

The estimate is robust: the rate is the median of the rates of all pairs (Theil and Sen), the
offset the median of what is left, so a few wild moments move nothing; those that are wildest never
come here. A correction is advised only where it clearly exceeds its uncertainty; what lies within
is noise.
"""

from collections import deque
from itertools import combinations
from math import sqrt
from statistics import median
from typing import NamedTuple

#: Moments that count: no more than so many, and none older than so many seconds.
MAX_MOMENTS = 32
WINDOW_SECONDS = 180.0

#: However old, so many count: some cameras report once a minute.
MIN_MOMENTS = 6

#: No more than one in so many seconds is kept: close ones share their error. The first number is
#: for the first `MIN_MOMENTS`.
FIRST_SPACING_SECONDS = 0.5
MIN_SPACING_SECONDS = 2.0

#: Fewer moments than this correct nothing: two always lie on a line.
MIN_EVIDENCE = 3

#: What the noise is taken for while there are fewer than `MIN_MOMENTS`, in microseconds.
UNKNOWN_NOISE_US = 50_000.0

#: No clock is believed to have less noise than this, in microseconds.
MIN_NOISE_US = 100.0

#: How many times its uncertainty an offset and a rate must be to be believed.
OFFSET_CONFIDENCE = 2.5
RATE_CONFIDENCE = 3.5

#: The usual drift of a camera's clock, in parts per million: an uncertain rate is drawn to less.
USUAL_DRIFT_PPM = 200.0


class Correction(NamedTuple):
    """How a line is to be changed to be the likely one.

    :ivar offset_us: what to add to it at the newest moment.
    :ivar drift_ppm: what to add to its rate.
    """

    offset_us: float
    drift_ppm: float


class DriftEstimator:
    """Collects moments and tells how a line through them must be corrected.

    :param clock_rate: ticks in a second.
    """

    __slots__ = ("_clock_rate", "_moments", "noise_us")

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._moments: deque[tuple[int, int]] = deque(maxlen=MAX_MOMENTS)
        #: How far one moment lies from the line, as a standard deviation in microseconds.
        self.noise_us = UNKNOWN_NOISE_US

    def __len__(self) -> int:
        return len(self._moments)

    @property
    def newest_ticks(self) -> int | None:
        """The tick of the newest moment."""
        return self._moments[-1][0] if self._moments else None

    def clear(self) -> None:
        """Forget all moments: what they knew is no longer so. The noise stays."""
        self._moments.clear()

    def add(self, ticks: int, time_us: int) -> None:
        """Take a moment, later than the one before it."""
        moments, is_enough = self._moments, len(self._moments) >= MIN_MOMENTS
        spacing = MIN_SPACING_SECONDS if is_enough else FIRST_SPACING_SECONDS
        if moments and ticks - moments[-1][0] < spacing * self._clock_rate:
            return
        if is_enough and ticks - moments[0][0] > WINDOW_SECONDS * self._clock_rate:
            moments.popleft()
        moments.append((ticks, time_us))

    def move(self, ticks: int) -> None:
        """Renumber the moments: each is `ticks` later than was said."""
        self._moments = deque(((t + ticks, us) for t, us in self._moments), MAX_MOMENTS)

    def place(self, us_per_tick: float) -> tuple[int, int]:
        """Give the likely moment of the newest tick, for a clock of known rate.

        :returns: ticks and microseconds.
        """
        newest, newest_us = self._moments[-1]
        errors = (us - newest_us - (t - newest) * us_per_tick for t, us in self._moments)
        return newest, newest_us + round(median(errors))

    def correct(self, ticks: int, time_us: int, us_per_tick: float) -> Correction | None:
        """Compare a line with the moments.

        :param ticks: a point of the line, with its time in microseconds.
        :param us_per_tick: its slope.
        :returns: None where the line is as likely as any other.
        """
        count = len(self._moments)
        if count < MIN_EVIDENCE:
            return None
        newest = self._moments[-1][0]
        xs = [(t - newest) / self._clock_rate for t, _ in self._moments]
        ys = [us - time_us - (t - ticks) * us_per_tick for t, us in self._moments]
        rate = median(
            (y - z) / (x - w) for (w, z), (x, y) in combinations(zip(xs, ys, strict=True), 2)
        )
        offset, noise = _centre([y - rate * x for x, y in zip(xs, ys, strict=True)], 2)
        middle = sum(xs) / count
        spread = sum((x - middle) ** 2 for x in xs)
        self.noise_us = noise if count >= MIN_MOMENTS else max(noise, UNKNOWN_NOISE_US)
        doubt = 1.2 * noise * _caution(count - 2) / sqrt(spread)  # of the rate, in ppm, and for few
        if abs(rate) > RATE_CONFIDENCE * doubt:
            return Correction(offset, rate / (1 + (doubt / USUAL_DRIFT_PPM) ** 2))
        offset, noise = _centre(ys, 1)
        doubt = 1.25 * noise * _caution(count - 1) / sqrt(count)
        return Correction(offset, 0.0) if abs(offset) > OFFSET_CONFIDENCE * doubt else None


def _centre(values: list[float], parameters: int) -> tuple[float, float]:
    """Give the median of values and how far they lie from it, as a standard deviation.

    :param parameters: of the line that they are the rest of.
    """
    middle = median(values)
    deviation = sum(abs(value - middle) for value in values) / (len(values) - parameters)
    return middle, max(1.25 * deviation, MIN_NOISE_US)  # the mean one is 0.8 of the standard one


def _caution(freedom: int) -> float:
    """How many times surer normal quantiles are than Student's, nearly, with few values."""
    return 1 + 7 / freedom**2
