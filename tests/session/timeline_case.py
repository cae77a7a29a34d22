"""A simulated camera with clocks of its own, and what is to be true of the times that come out."""

from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import Gap
from axis_nvr.session.session_clock import SessionClock
from axis_nvr.session.timeline import Timeline

RATE = 90_000
EPOCH_US = 1_706_702_400_000_000  # 2024-01-31T12:00:00Z
FRAME = 0.040


@dataclass
class Camera:
    """A camera that sends frames and reports to a timeline, on a clock we set.

    All functions take true seconds since the start and give what each clock shows then.
    """

    timeline: Timeline
    media_seconds: Callable[[float], float] = lambda t: t
    wall_seconds: Callable[[float], float] = lambda t: t
    our_seconds: Callable[[float], float] = lambda t: t
    delay: Callable[[float], float] = lambda t: 0.030
    first_tick: int = 12_345
    clock_rate: int = RATE
    gaps: list[Gap] = field(default_factory=list)

    def ticks(self, t: float) -> int:
        return self.first_tick + round(self.media_seconds(t) * self.clock_rate)

    def frame(self, t: float, ticks: int | None = None) -> float:
        """Send a frame taken at t; tell which time came out, in seconds since the start."""
        arrival = t + self.delay(t)
        utc_us = self.timeline.utc_us(self.ticks(t) if ticks is None else ticks, *self.now(arrival))
        if (gap := self.timeline.take_gap()) is not None:
            self.gaps.append(gap)
        return (utc_us - EPOCH_US) / 1e6

    def report(self, t: float) -> None:
        """Send a sender report made at t."""
        self.timeline.sender_report(
            self.ticks(t) & 0xFFFF_FFFF,
            EPOCH_US + round(self.wall_seconds(t) * 1e6),
            *self.now(t + self.delay(t)),
        )

    def now(self, t: float) -> tuple[float, int]:
        return 1_000.0 + t, EPOCH_US + round(self.our_seconds(t) * 1e6)

    def run(self, start: float, end: float, interval: float = 5.0) -> list[tuple[float, float]]:
        """Frames each 40 ms and reports each interval; what was true and what came out."""
        times = []
        for number in range(round(start / FRAME), round(end / FRAME)):
            t = number * FRAME
            if interval and number % round(interval / FRAME) == 0:
                self.report(t)
            times.append((t, self.frame(t)))
        return times


def step_at(moment: float, by: float) -> Callable[[float], float]:
    """A clock that steps once."""
    return lambda t: t + (by if t >= moment else 0.0)


class TimelineTestCase(SynchronousTestCase):
    def camera(self, clock_rate: int = RATE, clock: SessionClock | None = None) -> Camera:
        return Camera(Timeline(clock_rate, clock), clock_rate=clock_rate)

    def assert_close(
        self, times: list[tuple[float, float]], tolerance: float, offset: float = 0.0
    ) -> None:
        worst = max(times, key=lambda pair: abs(pair[1] - pair[0] - offset))
        self.assertLessEqual(
            abs(worst[1] - worst[0] - offset), tolerance, f"true {worst[0]}, told {worst[1]}"
        )

    def assert_near(self, told: float, true: float, tolerance: float) -> None:
        self.assertLessEqual(abs(told - true), tolerance, f"told {told}, true {true}")

    def assert_spaced(self, times: list[tuple[float, float]], tolerance: float) -> None:
        """Whatever is two seconds apart is told two seconds apart."""
        errors = [told - true for true, told in sorted(times)]
        apart = round(2.0 / FRAME)
        worst = max(abs(b - a) for a, b in zip(errors, errors[apart:], strict=False))
        self.assertLessEqual(worst, tolerance)

    def assert_rising(self, times: list[tuple[float, float]]) -> None:
        told = [pair[1] for pair in times]
        self.assertEqual(told, sorted(set(told)))
