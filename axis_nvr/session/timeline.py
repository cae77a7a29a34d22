"""RTP time to wall clock, for one track.

A camera tells time twice: each packet has a timestamp in ticks of a media clock that began
anywhere, and each sender report says which tick was which moment of its wall clock. Here both
become the UTC of every unit. The rules:

1. Between two reports the ticks decide: two units 3 000 ticks apart at 90 kHz are 33 333 µs apart.
2. Before the first report the first unit's arrival is its time. If no report ever comes (some
   Hikvision), the quickest arrivals of each period steer the clock as reports would.
3. Reports that are a little off show drift. A line through the last of them gives rate and
   offset; the timeline turns towards it smoothly, and time never runs backwards.
4. A report that is further off is a step: the timeline moves at once, and says so by a gap.
5. A timestamp that leaps is not believed at once. Its unit gets the time that has passed; if the
   next one goes on from it, the timestamps have begun anew there, and if it goes on from where
   they were, nothing is changed. Either way a gap says so.

Steps of the camera's clock, and whether it is believed at all, are decided for all tracks of a
session together: `axis_nvr.session.session_clock`.
"""

from collections import deque
from collections.abc import Sequence

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.session.sequence import timestamp_difference
from axis_nvr.session.session_clock import MAX_DRIFT_STEP_US, SessionClock

#: A report whose clock shows an earlier time knows none: 0, 1900, 1970, uptime. In microseconds
#: since 1970; this is 1990-01-01.
EARLIEST_REPORT_US = 631_152_000_000_000

#: One that shows a later time than this either: 2036-02-07, as which 0 and uptime read.
LATEST_REPORT_US = 2_085_978_496_000_000

#: A report about a moment farther from the units around it is nonsense, in seconds.
MAX_REPORT_DISTANCE_SECONDS = 60.0

#: Reports that the rate is taken from.
FITTED_REPORTS = 8

#: The media clock may be off by this much against the camera's wall clock, in parts per million.
MAX_DRIFT_PPM = 10_000.0

#: How much more than its rate the timeline turns to make up for an error, in parts per million.
SLEW_PPM = 5_000.0

#: The same for the first report, when what is made up for is the way through the network.
FIRST_SLEW_PPM = 100_000.0

#: (Noise of one report / usual drift)², in s²: 1 ms and 200 ppm. Few reports in a short time say
#: little about the rate, and by this much less.
RATE_CAUTION = 25.0

#: A timestamp that goes back farther than this has leapt; less is the order of B-frames. Seconds.
MAX_TIMESTAMP_BACK_SECONDS = 1.0

#: A timestamp that runs ahead of arrival by more than this, since the last one, has leapt. Seconds.
MAX_TIMESTAMP_LEAD_SECONDS = 10.0

#: A leap takes as long as the last frame did, unless arrivals show a pause of this many seconds.
MIN_PAUSE_SECONDS = 1.0

#: Without reports: periods of which the quickest arrival counts, the first and the others, seconds.
#: A burst of buffered frames at the start is over by the end of the first.
FIRST_ARRIVAL_PERIOD_SECONDS = 2.0
ARRIVAL_PERIOD_SECONDS = 10.0

#: Without reports: units that are late by this much for a whole period move the timeline, in µs.
MAX_ARRIVAL_DELAY_US = 2_000_000


