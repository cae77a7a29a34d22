"""Gaps on their way to the index and into the blocks' tags."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from threading import Lock

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.layout import utc_text

#: Gaps wait this long for somebody who asks or for an index transaction that happens anyway, in
#: seconds; then they get one. What waits is lost if the recorder dies.
MAX_WAIT_SECONDS = 60.0
#: Gaps told one by one in a block's tags, or waiting for the index; those after are told as one.
MAX_GAPS = 1000
#: The same gap told again within as many others is one gap.
_REMEMBERED = 64
#: What is told group by group and is one gap where the groups follow each other.
_MERGED = frozenset({GapReason.SLOW_DISK, GapReason.FULL_DISK, GapReason.FAILED_DISK})

#: Name of a block's tag that tells a gap.
GAP_TAG = "GAP"


def gap_text(gap: Gap) -> str:
    """Give a gap as a block's tag tells it: from/to, why, packets lost, and words for people."""
    times = f"{utc_text(gap.start_us)}/{utc_text(gap.end_us)}"
    return f"{times} {gap.reason} {gap.lost_packets} {gap.detail}".rstrip()


class GapNotes:
    """The gaps of one recording that are not in the index or not in a block yet.

    What writes the recording adds them, and puts them into blocks; any thread may take what waits
    for the index.

    :ivar due: when the index is to be told, by the clock of `extend`; infinite if none waits.
    """

    def __init__(self) -> None:
        self.due = math.inf
        self._waiting: list[Gap] = []
        self._of_block: list[Gap] = []
        self._recent: deque[Gap] = deque(maxlen=_REMEMBERED)
        self._lock = Lock()

    def extend(self, gaps: Iterable[Gap], now: float) -> None:
        """Take gaps, each once though it may be told twice: with its unit and with its group."""
        for gap in gaps:
            if gap not in self._recent:
                self._recent.append(gap)
                _add(self._of_block, gap)
                with self._lock:
                    _add(self._waiting, gap)
                    self.due = min(self.due, now + MAX_WAIT_SECONDS)

    def take_waiting(self) -> list[Gap]:
        """Give what the index does not know yet; safe from any thread."""
        with self._lock:
            self.due = math.inf
            waiting, self._waiting = self._waiting, []
        return waiting

    def tags(self) -> list[tuple[str, str]]:
        """Give the tags of the block that ends now."""
        return [(GAP_TAG, gap_text(gap)) for gap in self._of_block]

    def block_ended(self) -> None:
        """Say that the block has its tags; those that come are the next one's."""
        self._of_block = []


def _add(gaps: list[Gap], gap: Gap) -> None:
    if gaps and _goes_on(gaps[-1], gap):
        gaps[-1] = replace(gaps[-1], end_us=max(gaps[-1].end_us, gap.end_us))
        return
    if len(gaps) < MAX_GAPS:
        gaps.append(gap)
        return
    lost = gaps[-1].lost_packets + gap.lost_packets
    gaps[-1] = replace(gaps[-1], end_us=gap.end_us, lost_packets=lost)


def _goes_on(before: Gap, gap: Gap) -> bool:
    is_same = gap.reason is before.reason and gap.reason in _MERGED
    return is_same and before.start_us <= gap.start_us <= before.end_us
