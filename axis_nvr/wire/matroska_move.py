"""Clusters of one file put into another: the frames stay as they are, the times are new.

::

    Cluster    CRC-32, Timestamp, SimpleBlock, SimpleBlock, …

A frame tells its time from its cluster's Timestamp, so that a cluster is moved in time by writing
its first 28 bytes anew. One that we wrote (`axis_nvr.wire.matroska.build_cluster`) stays exactly as
long as it was; of one that another writer made, what stands before the frames is replaced by a
front like ours, and `growth` tells beforehand how much longer that is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.wire.crc32 import replaced_crc32
from axis_nvr.wire.ebml import CRC_32, ElementHeader, parse_header
from axis_nvr.wire.matroska import BLOCK_FRONT, FOUR_BYTES, build_cluster_front
from axis_nvr.wire.matroska_elements import Id
from axis_nvr.wire.matroska_reader import check_crc

#: Bytes of a cluster's front as it is written here.
FRONT_BYTES = 28
#: How many bytes of a cluster are enough to read its front, and that of its first frame.
HEAD_BYTES = 128
#: Elements in front of the frames that lose their meaning in another file: Position, PrevSize.
_OF_ITS_FILE = (0xA7, 0xAB)


@dataclass(frozen=True, slots=True)
class Move:
    """What becomes of a cluster.

    :param shift_ms: what is added to its times.
    :param numbers: new numbers of its tracks, each below 127; those that are not in it stay.
    :param sets_track: track, by its old number, whose key frames get `sets`.
    :param sets: what is put in front of the key frame that a cluster begins with.
    """

    shift_ms: int
    numbers: Mapping[int, int] = field(default_factory=dict)
    sets_track: int = 0
    sets: bytes = b""


class ClusterFront(NamedTuple):
    """What stands in front of a cluster's frames.

    :ivar frames: where they begin, from the cluster's first byte on.
    :ivar end: where the cluster ends.
    """

    timestamp_ms: int
    frames: int
    end: int

    @property
    def growth(self) -> int:
        """How many bytes longer the cluster is when it was moved."""
        return FRONT_BYTES - self.frames


def read_front(data: bytes | memoryview) -> ClusterFront:
    """Read a cluster's front.

    :param data: the cluster, or its first `HEAD_BYTES`.
    :raises WireError: no cluster, one of unknown size, or one with frames before its Timestamp.

    Source: RFC 9559 §5.1.3.
    """
    header = parse_header(data)
    if header.id != Id.CLUSTER or header.size is None:
        raise WireError("no cluster of known size", offset=0, source="RFC 9559 §5.1.3")
    offset, end = header.data_offset, header.data_offset + header.size
    timestamp_ms: int | None = None
    while offset < end:
        child = parse_header(data, offset)
        if child.size is None:
            raise WireError("an element of unknown size in a cluster", offset=offset)
        stop = child.data_offset + child.size
        if child.id == Id.TIMESTAMP:
            timestamp_ms = int.from_bytes(data[child.data_offset : stop], "big")
        elif child.id not in (CRC_32, Id.VOID, *_OF_ITS_FILE):
            break
        offset = stop
    if timestamp_ms is None or timestamp_ms >> 62:
        raise WireError("a cluster without a Timestamp in front", source="RFC 9559 §5.1.3.1")
    return ClusterFront(timestamp_ms, offset, end)


def move_cluster(data: bytes, move: Move) -> list[bytes | bytearray | memoryview]:
    """Give a cluster with other times, in pieces; its frames are not copied if they need not be.

    :param data: exactly one cluster.
    :raises WireError: it is broken, does not match its CRC-32, or would begin before 0.
    """
    front = read_front(data)
    if front.end != len(data):
        raise WireError(f"a cluster of {front.end} bytes in {len(data)}", offset=0)
    view = memoryview(data)
    checked = check_crc(view[parse_header(data).data_offset :])
    if checked is False:
        raise WireError("the cluster does not match its CRC-32", offset=0)
    timestamp_ms = front.timestamp_ms + move.shift_ms
    if timestamp_ms < 0:
        raise WireError(f"a cluster at {timestamp_ms} ms", source="RFC 9559 §5.1.3.1")
    frames = view[front.frames :]
    is_ours = checked and data[4] == 0x01 and data[12:14] == b"\xbf\x84" and front.growth == 0
    if is_ours and data[18:20] == b"\xe7\x88" and not move.sets and not move.numbers:
        return [_retimed(data, timestamp_ms, frames), frames]
    pieces: list[bytes | bytearray | memoryview] = [frames]
    if move.sets and begins_with_key(frames, move.sets_track):
        pieces = _with_sets(frames, move.sets)
    if move.numbers:
        pieces = [_renumbered(b"".join(pieces), move.numbers)]
    return [build_cluster_front(timestamp_ms, pieces), *pieces]


def _retimed(data: bytes, timestamp_ms: int, frames: memoryview) -> bytes:
    """Give the front of a cluster of ours with another time."""
    begin = data[: FRONT_BYTES - 14]
    before = data[FRONT_BYTES - 10 : FRONT_BYTES]
    after = before[:2] + timestamp_ms.to_bytes(8, "big")
    stored = int.from_bytes(data[FRONT_BYTES - 14 : FRONT_BYTES - 10], "little")
    check = replaced_crc32(stored, before, after, frames)
    return begin + check.to_bytes(4, "little") + after


def begins_with_key(frames: bytes | memoryview, track: int) -> bool:
    """Tell whether frames, as `build_cluster` writes them, begin with a key frame of a track."""
    if len(frames) < BLOCK_FRONT.size:
        return False
    block, size, number, _, flags = BLOCK_FRONT.unpack_from(frames)
    return bool(block == 0xA3 and size >> 28 == 1 and number == 0x80 | track and flags & 0x80)


def _with_sets(frames: memoryview, sets: bytes) -> list[bytes | bytearray | memoryview]:
    block, size, number, relative_ms, flags = BLOCK_FRONT.unpack_from(frames)
    length = (size & FOUR_BYTES - 1) + len(sets)
    if length >= FOUR_BYTES - 1:
        raise WireError("no room for parameter sets in a frame", source="RFC 9559 §10.2")
    begin = BLOCK_FRONT.pack(block, FOUR_BYTES | length, number, relative_ms, flags)
    return [begin, sets, frames[BLOCK_FRONT.size :]]


def _renumbered(data: bytes, numbers: Mapping[int, int]) -> bytearray:
    """Give frames with the new numbers of their tracks."""
    made = bytearray(data)
    offset, end = 0, len(data)
    while offset < end:
        header = _whole(data, offset)
        place = header.data_offset
        if header.id == Id.BLOCK_GROUP:
            place = _block_in(data, header)
        if header.id in (Id.SIMPLE_BLOCK, Id.BLOCK_GROUP):
            number = made[place] & 0x7F
            if made[place] < 0x80:
                raise WireError("a track number over 126", offset=place, source="RFC 9559 §10.1")
            made[place] = 0x80 | numbers.get(number, number)
        offset = header.data_offset + (header.size or 0)
    return made


def _block_in(data: bytes, group: ElementHeader) -> int:
    """Find where the Block of a BlockGroup has its content."""
    offset, end = group.data_offset, group.data_offset + (group.size or 0)
    while offset < end:
        header = _whole(data, offset)
        if header.id == Id.BLOCK:
            return header.data_offset
        offset = header.data_offset + (header.size or 0)
    raise WireError("a BlockGroup without Block", offset=offset, source="RFC 9559 §5.1.3.5")


def _whole(data: bytes, offset: int) -> ElementHeader:
    header = parse_header(data, offset)
    if header.size is None or header.data_offset + header.size > len(data) or not header.size:
        raise WireError("an element in a cluster is cut", offset=offset)
    return header
