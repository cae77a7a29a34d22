"""The RTP receiver: loss, order, sources, timestamps, reports."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.rtp_receiver import (
    MAX_DROPOUT_PACKETS,
    SOURCE_TIMEOUT_SECONDS,
    Arrival,
    RtpReceiver,
)
from axis_nvr.session.sequence import TimestampUnwrapper, timestamp_difference
from axis_nvr.wire.rtcp import ReportBlock
from axis_nvr.wire.rtp import RtpPacket, build_packet, parse_packet

RATE = 90_000


def packet(
    number: int, timestamp: int = 0, ssrc: int = 1, payload: bytes = b"1234", payload_type: int = 96
) -> RtpPacket:
    """A packet; `number` and `timestamp` may be unwrapped."""
    return parse_packet(
        build_packet(
            marker=False,
            payload_type=payload_type,
            sequence_number=number,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=payload,
        )
    )


class SequenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.receiver = RtpReceiver(RATE)

    def accept(self, number: int, timestamp: int = 0, now: float = 0.0) -> Arrival | None:
        return self.receiver.accept(packet(number, timestamp), now)

    def test_rtp_info_is_not_asked(self) -> None:
        """Quirk 21: the stream starts with the first packet seen, whatever RTP-Info promised."""
        self.assertIsNone(self.receiver.expected_sequence_number)
        self.assertEqual(self.accept(31_337, 4_000_000_000), Arrival(4_000_000_000, 0))
        self.assertEqual(self.receiver.expected_sequence_number, 31_338)
        self.assertEqual(self.receiver.ssrc, 1)
        self.assertEqual(self.receiver.statistics.lost, 0)

    def test_loss(self) -> None:
        """Missing packets are told with the next one, over the wrap too."""
        self.accept(65_534)
        self.assertEqual(self.accept(65_539), Arrival(0, 4))
        self.assertEqual(self.receiver.expected_sequence_number, 4)
        self.assertEqual(self.receiver.statistics.lost, 4)

    def test_late_packets_and_doubles(self) -> None:
        """One that comes after its turn is not used, and no longer lost; doubles are told apart."""
        for number in (10, 12, 11, 11, 12):
            self.accept(number)
        statistics = self.receiver.statistics
        self.assertEqual((statistics.received, statistics.lost), (3, 0))
        self.assertEqual((statistics.reordered, statistics.duplicates), (1, 2))

    def test_restart(self) -> None:
        """A sequence that begins anew is followed at once, with at least one packet lost."""
        self.accept(40_000)
        self.assertEqual(self.accept(0), Arrival(0, 1, restarted=True))
        self.assertEqual(self.accept(1), Arrival(0, 0))
        self.assertEqual(self.accept(1 + MAX_DROPOUT_PACKETS), Arrival(0, MAX_DROPOUT_PACKETS - 1))
        self.assertEqual(self.accept(3 + 2 * MAX_DROPOUT_PACKETS), Arrival(0, 1, restarted=True))
        self.assertEqual(self.receiver.statistics.restarts, 2)

    def test_foreign_payload_type_shares_the_sequence(self) -> None:
        """Quirk 27: Geovision's packets of type 50 are no loss to those of type 96."""
        self.accept(1)
        arrival = self.receiver.accept(packet(2, payload_type=50), 0.0)
        self.assertEqual(arrival, Arrival(0, 0))
        self.assertEqual(self.accept(3), Arrival(0, 0))

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, 0xFFFF), st.lists(st.integers(-5, 30), max_size=60))
    def test_counts_against_a_model(self, start: int, steps: list[int]) -> None:
        """Received, lost, late and double packets are those of a model that knows all numbers."""
        receiver = RtpReceiver(RATE)
        seen = {start}
        highest, late, double, lost = start, 0, 0, 0
        receiver.accept(packet(start), 0.0)
        for step in steps:
            number = max(start, highest + step)
            arrival = receiver.accept(packet(number), 0.0)
            if number > highest:
                lost += number - highest - 1
                self.assertEqual(arrival, Arrival(0, number - highest - 1))
                highest = number
            else:
                self.assertIsNone(arrival)
                late += number not in seen
                double += number in seen
            seen.add(number)
        statistics = receiver.statistics
        self.assertEqual(statistics.received, len(seen))
        self.assertEqual(statistics.lost, highest - start + 1 - len(seen))
        self.assertEqual((statistics.reordered, statistics.duplicates), (late, double))
        self.assertEqual(statistics.lost + late, lost)
        block = receiver.report_block(0.0)
        assert block is not None
        self.assertEqual(block.extended_highest_sequence_number, highest)

    @settings(max_examples=200, deadline=None)
    @given(
        st.integers(0xFFFF - 100, 0xFFFF),
        st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3), st.integers(0, 90)), max_size=20),
    )
    def test_bulk_equals_one_by_one(self, start: int, frames: list[tuple[int, int, int]]) -> None:
        """`advance` leaves everything as accepting the packets one by one does."""
        single, bulk = RtpReceiver(RATE), RtpReceiver(RATE)
        number, timestamp, now = start, 0, 0.0
        for count, lost, wait in frames:
            number, timestamp, now = number + lost, timestamp + 3_000, now + wait / 1000
            for place in range(count):
                single.accept(packet(number + place, timestamp), now)
            bulk.accept(packet(number, timestamp), now)
            if count > 1:
                bulk.advance(count - 1, 4 * (count - 1), now)
            number += count
            self.assertEqual(bulk.expected_sequence_number, single.expected_sequence_number)
            self.assertEqual(bulk.statistics, single.statistics)
            self.assertEqual(bulk.report_block(now), single.report_block(now))

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 0xFFFF),
                st.integers(0, 2**32 - 1),
                st.integers(1, 3),
                st.integers(0, 3_000),
            ),
            max_size=40,
        )
    )
    def test_noise(self, packets: list[tuple[int, int, int, int]]) -> None:
        """Any packets: every one is used or counted, reports stay in their fields."""
        receiver = RtpReceiver(RATE)
        now, used = 0.0, 0
        for number, timestamp, ssrc, wait in packets:
            now += wait / 1000
            used += receiver.accept(packet(number, timestamp, ssrc), now) is not None
        statistics = receiver.statistics
        self.assertEqual(used + statistics.reordered, statistics.received)
        self.assertEqual(
            statistics.received + statistics.duplicates + statistics.foreign, len(packets)
        )
        self.assertGreaterEqual(statistics.lost, 0)
        if (block := receiver.report_block(now)) is not None:
            self.assertLessEqual(block.fraction_lost, 255)
            self.assertLessEqual(block.jitter, 2**32 - 1)


class SourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.receiver = RtpReceiver(RATE)

    def accept(self, number: int, ssrc: int, now: float = 0.0) -> Arrival | None:
        return self.receiver.accept(packet(number, ssrc=ssrc), now)

    def test_another_source_takes_over(self) -> None:
        """Quirk 18: a changed SSRC is followed at once, counted, and told as a gap."""
        self.accept(100, ssrc=1)
        self.accept(101, ssrc=1)
        self.assertEqual(self.accept(5_000, ssrc=2), Arrival(0, 1, restarted=True))
        self.assertEqual(self.accept(5_001, ssrc=2), Arrival(0, 0))
        self.assertEqual(self.receiver.ssrc, 2)
        self.assertEqual(self.receiver.statistics.source_changes, 1)

    def test_the_old_source_is_foreign(self) -> None:
        """Quirk 18: what still comes from the old source is dropped and counted."""
        self.accept(100, ssrc=1)
        self.accept(5_000, ssrc=2)
        self.accept(5_001, ssrc=2)
        self.assertIsNone(self.accept(101, ssrc=1, now=0.1))
        self.assertEqual(self.accept(5_002, ssrc=2, now=0.1), Arrival(0, 0))
        self.assertEqual(self.receiver.statistics.foreign, 1)

    def test_it_may_return_after_silence(self) -> None:
        """Quirk 18: the old source is taken back when the new one is silent."""
        self.accept(100, ssrc=1)
        self.accept(5_000, ssrc=2)
        self.accept(5_001, ssrc=2)
        arrival = self.accept(101, ssrc=1, now=SOURCE_TIMEOUT_SECONDS)
        self.assertEqual(arrival, Arrival(0, 1, restarted=True))

    def test_one_stray_packet(self) -> None:
        """A single packet of a stranger does not lock out the source that was there."""
        self.accept(100, ssrc=1)
        self.accept(101, ssrc=1)
        self.accept(7, ssrc=9)
        self.assertEqual(self.accept(102, ssrc=1), Arrival(0, 1, restarted=True))
        self.assertIsNone(self.accept(8, ssrc=9))
        self.assertEqual(self.accept(103, ssrc=1), Arrival(0, 0))

    def test_two_side_by_side(self) -> None:
        """Of two sources that take turns one is kept: no hopping."""
        for number in range(100):
            self.accept(number, ssrc=1 + number % 2)
        self.assertLessEqual(self.receiver.statistics.source_changes, 2)