class Timeline:
    """Gives each unit of a track its time.

    :param clock_rate: ticks of the RTP timestamp in a second.
    :param clock: shared by the tracks of a session; one of its own if none is given.
    :ivar clock: the same.
    :ivar timestamp_jumps: units whose timestamp had leapt.
    :ivar ignored_reports: sender reports that made no sense.
    """

    __slots__ = (
        "_anchor_ticks",
        "_anchor_us",
        "_arrivals",
        "_clock_rate",
        "_gap",
        "_jump",
        "_last_camera_us",
        "_last_now",
        "_last_shift_us",
        "_last_ticks",
        "_last_utc_us",
        "_max_back",
        "_max_lead",
        "_nominal",
        "_period_best",
        "_period_end",
        "_reports",
        "_slew_end",
        "_slew_end_us",
        "_slope",
        "_slope_after",
        "_spacing_us",
        "_step_us",
        "_suspect",
        "clock",
        "ignored_reports",
        "timestamp_jumps",
    )

    def __init__(self, clock_rate: int, clock: SessionClock | None = None) -> None:
        self.clock = clock or SessionClock()
        self.timestamp_jumps = 0
        self.ignored_reports = 0
        self._clock_rate = clock_rate
        self._nominal = 1e6 / clock_rate  # µs for each tick
        self._max_back = round(MAX_TIMESTAMP_BACK_SECONDS * clock_rate)
        self._max_lead = round(MAX_TIMESTAMP_LEAD_SECONDS * clock_rate)
        # Continuous camera time is anchor_us at anchor_ticks; from there it goes on by slope up to
        # slew_end, by slope_after behind it and before the anchor.
        self._anchor_ticks: int | None = None
        self._anchor_us = 0
        self._slope = self._slope_after = self._nominal
        self._slew_end = 0
        self._slew_end_us = 0.0
        # The last unit of the line the timestamps are on.
        self._last_ticks: int | None = None
        self._last_now = 0.0
        # The last unit.
        self._last_camera_us = self._last_utc_us = self._last_shift_us = 0
        self._spacing_us = 0
        # A timestamp that leapt and is not yet believed: ticks, camera time given, arrival.
        self._suspect: tuple[int, int, float] | None = None
        # What to tell with the next unit.
        self._step_us = 0
        self._jump = 0
        self._gap: Gap | None = None
        # Moments known: ticks, camera time.
        self._reports: deque[tuple[int, int]] = deque(maxlen=FITTED_REPORTS)
        self._arrivals: deque[tuple[int, int]] = deque(maxlen=FITTED_REPORTS)
        self._period_best: tuple[int, int] | None = None  # µs late, ticks
        self._period_end: float | None = None

    def utc_us(self, timestamp: int, now: float, now_us: int) -> int:
        """Tell when the camera took a unit, asked in the order of arrival.

        :param timestamp: the unit's RTP timestamp, unwrapped.
        :param now: when it arrived, in seconds of a clock that does not jump.
        :param now_us: the same moment by the recorder's clock, UTC, microseconds since 1970.
        :returns: UTC, microseconds since 1970. `take_gap` tells whether it continues the last one.
        """
        last = self._last_ticks
        if last is None:
            return self._begin(timestamp, now, now_us)
        if self._suspect is None and self._goes_on(timestamp - last, now - self._last_now):
            camera_us = self._map(timestamp)
        else:
            camera_us = self._doubt(timestamp, now)
        if self._suspect is None:
            self._last_ticks, self._last_now = timestamp, now
            if not self._reports:
                self._observe_arrival(timestamp, camera_us, now, now_us)
        if camera_us > self._last_camera_us:
            self._spacing_us = camera_us - self._last_camera_us
        shift_us = self.clock.shift_us
        utc_us = camera_us + shift_us
        if self._jump or self._step_us or shift_us != self._last_shift_us:
            self._tell_gap(utc_us)
        self._last_camera_us, self._last_utc_us = camera_us, utc_us
        return utc_us

    def take_gap(self) -> Gap | None:
        """Give out what interrupts time directly before the unit that `utc_us` was asked for last.

        :returns: None where time goes on. A gap is given out once.
        """
        gap, self._gap = self._gap, None
        return gap

    def sender_report(self, timestamp: int, ntp_utc_us: int, now: float, now_us: int) -> None:
        """Take a sender report of this track's source.

        If time steps by it, `take_gap` of each track tells so with the next unit.

        :param timestamp: its RTP timestamp, as it came or unwrapped.
        :param ntp_utc_us: its NTP time, microseconds since 1970.
        :param now: as for `utc_us`.
        :param now_us: as for `utc_us`.
        """
        ticks = self._place_report(timestamp)
        if ticks is None or not EARLIEST_REPORT_US <= ntp_utc_us < LATEST_REPORT_US:
            self.ignored_reports += 1
            return
        predicted_us = None if self._anchor_ticks is None else self._map(ticks)
        shift_us = self.clock.shift_us
        camera_us = self.clock.take_report(ntp_utc_us, predicted_us, now, now_us)
        if predicted_us is None:
            self._restart(ticks, camera_us)
        elif abs(camera_us - predicted_us) > MAX_DRIFT_STEP_US or shift_us != self.clock.shift_us:
            self._restart(ticks, camera_us)
            self._step_us += camera_us - predicted_us
        first = not self._reports
        self._reports.append((ticks, camera_us))
        self._turn_towards(self._reports, FIRST_SLEW_PPM if first else SLEW_PPM)

    @property
    def drift_ppm(self) -> float:
        """How much slower than declared the media clock runs, by the camera's wall clock."""
        return (self._slope_after / self._nominal - 1) * 1e6

    def _begin(self, ticks: int, now: float, now_us: int) -> int:
        """Place the first unit: by the report that came before it, or else by its arrival."""
        if self._anchor_ticks is not None:
            distance = timestamp_difference(ticks, self._anchor_ticks)
            if abs(distance) <= MAX_REPORT_DISTANCE_SECONDS * self._clock_rate:
                turns = ticks - self._anchor_ticks - distance
                self._restart(self._anchor_ticks + turns, self._anchor_us)
                self._reports.append((self._anchor_ticks, self._anchor_us))
            else:  # its RTP timestamp was of another stream
                self.ignored_reports += 1
                self._reports.clear()
                self._anchor_ticks = None
        if self._anchor_ticks is None:
            self._restart(ticks, self.clock.camera_time_us(now, now_us))
        self._last_ticks, self._last_now = ticks, now
        self._last_camera_us = self._map(ticks)
        self._last_shift_us = self.clock.shift_us
        self._last_utc_us = self._last_camera_us + self._last_shift_us
        return self._last_utc_us

    def _map(self, ticks: int) -> int:
        """Continuous camera time of a tick."""
        assert self._anchor_ticks is not None
        if ticks >= self._slew_end:
            return round(self._slew_end_us + (ticks - self._slew_end) * self._slope_after)
        behind = ticks - self._anchor_ticks
        return self._anchor_us + round(behind * (self._slope if behind > 0 else self._slope_after))

    def _restart(self, ticks: int, camera_us: int) -> None:
        """Let the timeline pass through a point, whatever it did before; its rate stays."""
        self._anchor_ticks, self._anchor_us = ticks, camera_us
        self._slew_end, self._slew_end_us = ticks, camera_us
        self._reports.clear()
        self._arrivals.clear()
        self._period_best = self._period_end = None
        self._suspect = None

    # A timestamp that leaps.

    def _goes_on(self, ticks: int, seconds: float) -> bool:
        """Whether a timestamp can follow another `seconds` later, `ticks` on."""
        return -self._max_back <= ticks <= self._max_lead + seconds * self._clock_rate

    def _doubt(self, ticks: int, now: float) -> int:
        """Place a unit while timestamps leap.

        A single frame hours away comes from Intelbras, a jump back from Wyze, a start at 0 from
        Tapo when its encoder restarts.
        """
        assert self._last_ticks is not None
        if self._goes_on(ticks - self._last_ticks, now - self._last_now):
            self._suspect = None
            return self._map(ticks)
        arrived = self._last_now
        if self._suspect is not None:
            leapt, camera_us, arrived = self._suspect
            if ticks == leapt:
                return camera_us
            if self._goes_on(ticks - leapt, now - arrived):
                self._restart(leapt, camera_us)
                return self._map(ticks)
        else:
            self._jump = ticks - self._last_ticks  # told once, however many leap in a row
        self.timestamp_jumps += 1
        camera_us = self._last_camera_us + self._time_passed_us(now - arrived)
        self._suspect = ticks, camera_us, now
        return camera_us

    def _time_passed_us(self, seconds: float) -> int:
        """How long after the last unit one was taken whose timestamp says nothing."""
        spacing_us = max(self._spacing_us, 1_000)
        if seconds > max(MIN_PAUSE_SECONDS, 2e-6 * spacing_us):
            return round(seconds * 1e6)
        return spacing_us

    def _tell_gap(self, utc_us: int) -> None:
        """Make the gap before a unit from what has happened since the last one."""
        shift_us = self.clock.shift_us
        step_us = self._step_us + shift_us - self._last_shift_us
        if self._jump:
            reason = GapReason.TIMESTAMP_JUMP
            detail = f"timestamp leapt by {self._jump / self._clock_rate:+.3f} s"
        else:
            reason = GapReason.CLOCK_STEPPED
            detail = f"time stepped by {step_us / 1e6:+.3f} s"
        start_us, end_us = sorted((self._last_utc_us, utc_us))
        self._gap = Gap(start_us, end_us, reason, detail=detail)
        self._last_shift_us = shift_us
        self._step_us = self._jump = 0

    # What steers the timeline.

    def _place_report(self, timestamp: int) -> int | None:
        """Turn the timestamp of a report into ticks of the track.

        :returns: None if it is far from the units, older than the last, or timestamps leap.
        """
        newest = self._reports[-1][0] if self._reports else None
        reference = newest if self._last_ticks is None else self._last_ticks
        if reference is None:
            return timestamp
        distance = timestamp_difference(timestamp, reference)
        if abs(distance) > MAX_REPORT_DISTANCE_SECONDS * self._clock_rate:
            return None
        if self._suspect is not None or (newest is not None and reference + distance <= newest):
            return None
        return reference + distance

    def _turn_towards(self, moments: Sequence[tuple[int, int]], slew_ppm: float) -> None:
        """Turn onto the line through known moments, from the last unit on."""
        ticks, camera_us, slope = self._fit(moments)
        pivot = ticks if self._last_ticks is None else self._last_ticks
        target_us = camera_us + (pivot - ticks) * slope
        here_us = target_us if self._last_ticks is None else self._map(pivot)
        error_us = target_us - here_us
        slew_ticks = round(abs(error_us) / (slope * slew_ppm * 1e-6))
        self._anchor_ticks, self._anchor_us = pivot, round(here_us)
        self._slope_after = slope
        self._slope = slope + error_us / slew_ticks if slew_ticks else slope
        self._slew_end = pivot + slew_ticks
        self._slew_end_us = target_us + slew_ticks * slope

    def _fit(self, moments: Sequence[tuple[int, int]]) -> tuple[int, float, float]:
        """Lay a line through moments, its rate drawn towards the declared one if they are few.

        :returns: a point of it (ticks, camera time) and its slope, in µs for each tick.
        """
        ticks, camera_us = moments[-1]
        seconds = [(t - ticks) / self._clock_rate for t, _ in moments]
        errors = [c - camera_us - (t - ticks) * self._nominal for t, c in moments]
        middle, error = sum(seconds) / len(moments), sum(errors) / len(moments)
        covariance = sum((x - middle) * y for x, y in zip(seconds, errors, strict=True))
        drift_ppm = covariance / (sum((x - middle) ** 2 for x in seconds) + RATE_CAUTION)
        drift_ppm = max(-MAX_DRIFT_PPM, min(drift_ppm, MAX_DRIFT_PPM))
        return ticks, camera_us + error - drift_ppm * middle, self._nominal * (1 + drift_ppm * 1e-6)

    def _observe_arrival(self, ticks: int, camera_us: int, now: float, now_us: int) -> None:
        """Steer by arrivals: delay makes units late, never early, so the quickest tell the time."""
        late_us = self.clock.camera_time_us(now, now_us) - camera_us
        if self._period_end is None:
            self._period_end = now + FIRST_ARRIVAL_PERIOD_SECONDS
        if self._period_best is None or late_us < self._period_best[0]:
            self._period_best = late_us, ticks
        if now < self._period_end:
            return
        late_us, ticks = self._period_best
        moment = ticks, self._map(ticks) + late_us
        if not -MAX_DRIFT_STEP_US <= late_us <= MAX_ARRIVAL_DELAY_US:
            self._restart(*moment)
            self._step_us += late_us
        self._arrivals.append(moment)
        self._turn_towards(self._arrivals, SLEW_PPM)
        self._period_best = None
        self._period_end = now + ARRIVAL_PERIOD_SECONDS
