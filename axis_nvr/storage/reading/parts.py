"""What a range of time holds, block by block: which bytes of which files, whole groups only.

A picture can be shown only with those before it in its group. So a range begins with the group that
shows its first moment, and ends with the one that shows its last. What is found is how it was at
that moment: a block that grows afterwards, or is closed, still holds it.

Where a device has several recordings of a moment, one of them shows it (see
`axis_nvr.storage.reading.device_trail`). Both were made of the same stream more often than not;
then the groups of the second begin where those of the first do, and what the first had of a group
is left out in favour of the whole of it. Else the second goes on with its next group.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.blocks import BlockHead, BlockMap, Group
from axis_nvr.storage.reading.gops import Damaged, Decoder, read_range
from axis_nvr.storage.reading.maps import MapCache
from axis_nvr.storage.reading.notes import read_notes
from axis_nvr.storage.reading.trail import Stretch, Trail

#: The most blocks of one answer: a month of five minutes each.
MAX_PARTS = 9_000
#: Groups of two recordings that begin so close to each other are the same, in microseconds.
SAME_US = 20_000


class TooLong(NvrError):
    """There is more than can be told at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """Groups of one block that follow each other.

    :param date_us: UTC of the block's timestamp 0, microseconds since 1970.
    :param times: when each group begins: UTC, microseconds since 1970.
    :param end_us: when the last one ends.
    :param gaps: what is missing in them or directly before them.
    :param damaged: what of the file is known to be broken.
    """

    stretch: Stretch
    path: Path
    head: BlockHead
    date_us: int
    groups: Sequence[Group]
    times: Sequence[int]
    end_us: int
    gaps: tuple[Gap, ...] = ()
    damaged: tuple[Damaged, ...] = ()

    @property
    def offset(self) -> int:
        """Where in the file its first group begins."""
        return self.groups[0].offset

    @property
    def end(self) -> int:
        """Where in the file its last group ends."""
        return self.groups[-1].end


def find_parts(
    index: Index, maps: MapCache, trail: Trail, start_us: int | None, stop_us: int | None
) -> Iterator[Part | Gap]:
    """Find what a trail shows from one moment to another; a gap for each block that is lost.

    :param start_us: None: from its beginning. The group that shows this moment, or else the last
        one before it, is the first.
    :param stop_us: None: all there is so far.
    :raises TooLong: there are more than `MAX_PARTS`.
    :raises StorageError: the index cannot be read, here and below.
    """
    stretch = trail.at(start_us or 0)
    before: Stretch | None = None if stretch is None else trail.before(stretch)
    for _ in range(MAX_PARTS):
        if stretch is None or (stop_us is not None and _begin(stretch) >= stop_us):
            return
        found = _part(index, maps, stretch, before)
        part = _within(found, start_us, stop_us) if isinstance(found, Part) else found
        if part is not None:
            yield part
        stretch, before = trail.after(stretch), stretch
    if stretch is not None and (stop_us is None or _begin(stretch) < stop_us):
        raise TooLong(f"more than {MAX_PARTS} blocks: ask for a shorter time")


def first_group(index: Index, maps: MapCache, trail: Trail) -> Part | None:
    """Give the first group of a trail, of the first block that can be read."""
    for part in find_parts(index, maps, trail, None, None):
        if isinstance(part, Part):
            return _cut(part, 0, 1)
    return None


def _begin(stretch: Stretch) -> int:
    return stretch.start_us if stretch.from_us is None else stretch.from_us


def _part(index: Index, maps: MapCache, stretch: Stretch, before: Stretch | None) -> Part | Gap:
    """Give all groups of a block."""
    try:
        found = maps.get(stretch, is_new=True)
        path = maps.path(stretch)
    except NvrError as error:
        return lost_block(stretch, error)
    if not found.groups:
        return lost_block(stretch, StorageError(StorageErrorKind.CORRUPT, path, "no pictures"))
    date_us = stretch.start_us if found.head.date_us is None else found.head.date_us
    times = [date_us + group.time_ms * 1000 for group in found.groups]
    notes = read_notes(index, stretch, before)
    return Part(
        stretch=stretch,
        path=path,
        head=found.head,
        date_us=date_us,
        groups=found.groups,
        times=times,
        end_us=_end(maps, stretch, found, times),
        gaps=tuple(notes.gaps),
        damaged=tuple(notes.damaged),
    )


