"""What stands before the clusters of a block: read in any state, and written for a closed block.

Our own front has one form (`axis_nvr.wire.matroska.build_front`): open, closed and, when the power
went in the middle of closing, a mixture of both. It is recognised by what does not change between
them, and built anew.

A camera's front is kept as it is, but for SeekHead, Info and the Voids before and between: into
their room go a SeekHead and the Info with a Duration, if they fit. Where they do not, only the
Segment gets its size: players do without the rest.
"""

import struct
from dataclasses import dataclass, replace
from typing import Any

from axis_nvr.errors import WireError
from axis_nvr.storage.block_reader import MAX_ELEMENT_BYTES, MAX_HEAD_ELEMENTS
from axis_nvr.storage.repair.frames import HEADER_BYTES, Read
from axis_nvr.wire.ebml import (
    CRC_32,
    CRC_32_BYTES,
    VOID,
    ElementHeader,
    build_void,
    decode_unsigned,
    encode_id,
    encode_size,
    iterate_elements,
    parse_header,
)
from axis_nvr.wire.matroska import Closing, Info, Track, build_front
from axis_nvr.wire.matroska_elements import Id
from axis_nvr.wire.matroska_format import SEEK_HEAD_BYTES
from axis_nvr.wire.matroska_reader import (
    check_crc,
    check_doc_type,
    parse_info,
    parse_master,
    parse_tracks,
)

#: Where Duration, or the Void in its place, is in the data of our Info, and how long it is.
_DURATION_AT = CRC_32_BYTES + 4 + 8
_DURATION_BYTES = 11
#: Size of a known Segment, eight bytes behind its ID.
_SEGMENT_SIZE_BYTES = 8

#: Bytes to write, and where.
Patch = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class BlockFront:
    """The front of a block's file.

    :param segment_start: where the Segment's data begins.
    :param segment_end: where the Segment ends as it says itself; None if it does not.
    :param info: its duration is None where it is not known or not to be trusted.
    :param is_ours: it has our form.
    :param version: DocTypeVersion.
    :param seeks: where elements are in the Segment's data, by ID, as the SeekHead says.
    :param size_width: how many bytes the Segment's size takes.
    :param places: where the elements before the first cluster are, in a front that is not ours.
    """

    segment_start: int
    segment_end: int | None
    info: Info
    tracks: tuple[Track, ...]
    first_cluster: int
    is_ours: bool
    version: int
    seeks: dict[int, int]
    size_width: int = _SEGMENT_SIZE_BYTES
    places: tuple[tuple[int, ElementHeader], ...] = ()

    def closing(self, read: Read, duration_ms: float, closing: Closing) -> list[Patch]:
        """Give what is to be written over the front of a block that is closed now."""
        if self.is_ours:
            info = replace(self.info, duration_ms=duration_ms)
            return [(0, build_front(info, version=self.version, closing=closing).data)]
        return self._segment_size(closing) + self._foreign(read, duration_ms, closing)

    def _segment_size(self, closing: Closing) -> list[Patch]:
        if self.size_width != _SEGMENT_SIZE_BYTES:
            return []  # too narrow: it stays as it is
        return [(self.segment_start - _SEGMENT_SIZE_BYTES, encode_size(closing.segment_bytes))]

    def _foreign(self, read: Read, duration_ms: float, closing: Closing) -> list[Patch]:
        room, info = self._room(read)
        if info is None:
            return []
        wanted = {Id.INFO: 0, Id.CUES: closing.cues_position}
        tracks = next((offset for offset, h in self.places if h.id == Id.TRACKS), None)
        if tracks is not None:
            wanted[Id.TRACKS] = tracks - self.segment_start
        if closing.tags_position is not None:
            wanted[Id.TAGS] = closing.tags_position
        wanted[Id.INFO] = len(_seek_head(wanted))
        data = _seek_head(wanted) + _with_duration(info, duration_ms)
        left = room - len(data)
        if left < 0 or left == 1:
            return []
        return [(self.segment_start, data + (build_void(left) if left else b""))]

    def _room(self, read: Read) -> tuple[int, bytes | None]:
        """Give how many bytes at the Segment's start may be written anew, and Info's data."""
        end, info = self.segment_start, None
        for _, header in self.places:
            if header.id not in (Id.SEEK_HEAD, Id.INFO, VOID) or header.size is None:
                break
            if header.id == Id.INFO:
                info = read(header.size, header.data_offset)
            end = header.data_offset + header.size
        return end - self.segment_start, info


def _seek_head(wanted: dict[Id, int]) -> bytes:
    return _element(
        Id.SEEK_HEAD,
        b"".join(
            _element(
                Id.SEEK,
                _element(Id.SEEK_ID, encode_id(seek))
                + _element(Id.SEEK_POSITION, struct.pack(">Q", position)),
            )
            for seek, position in wanted.items()
        ),
    )


def _element(element_id: Id, data: bytes) -> bytes:
    """Write an element as short as it can be."""
    width = 1 if len(data) < 127 else 4
    return encode_id(element_id) + encode_size(len(data), width) + data


def _with_duration(info: bytes, duration_ms: float) -> bytes:
    """Give an Info with another duration and without its CRC-32, all else as it was."""
    children = list(iterate_elements(info))
    ends = [child.offset for child in children[1:]] + [len(info)]
    kept = [
        info[child.offset : end]
        for child, end in zip(children, ends, strict=True)
        if child.id not in (Id.DURATION, VOID, CRC_32)
    ]
    duration = _element(Id.DURATION, struct.pack(">d", duration_ms))
    return _element(Id.INFO, b"".join((*kept, duration)))


