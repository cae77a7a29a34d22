"""RTCP packets (RFC 3550 §6): sender and receiver reports, source descriptions, BYE.

::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |V=2|P|  count  |  packet type  |    length in words, less one  |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Several packets stand one behind another in a compound packet. A camera's come once in some seconds,
and yet construct, at 330 µs for a report read and one built, took a twentieth of all that recording
16 cameras costs. So what every report has goes by the fast paths beside its description, in 9 µs.

Cameras' RTCP is advisory: it may be absent, short (Edimax), not end its SDES items (Hanwha), name
an SSRC nobody knows (Tapo). What is readable before a defect is used, the rest is left.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from construct import (
    Array,
    BitsInteger,
    BitStruct,
    Const,
    Flag,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int24sb,
    Int32ub,
    Int64ub,
    PascalString,
    Prefixed,
    Struct,
)

from axis_nvr.errors import WireError
from axis_nvr.wire.rtp import Buffer

#: A compound packet past this is refused, in bytes. Real ones have 50 to 200.
MAX_RTCP_BYTES = 65_536

#: Packets of a compound packet past these are not read. Real ones have two or three.
MAX_RTCP_PACKETS = 64

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, BYE = 200, 201, 202, 203
#: The padding bit in the first byte of a packet.
PADDING = 0x20
#: The SDES item that names a participant (RFC 3550 §6.5.1).
CNAME = 1

#: What each packet begins with (RFC 3550 §6.4.1). `length` counts words, these four bytes aside.
HEAD = Struct(
    "first"
    / BitStruct("version" / Const(2, BitsInteger(2)), "padding" / Flag, "count" / BitsInteger(5)),
    "packet_type" / Int8ub,
    "length" / Int16ub,
)

#: What a sender says of itself (RFC 3550 §6.4.1).
SENDER_INFO = Struct(
    "ssrc" / Int32ub,
    "ntp_64" / Int64ub,
    "rtp_timestamp" / Int32ub,
    "packet_count" / Int32ub,
    "octet_count" / Int32ub,
)

#: A reception report about one source (RFC 3550 §6.4.1).
REPORT_BLOCK = Struct(
    "ssrc" / Int32ub,
    "fraction_lost" / Int8ub,
    "cumulative_lost" / Int24sb,
    "extended_highest_sequence_number" / Int32ub,
    "jitter" / Int32ub,
    "last_sender_report" / Int32ub,
    "delay_since_last_sender_report" / Int32ub,
)

#: An SDES item (RFC 3550 §6.5); a list of them ends with a byte 0 instead.
SDES_ITEM = Struct("item_type" / Int8ub, "text" / Prefixed(Int8ub, GreedyBytes))

_HEAD = struct.Struct("!BBH")
_SENDER_INFO = struct.Struct("!IQIII")
_REPORT_BLOCK = struct.Struct("!IB3sIIII")
_SSRC = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about one source.

    :param ssrc: of that source.
    :param fraction_lost: since the last report, in 256ths.
    :param cumulative_lost: packets, since the start; 24 bits, signed.
    :param extended_highest_sequence_number: 16 bits of turns, 16 bits of sequence number.
    :param jitter: in ticks of the media clock.
    :param last_sender_report: the middle 32 bits of its NTP time, 0 if there was none.
    :param delay_since_last_sender_report: in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int = 0
    cumulative_lost: int = 0
    extended_highest_sequence_number: int = 0
    jitter: int = 0
    last_sender_report: int = 0
    delay_since_last_sender_report: int = 0


@dataclass(frozen=True, slots=True)
class SenderReport:
    """A source's own clock, and what it has sent.

    :param ntp_64: wall-clock time of the sender; 0 where it has none.
    :param rtp_timestamp: the same moment on the media clock, 32 bits.
    :param packet_count: since the start, 32 bits.
    :param octet_count: of payload, since the start, 32 bits.
    :param blocks: what it says about sources it receives.
    """

    ssrc: int
    ntp_64: int
    rtp_timestamp: int
    packet_count: int = 0
    octet_count: int = 0
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """What a participant that sends nothing says about the sources it receives."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """Names of sources: (SSRC, CNAME) each; the CNAME is empty where only others are given."""

    names: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Bye:
    """Sources that end, and why, in the sender's words."""

    ssrcs: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Any other packet, such as APP (204) or feedback (205, 206); `data` is behind its head."""

    packet_type: int
    count: int
    data: bytes


RtcpPacket: TypeAlias = SenderReport | ReceiverReport | SourceDescription | Bye | Unknown


def parse_compound(data: Buffer) -> list[RtcpPacket]:
    """Read the packets of a datagram or interleaved frame, up to the first defect.

    The rules for the order of packets (§6.1) are not asked for: cameras send sender reports
    alone, and RFC 5506 allows it.

    :returns: at least one packet, at most `MAX_RTCP_PACKETS`.
    :raises WireError: not even the first can be read.

    Source: RFC 3550 §6.1 to §6.6, §A.2.
    """
    if len(data) > MAX_RTCP_BYTES:
        raise WireError(f"RTCP of {len(data)} bytes", source="MAX_RTCP_BYTES")
    content = bytes(data)
    packets: list[RtcpPacket] = []
    offset = 0
    while offset + 4 <= len(content) and len(packets) < MAX_RTCP_PACKETS:
        first, packet_type, length = _HEAD.unpack_from(content, offset)
        if first >> 6 != 2:
            break
        end = offset + 4 + 4 * length
        # Edimax: the last packet is shorter than it says; what is there is read
        body = content[offset + 4 : end]
        if first & PADDING and body and 0 < body[-1] <= len(body):
            body = body[: -body[-1]]
        packet = _parse_body(packet_type, first & 0x1F, body)
        if packet is None:
            break
        packets.append(packet)
        offset = end
    if not packets:
        raise WireError("no RTCP packet", offset=0, source="RFC 3550 §6.4.1")
    return packets


def build_sender_report(report: SenderReport) -> bytes:
    """Build a sender report packet."""
    info = _SENDER_INFO.pack(
        report.ssrc,
        report.ntp_64,
        report.rtp_timestamp,
        report.packet_count,
        report.octet_count,
    )
    return _build(SENDER_REPORT, len(report.blocks), info + _build_blocks(report.blocks))


def build_receiver_report(report: ReceiverReport) -> bytes:
    """Build a receiver report packet."""
    body = _SSRC.pack(report.ssrc) + _build_blocks(report.blocks)
    return _build(RECEIVER_REPORT, len(report.blocks), body)


def build_source_description(ssrc: int, cname: str) -> bytes:
    """Build a source description of one source with its CNAME, of at most 255 bytes."""
    text = cname.encode()[:255]
    chunk = _SSRC.pack(ssrc) + bytes((CNAME, len(text))) + text + b"\0"
    return _build(SOURCE_DESCRIPTION, 1, chunk + bytes(-len(chunk) % 4))


def build_bye(ssrcs: Iterable[int], reason: str = "") -> bytes:
    """Build a BYE packet for up to 31 sources."""
    sources = list(ssrcs)
    body = Array(len(sources), Int32ub).build(sources)
    if reason:
        body += PascalString(Int8ub, "utf-8").build(reason[:60])
    return _build(BYE, len(sources), body + bytes(-len(body) % 4))


def _parse_body(packet_type: int, count: int, body: bytes) -> RtcpPacket | None:
    """Read what follows the head.

    :returns: None if what must be there is not.
    """
    if packet_type == SENDER_REPORT:
        if len(body) < _SENDER_INFO.size:
            return None
        ssrc, ntp_64, rtp_timestamp, packet_count, octet_count = _SENDER_INFO.unpack_from(body)
        blocks = _parse_blocks(count, body[_SENDER_INFO.size :])
        return SenderReport(ssrc, ntp_64, rtp_timestamp, packet_count, octet_count, blocks)
    if packet_type == RECEIVER_REPORT:
        if len(body) < _SSRC.size:
            return None
        (ssrc,) = _SSRC.unpack_from(body)
        return ReceiverReport(ssrc, _parse_blocks(count, body[_SSRC.size :]))
    if packet_type == SOURCE_DESCRIPTION:
        return SourceDescription(tuple(_parse_names(count, body)))
    if packet_type == BYE:
        present = min(count, len(body) // 4)
        reason = body[4 * present + 1 :][: body[4 * present]] if len(body) > 4 * present else b""
        return Bye(tuple(Array(present, Int32ub).parse(body)), reason.decode("utf-8", "replace"))
    return Unknown(packet_type, count, body)


def _parse_blocks(count: int, body: bytes) -> tuple[ReportBlock, ...]:
    """Read as many report blocks as are announced and there."""
    size = _REPORT_BLOCK.size
    blocks = _REPORT_BLOCK.iter_unpack(body[: size * min(count, len(body) // size)])
    return tuple(
        ReportBlock(ssrc, fraction, int.from_bytes(lost, "big", signed=True), *others)
        for ssrc, fraction, lost, *others in blocks
    )


def _parse_names(count: int, body: bytes) -> Iterator[tuple[int, str]]:
    """Read the chunks of a source description; Hanwha's last one has no end, and needs none."""
    offset = 0
    for _ in range(count):
        if offset + 4 > len(body):
            return
        (ssrc,) = _SSRC.unpack_from(body, offset)
        name, offset = _parse_items(body, offset + 4)
        yield ssrc, name


def _parse_items(body: bytes, offset: int) -> tuple[str, int]:
    """Read the items of one chunk.

    :returns: the CNAME, and where the next chunk begins.
    """
    name = ""
    while offset + 2 <= len(body) and body[offset]:
        text = body[offset + 2 : offset + 2 + body[offset + 1]]
        if body[offset] == CNAME:
            name = text.decode("utf-8", "replace")
        offset += 2 + body[offset + 1]
    return name, (offset + 4) & ~3


def _build(packet_type: int, count: int, body: bytes) -> bytes:
    return _HEAD.pack(2 << 6 | count, packet_type, len(body) // 4) + body


def _build_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _REPORT_BLOCK.pack(
            block.ssrc,
            block.fraction_lost,
            block.cumulative_lost.to_bytes(3, "big", signed=True),
            block.extended_highest_sequence_number,
            block.jitter,
            block.last_sender_report,
            block.delay_since_last_sender_report,
        )
        for block in blocks
    )
