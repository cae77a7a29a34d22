"""From a block's tracks back to formats: the inverse of `axis_nvr.storage.tracks`.

A format that was made of parameter sets comes back as it was. What cannot be read in a
CodecPrivate is left as it stands in the file; a codec that this recorder does not know has no
format, and its frames are passed over.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from construct import ConstructError

from axis_nvr.errors import WireError
from axis_nvr.media.formats import h264_format, h265_format, jpeg_format
from axis_nvr.media.units import AudioFormat, Codec, Format, VideoFormat
from axis_nvr.storage.code_words import Repack, rtp_packing
from axis_nvr.storage.tracks import WAVE_FORMAT, WAVE_TAGS
from axis_nvr.wire.avcc import parse_avcc
from axis_nvr.wire.hvcc import parse_hvcc
from axis_nvr.wire.matroska import Track

#: Tracks whose formats are remembered, so that block after block gives the very same object.
FORMAT_CACHE_SIZE = 256


@lru_cache(maxsize=FORMAT_CACHE_SIZE)
def track_format(track: Track) -> Format | None:
    """Give the format of a block's track; None if it is of no codec known here."""
    make = _FORMATS.get(track.codec_id)
    return None if make is None else make(track)


def _video(codec: Codec, parse: Callable[[bytes], VideoFormat]) -> Callable[[Track], VideoFormat]:
    def make(track: Track) -> VideoFormat:
        private = track.codec_private
        try:
            found = parse(private)
        except WireError:
            return VideoFormat(codec, private, track.width, track.height, _frame_rate(track))
        return found if found.codec_private == private else replace(found, codec_private=private)

    return make


def _frame_rate(track: Track) -> Fraction | None:
    nanoseconds = track.default_duration_ns
    return Fraction(1_000_000_000, nanoseconds).limit_denominator(1001) if nanoseconds else None


def _avc(private: bytes) -> VideoFormat:
    record = parse_avcc(private)
    return h264_format(record.sps, record.pps)


def _hevc(private: bytes) -> VideoFormat:
    record = parse_hvcc(private)
    return h265_format(record.vps, record.sps, record.pps)


def _jpeg(track: Track) -> VideoFormat:
    return jpeg_format(track.width, track.height)


def _audio(codec: Codec, bits_per_sample: int = 0) -> Callable[[Track], AudioFormat]:
    def make(track: Track) -> AudioFormat:
        rate, channels = track.sample_rate, track.channels
        return AudioFormat(codec, track.codec_private, rate, channels, bits_per_sample)

    return make


_CODECS = {tag: codec for codec, tag in WAVE_TAGS.items()}


def _wave(track: Track) -> AudioFormat | None:
    try:
        wave = WAVE_FORMAT.parse(track.codec_private)
    except ConstructError:
        return None
    codec = _CODECS.get(wave.format_tag)
    if codec is None:
        return None
    return AudioFormat(codec, b"", wave.sample_rate, wave.channels, wave.bits_per_sample)


_FORMATS: dict[str, Callable[[Track], Format | None]] = {
    "V_MPEG4/ISO/AVC": _video(Codec.H264, _avc),
    "V_MPEGH/ISO/HEVC": _video(Codec.H265, _hevc),
    "V_MJPEG": _jpeg,
    "A_AAC": _audio(Codec.AAC),
    "A_MS/ACM": _wave,
    "A_PCM/INT/BIG": _audio(Codec.L16, 16),
    "A_OPUS": _audio(Codec.OPUS),
}


def clock_hz(form: Format) -> int:
    """Tell how many ticks a second the media clock of a track has in RTP."""
    return form.sample_rate if isinstance(form, AudioFormat) and form.sample_rate else 90_000


def sample_restorer(form: Format) -> Repack | None:
    """Give what turns a stored frame back into one as it came; None if it is the same.

    The inverse of `axis_nvr.storage.tracks.sample_converter`.
    """
    if not isinstance(form, AudioFormat) or form.codec is not Codec.G726:
        return None
    return rtp_packing(form.bits_per_sample) if 2 <= form.bits_per_sample <= 5 else None
