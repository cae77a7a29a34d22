"""From units to clusters: which track, which millisecond, which order.

The first frame of a group's first cluster is the key frame. The others follow in decoding order,
sound put between the pictures by time; a unit's timestamp is its presentation time, so pictures
that are decoded early are stored early with a later timestamp.

A clock that steps in the middle of a group would leave pictures that decode but cannot be shown in
order. Until the next key frame, where a new block begins on the new clock, such a group goes on by
the old one; the gap that came with the step tells of it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, Format, GapReason, VideoFormat
from axis_nvr.storage.columns import Columns
from axis_nvr.wire.matroska import FrameTuple

#: How long a cluster may last, in milliseconds; frame times in it are 16-bit.
MAX_CLUSTER_MS = 30_000
#: What a unit's time may differ from what is expected after the one before it, in microseconds,
#: where the group is told to have a step of the clock in it.
TOLD_STEP_US = 100_000
#: The same where no step is told, or where the media clock itself jumped.
STEP_US = 1_000_000
#: Ticks of the media clock of video (RFC 6184 §8.2.1, RFC 7798 §7.1, RFC 2435 §3).
VIDEO_CLOCK_HZ = 90_000
#: A media clock that moves further than this from one unit to the next has jumped, in ticks.
_MAX_TICKS = 10 * VIDEO_CLOCK_HZ

_BENDS = (GapReason.CLOCK_STEPPED, GapReason.TIMESTAMP_JUMP)


@dataclass(slots=True)
class BlockTrack:
    """A track of an open block.

    :ivar number: what its frames are marked with; the main track's is 1.
    :ivar convert: what a frame's bytes are put through before they are stored, if anything.
    """

    number: int
    format: Format
    convert: Callable[[bytes | bytearray], bytes | bytearray] | None = None


def formats_of(tracks: Mapping[int, BlockTrack]) -> dict[int, Format]:
    """Give the tracks' formats, by their index in the stream."""
    return {index: track.format for index, track in tracks.items()}


class PlannedCluster(NamedTuple):
    """A cluster to be written.

    :ivar cue: track and milliseconds of the key frame it begins with, None if it begins with none.
    """

    timestamp_ms: int
    frames: list[FrameTuple]
    cue: tuple[int, int] | None


class Moment(NamedTuple):
    """When a unit was: as it is stored, in microseconds, and on the media clock, in ticks."""

    utc_us: int
    timestamp: int


@dataclass(slots=True)
class Course:
    """How times ran in a group so far; the part of it that follows goes on from there.

    :ivar shifts: how far each track's last unit was moved, in microseconds.
    :ivar before: when each track's last unit was.
    :ivar spacings: from each track's last unit but one to its last, in microseconds.
    """

    shifts: dict[int, int] = field(default_factory=dict)
    before: dict[int, Moment] = field(default_factory=dict)
    spacings: dict[int, int] = field(default_factory=dict)

    @property
    def is_bent(self) -> bool:
        """Whether it went on by a clock that is no longer right."""
        return any(self.shifts.values())

    def take(self, unit: AccessUnit, utc_us: int) -> AccessUnit:
        """Go on to a unit, and give it with the time it is stored with."""
        last = self.before.get(unit.track)
        if last is not None:
            self.spacings[unit.track] = max(0, utc_us - last.utc_us)
        self.before[unit.track] = Moment(utc_us, unit.timestamp)
        return unit if utc_us == unit.utc_us else unit._replace(utc_us=utc_us)

    def pass_over(self, columns: Columns) -> None:
        """Go on past units whose times stay: all that counts of a track is its last two."""
        wanted = [*set(columns.tracks)] * 2
        last: list[AccessUnit] = []
        for unit in reversed(columns.units):
            if unit.track in wanted:
                wanted.remove(unit.track)
                last.append(unit)
            if not wanted:
                break
        for unit in reversed(last):
            self.take(unit, unit.utc_us)


