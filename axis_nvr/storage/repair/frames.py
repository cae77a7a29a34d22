"""Walking a cluster's frames by their headers, whole or cut, without reading what is in them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.wire.crc32 import crc32
from axis_nvr.wire.ebml import (
    CRC_32,
    CRC_32_BYTES,
    MAX_ID_BYTES,
    MAX_SIZE_BYTES,
    decode_unsigned,
    parse_header,
)
from axis_nvr.wire.matroska_elements import SEGMENT_CHILDREN, Id
from axis_nvr.wire.matroska_reader import MAX_FRAMES

#: Gives so many bytes from a place of the file; fewer at its end.
Read = Callable[[int, int], bytes]

#: Bytes of the longest element header.
HEADER_BYTES = MAX_ID_BYTES + MAX_SIZE_BYTES
#: Bytes read at a time.
CHUNK_BYTES = 1 << 20
#: Track number, time and flags of a frame: at most so many bytes.
_FRAME_HEADER_BYTES = 8 + 3


class FramePlace(NamedTuple):
    """A frame's track, its milliseconds since the block's start, and whether it is a key frame."""

    track: int
    time_ms: int
    is_key: bool


@dataclass(slots=True)
class Walk:
    """What the headers in a cluster tell.

    :ivar end: behind the last whole element in it.
    :ivar is_whole: nothing in it is cut or broken, and it has its time.
    :ivar has_check: it carries a CRC-32.
    """

    end: int
    timestamp_ms: int | None = None
    frames: list[FramePlace] = field(default_factory=list)
    is_whole: bool = False
    has_check: bool = False


def walk_cluster(read: Read, begin: int, end: int, *, most_frames: int = MAX_FRAMES) -> Walk:
    """Go through a cluster's elements.

    :param begin: where its data begins.
    :param end: where its data ends, or the file. What cannot be in a cluster ends it before.
    :param most_frames: stop behind so many.
    """
    walk, offset = Walk(begin), begin
    while offset < end and len(walk.frames) < most_frames:
        head = read(HEADER_BYTES + _FRAME_HEADER_BYTES, offset)
        try:
            header = parse_header(head)
            if header.id in SEGMENT_CHILDREN:
                break
            if header.size is None:
                return walk
            data = head[header.data_offset : header.data_offset + header.size]
            stop = offset + header.data_offset + header.size
            if stop > end:
                return walk
            _note(walk, header.id, data)
        except WireError:
            return walk
        walk.end = offset = stop
    walk.is_whole = walk.timestamp_ms is not None
    return walk


def _note(walk: Walk, element_id: int, data: bytes) -> None:
    if element_id == CRC_32:
        walk.has_check = True
    elif element_id == Id.TIMESTAMP:
        walk.timestamp_ms = decode_unsigned(data)
    elif element_id in (Id.SIMPLE_BLOCK, Id.BLOCK_GROUP):
        if walk.timestamp_ms is None:
            raise WireError("a frame before the cluster's Timestamp")
        walk.frames.append(_frame(element_id, data, walk.timestamp_ms))


def _frame(element_id: int, data: bytes, timestamp_ms: int) -> FramePlace:
    if element_id == Id.BLOCK_GROUP:  # its Block is the first in it where recorders write one
        data = data[parse_header(data).data_offset :]
    if not data or not data[0]:
        raise WireError("a frame without track number")
    length = 9 - data[0].bit_length()
    if len(data) < length + 3:
        raise WireError("a frame's header is cut")
    track = int.from_bytes(data[:length], "big") ^ 1 << 7 * length
    relative_ms = int.from_bytes(data[length : length + 2], "big", signed=True)
    is_key = element_id == Id.BLOCK_GROUP or bool(data[length + 2] & 0x80)
    return FramePlace(track, timestamp_ms + relative_ms, is_key)


def check_matches(read: Read, begin: int, end: int) -> bool | None:
    """Tell whether a master's data is what its CRC-32 says; None if it carries none.

    The data is read piece by piece, however large it is.
    """
    head = read(CRC_32_BYTES, begin)
    if len(head) < CRC_32_BYTES or head[0] != CRC_32 or head[1] != 0x84:
        return None
    check, offset = 0, begin + CRC_32_BYTES
    while offset < end:
        piece = read(min(CHUNK_BYTES, end - offset), offset)
        if not piece:
            return False
        check = crc32(piece, check)
        offset += len(piece)
    return check == int.from_bytes(head[2:], "little")
