"""From parameter sets to formats.

Two formats are equal if their ``codec_private`` and what follows from it are: sets that differ in
zero bytes at the end only are the same (`axis_nvr.wire.nal.trim`), sets that differ in their VUI
only are not, for timing and reordering may have changed.

Cameras repeat the same sets before each IDR. Each function keeps the last few results, so that a
repeated set is not parsed again and gives the very same object.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from axis_nvr.errors import WireError
from axis_nvr.media.units import Codec, VideoFormat
from axis_nvr.wire import nal
from axis_nvr.wire.avcc import build_avcc
from axis_nvr.wire.h264 import parse_sps as parse_h264_sps
from axis_nvr.wire.h265 import H265Sps, parse_vps
from axis_nvr.wire.h265 import parse_sps as parse_h265_sps
from axis_nvr.wire.hvcc import build_hvcc

#: Formats of each codec that are remembered.
FORMAT_CACHE_SIZE = 64


def _distinct(nal_units: Sequence[bytes]) -> tuple[bytes, ...]:
    """Cut off meaningless ends, then leave out what is empty or there already."""
    return tuple(dict.fromkeys(filter(None, map(nal.trim, nal_units))))


def h264_format(sps: Sequence[bytes], pps: Sequence[bytes]) -> VideoFormat:
    """Make the format of an H.264 track.

    :param sps: sequence parameter sets as NAL units; the first one tells the size.
    :param pps: picture parameter sets as NAL units.
    :returns: a format with an ``avcC``.
    :raises WireError: one kind is missing, or the first SPS cannot be read.
    """
    return _h264_format(_distinct(sps), _distinct(pps))


@lru_cache(maxsize=FORMAT_CACHE_SIZE)
def _h264_format(sps: tuple[bytes, ...], pps: tuple[bytes, ...]) -> VideoFormat:
    record = build_avcc(sps, pps)
    first = parse_h264_sps(sps[0])
    return VideoFormat(
        Codec.H264, record, first.width, first.height, first.frame_rate, (*sps, *pps)
    )


def h265_format(vps: Sequence[bytes], sps: Sequence[bytes], pps: Sequence[bytes]) -> VideoFormat:
    """Make the format of an H.265 track.

    :param vps: video parameter sets as NAL units; none is tolerated, for some cameras leave it
        out of the SDP and decoders can do without.
    :param sps: sequence parameter sets as NAL units; the first one tells the size.
    :param pps: picture parameter sets as NAL units.
    :returns: a format with an ``hvcC``. The frame rate comes from the SPS, else from the VPS.
    :raises WireError: SPS or PPS is missing, or cannot be read.
    """
    return _h265_format(_distinct(vps), _distinct(sps), _distinct(pps))


@lru_cache(maxsize=FORMAT_CACHE_SIZE)
def _h265_format(
    vps: tuple[bytes, ...], sps: tuple[bytes, ...], pps: tuple[bytes, ...]
) -> VideoFormat:
    record = build_hvcc(vps, sps, pps)
    first = parse_h265_sps(sps[0])
    return VideoFormat(
        Codec.H265,
        record,
        first.width,
        first.height,
        _h265_frame_rate(first, vps),
        (*vps, *sps, *pps),
    )


def _h265_frame_rate(sps: H265Sps, vps: tuple[bytes, ...]) -> Fraction | None:
    if sps.frame_rate is not None or not vps:
        return sps.frame_rate
    try:
        return parse_vps(vps[0]).frame_rate
    except WireError:
        return None


@lru_cache(maxsize=FORMAT_CACHE_SIZE)
def jpeg_format(width: int, height: int) -> VideoFormat:
    """Make the format of a JPEG track: every picture brings its own tables."""
    return VideoFormat(Codec.JPEG, b"", width, height)
