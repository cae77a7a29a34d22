"""AudioSpecificConfig and ADTS."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import aac
from tests.wire.bit_writer import BitWriter


class ConfigTests(SynchronousTestCase):
    def test_ffmpeg(self) -> None:
        """What ffmpeg 5.1 writes for AAC-LC reads as it was made."""
        for data, rate, channels in (
            ("119056e500", 48000, 2),
            ("158856e500", 8000, 1),
            ("13b056e500", 22050, 6),
        ):
            read = aac.parse_audio_specific_config(bytes.fromhex(data))
            self.assertEqual((read.object_type, read.sample_rate), (aac.AAC_LC, rate))
            self.assertEqual((read.channels, read.samples_per_frame), (channels, 1024))
            self.assertIs(read.sbr, False)

    def test_program_config_element(self) -> None:
        """Channel configuration 0: the channels are counted (ffmpeg: quad, 7.1(wide))."""
        for data, rate, channels in (
            ("12800544040021100d4c61766335392e33372e31303056e500", 32000, 4),
            ("1200050848002000c6400d4c61766335392e33372e31303056e500", 44100, 8),
        ):
            read = aac.parse_audio_specific_config(bytes.fromhex(data))
            self.assertEqual((read.sample_rate, read.channels), (rate, channels))
            self.assertEqual(read.channel_configuration, 0)
            self.assertIs(read.sbr, False)  # found behind the comment: all of it was read

    def test_program_config_element_with_everything(self) -> None:
        """Mixdowns, LFE, data and coupling elements are passed."""
        bits = BitWriter().u(5, 2).u(4, 3).u(4, 0).u(3, 0)
        bits.u(4, 1).u(2, 1).u(4, 3).u(4, 2).u(4, 1).u(4, 1).u(2, 1).u(3, 2).u(4, 3)
        bits.u(1, 1).u(4, 9).u(1, 1).u(4, 9).u(1, 1).u(3, 5)
        for is_pair in (1, 0, 1, 0):
            bits.u(1, is_pair).u(4, 7)
        bits.u(4, 1).u(8, 0x12).u(5, 1).u(5, 2).u(5, 3).align().u(8, 2).u(16, 0x4142)
        bits.u(11, 0x2B7).u(5, 5).u(1, 0)
        read = aac.parse_audio_specific_config(bits.to_bytes())
        self.assertEqual((read.channels, read.sbr), (2 + 1 + 2 + 1 + 1, False))

    def test_plain(self) -> None:
        """The two bytes most cameras send; nothing is said about SBR."""
        read = aac.parse_audio_specific_config(bytes.fromhex("1408"))
        self.assertEqual((read.sample_rate, read.channels, read.sbr), (16000, 1, None))

    def test_spectral_band_replication(self) -> None:
        """SBR signalled first (type 5), and PS (type 29), tell the outer rate and channels."""
        he = BitWriter().u(5, 5).u(4, 6).u(4, 2).u(4, 3).u(5, 2).u(3, 0).to_bytes()
        read = aac.parse_audio_specific_config(he)
        self.assertEqual((read.core_rate, read.sample_rate, read.channels), (24000, 48000, 2))
        self.assertEqual((read.object_type, read.sbr), (aac.AAC_LC, True))
        he_v2 = BitWriter().u(5, 29).u(4, 7).u(4, 1).u(4, 4).u(5, 2).u(3, 0).to_bytes()
        read = aac.parse_audio_specific_config(he_v2)
        self.assertEqual((read.core_rate, read.sample_rate, read.channels), (22050, 44100, 2))
        self.assertIs(read.parametric_stereo, True)

    def test_replication_signalled_behind(self) -> None:
        """SBR and PS in the extension, which older decoders do not look at."""
        bits = BitWriter().u(5, 2).u(4, 6).u(4, 1).u(3, 0)
        bits.u(11, 0x2B7).u(5, 5).u(1, 1).u(4, 3).u(11, 0x548).u(1, 1)
        read = aac.parse_audio_specific_config(bits.to_bytes())
        self.assertEqual((read.core_rate, read.sample_rate, read.channels), (24000, 48000, 2))

    def test_explicit_rate(self) -> None:
        """A rate that is in no table is written out."""
        data = aac.build_audio_specific_config(12345, 1)
        self.assertEqual(aac.parse_audio_specific_config(data).sample_rate, 12345)

    def test_low_delay(self) -> None:
        """AAC-LD has frames of 512 samples, or 480; ELD is taken as far as it is told."""
        bits = BitWriter().u(5, 23).u(4, 3).u(4, 2).u(1, 1).u(1, 0).u(1, 1).u(3, 0).u(1, 0)
        read = aac.parse_audio_specific_config(bits.u(2, 0).to_bytes())
        self.assertEqual((read.object_type, read.samples_per_frame), (23, 480))
        eld = BitWriter().u(5, 31).u(6, 39 - 32).u(4, 3).u(4, 2).to_bytes()
        read = aac.parse_audio_specific_config(eld)
        self.assertEqual((read.object_type, read.sample_rate, read.channels), (39, 48000, 2))

    def test_refused(self) -> None:
        """Reserved rates, no object type, error protection and cut configurations are refused."""
        for data in (
            b"",
            b"\x11",
            bytes.fromhex("1690"),  # rate index 13
            bytes.fromhex("0190"),  # object type 0
            BitWriter().u(5, 2).u(4, 15).u(24, 0).u(7, 0).to_bytes(),
            BitWriter().u(5, 17).u(4, 3).u(4, 2).u(3, 0).u(2, 2).to_bytes(),
            bytes(aac.MAX_CONFIG_BYTES + 1),
        ):
            with self.assertRaises(WireError):
                aac.parse_audio_specific_config(data)

    @settings(max_examples=200, deadline=None)
    @given(
        st.one_of(st.sampled_from(aac.SAMPLE_RATES), st.integers(1, aac.MAX_SAMPLE_RATE)),
        st.sampled_from(sorted(aac.CHANNELS)),
        st.sampled_from([1, 2, 3, 4]),
    )
    def test_build(self, rate: int, configuration: int, object_type: int) -> None:
        """What is built reads the same."""
        built = aac.build_audio_specific_config(rate, configuration, object_type)
        read = aac.parse_audio_specific_config(built)
        self.assertEqual((read.core_rate, read.object_type), (rate, object_type))
        self.assertEqual(read.channels, aac.CHANNELS[configuration])

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=40))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes give a configuration within bounds, or a `WireError`."""
        try:
            read = aac.parse_audio_specific_config(data)
        except WireError:
            return
        self.assertLessEqual(read.sample_rate, aac.MAX_SAMPLE_RATE)
        self.assertLessEqual(read.channels, 100)


