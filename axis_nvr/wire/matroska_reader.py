"""Reading Matroska: ours, and what other writers make of the same format (RFC 9559).

Nothing here does I/O: whoever has the file hands over whole elements. What is unknown is passed
over; what is wrong raises `WireError` with the byte it is wrong at.
"""

import struct
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.wire.crc32 import crc32
from axis_nvr.wire.ebml import (
    CRC_32,
    CRC_32_BYTES,
    MAX_DEPTH,
    decode_date_us,
    decode_float,
    decode_string,
    decode_unsigned,
    iterate_elements,
)
from axis_nvr.wire.matroska import BLOCK_FRONT, TIMESTAMP_SCALE_NS, CuePoint, Info, Track
from axis_nvr.wire.matroska_elements import ELEMENTS, Id, Kind

#: The most elements that one level 1 element (Info, Tracks, Cues, Tags) may hold.
MAX_ELEMENTS = 1_000_000
#: The most tracks of a file.
MAX_TRACKS = 127
#: The most frames of one cluster.
MAX_FRAMES = 1_000_000
#: Largest CodecPrivate read, in bytes.
MAX_CODEC_PRIVATE_BYTES = 1 << 20

_DECODERS: dict[Kind, Any] = {
    Kind.UNSIGNED: decode_unsigned,
    Kind.FLOAT: decode_float,
    Kind.STRING: decode_string,
    Kind.DATE: decode_date_us,
    Kind.BINARY: bytes,
}


class Master:
    """A master element's children, by ID; each in the order it came."""

    def __init__(self) -> None:
        self._children: defaultdict[int, list[Any]] = defaultdict(list)

    def add(self, element_id: int, value: Any) -> None:
        """Put a child behind those of the same ID."""
        self._children[element_id].append(value)

    def get(self, element_id: int, default: Any = None) -> Any:
        """Give the first child of an ID, or the default."""
        children = self._children.get(element_id)
        return children[0] if children else default

    def get_all(self, element_id: int) -> list[Any]:
        """Give all children of an ID."""
        return self._children.get(element_id, [])

    def master(self, element_id: int) -> "Master":
        """Give the first child of an ID that is a master; an empty one if there is none."""
        child = self.get(element_id)
        return child if isinstance(child, Master) else Master()


def parse_master(data: bytes | memoryview) -> Master:
    """Read a master element's data and all below it.

    :raises WireError: broken, deeper than `MAX_DEPTH` or more than `MAX_ELEMENTS`.
    """
    return _parse_master(memoryview(data), 0, [MAX_ELEMENTS])


def _parse_master(data: memoryview, depth: int, budget: list[int]) -> Master:
    if depth > MAX_DEPTH:
        raise WireError(f"elements more than {MAX_DEPTH} deep", source="RFC 8794 §4")
    master = Master()
    for child in iterate_elements(data):
        budget[0] -= 1
        if budget[0] < 0:
            raise WireError(f"more than {MAX_ELEMENTS} elements", offset=child.offset)
        kind = ELEMENTS.get(child.id)
        if kind is Kind.MASTER:
            master.add(child.id, _parse_master(child.data, depth + 1, budget))
        elif kind is not None:
            master.add(child.id, _DECODERS[kind](child.data))
    return master


def check_crc(data: bytes | memoryview) -> bool | None:
    """Tell whether a master's data is what its CRC-32 says; None if it carries none.

    Source: RFC 8794 §11.3.1.
    """
    view = memoryview(data)
    if len(view) < CRC_32_BYTES or view[0] != CRC_32 or view[1] != 0x84:
        return None
    return crc32(view[CRC_32_BYTES:]) == int.from_bytes(view[2:CRC_32_BYTES], "little")


def check_doc_type(data: bytes | memoryview) -> None:
    """Refuse what is not Matroska that we can read.

    :param data: the data of the EBML header.
    :raises WireError: another document type, or one that needs a newer reader.
    """
    header = parse_master(data)
    doc_type = header.get(Id.DOC_TYPE, "matroska")
    read_version = header.get(Id.DOC_TYPE_READ_VERSION, 1)
    if doc_type not in ("matroska", "webm") or read_version > 4:
        message = f"document type {doc_type!r:.40}, read version {read_version}"
        raise WireError(message, source="RFC 9559 §4")


