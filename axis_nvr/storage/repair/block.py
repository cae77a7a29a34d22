"""Finishing one block's file: what its writer would have done, had it not been stopped.

Steps, each of which may be the last before the next stop, and is then done again:

1. Look through the file (`axis_nvr.storage.repair.survey`). If it is whole, sync it: it may have
   been whole in memory only. Nothing is written to it then, and the rest is left out.
2. Cut off what stands behind the last good cluster; cover holes before it with Void elements.
3. Append Cues and Tags, and sync.
4. Write the front of a closed block over that of the open one, and sync.

Until step 4 is durable the block's XML says that it is open. After a stop in step 3 or 4 there are
Cues that nothing points to, or a front that is a mixture; step 1 passes over both.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from axis_nvr.errors import WireError
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.files import IFiles, storage_errors, write_at
from axis_nvr.storage.gap_notes import GAP_TAG, gap_text
from axis_nvr.storage.repair.frames import HEADER_BYTES, FramePlace, Read, walk_cluster
from axis_nvr.storage.repair.front import BlockFront, read_front
from axis_nvr.storage.repair.gap_tags import gaps_of_tags
from axis_nvr.storage.repair.survey import ClusterPlace, Survey, Unclear, survey
from axis_nvr.wire.ebml import VOID, encode_size, parse_header
from axis_nvr.wire.matroska import Closing, CuePoint, build_cues, build_tags
from axis_nvr.wire.matroska_elements import VIDEO_TRACK, Id
from axis_nvr.wire.matroska_reader import check_crc, parse_cues, parse_tags

#: A nominal frame duration over this is not believed, in nanoseconds.
_MAX_FRAME_NS = 60_000_000_000
#: An element of a size of fewer bytes cannot be made a Void.
_MIN_VOID_BYTES = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is known of a block besides its file.

    :param start_us: its start: UTC, microseconds since 1970; None: what the file says.
    :param stop_us: where it ends, if that is known already.
    :param good_bytes: what of it is known to be good; None if nobody knows.
    :param gaps: what is missing from it.
    :param is_unclean: the recorder was stopped while it wrote the block: what was in flight is
        told as a gap.
    """

    start_us: int | None = None
    stop_us: int | None = None
    good_bytes: int | None = None
    gaps: Sequence[Gap] = ()
    is_unclean: bool = True


@dataclass(frozen=True, slots=True)
class FinishedBlock:
    """A block that is whole.

    :param gaps: those that its tags tell.
    :param was_whole: nothing was written to its file.
    :param cut_bytes: how many were cut off behind the last good cluster.
    :param holes: how many places within were broken.
    """

    start_us: int
    stop_us: int
    size_bytes: int
    gaps: tuple[Gap, ...]
    was_whole: bool
    cut_bytes: int = 0
    holes: int = 0


class NothingGood(Unclear):
    """There is no whole cluster in a file."""


class _Block:
    """A block's file while it is being finished."""

    def __init__(self, files: IFiles, path: Path, fd: int) -> None:
        self.files = files
        self.path = path
        self.fd = fd
        with storage_errors(path, "read a block"):
            self.size_bytes = files.size(fd)

    def close(self) -> None:
        with storage_errors(self.path, "close a block"):
            self.files.close(self.fd)

    def read(self, size: int, offset: int) -> bytes:
        with storage_errors(self.path, "read a block"):
            return self.files.pread(self.fd, size, offset)

    def write(self, data: bytes, offset: int) -> None:
        write_at(self.files, self.fd, data, offset)


def finish_block(files: IFiles, path: Path, wanted: Wanted) -> FinishedBlock:
    """Finish a block's file that nobody writes to.

    :raises StorageError: the disk does not let us.
    :raises Unclear: the file is not understood; it is left as it is.
    """
    with storage_errors(path, "open a block"):
        fd = files.open_write(path)
    with closing(_Block(files, path, fd)) as block:
        try:
            return _finish(block, wanted)
        except Unclear:
            raise
        except WireError as error:
            raise Unclear(str(error)) from error


def _finish(block: _Block, wanted: Wanted) -> FinishedBlock:
    limit = block.size_bytes
    if wanted.good_bytes is not None:
        limit = min(limit, wanted.good_bytes)
    front = read_front(block.read, limit)
    found = survey(block.read, front.first_cluster, limit)
    start_us = front.info.date_us if wanted.start_us is None else wanted.start_us
    if limit == block.size_bytes and is_closed(block.read, front, found, limit):
        with storage_errors(block.path, "sync a block"):
            block.files.sync(block.fd)
        stop_us = start_us + round((front.info.duration_ms or 0) * 1000)
        gaps = gaps_of_tags(_tags(block.read, found))
        return FinishedBlock(start_us, stop_us, block.size_bytes, gaps, was_whole=True)
    if not found.clusters:
        raise NothingGood("no whole cluster", offset=front.first_cluster)
    return _write(block, front, found, wanted, start_us)


def is_closed(read: Read, front: BlockFront, found: Survey, size_bytes: int) -> bool:
    """Tell whether a block is whole and closed."""
    if front.segment_end != size_bytes or front.info.duration_ms is None or found.holes:
        return False
    if found.end != size_bytes or not found.clusters:
        return False
    offsets = {cluster.offset for cluster in found.clusters}
    has_cues = False
    for _, header in found.tail:
        data = read(header.size or 0, header.data_offset)
        if header.id not in (Id.CUES, Id.TAGS):
            continue
        if check_crc(data) is False:
            return False
        if header.id == Id.CUES:
            has_cues = True
            positions = {cue.position + front.segment_start for cue in parse_cues(data)}
            if not positions <= offsets:
                return False
    return has_cues


