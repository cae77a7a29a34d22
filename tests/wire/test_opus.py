"""OpusHead and the length of packets."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import opus


class OpusHeadTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        """The header is laid out as RFC 7845 draws it."""
        built = opus.build_opus_head(2, pre_skip=312, input_sample_rate=48000)
        self.assertEqual(built, b"OpusHead" + bytes.fromhex("01 02 3801 80bb0000 0000 00"))

    def test_surround(self) -> None:
        """Another mapping family has a table behind."""
        table = bytes.fromhex("0402 000401020305")
        head = b"OpusHead" + bytes.fromhex("01 06 0000 00000000 0000 01")
        self.assertEqual(opus.parse_opus_head(head + table).channels, 6)
        with self.assertRaises(WireError):
            opus.parse_opus_head(head + table[:-1])

    def test_refused(self) -> None:
        """Cut headers, other magic, incompatible versions and no channels are refused."""
        good = opus.build_opus_head(1)
        for data in (
            b"",
            good[:-1],
            b"O" + good,
            good[:8] + b"\x10" + good[9:],
            good[:9] + b"\0" + good[10:],
        ):
            with self.assertRaises(WireError):
                opus.parse_opus_head(data)

    @settings(max_examples=100, deadline=None)
    @given(st.integers(1, 2), st.integers(0, 65535), st.integers(0, 192000))
    def test_round_trip(self, channels: int, pre_skip: int, rate: int) -> None:
        """What is built reads the same."""
        built = opus.build_opus_head(channels, pre_skip=pre_skip, input_sample_rate=rate)
        self.assertEqual(opus.parse_opus_head(built), (channels, pre_skip, rate))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=40).map(lambda data: b"OpusHead" + data))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes behind the magic raise nothing but `WireError`."""
        with contextlib.suppress(WireError):
            opus.parse_opus_head(data)


class PacketTests(SynchronousTestCase):
    def test_durations(self) -> None:
        """Configuration and frame count give the duration (RFC 6716 Table 2)."""
        for packet, samples in (
            ("00", 480),  # SILK, 10 ms
            ("18", 2880),  # SILK, 60 ms
            ("60", 480),  # hybrid, 10 ms
            ("78", 960),  # hybrid, 20 ms
            ("80", 120),  # CELT, 2.5 ms
            ("f8", 960),  # CELT, 20 ms
            ("f9", 1920),  # two frames
            ("fa", 1920),
            ("fb03", 2880),  # three frames
            ("1b02", 5760),  # 120 ms
        ):
            self.assertEqual(opus.packet_samples(bytes.fromhex(packet)), samples, packet)

    def test_refused(self) -> None:
        """Nothing, no frames, and more than 120 ms are refused."""
        for packet in ("", "fb", "fb00", "1b03", "fb3f"):
            with self.assertRaises(WireError):
                opus.packet_samples(bytes.fromhex(packet))
