"""RTCP: compound packets there and back, and what cameras send instead."""

import contextlib
from dataclasses import asdict, astuple, fields
from typing import Any

from construct import Array, ConstructError, Container, Int32ub
from hypothesis import event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import rtcp
from axis_nvr.wire.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    Unknown,
    build_bye,
    build_receiver_report,
    build_sender_report,
    build_source_description,
    parse_compound,
)

WORD = st.integers(0, 2**32 - 1)
BLOCKS = st.lists(
    st.builds(
        ReportBlock,
        WORD,
        st.integers(0, 255),
        st.integers(-(2**23), 2**23 - 1),
        WORD,
        WORD,
        WORD,
        WORD,
    ),
    max_size=3,
).map(tuple)
PACKETS: st.SearchStrategy[RtcpPacket] = st.one_of(
    st.builds(SenderReport, WORD, st.integers(0, 2**64 - 1), WORD, WORD, WORD, BLOCKS),
    st.builds(ReceiverReport, WORD, BLOCKS),
    st.builds(Bye, st.lists(WORD, max_size=5).map(tuple), st.text("abc é", max_size=20)),
    st.builds(
        SourceDescription,
        st.tuples(WORD, st.text("abc@é", max_size=20)).map(lambda name: (name,)),
    ),
)


def build(packet: RtcpPacket) -> bytes:
    """One packet's bytes."""
    match packet:
        case SenderReport():
            return build_sender_report(packet)
        case ReceiverReport():
            return build_receiver_report(packet)
        case Bye(ssrcs, reason):
            return build_bye(ssrcs, reason)
        case SourceDescription(names):
            return build_source_description(*names[0])
        case Unknown():
            raise AssertionError(packet)


def damaged(content: bytes, data: st.DataObject) -> bytes:
    """The same cut, and with up to four bytes turned."""
    turned = bytearray(content)
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(turned) - 1))
        turned[place] = data.draw(st.integers(0, 255))
    return bytes(turned[: data.draw(st.integers(0, len(turned)))])


