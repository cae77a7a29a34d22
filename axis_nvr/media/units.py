"""Access units and what they are made of: the values that flow from a camera to its consumers.

A *unit* is one coded picture, one audio frame or one metadata document. A *format* tells how a
decoder is set up for it; when a camera changes its parameter sets, the units that follow carry
another format object, and nothing else announces the change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple, TypeAlias


class Codec(StrEnum):
    """How a track is coded, in the words of the VAPIX ``videocodec`` and ``audiocodec`` options."""

    H264 = "h264"
    H265 = "h265"
    JPEG = "jpeg"
    AAC = "aac"
    PCMU = "pcmu"
    PCMA = "pcma"
    G726 = "g726"
    L16 = "l16"
    OPUS = "opus"
    ONVIF_METADATA = "onvif-metadata"


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a decoder must know about a video track before its first picture.

    :param codec: `Codec.H264`, `Codec.H265` or `Codec.JPEG`.
    :param codec_private: the decoder configuration record: ``avcC`` (ISO/IEC 14496-15 §5.3.3.1)
        or ``hvcC`` (§8.3.3.1); empty for JPEG.
    :param width: in pixels, cropping applied.
    :param height: in pixels, cropping applied.
    :param frame_rate: pictures a second as the stream itself tells; None if it does not.
    :param parameter_sets: VPS, SPS and PPS as NAL units without start code, in this order.
    """

    codec: Codec
    codec_private: bytes
    width: int
    height: int
    frame_rate: Fraction | None = None
    parameter_sets: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What a decoder must know about an audio track.

    :param codec: one of the audio codecs.
    :param codec_private: AudioSpecificConfig for AAC (ISO/IEC 14496-3 §1.6.2.1), the ``OpusHead``
        packet for Opus (RFC 7845 §5.1), else empty.
    :param sample_rate: in Hz.
    :param channels: how many.
    :param bits_per_sample: of the coded sample (G.711 8, G.726 2 to 5, L16 16), 0 where it varies.
    """

    codec: Codec
    codec_private: bytes
    sample_rate: int
    channels: int
    bits_per_sample: int = 0


@dataclass(frozen=True, slots=True)
class MetadataFormat:
    """A track of XML documents (``vnd.onvif.metadata``)."""

    codec: Codec = Codec.ONVIF_METADATA


Format: TypeAlias = VideoFormat | AudioFormat | MetadataFormat


class GapReason(StrEnum):
    """Why something is missing from, or bent in, a stream."""

    PACKETS_LOST = "packets-lost"
    DISCONNECTED = "disconnected"
    CLOCK_STEPPED = "clock-stepped"
    TIMESTAMP_JUMP = "timestamp-jump"
    SOURCE_CHANGED = "source-changed"
    DAMAGED = "damaged"
    SLOW_DISK = "slow-disk"
    FULL_DISK = "full-disk"
    FAILED_DISK = "failed-disk"
    BUFFER_FULL = "buffer-full"
    NOT_RECORDED = "not-recorded"
    REMOVED = "removed"
    UNCLEAN_STOP = "unclean-stop"


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time of which something is missing.

    :param start_us: UTC, microseconds since 1970: the last thing before it.
    :param end_us: UTC, microseconds since 1970: the first thing after it.
    :param reason: why.
    :param lost_packets: RTP packets that never came, 0 where not countable.
    :param detail: for people.
    """

    start_us: int
    end_us: int
    reason: GapReason
    lost_packets: int = 0
    detail: str = ""


class AccessUnit(NamedTuple):
    """One coded picture, audio frame or metadata document, in decoding order.

    :ivar track: index of the track in its stream.
    :ivar utc_us: when the camera took it (its presentation time): UTC, microseconds since 1970.
    :ivar timestamp: the same on the media clock: the RTP timestamp, unwrapped, in ticks.
    :ivar sync: decoding can begin here (H.264 IDR, H.265 IRAP, every JPEG and audio frame).
    :ivar data: one sample as ISO/IEC 14496-15 and Matroska store it: NAL units each behind a
        four-byte length, parameter sets taken out; audio frames bare. Not changed afterwards.
    :ivar format: how to decode it; the same object as before unless something changed.
    :ivar gap: what is missing directly before or within this unit, or None.
    """

    track: int
    utc_us: int
    timestamp: int
    sync: bool
    data: bytes | bytearray
    format: Format
    gap: Gap | None = None


#: Takes units that came at once, one at least: all of one track and format, in decoding order.
UnitSink: TypeAlias = Callable[[Sequence[AccessUnit]], None]