def parse_info(data: bytes | memoryview) -> Info:
    """Read Info; times of another scale than milliseconds are refused.

    :raises WireError: broken, or a TimestampScale that is not 1 ms.
    """
    info = parse_master(data)
    scale_ns = info.get(Id.TIMESTAMP_SCALE, TIMESTAMP_SCALE_NS)
    if scale_ns != TIMESTAMP_SCALE_NS:
        raise WireError(f"a TimestampScale of {scale_ns} ns", source="RFC 9559 §5.1.2.9")
    return Info(
        date_us=info.get(Id.DATE_UTC, 0),
        muxing_app=info.get(Id.MUXING_APP, ""),
        writing_app=info.get(Id.WRITING_APP, ""),
        duration_ms=info.get(Id.DURATION),
    )


def parse_tracks(data: bytes | memoryview) -> tuple[Track, ...]:
    """Read Tracks.

    :raises WireError: broken, without any track, or with more than `MAX_TRACKS`.
    """
    entries = parse_master(data).get_all(Id.TRACK_ENTRY)
    if not 0 < len(entries) <= MAX_TRACKS:
        raise WireError(f"{len(entries)} tracks", source="RFC 9559 §5.1.4")
    return tuple(_parse_track(entry) for entry in entries)


def _parse_track(entry: Master) -> Track:
    video, audio = entry.master(Id.VIDEO), entry.master(Id.AUDIO)
    codec_private = entry.get(Id.CODEC_PRIVATE, b"")
    if len(codec_private) > MAX_CODEC_PRIVATE_BYTES:
        raise WireError(f"a CodecPrivate of {len(codec_private)} bytes", source="RFC 9559 §5.1.4.1")
    sample_rate = audio.get(Id.SAMPLING_FREQUENCY, 0.0)
    return Track(
        number=entry.get(Id.TRACK_NUMBER, 0),
        kind=entry.get(Id.TRACK_TYPE, 0),
        codec_id=entry.get(Id.CODEC_ID, ""),
        codec_private=codec_private,
        name=entry.get(Id.NAME, ""),
        default_duration_ns=entry.get(Id.DEFAULT_DURATION, 0),
        width=video.get(Id.PIXEL_WIDTH, 0),
        height=video.get(Id.PIXEL_HEIGHT, 0),
        sample_rate=int(sample_rate) if 0 <= sample_rate < 1e7 else 0,
        channels=audio.get(Id.CHANNELS, 0),
        bit_depth=audio.get(Id.BIT_DEPTH, 0),
        codec_delay_ns=entry.get(Id.CODEC_DELAY, 0),
        seek_pre_roll_ns=entry.get(Id.SEEK_PRE_ROLL, 0),
    )


_CUE_POINT = struct.Struct(">4sQ4sB2sQ")
#: What stands before time, track and position in a cue point of ours (`build_cues`).
_OUR_CUE_POINT = (
    bytes((Id.CUE_POINT, 0x80 | 25, Id.CUE_TIME, 0x88)),
    bytes((Id.CUE_TRACK_POSITIONS, 0x80 | 13, Id.CUE_TRACK, 0x81)),
    bytes((Id.CUE_CLUSTER_POSITION, 0x88)),
)


def parse_cues(data: bytes | memoryview) -> list[CuePoint]:
    """Read Cues; where a point names several tracks, the first counts.

    :raises WireError: broken.
    """
    points = _parse_our_cues(memoryview(data))
    return _parse_any_cues(data) if points is None else points


def _parse_our_cues(data: memoryview) -> list[CuePoint] | None:
    """Read cue points as `build_cues` writes them: 1 µs each, not 80; None if any is not so."""
    if check_crc(data) is not None:
        data = data[CRC_32_BYTES:]
    if len(data) % _CUE_POINT.size:
        return None
    points = []
    for point, time_ms, places, track, place, position in _CUE_POINT.iter_unpack(data):
        if (point, places, place) != _OUR_CUE_POINT:
            return None
        points.append(CuePoint(time_ms, track, position))
    return points


def _parse_any_cues(data: bytes | memoryview) -> list[CuePoint]:
    points = []
    for point in parse_master(data).get_all(Id.CUE_POINT):
        place = point.master(Id.CUE_TRACK_POSITIONS)
        track, position = place.get(Id.CUE_TRACK, 0), place.get(Id.CUE_CLUSTER_POSITION, 0)
        points.append(CuePoint(point.get(Id.CUE_TIME, 0), track, position))
    return points


def parse_tags(data: bytes | memoryview) -> list[tuple[str, str]]:
    """Read Tags: name and text of each.

    :raises WireError: broken.
    """
    return [
        (simple.get(Id.TAG_NAME, ""), simple.get(Id.TAG_STRING, ""))
        for tag in parse_master(data).get_all(Id.TAG)
        for simple in tag.get_all(Id.SIMPLE_TAG)
    ]