def _tags(read: Read, found: Survey) -> list[tuple[str, str]]:
    for _, header in found.tail:
        if header.id == Id.TAGS:
            return parse_tags(read(header.size or 0, header.data_offset))
    return []


def _write(
    block: _Block, front: BlockFront, found: Survey, wanted: Wanted, start_us: int
) -> FinishedBlock:
    stop_us = wanted.stop_us
    if stop_us is None:
        stop_us = start_us + _stop_ms(block.read, front, found.clusters[-1]) * 1000
    cut_bytes = block.size_bytes - _tail_start(found)
    gaps = (*wanted.gaps, *_own_gaps(block, found, wanted, start_us, stop_us, cut_bytes))
    cues = build_cues(_cues(front, found))
    tags = build_tags([(GAP_TAG, gap_text(gap)) for gap in gaps]) if gaps else b""
    at = found.good_end
    closing_ = Closing(
        at + len(cues) + len(tags) - front.segment_start,
        at - front.segment_start,
        at + len(cues) - front.segment_start if tags else None,
    )
    patches = front.closing(block.read, (stop_us - start_us) / 1000, closing_)
    with storage_errors(block.path, "repair a block"):
        if block.size_bytes > at:
            block.files.truncate(block.fd, at)
        for hole in found.holes:
            block.write(_void_header(hole.end - hole.offset), hole.offset)
        last = found.clusters[-1]
        if not last.is_sized:
            _size_cluster(block, last)
        block.write(cues + tags, at)
        block.files.sync(block.fd)
        for offset, data in patches:
            block.write(data, offset)
        block.files.sync(block.fd)
    return FinishedBlock(
        start_us,
        stop_us,
        at + len(cues) + len(tags),
        gaps,
        was_whole=False,
        cut_bytes=cut_bytes,
        holes=len(found.holes),
    )


def _tail_start(found: Survey) -> int:
    """Give where what is cut off and lost begins: Cues and Tags are written again."""
    return found.end if found.tail else found.good_end


def _size_cluster(block: _Block, cluster: ClusterPlace) -> None:
    """Write into a camera's cluster how long it is, if its size has the width for it."""
    width = cluster.data_offset - cluster.offset - 4
    size = cluster.end - cluster.data_offset
    if size < (1 << 7 * width) - 1:
        block.write(encode_size(size, width), cluster.offset + 4)


def _void_header(size: int) -> bytes:
    """Give what makes a Void of bytes that stay where they are behind it."""
    if size < _MIN_VOID_BYTES:
        raise Unclear(f"{size} bytes between two clusters")
    width = 1 if size < 10 else 8
    return bytes([VOID]) + encode_size(size - 1 - width, width)


def _cues(front: BlockFront, found: Survey) -> list[CuePoint]:
    """Give where each key frame's cluster is."""
    main = _main_track(front)
    return [
        CuePoint(max(0, c.first.time_ms), main, c.offset - front.segment_start)
        for c in found.clusters
        if c.first is not None and c.first.is_key and c.first.track == main
    ]


def _main_track(front: BlockFront) -> int:
    """Give the number of the track whose key frames begin clusters: video, else the first."""
    numbers = [track.number for track in front.tracks if track.kind == VIDEO_TRACK]
    return (numbers or [front.tracks[0].number])[0]


def _stop_ms(read: Read, front: BlockFront, cluster: ClusterPlace) -> int:
    """Tell where a block ends: a picture's time behind its last picture."""
    frames = walk_cluster(read, cluster.data_offset, cluster.end).frames
    latest = max((frame.time_ms for frame in frames), default=cluster.timestamp_ms)
    return max(0, latest, _main_stop_ms(front, frames))


def _main_stop_ms(front: BlockFront, frames: Sequence[FramePlace]) -> int:
    main = _main_track(front)
    times = [frame.time_ms for frame in frames if frame.track == main]
    if not times:
        return 0
    if len(times) > 1:
        return max(times) + (max(times) - min(times)) // (len(times) - 1)
    nominal = next((t.default_duration_ns for t in front.tracks if t.number == main), 0)
    return times[0] + (nominal // 1_000_000 if nominal < _MAX_FRAME_NS else 0)


def _own_gaps(
    block: _Block, found: Survey, wanted: Wanted, start_us: int, stop_us: int, cut_bytes: int
) -> list[Gap]:
    """Give the gaps that the repair itself finds."""
    gaps = []
    for hole in found.holes:
        before = [c.timestamp_ms for c in found.clusters if c.end <= hole.offset]
        behind = [c.timestamp_ms for c in found.clusters if c.offset >= hole.end]
        detail = f"{hole.end - hole.offset} bytes at byte {hole.offset} were broken"
        first_ms, last_ms = max(before, default=0), min(behind)
        gaps.append(
            Gap(
                start_us + first_ms * 1000,
                start_us + last_ms * 1000,
                GapReason.UNCLEAN_STOP,
                detail=detail,
            )
        )
    if wanted.is_unclean:
        end_us = max(stop_us, start_us + _last_ms_of_tail(block, found) * 1000)
        detail = f"{cut_bytes} bytes behind the last whole group" if cut_bytes > 0 else ""
        gaps.append(Gap(stop_us, end_us, GapReason.UNCLEAN_STOP, detail=detail))
    return [gap for gap in gaps if gap not in wanted.gaps]


def _last_ms_of_tail(block: _Block, found: Survey) -> int:
    """Tell the time of the last frame of a cluster that is cut off, as far as it can be read."""
    try:
        header = parse_header(block.read(HEADER_BYTES, found.good_end))
    except WireError:
        return 0
    if header.id != Id.CLUSTER:
        return 0
    begin = found.good_end + header.data_offset
    walk = walk_cluster(block.read, begin, block.size_bytes)
    return max((frame.time_ms for frame in walk.frames), default=0)
