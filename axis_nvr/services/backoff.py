"""How long to wait before a camera is tried again.

A line that drops is tried at once: cameras restart their streams when something is changed. After
that the wait doubles, with jitter, so that cameras behind one switch do not come back in step. Some
failures are waited out much longer, because asking again does harm or cannot help: wrong
credentials lock accounts, and a camera that refuses its options will refuse them in a second too.
"""

from collections.abc import Callable
from typing import NamedTuple

from axis_nvr.services.stream_errors import ErrorKind

#: A stream that played so long, in seconds, was well: the next drop is the first one.
STABLE_SECONDS = 10.0


class Schedule(NamedTuple):
    """From the first wait to the longest, in seconds; each is twice the one before."""

    first: float
    longest: float


DEFAULT = Schedule(0.5, 30.0)
SCHEDULES = {
    ErrorKind.BUSY: Schedule(5.0, 60.0),
    ErrorKind.REFUSED: Schedule(60.0, 600.0),
    ErrorKind.AUTHENTICATION: Schedule(300.0, 3600.0),
    ErrorKind.INTERNAL: Schedule(5.0, 300.0),
}


class Backoff:
    """Counts the failures in a row and says how long to wait after each.

    :param random: returns numbers from 0 to 1.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._kind: ErrorKind | None = None
        self._failures = 0
        self._dropped = False

    def succeeded(self) -> None:
        """Forget all failures: the stream plays and is stable."""
        self._kind, self._failures, self._dropped = None, 0, False

    def next_delay(self, kind: ErrorKind, was_playing: bool = False) -> float | None:
        """Return how long to wait after one more failure, in seconds.

        :param was_playing: whether pictures came before; the first such drop costs no wait.
        :returns: None if only a change of the configuration can help.
        """
        if kind is ErrorKind.CONFIGURATION:
            return None
        schedule = SCHEDULES.get(kind, DEFAULT)
        if was_playing and schedule is DEFAULT and not self._dropped and not self._failures:
            self._dropped = True
            return 0.0
        if SCHEDULES.get(self._kind, DEFAULT) is not schedule if self._kind else False:
            self._failures = 0
        self._kind = kind
        base = min(schedule.longest, schedule.first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        jitter = self._random()
        return min(base * (1 + jitter / 2), schedule.longest * (1 - jitter / 5))
