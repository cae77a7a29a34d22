"""Opus: the header that files hold, and how long a packet lasts.

::

    OpusHead    "OpusHead" | version 8 | channels 8 | pre-skip 16 | rate 32 | gain 16 | family 8
                [streams 8 | coupled 8 | mapping 8 …]          numbers little endian
    packet      configuration 5 | stereo 1 | frame count code 2 | …
"""

from typing import NamedTuple

from construct import (
    Array,
    Const,
    ConstructError,
    If,
    Int8ub,
    Int16sl,
    Int16ul,
    Int32ul,
    Struct,
    this,
)

from axis_nvr.errors import WireError

#: The rate of Opus on the wire and of its RTP clock, in Hz, whatever the SDP says.
OPUS_RATE = 48_000
#: The longest packet, in samples of `OPUS_RATE`: 120 ms (RFC 6716 §3.2.5, R5).
MAX_PACKET_SAMPLES = 5760
_SOURCE = "RFC 7845 §5.1"

#: The identification header.
OPUS_HEAD = Struct(
    "magic" / Const(b"OpusHead"),
    "version" / Int8ub,
    "channels" / Int8ub,
    "pre_skip" / Int16ul,
    "input_sample_rate" / Int32ul,
    "output_gain" / Int16sl,
    "mapping_family" / Int8ub,
    "mapping"
    / If(
        this.mapping_family != 0,
        Struct(
            "stream_count" / Int8ub,
            "coupled_count" / Int8ub,
            "channel_mapping" / Array(this._.channels, Int8ub),
        ),
    ),
)
#: Samples in a frame of each configuration (RFC 6716 Table 2): SILK, hybrid, CELT.
_FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4


class OpusHead(NamedTuple):
    """The identification header.

    :ivar channels: 1 to 255.
    :ivar pre_skip: samples at 48 kHz that a decoder throws away at the start.
    :ivar input_sample_rate: in Hz, of the microphone; 0 is unknown. Nothing is decoded at it.
    """

    channels: int
    pre_skip: int
    input_sample_rate: int


def build_opus_head(
    channels: int, *, pre_skip: int = 0, input_sample_rate: int = OPUS_RATE
) -> bytes:
    """Build the header of a mono or stereo stream.

    :param channels: 1 or 2: as many as the SDP says (``opus/48000/1`` is against RFC 7587, and
        sent).
    :param pre_skip: samples at 48 kHz; 0 for a stream that is cut out of a longer one.

    Source: RFC 7845 §5.1.
    """
    head: bytes = OPUS_HEAD.build(
        {
            "version": 1,
            "channels": channels,
            "pre_skip": pre_skip,
            "input_sample_rate": input_sample_rate,
            "output_gain": 0,
            "mapping_family": 0,
            "mapping": None,
        }
    )
    return head


def parse_opus_head(data: bytes) -> OpusHead:
    """Read the header.

    :raises WireError: cut off, another version, or no channels.

    Source: RFC 7845 §5.1.
    """
    try:
        head = OPUS_HEAD.parse(data)
    except ConstructError as error:
        raise WireError(f"no OpusHead: {error}", offset=0, source=_SOURCE) from error
    if head.version > 15 or head.channels == 0:  # up to 15 is compatible with 1
        raise WireError(
            f"OpusHead version {head.version}, {head.channels} channels", offset=8, source=_SOURCE
        )
    return OpusHead(head.channels, head.pre_skip, head.input_sample_rate)


def packet_samples(packet: bytes | memoryview) -> int:
    """Tell how long an Opus packet lasts, in samples at 48 kHz.

    :raises WireError: empty, without frames, or longer than 120 ms.

    Source: RFC 6716 §3.1, §3.2.
    """
    if not packet:
        raise WireError("empty Opus packet", offset=0, source="RFC 6716 §3.1")
    frames = _frame_count(packet)
    samples = frames * _FRAME_SAMPLES[packet[0] >> 3]
    if not 0 < samples <= MAX_PACKET_SAMPLES:
        raise WireError(f"Opus packet of {frames} frames", offset=1, source="RFC 6716 §3.2.5")
    return samples


def _frame_count(packet: bytes | memoryview) -> int:
    code = packet[0] & 3
    if code == 3:
        return packet[1] & 0x3F if len(packet) > 1 else 0
    return 2 if code else 1
