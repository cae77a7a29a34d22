"""RTP packets: the fast path equals the description; extensions; what cameras send."""

from construct import ConstructError
from hypothesis import event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import rtp_extensions
from axis_nvr.wire.rtp import (
    EXTENSION,
    PACKET,
    HeaderExtension,
    build_packet,
    parse_extension,
    parse_packet,
)
from axis_nvr.wire.rtp_extensions import (
    ReplayExtension,
    abs_send_time_us,
    build_replay,
    elements,
    parse_replay,
)

WORDS = st.binary(max_size=32).map(lambda data: data[: len(data) & ~3])


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Packets built from the description, half of them then cut, grown or with a bit turned."""
    csrcs = draw(st.lists(st.integers(0, 2**32 - 1), max_size=15))
    extension = draw(st.none() | st.tuples(st.integers(0, 0xFFFF), WORDS))
    rest = draw(st.binary(max_size=64))
    if padding := draw(st.booleans()):
        rest += bytes(draw(st.integers(0, 9)))
        rest += bytes([draw(st.integers(1, len(rest) + 1))])
    data: bytes = PACKET.build(
        {
            "first": {
                "padding": padding,
                "extension": extension is not None,
                "csrc_count": len(csrcs),
                "marker": draw(st.booleans()),
                "payload_type": draw(st.integers(0, 127)),
            },
            "sequence_number": draw(st.integers(0, 0xFFFF)),
            "timestamp": draw(st.integers(0, 2**32 - 1)),
            "ssrc": draw(st.integers(0, 2**32 - 1)),
            "csrcs": csrcs,
            "extension": extension and {"profile": extension[0], "data": extension[1]},
            "rest": rest,
        }
    )
    match draw(st.integers(0, 5)):
        case 0:
            return data[: draw(st.integers(0, len(data)))]
        case 1:
            place = draw(st.integers(0, 8 * len(data) - 1))
            turned = bytearray(data)
            turned[place // 8] ^= 1 << place % 8
            return bytes(turned)
        case 2:
            return data + draw(st.binary(max_size=8))
    return data


def described(data: bytes) -> tuple[object, ...] | None:
    """What the description reads; None where it refuses."""
    try:
        p = PACKET.parse(data)
    except ConstructError:
        return None
    fields = (p.first.marker, p.first.payload_type, p.sequence_number, p.timestamp, p.ssrc)
    extension = p.extension and HeaderExtension(p.extension.profile, p.extension.data)
    return (*fields, p.payload, extension)


def fast(data: bytes | memoryview) -> tuple[object, ...] | None:
    """What the fast path reads; None where it refuses."""
    try:
        packet = parse_packet(data)
    except WireError:
        return None
    return (*packet[:-1], bytes(packet.payload), parse_extension(data))


class FastPathTests(SynchronousTestCase):
    @settings(max_examples=600, deadline=None)
    @given(packets())
    def test_reads_what_is_described(self, data: bytes) -> None:
        """Both accept the same bytes, with the same fields, or both refuse."""
        expected = described(data)
        event("refused" if expected is None else "accepted")
        self.assertEqual(fast(data), expected)

    @settings(max_examples=100, deadline=None)
    @given(packets())
    def test_kinds_of_buffers(self, data: bytes) -> None:
        """A view into a larger buffer, and a bytearray, are read as bytes are."""
        around = b"$\0\0\0" + data + b"$"
        self.assertEqual(fast(memoryview(around)[4:-1]), fast(data))
        self.assertEqual(fast(memoryview(bytearray(data))), fast(data))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=80))
    def test_noise(self, data: bytes) -> None:
        """Any bytes are read or refused with WireError, nothing else."""
        self.assertEqual(fast(data), described(data))

    def test_every_cut(self) -> None:
        """A packet with all parts, cut at each offset, is refused or read as described."""
        extension = bytes.fromhex("abac0001 01020304")
        data = bytes.fromhex("b1e0 fffe 00000001 00000002 00000003") + extension + b"abc\0\0\3"
        for end in range(len(data) + 1):
            self.assertEqual(fast(data[:end]), described(data[:end]), end)
        self.assertEqual(bytes(parse_packet(data).payload), b"abc")


class PacketTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(
        st.booleans(),
        st.integers(0, 127),
        st.integers(0, 0xFFFF),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=100),
        st.none() | WORDS,
    )
    def test_built_packets_are_read_back(
        self,
        marker: bool,
        payload_type: int,
        sequence_number: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
        words: bytes | None,
    ) -> None:
        """What `build_packet` builds, `parse_packet` reads."""
        extension = b"" if words is None else EXTENSION.build({"profile": 7, "data": words})
        data = build_packet(
            marker=marker,
            payload_type=payload_type,
            sequence_number=sequence_number,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=payload,
            extension=extension,
        )
        packet = parse_packet(data)
        self.assertEqual(packet[:-1], (marker, payload_type, sequence_number, timestamp, ssrc))
        self.assertEqual(packet.payload, payload)
        self.assertEqual(parse_extension(data), words if words is None else (7, words))

    def test_the_payload_is_a_view(self) -> None:
        """The payload is not copied."""
        data = bytearray(
            build_packet(
                marker=True, payload_type=96, sequence_number=1, timestamp=2, ssrc=3, payload=b"abc"
            )
        )
        packet = parse_packet(data)
        data[-1] = ord("d")
        self.assertEqual(packet.payload, b"abd")

    def test_numbers_wrap_when_built(self) -> None:
        """Sequence number and timestamp may be given unwrapped."""
        data = build_packet(
            marker=False,
            payload_type=0,
            sequence_number=65537,
            timestamp=2**32 + 5,
            ssrc=0,
            payload=b"",
        )
        self.assertEqual(parse_packet(data)[2:4], (1, 5))

    def test_geovision_extension_and_foreign_payload_type(self) -> None:
        """Quirk 27: a packet of type 50 with an extension between those of type 96 is read."""
        data = bytes.fromhex("9032 0064 00015f90 cafebabe 4756 0002 0001020304050607 aabb")
        packet = parse_packet(data)
        self.assertEqual((packet.payload_type, packet.sequence_number), (50, 100))
        self.assertEqual(packet.payload, b"\xaa\xbb")
        self.assertEqual(parse_extension(data), (0x4756, bytes(range(8))))

    def test_tapo_large_packet(self) -> None:
        """Quirk 27: a packet of 10 000 bytes is read."""
        data = bytes.fromhex("8060 0064 00015f90 cafebabe") + b"\x65" * 9988
        self.assertEqual(len(parse_packet(data).payload), 9988)


class ExtensionTests(SynchronousTestCase):
    #: Drawn by hand from the table of the ONVIF Streaming Specification §6.2: C and D set.
    REPLAY = bytes.fromhex("abac0003 e0000000 80000000 a0 07 0000")

    def packet(self, extension: bytes) -> bytes:
        return build_packet(
            marker=True,
            payload_type=96,
            sequence_number=1,
            timestamp=2,
            ssrc=3,
            payload=b"x",
            extension=extension,
        )

    def test_replay(self) -> None:
        """The ONVIF replay extension tells time, flags and CSeq."""
        replay = parse_replay(parse_extension(self.packet(self.REPLAY)))
        self.assertEqual(
            replay,
            ReplayExtension(0xE0000000_80000000, clean_point=True, discontinuity=True, cseq=7),
        )
        assert replay is not None
        self.assertEqual(build_replay(replay), self.REPLAY)

    def test_replay_with_jpeg_headers_behind(self) -> None:
        """A longer one is read by its length, the rest given back whole."""
        rest = bytes.fromhex("ffd80001 ffdb0002")
        data = build_replay(ReplayExtension(1, end_of_section=True, terminal=True, rest=rest))
        replay = parse_replay(parse_extension(self.packet(data)))
        self.assertEqual(replay, ReplayExtension(1, end_of_section=True, terminal=True, rest=rest))

    def test_short_or_other_extension_is_no_replay(self) -> None:
        """Too few words, another profile, no extension: None."""
        self.assertIsNone(parse_replay(HeaderExtension(0xABAC, bytes(8))))
        self.assertIsNone(parse_replay(HeaderExtension(0xABAD, bytes(12))))
        self.assertIsNone(parse_replay(parse_extension(self.packet(b""))))

    def test_abs_send_time(self) -> None:
        """The send time is found among other elements, by the identifier of the SDP."""
        data = bytes.fromhex("bede0003 10aa 00 32 800000 00 21 0102 0000")[: 4 + 12]
        extension = parse_extension(self.packet(data))
        self.assertEqual(list(elements(extension)), [(1, b"\xaa"), (3, b"\x80\0\0"), (2, b"\1\2")])
        self.assertEqual(abs_send_time_us(extension, 3), 32_000_000)
        self.assertIsNone(abs_send_time_us(extension, 2))
        self.assertIsNone(abs_send_time_us(None, 3))

    def test_two_byte_elements(self) -> None:
        """RFC 8285 §4.3: identifier and length in a byte each."""
        extension = HeaderExtension(0x1000, bytes.fromhex("0103 040000 00 0500"))
        self.assertEqual(list(elements(extension)), [(1, b"\4\0\0"), (5, b"")])
        self.assertEqual(abs_send_time_us(extension, 1), 1_000_000)

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from([rtp_extensions.ONVIF_REPLAY, 0xBEDE, 0x1000, 0x1234]),
        st.binary(max_size=40),
    )
    def test_noise(self, profile: int, data: bytes) -> None:
        """Any extension is read or skipped; no more comes out than went in."""
        extension = HeaderExtension(profile, data)
        parse_replay(extension)
        found = list(elements(extension))
        self.assertLessEqual(sum(len(content) for _, content in found), len(data))
