"""RTP time to wall clock, for one track.

A camera tells time twice: each packet has a timestamp in ticks of a media clock that began
anywhere, and each sender report says which tick was which moment of its wall clock. Here both
become the UTC of every unit. The rules:

1. Between two reports the ticks decide: two units 3 000 ticks apart at 90 kHz are 33 333 µs apart.
2. Before the first report the first unit's arrival is its time. If no report ever comes (some
   Hikvision), the quickest arrivals of each period steer the clock as reports would.
3. One report says little: some cameras make them from when a packet was sent, and are off by 100 ms
   each way while their ticks are perfect. The timeline turns, slowly, once the reports of the last
   minutes show for sure that it is off (`axis_nvr.session.drift_estimator`); time never runs
   backwards.
4. Reports that are further off, and agree with each other, are a step: the timeline moves at once,
   and says so by a gap. One alone is a bad report.
5. A clock that runs at quite another pace than declared (25 fps stamped, 21 delivered) is
   measured, and from then on its ticks are taken for what they are.
6. A timestamp that leaps is not believed at once. Its unit gets the time that has passed; if the
   next one goes on from it, the timestamps have begun anew there, and if it goes on from where
   they were, nothing is changed. A gap says so, if one has not just said so.

Steps of the camera's clock, and whether it is believed at all, are decided for all tracks of a
session together: `axis_nvr.session.session_clock`.
"""

from collections.abc import Iterable

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.session.arrivals import QuickestArrival
from axis_nvr.session.drift_estimator import DriftEstimator
from axis_nvr.session.media_clock import NOWHERE, MediaClock
from axis_nvr.session.sequence import timestamp_difference
from axis_nvr.session.session_clock import MAX_DRIFT_STEP_US, SessionClock
from axis_nvr.session.step_detector import StepDetector

#: A report whose clock shows an earlier time knows none: 0, 1900, 1970, uptime. In microseconds
#: since 1970; this is 1990-01-01.
EARLIEST_REPORT_US = 631_152_000_000_000

#: One that shows a later time than this either: 2036-02-07, as which 0 and uptime read.
LATEST_REPORT_US = 2_085_978_496_000_000

#: A report about a moment farther from the units around it is nonsense, in seconds.
MAX_REPORT_DISTANCE_SECONDS = 60.0

#: A report is as far off as its noise explains up to so many standard deviations.
MAX_DEVIATIONS = 4.0

#: A timestamp that goes back farther than this has leapt; less is the order of B-frames. Seconds.
MAX_TIMESTAMP_BACK_SECONDS = 1.0

#: A timestamp that runs ahead of arrival by more than this, since the last one, has leapt. Seconds.
MAX_TIMESTAMP_LEAD_SECONDS = 10.0

#: A leap takes as long as the last frame did, unless arrivals show a pause of this many seconds.
MIN_PAUSE_SECONDS = 1.0

#: Timestamps that leap and return are told once in this many seconds: Intelbras recorders send one
#: every two seconds.
JUMP_TOLD_SECONDS = 60.0

#: Without reports: periods of which the quickest arrival counts, the first and the others, seconds.
#: A burst of buffered frames at the start is over by the end of the first.
FIRST_ARRIVAL_PERIOD_SECONDS = 2.0
ARRIVAL_PERIOD_SECONDS = 10.0

#: Without reports: units that are late by this much for a whole period move the timeline, in µs;
#: and one that is early by this much: B-frames are sent 100 ms before their time.
MAX_ARRIVAL_DELAY_US = 2_000_000
MAX_ARRIVAL_LEAD_US = 250_000


