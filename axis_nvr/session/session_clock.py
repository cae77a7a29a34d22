"""The clock of a camera, as the sender reports of all tracks of one session show it.

Three clocks meet here. *Ours* is held: UTC as it was when the session began, moved on by a clock
that never jumps, so a correction of the recorder's clock bends no stream. The *camera's* is what
its sender reports say, and it may jump. Between them lies *continuous camera time*: the camera's
clock with its jumps taken out, near to ours. Each track maps its ticks onto continuous camera
time (`axis_nvr.session.timeline`); one number, `shift_us`, leads from there to UTC. It is the
same for all tracks, so they keep together whatever happens to it.

::

    camera's clock ──(less its steps)──► continuous camera time ──(plus shift_us)──► UTC given out

A camera whose clock is near ours is believed: `shift_us` undoes the steps taken out, and the UTC
given out is the camera's own. One that is far off is not: its clock then sets the pace only.
Belief, once given, is taken back only when the camera's clock jumps: a jump of ours changes
nothing.

One report proves no jump, nor, once units have been given out, that the camera's clock is far
from ours: the next ones, of any track, must agree (`axis_nvr.session.step_detector`).
"""

from collections import deque

from axis_nvr.session.step_detector import StepDetector

#: A camera's clock that is off by more than this is not believed, in microseconds.
MAX_CLOCK_OFFSET_US = 60_000_000

#: A difference up to this is drift and is followed smoothly; a larger one, or one that is large for
#: the noise of the reports, is a step. In microseconds.
MAX_DRIFT_STEP_US = 100_000

#: A clock that only sets the pace may lead us this far from our own, in microseconds.
MAX_UNBELIEVED_DRIFT_US = 1_000_000

#: Reports over which the quickest one tells how far camera time is behind arrival.
LEAD_REPORTS = 8


class SessionClock:
    """What the tracks of one session share about time.

    :ivar shift_us: what to add to continuous camera time for UTC, in microseconds.
    :ivar believed: the camera's own clock is given out.
    :ivar camera_clock_offset_us: how far the camera's clock was ahead of ours at its last report,
        in microseconds, its way through the network included; None before the first.
    :ivar recorder_clock_step_us: how far the recorder's clock has been moved since the session
        began, as seen at the last report. Who wants it followed opens another session.
    """

    __slots__ = (
        "_leads",
        "_origin_us",
        "_steps",
        "_steps_us",
        "believed",
        "camera_clock_offset_us",
        "recorder_clock_step_us",
        "shift_us",
    )

    def __init__(self) -> None:
        self.shift_us = 0
        self.believed = False
        self.camera_clock_offset_us: int | None = None
        self.recorder_clock_step_us = 0
        self._origin_us: int | None = None  # our UTC when `now` was 0, as held
        self._steps = StepDetector()
        self._steps_us = 0  # camera's clock less continuous camera time
        self._leads: deque[int] = deque(maxlen=LEAD_REPORTS)  # camera time less arrival

    def held_utc_us(self, now: float, now_us: int) -> int:
        """Our own UTC, without the jumps it made since the session began.

        :param now: seconds of a clock that does not jump.
        :param now_us: our UTC at the same moment, microseconds since 1970.
        """
        if self._origin_us is None:
            self._origin_us = now_us - round(now * 1e6)
        return self._origin_us + round(now * 1e6)

    def camera_time_us(self, now: float, now_us: int) -> int:
        """Continuous camera time at an arrival, as well as arrivals can tell."""
        return self.held_utc_us(now, now_us) + (max(self._leads) if self._leads else 0)

    def take_report(
        self, ntp_us: int, predicted_us: int | None, tolerance_us: float, now: float, now_us: int
    ) -> int | None:
        """Take the time of a sender report.

        :param ntp_us: the camera's clock, microseconds since 1970.
        :param predicted_us: continuous camera time that the track had expected for the same
            moment; None if it has given out none yet.
        :param tolerance_us: how far that may be off with no step, at least `MAX_DRIFT_STEP_US`.
        :returns: continuous camera time of that moment. If the camera's clock has stepped, all
            tracks follow by `shift_us`, and this is about what was predicted. None while that is
            in doubt.
        """
        held_us = self.held_utc_us(now, now_us)
        self.recorder_clock_step_us = now_us - held_us
        self.camera_clock_offset_us = ntp_us - now_us
        believable = abs(ntp_us - now_us) <= MAX_CLOCK_OFFSET_US
        if not self._leads:
            is_clear = self._begin(ntp_us, held_us, predicted_us, tolerance_us, believable)
        else:
            is_clear = self._follow(ntp_us, held_us, predicted_us, tolerance_us, believable)
        if not is_clear:
            return None
        self._leads.append(ntp_us - self._steps_us - held_us)
        return ntp_us - self._steps_us

    def _begin(
        self,
        ntp_us: int,
        held_us: int,
        predicted_us: int | None,
        tolerance_us: float,
        believable: bool,
    ) -> bool:
        """Meet the camera's clock.

        Delay makes things seem later than they were, never earlier, so of what the track expects
        and when the report came, the earlier is taken for the truth.

        :returns: whether it has been met: units that were given out step for no single report.
        """
        ours_us = held_us if predicted_us is None else min(predicted_us, held_us)
        apart_us = ntp_us - ours_us
        if abs(apart_us) > tolerance_us:
            if predicted_us is not None and believable and self._steps.confirm(apart_us) is None:
                return False
            self._steps_us = apart_us
        else:
            self._steps.refute()
        self.believed = believable
        if believable:
            self.shift_us = self._steps_us
        return True

    def _follow(
        self,
        ntp_us: int,
        held_us: int,
        predicted_us: int | None,
        tolerance_us: float,
        believable: bool,
    ) -> bool:
        """Look whether the camera's clock has stepped since the last report of any track.

        It has if the track's expectation fails by about as much as the camera's clock has gained
        on ours. If it fails alone, the RTP timestamps have jumped: the track's own matter.

        :returns: whether that is clear.
        """
        error_us = 0 if predicted_us is None else ntp_us - self._steps_us - predicted_us
        gained_us = ntp_us - self._steps_us - held_us - self._leads[-1]
        if abs(error_us) <= tolerance_us:
            if predicted_us is not None:
                self._steps.refute()
        elif 2 * abs(gained_us - error_us) <= abs(error_us):
            step_us = self._steps.confirm(error_us)
            if step_us is None:
                return False
            self._steps_us += step_us
            self.believed = believable
            if believable:
                self.shift_us = self._steps_us
            return True
        if not self.believed and believable:  # our clock has been set right
            self.believed = True
            self.shift_us = self._steps_us
        elif not self.believed and len(self._leads) == LEAD_REPORTS:
            lead_us = max(self._leads)
            if abs(lead_us + self.shift_us) > MAX_UNBELIEVED_DRIFT_US:
                self.shift_us = -lead_us
        return True