def _end(maps: MapCache, stretch: Stretch, found: BlockMap, times: Sequence[int]) -> int:
    """Tell when a block ends; what an open one ends with is read.

    How long its last group is nobody can tell from those before it: where key frames are lost, one
    lasts as long as several. It ends a picture's time after its last picture.
    """
    if stretch.stop_us is not None:
        return max(times[-1], stretch.stop_us)
    group, begin_us = found.groups[-1], times[-1]
    decoder = Decoder(found.head, begin_us - group.time_ms * 1000)
    ends = (begin_us, begin_us)
    units = read_range(maps.files, maps.path(stretch), group, decoder, ends).units
    shown = [unit.utc_us for unit in units if not unit.track] or [begin_us]
    spacing_us = (max(shown) - min(shown)) // max(1, len(shown) - 1)
    return max(shown) + spacing_us


def lost_block(stretch: Stretch, error: NvrError) -> Gap:
    """Tell of a block that cannot be read."""
    is_gone = isinstance(error, StorageError) and error.kind is StorageErrorKind.ABSENT
    stop_us = stretch.stop_us if stretch.until_us is None else stretch.until_us
    reason = GapReason.REMOVED if is_gone else GapReason.DAMAGED
    start_us = _begin(stretch)
    end_us = start_us if stop_us is None else max(start_us, stop_us)
    return Gap(start_us, end_us, reason, detail=f"block {stretch.block_id} cannot be read")


def _within(part: Part, start_us: int | None, stop_us: int | None) -> Part | None:
    """Cut to the groups that show a range of time, and what its stretch shows."""
    stretch = part.stretch
    ends = [time for time in (stop_us, stretch.until_us) if time is not None]
    begins = [time for time in (start_us, stretch.from_us) if time is not None]
    end = min((bisect_left(part.times, time) for time in ends), default=len(part.times))
    begin = max((bisect_right(part.times, time) - 1 for time in begins), default=0)
    begin = max(0, begin)
    if start_us is not None and _begin(stretch) <= start_us:
        end = max(end, begin + 1)  # the group that shows the first moment, at least
    return _cut(part, begin, end) if begin < end else None


def _cut(part: Part, begin: int, end: int) -> Part:
    """Keep some of the groups, and the gaps in them or before them."""
    if (begin, end) == (0, len(part.groups)):
        return part
    end_us = part.end_us if end == len(part.times) else part.times[end]
    start_us = part.times[begin] if begin else 0
    gaps = tuple(gap for gap in part.gaps if gap.end_us >= start_us and gap.start_us < end_us)
    return replace(
        part,
        groups=part.groups[begin:end],
        times=part.times[begin:end],
        end_us=end_us,
        gaps=gaps,
    )


def joined(parts: Iterable[Part | Gap]) -> Iterator[Part | Gap]:
    """Take out what two recordings show twice.

    :param parts: in order of time.
    """
    last: Part | None = None
    for part in parts:
        if isinstance(part, Part) and last is not None and _overlaps(last, part):
            last, kept = _without_overlap(last, part)
            if kept is None:
                continue
            part = kept
        if last is not None:
            yield last
        if isinstance(part, Part):
            last = part
        else:
            yield part
            last = None
    if last is not None:
        yield last


def _overlaps(last: Part, part: Part) -> bool:
    is_other = part.stretch.recording_id != last.stretch.recording_id
    return is_other and part.times[0] < last.end_us


def _without_overlap(last: Part, part: Part) -> tuple[Part | None, Part | None]:
    """Cut the first of two recordings where the groups of the second begin, or else the second."""
    keep = bisect_left(last.times, part.times[0] - SAME_US)
    is_same = keep < len(last.times) and abs(last.times[keep] - part.times[0]) <= SAME_US
    if is_same:
        return (_cut(last, 0, keep) if keep else None), part
    begin = bisect_left(part.times, last.end_us)
    return last, (_cut(part, begin, len(part.times)) if begin < len(part.times) else None)
