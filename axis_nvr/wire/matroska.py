"""Matroska as recordings are written in it (RFC 9559): a file is a block, a cluster is a GOP.

::

    EBML header                              DocType matroska, version 2 (4 with Opus)
    Segment, size unknown until closed
      SeekHead   CRC-32, Info, Tracks, Cues, Tags   the last two are Void until closed
      Info       CRC-32, TimestampScale, Duration, DateUTC, …       Duration: as well
      Tracks     CRC-32, one TrackEntry each
      Cluster    CRC-32, Timestamp, SimpleBlock, SimpleBlock, …
      Cluster    …
      Cues       CRC-32, one CuePoint for each cluster that begins with a key frame
      Tags       CRC-32, what is known about the block; absent if nothing is

What stands before the clusters is as long in an open block as in a closed one, so that closing a
block appends Cues and Tags and writes its first few hundred bytes anew, up to Tracks; Tracks
itself is never written twice.

`axis_nvr.wire.matroska_format` describes each part and builds what is written once per block.
Clusters and cue points are written here by fast paths: 0.5 µs a frame where construct takes 60 µs.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.wire.crc32 import crc32
from axis_nvr.wire.ebml import (
    CRC_32,
    CRC_32_BYTES,
    UNKNOWN_SIZE,
    date_from_us,
    encode_id,
    encode_size,
)
from axis_nvr.wire.matroska_elements import AUDIO_TRACK, VIDEO_TRACK, Id
from axis_nvr.wire.matroska_format import (
    CRC_HEADER,
    EBML_HEADER,
    INFO,
    SEEK_HEAD,
    SEEK_HEAD_BYTES,
    TAGS,
    TRACKS,
)

#: Nanoseconds of one tick of a block's timestamps.
TIMESTAMP_SCALE_NS = 1_000_000
#: How far a frame's timestamp may be from its cluster's, in milliseconds, to either side.
MAX_RELATIVE_MS = 32_767
#: Largest frame that a SimpleBlock with a four-byte size holds, in bytes.
MAX_FRAME_BYTES = (1 << 28) - 2 - 4
#: Highest track number written: it then takes one byte.
MAX_TRACK_NUMBER = 126


@dataclass(frozen=True, slots=True)
class Track:
    """A TrackEntry: what a player must know to decode one track.

    :param number: 1 to `MAX_TRACK_NUMBER`; frames name it.
    :param kind: `VIDEO_TRACK` or `AUDIO_TRACK`.
    :param codec_id: such as ``V_MPEG4/ISO/AVC``.
    :param codec_private: what the codec mapping asks for; empty where it asks for nothing.
    :param default_duration_ns: nominal nanoseconds from frame to frame, 0 if unknown.
    :param width: of video, in pixels.
    :param sample_rate: of audio, in Hz.
    :param bit_depth: of audio, 0 if it varies.
    :param codec_delay_ns: what a decoder drops at the start (Opus), 0 if nothing.
    """

    number: int
    kind: int
    codec_id: str
    codec_private: bytes = b""
    name: str = ""
    default_duration_ns: int = 0
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0
    bit_depth: int = 0
    codec_delay_ns: int = 0
    seek_pre_roll_ns: int = 0


@dataclass(frozen=True, slots=True)
class Info:
    """What is known of a block as a whole.

    :param date_us: UTC of timestamp 0, microseconds since 1970.
    :param writing_app: the product that wrote it.
    :param duration_ms: None while it is open.
    """

    date_us: int
    muxing_app: str
    writing_app: str
    duration_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """What becomes known when a block is closed; positions are in the Segment's data.

    :param segment_bytes: size of the Segment's data.
    :param tags_position: None if there are no tags.
    """

    segment_bytes: int
    cues_position: int
    tags_position: int | None = None


class CuePoint(NamedTuple):
    """Where a cluster is: its key frame's time, its track and its place in the Segment's data."""

    time_ms: int
    track: int
    position: int


#: One frame to be written: track number, milliseconds since the block's start, key frame, data.
FrameTuple = tuple[int, int, bool, bytes | bytearray | memoryview]


def build_tracks(tracks: Iterable[Track]) -> bytes:
    """Write Tracks.

    :raises WireError: a track number over `MAX_TRACK_NUMBER`, or two of the same.

    Source: RFC 9559 §5.1.4.
    """
    tracks = list(tracks)
    numbers = {track.number for track in tracks}
    if len(numbers) < len(tracks) or not numbers <= set(range(1, MAX_TRACK_NUMBER + 1)):
        raise WireError(f"track numbers {sorted(numbers)}", source="RFC 9559 §5.1.4.1.1")
    return bytes(TRACKS.build([_track_values(track) for track in tracks]))


def _track_values(track: Track) -> dict[str, Any]:
    video = {"width": track.width, "height": track.height}
    audio = {
        "sample_rate": track.sample_rate,
        "channels": track.channels,
        "bit_depth": track.bit_depth or None,
    }
    return {
        "number": track.number,
        "uid": track.number,
        "type": track.kind,
        "lacing": 0,
        "default_duration": track.default_duration_ns or None,
        "name": track.name,
        "language": "und",
        "codec_id": track.codec_id,
        "codec_private": track.codec_private or None,
        "codec_delay": track.codec_delay_ns or None,
        "seek_pre_roll": track.seek_pre_roll_ns or None,
        "video": video if track.kind == VIDEO_TRACK else None,
        "audio": audio if track.kind == AUDIO_TRACK else None,
    }


@dataclass(frozen=True, slots=True)
class Front:
    """All that stands before Tracks: the same length whether the block is open or closed.

    :ivar data: the bytes.
    :ivar segment_start: where the Segment's data begins: what positions count from.
    """

    data: bytes
    segment_start: int


def build_front(info: Info, *, version: int = 2, closing: Closing | None = None) -> Front:
    """Write what stands before Tracks.

    :param info: with a duration if and only if `closing` is given.
    :param version: DocTypeVersion: 2, or 4 if a track has a codec delay.
    :param closing: None for an open block.

    Source: RFC 8794 §11.2; RFC 9559 §5.1, §5.1.1, §5.1.2.
    """
    header = EBML_HEADER.build(
        {
            "version": 1,
            "read_version": 1,
            "max_id_length": 4,
            "max_size_length": 8,
            "doc_type": "matroska",
            "doc_type_version": version,
            "doc_type_read_version": 2,
        }
    )
    info_data = INFO.build(
        {
            "timestamp_scale": TIMESTAMP_SCALE_NS,
            "duration": info.duration_ms,
            "date": date_from_us(info.date_us),
            "muxing_app": info.muxing_app,
            "writing_app": info.writing_app,
        }
    )
    tracks_position = SEEK_HEAD_BYTES + len(info_data)
    cues = tags = None
    if closing is not None:
        cues = _seek(Id.CUES, closing.cues_position)
        if closing.tags_position is not None:
            tags = _seek(Id.TAGS, closing.tags_position)
    seek_head = SEEK_HEAD.build(
        {
            "info": _seek(Id.INFO, SEEK_HEAD_BYTES),
            "tracks": _seek(Id.TRACKS, tracks_position),
            "cues": cues,
            "tags": tags,
        }
    )
    size = UNKNOWN_SIZE if closing is None else encode_size(closing.segment_bytes)
    segment = header + encode_id(Id.SEGMENT) + size
    return Front(segment + seek_head + info_data, len(segment))


def _seek(element_id: Id, position: int) -> dict[str, Any]:
    return {"id": encode_id(element_id), "position": position}


_CLUSTER_FRONT = struct.Struct(">IQHIBBQ")  # cluster, its size, CRC-32, its value, timestamp
_CLUSTER_CRC_VALUE = struct.Struct("<I")
_CLUSTER_UNCHECKED_BYTES = 12 + CRC_32_BYTES
_EIGHT_BYTES = 1 << 56  # the marker of an eight-byte size
#: The marker of a four-byte size.
FOUR_BYTES = 1 << 28
#: What stands before a frame: SimpleBlock, its size, the track, the time, flags.
BLOCK_FRONT = struct.Struct(">BIBhB")


def build_cluster(timestamp_ms: int, frames: Iterable[FrameTuple]) -> list[bytes | bytearray]:
    """Write a cluster as pieces for one gathered write; frames are neither copied nor changed.

    :param timestamp_ms: since the block's start, not negative.
    :param frames: in decoding order, none further than `MAX_RELATIVE_MS` from `timestamp_ms`.
    :returns: what to write, in order: the cluster's front, then a header and the data per frame.
    :raises WireError: a frame's size, time or track number does not fit.

    Source: RFC 9559 §5.1.3, §10.2; RFC 8794 §11.3.1.
    """
    pieces: list[Any] = []
    append, pack = pieces.append, BLOCK_FRONT.pack
    try:
        for track, time_ms, keyframe, data in frames:
            length = len(data)
            if length > MAX_FRAME_BYTES:
                raise WireError(f"a frame of {length} bytes", source="RFC 9559 §10.2")
            relative_ms = time_ms - timestamp_ms
            flags = 0x80 if keyframe else 0
            append(pack(0xA3, FOUR_BYTES | length + 4, 0x80 | track, relative_ms, flags))
            append(data)
        return [build_cluster_front(timestamp_ms, pieces), *pieces]
    except struct.error as error:
        raise WireError(f"a frame does not fit its cluster: {error}", source="RFC 9559 §10.2")


def build_cluster_front(
    timestamp_ms: int, frames: Sequence[bytes | bytearray | memoryview]
) -> bytearray:
    """Write what stands before a cluster's frames.

    :param frames: all of them, with what stands before each, in pieces.
    :raises struct.error: the time does not fit.

    Source: RFC 9559 §5.1.3; RFC 8794 §11.3.1.
    """
    front = bytearray(
        _CLUSTER_FRONT.pack(
            Id.CLUSTER,
            _EIGHT_BYTES | CRC_32_BYTES + 10 + sum(map(len, frames)),
            CRC_32 << 8 | 0x84,
            0,
            Id.TIMESTAMP,
            0x88,
            timestamp_ms,
        )
    )
    check = crc32(front[_CLUSTER_UNCHECKED_BYTES:])
    for piece in frames:
        check = crc32(piece, check)
    _CLUSTER_CRC_VALUE.pack_into(front, _CLUSTER_UNCHECKED_BYTES - 4, check)
    return front


_CUE_POINT = struct.Struct(">BBBBQBBBBBBBQ")


def build_cues(points: Sequence[CuePoint]) -> bytes:
    """Write Cues: where each time is.

    Source: RFC 9559 §5.1.5.
    """
    content = b"".join(
        _CUE_POINT.pack(
            *(Id.CUE_POINT, 0x80 | 25, Id.CUE_TIME, 0x88, time_ms),
            *(Id.CUE_TRACK_POSITIONS, 0x80 | 13, Id.CUE_TRACK, 0x81, track),
            *(Id.CUE_CLUSTER_POSITION, 0x88, position),
        )
        for time_ms, track, position in points
    )
    check = CRC_HEADER + crc32(content).to_bytes(4, "little")
    return encode_id(Id.CUES) + encode_size(len(content) + CRC_32_BYTES) + check + content


def build_tags(tags: Iterable[tuple[str, str]]) -> bytes:
    """Write Tags: name and text each, about the whole block.

    Source: RFC 9559 §5.1.8.
    """
    return bytes(
        TAGS.build([{"simple_tag": {"name": n, "text": t}, "targets": b""} for n, t in tags])
    )
