"""Reading groups of pictures: from a range of a file to units with their times.

A cluster whose CRC-32 does not match, or that cannot be taken apart, is left out and told as a gap
from the last unit before it to the first one behind it; reading goes on with the next cluster,
which is looked for by how it begins and not by what the broken one says of its size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.media.units import AccessUnit, Format, Gap, GapReason
from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.storage.reading.blocks import BlockHead, Group
from axis_nvr.storage.reading.formats import clock_hz, sample_restorer, track_format
from axis_nvr.storage.reading.headers import CLUSTER_ID
from axis_nvr.wire.ebml import parse_header
from axis_nvr.wire.matroska_elements import SEGMENT_CHILDREN, Id
from axis_nvr.wire.matroska_reader import Cluster, Frame, parse_cluster


@dataclass(frozen=True, slots=True, eq=False)
class StoredGop:
    """A group of pictures as it was stored, with the sound that came with it.

    :param units: in decoding order, as they were written; empty if nothing of it can be read.
        Tracks are counted from 0, the main track first; times are right to a millisecond.
    :param start_us: when it begins: UTC, microseconds since 1970.
    :param end_us: when the next one begins, or its block ends.
    :param gaps: what is missing in it or directly before it, in order of time.
    :param starts_at_sync: decoding can begin here; else it goes on with the one before it.
    :param fresh_from_us: what of it is before this another recording has shown; None without one.
    :param fresh_until_us: what of it is not before this another recording shows.
    """

    recording_id: str
    block_id: str
    units: Sequence[AccessUnit]
    start_us: int
    end_us: int
    gaps: tuple[Gap, ...] = ()
    starts_at_sync: bool = True
    fresh_from_us: int | None = None
    fresh_until_us: int | None = None

    def is_fresh(self, unit: AccessUnit) -> bool:
        """Tell whether a unit is to be shown, and is not only there for others to be decoded."""
        after = self.fresh_from_us is None or unit.utc_us >= self.fresh_from_us
        return after and (self.fresh_until_us is None or unit.utc_us < self.fresh_until_us)


class Damaged(NamedTuple):
    """Bytes of a file that are known to be broken."""

    offset: int
    end: int


class Content(NamedTuple):
    """What a range of a file holds."""

    units: list[AccessUnit]
    gaps: list[Gap]


class Decoder:
    """Turns the frames of a block into units.

    :param start_us: UTC of the block's timestamp 0, microseconds since 1970.
    """

    def __init__(self, head: BlockHead, start_us: int) -> None:
        self._start_us = start_us
        main = head.main_track
        ordered = sorted(head.tracks, key=lambda track: (track.number != main, track.number))
        self._tracks = {
            track.number: (index, form, clock_hz(form), sample_restorer(form))
            for index, track in enumerate(ordered)
            if (form := track_format(track)) is not None
        }

    def formats(self) -> dict[int, Format]:
        """Give the format of each track, by its index."""
        return {index: form for index, form, _, _ in self._tracks.values()}

    def units(self, frames: Sequence[Frame]) -> Iterator[AccessUnit]:
        """Give the units of a cluster."""
        tracks, start_us = self._tracks, self._start_us
        for number, time_ms, keyframe, view in frames:
            track = tracks.get(number)
            if track is None:
                continue
            index, form, hz, restore = track
            utc_us = start_us + time_ms * 1000
            data = bytes(view) if restore is None else restore(bytes(view))
            ticks = utc_us * hz // 1_000_000
            yield AccessUnit(index, utc_us, ticks, keyframe, data, form)


def read_range(
    files: IFiles,
    path: Path,
    group: Group,
    decoder: Decoder,
    times: tuple[int, int],
    damaged: Sequence[Damaged] = (),
) -> Content:
    """Read a group, or a part of one.

    :param times: when it begins and when what follows it begins, for gaps at either end.
    :param damaged: what of the file is known to be broken.
    :raises StorageError: the file cannot be opened: kind ABSENT if it is not there.
    """
    size = group.end - group.offset
    with storage_errors(path, "open a block"):
        fd = files.open_read(path)
    try:
        data = files.pread(fd, size, group.offset)
    except OSError as error:
        return _nothing(times, f"{path.name} cannot be read at {group.offset}: {error.strerror}")
    finally:
        files.close(fd)
    units: list[AccessUnit] = []
    gaps: list[Gap] = []
    missing: str | None = None
    last_us = times[0]
    for found in _clusters(data, size, group.offset, damaged):
        if isinstance(found, str):
            missing = missing or found
            continue
        read = list(decoder.units(found.frames))
        if missing is not None and read:
            gap = Gap(last_us, max(last_us, read[0].utc_us), GapReason.DAMAGED, detail=missing)
            read[0] = read[0]._replace(gap=gap)
            gaps.append(gap)
            missing = None
        units += read
        last_us = max([last_us, *(unit.utc_us for unit in read)])
    if missing is not None:
        gaps.append(Gap(last_us, max(last_us, times[1]), GapReason.DAMAGED, detail=missing))
    return Content(units, gaps)


def _nothing(times: tuple[int, int], why: str) -> Content:
    return Content([], [Gap(times[0], max(times), GapReason.DAMAGED, detail=why)])


def _clusters(
    data: bytes, size: int, offset: int, damaged: Sequence[Damaged]
) -> Iterator[Cluster | str]:
    """Give the clusters of a range; words where something is broken.

    :param size: how much there should be.
    :param offset: where in the file the range begins.
    """
    at = 0
    while at < len(data):
        found = _element(data, at, offset, damaged)
        if isinstance(found, int):  # an element that is no cluster
            at = found
            continue
        cluster, end = found
        yield cluster
        if end is None:  # the size of what is broken may be broken too
            end = data.find(CLUSTER_ID, at + 1)
            if end < 0:
                return
        at = end
    if len(data) < size:
        yield f"the file ends {size - len(data)} bytes early"


def _element(
    data: bytes, at: int, offset: int, damaged: Sequence[Damaged]
) -> int | tuple[Cluster | str, int | None]:
    """Read what is at a place: the end of what is no cluster, or a cluster and its end."""
    place = offset + at
    try:
        header = parse_header(data, at)
        end = None if header.size is None else header.data_offset + header.size
        if end is None or end > len(data):
            return f"no whole cluster at byte {place}", None
        if header.id != Id.CLUSTER:
            if header.id in SEGMENT_CHILDREN or header.id == Id.VOID:
                return end
            return f"no cluster at byte {place}", None
        if any(bad.offset < offset + end and place < bad.end for bad in damaged):
            return f"damage noted at byte {place}", end
        cluster = parse_cluster(memoryview(data)[header.data_offset : end])
    except WireError as error:
        return f"the cluster at byte {place} is broken: {error}", None
    if cluster.checked is False:
        return f"the cluster at byte {place} does not match its CRC-32", None
    return cluster, end
