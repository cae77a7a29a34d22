"""From units to clusters: which track, which millisecond, which order.

The first frame of a group's first cluster is the key frame. The others follow in decoding order,
sound put between the pictures by time; a unit's timestamp is its presentation time, so pictures
that are decoded early are stored early with a later timestamp.

A clock that steps in the middle of a group would leave pictures that decode but cannot be shown in
order. Until the next key frame, where a new block begins on the new clock, such a group goes on by
the old one; the gap that came with the step tells of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, Format, GapReason
from axis_nvr.wire.matroska import FrameTuple

#: How long a cluster may last, in milliseconds; frame times in it are 16-bit.
MAX_CLUSTER_MS = 30_000
#: A jump of a group's own times that is a step of the clock, in microseconds.
STEP_US = 1_000_000
#: The same where a gap says that the clock stepped.
TOLD_STEP_US = 100_000

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


class PlannedCluster(NamedTuple):
    """A cluster to be written.

    :ivar cue: track and milliseconds of the key frame it begins with, None if it begins with none.
    """

    timestamp_ms: int
    frames: list[FrameTuple]
    cue: tuple[int, int] | None


def straighten(
    gop: Gop, units: Sequence[AccessUnit], shift_us: int = 0
) -> tuple[Sequence[AccessUnit], int]:
    """Take steps of the clock out of the middle of a group.

    :param shift_us: how far the part before this one was moved at its end.
    :returns: the units, and how far the last of those that were moved was, 0 if none was.
    """
    if not shift_us and not any(gap.reason in _BENDS for gap in gop.gaps):
        return units, 0
    shifts: dict[int, int] = {}
    expected: dict[int, int] = {}
    last: dict[int, int] = {}
    straight = []
    for unit in units:
        track = unit.track
        shift = shifts.setdefault(track, shift_us)
        utc_us = unit.utc_us + shift
        if track in last:
            told = unit.gap is not None and unit.gap.reason in _BENDS
            if abs(utc_us - expected[track]) > (TOLD_STEP_US if told else STEP_US):
                shifts[track] = shift + expected[track] - utc_us
                utc_us = expected[track]
        spacing_us = max(0, utc_us - last.get(track, utc_us))
        last[track], expected[track] = utc_us, utc_us + spacing_us
        straight.append(unit if utc_us == unit.utc_us else unit._replace(utc_us=utc_us))
    return straight, next((shift for shift in shifts.values() if shift), 0)


def plan_clusters(
    units: Iterable[AccessUnit], start_us: int, tracks: dict[int, BlockTrack], main_track: int
) -> list[PlannedCluster]:
    """Lay a group out in clusters: one, unless it lasts longer than `MAX_CLUSTER_MS`.

    :param units: of one group, in order of arrival; those of other tracks or formats than `tracks`
        has are left out.
    :param start_us: the block's start, UTC microseconds since 1970.
    :param main_track: index of the track whose sync units begin clusters.
    """
    frames = _frames(units, start_us, tracks)
    main = tracks[main_track].number
    clusters: list[PlannedCluster] = []
    begin = 0
    for at, frame in enumerate(frames):
        if abs(frame[1] - frames[begin][1]) > MAX_CLUSTER_MS:
            clusters.append(_cluster(frames[begin:at], main))
            begin = at
    if frames:
        clusters.append(_cluster(frames[begin:] if begin else frames, main))
    return clusters


def _cluster(frames: list[FrameTuple], main: int) -> PlannedCluster:
    number, time_ms, keyframe, _ = frames[0]
    cue = (number, time_ms) if keyframe and number == main else None
    return PlannedCluster(time_ms, frames, cue)


def _frames(
    units: Iterable[AccessUnit], start_us: int, tracks: dict[int, BlockTrack]
) -> list[FrameTuple]:
    """Give the frames in the order they are stored in."""
    frames: list[FrameTuple] = []
    keys: list[int] = []
    latest: dict[int, int] = {}
    base_us = start_us - 500  # so that whole division rounds to the nearest millisecond
    ordered, before = True, -1
    for index, utc_us, _, sync, data, unit_format, _ in units:
        track = tracks.get(index)
        if track is None or (unit_format is not track.format and unit_format != track.format):
            continue
        time_ms = (utc_us - base_us) // 1000
        if time_ms < 0:
            time_ms = 0
        if track.convert is not None:
            data = track.convert(data)
        frames.append((track.number, time_ms, sync, data))
        key = latest.get(index, 0)
        if time_ms > key:
            key = latest[index] = time_ms
        elif not key:
            latest[index] = key
        if key < before:
            ordered = False
        before = key
        keys.append(key)
    if len(latest) < 2 or (ordered and frames[0][0] == 1):
        return frames
    return _interleaved(frames, keys)


def _interleaved(frames: list[FrameTuple], keys: list[int]) -> list[FrameTuple]:
    """Sort by time without changing the order within a track; the key frame comes first.

    A track's key never falls, so that a stable sort keeps its decoding order.
    """
    first = min(range(len(frames)), key=lambda i: (frames[i][0], i))
    keys[first] = -1
    return [frames[i] for i in sorted(range(len(frames)), key=keys.__getitem__)]
