"""The HEVC decoder configuration record, ``hvcC``: H.265 parameter sets as files hold them.

::

    version 1 | profile space 2, tier 1, profile 5 | compatibility 32 | constraints 48 | level 8
    1111 + min_spatial_segmentation_idc 12 | 111111 + parallelism 2 | 111111 + chroma format 2
    11111 + luma depth - 8 | 11111 + chroma depth - 8 | average frame rate 16
    constant rate 2, temporal layers 3, nested 1, length size - 1 2 | arrays 8
    array: complete 1, 0, type 6 | count 16 | (length 16 | NAL unit) …
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from construct import (
    BitsInteger,
    BitStruct,
    Bytes,
    Const,
    Construct,
    ConstructError,
    Default,
    Flag,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int32ub,
    Prefixed,
    PrefixedArray,
    Struct,
)

from axis_nvr.errors import WireError
from axis_nvr.wire.h265 import H265Pps, parse_pps, parse_sps
from axis_nvr.wire.nal import H265NalType

#: Sets of one kind in one record: no more ids exist.
MAX_HVCC_SETS = 64
_SOURCE = "ISO/IEC 14496-15 §8.3.3.1"
_ONES = 0xFFFF


def _low_bits(name: str, width: int, reserved: int) -> "Construct[Any, Any]":
    """Describe a number below bits that are reserved and set."""
    ones = _ONES >> (16 - reserved)
    return BitStruct("reserved" / Default(BitsInteger(reserved), ones), name / BitsInteger(width))


#: One kind of NAL units.
ARRAY = Struct(
    "head"
    / BitStruct(
        "complete" / Flag,
        "reserved" / Default(BitsInteger(1), 0),
        "nal_unit_type" / BitsInteger(6),
    ),
    "nal_units" / PrefixedArray(Int16ub, Prefixed(Int16ub, GreedyBytes)),
)
#: The record. Reserved bits are not checked.
HVCC = Struct(
    "version" / Const(1, Int8ub),
    "profile"
    / BitStruct("space" / BitsInteger(2), "high_tier" / Flag, "profile_idc" / BitsInteger(5)),
    "compatibility" / Int32ub,
    "constraints" / Bytes(6),
    "level_idc" / Int8ub,
    "segmentation" / _low_bits("min_spatial_segmentation_idc", 12, 4),
    "parallelism" / _low_bits("type", 2, 6),
    "chroma" / _low_bits("format", 2, 6),
    "luma_depth" / _low_bits("minus8", 3, 5),
    "chroma_depth" / _low_bits("minus8", 3, 5),
    "average_frame_rate" / Default(Int16ub, 0),  # in pictures in 256 s; 0 is unspecified
    "layers"
    / BitStruct(
        "constant_frame_rate" / Default(BitsInteger(2), 0),
        "temporal_layers" / BitsInteger(3),
        "temporal_id_nested" / Flag,
        "length_size_minus1" / BitsInteger(2),
    ),
    "arrays" / PrefixedArray(Int8ub, ARRAY),
)


class Hvcc(NamedTuple):
    """What an ``hvcC`` record holds.

    :ivar profile_idc: 1 main, 2 main 10, …
    :ivar level_idc: thirty times the level.
    :ivar length_size: bytes of the length before each NAL unit of a sample: 1, 2 or 4.
    :ivar vps: video parameter sets, as NAL units.
    :ivar sps: sequence parameter sets, as NAL units.
    :ivar pps: picture parameter sets, as NAL units.
    """

    profile_idc: int
    level_idc: int
    length_size: int
    vps: tuple[bytes, ...]
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]


def build_hvcc(
    vps: Sequence[bytes], sps: Sequence[bytes], pps: Sequence[bytes], *, complete: bool = False
) -> bytes:
    """Build the record for samples with 4-byte lengths.

    :param vps: video parameter sets, as NAL units. None is tolerated: decoders can do without.
    :param sps: at least one; the first one tells profile, size and depth.
    :param pps: at least one.
    :param complete: promise that no sample holds parameter sets (sample entry ``hvc1``).
    :raises WireError: SPS or PPS are missing or too many, or cannot be read.

    Source: ISO/IEC 14496-15 §8.3.3.1.
    """
    if not (sps and pps and max(len(vps), len(sps), len(pps)) <= MAX_HVCC_SETS):
        raise WireError(
            f"{len(vps)} VPS, {len(sps)} SPS and {len(pps)} PPS make no record", source=_SOURCE
        )
    first = parse_sps(sps[0])
    segmentation = first.vui.min_spatial_segmentation if first.vui else 0
    kinds = ((H265NalType.VPS, vps), (H265NalType.SPS, sps), (H265NalType.PPS, pps))
    values = {
        "profile": {
            "space": first.profile.profile_space,
            "high_tier": first.profile.high_tier,
            "profile_idc": first.profile.profile_idc,
        },
        "compatibility": first.profile.compatibility,
        "constraints": first.profile.constraints.to_bytes(6, "big"),
        "level_idc": first.profile.level_idc,
        "segmentation": {"min_spatial_segmentation_idc": segmentation},
        "parallelism": {"type": _parallelism([parse_pps(nal) for nal in pps], segmentation)},
        "chroma": {"format": first.chroma_format_idc},
        "luma_depth": {"minus8": first.bit_depth_luma - 8},
        "chroma_depth": {"minus8": first.bit_depth_chroma - 8},
        "layers": {
            "temporal_layers": first.max_sub_layers,
            "temporal_id_nested": first.temporal_id_nested,
            "length_size_minus1": 3,
        },
        "arrays": [
            {"head": {"complete": complete, "nal_unit_type": kind}, "nal_units": list(sets)}
            for kind, sets in kinds
            if sets
        ],
    }
    try:
        record: bytes = HVCC.build(values)
    except ConstructError as error:
        raise WireError(f"parameter sets fit no record: {error}", source=_SOURCE) from error
    return record


def _parallelism(pps: Sequence[H265Pps], segmentation: int) -> int:
    """Tell how decoding can be spread: 0 unknown or mixed, 1 slices, 2 tiles, 3 wavefronts.

    Without ``min_spatial_segmentation_idc`` it says nothing, and 0 is written.
    """
    kinds = {
        0 if one.tiles and one.wavefront else 3 if one.wavefront else 2 if one.tiles else 1
        for one in pps
    }
    return kinds.pop() if segmentation and len(kinds) == 1 else 0


def parse_hvcc(data: bytes) -> Hvcc:
    """Read the record.

    :raises WireError: cut off, or not version 1.

    Source: ISO/IEC 14496-15 §8.3.3.1.
    """
    try:
        record = HVCC.parse(data)
    except ConstructError as error:
        raise WireError(f"no hvcC: {error}", offset=0, source=_SOURCE) from error
    sets: dict[int, list[bytes]] = {}
    for array in record.arrays:
        sets.setdefault(array.head.nal_unit_type, []).extend(array.nal_units)
    return Hvcc(
        record.profile.profile_idc,
        record.level_idc,
        record.layers.length_size_minus1 + 1,
        tuple(sets.get(H265NalType.VPS, ())),
        tuple(sets.get(H265NalType.SPS, ())),
        tuple(sets.get(H265NalType.PPS, ())),
    )
