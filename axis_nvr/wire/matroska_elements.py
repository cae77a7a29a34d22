"""The elements of Matroska that are read or written here (RFC 9559 §5.1).

`ELEMENTS` says of each what its data is; what is not in the table is passed over.
"""

from enum import Enum, IntEnum
from typing import Final


class Id(IntEnum):
    """Element IDs, marker included."""

    EBML = 0x1A45DFA3
    EBML_VERSION = 0x4286
    EBML_READ_VERSION = 0x42F7
    EBML_MAX_ID_LENGTH = 0x42F2
    EBML_MAX_SIZE_LENGTH = 0x42F3
    DOC_TYPE = 0x4282
    DOC_TYPE_VERSION = 0x4287
    DOC_TYPE_READ_VERSION = 0x4285
    VOID = 0xEC
    CRC_32 = 0xBF

    SEGMENT = 0x18538067
    SEEK_HEAD = 0x114D9B74
    SEEK = 0x4DBB
    SEEK_ID = 0x53AB
    SEEK_POSITION = 0x53AC

    INFO = 0x1549A966
    SEGMENT_UUID = 0x73A4
    TIMESTAMP_SCALE = 0x2AD7B1
    DURATION = 0x4489
    DATE_UTC = 0x4461
    TITLE = 0x7BA9
    MUXING_APP = 0x4D80
    WRITING_APP = 0x5741

    TRACKS = 0x1654AE6B
    TRACK_ENTRY = 0xAE
    TRACK_NUMBER = 0xD7
    TRACK_UID = 0x73C5
    TRACK_TYPE = 0x83
    FLAG_ENABLED = 0xB9
    FLAG_DEFAULT = 0x88
    FLAG_LACING = 0x9C
    DEFAULT_DURATION = 0x23E383
    NAME = 0x536E
    LANGUAGE = 0x22B59C
    CODEC_ID = 0x86
    CODEC_PRIVATE = 0x63A2
    CODEC_DELAY = 0x56AA
    SEEK_PRE_ROLL = 0x56BB
    VIDEO = 0xE0
    PIXEL_WIDTH = 0xB0
    PIXEL_HEIGHT = 0xBA
    AUDIO = 0xE1
    SAMPLING_FREQUENCY = 0xB5
    CHANNELS = 0x9F
    BIT_DEPTH = 0x6264

    CLUSTER = 0x1F43B675
    TIMESTAMP = 0xE7
    SIMPLE_BLOCK = 0xA3
    BLOCK_GROUP = 0xA0
    BLOCK = 0xA1
    BLOCK_DURATION = 0x9B
    REFERENCE_BLOCK = 0xFB

    CUES = 0x1C53BB6B
    CUE_POINT = 0xBB
    CUE_TIME = 0xB3
    CUE_TRACK_POSITIONS = 0xB7
    CUE_TRACK = 0xF7
    CUE_CLUSTER_POSITION = 0xF1

    TAGS = 0x1254C367
    TAG = 0x7373
    TARGETS = 0x63C0
    SIMPLE_TAG = 0x67C8
    TAG_NAME = 0x45A3
    TAG_STRING = 0x4487


class Kind(Enum):
    """What an element's data is (RFC 8794 §7)."""

    MASTER = "master"
    UNSIGNED = "unsigned"
    FLOAT = "float"
    STRING = "string"
    DATE = "date"
    BINARY = "binary"


_MASTERS = (
    "EBML SEGMENT SEEK_HEAD SEEK INFO TRACKS TRACK_ENTRY VIDEO AUDIO CLUSTER BLOCK_GROUP "
    "CUES CUE_POINT CUE_TRACK_POSITIONS TAGS TAG TARGETS SIMPLE_TAG"
)
_FLOATS = "DURATION SAMPLING_FREQUENCY"
_STRINGS = "DOC_TYPE TITLE MUXING_APP WRITING_APP NAME LANGUAGE CODEC_ID TAG_NAME TAG_STRING"
_DATES = "DATE_UTC"
_BINARIES = "VOID CRC_32 SEEK_ID SEGMENT_UUID CODEC_PRIVATE SIMPLE_BLOCK BLOCK"


def _kinds() -> dict[int, Kind]:
    kinds: dict[int, Kind] = dict.fromkeys(Id, Kind.UNSIGNED)
    for kind, names in (
        (Kind.MASTER, _MASTERS),
        (Kind.FLOAT, _FLOATS),
        (Kind.STRING, _STRINGS),
        (Kind.DATE, _DATES),
        (Kind.BINARY, _BINARIES),
    ):
        kinds.update((Id[name], kind) for name in names.split())
    return kinds


#: What each element's data is.
ELEMENTS: Final = _kinds()

#: What may stand directly in a Segment: one of these ends a Cluster of unknown size.
SEGMENT_CHILDREN: Final = frozenset(
    {Id.SEEK_HEAD, Id.INFO, Id.TRACKS, Id.CLUSTER, Id.CUES, Id.TAGS, 0x1941A469, 0x1043A770}
)

#: Values of TrackType (RFC 9559 §5.1.4.1.3).
VIDEO_TRACK = 1
AUDIO_TRACK = 2
