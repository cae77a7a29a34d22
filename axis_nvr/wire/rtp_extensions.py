"""What RTP header extensions mean: ONVIF replay (absolute time) and RFC 8285 elements.

The ONVIF replay extension, behind its profile ``0xABAC`` and its length::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    NTP timestamp, 64 bits                     |
    |                                                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |C|E|D|T|  mbz  |     CSeq      |            padding            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Other profiles are skipped. They come at most once for each frame, so the descriptions are the
parsers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from construct import (
    BitsInteger,
    BitStruct,
    ConstructError,
    Flag,
    GreedyBytes,
    Int8ub,
    Int64ub,
    Padding,
    Struct,
)

from axis_nvr.wire.rtp import EXTENSION, HeaderExtension

#: Profile of the ONVIF replay extension (ONVIF Streaming Specification §6.2).
ONVIF_REPLAY = 0xABAC

#: Profile of RFC 8285 extensions with one-byte heads (§4.2); those with two bytes (§4.3) have
#: 0x1000 to 0x100F.
ONE_BYTE_ELEMENTS = 0xBEDE
TWO_BYTE_ELEMENTS = range(0x1000, 0x1010)

#: How ``a=extmap`` names the 24 bits of send time, 6 bits of seconds and 18 of their fraction.
ABS_SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"

#: What stands behind the length (ONVIF Streaming Specification §6.2). `rest` may hold JPEG
#: headers, in an extension of their own with profile 0xFFD8 or 0xFFFF (§5.1.3.1.3).
REPLAY_EXTENSION = Struct(
    "ntp_64" / Int64ub,
    "flags"
    / BitStruct(
        "clean_point" / Flag,
        "end_of_section" / Flag,
        "discontinuity" / Flag,
        "terminal" / Flag,
        "mbz" / BitsInteger(4),
    ),
    "cseq" / Int8ub,
    Padding(2),
    "rest" / GreedyBytes,
)


@dataclass(frozen=True, slots=True)
class ReplayExtension:
    """Absolute time and place of an access unit in a recording.

    :param ntp_64: when the camera took it, UTC, as NTP counts.
    :param clean_point: decoding can begin here (C).
    :param end_of_section: the last before something is missing (E).
    :param discontinuity: it does not follow its predecessor in time (D).
    :param terminal: nothing comes behind it (T).
    :param cseq: the low byte of the CSeq of the PLAY that it answers.
    :param rest: what follows, such as a JPEG extension; whole words.
    """

    ntp_64: int
    clean_point: bool = False
    end_of_section: bool = False
    discontinuity: bool = False
    terminal: bool = False
    cseq: int = 0
    rest: bytes = b""


def parse_replay(extension: HeaderExtension | None) -> ReplayExtension | None:
    """Read an ONVIF replay extension.

    :returns: None if it is none, or shorter than three words; readers go by the length and take
        a longer one too.

    Source: ONVIF Streaming Specification §6.2.
    """
    if extension is None or extension.profile != ONVIF_REPLAY:
        return None
    try:
        fields = REPLAY_EXTENSION.parse(extension.data)
    except ConstructError:
        return None
    return ReplayExtension(
        fields.ntp_64,
        fields.flags.clean_point,
        fields.flags.end_of_section,
        fields.flags.discontinuity,
        fields.flags.terminal,
        fields.cseq,
        fields.rest,
    )


def build_replay(replay: ReplayExtension) -> bytes:
    """Build a whole header extension, for `axis_nvr.wire.rtp.build_packet`.

    Source: ONVIF Streaming Specification §6.2.
    """
    flags = {
        "clean_point": replay.clean_point,
        "end_of_section": replay.end_of_section,
        "discontinuity": replay.discontinuity,
        "terminal": replay.terminal,
        "mbz": 0,
    }
    fields = {"ntp_64": replay.ntp_64, "flags": flags, "cseq": replay.cseq, "rest": replay.rest}
    data = REPLAY_EXTENSION.build(fields)
    return bytes(EXTENSION.build({"profile": ONVIF_REPLAY, "data": data}))


def elements(extension: HeaderExtension | None) -> Iterator[tuple[int, bytes]]:
    """Read the elements of an RFC 8285 extension: local identifier and data each.

    :returns: nothing for other profiles; the readable ones before a defect.

    Source: RFC 8285 §4.2, §4.3.
    """
    if extension is None:
        return
    if extension.profile == ONE_BYTE_ELEMENTS:
        yield from _one_byte_elements(extension.data)
    elif extension.profile in TWO_BYTE_ELEMENTS:
        yield from _two_byte_elements(extension.data)


def abs_send_time_us(extension: HeaderExtension | None, identifier: int) -> int | None:
    """Read when a packet was sent.

    :param identifier: the local one, from the ``a=extmap`` with `ABS_SEND_TIME_URI`.
    :returns: microseconds, wrapping at 64 s; None without.
    """
    for number, data in elements(extension):
        if number == identifier and len(data) == 3:
            return int.from_bytes(data, "big") * 1_000_000 >> 18
    return None


def _one_byte_elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(data):
        identifier, length = data[offset] >> 4, (data[offset] & 0x0F) + 1
        if identifier == 15:  # reserved: what follows is not to be read
            return
        if identifier == 0:  # padding, one byte
            offset += 1
            continue
        if offset + 1 + length > len(data):
            return
        yield identifier, data[offset + 1 : offset + 1 + length]
        offset += 1 + length


def _two_byte_elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(data):
        if data[offset] == 0:
            offset += 1
            continue
        if offset + 2 > len(data) or offset + 2 + data[offset + 1] > len(data):
            return
        yield data[offset], data[offset + 2 : offset + 2 + data[offset + 1]]
        offset += 2 + data[offset + 1]