def straighten(gop: Gop, columns: Columns, course: Course) -> Columns:
    """Take steps of the clock out of the middle of a group.

    Pictures are decoded in another order than they are shown in, so that their times alone do not
    tell a step; their distance on the media clock does.

    :param columns: what is stored of the group.
    :param course: of the parts before this one, a new one for the first; moved on by this.
    """
    reasons = {gap.reason for gap in gop.gaps}
    if not course.is_bent and reasons.isdisjoint(_BENDS):
        course.pass_over(columns)
        return columns
    is_told = GapReason.CLOCK_STEPPED in reasons
    shift_us = next((shift for shift in course.shifts.values() if shift), 0)
    straight = []
    for unit in columns.units:
        track, last = unit.track, course.before.get(unit.track)
        utc_us = unit.utc_us + course.shifts.setdefault(track, shift_us)
        if last is not None:
            expected_us, is_exact = _expected(last, unit, course.spacings.get(track, 0))
            if abs(utc_us - expected_us) > (TOLD_STEP_US if is_told and is_exact else STEP_US):
                course.shifts[track] += expected_us - utc_us
                utc_us = expected_us
        straight.append(course.take(unit, utc_us))
    return Columns.of(straight)


def _expected(last: Moment, unit: AccessUnit, spacing_us: int) -> tuple[int, bool]:
    """Tell when a unit is expected after the one before it, and whether that is exact."""
    has_jumped = unit.gap is not None and unit.gap.reason is GapReason.TIMESTAMP_JUMP
    if not isinstance(unit.format, VideoFormat):
        return last.utc_us + spacing_us, not has_jumped
    ticks = unit.timestamp - last.timestamp
    if has_jumped or abs(ticks) > _MAX_TICKS:
        return last.utc_us + spacing_us, False
    return last.utc_us + ticks * 1_000_000 // VIDEO_CLOCK_HZ, True


def plan_clusters(
    columns: Columns, start_us: int, tracks: Mapping[int, BlockTrack], main_track: int
) -> list[PlannedCluster]:
    """Lay a group out in clusters: one, unless it lasts longer than `MAX_CLUSTER_MS`.

    :param columns: of one group; units of other tracks or formats than `tracks` has are left out.
    :param start_us: the block's start, UTC microseconds since 1970.
    :param main_track: index of the track whose sync units begin clusters.
    """
    columns = columns.only(formats_of(tracks))
    if not columns.units:
        return []
    frames = _frames(columns, start_us, tracks)
    main = tracks[main_track].number
    if max(columns.times_us) - min(columns.times_us) < MAX_CLUSTER_MS * 1000:
        return [_cluster(frames, main)]
    clusters: list[PlannedCluster] = []
    begin = 0
    for at, frame in enumerate(frames):
        if abs(frame[1] - frames[begin][1]) > MAX_CLUSTER_MS:
            clusters.append(_cluster(frames[begin:at], main))
            begin = at
    return [*clusters, _cluster(frames[begin:], main)]


def _cluster(frames: list[FrameTuple], main: int) -> PlannedCluster:
    number, time_ms, keyframe, _ = frames[0]
    cue = (number, time_ms) if keyframe and number == main else None
    return PlannedCluster(time_ms, frames, cue)


def _frames(columns: Columns, start_us: int, tracks: Mapping[int, BlockTrack]) -> list[FrameTuple]:
    """Give the frames in the order they are stored in."""
    base_us = start_us - 500  # so that whole division rounds to the nearest millisecond
    times_ms = [(time_us - base_us) // 1000 for time_us in columns.times_us]
    if min(times_ms) < 0:
        times_ms = [max(0, time_ms) for time_ms in times_ms]
    numbers = [tracks[index].number for index in columns.tracks]
    contents: Iterable[bytes | bytearray] = columns.contents
    if any(track.convert for track in tracks.values()):
        contents = [_converted(tracks[unit.track], unit.data) for unit in columns.units]
    frames: list[FrameTuple]
    frames = list(zip(numbers, times_ms, columns.syncs, contents, strict=True))
    if len(set(numbers)) == 1:
        return frames
    places = _places(numbers, times_ms)
    return [frames[at] for at in sorted(range(len(frames)), key=places.__getitem__)]


def _converted(track: BlockTrack, data: bytes | bytearray) -> bytes | bytearray:
    return data if track.convert is None else track.convert(data)


def _places(numbers: list[int], times_ms: list[int]) -> list[int]:
    """Tell what to sort frames by: time, but in a track as they came; the key frame comes first.

    A frame's place is the latest time of its track so far. As this never falls, a stable sort
    keeps the track's decoding order.
    """
    latest = dict.fromkeys(numbers, 0)
    places = []
    for number, time_ms in zip(numbers, times_ms, strict=True):
        if time_ms > latest[number]:
            latest[number] = time_ms
        places.append(latest[number])
    places[numbers.index(min(latest))] = -1
    return places
