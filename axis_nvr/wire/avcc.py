"""The AVC decoder configuration record, ``avcC``: H.264 parameter sets as files hold them.

::

    version 1 | profile | constraint flags | level | 111111 + length size - 1
    111 + SPS count | (length 16 | SPS) … | PPS count 8 | (length 16 | PPS) …
    high profiles:  111111 + chroma format | 11111 + luma depth - 8 | 11111 + chroma depth - 8
                    SPS extension count 8 | (length 16 | SPS extension) …
"""

from collections.abc import Sequence
from typing import NamedTuple

from construct import (
    Array,
    BitsInteger,
    BitStruct,
    Const,
    ConstructError,
    Default,
    GreedyBytes,
    If,
    Int8ub,
    Int16ub,
    Optional,
    Prefixed,
    PrefixedArray,
    Struct,
    this,
)

from axis_nvr.errors import WireError
from axis_nvr.wire.h264 import CHROMA_PROFILES, parse_sps

#: Sequence parameter sets in one record: counted in 5 bits.
MAX_AVCC_SPS = 31
#: Picture parameter sets in one record: counted in 8 bits.
MAX_AVCC_PPS = 255
_SOURCE = "ISO/IEC 14496-15 §5.3.3.1"
_NAL_UNIT = Prefixed(Int16ub, GreedyBytes)

#: What follows in the high profiles; old muxers leave it out.
HIGH_PROFILE_FIELDS = Struct(
    "chroma"
    / BitStruct("reserved" / Default(BitsInteger(6), 0x3F), "chroma_format" / BitsInteger(2)),
    "luma"
    / BitStruct("reserved" / Default(BitsInteger(5), 0x1F), "bit_depth_minus8" / BitsInteger(3)),
    "chroma_depth"
    / BitStruct("reserved" / Default(BitsInteger(5), 0x1F), "bit_depth_minus8" / BitsInteger(3)),
    "sps_extensions" / PrefixedArray(Int8ub, _NAL_UNIT),
)
#: The record. Reserved bits are ones; some muxers write zeros, so they are not checked.
AVCC = Struct(
    "version" / Const(1, Int8ub),
    "profile" / Int8ub,
    "constraint_flags" / Int8ub,
    "level" / Int8ub,
    "lengths"
    / BitStruct("reserved" / Default(BitsInteger(6), 0x3F), "size_minus1" / BitsInteger(2)),
    "sps_count" / BitStruct("reserved" / Default(BitsInteger(3), 7), "count" / BitsInteger(5)),
    "sps" / Array(this.sps_count.count, _NAL_UNIT),
    "pps" / PrefixedArray(Int8ub, _NAL_UNIT),
    "high" / If(lambda record: record.profile in CHROMA_PROFILES, Optional(HIGH_PROFILE_FIELDS)),
)


class Avcc(NamedTuple):
    """What an ``avcC`` record holds.

    :ivar profile_idc: of the first sequence parameter set.
    :ivar constraint_flags: those that all sets have in common.
    :ivar level_idc: the highest of all sets.
    :ivar length_size: bytes of the length before each NAL unit of a sample: 1, 2 or 4.
    :ivar sps: sequence parameter sets, as NAL units.
    :ivar pps: picture parameter sets, as NAL units.
    """

    profile_idc: int
    constraint_flags: int
    level_idc: int
    length_size: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]


def build_avcc(sps: Sequence[bytes], pps: Sequence[bytes]) -> bytes:
    """Build the record for samples with 4-byte lengths.

    :param sps: 1 to `MAX_AVCC_SPS` sequence parameter sets, as NAL units.
    :param pps: 1 to `MAX_AVCC_PPS` picture parameter sets, as NAL units.
    :raises WireError: none or too many of them, or an SPS that cannot be read.

    Source: ISO/IEC 14496-15 §5.3.3.1.
    """
    if not (0 < len(sps) <= MAX_AVCC_SPS and 0 < len(pps) <= MAX_AVCC_PPS):
        raise WireError(f"{len(sps)} SPS and {len(pps)} PPS make no record", source=_SOURCE)
    parsed = [parse_sps(nal) for nal in sps]
    constraint_flags = 0xFF
    for one in parsed:
        constraint_flags &= one.constraint_flags
    first = parsed[0]
    try:
        record: bytes = AVCC.build(
            {
                "profile": first.profile_idc,
                "constraint_flags": constraint_flags,
                "level": max(one.level_idc for one in parsed),
                "lengths": {"size_minus1": 3},
                "sps_count": {"count": len(sps)},
                "sps": list(sps),
                "pps": list(pps),
                "high": {
                    "chroma": {"chroma_format": first.chroma_format_idc},
                    "luma": {"bit_depth_minus8": first.bit_depth_luma - 8},
                    "chroma_depth": {"bit_depth_minus8": first.bit_depth_chroma - 8},
                    "sps_extensions": [],
                },
            }
        )
    except ConstructError as error:
        raise WireError(f"parameter sets fit no record: {error}", source=_SOURCE) from error
    return record


def parse_avcc(data: bytes) -> Avcc:
    """Read the record.

    :raises WireError: cut off, or not version 1.

    Source: ISO/IEC 14496-15 §5.3.3.1.
    """
    try:
        record = AVCC.parse(data)
    except ConstructError as error:
        raise WireError(f"no avcC: {error}", offset=0, source=_SOURCE) from error
    return Avcc(
        record.profile,
        record.constraint_flags,
        record.level,
        record.lengths.size_minus1 + 1,
        tuple(record.sps),
        tuple(record.pps),
    )
