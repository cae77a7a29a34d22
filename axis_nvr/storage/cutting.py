"""When a recording goes on in a new block.

A block is cut only at a key frame. What asks for a cut is in `Cut`, in the order it is looked at.

Most blocks are cut since they are long enough, and that can be known a group ahead: a group tells
where the next one begins. Then what ends the block is written with its last group (`is_last`).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from axis_nvr.media.gop import MAX_GOP_BYTES, MAX_GOP_US, Gop
from axis_nvr.media.units import GapReason
from axis_nvr.storage.clusters import BlockTrack, Course, formats_of
from axis_nvr.storage.columns import Columns

#: A block is cut at the first key frame this long after its start (Recording.DefaultSplitDuration).
BLOCK_SECONDS = 300
#: Time without any frame that a block does not hold: a player would show a still for as long.
MAX_HOLE_SECONDS = 5


class Cut(StrEnum):
    """Why a block ends and another begins."""

    FORMAT = "a format changed or a track came"
    CLOCK = "the clock stepped or the source changed"
    TIME_BACK = "time went back"
    HOLE = "nothing came for long"
    LENGTH = "the block is long enough"


@dataclass(slots=True)
class BlockState:
    """What of an open block decides about a cut.

    :ivar start_us: where its timestamps count from: UTC, microseconds since 1970.
    :ivar main_track: index of the video track, without one of the first audio track.
    :ivar last_us: the latest time of the main track.
    :ivar stop_us: where it would end if nothing came any more.
    :ivar course: how times ran in its last group.
    """

    start_us: int
    main_track: int
    tracks: dict[int, BlockTrack] = field(default_factory=dict)
    last_us: int = 0
    stop_us: int = 0
    course: Course = field(default_factory=Course)


def cut_reason(block: BlockState, gop: Gop, columns: Columns, *, is_bent: bool) -> Cut | None:
    """Tell why a group cannot go into the open block; None if it can.

    :param gop: begins at a sync unit.
    :param columns: what is stored of it, straightened; not empty.
    :param is_bent: whether the group's clock stepped in the middle of it.
    """
    if not columns.first_formats().items() <= formats_of(block.tracks).items():
        return Cut.FORMAT
    if block.course.is_bent or (not is_bent and _source_changed(gop)):
        return Cut.CLOCK
    tracks, times_us = columns.tracks, columns.times_us
    has_main = block.main_track in tracks
    first_us = times_us[tracks.index(block.main_track) if has_main else 0]
    earliest_us = min(times_us)
    if earliest_us < block.start_us or (has_main and first_us <= block.last_us):
        return Cut.TIME_BACK
    if earliest_us > block.stop_us + MAX_HOLE_SECONDS * 1_000_000:
        return Cut.HOLE
    return Cut.LENGTH if first_us - block.start_us >= BLOCK_SECONDS * 1_000_000 else None


def is_last(block: BlockState, gop: Gop, stop_us: int) -> bool:
    """Tell whether the block is long enough with a group, and a key frame follows that.

    What follows a group that went out in parts may be another part, which no block can begin with.
    A part is as long or as large as a group may be, or the unit behind it is as large as all of it.

    :param stop_us: where the group ends.
    """
    is_part = gop.end_us - gop.start_us >= MAX_GOP_US or gop.size_bytes > MAX_GOP_BYTES // 2
    is_long = stop_us - block.start_us >= BLOCK_SECONDS * 1_000_000
    return is_long and gop.complete and not is_part and gop.end_us == stop_us


def _source_changed(gop: Gop) -> bool:
    return any(
        gap.reason in (GapReason.CLOCK_STEPPED, GapReason.SOURCE_CHANGED) for gap in gop.gaps
    )


def stop_of(gop: Gop, columns: Columns, main_track: int) -> tuple[int, int]:
    """Tell the latest time of a group's main track, and where the group ends.

    It ends where the next one begins, if that is near; else a picture's time after its last one.
    """
    times_us = columns.times_of(main_track) or columns.times_us
    last_us = max(times_us)
    if gop.complete and 0 < gop.end_us - last_us <= MAX_HOLE_SECONDS * 1_000_000:
        return last_us, gop.end_us
    spacing_us = (last_us - min(times_us)) // max(1, len(times_us) - 1)
    return last_us, last_us + spacing_us
