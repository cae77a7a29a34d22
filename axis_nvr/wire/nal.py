"""NAL units: how H.264 and H.265 cut a coded picture into pieces, and what each piece is.

::

    byte stream (Annex B)    00 00 00 01 | NAL unit | 00 00 01 | NAL unit | trailing zeros
    sample (14496-15)        length, 4 bytes | NAL unit | length | NAL unit

    H.264 NAL unit           forbidden 1, nal_ref_idc 2, nal_unit_type 5 | payload
    H.265 NAL unit           forbidden 1, nal_unit_type 6, nuh_layer_id 6, temporal_id + 1 3 | …

    payload (EBSP)           the RBSP with a 03 put behind each 00 00 that 00 … 03 would follow

A NAL unit therefore never holds 00 00 01 and never ends in 00: where a camera sends one that
does (V380, Amatek AR-N3222F), `split_annex_b` takes it apart.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from enum import IntEnum

from construct import BitsInteger, BitStruct, Const, Flag

from axis_nvr.errors import WireError

#: The header of an H.264 NAL unit (H.264 §7.3.1); `h264_nal_type` is its fast path.
H264_NAL_HEADER = BitStruct(
    "forbidden_zero_bit" / Flag,  # set by a network that knows of damage: not refused
    "nal_ref_idc" / BitsInteger(2),
    "nal_unit_type" / BitsInteger(5),
)
#: The header of an H.265 NAL unit (H.265 §7.3.1.2); `h265_nal_type` is its fast path.
H265_NAL_HEADER = BitStruct(
    "forbidden_zero_bit" / Const(0, BitsInteger(1)),
    "nal_unit_type" / BitsInteger(6),
    "nuh_layer_id" / BitsInteger(6),
    "nuh_temporal_id_plus1" / BitsInteger(3),
)
#: NAL units taken from one ``sprop`` attribute.
MAX_SPROP_NAL_UNITS = 64
#: Size of a parameter set that is looked at, in bytes: the decoder configuration records count
#: them in 16 bits.
MAX_PARAMETER_SET_BYTES = 65535
_START_CODE = b"\0\0\1"
_NEEDS_PREVENTION = re.compile(rb"\0\0(?=[\0-\3]|\Z)")


class H264NalType(IntEnum):
    """What an H.264 NAL unit holds (H.264 Table 7-1); others are reserved or unspecified."""

    NON_IDR_SLICE = 1
    PARTITION_A = 2
    PARTITION_B = 3
    PARTITION_C = 4
    IDR_SLICE = 5
    SEI = 6
    SPS = 7
    PPS = 8
    ACCESS_UNIT_DELIMITER = 9
    END_OF_SEQUENCE = 10
    END_OF_STREAM = 11
    FILLER_DATA = 12
    SPS_EXTENSION = 13
    PREFIX = 14
    SUBSET_SPS = 15
    DEPTH_PARAMETER_SET = 16
    AUXILIARY_SLICE = 19
    SLICE_EXTENSION = 20
    DEPTH_SLICE_EXTENSION = 21


class H265NalType(IntEnum):
    """What an H.265 NAL unit holds (H.265 Table 7-1); others are reserved or unspecified."""

    TRAIL_N = 0
    TRAIL_R = 1
    TSA_N = 2
    TSA_R = 3
    STSA_N = 4
    STSA_R = 5
    RADL_N = 6
    RADL_R = 7
    RASL_N = 8
    RASL_R = 9
    BLA_W_LP = 16
    BLA_W_RADL = 17
    BLA_N_LP = 18
    IDR_W_RADL = 19
    IDR_N_LP = 20
    CRA = 21
    VPS = 32
    SPS = 33
    PPS = 34
    ACCESS_UNIT_DELIMITER = 35
    END_OF_SEQUENCE = 36
    END_OF_BITSTREAM = 37
    FILLER_DATA = 38
    PREFIX_SEI = 39
    SUFFIX_SEI = 40


#: Coded picture data (VCL). `H264NalType.SLICE_EXTENSION` and up belong to other views.
H264_VCL = frozenset(range(1, 6))
#: A picture of these alone can be decoded without any before it.
H264_IRAP = frozenset({H264NalType.IDR_SLICE})
#: Taken out of samples: they travel in the format.
H264_PARAMETER_SETS = frozenset({H264NalType.SPS, H264NalType.PPS})
#: Where one of these comes behind a slice, a new access unit begins (H.264 §7.4.1.2.3).
H264_BEFORE_PICTURE = frozenset({6, 7, 8, 9, 14, 15, 16, 17, 18})

#: Coded picture data, reserved types of that range included (quirk: cameras use type 0 freely).
H265_VCL = frozenset(range(32))
#: Intra random access points (H.265 §3.74), the two reserved types included.
H265_IRAP = frozenset(range(16, 24))
#: Taken out of samples: they travel in the format.
H265_PARAMETER_SETS = frozenset({H265NalType.VPS, H265NalType.SPS, H265NalType.PPS})
#: Where one of these comes behind a slice, a new access unit begins (H.265 §7.4.2.4.4).
H265_BEFORE_PICTURE = frozenset({32, 33, 34, 35, 39, *range(41, 45), *range(48, 56)})


def h264_nal_type(nal: bytes | bytearray | memoryview) -> int:
    """Read ``nal_unit_type`` of an H.264 NAL unit of at least one byte."""
    return nal[0] & 0x1F


def h265_nal_type(nal: bytes | bytearray | memoryview) -> int:
    """Read ``nal_unit_type`` of an H.265 NAL unit of at least one byte."""
    return nal[0] >> 1 & 0x3F


def h264_first_slice(nal: bytes | bytearray | memoryview) -> bool:
    """Tell whether a slice NAL unit is the first of its picture: ``first_mb_in_slice`` is 0.

    Source: H.264 §7.3.3; ue(v) 0 is the single bit 1.
    """
    return len(nal) > 1 and nal[1] > 127


def h265_first_slice(nal: bytes | bytearray | memoryview) -> bool:
    """Read ``first_slice_segment_in_pic_flag`` of a slice NAL unit.

    Source: H.265 §7.3.6.1.
    """
    return len(nal) > 2 and nal[2] > 127


def split_annex_b(data: bytes | bytearray | memoryview) -> list[bytes]:
    """Take a byte stream apart at its start codes.

    :param data: NAL units with 3- or 4-byte start codes between them. Bytes before the first
        start code are a NAL unit too: that is what a camera's NAL unit with start codes
        inside looks like.
    :returns: the NAL units, without start codes and the zero bytes around them, none empty.

    Source: H.264 §B.1, H.265 §B.2.
    """
    pieces = bytes(data).split(_START_CODE)
    return [nal for piece in pieces if (nal := piece.rstrip(b"\0"))]


def unescape(nal: bytes | bytearray | memoryview) -> bytes:
    """Remove the emulation prevention bytes of a NAL unit.

    Source: H.264 §7.3.1, H.265 §7.3.1.1.
    """
    return bytes(nal).replace(b"\0\0\3", b"\0\0")


def escape(nal: bytes | bytearray | memoryview) -> bytes:
    """Put emulation prevention bytes into a NAL unit: the reverse of `unescape`.

    :param nal: ends in its stop bit, or in whole cabac_zero_words behind it.

    Source: H.264 §7.4.1, H.265 §7.4.2.1.
    """
    return _NEEDS_PREVENTION.sub(b"\0\0\3", bytes(nal))


def trim(nal: bytes | bytearray | memoryview) -> bytes:
    """Cut off what may follow a NAL unit and means nothing: zero bytes and cabac_zero_words.

    Two parameter sets that are equal after this are the same. Cameras send the same set with
    and without such an end (in the SDP and in the stream).

    Source: H.264 §7.3.2.10, §B.1.1.
    """
    data = bytes(nal)
    end = len(data)
    while end and (data[end - 1] == 0 or data[max(end - 3, 0) : end] == b"\0\0\3"):
        end -= 1 if data[end - 1] == 0 else 3
    return data[:end]


def nal_units_from_sprop(text: str | None) -> list[bytes]:
    """Read the NAL units of a ``sprop-…`` format parameter of an SDP.

    What cannot be read is left out and never an error, for the sets come again in band. Met in
    cameras: the attribute missing or empty, a trailing comma, Annex B start codes within the
    base64 (Revotech, VStarcam), padding left out.

    :param text: base64 NAL units between commas; None or empty where there is none.

    Source: RFC 6184 §8.1 (sprop-parameter-sets), RFC 7798 §7.1 (sprop-vps, -sps, -pps).
    """
    found: list[bytes] = []
    for item in (text or "").split(",")[:MAX_SPROP_NAL_UNITS]:
        packed = item.strip().strip('"').rstrip("=")
        try:
            data = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
        except (binascii.Error, ValueError):
            continue
        found += split_annex_b(data)
    return [nal for nal in found if len(nal) <= MAX_PARAMETER_SET_BYTES][:MAX_SPROP_NAL_UNITS]


def join_sample(nal_units: Iterable[bytes | bytearray | memoryview]) -> bytes:
    """Write NAL units as one sample: each behind its length in four bytes.

    Source: ISO/IEC 14496-15 §5.3.4.2.
    """
    return b"".join(len(nal).to_bytes(4, "big") + bytes(nal) for nal in nal_units)


def split_sample(
    sample: bytes | bytearray | memoryview, length_size: int = 4
) -> Iterator[memoryview]:
    """Take a sample apart.

    :param length_size: 1, 2 or 4 bytes, as the configuration record says.
    :returns: a view of each NAL unit, which keeps `sample` alive.
    :raises WireError: a length reaches beyond the end.

    Source: ISO/IEC 14496-15 §5.3.4.2.
    """
    view = memoryview(sample)
    start = 0
    while start < len(view):
        end = start + length_size
        end += int.from_bytes(view[start:end], "big")
        start += length_size
        if end > len(view):
            raise WireError(
                f"a NAL unit up to byte {end} in a sample of {len(view)}",
                offset=start - length_size,
                source="ISO/IEC 14496-15 §5.3.4.2",
            )
        yield view[start:end]
        start = end