def read_front(read: Read, size_bytes: int) -> BlockFront:
    """Read the front of a block's file, however it was left.

    :raises WireError: it is not that of a block, or broken beyond what a stop leaves.
    """
    ebml = parse_header(read(HEADER_BYTES, 0))
    if ebml.id != Id.EBML or ebml.size is None:
        raise WireError("no EBML header", offset=0, source="RFC 8794 §11.2")
    header_data = _data(read, ebml, ebml.data_offset)
    check_doc_type(header_data)
    version = parse_master(header_data).get(Id.DOC_TYPE_VERSION, 1)
    at = ebml.data_offset + ebml.size
    segment = parse_header(read(HEADER_BYTES, at))
    if segment.id != Id.SEGMENT:
        raise WireError("no Segment", offset=at, source="RFC 9559 §5.1")
    start = at + segment.data_offset
    end = None if segment.size is None else start + segment.size
    width = segment.data_offset - 4
    front = _our_front(read, start, end, version)
    if front is not None:
        return front
    return _foreign_front(read, (start, end, version, width), size_bytes)


def _data(read: Read, header: ElementHeader, offset: int) -> bytes:
    """Read an element's data."""
    if header.size is None or header.size > MAX_ELEMENT_BYTES:
        raise WireError(f"element {header.id:#x} of {header.size} bytes", offset=offset)
    data = read(header.size, offset)
    if len(data) < header.size:
        raise WireError(f"element {header.id:#x} is cut", offset=offset)
    return data


def _checked(read: Read, header: ElementHeader) -> bytes:
    """Read an element's data, which must match its CRC-32 if it has one."""
    data = _data(read, header, header.data_offset)
    if check_crc(data) is False:
        raise WireError(f"element {header.id:#x} does not match its CRC-32")
    return data


def _our_front(read: Read, start: int, end: int | None, version: int) -> BlockFront | None:
    """Recognise our own form; None if it is another's."""
    info_at = start + SEEK_HEAD_BYTES
    try:
        header = parse_header(read(HEADER_BYTES, info_at))
        if header.id != Id.INFO:
            return None
        data_at = info_at + header.data_offset
        data = _data(read, header, data_at)
        open_data = bytearray(data)
        open_data[_DURATION_AT : _DURATION_AT + _DURATION_BYTES] = build_void(_DURATION_BYTES)
        info = parse_info(bytes(open_data[CRC_32_BYTES:]))
        built = build_front(info, version=version)
        found = read(len(built.data), 0)
        if _unchanging(found, start, data_at) != _unchanging(built.data, start, data_at):
            return None
        if check_crc(data):
            info = parse_info(data)
        tracks_at = len(built.data)
        tracks = parse_header(read(HEADER_BYTES, tracks_at))
        if tracks.id != Id.TRACKS:
            return None
        tracks_data = _data(read, tracks, tracks_at + tracks.data_offset)
    except WireError:
        return None
    if check_crc(tracks_data) is not True:
        raise WireError("Tracks do not match their CRC-32", offset=tracks_at)
    first_cluster = tracks_at + tracks.data_offset + len(tracks_data)
    return BlockFront(
        start,
        end,
        info,
        parse_tracks(tracks_data),
        first_cluster,
        is_ours=True,
        version=version,
        seeks=seeks_of(read(SEEK_HEAD_BYTES, start)[12:]),
    )


def _unchanging(front: bytes, start: int, info_at: int) -> bytes:
    """Give of our front what is the same in an open block and in a closed one."""
    duration_at = info_at + _DURATION_AT
    return b"".join(
        (
            front[: start - _SEGMENT_SIZE_BYTES],
            front[start + SEEK_HEAD_BYTES : info_at],
            front[info_at + CRC_32_BYTES : duration_at],
            front[duration_at + _DURATION_BYTES :],
        )
    )


def seeks_of(data: bytes) -> dict[int, int]:
    """Read what a SeekHead says of where elements are, by ID; nothing if it is broken."""
    found: dict[int, int] = {}
    if check_crc(data) is False:
        return found
    try:
        for seek in parse_master(data).get_all(Id.SEEK):
            target: Any = seek.get(Id.SEEK_ID, b"")
            found.setdefault(decode_unsigned(target), seek.get(Id.SEEK_POSITION, 0))
    except WireError:
        return {}
    return found


def _foreign_front(
    read: Read, segment: tuple[int, int | None, int, int], size_bytes: int
) -> BlockFront:
    start, end, version, width = segment
    places: list[tuple[int, ElementHeader]] = []
    info: Info | None = None
    tracks, offset = tuple[Track, ...](), start
    seeks: dict[int, int] = {}
    for _ in range(MAX_HEAD_ELEMENTS):
        try:
            header = parse_header(read(HEADER_BYTES, offset))
        except WireError:
            break
        if header.id == Id.CLUSTER or header.size is None:
            break
        header = header._replace(data_offset=offset + header.data_offset)
        if header.data_offset + (header.size or 0) > size_bytes:
            break
        if header.id == Id.INFO:
            info = parse_info(_checked(read, header))
        elif header.id == Id.TRACKS:
            tracks = parse_tracks(_checked(read, header))
        elif header.id == Id.SEEK_HEAD:
            seeks = seeks_of(_checked(read, header))
        places.append((offset, header))
        offset = header.data_offset + (header.size or 0)
    if info is None or not tracks:
        raise WireError("no Info or no Tracks before the first cluster", offset=offset)
    return BlockFront(
        start,
        end,
        info,
        tracks,
        offset,
        is_ours=False,
        version=version,
        seeks=seeks,
        size_width=width,
        places=tuple(places),
    )
