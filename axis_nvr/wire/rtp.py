"""RTP data packets (RFC 3550 §5.1), and the bytes of their header extension (§5.3.1).

::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                           timestamp                           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                             SSRC                              |
    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
    |                   CSRC, CC times (0 to 15)                    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |    X: profile of extension    |     its length in words       |
    |                   the words of the extension                  |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   payload, then, if P, padding whose last byte counts it      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

What an extension means is told by `axis_nvr.wire.rtp_extensions`.
"""

import struct
from typing import NamedTuple, TypeAlias

from construct import (
    Array,
    BitsInteger,
    BitStruct,
    Bytes,
    Check,
    Computed,
    Const,
    Flag,
    GreedyBytes,
    If,
    Int16ub,
    Int32ub,
    Rebuild,
    Struct,
    this,
)

from axis_nvr.errors import WireError

#: What a packet may come in as: a datagram, or a slice of a TCP read.
Buffer: TypeAlias = bytes | bytearray | memoryview

#: The header extension (RFC 3550 §5.3.1). `length` counts 32-bit words, these four bytes excluded.
EXTENSION = Struct(
    "profile" / Int16ub,
    "length" / Rebuild(Int16ub, lambda e: len(e.data) // 4),
    "data" / Bytes(this.length * 4),
)

#: An RTP data packet (RFC 3550 §5.1); `parse_packet` is the fast path of its reading. To build
#: one, give ``rest``: the payload with its padding.
PACKET = Struct(
    "first"
    / BitStruct(
        "version" / Const(2, BitsInteger(2)),
        "padding" / Flag,
        "extension" / Flag,
        "csrc_count" / BitsInteger(4),
        "marker" / Flag,
        "payload_type" / BitsInteger(7),
    ),
    "sequence_number" / Int16ub,
    "timestamp" / Int32ub,
    "ssrc" / Int32ub,
    "csrcs" / Array(this.first.csrc_count, Int32ub),
    "extension" / If(this.first.extension, EXTENSION),
    "rest" / GreedyBytes,
    Check(lambda p: not p.first.padding or (p.rest and 0 < p.rest[-1] <= len(p.rest))),
    "payload" / Computed(lambda p: p.rest[: -p.rest[-1] if p.first.padding else None]),
)
_FIXED = struct.Struct("!BBHII")
_EXTENSION_HEAD = struct.Struct("!HH")


class RtpPacket(NamedTuple):
    """One RTP packet, as far as each packet is looked at.

    :ivar marker: the meaning is the payload format's; for video the last packet of a picture.
    :ivar payload_type: 0 to 127.
    :ivar sequence_number: 16 bits, wraps.
    :ivar timestamp: in ticks of the media clock, 32 bits, wraps.
    :ivar ssrc: the synchronisation source.
    :ivar payload: a view into the bytes given, padding removed.
    """

    marker: bool
    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: memoryview


class HeaderExtension(NamedTuple):
    """A header extension, not yet interpreted.

    :ivar profile: the 16 bits "defined by profile", such as ``0xABAC``.
    :ivar data: what stands behind the length, whole words.
    """

    profile: int
    data: bytes


def parse_packet(data: Buffer) -> RtpPacket:
    """Read one RTP packet without copying its payload.

    :param data: one whole datagram or interleaved frame, header first.
    :returns: the fields. ``timestamp`` counts the media clock (90 kHz for video) and
        wraps at 32 bits; ``payload`` is a view into `data`, padding removed.
    :raises WireError: truncated, not version 2, or padding out of range.

    Source: RFC 3550 §5.1, §5.3.1.
    """
    size = len(data)
    if size < 12 or data[0] >> 6 != 2:
        raise WireError("no RTP version 2 header", offset=0, source="RFC 3550 §5.1")
    first, second, sequence_number, timestamp, ssrc = _FIXED.unpack_from(data)
    start, end = 12 + 4 * (first & 0x0F), size
    if first & 0x10:  # length in 32-bit words, the extension's own four bytes excluded
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:  # the last byte counts the padding, itself included; 0 is invalid
        end -= data[-1] or size
    if start > end:
        raise WireError("header overruns packet", offset=end, source="RFC 3550 §5.1")
    view = memoryview(data)[start:end]
    return RtpPacket(second > 127, second & 127, sequence_number, timestamp, ssrc, view)


def parse_extension(data: Buffer) -> HeaderExtension | None:
    """Read the header extension of a packet that `parse_packet` accepts.

    :param data: the whole packet, as given to `parse_packet`.
    :returns: the extension, copied; None without one, or where it does not fit the packet.

    Source: RFC 3550 §5.3.1.
    """
    if len(data) < 16 or not data[0] & 0x10:
        return None
    start = 12 + 4 * (data[0] & 0x0F)
    if start + 4 > len(data):
        return None
    profile, words = _EXTENSION_HEAD.unpack_from(data, start)
    content = bytes(data[start + 4 : start + 4 + 4 * words])
    return HeaderExtension(profile, content) if len(content) == 4 * words else None


def build_packet(
    *,
    marker: bool,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    extension: bytes = b"",
) -> bytes:
    """Build one RTP packet without CSRCs or padding.

    :param sequence_number: taken modulo 2¹⁶.
    :param timestamp: taken modulo 2³².
    :param extension: a whole header extension, its four-byte head included; empty for none.

    Source: RFC 3550 §5.1.
    """
    head = _FIXED.pack(
        0x90 if extension else 0x80,
        (0x80 if marker else 0) | payload_type & 0x7F,
        sequence_number & 0xFFFF,
        timestamp & 0xFFFFFFFF,
        ssrc & 0xFFFFFFFF,
    )
    return b"".join((head, extension, payload))
