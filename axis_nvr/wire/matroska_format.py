"""The structure of our Matroska files, as RFC 9559 draws it, in construct.

These descriptions build what is written once per block (`axis_nvr.wire.matroska`), and hold the
fast paths of what is written per GOP to the specification. Any Matroska file, other writers' ones
too, is read with `axis_nvr.wire.matroska_reader`.
"""

from io import BytesIO
from typing import Any

from construct import (
    BitsInteger,
    BitStruct,
    Bytes,
    ChecksumError,
    Const,
    Flag,
    Float64b,
    GreedyBytes,
    GreedyRange,
    GreedyString,
    Int8ub,
    Int16sb,
    Int64sb,
    Int64ub,
    Padding,
    Struct,
    Subconstruct,
    stream_read_entire,
    stream_write,
)
from construct import Optional as Maybe

from axis_nvr.wire.crc32 import crc32
from axis_nvr.wire.ebml import CRC_32, CRC_32_BYTES, VOID, ElementSize, build_void, element
from axis_nvr.wire.matroska_elements import Id

#: What a CRC-32 element begins with.
CRC_HEADER = bytes([CRC_32, 0x84])


class Checked(Subconstruct):  # type: ignore[type-arg]
    """Content with a CRC-32 element in front that covers all of it (RFC 8794 §11.3.1)."""

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        data = stream_read_entire(stream, path)
        if data[:2] == CRC_HEADER:
            stored, data = data[2:CRC_32_BYTES], data[CRC_32_BYTES:]
            if stored != crc32(data).to_bytes(4, "little"):
                raise ChecksumError("content does not match its CRC-32", path=path)
        return self.subcon._parsereport(BytesIO(data), context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        content = BytesIO()
        value = self.subcon._build(obj, content, context, path)
        data = content.getvalue()
        checked = CRC_HEADER + crc32(data).to_bytes(4, "little") + data
        stream_write(stream, checked, len(checked), path)
        return value


class Reserved(Subconstruct):  # type: ignore[type-arg]
    """An element, or, while its value is None, a Void just as long.

    :param size: bytes of either.
    """

    def __init__(self, subcon: Any, size: int) -> None:
        super().__init__(subcon)
        self.size = size

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        data = stream.read(self.size)
        if data[:1] == bytes([VOID]):
            return None
        return self.subcon._parsereport(BytesIO(data), context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if obj is not None:
            return self.subcon._build(obj, stream, context, path)
        stream_write(stream, build_void(self.size), self.size, path)
        return None


def unsigned(element_id: Id) -> Any:
    """Describe an element that holds an unsigned integer, eight bytes long when built."""
    return element(element_id, Int64ub, 1)


def string(element_id: Id) -> Any:
    """Describe an element that holds text."""
    return element(element_id, GreedyString("utf8"))


#: What every file begins with (RFC 8794 §11.2).
EBML_HEADER = element(
    Id.EBML,
    Struct(
        "version" / unsigned(Id.EBML_VERSION),
        "read_version" / unsigned(Id.EBML_READ_VERSION),
        "max_id_length" / unsigned(Id.EBML_MAX_ID_LENGTH),
        "max_size_length" / unsigned(Id.EBML_MAX_SIZE_LENGTH),
        "doc_type" / string(Id.DOC_TYPE),
        "doc_type_version" / unsigned(Id.DOC_TYPE_VERSION),
        "doc_type_read_version" / unsigned(Id.DOC_TYPE_READ_VERSION),
    ),
)

#: Where in the Segment's data an element is (RFC 9559 §5.1.1.1).
SEEK = element(
    Id.SEEK,
    Struct(
        "id" / element(Id.SEEK_ID, Bytes(4), 1),
        "position" / unsigned(Id.SEEK_POSITION),
    ),
    1,
)
_SEEK_BYTES = 3 + 7 + 11

#: Where the other parts of the Segment are (RFC 9559 §5.1.1).
SEEK_HEAD = element(
    Id.SEEK_HEAD,
    Checked(
        Struct(
            "info" / SEEK,
            "tracks" / SEEK,
            "cues" / Reserved(SEEK, _SEEK_BYTES),
            "tags" / Reserved(SEEK, _SEEK_BYTES),
        )
    ),
)
#: Bytes of the whole SeekHead.
SEEK_HEAD_BYTES = 12 + CRC_32_BYTES + 4 * _SEEK_BYTES

#: What is known of the block as a whole (RFC 9559 §5.1.2).
INFO = element(
    Id.INFO,
    Checked(
        Struct(
            "timestamp_scale" / unsigned(Id.TIMESTAMP_SCALE),
            "duration" / Reserved(element(Id.DURATION, Float64b, 1), 3 + 8),
            "date" / element(Id.DATE_UTC, Int64sb, 1),
            "muxing_app" / string(Id.MUXING_APP),
            "writing_app" / string(Id.WRITING_APP),
        )
    ),
)

#: One track: how to decode it (RFC 9559 §5.1.4.1).
TRACK_ENTRY = element(
    Id.TRACK_ENTRY,
    Struct(
        "number" / unsigned(Id.TRACK_NUMBER),
        "uid" / unsigned(Id.TRACK_UID),
        "type" / unsigned(Id.TRACK_TYPE),
        "lacing" / unsigned(Id.FLAG_LACING),
        "default_duration" / Maybe(unsigned(Id.DEFAULT_DURATION)),
        "name" / string(Id.NAME),
        "language" / string(Id.LANGUAGE),
        "codec_id" / string(Id.CODEC_ID),
        "codec_private" / Maybe(element(Id.CODEC_PRIVATE, GreedyBytes)),
        "codec_delay" / Maybe(unsigned(Id.CODEC_DELAY)),
        "seek_pre_roll" / Maybe(unsigned(Id.SEEK_PRE_ROLL)),
        "video"
        / Maybe(
            element(
                Id.VIDEO,
                Struct("width" / unsigned(Id.PIXEL_WIDTH), "height" / unsigned(Id.PIXEL_HEIGHT)),
            )
        ),
        "audio"
        / Maybe(
            element(
                Id.AUDIO,
                Struct(
                    "sample_rate" / element(Id.SAMPLING_FREQUENCY, Float64b, 1),
                    "channels" / unsigned(Id.CHANNELS),
                    "bit_depth" / Maybe(unsigned(Id.BIT_DEPTH)),
                ),
            )
        ),
    ),
)

#: All tracks (RFC 9559 §5.1.4).
TRACKS = element(Id.TRACKS, Checked(GreedyRange(TRACK_ENTRY)))

#: One frame (RFC 9559 §10.2).
SIMPLE_BLOCK = element(
    Id.SIMPLE_BLOCK,
    Struct(
        "track" / ElementSize(1),
        "relative_ms" / Int16sb,
        "flags"
        / BitStruct(
            "keyframe" / Flag,
            Padding(3),
            "invisible" / Flag,
            "lacing" / BitsInteger(2),
            "discardable" / Flag,
        ),
        "data" / GreedyBytes,
    ),
    4,
)

#: A GOP, or a part of one; `build_cluster` is the fast path of its writing (RFC 9559 §5.1.3).
CLUSTER = element(
    Id.CLUSTER,
    Checked(Struct("timestamp" / unsigned(Id.TIMESTAMP), "blocks" / GreedyRange(SIMPLE_BLOCK))),
)

#: Where a time is; `build_cues` is the fast path of its writing (RFC 9559 §5.1.5.1).
CUE_POINT = element(
    Id.CUE_POINT,
    Struct(
        "time_ms" / unsigned(Id.CUE_TIME),
        "positions"
        / element(
            Id.CUE_TRACK_POSITIONS,
            Struct(
                "track" / element(Id.CUE_TRACK, Int8ub, 1),
                "position" / unsigned(Id.CUE_CLUSTER_POSITION),
            ),
            1,
        ),
    ),
    1,
)

#: All cue points (RFC 9559 §5.1.5).
CUES = element(Id.CUES, Checked(GreedyRange(CUE_POINT)))

#: One fact about the whole Segment (RFC 9559 §5.1.8.1).
TAG = element(
    Id.TAG,
    Struct(
        "targets" / element(Id.TARGETS, Const(b"")),
        "simple_tag"
        / element(
            Id.SIMPLE_TAG,
            Struct("name" / string(Id.TAG_NAME), "text" / string(Id.TAG_STRING)),
        ),
    ),
)

#: All tags (RFC 9559 §5.1.8).
TAGS = element(Id.TAGS, Checked(GreedyRange(TAG)))
