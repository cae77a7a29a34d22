"""The bundled media: what a virtual camera sees and hears.

The files are plain elementary streams, so that any player opens them: ``<w>x<h>.h264`` and
``.h265`` as byte streams (Annex B), ``16000-mono.aac`` as ADTS, ``8000-mono.ulaw`` as bare samples.
How they were made, and the rules they keep, tells ``tools/make_bitstreams.py``.

A video file holds one intra picture and then only pictures that point back; playing its first N
pictures over and over gives a stream with a GOP of N.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files

from axis_nvr.errors import LocalProtocolError
from axis_nvr.media.units import Codec
from axis_nvr.session.packetizers import aac, g711, h264, h265
from axis_nvr.wire import nal
from axis_nvr.wire.bits import BitReader

#: The resolutions there are files for, the largest first.
RESOLUTIONS = ((1920, 1080), (1280, 720), (640, 360))
#: The codings there are files for.
VIDEO_CODECS = (Codec.H264, Codec.H265)
#: Pictures a second that the files themselves claim.
NATIVE_FRAME_RATE = Fraction(30)
#: Pictures kept as payloads for all viewers; one takes about 2 kB.
MAX_SHARED_PICTURES = 4096
#: Samples of one AAC frame, in each channel (ISO/IEC 14496-3 §4.5.2.1).
AAC_FRAME_SAMPLES = 1024
AAC_SAMPLE_RATE = 16000
#: AudioSpecificConfig of the bundled sound: AAC-LC, 16 kHz, mono (ISO/IEC 14496-3 §1.6.2.1).
AAC_CONFIG = bytes.fromhex("1408")
G711_SAMPLE_RATE = 8000
#: Samples of G.711 in one packet: 20 ms (RFC 3551 §4.2).
G711_PACKET_SAMPLES = 160

_ADTS_HEADER_BYTES = 7


def _read(name: str) -> bytes:
    return files("axis_nvr.simulator").joinpath("bitstreams", name).read_bytes()


#: How to tell slices and parameter sets of each coding.
_H264 = (
    lambda unit: nal.h264_nal_type(unit) in nal.H264_VCL,
    lambda unit: nal.h264_nal_type(unit) in nal.H264_PARAMETER_SETS,
)
_H265 = (
    lambda unit: nal.h265_nal_type(unit) in nal.H265_VCL,
    lambda unit: nal.h265_nal_type(unit) in nal.H265_PARAMETER_SETS,
)


@dataclass(frozen=True, slots=True)
class VideoBitstream:
    """One coded video, ready to be sent.

    :param codec: `Codec.H264` or `Codec.H265`.
    :param frame_rate: what its parameter sets say.
    :param parameter_sets: VPS, SPS and PPS as NAL units.
    :param pictures: of each picture its slices, parameter sets not among them.
    """

    codec: Codec
    width: int
    height: int
    frame_rate: Fraction
    parameter_sets: tuple[bytes, ...]
    pictures: tuple[tuple[bytes, ...], ...]

    def units(self, picture: int, *, odd: bool = False) -> tuple[bytes, ...]:
        """Return the NAL units of one picture; parameter sets stand before the intra picture.

        :param odd: which of two intra pictures in a row this one is: H.264 wants them told apart
            by ``idr_pic_id`` (§7.4.3).
        """
        if picture:
            return self.pictures[picture]
        first, *others = self.pictures[0]
        if odd and self.codec is Codec.H264:
            first = other_idr_pic_id(first, self.parameter_sets[0])
        return (*self.parameter_sets, first, *others)

    def at_rate(self, rate: Fraction) -> "VideoBitstream":
        """Return the same video, whose parameter sets tell another frame rate."""
        ticks = 2 if self.codec is Codec.H264 else 1
        sets = (with_frame_rate(u, self.frame_rate, rate, ticks) for u in self.parameter_sets)
        return replace(self, frame_rate=rate, parameter_sets=tuple(sets))

    def payloads(self, picture: int, limit: int, *, odd: bool = False) -> list[bytes]:
        """Lay one picture into RTP payloads of at most `limit` bytes; shared, not to be changed."""
        if picture:
            return _payloads(self.codec, self.width, self.height, picture, limit)
        packetize = h264.packetize if self.codec is Codec.H264 else h265.packetize
        return packetize(self.units(0, odd=odd), limit)


@cache
def video_bitstream(codec: Codec, width: int, height: int) -> VideoBitstream:
    """Read one of the bundled videos; each is kept, once for all cameras of the process.

    :raises LocalProtocolError: there is no such video.
    """
    if codec not in VIDEO_CODECS or (width, height) not in RESOLUTIONS:
        raise LocalProtocolError(f"no bundled video {width}x{height} {codec}")
    units = nal.split_annex_b(_read(f"{width}x{height}.{codec}"))
    vcl, sets = _H264 if codec is Codec.H264 else _H265
    parameter_sets = tuple(unit for unit in units if sets(unit))
    pictures = tuple((unit,) for unit in units if vcl(unit))  # one slice each
    return VideoBitstream(codec, width, height, NATIVE_FRAME_RATE, parameter_sets, pictures)


def with_frame_rate(unit: bytes, old: Fraction, new: Fraction, ticks: int) -> bytes:
    """Let a parameter set tell another frame rate.

    ``num_units_in_tick`` and ``time_scale`` are 32 bits each and stand side by side, so they are
    found by their value and replaced in place. A set without them comes back as it is.

    :param ticks: in a frame: 2 with H.264, whose clock counts fields (§E.2.1), 1 with H.265.
    """
    rbsp = nal.unescape(unit)
    bits = f"{int.from_bytes(rbsp, 'big'):0{8 * len(rbsp)}b}"
    told = f"{old.denominator:032b}{old.numerator * ticks:032b}"
    tell = f"{new.denominator:032b}{new.numerator * ticks:032b}"
    if told not in bits or old == new:
        return unit
    changed = bits.replace(told, tell, 1)
    return nal.escape(int(changed, 2).to_bytes(len(rbsp), "big"))


def other_idr_pic_id(unit: bytes, sps: bytes) -> bytes:
    """Turn ``idr_pic_id`` of an H.264 IDR slice from 1 into 2.

    Both are three bits in Exp-Golomb code, 010 and 011, so one bit changes and none moves.

    :param unit: the first slice of the bundled intra picture.
    :param sps: the sequence parameter set: it tells how wide ``frame_num`` is.

    Source: H.264 §7.3.3, §9.1.
    """
    header = BitReader(unit[1:32], "H.264 §7.3.3")
    for name in ("first_mb_in_slice", "slice_type", "pic_parameter_set_id"):
        header.ue(name)
    header.skip(_frame_num_bits(sps), "frame_num")
    place = 8 + header.position + 2
    if header.ue("idr_pic_id") != 1:
        raise LocalProtocolError("the bundled intra picture does not have idr_pic_id 1")
    changed = bytearray(unit)
    changed[place // 8] |= 0x80 >> place % 8
    return bytes(changed)


def _frame_num_bits(sps: bytes) -> int:
    """Read ``log2_max_frame_num`` of a sequence parameter set in High profile, 4:2:0, 8 bits."""
    reader = BitReader(nal.unescape(sps)[4:], "H.264 §7.3.2.1.1")
    for name in ("seq_parameter_set_id", "chroma_format_idc", "bit_depth_luma", "bit_depth_chroma"):
        reader.ue(name)
    reader.skip(2, "qpprime_y_zero_transform_bypass_flag, seq_scaling_matrix_present_flag")
    return reader.ue("log2_max_frame_num_minus4", 12) + 4


@lru_cache(MAX_SHARED_PICTURES)
def _payloads(codec: Codec, width: int, height: int, picture: int, limit: int) -> list[bytes]:
    """Payloads of a picture that is not intra: the same at every frame rate."""
    packetize = h264.packetize if codec is Codec.H264 else h265.packetize
    return packetize(video_bitstream(codec, width, height).pictures[picture], limit)


@cache
def aac_frames() -> tuple[bytes, ...]:
    """Return the bundled sound as AAC frames, their ADTS headers taken off."""
    data, frames = _read("16000-mono.aac"), []
    place = 0
    while place + _ADTS_HEADER_BYTES <= len(data):
        # aac_frame_length: 13 bits that begin two bits before the end of the fourth byte.
        size = int.from_bytes(data[place + 3 : place + 6], "big") >> 5 & 0x1FFF
        frames.append(data[place + _ADTS_HEADER_BYTES : place + size])
        place += size
    return tuple(frames)


@lru_cache(MAX_SHARED_PICTURES)
def aac_payloads(frame: int, limit: int) -> list[bytes]:
    """Lay one frame of the bundled sound into RTP payloads."""
    return aac.packetize(aac_frames()[frame], limit)


@cache
def g711_payloads() -> list[bytes]:
    """Lay the bundled sound, µ-law, into RTP payloads of `G711_PACKET_SAMPLES`."""
    return g711.packetize(_read("8000-mono.ulaw"), G711_PACKET_SAMPLES)
