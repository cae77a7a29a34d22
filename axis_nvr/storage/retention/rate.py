"""How fast a disk is being written to, so that its reserve lasts long enough."""

from collections import deque
from typing import NamedTuple

#: The rate is the highest of those over these times, in seconds: what goes on now, and what has
#: gone on for a while.
WINDOWS_SECONDS = (60.0, 600.0)
#: Time between two figures that are kept, in seconds.
SPACING_SECONDS = 5.0


class _Figure(NamedTuple):
    at: float
    written_bytes: int


class RateMeter:
    """Measures a rate from how much was written since the disk was opened."""

    def __init__(self) -> None:
        self._figures: deque[_Figure] = deque()

    def note(self, written_bytes: int, now: float) -> None:
        """Take a figure.

        :param written_bytes: since the disk was opened.
        :param now: of a clock that never steps, in seconds.
        """
        figures = self._figures
        if not figures or now - figures[-1].at >= SPACING_SECONDS:
            figures.append(_Figure(now, written_bytes))
        while len(figures) > 2 and figures[1].at <= now - WINDOWS_SECONDS[-1]:
            figures.popleft()

    @property
    def is_known(self) -> bool:
        """Whether there are two figures."""
        return len(self._figures) > 1

    def bytes_per_second(self) -> float:
        """Tell the rate; 0 before there are two figures."""
        return max(self._over(seconds) for seconds in WINDOWS_SECONDS)

    def _over(self, seconds: float) -> float:
        """Give the rate of the last so many seconds, or of the time there was."""
        if not self.is_known:
            return 0.0
        last = self._figures[-1]
        first = next(figure for figure in self._figures if figure.at >= last.at - seconds)
        if first is last:
            first = self._figures[-2]
        return (last.written_bytes - first.written_bytes) / (last.at - first.at)