class TimestampTests(SynchronousTestCase):
    def test_wrap(self) -> None:
        """Quirk 24: at 13 h 15 min the timestamp wraps; unwrapped it goes on."""
        receiver = RtpReceiver(RATE)
        start = 2**32 - 4_500
        for number in range(4):
            arrival = receiver.accept(packet(number, start + 3_000 * number), number / 30)
            self.assertEqual(arrival, Arrival(start + 3_000 * number, 0))

    def test_back_and_forth(self) -> None:
        """Quirk 24: one frame hours away, then back, is unwrapped as what it is."""
        receiver = RtpReceiver(RATE)
        away = -9_800 * RATE  # Intelbras
        for number, timestamp in enumerate([0, 3_000, 6_000 + away, 9_000, 12_000]):
            arrival = receiver.accept(packet(number, timestamp), number / 30)
            self.assertEqual(arrival, Arrival(timestamp, 0))

    def test_long_pause(self) -> None:
        """A pause of more than half a turn is measured by the clock (sparse metadata)."""
        receiver = RtpReceiver(RATE)
        receiver.accept(packet(0, 0), 0.0)
        pause = 30 * 3_600
        arrival = receiver.accept(packet(1, pause * RATE), pause + 0.5)
        self.assertEqual(arrival, Arrival(pause * RATE, 0))

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.lists(st.integers(-(2**31) + 1, 2**31 - 1), max_size=20))
    def test_unwrapper(self, start: int, steps: list[int]) -> None:
        """Any walk in steps of less than half a turn is followed exactly."""
        unwrapper = TimestampUnwrapper()
        true = start
        self.assertEqual(unwrapper.unwrap(start), start)
        for step in steps:
            last, true = true, true + step
            self.assertEqual(unwrapper.unwrap(true & 0xFFFF_FFFF), true)
            self.assertEqual(timestamp_difference(true & 0xFFFF_FFFF, last & 0xFFFF_FFFF), step)


class ReportTests(SynchronousTestCase):
    def test_no_source_no_report(self) -> None:
        """Before the first packet there is nothing to report on."""
        self.assertIsNone(RtpReceiver(RATE).report_block(0.0))

    def test_report(self) -> None:
        """Loss in total and since the last report, highest number, times (RFC 3550 §6.4.1)."""
        receiver = RtpReceiver(RATE)
        for number in (65_530, 65_531, 65_536, 65_537):
            receiver.accept(packet(number, ssrc=7), 0.0)
        receiver.sender_reported(0x0001_CAFEBABE_0002, 10.0)
        self.assertEqual(
            receiver.report_block(12.5),
            ReportBlock(
                ssrc=7,
                fraction_lost=4 * 256 // 8,
                cumulative_lost=4,
                extended_highest_sequence_number=65_537,
                jitter=0,
                last_sender_report=0xCAFEBABE,
                delay_since_last_sender_report=round(2.5 * 65_536),
            ),
        )
        receiver.accept(packet(65_538, ssrc=7), 0.0)
        block = receiver.report_block(12.5)
        assert block is not None
        self.assertEqual((block.fraction_lost, block.cumulative_lost), (0, 4))

    def test_jitter(self) -> None:
        """The jitter of RFC 3550 §A.8: a sixteenth of each deviation, in ticks."""
        receiver = RtpReceiver(RATE)
        for number, now in enumerate([0.0, 0.040, 0.080, 0.136]):
            receiver.accept(packet(number, 3_600 * number), now)
        self.assertAlmostEqual(receiver.statistics.jitter_ticks, 0.016 * RATE / 16)

    def test_a_leap_is_no_jitter(self) -> None:
        """Quirk 24: timestamps that leap leave the jitter alone."""
        receiver = RtpReceiver(RATE)
        for number, timestamp in enumerate([0, 3_600, 3_600 + 9_800 * RATE, 10_800]):
            receiver.accept(packet(number, timestamp), number * 0.04)
        self.assertLess(receiver.statistics.jitter_ticks, 1)
