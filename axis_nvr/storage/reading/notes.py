"""What is known to be missing from a block, given to the groups it is missing from.

Each gap belongs to one group: the one that begins last at or before the end of the gap. What lies
between two stretches and is told by nobody is a hole, and belongs to the group behind it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from axis_nvr.media.units import AccessUnit, Gap, GapReason
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.catalogue import HOLE_US, gaps_of
from axis_nvr.storage.reading.gops import Damaged
from axis_nvr.storage.reading.trail import Stretch, block_after, block_before

#: Times in a block are whole milliseconds, those of gaps are not.
_ROUNDING_US = 500
_END_OF_TIME_US = 1 << 62


@dataclass(frozen=True, slots=True)
class Notes:
    """What is missing from a block.

    :param gaps: in order of their ends.
    :param damaged: what of its file was found to be broken.
    """

    gaps: Sequence[Gap] = ()
    damaged: Sequence[Damaged] = ()

    def of_group(self, at: int, times: Sequence[int]) -> tuple[Gap, ...]:
        """Give the gaps of one group.

        :param times: when each group of the block begins.
        """
        return tuple(
            gap
            for gap in self.gaps
            if max(0, bisect_right(times, gap.end_us + _ROUNDING_US) - 1) == at
        )


def read_notes(index: Index, stretch: Stretch, before: Stretch | None) -> Notes:
    """Find what is missing from a block.

    :param before: the stretch in front of it, of whatever recording.
    """
    previous, following = block_before(index, stretch), block_after(index, stretch)
    since_us = None if previous is None else (previous.stop_us or previous.start_us)
    until_us = None if following is None else stretch.stop_us
    gaps = [
        gap
        for gap in gaps_of(index, stretch.recording, since_us, until_us)
        if (stretch.from_us is None or gap.end_us >= stretch.from_us)
        and (stretch.until_us is None or gap.start_us < stretch.until_us)
    ]
    hole = _hole(stretch, before)
    if hole is not None and not any(_overlaps(gap, hole) for gap in gaps):
        gaps.append(hole)
    gaps.sort(key=lambda gap: (gap.end_us, gap.start_us))
    rows = index.query(
        "SELECT offset, offset + size_bytes FROM nvr_damage WHERE block_id = ? ORDER BY offset"
        " LIMIT 10000",
        stretch.number,
    )
    return Notes(gaps, [Damaged(*row) for row in list(rows)])


def _hole(stretch: Stretch, before: Stretch | None) -> Gap | None:
    if before is None or before.stop_us is None:
        return None
    end_us = before.stop_us if before.until_us is None else before.until_us
    begin_us = stretch.start_us if stretch.from_us is None else stretch.from_us
    if begin_us - end_us <= HOLE_US:
        return None
    return Gap(end_us, begin_us, GapReason.NOT_RECORDED)


def _overlaps(gap: Gap, hole: Gap) -> bool:
    return gap.start_us < hole.end_us and gap.end_us > hole.start_us


def mark(units: list[AccessUnit], gaps: Sequence[Gap]) -> None:
    """Give each gap to the first unit behind it that has none."""
    for gap in gaps:
        for at, unit in enumerate(units):
            if unit.utc_us + _ROUNDING_US >= gap.end_us:
                if unit.gap is None:
                    units[at] = unit._replace(gap=gap)
                break
