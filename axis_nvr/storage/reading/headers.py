"""What stands at the front of a cluster: how long it is, when it begins and with what."""

from collections.abc import Callable
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.wire.ebml import parse_header
from axis_nvr.wire.matroska_elements import SEGMENT_CHILDREN, Id

#: How much is read of a cluster for its head.
CLUSTER_HEAD_BYTES = 128
#: A cluster that is longer is none that we can read.
MAX_CLUSTER_BYTES = 64 << 20
#: How a cluster begins.
CLUSTER_ID = int(Id.CLUSTER).to_bytes(4, "big")
#: How much is read at a time in search of a cluster, and how far.
_SEARCH_BYTES = 1 << 20
MAX_SEARCH_BYTES = 256 << 20

#: Reads a number of bytes from a place; fewer at the end.
Read = Callable[[int, int], bytes]


class ClusterHead(NamedTuple):
    """The front of a cluster, or of another element that may stand between clusters.

    :ivar time_ms: of its first frame, since the block's start.
    :ivar track: of its first frame; 0 if it has none.
    :ivar keyframe: whether its first frame is a key frame.
    """

    is_cluster: bool
    offset: int
    end: int
    time_ms: int = 0
    track: int = 0
    keyframe: bool = False

    def begins_group(self, main_track: int) -> bool:
        """Tell whether a group begins with it."""
        return self.keyframe and self.track == main_track


def read_cluster_head(read: Read, offset: int, end: int) -> ClusterHead | None:
    """Read what is at a place; None if it is broken or not whole.

    :param end: where what is good of the file ends.
    """
    data = read(CLUSTER_HEAD_BYTES, offset)
    try:
        header = parse_header(data)
        if header.id not in SEGMENT_CHILDREN and header.id != Id.VOID:
            return None
        if header.size is None or offset + header.data_offset + header.size > end:
            return None
        stop = offset + header.data_offset + header.size
        if header.id != Id.CLUSTER:
            return ClusterHead(False, offset, stop)
        if header.size > MAX_CLUSTER_BYTES:
            return None
        time_ms, track, keyframe = _first_frame(data[: stop - offset], header.data_offset)
    except WireError:
        return None
    return ClusterHead(True, offset, stop, time_ms, track, keyframe)


def _first_frame(data: bytes, offset: int) -> tuple[int, int, bool]:
    """Tell time, track and kind of a cluster's first frame.

    :raises WireError: the cluster's beginning is broken, or longer than was read.
    """
    cluster_ms = 0
    while offset < len(data):
        header = parse_header(data, offset)
        content = data[header.data_offset : header.data_offset + (header.size or 0)]
        if header.id == Id.TIMESTAMP:
            cluster_ms = int.from_bytes(content[:8], "big")
        elif header.id == Id.SIMPLE_BLOCK:
            return _frame(content, cluster_ms)
        elif header.id == Id.BLOCK_GROUP:  # written by others, for the last frames mostly
            block = parse_header(data, header.data_offset)
            time_ms, track, _ = _frame(data[block.data_offset :], cluster_ms)
            return time_ms, track, True
        offset = header.data_offset + (header.size or 0)
    return cluster_ms, 0, False


def _frame(data: bytes, cluster_ms: int) -> tuple[int, int, bool]:
    length = 9 - data[0].bit_length() if data else 9
    if len(data) < length + 3:
        raise WireError("a frame's header is cut", source="RFC 9559 §10.1")
    track = int.from_bytes(data[:length], "big") ^ 1 << 7 * length
    relative_ms = int.from_bytes(data[length : length + 2], "big", signed=True)
    return max(0, cluster_ms + relative_ms), track, bool(data[length + 2] & 0x80)


def skip_to_cluster(read: Read, offset: int, end: int) -> int | None:
    """Find where the next cluster begins, behind something broken.

    :param offset: search from here.
    """
    end = min(end, offset + MAX_SEARCH_BYTES)
    while offset < end:
        data = read(_SEARCH_BYTES, offset)
        at = data.find(CLUSTER_ID)
        while at >= 0:
            head = read_cluster_head(read, offset + at, end)
            if head is not None and head.is_cluster:
                return offset + at
            at = data.find(CLUSTER_ID, at + 1)
        if len(data) <= len(CLUSTER_ID):
            break
        offset += len(data) - len(CLUSTER_ID) + 1
    return None
