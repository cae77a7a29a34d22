"""When a recording goes on in a new block.

A block is cut only at a key frame. What asks for a cut is in `Cut`, in the order it is looked at.

Most blocks are cut since they are long enough, and that can be known a group ahead: a group tells
where the next one begins. Then what ends the block is written with its last group (`is_last`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from axis_nvr.media.gop import MAX_GOP_BYTES, MAX_GOP_US, Gop
from axis_nvr.media.units import AccessUnit, Format, GapReason
from axis_nvr.storage.clusters import BlockTrack, Course

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


def formats_of(units: Sequence[AccessUnit]) -> dict[int, Format]:
    """Give the first format of each track of a group, by the tracks' index."""
    formats: dict[int, Format] = {}
    for unit in units:
        if unit.track not in formats:
            formats[unit.track] = unit.format
    return formats


def cut_reason(
    block: BlockState, gop: Gop, units: Sequence[AccessUnit], *, is_bent: bool
) -> Cut | None:
    """Tell why a group cannot go into the open block; None if it can.

    :param gop: begins at a sync unit.
    :param units: those of it that are stored, straightened; not empty.
    :param is_bent: whether the group's clock stepped in the middle of it.
    """
    for index, form in formats_of(units).items():
        track = block.tracks.get(index)
        if track is None or (form is not track.format and form != track.format):
            return Cut.FORMAT
    if block.course.is_bent or (not is_bent and _source_changed(gop)):
        return Cut.CLOCK
    times = [unit.utc_us for unit in units]
    main = next((unit for unit in units if unit.track == block.main_track), None)
    if min(times) < block.start_us or (main is not None and main.utc_us <= block.last_us):
        return Cut.TIME_BACK
    if min(times) > block.stop_us + MAX_HOLE_SECONDS * 1_000_000:
        return Cut.HOLE
    first_us = times[0] if main is None else main.utc_us
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


def stop_of(gop: Gop, units: Sequence[AccessUnit], main_track: int) -> tuple[int, int]:
    """Tell the latest time of a group's main track, and where the group ends.

    It ends where the next one begins, if that is near; else a picture's time after its last one.
    """
    times = [unit.utc_us for unit in units if unit.track == main_track] or [
        unit.utc_us for unit in units
    ]
    last_us = max(times)
    if gop.complete and 0 < gop.end_us - last_us <= MAX_HOLE_SECONDS * 1_000_000:
        return last_us, gop.end_us
    spacing_us = (last_us - min(times)) // max(1, len(times) - 1)
    return last_us, last_us + spacing_us
