"""H.264 and H.265 into packets, read back as the RFCs draw them."""

from collections.abc import Callable

from construct import BitsInteger, BitStruct, Flag, GreedyBytes, GreedyRange, Int16ub, Struct
from construct import Prefixed as Sized
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.packetizers import h264, h265
from axis_nvr.session.packetizers.nal import MIN_PAYLOAD_BYTES

#: RFC 6184 §5.3, §5.8.
FU_A = Struct(
    "indicator" / BitStruct("f" / Flag, "nri" / BitsInteger(2), "kind" / BitsInteger(5)),
    "header" / BitStruct("s" / Flag, "e" / Flag, "r" / Flag, "kind" / BitsInteger(5)),
    "piece" / GreedyBytes,
)
#: RFC 7798 §1.1.4, §4.4.3.
H265_HEADER = BitStruct(
    "f" / Flag, "kind" / BitsInteger(6), "layer" / BitsInteger(6), "temporal" / BitsInteger(3)
)
FU = Struct(
    "outer" / H265_HEADER,
    "header" / BitStruct("s" / Flag, "e" / Flag, "kind" / BitsInteger(6)),
    "piece" / GreedyBytes,
)
AGGREGATED = GreedyRange(Sized(Int16ub, GreedyBytes))


def read_h264(payloads: list[bytes]) -> list[bytes]:
    """Put NAL units together again, asserting the rules of RFC 6184 §5.8 on the way."""
    units: list[bytes] = []
    open_unit: bytes | None = None
    for payload in payloads:
        kind = payload[0] & 31
        if kind == 28:
            packet = FU_A.parse(payload)
            assert not packet.header.r
            assert not (packet.header.s and packet.header.e)
            assert packet.header.s == (open_unit is None)
            if open_unit is None:
                flags = packet.indicator.f << 7 | packet.indicator.nri << 5
                open_unit = bytes((flags | packet.header.kind,))
            open_unit += packet.piece
            if packet.header.e:
                units.append(open_unit)
                open_unit = None
        elif kind == 24:
            assert open_unit is None
            units += AGGREGATED.parse(payload[1:])
        else:
            assert open_unit is None
            units.append(payload)
    assert open_unit is None
    return units


def read_h265(payloads: list[bytes]) -> list[bytes]:
    """The same after RFC 7798 §4.4.3."""
    units: list[bytes] = []
    open_unit: bytes | None = None
    for payload in payloads:
        kind = payload[0] >> 1 & 63
        if kind == 49:
            packet = FU.parse(payload)
            assert not (packet.header.s and packet.header.e)
            assert packet.header.s == (open_unit is None)
            if open_unit is None:
                outer = {k: packet.outer[k] for k in ("f", "layer", "temporal")}
                open_unit = H265_HEADER.build({**outer, "kind": packet.header.kind})
            open_unit += packet.piece
            if packet.header.e:
                units.append(open_unit)
                open_unit = None
        elif kind == 48:
            assert open_unit is None
            units += AGGREGATED.parse(payload[2:])
        else:
            assert open_unit is None
            units.append(payload)
    assert open_unit is None
    return units


def nal_units(header: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Units of a few bytes, and some of several packets."""
    body = st.one_of(
        st.binary(max_size=40),
        st.builds(lambda n, b: b * n, st.integers(1, 900), st.binary(min_size=1, max_size=4)),
    )
    return st.lists(st.builds(bytes.__add__, header, body), max_size=8)


H264_UNITS = nal_units(
    st.integers(0, 255).filter(lambda b: 0 < b & 31 < 24).map(lambda b: bytes([b]))
)
H265_UNITS = nal_units(
    st.builds(
        lambda kind, layer, temporal: H265_HEADER.build(
            {"f": False, "kind": kind, "layer": layer, "temporal": temporal}
        ),
        st.integers(0, 47),
        st.integers(0, 63),
        st.integers(1, 7),
    )
)


class H264Tests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(H264_UNITS, st.integers(MIN_PAYLOAD_BYTES, 1500), st.booleans())
    def test_what_goes_in_comes_out(self, units: list[bytes], limit: int, aggregate: bool) -> None:
        """Whatever the sizes, the units come out whole and no payload passes the limit."""
        payloads = h264.packetize(units, limit, aggregate=aggregate)
        self.assertEqual(read_h264(payloads), units)
        self.assertTrue(all(0 < len(payload) <= limit for payload in payloads))

    def test_parameter_sets_go_alone_like_a_camera_sends_them(self) -> None:
        """Without aggregation each unit has its own packet."""
        units = [b"\x67\x64\x00", b"\x68\xee", b"\x65" + bytes(20)]
        self.assertEqual(h264.packetize(units, 1400), units)

    def test_stap_a_takes_the_highest_importance(self) -> None:
        """A STAP-A bears the highest NRI of its units."""
        (payload,) = h264.packetize([b"\x01a", b"\x47b", b"\x21c"], 100, aggregate=True)
        self.assertEqual(payload, b"\x58\0\2\x01a\0\2\x47b\0\2\x21c")

    def test_fragments_of_known_bytes(self) -> None:
        """A unit of 130 bytes in payloads of 64 is three fragments."""
        payloads = h264.packetize([b"\x65" + b"x" * 129], 64)
        self.assertEqual([p[:2].hex() for p in payloads], ["7c85", "7c05", "7c45"])
        self.assertEqual([len(p) for p in payloads], [64, 64, 7])


class H265Tests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(H265_UNITS, st.integers(MIN_PAYLOAD_BYTES, 1500), st.booleans())
    def test_what_goes_in_comes_out(self, units: list[bytes], limit: int, aggregate: bool) -> None:
        """Whatever the sizes, the units come out whole and no payload passes the limit."""
        payloads = h265.packetize(units, limit, aggregate=aggregate)
        self.assertEqual(read_h265(payloads), units)
        self.assertTrue(all(0 < len(payload) <= limit for payload in payloads))

    def test_ap_takes_the_lowest_layer_and_temporal_id(self) -> None:
        """An aggregation packet bears the lowest ids of its units."""
        units = [b"\x41\x0ba", b"\x40\x12b"]  # layer 33, temporal 3; layer 2, temporal 2
        (payload,) = h265.packetize(units, 100, aggregate=True)
        self.assertEqual(payload[:2], b"\x60\x12")

    def test_fragments_of_known_bytes(self) -> None:
        """An IDR of 130 bytes in payloads of 64 is three fragments."""
        payloads = h265.packetize([b"\x26\x01" + b"x" * 128], 64)
        self.assertEqual([p[:3].hex() for p in payloads], ["620193", "620113", "620153"])


class SharedRuleTests(SynchronousTestCase):
    def test_progress_is_made_at_any_limit(self) -> None:
        """A packet size that leaves no room is raised to the least that does."""
        makers: list[Callable[..., list[bytes]]] = [h264.packetize, h265.packetize]
        for packetize in makers:
            payloads = packetize([b"\x26\x01" + bytes(200)], 0)
            self.assertEqual(max(map(len, payloads)), MIN_PAYLOAD_BYTES)

    def test_nothing_gives_nothing(self) -> None:
        """No unit, no packet; empty units are passed over."""
        self.assertEqual(h264.packetize([], 1400), [])
        self.assertEqual(h264.packetize([b"", b"\x09\xf0"], 1400), [b"\x09\xf0"])
