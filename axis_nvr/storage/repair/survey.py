"""What is in a block's file that was not closed: whole clusters, holes between them, a tail.

Everything that was acknowledged stands before everything that was not, so that what is cut or
broken at the end may go. What is broken *before* a good cluster was never meant to go: it becomes
a hole, which a Void element covers, and the clusters behind it are kept.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.storage.block_reader import MAX_CLUSTER_BYTES
from axis_nvr.storage.repair.frames import (
    CHUNK_BYTES,
    HEADER_BYTES,
    FramePlace,
    Read,
    Walk,
    check_matches,
    walk_cluster,
)
from axis_nvr.wire.ebml import VOID, ElementHeader, encode_id, parse_header
from axis_nvr.wire.matroska_elements import SEGMENT_CHILDREN, Id

#: What at the end of a block may not have been synced: as much as a recording's queue holds, since
#: that is the most one batch writes before it syncs.
DOUBTFUL_BYTES = 32 << 20
#: Behind something broken, so many bytes are looked through for a good cluster.
MAX_SEARCH_BYTES = 4 * DOUBTFUL_BYTES
#: The most elements of a block.
MAX_ELEMENTS = 200_000
_CLUSTER_ID = encode_id(Id.CLUSTER)
_ALLOWED = SEGMENT_CHILDREN | {VOID}


class ClusterPlace(NamedTuple):
    """A good cluster.

    :ivar data_offset: where its data begins.
    :ivar first: its first frame; None if it has none.
    :ivar is_sized: it says itself where it ends.
    """

    offset: int
    data_offset: int
    end: int
    timestamp_ms: int
    first: FramePlace | None
    is_sized: bool = True


class Hole(NamedTuple):
    """Bytes between good clusters that are no element, or a cluster that is broken."""

    offset: int
    end: int


@dataclass(slots=True)
class Survey:
    """What was found.

    :ivar good_end: behind the last good cluster.
    :ivar tail: what else stands there: whole elements that are no cluster, by where they are.
    :ivar end: behind the last whole element; what follows is cut or broken.
    :ivar has_checks: its clusters carry a CRC-32.
    """

    clusters: list[ClusterPlace] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    tail: list[tuple[int, ElementHeader]] = field(default_factory=list)
    good_end: int = 0
    end: int = 0
    has_checks: bool = False


class Unclear(WireError):
    """A file is not understood, and so left as it is."""


def survey(read: Read, first_cluster: int, size_bytes: int) -> Survey:
    """Go through a block from its first cluster on.

    Headers are walked; contents are read and checked only where the last writes before an unclean
    stop may not have reached the disk.

    :param size_bytes: where the file ends, or what of it is known to be good.
    :raises Unclear: more is broken than a stop explains.
    """
    return _Surveyor(read, size_bytes).survey(first_cluster)


class _Surveyor:
    def __init__(self, read: Read, size_bytes: int) -> None:
        self._read = read
        self._size_bytes = size_bytes
        self._doubtful_from = size_bytes - DOUBTFUL_BYTES
        self._budget_bytes = MAX_SEARCH_BYTES
        self._found = Survey()

    def survey(self, offset: int) -> Survey:
        found = self._found
        found.good_end = found.end = offset
        broken_from: int | None = None
        for _ in range(MAX_ELEMENTS):
            if offset >= self._size_bytes:
                return found
            header = self._header(offset)
            if header is not None and header.id == Id.CLUSTER:
                cluster = self._cluster(offset, header)
                if cluster is None:  # perhaps the next one is good: it says where that begins
                    broken_from = offset if broken_from is None else broken_from
                    offset = self._after(offset, header)
                    continue
            elif header is not None and header.size is not None:
                found.tail.append((offset, header))
                offset = header.data_offset + header.size
                if broken_from is None:
                    found.end = offset
                continue
            else:
                broken_from = offset if broken_from is None else broken_from
                offset = self._search(offset + 1)
                continue
            if broken_from is not None:
                found.holes.append(Hole(broken_from, offset))
                broken_from = None
            found.clusters.append(cluster)
            found.tail.clear()
            found.good_end = found.end = offset = cluster.end
        raise Unclear(f"more than {MAX_ELEMENTS} elements", offset=offset)

    def _header(self, offset: int) -> ElementHeader | None:
        """Read the header of an element that may be there; None if there is no such thing."""
        try:
            header = parse_header(self._read(HEADER_BYTES, offset))
        except WireError:
            return None
        if header.id not in _ALLOWED:
            return None
        header = header._replace(data_offset=offset + header.data_offset)
        if header.id == Id.CLUSTER:
            return header
        if header.size is None or header.data_offset + header.size > self._size_bytes:
            return None
        return header

    def _after(self, offset: int, header: ElementHeader) -> int:
        """Give where to go on behind a cluster that is not good."""
        end = self._size_bytes + 1 if header.size is None else header.data_offset + header.size
        if end < self._size_bytes and self._header(end) is not None:
            return end
        return self._search(offset + 1)

    def _cluster(self, offset: int, header: ElementHeader) -> ClusterPlace | None:
        """Look at a cluster; None if it is not good."""
        begin, found = header.data_offset, self._found
        end = None if header.size is None else begin + header.size
        if end is not None and (header.size or 0) > MAX_CLUSTER_BYTES:
            return None
        if end is None or end > self._size_bytes:
            return None if found.has_checks else self._salvaged(offset, begin)
        first = walk_cluster(self._read, begin, end, most_frames=1)
        if not found.clusters:
            found.has_checks = first.has_check
        if end > self._doubtful_from and not self._is_good(begin, end):
            return None
        return _place(offset, begin, end, first)

    def _is_good(self, begin: int, end: int) -> bool:
        matches = check_matches(self._read, begin, end)
        if matches is None:  # a camera's: it has no check, but it has a structure
            return not self._found.has_checks and walk_cluster(self._read, begin, end).is_whole
        return matches

    def _salvaged(self, offset: int, begin: int) -> ClusterPlace | None:
        """Take the whole frames of a camera's cluster that does not say its size, or is cut."""
        walk = walk_cluster(self._read, begin, self._size_bytes)
        if walk.has_check or walk.timestamp_ms is None or not walk.frames:
            return None
        return _place(offset, begin, walk.end, walk, is_sized=False)

    def _search(self, offset: int) -> int:
        """Look for a good cluster further on; give its place, or the file's end."""
        while offset < self._size_bytes:
            self._spend(min(CHUNK_BYTES, self._size_bytes - offset))
            piece = self._read(min(CHUNK_BYTES, self._size_bytes - offset), offset)
            if not piece:
                break
            at = piece.find(_CLUSTER_ID)
            while at >= 0:
                if self._begins_good_cluster(offset + at):
                    return offset + at
                at = piece.find(_CLUSTER_ID, at + 1)
            offset += max(1, len(piece) - len(_CLUSTER_ID) + 1)
            if len(piece) < len(_CLUSTER_ID):
                break
        return self._size_bytes

    def _begins_good_cluster(self, offset: int) -> bool:
        header = self._header(offset)
        if header is None or not header.size or header.size > MAX_CLUSTER_BYTES:
            return False
        end = header.data_offset + header.size
        if end > self._size_bytes:
            return False
        self._spend(header.size)
        if not self._is_good(header.data_offset, end):
            return False
        return bool(walk_cluster(self._read, header.data_offset, end, most_frames=1).frames)

    def _spend(self, size_bytes: int) -> None:
        self._budget_bytes -= size_bytes
        if self._budget_bytes < 0:
            message = f"more than {MAX_SEARCH_BYTES} bytes of it are not understood"
            raise Unclear(message)


def _place(
    offset: int, begin: int, end: int, walk: Walk, *, is_sized: bool = True
) -> ClusterPlace | None:
    if walk.timestamp_ms is None:
        return None
    first = walk.frames[0] if walk.frames else None
    return ClusterPlace(offset, begin, end, walk.timestamp_ms, first, is_sized)