def described(packet: RtcpPacket) -> bytes:
    """The same by the descriptions."""
    match packet:
        case SenderReport():
            kind, count = rtcp.SENDER_REPORT, len(packet.blocks)
            body = rtcp.SENDER_INFO.build(asdict(packet)) + described_blocks(packet.blocks)
        case ReceiverReport():
            kind, count = rtcp.RECEIVER_REPORT, len(packet.blocks)
            body = Int32ub.build(packet.ssrc) + described_blocks(packet.blocks)
        case SourceDescription(((ssrc, name),)):
            kind, count = rtcp.SOURCE_DESCRIPTION, 1
            item = rtcp.SDES_ITEM.build({"item_type": rtcp.CNAME, "text": name.encode()})
            body = Int32ub.build(ssrc) + item + b"\0"
            body += bytes(-len(body) % 4)
        case _:
            return build(packet)
    first = {"version": 2, "padding": False, "count": count}
    head = {"first": first, "packet_type": kind, "length": len(body) // 4}
    return bytes(rtcp.HEAD.build(head)) + body


def described_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    """Report blocks by their description."""
    return b"".join(rtcp.REPORT_BLOCK.build(asdict(block)) for block in blocks)


def read_as_described(data: bytes) -> list[tuple[int, int, object]]:
    """What the descriptions make of a compound packet: kind, count, and the reports' fields."""
    found: list[tuple[int, int, object]] = []
    while len(data) >= 4:
        try:
            head = rtcp.HEAD.parse(data)
            body = data[4 : 4 + 4 * head.length]
            if head.first.padding and body and 0 < body[-1] <= len(body):
                body = body[: -body[-1]]
            found.append((head.packet_type, head.first.count, read_report(head, body)))
        except ConstructError:
            break
        data = data[4 + 4 * head.length :]
    return found


def read_report(head: Container[Any], body: bytes) -> object:
    """What the descriptions make of a sender or receiver report; None of others."""
    if head.packet_type == rtcp.SENDER_REPORT:
        info = rtcp.SENDER_INFO.parse(body)
        values = [info.ssrc, info.ntp_64, info.rtp_timestamp, info.packet_count, info.octet_count]
        rest = body[rtcp.SENDER_INFO.sizeof() :]
    elif head.packet_type == rtcp.RECEIVER_REPORT:
        values, rest = [Int32ub.parse(body)], body[4:]
    else:
        return None
    present = min(head.first.count, len(rest) // rtcp.REPORT_BLOCK.sizeof())
    names = [field.name for field in fields(ReportBlock)]
    blocks = Array(present, rtcp.REPORT_BLOCK).parse(rest)
    return values, [[block[name] for name in names] for block in blocks]


def shown(packet: RtcpPacket) -> object:
    """The fields of a report, as `read_report` gives them."""
    match packet:
        case SenderReport(blocks=blocks) | ReceiverReport(blocks=blocks):
            *values, _ = astuple(packet)
            return values, [list(astuple(block)) for block in blocks]
    return None


#: RFC 3550 §6.4.1 by hand: no blocks; NTP 2024-01-31T12:00:00.5Z.
SENDER_REPORT = bytes.fromhex("80c80006 cafebabe e964b4c0 80000000 00015f90 0000000a 000003e8")


class CompoundTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(st.lists(PACKETS, min_size=1, max_size=4))
    def test_there_and_back(self, packets: list[RtcpPacket]) -> None:
        """What is built is read back, whatever stands behind what."""
        data = b"".join(build(packet) for packet in packets)
        self.assertEqual(len(data) % 4, 0)
        self.assertEqual(parse_compound(data), packets)

    @settings(max_examples=50, deadline=None)
    @given(PACKETS)
    def test_builds_what_is_described(self, packet: RtcpPacket) -> None:
        """The fast path builds the bytes that the descriptions build."""
        self.assertEqual(build(packet), described(packet))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(PACKETS, min_size=1, max_size=3), st.data())
    def test_reads_what_is_described(self, packets: list[RtcpPacket], data: st.DataObject) -> None:
        """Both read the same of damaged packets, and stop at the same defect."""
        content = damaged(b"".join(build(packet) for packet in packets), data)
        try:
            found = parse_compound(content)
        except WireError:
            found = []
        expected = read_as_described(content)
        self.assertEqual([shown(packet) for packet in found], [it[2] for it in expected])
        event("refused" if not found else "read")

    def test_sender_report(self) -> None:
        """A sender report drawn by hand."""
        report = SenderReport(0xCAFEBABE, 0xE964B4C0_80000000, 90_000, 10, 1_000)
        self.assertEqual(parse_compound(SENDER_REPORT), [report])
        self.assertEqual(build_sender_report(report), SENDER_REPORT)

    def test_unknown_packets_are_kept(self) -> None:
        """An APP packet is passed on unread, and the BYE behind it is read."""
        data = bytes.fromhex("81cc0002 00000001 61626364") + build_bye([1])
        self.assertEqual(
            parse_compound(data),
            [Unknown(204, 1, bytes.fromhex("00000001 61626364")), Bye((1,))],
        )

    def test_padding(self) -> None:
        """Padding of the last packet is taken off (RFC 3550 §6.4.1)."""
        data = bytes.fromhex("a1cb0002 00000001 00000004")
        self.assertEqual(parse_compound(data), [Bye((1,))])

    @settings(max_examples=400, deadline=None)
    @given(st.lists(PACKETS, min_size=1, max_size=3), st.data())
    def test_damage(self, packets: list[RtcpPacket], data: st.DataObject) -> None:
        """Cut and turned bits: WireError or packets, no more of them than there were bytes for."""
        content = damaged(b"".join(build(packet) for packet in packets), data)
        with contextlib.suppress(WireError):
            self.assertLessEqual(len(parse_compound(content)), len(content) // 4)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=64))
    def test_noise(self, data: bytes) -> None:
        """Any bytes are read or refused with WireError."""
        with contextlib.suppress(WireError):
            self.assertTrue(parse_compound(data))

    def test_limits(self) -> None:
        """Too many bytes are refused; packets past the limit are left."""
        self.assertRaises(WireError, parse_compound, bytes(rtcp.MAX_RTCP_BYTES + 1))
        packets = parse_compound(build_bye([1]) * (rtcp.MAX_RTCP_PACKETS + 1))
        self.assertEqual(len(packets), rtcp.MAX_RTCP_PACKETS)


class CameraTests(SynchronousTestCase):
    """Quirk 23: RTCP is advisory, what is readable of it is read."""

    def test_hanwha_description_without_end(self) -> None:
        """Quirk 23: SDES items that no zero byte ends; the sender report before them counts."""
        description = bytes.fromhex("81ca0003 cafebabe 0106 68616e776861")
        packets = parse_compound(SENDER_REPORT + description)
        self.assertIsInstance(packets[0], SenderReport)
        self.assertEqual(packets[1], SourceDescription(((0xCAFEBABE, "hanwha"),)))

    def test_description_that_overruns(self) -> None:
        """Quirk 23: an item longer than its packet is taken as far as it goes."""
        packets = parse_compound(SENDER_REPORT + bytes.fromhex("81ca0002 cafebabe 01ff6162"))
        self.assertEqual(packets[1], SourceDescription(((0xCAFEBABE, "ab"),)))

    def test_edimax_short_packet(self) -> None:
        """Quirk 23: a sender report whose announced block is missing is read without it."""
        short = bytes.fromhex("81c8000c") + SENDER_REPORT[4:]
        self.assertEqual(parse_compound(short), parse_compound(SENDER_REPORT))

    def test_too_short_for_anything(self) -> None:
        """Quirk 23: a lone head, or a sender report without its time, is refused whole."""
        self.assertRaises(WireError, parse_compound, bytes.fromhex("80c8"))
        self.assertRaises(WireError, parse_compound, bytes.fromhex("80c80001 cafebabe"))
        self.assertRaises(WireError, parse_compound, b"")

    def test_garbage_behind_a_report(self) -> None:
        """Quirk 23: what follows a good packet may be anything."""
        self.assertEqual(len(parse_compound(SENDER_REPORT + b"\0\0\0\0\0")), 1)

    def test_sender_report_alone(self) -> None:
        """Quirk 23: neither SDES nor order is asked for."""
        packets = parse_compound(build_bye([1], "encoder restarts") + SENDER_REPORT)
        self.assertEqual(packets[0], Bye((1,), "encoder restarts"))
        self.assertIsInstance(packets[1], SenderReport)
