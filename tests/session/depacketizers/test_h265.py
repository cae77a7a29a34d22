"""H.265 out of RTP: packet structures, and what differs from H.264."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.session.depacketizers.base import Frame
from axis_nvr.session.depacketizers.h265 import H265Depacketizer
from axis_nvr.wire.nal import split_sample
from tests.session.depacketizers.payloads import (
    H265_IDR,
    H265_LATER_P,
    H265_P,
    H265_PPS,
    H265_SPS,
    H265_VPS,
    Packet,
    ap,
    datas,
    feed,
    fu,
    marked,
    sample,
    video,
)

SETS = (H265_VPS, H265_SPS, H265_PPS)
SEI = bytes.fromhex("4e01 0504 80000000 80")
AUD = bytes.fromhex("4601 10")
IDR_NAL = H265_IDR + bytes(range(16, 60))
P_NAL = H265_P + bytes(range(60, 100))
LATER_NAL = H265_LATER_P + bytes(range(100, 140))


def depacketizer(
    *, warm: bool = True, sets: tuple[bytes, ...] = SETS, has_don: bool = False
) -> H265Depacketizer:
    """One that has, if `warm`, learnt that the marker can be trusted."""
    made = H265Depacketizer(sets, has_don=has_don)
    if warm:
        first = H265_P + b"\0\0" + P_NAL[2:] if has_don else P_NAL
        feed(made, [(first, 1, True), (first, 2, True)], end=False)
    return made


class StructureTests(SynchronousTestCase):
    def test_single(self) -> None:
        """A packet that is a NAL unit becomes a sample with its length in front."""
        (frame,) = feed(depacketizer(), [(IDR_NAL, 3000, True)])
        self.assertEqual(frame.data, sample(IDR_NAL))
        self.assertTrue(frame.sync)

    def test_ap(self) -> None:
        """Aggregated NAL units are taken apart, an empty one is passed over."""
        (frame,) = feed(depacketizer(), [(ap(AUD, b"", SEI, P_NAL), 3000, True)])
        self.assertEqual(frame.data, sample(AUD, SEI, P_NAL))
        self.assertFalse(frame.sync)

    def test_fu_of_every_size(self) -> None:
        """A fragmented NAL unit is put together, whatever the size of its fragments."""
        for size in range(1, len(IDR_NAL) - 2):
            frames = feed(depacketizer(), marked([SEI, *fu(IDR_NAL, size)], 3000))
            self.assertEqual(datas(frames), [sample(SEI, IDR_NAL)])

    def test_donl(self) -> None:
        """Decoding order numbers are passed over where the SDP says that they are there."""
        single = IDR_NAL[:2] + b"\x12\x34" + IDR_NAL[2:]
        aggregate = ap(SEI, AUD, P_NAL, donl=b"\x12\x34", dond=b"\x01")
        fragments = fu(P_NAL, donl=b"\x12\x34")
        packets = [(single, 10, True), (aggregate, 20, True), *marked(fragments, 30)]
        frames = feed(depacketizer(has_don=True), packets)
        self.assertEqual(datas(frames), [sample(IDR_NAL), sample(SEI, AUD, P_NAL), sample(P_NAL)])

    def test_parameter_sets_travel_in_the_format(self) -> None:
        """In-band sets are taken out of the sample and make the format."""
        for payloads in ([*SETS, IDR_NAL], [ap(*SETS, SEI), *fu(IDR_NAL)]):
            made = depacketizer(warm=False, sets=())
            (frame,) = feed(made, marked(payloads, 3000))
            self.assertEqual(video(frame).parameter_sets, SETS)
            self.assertEqual((video(frame).width, video(frame).height), (640, 360))
            self.assertTrue(bytes(frame.data).endswith(IDR_NAL))

    def test_sync_units(self) -> None:
        """All IRAP types begin a decodable stream, the reserved ones too; no others do."""
        for kind in range(32):
            nal = bytes((kind << 1, 1)) + IDR_NAL[2:]
            (frame,) = feed(depacketizer(), [(nal, 10, True)])
            self.assertEqual(frame.sync, 16 <= kind <= 23, kind)

    def test_defects(self) -> None:
        """PACI and what ends within its header are errors, an empty payload is nothing."""
        for payload in (b"\x64\x01\0\0", b"\x62\x01", b"\x60\x01\x00", b"\x60\x01\x00\x09\x01"):
            with self.assertRaises(WireError):
                depacketizer().push(memoryview(payload), 10, True, 0)
        self.assertEqual(depacketizer().push(memoryview(b""), 10, True, 0), ())


class QuirkTests(SynchronousTestCase):
    def test_quirk_26_marker_on_what_is_no_picture(self) -> None:
        """A marker on SEI or sets does not end the unit."""
        for leading in (SEI, *SETS):
            frames = feed(depacketizer(), [(leading, 10, True), (IDR_NAL, 10, True)], end=False)
            kept = (SEI, IDR_NAL) if leading == SEI else (IDR_NAL,)
            self.assertEqual(datas(frames), [sample(*kept)])

    def test_quirk_28_start_codes_in_a_nal_unit(self) -> None:
        """Sets and slice in one packet, start codes between: taken apart."""
        joined = b"\0\0\0\1".join([*SETS, IDR_NAL])
        for payloads in ([joined], [b"\0\0\0\1" + joined], fu(joined)):
            frames = feed(depacketizer(sets=()), marked(payloads, 10), end=False)
            self.assertEqual(datas(frames), [sample(IDR_NAL)])
            self.assertEqual(video(frames[0]).parameter_sets, SETS)

    def test_quirk_29_oddities_of_fragments(self) -> None:
        """Start and end in one, empty ones, and a type that changes on the way."""
        whole = b"\x62\x01\xc1" + P_NAL[2:]
        fragments = fu(P_NAL)
        with_empty = [*fragments[:2], b"\x62\x01\x01", *fragments[2:]]
        changing = [*fragments[:3], fragments[3][:2] + b"\x13" + fragments[3][3:], *fragments[4:]]
        for payloads in ([whole], with_empty, changing):
            frames = feed(depacketizer(), marked(payloads, 10))
            self.assertEqual(datas(frames), [sample(P_NAL)])

    def test_quirk_30_type_0_and_reserved_types(self) -> None:
        """Pictures of type 0 (TRAIL_N, rt#123) are pictures; reserved types are kept."""
        trail_n = b"\x00\x01" + P_NAL[2:]
        others = [bytes((kind << 1, 1, 7, 8)) for kind in (41, 47, 51, 63)]
        frames = feed(depacketizer(), [(trail_n, 10, True), *marked([*others, P_NAL], 20)])
        self.assertEqual(datas(frames), [sample(trail_n), sample(*others, P_NAL)])

    def test_quirk_30_axis_multi_slice(self) -> None:
        """The slices of a picture are one unit, each marked or only the last (Axis)."""
        slices = [P_NAL, LATER_NAL, LATER_NAL]
        frames = feed(depacketizer(), [*marked(slices, 10), (P_NAL, 20, True)])
        self.assertEqual(datas(frames), [sample(*slices), sample(P_NAL)])
        packets: list[Packet] = [(nal, stamp, True) for stamp in (10, 20) for nal in slices]
        frames = feed(depacketizer(warm=False), packets)
        self.assertEqual(datas(frames), 2 * [sample(*slices)])

    def test_quirk_31_sets_incomplete(self) -> None:
        """VPS alone from the SDP makes no format; the rest is learnt in band."""
        made = depacketizer(warm=False, sets=(H265_VPS,))
        frames = feed(made, [(P_NAL, 10, True), *marked([*SETS[1:], IDR_NAL], 20)])
        self.assertEqual([(frame.timestamp, frame.damaged) for frame in frames], [(20, True)])
        self.assertEqual(made.discarded_units, 1)

    def test_quirk_34_stream_encryption(self) -> None:
        """Noise where slices should be is suspected, a good stream never."""
        chance = random.Random(7070)
        made = depacketizer()
        for stamp in range(200):
            made.push(memoryview(b"\x02\x01" + chance.randbytes(40)), 10 + stamp, True, 0)
        self.assertTrue(made.suspected_encrypted)
        feed(made, [((IDR_NAL, P_NAL)[t % 3 > 0], 1000 + t, True) for t in range(1200)])
        self.assertFalse(made.suspected_encrypted)


class LossTests(SynchronousTestCase):
    def test_loss_within_a_unit(self) -> None:
        """The unit is thrown away, the pictures around it are kept, the next one tells."""
        whole = fu(P_NAL)
        for missing in range(len(whole) - 1):
            packets: list[Packet] = [(P_NAL, 10, True)]
            packets += [
                (whole[i], 20, i == len(whole) - 1, int(i == missing + 1))
                for i in range(len(whole))
                if i != missing
            ]
            frames = feed(depacketizer(), [*packets, (P_NAL, 30, True)])
            self.assertEqual(
                [(frame.timestamp, frame.lost) for frame in frames], [(10, 0), (30, 1)]
            )

    def test_loss_of_the_first_slice(self) -> None:
        """A picture whose first slice is missing is thrown away though all that came is whole."""
        packets: list[Packet] = [(P_NAL, 10, True), (LATER_NAL, 20, True, 2), (P_NAL, 30, True)]
        frames = feed(depacketizer(), packets)
        self.assertEqual([(frame.timestamp, frame.lost) for frame in frames], [(10, 0), (30, 2)])

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.one_of(
                    st.binary(max_size=12),
                    st.sampled_from(
                        [*fu(P_NAL, 12), IDR_NAL, SEI, *SETS, LATER_NAL, ap(SEI, P_NAL)]
                    ),
                ),
                st.integers(0, 3),
                st.booleans(),
                st.sampled_from([0, 0, 0, 1]),
            ),
            max_size=40,
        ),
        st.booleans(),
    )
    def test_any_bytes(self, packets: list[tuple[bytes, int, bool, int]], has_don: bool) -> None:
        """Whatever comes, there is no error but `WireError`, and samples are well-formed."""
        made = depacketizer(warm=False, has_don=has_don)
        frames: list[Frame] = []
        for payload, timestamp, marker, lost in packets:
            try:
                frames += made.push(memoryview(payload), timestamp, marker, lost)
            except WireError:
                made.damage()
        for frame in [*frames, *made.flush()]:
            self.assertTrue(all(len(nal) > 0 for nal in split_sample(frame.data)))
