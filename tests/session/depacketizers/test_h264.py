"""H.264 out of RTP: packet structures, where units begin and end, and cameras' ways."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.session.depacketizers import nal_units
from axis_nvr.session.depacketizers.base import Frame
from axis_nvr.session.depacketizers.h264 import H264Depacketizer
from axis_nvr.wire.nal import split_sample
from tests.session.depacketizers.payloads import (
    H264_PPS,
    H264_SPS,
    IDR,
    LATER_P,
    OTHER_H264_PPS,
    OTHER_H264_SPS,
    P,
    Packet,
    datas,
    feed,
    fu_a,
    marked,
    sample,
    stap_a,
    video,
)

SETS = (H264_SPS, H264_PPS)
SEI = bytes.fromhex("0605048000000080")
AUD = bytes.fromhex("09f0")
RECOVERY_SEI = bytes.fromhex("06 01 01 00 06 01 84 80")
IDR_NAL = IDR + bytes(range(16, 60))
P_NAL = P + bytes(range(60, 100))
LATER_NAL = LATER_P + bytes(range(100, 140))


def depacketizer(*, warm: bool = True, sets: tuple[bytes, ...] = SETS) -> H264Depacketizer:
    """One that has, if `warm`, learnt that the marker can be trusted."""
    made = H264Depacketizer(sets)
    if warm:
        feed(made, [(P_NAL, 1, True), (P_NAL, 2, True)], end=False)
    return made


class StructureTests(SynchronousTestCase):
    def test_single(self) -> None:
        """A packet that is a NAL unit becomes a sample with its length in front."""
        frames = feed(depacketizer(), [(IDR_NAL, 3000, True)])
        self.assertEqual(datas(frames), [sample(IDR_NAL)])
        self.assertEqual((frames[0].timestamp, frames[0].sync), (3000, True))
        self.assertEqual((frames[0].lost, frames[0].damaged), (0, False))

    def test_stap_a(self) -> None:
        """Aggregated NAL units are taken apart, an empty one is passed over."""
        frames = feed(depacketizer(), [(stap_a(AUD, b"", SEI, P_NAL), 3000, True)])
        self.assertEqual(datas(frames), [sample(AUD, SEI, P_NAL)])
        self.assertFalse(frames[0].sync)

    def test_fu_a_of_every_size(self) -> None:
        """A fragmented NAL unit is put together, whatever the size of its fragments."""
        for size in range(1, len(IDR_NAL) - 1):
            frames = feed(depacketizer(), marked([SEI, *fu_a(IDR_NAL, size)], 3000))
            self.assertEqual(datas(frames), [sample(SEI, IDR_NAL)])

    def test_parameter_sets_travel_in_the_format(self) -> None:
        """In-band sets are taken out of the sample and make the format."""
        units = feed(
            depacketizer(warm=False, sets=()),
            marked([H264_SPS, H264_PPS, SEI, *fu_a(IDR_NAL)], 3000),
        )
        self.assertEqual(datas(units), [sample(SEI, IDR_NAL)])
        self.assertEqual((video(units[0]).width, video(units[0]).height), (640, 360))
        self.assertEqual(video(units[0]).parameter_sets, SETS)

    def test_interleaved_mode_is_refused(self) -> None:
        """STAP-B, MTAP and FU-B are errors, and what they belong to is thrown away."""
        made = depacketizer()
        for kind in (25, 26, 27, 29):
            with self.assertRaises(WireError):
                made.push(memoryview(bytes((kind, 0, 0, 0, 0))), 10, True, 0)
            made.damage()
        frames = feed(made, [(P_NAL, 20, True)])
        self.assertEqual([frame.damaged for frame in frames], [True])

    def test_short_packets(self) -> None:
        """A payload that ends within its header is an error, an empty one nothing."""
        for payload in (b"\x7c", b"\x78\x00", b"\x78\x00\x05\x41"):
            with self.assertRaises(WireError):
                depacketizer().push(memoryview(payload), 10, True, 0)
        self.assertEqual(depacketizer().push(memoryview(b""), 10, True, 0), ())

    def test_frames_before_an_error_are_not_lost(self) -> None:
        """A unit completed by the timestamp of a defective packet comes out of the next call."""
        made = depacketizer(warm=False)
        self.assertEqual(feed(made, [(P_NAL, 10, True)], end=False), [])
        with self.assertRaises(WireError):
            made.push(memoryview(b"\x7c"), 20, False, 0)
        made.damage()
        frames = feed(made, [(P_NAL, 30, True)])
        self.assertEqual([frame.timestamp for frame in frames], [10, 30])
        self.assertEqual([frame.damaged for frame in frames], [False, True])


class UnitTests(SynchronousTestCase):
    def test_the_first_unit_waits_for_the_second(self) -> None:
        """Whether the marker can be trusted is seen at the first unit; then it is used."""
        made = depacketizer(warm=False)
        self.assertEqual(feed(made, [(IDR_NAL, 1, True)], end=False), [])
        frames = feed(made, [(P_NAL, 2, True)], end=False)
        self.assertEqual(datas(frames), [sample(IDR_NAL), sample(P_NAL)])

    def test_quirk_25_decoding_order_is_kept(self) -> None:
        """B-frames come out in the order they came, each with its own timestamp."""
        order = [0, 9000, 3000, 6000, 18000]
        frames = feed(depacketizer(), [(P_NAL, stamp, True) for stamp in order])
        self.assertEqual([frame.timestamp for frame in frames], order)

    def test_quirk_26_marker_on_what_is_no_picture(self) -> None:
        """A marker on SEI, SPS, PPS or AUD does not end the unit (Ivel; Tapo TC70, Reolink)."""
        for leading in (SEI, H264_SPS, H264_PPS, AUD):
            made = depacketizer()
            frames = feed(made, [(leading, 10, True), (IDR_NAL, 10, True)], end=False)
            kept = (leading, IDR_NAL) if leading in (SEI, AUD) else (IDR_NAL,)
            self.assertEqual(datas(frames), [sample(*kept)])
            self.assertEqual(made.discarded_units, 0)

    def test_quirk_26_marker_never_set(self) -> None:
        """The timestamp alone separates units where the marker never comes (FLIR M400)."""
        made = depacketizer(warm=False)
        packets = [(nal, stamp, False) for stamp in (1, 2, 3) for nal in fu_a(P_NAL, 9)]
        frames = feed(made, packets)
        self.assertEqual(datas(frames), 3 * [sample(P_NAL)])
        self.assertEqual([frame.timestamp for frame in frames], [1, 2, 3])

    def test_quirk_26_marker_on_each_slice_from_the_start(self) -> None:
        """Slices that are each marked make one unit: seen at the first one, none is lost."""
        packets = [(nal, stamp, True) for stamp in (1, 2, 3) for nal in (P_NAL, LATER_NAL)]
        frames = feed(depacketizer(warm=False), packets)
        self.assertEqual(datas(frames), 3 * [sample(P_NAL, LATER_NAL)])
        self.assertFalse(any(frame.damaged for frame in frames))

    def test_quirk_26_marker_on_each_slice_later(self) -> None:
        """Where it is seen late, one unit is short, the next one says so, all others are whole."""
        packets = [(nal, stamp, True) for stamp in (11, 12, 13) for nal in (P_NAL, LATER_NAL)]
        frames = feed(depacketizer(), packets)
        self.assertEqual(
            datas(frames), [sample(P_NAL), sample(P_NAL, LATER_NAL), sample(P_NAL, LATER_NAL)]
        )
        self.assertEqual([frame.damaged for frame in frames], [False, True, False])

    def test_quirk_26_picture_after_the_mark_with_the_same_timestamp(self) -> None:
        """It is a unit of its own (rt#13), at the first unit of a stream as later."""
        for warm in (True, False):
            packets = [(P_NAL, 10, True), (AUD, 10, False), (IDR_NAL, 10, True), (P_NAL, 11, True)]
            frames = feed(depacketizer(warm=warm), packets)
            self.assertEqual(datas(frames), [sample(P_NAL), sample(AUD, IDR_NAL), sample(P_NAL)])
            self.assertEqual([frame.timestamp for frame in frames], [10, 10, 11])

    def test_units_without_a_picture_join_the_next(self) -> None:
        """Sets and SEI with a timestamp of their own go ahead of the next picture."""
        made = depacketizer(sets=())
        packets = [(H264_SPS, 8, True), (H264_PPS, 9, True), (SEI, 9, True), (IDR_NAL, 10, True)]
        frames = feed(made, packets)
        self.assertEqual(datas(frames), [sample(SEI, IDR_NAL)])
        self.assertEqual(frames[0].timestamp, 10)

    def test_several_slices(self) -> None:
        """All slices of a picture are one unit, fragmented or not."""
        frames = feed(depacketizer(), marked([*fu_a(P_NAL), LATER_NAL, *fu_a(LATER_NAL)], 10))
        self.assertEqual(datas(frames), [sample(P_NAL, LATER_NAL, LATER_NAL)])

    def test_recovery_point_is_a_sync_unit(self) -> None:
        """Streams with gradual refresh have no IDR; decoding begins at recovery points."""
        frames = feed(depacketizer(), [*marked([RECOVERY_SEI, P_NAL], 10), (P_NAL, 11, True)])
        self.assertEqual([frame.sync for frame in frames], [True, False])
        for sei in (SEI, b"\x06", b"\x06\xff", b"\x06\x06", bytes.fromhex("0601 06 80")):
            (frame,) = feed(depacketizer(), marked([sei, P_NAL], 10))
            self.assertFalse(frame.sync, sei)

    def test_an_end_without_end(self) -> None:
        """At the end of the stream an unmarked unit is thrown away if the marker is trusted."""
        self.assertEqual(feed(depacketizer(), [(P_NAL, 10, False)]), [])
        self.assertEqual(len(feed(depacketizer(), [(P_NAL, 10, True)])), 1)
        self.assertEqual(len(feed(depacketizer(warm=False), [(P_NAL, 10, False)])), 1)
        cut = fu_a(P_NAL)[:-1]
        self.assertEqual(feed(depacketizer(warm=False), [(p, 10, False) for p in cut]), [])


class LossTests(SynchronousTestCase):
    def test_loss_within_a_unit(self) -> None:
        """The unit is thrown away, the pictures around it are kept, the next one tells."""
        whole = fu_a(P_NAL)
        for missing in range(len(whole)):
            packets: list[Packet] = [(P_NAL, 10, True, 0)]
            last = len(whole) - 1
            packets += [
                (whole[i], 20, i == last, int(i == missing + 1))
                for i in range(len(whole))
                if i != missing
            ]
            packets += [(P_NAL, 30, True, int(missing == last)), (P_NAL, 40, True, 0)]
            made = depacketizer()
            frames = feed(made, packets)
            self.assertEqual([frame.timestamp for frame in frames], [10, 30, 40])
            self.assertEqual([frame.lost for frame in frames], [0, 1, 0])
            self.assertEqual([frame.damaged for frame in frames], [False, True, False])
            self.assertEqual(made.discarded_units, 1)

    def test_loss_of_whole_units(self) -> None:
        """Nothing that came is thrown away; the next unit tells how much is missing."""
        made = depacketizer()
        frames = feed(made, [(P_NAL, 10, True), (P_NAL, 50, True, 7), (P_NAL, 60, True)])
        self.assertEqual([frame.timestamp for frame in frames], [10, 50, 60])
        self.assertEqual([frame.lost for frame in frames], [0, 7, 0])
        self.assertEqual([frame.damaged for frame in frames], [False, False, False])
        self.assertEqual(made.discarded_units, 0)

    def test_loss_of_the_first_slice(self) -> None:
        """A picture whose first slice is missing is thrown away though all that came is whole."""
        packets: list[Packet] = [(P_NAL, 10, True), (LATER_NAL, 20, True, 2), (P_NAL, 30, True)]
        frames = feed(depacketizer(), packets)
        self.assertEqual([frame.timestamp for frame in frames], [10, 30])
        self.assertEqual([frame.lost for frame in frames], [0, 2])

    def test_loss_of_the_end_and_the_next_beginning(self) -> None:
        """One loss can break two pictures: both are thrown away."""
        first, second = fu_a(P_NAL), fu_a(IDR_NAL)
        packets = [(p, 10, False, 0) for p in first[:3]]
        packets += [(second[3], 20, False, 9)]
        packets += [(p, 20, p is second[-1], 0) for p in second[4:]]
        made = depacketizer()
        frames = feed(made, [*packets, (P_NAL, 30, True, 0)])
        self.assertEqual([(frame.timestamp, frame.lost) for frame in frames], [(30, 9)])
        self.assertEqual(made.discarded_units, 2)

    def test_loss_before_an_unmarked_unit(self) -> None:
        """Without marks nobody knows whether the last slice came: the unit is thrown away."""
        made = depacketizer(warm=False)
        frames = feed(made, [(P_NAL, 1, False), (P_NAL, 2, False), (P_NAL, 3, False, 1)])
        self.assertEqual([frame.timestamp for frame in frames], [1, 3])

    def test_loss_after_a_marked_first_unit(self) -> None:
        """The first unit, held though marked, is whole."""
        frames = feed(depacketizer(warm=False), [(P_NAL, 1, True), (P_NAL, 3, True, 1)])
        self.assertEqual([(frame.timestamp, frame.lost) for frame in frames], [(1, 0), (3, 1)])

    def test_sets_in_a_broken_unit_are_learnt(self) -> None:
        """A whole parameter set is good wherever it came."""
        made = depacketizer(sets=())
        packets: list[Packet] = [(nal, 10, False) for nal in SETS]
        packets += [(fu_a(IDR_NAL)[1], 10, False, 1), (P_NAL, 20, True)]
        frames = feed(made, packets)
        self.assertEqual(len(frames), 1)

    def test_joined_in_the_middle(self) -> None:
        """A stream that begins within a fragmented NAL unit begins with the next picture."""
        packets = [*marked(fu_a(P_NAL)[2:], 10), (P_NAL, 20, True)]
        frames = feed(depacketizer(warm=False), packets)
        self.assertEqual([frame.timestamp for frame in frames], [20])

    def test_no_cut_nal_unit_is_ever_stored(self) -> None:
        """Whatever is lost, each stored NAL unit is one that was sent, byte for byte."""
        chance = random.Random(6184)
        sent = [bytes([0x41, 0x9A]) + chance.randbytes(chance.randrange(2, 60)) for _ in range(60)]
        for _ in range(50):
            packets: list[Packet] = []
            lost = 0
            for stamp, nal in enumerate(sent):
                parts = fu_a(nal, chance.randrange(1, 30))
                for index, part in enumerate(parts):
                    if chance.random() < 0.1:
                        lost += 1
                        continue
                    packets.append((part, stamp, index == len(parts) - 1, lost))
                    lost = 0
            frames = feed(depacketizer(warm=False), packets)
            for frame in frames:
                (stored,) = split_sample(frame.data)
                self.assertEqual(bytes(stored), sent[frame.timestamp])


class QuirkTests(SynchronousTestCase):
    def test_quirk_28_start_codes_in_a_nal_unit(self) -> None:
        """Sets and slice in one packet, start codes between (V380): taken apart."""
        joined = b"\0\0\0\1".join([H264_SPS, H264_PPS, SEI, IDR_NAL])
        for payloads in ([joined], [b"\0\0\0\1" + joined], [b"\0\0\1" + joined], fu_a(joined)):
            made = depacketizer(sets=())
            frames = feed(made, marked(payloads, 10), end=False)
            self.assertEqual(datas(frames), [sample(SEI, IDR_NAL)])
            self.assertEqual(video(frames[0]).parameter_sets, SETS)

    def test_quirk_28_start_codes_behind_a_long_slice(self) -> None:
        """A camera that was once seen to send start codes has all its NAL units searched."""
        long = P + b"\x55" * 3 * nal_units.START_CODE_SEARCH_BYTES
        made = depacketizer()
        feed(made, [(P_NAL, 10 + i, True) for i in range(40)], end=False)
        feed(made, [(SEI + b"\0\0\1" + P_NAL, 60, True)], end=False)
        frames = feed(made, [(long + b"\0\0\1" + LATER_NAL, 70, True)])
        self.assertEqual(datas(frames), [sample(long, LATER_NAL)])

    def test_quirk_28_too_many_start_codes(self) -> None:
        """A flood of start codes costs its unit and no memory."""
        made = depacketizer()
        frames = feed(made, [(P + b"\0\0\1\1" * 5000, 10, True), (P_NAL, 20, True)])
        self.assertEqual([(frame.timestamp, frame.damaged) for frame in frames], [(20, True)])

    def test_quirk_29_start_and_end_in_one_fragment(self) -> None:
        """It is the whole NAL unit (CostarHD, OpenIPC)."""
        whole = bytes((0x5C, 0xC1)) + P_NAL[1:]
        self.assertEqual(datas(feed(depacketizer(), [(whole, 10, True)])), [sample(P_NAL)])

    def test_quirk_29_empty_fragments(self) -> None:
        """Fragments without content change nothing, wherever they come (rt#115)."""
        fragments = fu_a(P_NAL)
        for place in range(1, len(fragments)):
            packets = [*fragments[:place], b"\x5c\x01", *fragments[place:]]
            self.assertEqual(datas(feed(depacketizer(), marked(packets, 10))), [sample(P_NAL)])
        packets = [b"\x5c\x81", bytes((0x5C, 0x01)) + P_NAL[1:], b"\x5c\x41"]
        self.assertEqual(datas(feed(depacketizer(), marked(packets, 10))), [sample(P_NAL)])
        self.assertEqual(
            datas(feed(depacketizer(), marked([b"\x5c\xc1", P_NAL], 10))), [sample(P_NAL)]
        )

    def test_quirk_29_type_changes_within_a_nal_unit(self) -> None:
        """The type of the start counts (Tiandy)."""
        packets = fu_a(IDR_NAL)
        packets[2] = packets[2][:1] + b"\x01" + packets[2][2:]
        packets[-1] = packets[-1][:1] + b"\x41" + packets[-1][2:]
        frames = feed(depacketizer(), marked(packets, 10))
        self.assertEqual(datas(frames), [sample(IDR_NAL)])

    def test_end_bit_left_out(self) -> None:
        """Nothing is lost, so the next start or the mark ends the NAL unit."""
        packets = fu_a(P_NAL)
        packets[-1] = packets[-1][:1] + b"\x01" + packets[-1][2:]
        later = [*packets, *fu_a(LATER_NAL)]
        self.assertEqual(datas(feed(depacketizer(), marked(later, 10))), [sample(P_NAL, LATER_NAL)])
        frames = feed(depacketizer(), [*marked(packets, 10), (P_NAL, 20, True)])
        self.assertEqual(datas(frames), 2 * [sample(P_NAL)])

    def test_marker_on_every_fragment(self) -> None:
        """A marker within a fragmented NAL unit ends nothing."""
        packets = [(p, 10, True) for p in fu_a(P_NAL)]
        self.assertEqual(datas(feed(depacketizer(), packets)), [sample(P_NAL)])

    def test_quirk_30_reserved_types_are_kept(self) -> None:
        """NAL unit types that mean nothing to us go into the sample as they are."""
        others = [bytes((kind, 1, 2, 3)) for kind in (0, 12, 13, 16, 22, 23, 30, 31)]
        frames = feed(depacketizer(), marked([*others, P_NAL], 10))
        self.assertEqual(datas(frames), [sample(*others, P_NAL)])

    def test_quirk_31_no_sets_in_band(self) -> None:
        """Axis sends the sets in the SDP only, unless asked: those are used."""
        (frame,) = feed(depacketizer(), [(IDR_NAL, 10, True)])
        self.assertEqual(video(frame).parameter_sets, SETS)

    def test_quirk_31_no_sets_at_all(self) -> None:
        """Units that nobody could decode are thrown away and counted, until the sets come."""
        made = depacketizer(sets=())
        self.assertEqual(made.discarded_units, 2)
        frames = feed(made, [(P_NAL, 10, True), *marked([*SETS, IDR_NAL], 20)])
        self.assertEqual([(frame.timestamp, frame.damaged) for frame in frames], [(20, True)])
        self.assertEqual(made.discarded_units, 3)

    def test_quirk_31_unreadable_sets(self) -> None:
        """The last good sets stay when broken ones come."""
        packets = marked([H264_SPS[:4], b"\x68", IDR_NAL], 10)
        (frame,) = feed(depacketizer(), packets)
        self.assertEqual(video(frame).parameter_sets, SETS)

    def test_quirk_32_sets_change(self) -> None:
        """The first unit with the new sets has another format, the one before has not."""
        change = marked([OTHER_H264_SPS, OTHER_H264_PPS, IDR_NAL], 20)
        frames = feed(depacketizer(), [(P_NAL, 10, True), *change, (P_NAL, 30, True)])
        self.assertEqual([video(frame).width for frame in frames], [640, 320, 320])
        self.assertIs(frames[1].format, frames[2].format)

    def test_quirk_32_repeats_change_nothing(self) -> None:
        """Repeated sets with zero bytes or another nal_ref_idc keep the same format object."""
        made = depacketizer()
        frames = feed(made, [(P_NAL, 10, True)], end=False)
        again = [H264_SPS, H264_PPS + b"\0\0", H264_SPS + b"\0", H264_PPS]
        again += [b"\x27" + H264_SPS[1:], b"\x48" + H264_PPS[1:], IDR_NAL]
        frames += feed(made, marked(again, 20))
        self.assertIs(frames[0].format, frames[1].format)

    def test_quirk_34_stream_encryption(self) -> None:
        """Noise where slices should be is suspected, a good stream never, and nothing breaks."""
        chance = random.Random(7070)
        made = depacketizer()
        for stamp in range(200):
            made.push(memoryview(b"\x41" + chance.randbytes(40)), 10 + stamp, True, 0)
        self.assertTrue(made.suspected_encrypted)
        feed(made, [(P_NAL, 1000 + stamp, True) for stamp in range(1200)])
        self.assertFalse(made.suspected_encrypted)

    def test_forbidden_bit(self) -> None:
        """A NAL unit that is marked as broken on the way is not stored, nor its picture."""
        packets = [(P_NAL, 10, False), (b"\xc1\x9a", 10, True), (P_NAL, 20, True)]
        frames = feed(depacketizer(), packets)
        self.assertEqual([(frame.timestamp, frame.damaged) for frame in frames], [(20, True)])


class LimitTests(SynchronousTestCase):
    def test_largest_unit(self) -> None:
        """A unit that never ends is thrown away before it fills the memory."""
        self.patch(nal_units, "MAX_UNIT_BYTES", 10_000)
        for packets in (fu_a(P + bytes(50_000), 1000), [P_NAL] * 1000):
            made = depacketizer()
            for packet in packets:
                made.push(memoryview(packet), 10, False, 0)
                self.assertLess(made.unit_bytes + made.fragment_bytes, 11_100)
                self.assertLess(sum(map(len, made.unit + made.fragments)), 11_100)
            frames = feed(made, [(P_NAL, 20, True)])
            self.assertEqual([(f.timestamp, f.damaged) for f in frames], [(20, True)])

    def test_most_nal_units(self) -> None:
        """A unit of countless NAL units is thrown away."""
        made = depacketizer()
        small = stap_a(*[SEI] * 500)
        frames = feed(made, [*[(small, 10, False)] * 20, (P_NAL, 10, True), (P_NAL, 20, True)])
        self.assertEqual([(f.timestamp, f.damaged) for f in frames], [(20, True)])

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.one_of(
                    st.binary(max_size=12),
                    st.sampled_from(
                        [*fu_a(P_NAL, 12), IDR_NAL, SEI, *SETS, LATER_NAL, stap_a(SEI, P_NAL)]
                    ),
                ),
                st.integers(0, 3),
                st.booleans(),
                st.sampled_from([0, 0, 0, 1]),
            ),
            max_size=40,
        )
    )
    def test_any_bytes(self, packets: list[tuple[bytes, int, bool, int]]) -> None:
        """Whatever comes, there is no error but `WireError`, and samples are well-formed."""
        made = depacketizer(warm=False)
        frames: list[Frame] = []
        for payload, timestamp, marker, lost in packets:
            try:
                frames += made.push(memoryview(payload), timestamp, marker, lost)
            except WireError:
                made.damage()
        frames += made.flush()
        for frame in frames:
            self.assertTrue(all(len(nal) > 0 for nal in split_sample(frame.data)))
        self.assertEqual(
            sum(frame.lost for frame in frames) + made._lost, sum(p[3] for p in packets)
        )
