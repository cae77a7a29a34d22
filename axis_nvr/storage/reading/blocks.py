"""Where in a block's file each group of pictures is.

A closed block is known by two reads: its first kilobytes (SeekHead, Info, Tracks) and its Cues,
which the SeekHead tells the place of; both carry a CRC-32. A block that is open, was not closed
properly or whose Cues are broken is known by walking from cluster to cluster, one small read each;
of one that grows, only what was not known before is walked.

`BlockMap.groups` tile the file from the first cluster on. A group begins where a cluster begins
with a key frame of the main track; clusters that go on with it belong to it, and so does what is
broken between them. A group that is larger than `MAX_GROUP_BYTES` is told in parts, so that what is
read at once has a bound.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.storage.reading.headers import ClusterHead, read_cluster_head, skip_to_cluster
from axis_nvr.wire.ebml import MAX_ID_BYTES, MAX_SIZE_BYTES, ElementHeader, parse_header
from axis_nvr.wire.matroska import CuePoint, Track
from axis_nvr.wire.matroska_elements import SEGMENT_CHILDREN, VIDEO_TRACK, Id
from axis_nvr.wire.matroska_reader import (
    check_crc,
    check_doc_type,
    parse_cues,
    parse_info,
    parse_master,
    parse_tracks,
)

#: How much of a file is read for its head; more if it is longer.
HEAD_BYTES = 8 << 10
#: The most that is read for a head.
MAX_HEAD_BYTES = 4 << 20
#: How much is read for Cues; more if they are longer.
CUES_BYTES = 16 << 10
#: The longest Cues that are read.
MAX_CUES_BYTES = 16 << 20
#: A group is told in parts if it is larger, unless a single cluster is.
MAX_GROUP_BYTES = 32 << 20
#: The most groups known of one block.
MAX_GROUPS = 100_000


class Group(NamedTuple):
    """A group of pictures in a file.

    :ivar time_ms: of its first frame, since the block's start.
    :ivar offset: where its first cluster begins.
    :ivar end: where its last cluster ends.
    :ivar starts_at_sync: whether it begins with a key frame of the main track.
    """

    time_ms: int
    offset: int
    end: int
    starts_at_sync: bool


@dataclass(frozen=True, slots=True)
class BlockHead:
    """What stands in front of a block's clusters.

    :ivar date_us: UTC of timestamp 0, microseconds since 1970; None if it cannot be read.
    :ivar segment_start: what positions in Cues count from.
    :ivar cues_offset: where in the file the Cues are said to be; None in an open block.
    """

    date_us: int | None
    tracks: tuple[Track, ...]
    segment_start: int
    first_cluster: int
    cues_offset: int | None

    @property
    def main_track(self) -> int:
        """Number of the track whose key frames begin groups."""
        video = (track.number for track in self.tracks if track.kind == VIDEO_TRACK)
        return next(video, self.tracks[0].number)


@dataclass(frozen=True, slots=True)
class BlockMap:
    """Where the groups of a block are.

    :ivar groups: in order of place and time.
    :ivar end: what of the file is known; a block that grows goes on here.
    """

    head: BlockHead
    groups: Sequence[Group] = field(default=())
    end: int = 0


class _File:
    """A file opened for a few reads."""

    def __init__(self, files: IFiles, path: Path, good_bytes: int | None) -> None:
        self._files, self.path = files, path
        with storage_errors(path, "open a block"):
            self._fd = files.open_read(path)
        try:
            with storage_errors(path, "read a block"):
                size = files.size(self._fd)
        except BaseException:
            self.close()
            raise
        self.size = size if good_bytes is None else min(size, good_bytes)

    def read(self, size: int, offset: int) -> bytes:
        """Read, less at the end of what is good of it."""
        size = min(size, self.size - offset)
        if size <= 0:
            return b""
        with storage_errors(self.path, "read a block"):
            return self._files.pread(self._fd, size, offset)

    def close(self) -> None:
        """Close the file."""
        self._files.close(self._fd)


def read_map(
    files: IFiles,
    path: Path,
    *,
    known: BlockMap | None = None,
    good_bytes: int | None = None,
    grows: bool = False,
) -> BlockMap:
    """Find the groups of a block.

    :param known: what was found of it before, when it was shorter.
    :param good_bytes: how much of the file is good, if it was not closed properly.
    :param grows: whether it is being written: what is not whole yet is then not told.
    :raises StorageError: the file cannot be opened or read; kind ABSENT if it is not there.
    :raises WireError: it does not begin as a block does.
    """
    file = _File(files, path, good_bytes)
    try:
        if known is None:
            head = _read_head(file)
            if head.cues_offset is not None and good_bytes is None:
                groups = _cued_groups(file, head)
                if groups is not None:
                    return BlockMap(head, tuple(groups), file.size)
            known = BlockMap(head, (), head.first_cluster)
        return _walked(file, known, grows=grows)
    finally:
        file.close()


def _read_head(file: _File) -> BlockHead:
    size = HEAD_BYTES
    while True:
        data = file.read(size, 0)
        is_all = len(data) < size or size >= MAX_HEAD_BYTES
        try:
            return _parse_head(data + bytes(MAX_ID_BYTES + MAX_SIZE_BYTES) if is_all else data)
        except WireError:
            if is_all:
                raise
            size *= 8


def _parse_head(data: bytes) -> BlockHead:
    """Read a file's beginning up to its first cluster.

    :raises WireError: it is broken, or there is more of it.
    """
    header = parse_header(data)
    if header.id != Id.EBML:
        raise WireError("no EBML header", offset=0, source="RFC 8794 §11.2")
    check_doc_type(_content(data, header))
    offset = header.data_offset + (header.size or 0)
    segment = parse_header(data, offset)
    if segment.id != Id.SEGMENT:
        raise WireError("no Segment", offset=offset, source="RFC 9559 §5.1")
    start = offset = segment.data_offset
    date_us: int | None = None
    tracks: tuple[Track, ...] = ()
    cues_offset = None
    while (element := _head_element(data, offset, may_end=bool(tracks))) is not None:
        content = _content(data, element)
        is_good = check_crc(content) is not False
        if element.id == Id.SEEK_HEAD and is_good:
            cues_offset = _cues_offset(content, start)
        elif element.id == Id.INFO and is_good:
            date_us = parse_info(content).date_us or None
        elif element.id == Id.TRACKS:
            if not is_good:
                raise WireError("Tracks do not match their CRC-32", offset=offset)
            tracks = parse_tracks(content)
        offset = element.data_offset + len(content)
    if not tracks:
        raise WireError("no Tracks before the first cluster", offset=offset)
    return BlockHead(date_us, tracks, start, offset, cues_offset)


def _head_element(data: bytes, offset: int, *, may_end: bool) -> ElementHeader | None:
    """Give the next element of a head; None at the first cluster.

    :param may_end: the Tracks were there: what is broken now may be a cluster.
    :raises WireError: it is broken, or there is more of it.
    """
    if may_end and len(data) < offset + MAX_ID_BYTES + MAX_SIZE_BYTES and offset < len(data):
        raise WireError("a head is cut", offset=offset)
    try:
        header = parse_header(data, offset)
    except WireError:
        if not may_end:
            raise
        return None
    is_known = header.id in SEGMENT_CHILDREN or header.id == Id.VOID
    if header.id == Id.CLUSTER or header.size is None or (may_end and not is_known):
        return None
    return header


def _content(data: bytes, header: ElementHeader) -> memoryview:
    end = header.data_offset + (header.size or 0)
    if end > len(data):
        raise WireError(f"element {header.id:#x} is cut", offset=header.data_offset)
    return memoryview(data)[header.data_offset : end]


def _cues_offset(seek_head: memoryview, start: int) -> int | None:
    for seek in parse_master(seek_head).get_all(Id.SEEK):
        if seek.get(Id.SEEK_ID) == int(Id.CUES).to_bytes(4, "big"):
            return start + int(seek.get(Id.SEEK_POSITION, 0))
    return None


# From Cues.


def _cued_groups(file: _File, head: BlockHead) -> list[Group] | None:
    """Lay out the groups by the Cues; None if they are not there or not to be trusted."""
    assert head.cues_offset is not None
    try:
        points = _read_cues(file, head.cues_offset)
    except WireError:
        return None
    main, start = head.main_track, head.segment_start
    starts = [(p.time_ms, start + p.position) for p in points if p.track == main]
    end = _clusters_end(file, head, starts)
    if not starts or len(starts) > MAX_GROUPS or not _is_in_order(starts, head.first_cluster, end):
        return None
    ends = [offset for _, offset in starts[1:]] + [end]
    groups = [Group(t, o, e, True) for (t, o), e in zip(starts, ends, strict=True)]
    if groups[0].offset > head.first_cluster:
        lead = Group(0, head.first_cluster, groups[0].offset, False)
        groups.insert(0, lead)
    if any(group.end - group.offset > MAX_GROUP_BYTES for group in groups):
        groups = [part for group in groups for part in _parts(file, group, main)]
    return groups


def _read_cues(file: _File, offset: int) -> list[CuePoint]:
    """Read Cues.

    :raises WireError: they are not there, broken, or do not match their CRC-32.
    """
    data = file.read(CUES_BYTES, offset)
    header = parse_header(data)
    if header.id != Id.CUES or header.size is None or header.size > MAX_CUES_BYTES:
        raise WireError("no Cues where they should be", offset=offset)
    if header.data_offset + header.size > len(data):
        data = file.read(header.data_offset + header.size, offset)
    content = _content(data, header)
    if check_crc(content) is False:
        raise WireError("Cues do not match their CRC-32", offset=offset)
    return parse_cues(content)


def _clusters_end(file: _File, head: BlockHead, starts: list[tuple[int, int]]) -> int:
    """Tell where the clusters end: at the Cues, if they stand behind them."""
    cues = head.cues_offset or 0
    return cues if not starts or cues > starts[-1][1] else file.size


def _is_in_order(starts: list[tuple[int, int]], first: int, end: int) -> bool:
    """Tell whether times never fall and places rise, from the first cluster to the last."""
    rising = all(a[0] <= b[0] and a[1] < b[1] for a, b in pairwise(starts))
    return rising and first <= starts[0][1] and starts[-1][1] < end


def _parts(file: _File, group: Group, main: int) -> Iterator[Group]:
    """Cut a large group between clusters."""
    if group.end - group.offset <= MAX_GROUP_BYTES:
        yield group
        return
    part = group._replace(end=group.offset)
    for cluster in _clusters(file, group.offset, group.end):
        if not cluster.is_cluster:
            break
        if part.end > part.offset and cluster.end - part.offset > MAX_GROUP_BYTES:
            yield part
            starts_at_sync = cluster.begins_group(main)
            part = Group(cluster.time_ms, part.end, part.end, starts_at_sync)
        part = part._replace(end=cluster.end)
    if part.end > part.offset:
        yield part._replace(end=group.end)


# By walking.


def _walked(file: _File, known: BlockMap, *, grows: bool) -> BlockMap:
    """Go on from what is known, cluster by cluster."""
    head, groups, end = known.head, list(known.groups), known.end
    for cluster in _clusters(file, end, file.size, grows=grows):
        last = groups[-1] if groups else None
        if not cluster.is_cluster:
            groups[-1:] = [] if last is None else [last._replace(end=cluster.end)]
            continue
        begins = cluster.begins_group(head.main_track)
        if last is not None and not begins and cluster.end - last.offset <= MAX_GROUP_BYTES:
            groups[-1] = last._replace(end=cluster.end)
        elif len(groups) < MAX_GROUPS:  # what lies between belongs to the group behind it
            time_ms = max(cluster.time_ms, last.time_ms if last else 0)
            groups.append(Group(time_ms, end, cluster.end, begins))
        end = cluster.end
    return replace(known, groups=tuple(groups), end=end)


def _clusters(file: _File, offset: int, end: int, *, grows: bool = False) -> Iterator[ClusterHead]:
    """Give the heads of whole clusters, and at the end one of what is broken behind them."""
    while offset < end:
        head = read_cluster_head(file.read, offset, end)
        if head is not None:
            if head.is_cluster:
                yield head
            offset = head.end
            continue
        found = None if grows else skip_to_cluster(file.read, offset + 1, end)
        if found is None:
            if not grows:
                yield ClusterHead(False, offset, end)
            return
        offset = found
