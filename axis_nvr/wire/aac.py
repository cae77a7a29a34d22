"""AAC: how a decoder is set up for it, and frames that bring their own header.

::

    AudioSpecificConfig      object type 5 (31: + 6) | rate index 4 (15: + 24) | channels 4 | …
    ADTS frame               FFF | version 1 | layer 2 | no CRC 1 | profile 2 | rate index 4 | …
"""

from dataclasses import dataclass
from typing import NamedTuple

from construct import BitsInteger, BitStruct, Const, ConstructError, Flag

from axis_nvr.errors import WireError
from axis_nvr.wire.bits import BitReader

#: Rates of ``samplingFrequencyIndex`` 0 to 12, in Hz (ISO/IEC 14496-3 Table 1.18).
SAMPLE_RATES = (
    96000,
    88200,
    64000,
    48000,
    44100,
    32000,
    24000,
    22050,
    16000,
    12000,
    11025,
    8000,
    7350,
)
#: Channels of each ``channelConfiguration``; 0 is told in another way (Table 1.19).
CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 13: 24, 14: 8}
#: The rate index with which the rate itself follows.
EXPLICIT_RATE = 15
#: Object types (Table 1.17) that this module gives a name.
AAC_LC = 2
SBR = 5
ER_BSAC = 22
PS = 29
#: Those with a GASpecificConfig: all forms of AAC that cameras send.
GENERAL_AUDIO = frozenset({1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23})
#: Error resilient ones among them: with more flags.
RESILIENT = frozenset({17, 19, 20, 23})
#: Sample rates above this are refused, in Hz.
MAX_SAMPLE_RATE = 192_000
#: An AudioSpecificConfig longer than this is refused, in bytes.
MAX_CONFIG_BYTES = 512
_SBR_EXTENSION = 0x2B7
_PS_EXTENSION = 0x548
_SOURCE = "ISO/IEC 14496-3 §1.6.2.1"
_ADTS_SOURCE = "ISO/IEC 14496-3 §1.A.2.2"

#: The header of an ADTS frame; `parse_adts` checks what belongs together.
ADTS_HEADER = BitStruct(
    "syncword" / Const(0xFFF, BitsInteger(12)),
    "mpeg_2" / Flag,
    "layer" / Const(0, BitsInteger(2)),
    "protection_absent" / Flag,
    "profile" / BitsInteger(2),  # the object type less one
    "sampling_frequency_index" / BitsInteger(4),
    "private" / Flag,
    "channel_configuration" / BitsInteger(3),
    "original" / Flag,
    "home" / Flag,
    "copyright_bit" / Flag,
    "copyright_start" / Flag,
    "frame_length" / BitsInteger(13),  # header included
    "buffer_fullness" / BitsInteger(11),
    "raw_data_blocks_minus1" / BitsInteger(2),
)
ADTS_HEADER_BYTES = 7


@dataclass(frozen=True, slots=True)
class AudioSpecificConfig:
    """How an AAC decoder is set up.

    :param object_type: of the core coder: 2 is AAC-LC, 23 AAC-LD, 39 AAC-ELD.
    :param core_rate: sample rate of the core coder, in Hz.
    :param channel_configuration: 0 where a program_config_element tells the channels.
    :param core_channels: channels of the core coder; 0 where they are not told.
    :param samples_per_frame: of the core coder.
    :param sbr: spectral band replication doubles the rate; None where it is not told and a
        decoder finds out by itself.
    :param parametric_stereo: one channel becomes two; None likewise.
    :param extension_rate: sample rate behind the replication, in Hz; 0 without.
    """

    object_type: int
    core_rate: int
    channel_configuration: int
    core_channels: int
    samples_per_frame: int = 1024
    sbr: bool | None = None
    parametric_stereo: bool | None = None
    extension_rate: int = 0

    @property
    def sample_rate(self) -> int:
        """What comes out of a decoder, in Hz."""
        return self.extension_rate if self.sbr and self.extension_rate else self.core_rate

    @property
    def channels(self) -> int:
        """What comes out of a decoder."""
        return 2 if self.parametric_stereo and self.core_channels == 1 else self.core_channels


class AdtsHeader(NamedTuple):
    """The header of an ADTS frame.

    :ivar config: the same as an AudioSpecificConfig.
    :ivar header_bytes: 7, or 9 with a CRC.
    :ivar frame_bytes: header included.
    """

    config: AudioSpecificConfig
    header_bytes: int
    frame_bytes: int