def adts(payload: bytes, *, crc: bool = False, index: int = 3, blocks: int = 1) -> bytes:
    """Build a frame from the description."""
    header: bytes = aac.ADTS_HEADER.build(
        {
            "mpeg_2": False,
            "protection_absent": not crc,
            "profile": 1,
            "sampling_frequency_index": index,
            "private": False,
            "channel_configuration": 2,
            "original": False,
            "home": False,
            "copyright_bit": False,
            "copyright_start": False,
            "frame_length": 7 + 2 * crc + len(payload),
            "buffer_fullness": 0x7FF,
            "raw_data_blocks_minus1": blocks - 1,
        }
    )
    return header + bytes(2 * crc) + payload


class AdtsTests(SynchronousTestCase):
    def test_ffmpeg(self) -> None:
        """The header that ffmpeg 5.1 writes."""
        header = aac.parse_adts(bytes.fromhex("fff14c800bfffc"))
        self.assertEqual((header.config.sample_rate, header.config.channels), (48000, 2))
        self.assertEqual((header.header_bytes, header.frame_bytes), (7, 95))

    def test_split(self) -> None:
        """Frames with and without CRC come apart (quirk: ADTS inside RTP)."""
        data = adts(b"abc") + adts(b"defg", crc=True) + adts(b"h" * 9)
        header, frames = aac.split_adts(data)
        self.assertEqual(header.config.object_type, aac.AAC_LC)
        self.assertEqual(frames, [b"abc", b"defg", b"h" * 9])

    def test_recognized(self) -> None:
        """An ADTS header in place of a bare frame is seen; a bare frame is none."""
        self.assertTrue(aac.has_adts_header(adts(b"abc")))
        self.assertFalse(aac.has_adts_header(bytes.fromhex("de0400004c6176633539")))
        self.assertFalse(aac.has_adts_header(b"\xff\xf1"))
        self.assertFalse(aac.has_adts_header(adts(b"abc")[:-1]))

    def test_refused(self) -> None:
        """Cut frames, reserved rates, lengths below the header's, several blocks."""
        good = adts(b"abc")
        for data in (
            b"",
            good[:6],
            good[:-1],
            good + b"\xff",
            adts(b"abc", index=13),
            adts(b"abc", blocks=2),
            bytes.fromhex("fff14c8000dffc"),  # 6 bytes
        ):
            with self.assertRaises(WireError):
                aac.split_adts(data)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=30).map(lambda data: b"\xff\xf1" + data))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes behind the sync word raise nothing but `WireError`."""
        aac.has_adts_header(data)
        try:
            _, frames = aac.split_adts(data)
        except WireError:
            return
        self.assertLess(sum(map(len, frames)), len(data))
