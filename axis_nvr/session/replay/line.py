"""When what was recorded is shown: the line of a playback's time.

::

    recorded   |==A====|          |==B====|        with a gap of minutes
    line       0=======|1 s|==B====|               forward
    line       0==B====|1 s|==A====|               backward, each group within it forward

A unit has two times on the line. It is *shown* at one: backwards, that falls within a group. It is
*due* at the other: never later than what comes behind it is shown, so that a decoder has what it
needs when it needs it; that never falls. Both are microseconds of the recording's time; how fast
they go by is up to who plays.
"""

from collections.abc import Sequence
from typing import NamedTuple

from axis_nvr.media.units import AccessUnit

#: A gap takes no longer than this, whatever is missing.
MAX_GAP_US = 1_000_000
#: What stands still for so long, or goes back, without a gap being told is one all the same.
MAX_STEP_BACK_US = 10_000_000
#: From the last picture before a step of the clock to the first one behind it.
STEP_US = 40_000


class Placed(NamedTuple):
    """When a unit is shown, and when it is sent at the latest."""

    shown_us: int
    due_us: int


class Line:
    """Places units on a line that begins at 0.

    :ivar end_us: up to where something was placed.
    """

    def __init__(self, *, is_forward: bool) -> None:
        self.end_us = 0
        self._is_forward = is_forward
        self._shift_us: int | None = None  # of shown times against those recorded

    def place(self, units: Sequence[AccessUnit], *, is_behind_gap: bool = False) -> list[Placed]:
        """Place units that are sent one after another: a group, or a part of one.

        :param units: at least one; nothing is missing between them.
        :param is_behind_gap: something is missing before them.
        """
        sign = 1 if self._is_forward else -1
        times = [sign * unit.utc_us for unit in units]
        first_us = min(times)
        self._shift(first_us, is_behind_gap=is_behind_gap)
        assert self._shift_us is not None
        shown = [time_us - self._shift_us for time_us in times]
        needed = _needed(units)
        begin_us = min(shown)
        earliest_us = min(needed)
        if self._is_forward:
            dues = [need_us - self._shift_us for need_us in needed]
        else:  # a group is sent over the time that it lasts, and not all at once
            dues = [begin_us + need_us - earliest_us for need_us in needed]
        self.end_us = max(self.end_us, *shown)
        return [Placed(*times) for times in zip(shown, dues, strict=True)]

    def _shift(self, first_us: int, *, is_behind_gap: bool) -> None:
        """Say where on the line the next units begin, unless they go on with those before."""
        if self._shift_us is None:
            self._shift_us = first_us
            return
        pause_us = first_us - self._shift_us - self.end_us
        if pause_us < -MAX_STEP_BACK_US or (is_behind_gap and pause_us < -MAX_GAP_US):
            self._shift_us = first_us - self.end_us - STEP_US
        elif is_behind_gap and pause_us > MAX_GAP_US:
            self._shift_us = first_us - self.end_us - MAX_GAP_US


def _needed(units: Sequence[AccessUnit]) -> list[int]:
    """Tell of each unit when the first of those of its track from it on is shown, forward."""
    needed = [0] * len(units)
    nearest: dict[int, int] = {}
    for at in range(len(units) - 1, -1, -1):
        unit = units[at]
        needed[at] = nearest[unit.track] = min(unit.utc_us, nearest.get(unit.track, unit.utc_us))
    return needed
