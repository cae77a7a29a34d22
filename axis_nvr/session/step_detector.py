"""Whether a clock has stepped, or a report was wrong.

A report that is far off its line is either a step of the clock or a bad report. The next ones
tell: after a step they are off by as much, after a bad report they are back on the line. Where bad
reports have been seen, more of them must agree.
"""

from collections import deque
from statistics import median

#: Reports that confirm a step, the first included, where no bad ones have been seen.
CONFIRMING_REPORTS = 2

#: They agree when their errors are this close, in microseconds.
AGREEMENT_US = 20_000

#: With one report more they agree when their errors are alike to this part of them.
AGREEMENT_PART = 0.25

#: Bad reports are remembered for so many reports; each calls for one more that agrees, up to a
#: bound.
MEMORY_REPORTS = 32
MAX_MORE_REPORTS = 6


class StepDetector:
    """Takes the errors of reports, one after the other, and says when they show a step."""

    __slots__ = ("_bad", "_errors")

    def __init__(self) -> None:
        self._errors: deque[int] = deque(maxlen=CONFIRMING_REPORTS + MAX_MORE_REPORTS + 1)
        self._bad: deque[bool] = deque(maxlen=MEMORY_REPORTS)

    def confirm(self, error_us: int) -> int | None:
        """Take the error of a report that is far off.

        :returns: by how much the clock has stepped; None as long as that may be a bad report.
        """
        if len(self._errors) == self._errors.maxlen:
            self._bad.append(True)  # so many that never agreed
        self._errors.append(error_us)
        needed = CONFIRMING_REPORTS + min(sum(self._bad), MAX_MORE_REPORTS)
        errors = list(self._errors)
        for count, tolerance in ((needed, 0.0), (needed + 1, AGREEMENT_PART)):
            latest = errors[-count:]
            step_us = median(latest)
            if len(latest) == count and max(latest) - min(latest) <= max(
                AGREEMENT_US, tolerance * abs(step_us)
            ):
                self._errors.clear()
                return round(step_us)
        return None

    def refute(self) -> None:
        """Take note of a report that is where it should be: those that were off were bad."""
        self._bad.append(bool(self._errors))
        self._errors.clear()