class Timeline:
    """Gives each unit of a track its time.

    :param clock_rate: ticks of the RTP timestamp in a second.
    :param clock: shared by the tracks of a session; one of its own if none is given.
    :ivar clock: the same.
    :ivar gap: what `take_gap` would give out.
    :ivar timestamp_jumps: units whose timestamp had leapt.
    :ivar ignored_reports: sender reports that made no sense.
    :ivar doubted_reports: sender reports that were far off, and not confirmed by then.
    """

    __slots__ = (
        "_clock_rate",
        "_estimator",
        "_jump",
        "_jump_told",
        "_last_now",
        "_last_shift_us",
        "_last_ticks",
        "_last_utc_us",
        "_max_back",
        "_max_lead",
        "_media_clock",
        "_period_end",
        "_quickest",
        "_reported",
        "_segment",
        "_spacing_us",
        "_step_us",
        "_steps",
        "_suspect",
        "clock",
        "doubted_reports",
        "gap",
        "ignored_reports",
        "timestamp_jumps",
    )

    def __init__(self, clock_rate: int, clock: SessionClock | None = None) -> None:
        self.clock = clock or SessionClock()
        self.gap: Gap | None = None
        self.timestamp_jumps = 0
        self.ignored_reports = 0
        self.doubted_reports = 0
        self._clock_rate = clock_rate
        self._media_clock = MediaClock(clock_rate)  # ticks to continuous camera time
        self._max_back = -round(MAX_TIMESTAMP_BACK_SECONDS * clock_rate)
        self._max_lead = round(MAX_TIMESTAMP_LEAD_SECONDS * clock_rate)
        # The piece of the media clock that the last unit was on, if all is well.
        self._segment = NOWHERE
        # The last unit of the line the timestamps are on.
        self._last_ticks: int | None = None
        self._last_now = 0.0
        # The last unit.
        self._last_utc_us = self._last_shift_us = 0
        self._spacing_us = 0
        # A timestamp that leapt and is not yet believed: ticks, camera time given, arrival.
        self._suspect: tuple[int, int, float] | None = None
        # What to tell with the next unit.
        self._step_us = 0
        self._jump = 0
        self._jump_told: float | None = None
        # What is known: moments from reports, or from arrivals until the first report.
        self._estimator = DriftEstimator(clock_rate)
        self._steps = StepDetector()
        self._reported = False
        self._quickest = QuickestArrival()  # by the line; before the first unit from 0
        self._period_end: float | None = None

    def utc_us(self, timestamp: int, now: float, now_us: int) -> int:
        """Tell when the camera took a unit, asked in the order of arrival.

        :param timestamp: the unit's RTP timestamp, unwrapped.
        :param now: when it arrived, in seconds of a clock that does not jump.
        :param now_us: the same moment by the recorder's clock, UTC, microseconds since 1970.
        :returns: UTC, microseconds since 1970. `take_gap` tells whether it continues the last one.
        """
        times = self.straight_times((timestamp,), now)
        return times[0] if times else self._place(timestamp, now, now_us)

    def straight_times(self, timestamps: Iterable[int], now: float) -> list[int]:
        """Tell when the camera took units that came together: the fast path of `utc_us`.

        :param timestamps: of the units, unwrapped, in the order of arrival.
        :param now: as for `utc_us`.
        :returns: as much of it as goes straight on: without a gap, by what is known of the clock.
            About the next unit `utc_us` is to be asked.
        """
        segment, shift_us = self._segment, self._last_shift_us
        before, last_us, spacing_us = self._last_ticks, self._last_utc_us, self._spacing_us
        times: list[int] = []
        if segment is NOWHERE or before is None or self.clock.shift_us != shift_us:
            return times
        begin, end, ticks, slope = segment.begin, segment.end, segment.ticks, segment.slope
        base_us, back, lead = segment.time_us + shift_us, self._max_back, self._max_lead
        for timestamp in timestamps:
            if not (begin <= timestamp < end and back <= timestamp - before <= lead):
                break
            before = timestamp
            utc_us = base_us + round((timestamp - ticks) * slope)
            if utc_us > last_us:
                spacing_us = utc_us - last_us
            last_us = utc_us
            times.append(utc_us)
        if times:
            self._last_ticks, self._last_now, self._last_utc_us = before, now, last_us
            self._spacing_us = spacing_us
        return times

    def take_gap(self) -> Gap | None:
        """Give out what interrupts time directly before the unit that `utc_us` was asked for last.

        :returns: None where time goes on. A gap is given out once.
        """
        gap, self.gap = self.gap, None
        return gap

    def arrived(self, timestamp: int, now: float, now_us: int) -> None:
        """Take note of a unit that is held, before `utc_us` is asked for the first one.

        Without a report the quickest of the units that are held tells the time of the first one:
        which is often slow.

        :param timestamp: as for `utc_us`, as are the others.
        """
        arrival_us = self.clock.camera_time_us(now, now_us)
        self._quickest.take(timestamp, arrival_us - self._nominal_us(timestamp))

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
        shift_us = self.clock.shift_us
        expected_us = self._media_clock.at(ticks) if self._media_clock.anchored else None
        tolerance_us = max(MAX_DRIFT_STEP_US, MAX_DEVIATIONS * self._estimator.noise_us)
        camera_us = self.clock.take_report(ntp_utc_us, expected_us, tolerance_us, now, now_us)
        if camera_us is None:
            self.doubted_reports += 1
            return
        if expected_us is not None:
            error_us = camera_us - expected_us
            if self._media_clock.learn_pace(ticks, camera_us, abs(error_us) > tolerance_us):
                self._step(ticks, camera_us, error_us)
            elif abs(error_us) > tolerance_us:
                confirmed_us = self._steps.confirm(error_us)
                if confirmed_us is None:
                    self.doubted_reports += 1
                    return
                self._step(ticks, expected_us + confirmed_us, confirmed_us)
            elif shift_us != self.clock.shift_us and not self._reported:
                self._step(ticks, camera_us, error_us)  # a gap is told anyway
            else:
                self._steps.refute()
        if not self._reported:
            self._reported = True
            self._estimator.clear()
        self._learn(ticks, camera_us)

    @property
    def drift_ppm(self) -> float:
        """How much slower than declared the media clock runs, by the camera's wall clock."""
        return self._media_clock.drift_ppm

    # Units, the common case apart.

    def _begin(self, ticks: int, now: float, now_us: int) -> int:
        """Place the first unit: by the reports that came before it, or else by arrivals."""
        if self._reported:
            reported, camera_us = self._estimator.place(1e6 / self._clock_rate)
            distance = timestamp_difference(ticks, reported)
            if abs(distance) <= MAX_REPORT_DISTANCE_SECONDS * self._clock_rate:
                self._estimator.move(ticks - distance - reported)
                self._media_clock.restart(ticks - distance, camera_us)
            else:  # its RTP timestamp was of another stream
                self.ignored_reports += 1
                self._estimator.clear()
                self._reported = False
        if not self._reported:
            arrival_us = self.clock.camera_time_us(now, now_us)
            late_us, quickest = self._quickest.best or (arrival_us - self._nominal_us(ticks), ticks)
            if not self._max_back <= quickest - ticks <= self._max_lead:  # it has leapt
                late_us, quickest = arrival_us - self._nominal_us(ticks), ticks
            self._media_clock.restart(quickest, late_us + self._nominal_us(quickest))
        self._quickest.clear()
        self._last_ticks, self._last_now = ticks, now
        self._last_shift_us = self.clock.shift_us
        self._last_utc_us = self._media_clock.at(ticks) + self._last_shift_us
        return self._last_utc_us

    def _place(self, ticks: int, now: float, now_us: int) -> int:
        """Give any unit its time."""
        last = self._last_ticks
        if last is None:
            return self._begin(ticks, now, now_us)
        self._segment = NOWHERE
        if self._suspect is None and self._goes_on(ticks - last, now - self._last_now):
            camera_us = self._media_clock.at(ticks)
        else:
            camera_us = self._doubt(ticks, now)
        if self._suspect is None:
            self._last_ticks, self._last_now = ticks, now
            if self._reported:
                self._segment = self._media_clock.segment(ticks)
            else:
                camera_us = self._observe_arrival(ticks, camera_us, now, now_us)
        last_camera_us = self._last_utc_us - self._last_shift_us
        if camera_us > last_camera_us:
            self._spacing_us = camera_us - last_camera_us
        utc_us = camera_us + self.clock.shift_us
        if self._jump or self._step_us or self.clock.shift_us != self._last_shift_us:
            self._tell_gap(utc_us)
        self._last_utc_us = utc_us
        return utc_us

    def _nominal_us(self, ticks: int) -> int:
        """How long so many ticks are, as declared."""
        return round(ticks * 1e6 / self._clock_rate)

    def _restart(self, ticks: int, camera_us: int) -> None:
        """Let the timeline pass through a point, whatever it did before."""
        self._media_clock.restart(ticks, camera_us)
        self._segment = NOWHERE
        self._estimator.clear()
        self._reported = False
        self._quickest.clear()
        self._period_end = None
        self._suspect = None

    def _step(self, ticks: int, camera_us: int, by_us: int) -> None:
        """Let the timeline pass through a point, and tell so with the next unit."""
        self._restart(ticks, camera_us)
        self._step_us += by_us

    # A timestamp that leaps.

    def _goes_on(self, ticks: int, seconds: float) -> bool:
        """Whether a timestamp can follow another `seconds` later, `ticks` on."""
        return self._max_back <= ticks <= self._max_lead + seconds * self._clock_rate

    def _doubt(self, ticks: int, now: float) -> int:
        """Place a unit while timestamps leap.

        A single frame hours away comes from Intelbras, a jump back from Wyze, a start at 0 from
        Tapo when its encoder restarts.
        """
        assert self._last_ticks is not None
        if self._goes_on(ticks - self._last_ticks, now - self._last_now):
            self._suspect = None
            return self._media_clock.at(ticks)
        arrived = self._last_now
        if self._suspect is not None:
            leapt, camera_us, arrived = self._suspect
            if ticks == leapt:
                return camera_us
            if self._goes_on(ticks - leapt, now - arrived):
                self._media_clock.forget_pace()
                if self._jump_told != arrived:
                    self._jump = ticks - self._last_ticks
                self._restart(leapt, camera_us)
                return self._media_clock.at(ticks)
        elif self._jump_told is None or now - self._jump_told >= JUMP_TOLD_SECONDS:
            self._jump, self._jump_told = ticks - self._last_ticks, now
        self.timestamp_jumps += 1
        last_camera_us = self._last_utc_us - self._last_shift_us
        camera_us = last_camera_us + self._time_passed_us(now - arrived)
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
        self.gap = Gap(start_us, end_us, reason, detail=detail)
        self._last_shift_us = shift_us
        self._step_us = self._jump = 0

    # What steers the timeline.

    def _place_report(self, timestamp: int) -> int | None:
        """Turn the timestamp of a report into ticks of the track.

        :returns: None if it is far from the units, older than the last, or timestamps leap.
        """
        newest = self._estimator.newest_ticks if self._reported else None
        reference = newest if self._last_ticks is None else self._last_ticks
        if reference is None:
            return timestamp
        distance = timestamp_difference(timestamp, reference)
        if abs(distance) > MAX_REPORT_DISTANCE_SECONDS * self._clock_rate:
            return None
        if self._suspect is not None or (newest is not None and reference + distance <= newest):
            return None
        return reference + distance

    def _observe_arrival(self, ticks: int, camera_us: int, now: float, now_us: int) -> int:
        """Steer by arrivals: delay makes units late, never early, so the quickest tell the time.

        :returns: continuous camera time of the unit, which may have stepped.
        """
        late_us = self.clock.camera_time_us(now, now_us) - camera_us
        if self._period_end is None:
            self._period_end = now + FIRST_ARRIVAL_PERIOD_SECONDS
        self._quickest.take(ticks, late_us)
        if now < self._period_end or self._quickest.best is None:
            return camera_us
        late_us, best = self._quickest.best
        moment = best, self._media_clock.at(best) + late_us
        is_paced = self._media_clock.learn_pace(*moment, abs(late_us) > MAX_DRIFT_STEP_US)
        if is_paced or not -MAX_ARRIVAL_LEAD_US <= late_us <= MAX_ARRIVAL_DELAY_US:
            self._step(*moment, late_us)
        self._learn(*moment)
        self._quickest.clear()
        self._period_end = now + ARRIVAL_PERIOD_SECONDS
        return self._media_clock.at(ticks)

    def _learn(self, ticks: int, camera_us: int) -> None:
        """Take a moment for true as far as others support it."""
        estimator, last, target = self._estimator, self._last_ticks, self._media_clock.target
        estimator.add(ticks, camera_us)
        correction = estimator.correct(target.ticks, target.time_us, target.slope)
        if correction is None or last is None:
            return
        # Where B-frames may still come, time stays as it is.
        told, untold = last + 2 * self._max_back, last - self._max_back
        newest = estimator.newest_ticks or ticks
        self._media_clock.bend(told, untold, newest, correction)
        self._segment = NOWHERE