def parse_audio_specific_config(data: bytes) -> AudioSpecificConfig:
    """Read an AudioSpecificConfig, such as the ``config`` of an SDP.

    Bytes behind its end are tolerated.

    :raises WireError: cut off, or reserved values.

    Source: ISO/IEC 14496-3 §1.6.2.1.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise WireError(f"{len(data)} bytes, at most {MAX_CONFIG_BYTES} allowed", source=_SOURCE)
    return read_audio_specific_config(BitReader(data, _SOURCE), extensions=True)


def read_audio_specific_config(bits: BitReader, *, extensions: bool) -> AudioSpecificConfig:
    """Read an AudioSpecificConfig from any bit position.

    :param extensions: look for SBR and PS at the end; not where other bits follow at once.
    :raises WireError: cut off, or reserved values.

    Source: ISO/IEC 14496-3 §1.6.2.1.
    """
    start = bits.position
    object_type = _read_object_type(bits)
    core_rate = _read_rate(bits)
    channel_configuration = bits.u(4, "channelConfiguration")
    sbr: bool | None = None
    parametric_stereo: bool | None = None
    extension_rate = 0
    if object_type in (SBR, PS):  # signalled first: the core coder's type follows
        sbr, parametric_stereo = True, object_type == PS or None
        extension_rate = _read_rate(bits)
        object_type = _read_object_type(bits)
        if object_type == ER_BSAC:
            bits.skip(4, "extensionChannelConfiguration")
        extensions = False
    channels, samples = CHANNELS.get(channel_configuration, 0), 1024
    if object_type in GENERAL_AUDIO:
        samples, told = _read_general_audio(bits, object_type, channel_configuration, start)
        channels = told or channels
        if object_type in RESILIENT or object_type == ER_BSAC:
            _read_error_protection(bits)
        if extensions:
            sbr, extension_rate, parametric_stereo = _read_extensions(bits)
    return AudioSpecificConfig(
        object_type,
        core_rate,
        channel_configuration,
        channels,
        samples,
        sbr,
        parametric_stereo,
        extension_rate,
    )


def _read_object_type(bits: BitReader) -> int:
    object_type = bits.u(5, "audioObjectType")
    if object_type == 31:
        object_type = 32 + bits.u(6, "audioObjectTypeExt")
    if object_type == 0:
        raise bits.error("audioObjectType is 0")
    return object_type


def _read_rate(bits: BitReader) -> int:
    index = bits.u(4, "samplingFrequencyIndex")
    if index == EXPLICIT_RATE:
        rate = bits.u(24, "samplingFrequency")
        if not 0 < rate <= MAX_SAMPLE_RATE:
            raise bits.error(f"samplingFrequency is {rate}")
        return rate
    if index >= len(SAMPLE_RATES):
        raise bits.error(f"samplingFrequencyIndex {index} is reserved")
    return SAMPLE_RATES[index]


def _read_general_audio(
    bits: BitReader, object_type: int, channel_configuration: int, start: int
) -> tuple[int, int]:
    """Read ``GASpecificConfig()``.

    :param start: where the AudioSpecificConfig began: alignment counts from there.
    :returns: samples per frame, and channels if told here.

    Source: ISO/IEC 14496-3 §4.4.1.
    """
    low_delay = object_type == 23
    short = bits.flag("frameLengthFlag")
    samples = (480 if short else 512) if low_delay else (960 if short else 1024)
    if bits.flag("dependsOnCoreCoder"):
        bits.skip(14, "coreCoderDelay")
    extension = bits.flag("extensionFlag")
    channels = 0 if channel_configuration else _read_program_config(bits, start)
    if object_type in (6, 20):
        bits.skip(3, "layerNr")
    if extension:
        if object_type == ER_BSAC:
            bits.skip(16, "numOfSubFrame, layer_length")
        elif object_type in RESILIENT:
            bits.skip(3, "resilience flags")
        bits.skip(1, "extensionFlag3")
    return samples, channels


def _read_program_config(bits: BitReader, start: int) -> int:
    """Read ``program_config_element()``.

    :returns: how many channels it lists; coupling channels are none.

    Source: ISO/IEC 14496-3 §4.4.1.1.
    """
    bits.skip(10, "element_instance_tag, object_type, sampling_frequency_index")
    speakers = sum(bits.u(4, "num_channel_elements") for _ in ("front", "side", "back"))
    low_frequency = bits.u(2, "num_lfe_channel_elements")
    data_elements = bits.u(3, "num_assoc_data_elements")
    coupling = bits.u(4, "num_valid_cc_elements")
    for width in (4, 4, 3):  # mono, stereo and matrix mixdown
        if bits.flag("mixdown_present"):
            bits.skip(width, "mixdown")
    channels = low_frequency
    for _ in range(speakers):
        channels += 2 if bits.flag("element_is_cpe") else 1
        bits.skip(4, "element_tag_select")
    bits.skip(4 * (low_frequency + data_elements) + 5 * coupling, "element tags")
    bits.align(start)
    bits.skip(8 * bits.u(8, "comment_field_bytes"), "comment_field_data")
    return channels


def _read_error_protection(bits: BitReader) -> None:
    if bits.u(2, "epConfig") > 1:
        raise bits.error("error protection is not supported")


def _read_extensions(bits: BitReader) -> tuple[bool | None, int, bool | None]:
    """Read what older decoders do not look at: SBR and PS behind the configuration."""
    if bits.remaining < 16 or bits.u(11, "syncExtensionType") != _SBR_EXTENSION:
        return None, 0, None
    if _read_object_type(bits) != SBR:
        return None, 0, None
    if not bits.flag("sbrPresentFlag"):
        return False, 0, None
    rate = _read_rate(bits)
    if bits.remaining < 12 or bits.u(11, "syncExtensionType") != _PS_EXTENSION:
        return True, rate, None
    return True, rate, bits.flag("psPresentFlag")


def build_audio_specific_config(
    sample_rate: int, channel_configuration: int, object_type: int = AAC_LC
) -> bytes:
    """Build an AudioSpecificConfig without extensions.

    :param sample_rate: in Hz; one that is not in the table is written out.
    :param object_type: 1 to 30.

    Source: ISO/IEC 14496-3 §1.6.2.1.
    """
    value, width = object_type, 5
    if sample_rate in SAMPLE_RATES:
        value, width = value << 4 | SAMPLE_RATES.index(sample_rate), width + 4
    else:
        value, width = value << 28 | EXPLICIT_RATE << 24 | sample_rate, width + 28
    value, width = value << 7 | channel_configuration << 3, width + 7  # three flags, all 0
    return (value << -width % 8).to_bytes((width + 7) // 8, "big")


def has_adts_header(frame: bytes | memoryview) -> bool:
    """Tell whether what should be a bare AAC frame brings an ADTS header (some cameras').

    A bare frame cannot begin like this: FFF would be its end, and something else.
    """
    return (
        len(frame) > ADTS_HEADER_BYTES
        and frame[0] == 0xFF
        and frame[1] & 0xF6 == 0xF0
        and (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5 <= len(frame)
    )


def parse_adts(data: bytes | memoryview) -> AdtsHeader:
    """Read the header of an ADTS frame.

    :raises WireError: no such header, reserved values, or several blocks in one frame.

    Source: ISO/IEC 14496-3 §1.A.2.2.
    """
    try:
        header = ADTS_HEADER.parse(bytes(data[:ADTS_HEADER_BYTES]))
    except ConstructError as error:
        raise WireError("no ADTS header", offset=0, source=_ADTS_SOURCE) from error
    size = ADTS_HEADER_BYTES if header.protection_absent else ADTS_HEADER_BYTES + 2
    index = header.sampling_frequency_index
    if index >= len(SAMPLE_RATES) or header.frame_length < size or header.raw_data_blocks_minus1:
        raise WireError(
            f"ADTS with rate index {index}, {header.frame_length} bytes, "
            f"{header.raw_data_blocks_minus1 + 1} blocks",
            offset=0,
            source=_ADTS_SOURCE,
        )
    configuration = header.channel_configuration
    config = AudioSpecificConfig(
        header.profile + 1, SAMPLE_RATES[index], configuration, CHANNELS.get(configuration, 0)
    )
    return AdtsHeader(config, size, header.frame_length)


def split_adts(data: bytes | memoryview) -> tuple[AdtsHeader, list[bytes]]:
    """Take ADTS frames apart.

    :returns: the header of the first, and the bare AAC frames.
    :raises WireError: a header is missing, or a frame is cut off.

    Source: ISO/IEC 14496-3 §1.A.2.2.
    """
    first = parse_adts(data)
    frames = []
    start = 0
    while start < len(data):
        header = parse_adts(data[start:])
        end = start + header.frame_bytes
        if end > len(data):
            raise WireError(
                f"ADTS frame up to byte {end} of {len(data)}", offset=start, source=_ADTS_SOURCE
            )
        frames.append(bytes(data[start + header.header_bytes : end]))
        start = end
    return first, frames
