"""LATM: AAC in a multiplex of its own, as ``MP4A-LATM`` carries it.

::

    AudioMuxElement    [same configuration 1 | StreamMuxConfig] | length 8 … | payload, unaligned
    StreamMuxConfig    version 1 | same framing 1 | sub-frames 6 | programs 4 | layers 3
                       AudioSpecificConfig | frame length type 3 | … | other data 1 | CRC 1

What cameras send is read: one program of one layer, ``audioMuxVersion`` 0 or 1, frames of
variable (type 0) or fixed length (type 1). Anything else is refused by name.
"""

from dataclasses import dataclass

from axis_nvr.errors import WireError
from axis_nvr.wire.aac import (
    AudioSpecificConfig,
    parse_audio_specific_config,
    read_audio_specific_config,
)
from axis_nvr.wire.bits import BitReader

#: Bits of other data that may follow the frames of one element.
MAX_OTHER_DATA_BITS = 1 << 16
#: An element longer than this is refused, in bytes: 64 frames of the largest size.
MAX_ELEMENT_BYTES = 64 * 8192
_CONFIG_SOURCE = "ISO/IEC 14496-3 §1.7.3.1, StreamMuxConfig"
_ELEMENT_SOURCE = "ISO/IEC 14496-3 §1.7.3.1, AudioMuxElement"


@dataclass(frozen=True, slots=True)
class StreamMuxConfig:
    """How elements are read and decoded.

    :param audio: how the decoder is set up.
    :param audio_specific_config: the same as bytes, filled up with zero bits.
    :param frames: AAC frames in each element.
    :param fixed_frame_bytes: size of each frame; 0 where each tells its own.
    :param other_data_bits: what follows the frames.
    """

    audio: AudioSpecificConfig
    audio_specific_config: bytes
    frames: int
    fixed_frame_bytes: int
    other_data_bits: int


def parse_stream_mux_config(data: bytes) -> StreamMuxConfig:
    """Read a StreamMuxConfig, such as the ``config`` of an SDP with ``cpresent=0``.

    :raises WireError: cut off, or a form that is not supported.

    Source: ISO/IEC 14496-3 §1.7.3.1, RFC 6416 §7.3.
    """
    return _read_config(BitReader(data, _CONFIG_SOURCE), in_band=False)


def _read_config(bits: BitReader, *, in_band: bool) -> StreamMuxConfig:
    version = bits.u(1, "audioMuxVersion")
    if version and bits.flag("audioMuxVersionA"):
        raise bits.error("audioMuxVersionA 1 is not supported")
    if version:
        _read_value(bits, "taraBufferFullness")
    if not bits.flag("allStreamsSameTimeFraming"):
        raise bits.error("streams of different framing are not supported")
    frames = bits.u(6, "numSubFrames") + 1
    programs, layers = bits.u(4, "numProgram") + 1, bits.u(3, "numLayer") + 1
    if programs > 1 or layers > 1:
        raise bits.error(f"{programs} programs, {layers} layers: one of each is supported")
    audio, config = _read_audio_config(bits, version)
    if bits.remaining < 3 and not in_band:  # GStreamer 1.22's rtpmp4apay sends no more in the SDP
        return StreamMuxConfig(audio, config, frames, 0, 0)
    fixed_frame_bytes = _read_frame_length_type(bits)
    other_data_bits = _read_other_data_length(bits, version)
    if bits.flag("crcCheckPresent"):
        bits.skip(8, "crcCheckSum")
    return StreamMuxConfig(audio, config, frames, fixed_frame_bytes, other_data_bits)


def _read_audio_config(bits: BitReader, version: int) -> tuple[AudioSpecificConfig, bytes]:
    """Read the AudioSpecificConfig; version 1 tells its length, so extensions can be found.

    :returns: what it says, and its bytes.
    """
    if version == 0:
        start = bits.position
        audio = read_audio_specific_config(bits, extensions=False)
        return audio, bits.copy(start, bits.position)
    size = _read_value(bits, "ascLen")
    start = bits.position
    bits.skip(size, "AudioSpecificConfig")
    config = bits.copy(start, bits.position)
    return parse_audio_specific_config(config), config


def _read_frame_length_type(bits: BitReader) -> int:
    frame_length_type = bits.u(3, "frameLengthType")
    if frame_length_type == 0:
        bits.skip(8, "latmBufferFullness")
        return 0
    if frame_length_type == 1:
        return bits.u(9, "frameLength") + 20
    raise bits.error(f"frameLengthType {frame_length_type} is not supported")


def _read_other_data_length(bits: BitReader, version: int) -> int:
    if not bits.flag("otherDataPresent"):
        return 0
    size, more = 0, True
    if version:
        size, more = _read_value(bits, "otherDataLenBits"), False
    while more and size <= MAX_OTHER_DATA_BITS:
        more = bits.flag("otherDataLenEsc")
        size = size << 8 | bits.u(8, "otherDataLenTmp")
    if size > MAX_OTHER_DATA_BITS:
        raise bits.error(f"{size} bits of other data, at most {MAX_OTHER_DATA_BITS} allowed")
    return size


def _read_value(bits: BitReader, name: str) -> int:
    """Read ``LatmGetValue()``: two bits say how many bytes follow."""
    return bits.u(8 * (bits.u(2, name) + 1), name)


def parse_audio_mux_element(
    data: bytes | memoryview, config: StreamMuxConfig | None, *, config_in_band: bool
) -> tuple[StreamMuxConfig, list[bytes]]:
    """Read an AudioMuxElement.

    :param data: one whole element: what RTP packets up to a marker carry.
    :param config: the last one known, from the SDP or in band.
    :param config_in_band: ``cpresent`` of the SDP, 1 unless it says 0.
    :returns: the configuration that holds from now on (the same object if it did not change),
        and the bare AAC frames.
    :raises WireError: no configuration yet, cut off, or a form that is not supported.

    Source: ISO/IEC 14496-3 §1.7.3.1, RFC 6416 §6.
    """
    if len(data) > MAX_ELEMENT_BYTES:
        raise WireError(
            f"{len(data)} bytes, at most {MAX_ELEMENT_BYTES} allowed", source=_ELEMENT_SOURCE
        )
    bits = BitReader(data, _ELEMENT_SOURCE)
    if config_in_band and not bits.flag("useSameStreamMux"):
        fresh = _read_config(bits, in_band=True)
        config = config if fresh == config else fresh
    if config is None:
        raise bits.error("no StreamMuxConfig yet")
    return config, [_read_frame(bits, config.fixed_frame_bytes) for _ in range(config.frames)]


def _read_frame(bits: BitReader, fixed_size: int) -> bytes:
    """Read ``PayloadLengthInfo()`` and ``PayloadMux()`` of one frame.

    A frame's length follows at once in front of it, since there is one stream only.
    """
    size, more = fixed_size, not fixed_size
    while more:
        part = bits.u(8, "MuxSlotLengthBytes")
        size += part
        more = part == 255
    return bits.bytes(size, "payload")
