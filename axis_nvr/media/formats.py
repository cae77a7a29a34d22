"""From parameter sets and audio configurations to formats.

Two formats are equal if their ``codec_private`` and what follows from it are: sets that differ in
zero bytes at the end only are the same (`axis_nvr.wire.nal.trim`), sets that differ in their VUI
only are not, for timing and reordering may have changed.

Cameras repeat the same sets before each IDR. Each function keeps the last few results, so that a
repeated set is not parsed again and gives the very same object.
"""

from collections.abc import Sequence
from functools import lru_cache

from axis_nvr.media.units import Codec, VideoFormat
from axis_nvr.wire import nal
from axis_nvr.wire.avcc import build_avcc, parse_avcc
from axis_nvr.wire.h264 import parse_sps as parse_h264_sps

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


def h264_format_from_avcc(record: bytes) -> VideoFormat:
    """Make the format of an H.264 track from a file's ``avcC``.

    :raises WireError: the record or its SPS cannot be read, or holds none.
    """
    parsed = parse_avcc(record)
    return h264_format(parsed.sps, parsed.pps)


@lru_cache(maxsize=FORMAT_CACHE_SIZE)
def jpeg_format(width: int, height: int) -> VideoFormat:
    """Make the format of a JPEG track: every picture brings its own tables."""
    return VideoFormat(Codec.JPEG, b"", width, height)