class Frame(NamedTuple):
    """One frame as it was stored.

    :ivar time_ms: since the block's start.
    :ivar keyframe: decoding can begin here.
    :ivar data: a view of the cluster's bytes.
    """

    track: int
    time_ms: int
    keyframe: bool
    data: memoryview


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster taken apart.

    :ivar checked: whether its CRC-32 matches; None if it carries none.
    """

    timestamp_ms: int
    frames: list[Frame]
    checked: bool | None


def parse_cluster(data: bytes | memoryview) -> Cluster:
    """Read a whole cluster's data; frames are views, not copies.

    :raises WireError: broken, laced, without Timestamp before its frames, or more than
        `MAX_FRAMES`. A CRC-32 that does not match raises nothing: see `Cluster.checked`.

    Source: RFC 9559 §5.1.3, §10.
    """
    view = memoryview(data)
    return _parse_our_cluster(view) or _parse_any_cluster(view)


_CLUSTER_FRONT = struct.Struct(">2s4s2sQ")


def _parse_our_cluster(view: memoryview) -> Cluster | None:
    """Read a cluster as `build_cluster` writes it, in a third of the time; None if it is not so."""
    offset, end = _CLUSTER_FRONT.size, len(view)
    if end < offset:
        return None
    check, _, timestamp, timestamp_ms = _CLUSTER_FRONT.unpack_from(view)
    if check != b"\xbf\x84" or timestamp != b"\xe7\x88":
        return None
    frames: list[Frame] = []
    append, unpack, header_bytes = frames.append, BLOCK_FRONT.unpack_from, BLOCK_FRONT.size
    while offset < end:
        if end - offset < header_bytes:
            return None
        block, size, track, relative_ms, flags = unpack(view, offset)
        stop = offset + 5 + (size & 0x0FFFFFFF)
        offset += header_bytes
        if (
            block != 0xA3
            or size >> 28 != 1
            or track < 0x81
            or flags & 6
            or not offset <= stop <= end
        ):
            return None
        append(Frame(track & 0x7F, timestamp_ms + relative_ms, flags > 0x7F, view[offset:stop]))
        offset = stop
    return Cluster(timestamp_ms, frames, check_crc(view)) if len(frames) <= MAX_FRAMES else None


def _parse_any_cluster(view: memoryview) -> Cluster:
    timestamp_ms: int | None = None
    frames: list[Frame] = []
    for child in iterate_elements(view):
        if child.id == Id.TIMESTAMP:
            timestamp_ms = decode_unsigned(child.data)
        elif child.id in (Id.SIMPLE_BLOCK, Id.BLOCK_GROUP):
            if timestamp_ms is None:
                message = "a frame before the cluster's Timestamp"
                raise WireError(message, offset=child.offset, source="RFC 9559 §5.1.3.1")
            if len(frames) >= MAX_FRAMES:
                raise WireError(f"more than {MAX_FRAMES} frames", offset=child.offset)
            read = _parse_frame if child.id == Id.SIMPLE_BLOCK else _parse_block_group
            frames.append(read(child.data, timestamp_ms))
    if timestamp_ms is None:
        raise WireError("a cluster without Timestamp", source="RFC 9559 §5.1.3.1")
    return Cluster(timestamp_ms, frames, check_crc(view))


def _parse_frame(data: memoryview, timestamp_ms: int) -> Frame:
    """Read a SimpleBlock, or a Block, whose track number is a size in form (RFC 9559 §10.1)."""
    if not data or not data[0]:
        raise WireError("a frame without track number", source="RFC 9559 §10.1")
    length = 9 - data[0].bit_length()
    if len(data) < length + 3:
        raise WireError("a frame's header is cut", source="RFC 9559 §10.1")
    track = int.from_bytes(data[:length], "big") ^ 1 << 7 * length
    relative_ms = int.from_bytes(data[length : length + 2], "big", signed=True)
    flags = data[length + 2]
    if flags & 0x06:
        raise WireError("a laced frame", source="RFC 9559 §10.3")
    return Frame(track, timestamp_ms + relative_ms, bool(flags & 0x80), data[length + 3 :])


def _parse_block_group(data: memoryview, timestamp_ms: int) -> Frame:
    """Read a Block in a group: a key frame is one that refers to none (RFC 9559 §10.1)."""
    frame, refers = None, False
    for child in iterate_elements(data):
        if child.id == Id.BLOCK:
            frame = _parse_frame(child.data, timestamp_ms)
        refers = refers or child.id == Id.REFERENCE_BLOCK
    if frame is None:
        raise WireError("a BlockGroup without Block", source="RFC 9559 §5.1.3.5")
    return frame._replace(keyframe=not refers)
